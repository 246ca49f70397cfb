//! `ab policy`: the workbench of those who write the rules.

mod activate;
pub(super) mod bundle;
mod check;
mod eval;
mod explain;
mod new;
mod prove;
mod reasons;
mod replay;
mod serve;
mod shadow;
mod show;
mod sign;
mod test;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use abide_core::action::ActionClass;
use abide_core::decision::FindingLevel;
use abide_core::id::RepoPath;
use abide_core::safe_text;
use abide_gate::source::{self, Added, Layer, Sources};
use abide_gate::{BundleError, Judge};
use abide_ledger::Ledger;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::Shell;
use crate::bundles::active::{Base, Generations};
use crate::config::{self, Config};
use crate::layers::organisation::Organisation;
use crate::layers::{AB_YML, Composed, RENDERED, TIGHTEN, TIGHTEN_JSON};
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::repository::{self, Known};
use crate::sealed::JudgeKind;
use crate::wiring;

/// `ab policy`.
#[derive(Debug, ClapArgs)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
enum PolicyVerb {
    /// Find everything that is wrong or doubtful in the rules and the data.
    Check(check::CheckArgs),
    /// Write a rule to begin with, and its test.
    New(new::NewArgs),
    /// Run the tests that stand beside the rules.
    Test(test::TestArgs),
    /// Say why a decision came out as it did, and what would have to change for another.
    Explain(explain::ExplainArgs),
    /// Judge one input document; the answer is advice and permits nothing.
    Eval(eval::EvalArgs),
    /// Give advice over HTTP to clients of OPA, on this host only.
    Serve(serve::ServeArgs),
    /// Say what a policy would have decided about past changes.
    Replay(replay::ReplayArgs),
    /// Hold a policy against what must never happen, over every case of a finite model.
    Prove(prove::ProveArgs),
    /// Put a whole policy in one file, in OPA's bundle format, for people to sign.
    Bundle(bundle::BundleArgs),
    /// Sign a bundle as a person of a role.
    Sign(sign::SignArgs),
    /// Say what is in a bundle, who signed it, what it would change, and what speaks against it.
    Verify(verify::VerifyArgs),
    /// Show what is in force and where each value comes from; list the bundles that were, or take one out of the log.
    Show(show::ShowArgs),
    /// Have a candidate judge beside the live policy, and see where it would have decided otherwise.
    Shadow(shadow::ShadowArgs),
    /// Put a bundle in force, on record; everything that `verify` asks for must hold.
    Activate(activate::ActivateArgs),
}

/// How a level is called in a list.
fn level(level: FindingLevel) -> &'static str {
    match level {
        FindingLevel::Warn => "warn",
        FindingLevel::Review => "review",
        FindingLevel::Deny => "deny",
        FindingLevel::Hard => "hard",
    }
}

/// The class of that name, which the parser let through.
fn class(name: &str) -> ActionClass {
    let found = ActionClass::ALL.into_iter().find(|class| class.as_str().eq_ignore_ascii_case(name));
    found.unwrap_or(ActionClass::Merge)
}

/// Which policy.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Which {
    /// The repository whose rules to take; the one around the current folder if not given.
    #[arg(long, value_name = "PATH")]
    pub(crate) repo: Option<PathBuf>,
    /// A policy folder to take instead: a whole one (with `main.rego`), or a repository's own rules; or a bundle.
    #[arg(long, value_name = "FOLDER|BUNDLE")]
    pub(crate) dir: Option<PathBuf>,
    /// What the folder of --dir stands for, where it is no whole policy: the organisation's layer, or else the repository's own rules.
    #[arg(long, value_name = "LAYER", value_enum, requires = "dir")]
    pub(crate) layer: Option<LayerName>,
}

/// A layer that a folder may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayerName {
    /// The organisation's.
    Organisation,
}

