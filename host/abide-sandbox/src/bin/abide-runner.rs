//! A runner or a jail, and nothing else: what `ab` becomes when it starts itself as one. The tests of this crate start it; it is not shipped.

use std::process::ExitCode;

use abide_sandbox::{jail, runner};

fn main() -> ExitCode {
    if jail::was_asked(std::env::args_os()) {
        return jail::serve(std::env::args_os()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    if runner::was_asked(std::env::args_os()) && runner::serve(std::env::args_os()).is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
