//! A runner and nothing else: what `ab` becomes when it starts itself as one. The tests of this crate start it; it is not shipped.

use std::process::ExitCode;

use abide_sandbox::runner;

fn main() -> ExitCode {
    if runner::was_asked(std::env::args_os()) && runner::serve().is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