pub(crate) fn run(shell: &Shell, args: &PolicyArgs) -> Result<Exit, Failure> {
    match &args.verb {
        PolicyVerb::Check(args) => check::run(shell, args),
        PolicyVerb::Test(args) => test::run(shell, args),
        PolicyVerb::Explain(args) => explain::run(shell, args),
        PolicyVerb::New(args) => new::run(shell, args),
        PolicyVerb::Serve(args) => serve::run(shell, args),
        PolicyVerb::Eval(args) => eval::run(shell, args),
        PolicyVerb::Replay(args) => replay::run(shell, args),
        PolicyVerb::Prove(args) => prove::run(shell, args),
        PolicyVerb::Bundle(args) => bundle::run(shell, args),
        PolicyVerb::Sign(args) => sign::run(shell, args),
        PolicyVerb::Verify(args) => verify::run(shell, args),
        PolicyVerb::Shadow(args) => shadow::run(shell, args),
        PolicyVerb::Show(args) => show::run(shell, args),
        PolicyVerb::Activate(args) => activate::run(shell, args),
    }
}

/// The files of a policy as they lie in the work tree: what ships, and what a repository adds.
#[derive(Debug)]
pub(crate) struct Files {
    /// A whole policy: what is in force without the repository's rules, or the folder that was named.
    pub(crate) base: BTreeMap<String, Vec<u8>>,
    /// What the layers add. Empty for a folder that is whole.
    pub(crate) added: Added,
    /// Where the files lie that a person edits.
    pub(crate) folder: PathBuf,
    /// The same for messages: from the top of the work tree, or as it was given.
    pub(crate) shown: String,
    /// Whether `base` is what is in force, which nobody edits here.
    pub(crate) is_layer: bool,
    /// The layer that is edited here, where it is one.
    pub(crate) stands_for: Layer,
}

/// Bytes of one file at most; the loader wants less.
const FILE_BYTES_MAX: u64 = 13 << 20;
/// Files and folders below a policy folder at most.
const ENTRIES_MAX: usize = 2_000;

impl Files {
    /// Reads the policy that is meant. Work in progress counts: the folder is read, not the target branch.
    pub(crate) fn open(shell: &Shell, which: &Which) -> Result<Self, Failure> {
        let (folder, shown) = Self::folder(shell, which)?;
        if folder.is_file() {
            return Self::packed(shell, which, &folder, shown);
        }
        let files = read(&folder)?;
        if which.layer.is_some() {
            return Self::of_layer(shell, which, files, (folder, shown));
        }
        Ok(if files.contains_key("main.rego") {
            Self {
                base: files,
                added: Added::default(),
                folder,
                shown,
                is_layer: false,
                stands_for: Layer::Repository,
            }
        } else {
            let (base, organisation) = below(shell, which.repo.as_deref())?;
            let added = Added { organisation: organisation.files, ..Added::of_repository(files) };
            Self { base: base.files, added, folder, shown, is_layer: true, stands_for: Layer::Repository }
        })
    }

    /// A folder that is the layer of an organisation, over the policy in force below it.
    fn of_layer(
        shell: &Shell,
        which: &Which,
        files: source::Files,
        (folder, shown): (PathBuf, String),
    ) -> Result<Self, Failure> {
        // The layer in force is what this one takes the place of: it need not be readable.
        let base = with_log(shell, which.repo.as_deref(), |ledger| Generations::of(ledger)?.current())?;
        let base = base.unwrap_or_else(Base::built_in).files;
        let added = Added { organisation: files, ..Added::default() };
        Ok(Self { base, added, folder, shown, is_layer: true, stands_for: Layer::Organisation })
    }

    /// The files of a bundle, whether they load or not.
    fn packed(shell: &Shell, which: &Which, file: &Path, shown: String) -> Result<Self, Failure> {
        let unpacked = bundle::unpacked(file)?;
        let base = unpacked.files;
        if unpacked.manifest.layer().is_some() {
            return Self::of_layer(shell, which, base, (file.to_owned(), shown));
        }
        let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        Ok(Self {
            base,
            added: Added::default(),
            folder,
            shown,
            is_layer: false,
            stands_for: Layer::Repository,
        })
    }

    /// The folder that is meant, and what to call it.
    pub(crate) fn folder(shell: &Shell, which: &Which) -> Result<(PathBuf, String), Failure> {
        if let Some(folder) = &which.dir {
            return Ok((folder.clone(), as_given(folder)));
        }
        let known = repository::open(shell, which.repo.as_deref())?;
        let top = known.repo.work_dir().ok_or_else(|| {
            Failure::new("AB0160", "a bare repository has no work tree".to_owned())
                .help("name a policy folder with --dir")
                .exit(Exit::Usage)
        })?;
        let folder = Self::own(&known, top)?;
        Ok((top.join(folder.as_str()), folder.as_str().to_owned()))
    }

