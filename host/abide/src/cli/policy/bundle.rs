//! `ab policy bundle`: a whole policy in one file, as OPA reads it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use abide_core::id::Digest;
use clap::Args as ClapArgs;
use serde_json::json;

use super::{Files, Shell, Which};
use crate::bundles::active::Base;
use crate::bundles::archive::ARCHIVE_BYTES_MAX;
use crate::bundles::contents::{self, ContentsError, Unpacked};
use crate::bundles::{Contents, audience, layer, manifest};
use crate::report::{Exit, Failure};

const AFTER: &str = "\
The same policy and the same version make the same bytes. The format is OPA's, for what reads its bundles.
Examples: ab policy bundle --dir rules -o policy-2.tar.gz --version 2
          ab policy bundle --built-in -o policy-3.tar.gz --version 3
          ab policy bundle --dir org --layer organisation -o layer-1.tar.gz --version 1";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct BundleArgs {
    #[command(flatten)]
    which: Which,
    /// The policy that is built into this program: the start of your own, or the way back to it.
    #[arg(long, conflicts_with = "dir")]
    built_in: bool,
    /// Where to write it.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// For whom it is: the name in `audience` of their signers.yaml, or NAME/REPOSITORY for one of their repositories. Nobody else can put it in
    /// force.
    #[arg(long, value_name = "NAME", value_parser = audience)]
    audience: Option<String>,
    /// Its version. Each must be higher than the one before: an old bundle is never put in force again.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=manifest::VERSION_MAX))]
    version: u64,
}

pub(crate) fn run(shell: &Shell, args: &BundleArgs) -> Result<Exit, Failure> {
    let audience = args.audience.clone();
    let packed = if args.which.layer.is_some() {
        let files = Files::open(shell, &args.which)?;
        let packed = layer::bundle(files.layer(), args.version, audience).map_err(|error| refused(&error))?;
        // It must load over what is in force here; elsewhere it is looked at again before it is put in force.
        files.policy(None)?;
        packed
    } else {
        let files = if args.built_in { Base::built_in().files } else { whole(shell, &args.which)? };
        contents::bundle(&files, args.version, audience).map_err(|error| refused(&error))?
    };
    // What was written is read back as everyone else will read it.
    let contents = Contents::read(&packed).map_err(|error| refused(&error))?;
    write(&args.out, &packed)?;
    let out = args.out.display();
    let policy = &contents.policy;
    shell.printer.line(&format!("wrote    {out} ({} bytes, {} files)", packed.len(), policy.files.len()));
    shell.printer.line(&format!("version  {}", args.version));
    shell.printer.line(&format!("digest   {}", contents.archive));
    let what = if contents.manifest.layer().is_some() { "layer " } else { "policy" };
    shell.printer.line(&format!("{what}   {}", policy.bundle));
    shell.printer.line(&format!("next: ab policy sign {out} --key rules/NAME · ab policy verify {out}"));
    shell.printer.data(&json!({
        "file": args.out, "bytes": packed.len(), "version": args.version, "digest": contents.archive,
        "layer": contents.manifest.layer(), "bundle": policy.bundle, "hard": policy.hard, "roots": contents.manifest.roots,
        "files": policy.files.keys().collect::<Vec<_>>(),
    }));
    Ok(Exit::Done)
}

fn whole(shell: &Shell, which: &Which) -> Result<std::collections::BTreeMap<String, Vec<u8>>, Failure> {
    let files = Files::open(shell, which)?;
    if files.is_layer {
        let what = format!("`{}` is no whole policy: it has no `main.rego`", files.shown);
        return Err(Failure::new("AB0247", what)
            .help("a repository's own rules stay in the repository; start from --built-in, name a whole policy with --dir, or say --layer organisation")
            .exit(Exit::Usage));
    }
    Ok(files.base)
}

fn audience(text: &str) -> Result<String, String> {
    if audience::is_name(text) { Ok(text.to_owned()) } else { Err(audience::NAMES.to_owned()) }
}

/// A bundle that cannot be taken.
pub(super) fn refused(error: &ContentsError) -> Failure {
    let code = error.code();
    let what = abide_core::safe_text::line(&error.to_string());
    Failure::new(code, what).exit(Exit::Evidence)
}

/// The bytes of a bundle, with what is in it.
pub(in crate::cli) fn open(file: &Path) -> Result<(Vec<u8>, Contents), Failure> {
    let packed = read(file, ARCHIVE_BYTES_MAX)?;
    let contents = Contents::read(&packed).map_err(|error| refused(&error))?;
    Ok((packed, contents))
}

/// Its files, whether they load or not.
pub(super) fn unpacked(file: &Path) -> Result<Unpacked, Failure> {
    Unpacked::read(&read(file, ARCHIVE_BYTES_MAX)?).map_err(|error| refused(&error))
}

/// Bytes of a file, no more than `max` and one.
pub(crate) fn read(file: &Path, max: usize) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let bound = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    fs::File::open(file).and_then(|file| file.take(bound).read_to_end(&mut bytes)).map_err(|error| {
        Failure::of("AB0264", error).help(format!("{} cannot be read", file.display())).exit(Exit::Usage)
    })?;
    Ok(bytes)
}

/// Puts `bytes` at `file`, whole or not at all.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fault = |error: std::io::Error| {
        Failure::of("AB0264", error)
            .help(format!("{} could not be written", file.display()))
            .exit(Exit::Usage)
    };
    let mut fresh = tempfile::Builder::new().tempfile_in(folder).map_err(fault)?;
    fresh.write_all(bytes).and_then(|()| fresh.as_file().sync_all()).map_err(fault)?;
    fresh.persist(file).map_err(|error| fault(error.error))?;
    Ok(())
}

/// Where the signatures of a bundle lie.
pub(super) fn signatures_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sigs.json");
    PathBuf::from(name)
}

/// The beginning of a digest and its kind, for people.
pub(super) fn brief(digest: &Digest) -> String {
    format!("sha256:{}…", digest.short())
}
