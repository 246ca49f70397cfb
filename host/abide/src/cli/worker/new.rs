//! `ab worker new`: a worker to begin with, from the sources that this binary carries.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use serde_json::json;

use crate::cli::Shell;
use crate::embedded;
use crate::report::{Exit, Failure};
use crate::workers::check_name;

/// A file on which each of the workers has something to do.
const SAMPLE: &str = "# A sample\n\nCopyright 2019 the authors  \nThe last line has no end";

const AFTER: &str = "\
It builds as it is, with the stock tools of its language, and has a README with the next steps. Nothing is fetched until you build.
  ab worker new house-style --lang rust
  cd house-style && ./build.sh && ab worker verify worker.wasm";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct NewArgs {
    /// Its name, and that of its folder.
    name: String,
    /// Which language.
    #[arg(long, value_enum)]
    lang: Language,
    /// In which folder; this one if none is given.
    #[arg(long = "in", value_name = "FOLDER", default_value = ".")]
    within: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    /// Needs cargo with the target wasm32-unknown-unknown.
    Rust,
    /// On `QuickJS`; needs node and npm.
    Js,
    /// Needs python3 with venv.
    Python,
    /// Needs Zig's compiler, and cargo for the bindings.
    C,
}

impl Language {
    fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust/",
            Self::Js => "js/",
            Self::Python => "python/",
            Self::C => "c/",
        }
    }

    /// What there is for other tools alone.
    fn is_part(self, inner: &str) -> bool {
        self != Self::Js || inner != "build.mjs"
    }
}

pub(super) fn run(shell: &Shell, args: &NewArgs) -> Result<Exit, Failure> {
    check_name(&args.name)?;
    let folder = args.within.join(&args.name);
    let shown = folder.display();
    if folder.symlink_metadata().is_ok() {
        return Err(Failure::new("AB0860", format!("{shown} is there already"))
            .help("choose another name, or another folder with --in")
            .exit(Exit::Usage));
    }
    let mut files: Vec<(String, &[u8])> = embedded::SCAFFOLDS
        .iter()
        .filter_map(|(path, bytes)| Some((path.strip_prefix(args.lang.folder())?.to_owned(), *bytes)))
        .filter(|(path, _)| args.lang.is_part(path))
        .collect();
    files.extend(embedded::WIT.iter().map(|(path, bytes)| (format!("wit/{path}"), *bytes)));
    files.push(("samples/sample.md".to_owned(), SAMPLE.as_bytes()));
    files.push((".gitignore".to_owned(), b"/target\n/bindings\n/node_modules\n/.tools\n/worker.wasm\n"));
    for (path, bytes) in &files {
        write(&folder.join(path), bytes)
            .map_err(|error| Failure::of("AB0004", error).help(format!("{shown} could not be written")))?;
    }
    shell.printer.line(&format!("wrote {} files in {shown}", files.len()));
    shell.printer.line(&format!("next: cd {shown} && ./build.sh · README.md says what comes after"));
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    shell.printer.data(&json!({ "folder": folder, "files": paths }));
    Ok(Exit::Done)
}

fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, bytes)?;
    if file.extension().is_some_and(|extension| extension == "sh") {
        fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
