//! `ab policy serve`: advice over HTTP for clients of OPA.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::json;

use crate::cli::Shell;
use crate::cli::printer::Tone;
use crate::report::{Exit, Failure};
use crate::serve::answer::Desk;
use crate::serve::door::Door;
use crate::serve::source::{Source, Watch};
use crate::serve::{self, Limits};

const AFTER: &str = "\
Answers as OPA does: POST and GET /v1/data/PATH, GET /health. At /v1/data/abide/decision
(also abide/main) stands the decision as the gate would make it of the input.

    ab policy serve &
    ab policy eval --print-example MERGE | jq '{input: .}' |
      curl -s --data @- http://127.0.0.1:8181/v1/data/abide/decision

Every answer is advice: it is not recorded, and there is no permit in it. It stops at
SIGINT or SIGTERM, when open requests are answered.";

/// `ab policy serve`.
#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct ServeArgs {
    /// The repository whose policy in force (that of its target branch) answers; the one around the current folder if not given.
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// A policy folder to take instead, as it lies there: a whole one (with `main.rego`), or a repository's own rules.
    #[arg(long, value_name = "FOLDER", conflicts_with = "repo")]
    dir: Option<PathBuf>,
    /// The loopback address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8181", conflicts_with = "socket")]
    listen: SocketAddr,
    /// Listen on a Unix socket instead, which only this user can open.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Go on answering by the last good policy when the next cannot be read. Without it such questions are answered with 500 and the code.
    #[arg(long)]
    keep_last_good: bool,
}

pub(crate) fn run(shell: &Shell, args: &ServeArgs) -> Result<Exit, Failure> {
    let source = args.dir.clone().map_or_else(|| Source::Branch(args.repo.clone()), Source::Folder);
    let (mut watch, policy) = Watch::start(shell.clone(), source)?;
    let door = match &args.socket {
        Some(path) => Door::unix(path)?,
        None => Door::tcp(args.listen)?,
    };
    let (shown, digest) = (door.shown(), policy.bundle.digest().clone());
    if let Some(why) = &policy.degraded {
        let mark = shell.printer.paint(Tone::Bad, "!");
        shell.printer.talk(&format!("{mark} an older policy answers [AB0262]: {why}"));
    }
    let ready = || {
        shell.printer.line(&format!("advice at {shown}/v1/data   policy {}   no permits", digest.short()));
        shell.printer.data(&json!({ "listening": shown, "bundle": digest, "advice": true }));
    };
    let desk = Desk::new(policy.bundle, policy.degraded, args.keep_last_good);
    serve::run(desk, door, Limits::SHIPPED, move |desk| watch.look(desk), ready)?;
    shell.printer.talk("stopped");
    Ok(Exit::Done)
}