    /// The folder of the repository's own rules. Work in progress counts here, too: `ab.yml` of the work tree, or of the target branch where there
    /// is none that can be read.
    fn own(known: &Known, top: &Path) -> Result<RepoPath, Failure> {
        let target = &known.state.repository.target;
        let text = fs::read_to_string(top.join(config::FILE)).unwrap_or_default();
        let config = match Config::parse(&text, target) {
            Ok(config) => config,
            Err(_) => known.config().or_else(|_| Config::absent(target.clone()))?,
        };
        Ok(config.policies)
    }

    /// The files of the layer that a person edits here.
    pub(crate) fn layer(&self) -> &source::Files {
        self.added.of(self.stands_for)
    }

    /// What the layers add, without their documents.
    pub(crate) fn without_documents(&self) -> Added {
        let mut added = self.added.clone();
        for layer in Layer::ALL {
            added
                .of_mut(layer)
                .retain(|path, _| ![TIGHTEN, TIGHTEN_JSON, RENDERED, AB_YML].contains(&path.as_str()));
        }
        added
    }

    /// `ab.yml` of the work tree, for a repository's own rules; none where there is none that can be read.
    pub(crate) fn config(&self, shell: &Shell, which: &Which) -> Option<Config> {
        if which.dir.is_some() || self.stands_for != Layer::Repository {
            return None;
        }
        let known = repository::open(shell, which.repo.as_deref()).ok()?;
        let text = fs::read_to_string(known.repo.work_dir()?.join(config::FILE)).ok()?;
        Config::parse(&text, &known.state.repository.target).ok()
    }

    /// The layers with their documents made into modules, and what `ab.yml` tightens where it is given.
    pub(crate) fn composed(&self, config: Option<&Config>) -> Result<Composed, Failure> {
        Composed::of(&self.added, config).map_err(|error| {
            Failure::new(error.code(), safe_text::line(&self.words(&error.to_string())))
                .help("ab policy check shows everything that is wrong, with its place")
                .exit(Exit::Gate)
        })
    }

    /// The path that a person edits, for a path of the bundle; `None` for what is in force beside the repository's rules.
    pub(crate) fn edited(&self, path: &str) -> Option<String> {
        let own = if self.is_layer { self.own_path(path)? } else { path };
        Some(if self.shown.is_empty() { own.to_owned() } else { format!("{}/{own}", self.shown) })
    }

