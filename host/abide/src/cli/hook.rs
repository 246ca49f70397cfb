//! `ab hook`: guards a bare repository. The two hidden verbs are what git calls; anything unclear in them is a refusal.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use abide_core::event::Body;
use abide_core::id::{RepoId, Seq};
use abide_effects::forge::Repo;
use abide_effects::hook::{self, RefMove, Refusal};
use abide_gate::Clock as _;
use abide_ledger::{Guard, Ledger, RefMoveRefusal, StoreError};
use serde_json::json;

use super::Shell;
use super::args::{HookArgs, HookVerb};
use crate::home::{Home, State};
use crate::report::{Exit, Failure};
use crate::repository;
use crate::wiring::{self, SystemClock};

/// Bytes of a transaction that are read at most; more is refused.
const TRANSACTION_BYTES_MAX: u64 = 16 << 20;

pub(crate) fn run(shell: &Shell, args: &HookArgs) -> Result<Exit, Failure> {
    match &args.verb {
        HookVerb::Install { bare, name } => install(shell, bare, name.as_deref()),
        HookVerb::Uninstall { bare } => uninstall(shell, bare),
        HookVerb::Update { state, name, old, new } => update(shell, state, name, old, new),
        HookVerb::ReferenceTransaction { state, phase } => transaction(shell, state, phase),
    }
}

fn install(shell: &Shell, bare: &Path, name: Option<&str>) -> Result<Exit, Failure> {
    let git_dir = repository::git_dir(Some(bare))?;
    let home = Home::of(&shell.env)?;
    let state = match name {
        Some(name) => home.named(
            &name.parse::<RepoId>().map_err(|error| Failure::of("AB0003", error).exit(Exit::Usage))?,
        )?,
        None => home.find(&git_dir)?,
    };
    let me = std::env::current_exe().map_err(|error| Failure::of("AB0009", error))?;
    let done =
        hook::install(&git_dir, &me, &state.folder).map_err(|error| Failure::of(error.code(), error))?;
    shell
        .printer
        .line(&format!("guarded {}: every ref is denied but for what the gate recorded", git_dir.display()));
    for note in &done.notes {
        shell.printer.line(&format!("! {note}"));
    }
    shell.printer.line("next: ab explain enforcement says what hooks cannot stop · ab audit reconcile");
    shell.printer.data(&json!({ "guarded": git_dir, "state": state.folder, "notes": done.notes }));
    Ok(Exit::Done)
}

fn uninstall(shell: &Shell, bare: &Path) -> Result<Exit, Failure> {
    let git_dir = repository::git_dir(Some(bare))?;
    hook::uninstall(&git_dir).map_err(|error| Failure::of(error.code(), error))?;
    shell.printer.line(&format!("{} is no longer guarded", git_dir.display()));
    Ok(Exit::Done)
}

/// One ref of a push: an early, friendly answer. Nothing is used up here; the transaction that follows does that.
fn update(shell: &Shell, folder: &Path, name: &str, old: &str, new: &str) -> Result<Exit, Failure> {
    let guard = Guarded::open(folder)?;
    let peek = |step: &RefMove| answer(guard.ledger.peek_ref_move(&guard.claim(step), SystemClock.now()));
    Ok(guard.end(shell, hook::update(&guard.repo, name, old, new, &peek), (name, old, new)))
}

/// A whole transaction. `prepared` uses up the record; every ref is denied that has none.
fn transaction(shell: &Shell, folder: &Path, phase: &str) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    let read = std::io::stdin().take(TRANSACTION_BYTES_MAX.saturating_add(1)).read_to_end(&mut text);
    read.map_err(|error| Failure::of("AB0305", error).exit(Exit::Gate))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > TRANSACTION_BYTES_MAX {
        return Err(Failure::new("AB0305", "the transaction is too large to be judged").exit(Exit::Gate));
    }
    let guard = Guarded::open(folder)?;
    let spend = |step: &RefMove| answer(guard.ledger.consume_ref_move(&guard.claim(step), SystemClock.now()));
    let said = hook::transaction(&guard.repo, phase, &text, &spend);
    Ok(guard.end(shell, said, ("", "", "")))
}

/// The repository that a hook guards, and the log that answers for it. Whatever cannot be opened is a refusal.
struct Guarded {
    state: State,
    repo: Repo,
    ledger: Arc<Ledger>,
}

impl Guarded {
    fn open(folder: &Path) -> Result<Self, Failure> {
        let state = State::open(folder).map_err(|failure| failure.exit(Exit::Gate))?;
        let ledger = wiring::ledger(&state)?;
        // git runs a hook in the repository it is about; the log answers for the registered one, whose copy this may be.
        let repo = Repo::open(Path::new("."), state.repository.id.clone())
            .map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
        Ok(Self { state, repo, ledger })
    }

    fn claim(&self, step: &RefMove) -> abide_ledger::RefMove {
        let RefMove { name, old, new } = step.clone();
        abide_ledger::RefMove { repo: self.state.repository.id.clone(), reference: name, old, new }
    }

    /// Tells the one who pushes; git shows each line behind `remote:`. A refusal is recorded where that is possible.
    fn end(&self, shell: &Shell, said: Result<(), Refusal>, asked: (&str, &str, &str)) -> Exit {
        let Err(refusal) = said else { return Exit::Done };
        shell.printer.talk(&refusal.to_string());
        let (name, old, new) = match &refusal.about {
            Some(update) => {
                (update.name.clone(), update.old.short().to_owned(), update.new.short().to_owned())
            }
            None => (asked.0.to_owned(), asked.1.to_owned(), asked.2.to_owned()),
        };
        let line = abide_core::safe_text::line;
        let body = Body::RefMoveRefused {
            repo: self.state.repository.id.clone(),
            name: line(&name),
            old: line(&old),
            new: line(&new),
            code: refusal.code,
        };
        // The refusal stands whether or not it can be written down.
        drop(wiring::record(&self.ledger, None, &body, vec![], Guard::Free));
        Exit::Denied
    }
}

fn answer(said: Result<Result<Seq, RefMoveRefusal>, StoreError>) -> Result<(), Refusal> {
    match said {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(why)) => Err(Refusal::new(why.code(), why.to_string())
            .help("this ref moves only through the gate. Try: ab propose COMMIT --from YOUR-CLONE")),
        Err(error) => {
            Err(Refusal::new(error.code(), format!("the log cannot be read, so nothing moves: {error}")))
        }
    }
}
