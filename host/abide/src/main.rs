//! The `ab` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    abide::cli::main()
}
