//! What may be typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::config::env;
use crate::config::quantity::{Dollars, Quantity};

const AFTER: &str = "\
Exit codes: 0 done, 1 fault, 2 usage, 3 denied, 4 waiting for a person, 5 budget,
6 gate error (nothing happened), 7 halted, 8 evidence refused.

First steps: ab init, commit ab.yml and policies/, ab doctor, ab run --ticket \"Repair links in docs/\".
A first rule, step by step: ab explain first-rule.
Try it on a scratch copy first: ab demo.";

/// An autonomous build operator under law: workers propose, policy decides, a log proves.
#[derive(Debug, Parser)]
#[command(name = "ab", version, after_help = AFTER, max_term_width = 100)]
pub(crate) struct Args {
    /// Print one JSON object on stdout instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No colour.
    #[arg(long, global = true, env = "NO_COLOR", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) no_color: bool,
    /// Interpret workers and the sealed judge behind a wall that keeps every page from becoming executable, or do not run them. Slower, same
    /// results: ab doctor --no-exec says by how much.
    #[arg(long, global = true, env = env::NO_EXEC, value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) no_exec: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a repository ready: writes ab.yml and policies/, makes the log and its key.
    Init(InitArgs),
    /// Say which walls stand on this host, and how far autonomy may go with them.
    Doctor(AtRepo),
    /// Show the whole story on a scratch copy of a repository.
    Demo(DemoArgs),
    /// Plan a ticket, let a worker propose, and go as far as policy allows.
    Run(RunArgs),
    /// Hand in a commit that someone made; it is measured, judged and merged like a worker's.
    Propose(ProposeArgs),
    /// Say on one screen what is in force, what waits, and what stands in the way.
    Status(AtRepo),
    /// List what waits for a person.
    Queue(AtRepo),
    /// Show a run, a queue item or a decision, with its reasons.
    Show(ShowArgs),
    /// Approve what waits; the same intent is then asked of the gate again.
    Approve(ApproveArgs),
    /// Refuse what waits, with a reason.
    Deny(DenyArgs),
    /// Stop everything at once; only the way back stays open.
    Kill(KillArgs),
    /// Open the gate again after a kill, or carry on a run that was interrupted.
    Resume(ResumeArgs),
    /// Run the workers of a run again from what was recorded, decide its decisions again, and say what differs.
    Replay(ReplayArgs),
    /// Write the evidence of a run to one file that anyone can verify offline.
    Packet(PacketArgs),
    /// Verify the log, or a packet, from stored bytes; recompute every decision.
    Verify(VerifyArgs),
    /// Guard a bare repository, so that refs move only through the gate.
    Hook(HookArgs),
    /// Compare the repository with the log.
    Audit(AuditArgs),
    /// Write rules, test them, and see what they would have decided.
    Policy(super::policy::PolicyArgs),
    /// Look at components that others wrote, hand them in, list them, take them back.
    Worker(super::worker::WorkerArgs),
    /// Define places on the web that records are read from, try them, and let them earn their place.
    Source(super::source::SourceArgs),
    /// Make and list the keys with which people sign policy and workers.
    Keys(super::keys::KeysArgs),
    /// Keep secrets that leases name, for the broker alone.
    Secret(super::secret::SecretArgs),
    /// Explain an error code (AB0304), or print a guide (first-rule) or a file of the shipped policy (levels.yaml).
    Explain(ExplainArgs),
}

/// Which repository.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct AtRepo {
    /// The repository; the one around the current folder if not given.
    #[arg(long, value_name = "PATH")]
    pub(crate) repo: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub(crate) at: AtRepo,
    /// Name of the repository in the log; its folder's name if not given.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The folder was moved: take the log called NAME along, with its key.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["name", "target"])]
    pub(crate) moved: Option<String>,
    /// The branch that changes are for; the current branch if not given.
    #[arg(long, value_name = "BRANCH")]
    pub(crate) target: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// A repository to copy; a small one is made if not given. The original is only read.
    #[arg(long, value_name = "PATH")]
    pub(crate) repo: Option<PathBuf>,
    /// Keep the folder and say where it is.
    #[arg(long)]
    pub(crate) keep: bool,
}