    /// The path below the folder of the layer that is edited here; what is made of a document is the document.
    fn own_path<'a>(&self, path: &'a str) -> Option<&'a str> {
        let own = path.strip_prefix(self.stands_for.folder())?;
        Some(if own == RENDERED { TIGHTEN } else { own }).filter(|_| Layer::of(path) == Some(self.stands_for))
    }

    /// The path of the bundle, or its beginning, for one that a person edits; anything else as it is.
    pub(crate) fn inner(&self, text: &str) -> String {
        let own = text.strip_prefix(&self.shown).and_then(|rest| rest.strip_prefix('/'));
        match own {
            Some(own) if self.is_layer => format!("{}{own}", self.stands_for.folder()),
            Some(own) => own.to_owned(),
            None => text.to_owned(),
        }
    }

    /// `text` with the paths that a person edits in place of those of the bundle.
    pub(crate) fn words(&self, text: &str) -> String {
        let renamed = self.layer().keys().filter(|own| text.contains(own.as_str()));
        renamed.fold(text.to_owned(), |text, own| {
            let inner = format!("{}{own}", self.stands_for.folder());
            let edited = self.edited(&inner).unwrap_or_else(|| inner.clone());
            text.replace(&inner, &edited)
        })
    }

    /// A bundle that cannot be loaded.
    pub(crate) fn refused(&self, error: &BundleError) -> Failure {
        Failure::new(error.code(), safe_text::line(&self.words(&error.to_string())))
            .help("ab policy check shows everything that is wrong, with its place")
            .exit(Exit::Gate)
    }

    /// The policy that the files make, with what `ab.yml` tightens; a fault is told with the path that a person edits.
    pub(crate) fn policy(&self, config: Option<&Config>) -> Result<Policy, Failure> {
        Policy::over(&self.base, &self.added, config).map_err(|failure| {
            Failure::new(failure.code, safe_text::line(&self.words(&failure.what)))
                .help("ab policy check shows everything that is wrong, with its place")
                .exit(failure.exit)
        })
    }

    /// The same with who judges by it. Behind the wall the files are tried first, and loaded here only if they come through.
    pub(crate) fn judged(
        &self,
        shell: &Shell,
        config: Option<&Config>,
        kind: JudgeKind,
    ) -> Result<(Policy, Arc<dyn Judge>), Failure> {
        kind.admits(&shell.env, &self.base, &self.composed(config)?.added).map_err(|failure| {
            let help = failure.help.clone().unwrap_or_default();
            let what = safe_text::line(&self.words(&failure.what));
            Failure::new(failure.code, what).help(help).exit(failure.exit)
        })?;
        let policy = self.policy(config)?;
        let judge = kind.over(&shell.env, &policy.bundle)?;
        Ok((policy, judge))
    }

    /// The text of a file of the bundle.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        let own = self.own_path(path).filter(|_| self.is_layer);
        let bytes = own.map_or_else(|| self.base.get(path), |own| self.layer().get(own));
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Modules, tests and data, those of the layer below `layers/`.
    pub(crate) fn sources(&self) -> Result<Sources, Failure> {
        source::sort_layered(&self.base, &self.composed(None)?.added).map_err(|error| self.refused(&error))
    }
}

/// Runs `look` on the log of the repository that is meant. `None` where none is named and there is none around the current folder.
fn with_log<T>(
    shell: &Shell,
    repo: Option<&Path>,
    look: impl FnOnce(&Ledger) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    match repository::open(shell, repo) {
        Ok(known) => look(&*wiring::ledger(&known.state)?).map(Some),
        Err(failure) if repo.is_none() && ["AB0300", "AB0005"].contains(&failure.code) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What is in force without the repository's own rules: the policy, and the organisation's layer over it. What is built in where there is no
/// repository.
fn below(shell: &Shell, repo: Option<&Path>) -> Result<(Base, Organisation), Failure> {
    let found =
        with_log(shell, repo, |ledger| Ok((Generations::of(ledger)?.current()?, Organisation::of(ledger)?)))?;
    Ok(found.unwrap_or_else(|| (Base::built_in(), Organisation::first())))
}

fn as_given(folder: &Path) -> String {
    let text = folder.to_string_lossy();
    let text = text.trim_end_matches('/');
    let text = if text == "." { "" } else { text.strip_prefix("./").unwrap_or(text) };
    text.to_owned()
}

fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let unreadable = |path: &Path, error: std::io::Error| {
        Failure::new("AB0160", format!("`{}` cannot be read: {error}", path.display()))
            .help(
                "ab init writes policies/ for a repository; --dir FOLDER names a policy that lies elsewhere",
            )
            .exit(Exit::Usage)
    };
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    let mut entries = 0_usize;
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).map_err(|error| unreadable(&at, error))? {
            let path = entry.map_err(|error| unreadable(&at, error))?.path();
            let about = fs::symlink_metadata(&path).map_err(|error| unreadable(&path, error))?;
            let kind = about.file_type();
            entries = entries.saturating_add(1);
            if entries > ENTRIES_MAX || about.len() > FILE_BYTES_MAX {
                let why = format!("a policy has at most {ENTRIES_MAX} files of {FILE_BYTES_MAX} bytes");
                let failure = Failure::new("AB0151", format!("`{}` is too much: {why}", path.display()));
                return Err(failure.exit(Exit::Gate));
            }
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).ok().and_then(Path::to_str).filter(|_| kind.is_file());
            let Some(name) = name else {
                let why = format!("`{}` is no plain file with a name in UTF-8", path.display());
                return Err(Failure::new("AB0151", why).exit(Exit::Gate));
            };
            files.insert(name.to_owned(), fs::read(&path).map_err(|error| unreadable(&path, error))?);
        }
    }
    Ok(files)
}
