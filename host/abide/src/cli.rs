//! The command line: parse, dispatch, print, exit.

pub(crate) mod printer;

mod approve;
mod args;
mod audit;
mod demo;
mod doctor;
mod explain;
mod hook;
mod init;
mod keys;
mod kill;
pub(crate) mod policy;
mod queue;
mod replay;
mod run;
mod secret;
mod show;
mod source;
mod status;
mod verify;
mod worker;

use std::process::ExitCode;

use clap::Parser as _;

use abide_sandbox::{jail, runner};

use crate::config::env::Env;
use crate::report::{Exit, Failure};
use args::{Args, Verb};
use printer::Printer;

/// Everything that a verb may use.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    /// The environment.
    pub(crate) env: Env,
    /// The terminal.
    pub(crate) printer: Printer,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    if jail::was_asked(std::env::args_os()) {
        return jail::serve(std::env::args_os()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    if runner::was_asked(std::env::args_os()) {
        // Nobody reads what a runner would say: it ends, and who started it says that.
        return runner::serve(std::env::args_os()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            drop(error.print());
            return ExitCode::from(exit.number());
        }
    };
    let env = Env { no_exec: args.no_exec, ..Env::read() };
    start_log(env.log.as_deref());
    let shell = Shell { printer: Printer::new(args.json, args.no_color), env };
    let exit = match dispatch(&shell, args.verb) {
        Ok(exit) => exit,
        Err(failure) => {
            shell.printer.data(&failure.json());
            shell.printer.talk(failure.render(shell.printer.colour(), shell.printer.width()).trim_end());
            failure.exit
        }
    };
    ExitCode::from(exit.number())
}

fn dispatch(shell: &Shell, verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Init(args) => init::run(shell, &args),
        Verb::Doctor(args) => doctor::run(shell, &args),
        Verb::Demo(args) => demo::run(shell, &args),
        Verb::Run(args) => run::run(shell, &args),
        Verb::Propose(args) => run::propose(shell, &args),
        Verb::Status(args) => status::run(shell, &args),
        Verb::Queue(args) => queue::run(shell, &args),
        Verb::Show(args) => show::run(shell, &args),
        Verb::Approve(args) => approve::approve(shell, &args),
        Verb::Deny(args) => approve::deny(shell, &args),
        Verb::Kill(args) => kill::kill(shell, &args),
        Verb::Resume(args) => kill::resume(shell, &args),
        Verb::Replay(args) => replay::run(shell, &args),
        Verb::Packet(args) => verify::packet(shell, &args),
        Verb::Verify(args) => verify::run(shell, &args),
        Verb::Hook(args) => hook::run(shell, &args),
        Verb::Audit(args) => audit::run(shell, &args),
        Verb::Policy(args) => policy::run(shell, &args),
        Verb::Worker(args) => worker::run(shell, &args),
        Verb::Source(args) => source::run(shell, &args),
        Verb::Keys(args) => keys::run(shell, &args),
        Verb::Secret(args) => secret::run(shell, &args),
        Verb::Explain(args) => explain::run(shell, &args),
    }
}

fn start_log(filter: Option<&str>) {
    let filter = tracing_subscriber::EnvFilter::new(filter.unwrap_or("warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .finish();
    // A second start in one process keeps the first.
    drop(tracing::subscriber::set_global_default(log));
}