/// How far a run may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Propose, measure and judge; move no protected ref.
    Plan,
    /// Go as far as policy allows.
    Apply,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) at: AtRepo,
    /// A ticket: a file, an id such as ABC-123, or the words themselves.
    #[arg(long, value_name = "FILE|ID|TEXT")]
    pub(crate) ticket: String,
    /// The autonomy profile, instead of the one in ab.yml.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Tokens the run may spend, for example 200k-tokens.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) cap: Option<Quantity>,
    /// Dollars the run may spend.
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) usd: Option<Dollars>,
    /// How far it may go.
    #[arg(long, value_enum, default_value = "apply")]
    pub(crate) mode: Mode,
    /// Why the access is needed; recorded with every decision.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Tighten this run, and this run alone: a tighten.yaml, or one .rego in package abide.layers.run. It holds until the run is over.
    #[arg(long, value_name = "FILE")]
    pub(crate) tighten: Option<PathBuf>,
    /// Use the admitted worker NAME in place of every shipped one; PLACE=NAME in place of one, such as codegen=NAME; or the component in FILE
    /// (with a `/` or `.`), which nobody admitted.
    #[arg(long, value_name = "[PLACE=]NAME|PLACE=FILE", value_parser = given_worker)]
    pub(crate) worker: Vec<GivenWorker>,
}

/// A worker for one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GivenWorker {
    /// One that was admitted, in place of a shipped one, or of all.
    Admitted {
        /// In place of which.
        place: Option<String>,
        /// Its name.
        name: String,
    },
    /// A file.
    File {
        /// In place of which.
        place: String,
        /// The file.
        file: PathBuf,
    },
}

