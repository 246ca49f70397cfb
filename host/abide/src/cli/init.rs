//! `ab init`: makes a repository ready. It starts assisted (A1): nothing merges without a person until `autonomy_max` is raised.

use std::fs;
use std::path::Path;

use abide_core::id::{RefName, RepoId};
use abide_effects::forge::Repo;
use abide_gate::Clock as _;
use abide_ledger::{Ledger, LedgerError, Opening, StoreError};
use serde_json::json;

use super::Shell;
use super::args::InitArgs;
use super::printer::Tone;
use crate::config;
use crate::home::{Home, Registered, State};
use crate::report::{Exit, Failure};
use crate::repository;
use crate::wiring::{self, SystemClock};

/// The file that `ab init` writes.
const AB_YML: &str = include_str!("init/ab.yml");
/// The policy layer that `ab init` writes.
const POLICY: &str = include_str!("init/repository.rego");
const POLICY_TEST: &str = include_str!("init/repository_test.rego");

pub(crate) fn run(shell: &Shell, args: &InitArgs) -> Result<Exit, Failure> {
    let git_dir = repository::git_dir(args.at.repo.as_deref())?;
    let probe: RepoId = "probe".parse().map_err(|error| Failure::of("AB0003", error))?;
    let repo =
        Repo::open(&git_dir, probe).map_err(|error| Failure::of(error.code(), error).exit(Exit::Usage))?;
    let home = Home::of(&shell.env)?;
    if let Some(name) = &args.moved {
        let name: RepoId = name.parse().map_err(|error| Failure::of("AB0003", error).exit(Exit::Usage))?;
        let state = home.move_to(&name, &repo, &git_dir)?;
        shell.printer.line(&format!("the log of {name} goes on here; its key stays as it was"));
        shell.printer.line("next: ab doctor · ab verify · ab audit reconcile");
        shell.printer.data(&json!({ "repo": name, "moved": true, "state": state.folder }));
        return Ok(Exit::Done);
    }
    let is_new = home.find(&git_dir).is_err() && args.name.is_none();
    if let Some(state) = home.left_behind(&repo).filter(|_| is_new) {
        let (name, was) = (&state.repository.id, state.repository.git_dir.display());
        return Err(Failure::new(
            "AB0048",
            format!("this repository has a log already, of when it was at {was}"),
        )
        .help(format!("ab init --moved {name} goes on with it; ab init --name NAME begins another one"))
        .exit(Exit::Usage));
    }
    let target = target(&repo, args)?;
    let head = repo.branch(&target).map_err(|error| Failure::of(error.code(), error).exit(Exit::Usage))?;
    let id = name(&git_dir, args)?;
    let registered = Registered { id: id.clone(), git_dir: git_dir.clone(), target: target.clone() };
    let state = home.register(&registered)?;
    let key = open_or_create(&state)?;
    let written = match repo.work_dir() {
        Some(folder) => write_files(folder)?,
        None => Vec::new(),
    };
    let tick = shell.printer.paint(Tone::Good, "✓");
    shell.printer.line(&format!("{tick} git repository   {id} ({}, at {})", target.short(), head.short()));
    let files = if written.is_empty() {
        match repo.work_dir() {
            Some(_) => "nothing: ab.yml and policies/ are there already".to_owned(),
            None => "nothing: the repository is bare, so commit ab.yml and policies/ from a clone".to_owned(),
        }
    } else {
        written.join(", ")
    };
    shell.printer.line(&format!("{tick} wrote            {files}"));
    shell.printer.line(&format!("{tick} state            {}", state.folder.display()));
    shell.printer.line(&format!("{tick} log key          {key}"));
    shell.printer.line(
        "next: git add ab.yml policies && git commit -m \"Use Abide\" · ab doctor · ab explain first-rule",
    );
    shell.printer.data(
        &json!({ "repo": id, "target": target, "written": written, "state": state.folder, "key": key }),
    );
    Ok(Exit::Done)
}

fn target(repo: &Repo, args: &InitArgs) -> Result<RefName, Failure> {
    if let Some(name) = &args.target {
        return RefName::branch(name).map_err(|error| Failure::of("AB0300", error).exit(Exit::Usage));
    }
    let head = repo.head_branch().map_err(|error| Failure::of(error.code(), error).exit(Exit::Usage))?;
    head.ok_or_else(|| {
        Failure::new("AB0008", "the repository is on no branch")
            .help("name one: ab init --target main")
            .exit(Exit::Usage)
    })
}

fn name(git_dir: &Path, args: &InitArgs) -> Result<RepoId, Failure> {
    if let Some(name) = &args.name {
        return name.parse().map_err(|error| Failure::of("AB0003", error).exit(Exit::Usage));
    }
    let folder = if git_dir.ends_with(".git") { git_dir.parent().unwrap_or(git_dir) } else { git_dir };
    let raw = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let slug: String = raw
        .trim_end_matches(".git")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect();
    slug.trim_start_matches(['.', '-']).chars().take(64).collect::<String>().parse().map_err(|error| {
        Failure::of("AB0003", error).help("ab init --name NAME gives the repository a name").exit(Exit::Usage)
    })
}

/// Opens the log, or makes it with a fresh key; returns the key that verifies it.
fn open_or_create(state: &State) -> Result<String, Failure> {
    let folder = state.ledger();
    let ledger = match Ledger::open(&folder, &Opening::STANDARD) {
        Ok(ledger) => ledger,
        Err(LedgerError::Store(StoreError::Missing { .. })) => {
            let origin = format!("abide/{}", state.repository.id);
            let made = Ledger::create(
                &folder,
                &wiring::entropy::<32>()?,
                &origin,
                SystemClock.now(),
                &Opening::STANDARD,
            );
            made.map_err(|error| Failure::of(error.code(), error))?
        }
        Err(error) => return Err(Failure::of(error.code(), error)),
    };
    Ok(ledger.vkey().to_string())
}

/// Writes what is missing; nothing that exists is touched.
fn write_files(folder: &Path) -> Result<Vec<String>, Failure> {
    let files = [
        (config::FILE, AB_YML),
        ("policies/repository.rego", POLICY),
        ("policies/repository_test.rego", POLICY_TEST),
    ];
    let mut written = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            continue;
        }
        let fault =
            |error| Failure::of("AB0004", error).help(format!("{} could not be written", path.display()));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(fault)?;
        }
        fs::write(&path, text).map_err(fault)?;
        written.push(name.to_owned());
    }
    Ok(written)
}