fn given_worker(text: &str) -> Result<GivenWorker, String> {
    let (place, what) = match text.split_once('=') {
        Some((place, what)) => (Some(place.to_owned()), what),
        None => (None, text),
    };
    match place {
        Some(place) if what.contains(['/', '.']) => {
            Ok(GivenWorker::File { place, file: PathBuf::from(what) })
        }
        None if what.contains(['/', '.']) => {
            Err("a file takes a place: codegen=FILE. An admitted worker goes by its name alone".to_owned())
        }
        place => Ok(GivenWorker::Admitted { place, name: what.to_owned() }),
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ProposeArgs {
    #[command(flatten)]
    pub(crate) at: AtRepo,
    /// The commit, as git would name it; it must descend from the target branch.
    #[arg(default_value = "HEAD")]
    pub(crate) commit: String,
    /// A clone that holds the commit; the repository itself if not given.
    #[arg(long, value_name = "PATH")]
    pub(crate) from: Option<PathBuf>,
    /// The autonomy profile, instead of the one in ab.yml.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// How far it may go.
    #[arg(long, value_enum, default_value = "apply")]
    pub(crate) mode: Mode,
    /// Why the change is needed; recorded with every decision.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Who made it; the login name if not given.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Tighten this run, and this run alone: a tighten.yaml, or one .rego in package abide.layers.run. It holds until the run is over.
    #[arg(long, value_name = "FILE")]
    pub(crate) tighten: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) at: AtRepo,
    /// A run, a queue item (q7), a decision (d12); the last run if not given.
    pub(crate) what: Option<String>,
    /// Show the change itself.
    #[arg(long)]
    pub(crate) diff: bool,
    /// Show every rule, not only those that decided.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Of a run that looked at pages of the web: write what it saw as one HTML page, with the
    /// values outlined that were read from them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["diff", "trace"])]
    pub(crate) html: Option<PathBuf>,
}

/// What is approved or refused.
#[derive(Debug, Clone, ClapArgs)]
#[expect(clippy::struct_field_names, reason = "it is what a person types")]
pub(crate) struct Item {
    #[command(flatten)]
    pub(crate) at: AtRepo,
    /// The queue item, for example q7.
    #[arg(required_unless_present = "run")]
    pub(crate) item: Option<String>,
    /// The run, instead of the item.
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// With --run: which step waits; `apply` is the merge.
    #[arg(long, value_name = "STEP", requires = "run")]
    pub(crate) step: Option<String>,
    /// Who decides; the login name if not given.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) by: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    pub(crate) item: Item,
    /// In which role.
    #[arg(long, value_name = "ROLE", default_value = "reviewer")]
    pub(crate) role: String,
    /// Words for the record.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// Record the approval only; the run goes on with `ab resume`.
    #[arg(long)]
    pub(crate) no_resume: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DenyArgs {
    #[command(flatten)]
    pub(crate) item: Item,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct KillArgs {
    #[command(flatten)]
    pub(crate) at: AtRepo,
    /// Only this run; everything if not given.
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "no reason given")]
    pub(crate) reason: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) at: AtRepo,
    /// Carry on this run; without it, open the gate again after a kill.
    pub(crate) run: Option<String>,
    /// Why the gate may be opened.
    #[arg(long, value_name = "TEXT", default_value = "no reason given")]
    pub(crate) reason: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PacketArgs {
    #[command(flatten)]
    pub(crate) at: AtRepo,
    /// The run; the last one if not given.
    pub(crate) run: Option<String>,
    /// Where to write it; packets/packet-<run>.abide in the state folder if not given.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) at: AtRepo,
    /// A packet; this repository's whole log if not given.
    pub(crate) packet: Option<PathBuf>,
    /// The log's public key, from a place you trust.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// A bundle of the policy that is built into another release, from a place you trust: where that release decided before anybody signed a
    /// policy. That release writes it with `ab policy bundle --built-in`.
    #[arg(long, value_name = "FILE")]
    pub(crate) built_in: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct HookArgs {
    #[command(subcommand)]
    pub(crate) verb: HookVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HookVerb {
    /// Install the hooks in a bare repository.
    Install {
        /// The bare repository.
        bare: PathBuf,
        /// The registered repository whose log decides; the one that lies at the same path if not given.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Remove the hooks.
    Uninstall {
        /// The bare repository.
        bare: PathBuf,
    },
    /// Called by git: one ref of a push.
    #[command(hide = true)]
    Update {
        #[arg(long)]
        state: PathBuf,
        name: String,
        old: String,
        new: String,
    },
    /// Called by git: a reference transaction, on stdin.
    #[command(hide = true)]
    ReferenceTransaction {
        #[arg(long)]
        state: PathBuf,
        phase: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    pub(crate) verb: AuditVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditVerb {
    /// Find protected refs that moved without a receipt, and freeze merges until a person resolves it.
    Reconcile {
        #[command(flatten)]
        at: AtRepo,
        /// Accept the refs as they stand and lift the freeze.
        #[arg(long)]
        accept: bool,
        /// Why.
        #[arg(long, value_name = "TEXT", requires = "accept")]
        reason: Option<String>,
    },
    /// Print the log, one line an event; with --json each event whole, one a line.
    Log {
        #[command(flatten)]
        at: AtRepo,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) at: AtRepo,
    /// The run; the newest one if not given. With --worker: all runs.
    pub(crate) run: Option<String>,
    /// See instead what this component would have done with the same tasks, on the commits that they were for.
    #[arg(long, value_name = "FILE")]
    pub(crate) worker: Option<PathBuf>,
    /// With --worker: only the newest tasks.
    #[arg(long, value_name = "N", default_value_t = 50, requires = "worker")]
    pub(crate) last: usize,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// A code (AB0304), a guide (first-rule, policy, config), or a file of the shipped policy (levels.yaml); a list of all if not given.
    pub(crate) topic: Option<String>,
}
