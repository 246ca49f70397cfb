//! `ab policy new`: a rule to begin with, with its test, in the folder of the repository's own rules.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use abide_core::action::ActionClass;
use abide_core::safe_text;
use clap::Args as ClapArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde_json::json;

use super::{Files, Which};
use crate::bundles::active::Base;
use crate::cli::Shell;
use crate::report::{Exit, Failure};

/// What the rule looks at, by what an action of its class carries.
const FILES: [&str; 2] = [include_str!("new/files.rego"), include_str!("new/files_test.rego")];
const REQUESTS: [&str; 2] = [include_str!("new/requests.rego"), include_str!("new/requests_test.rego")];
const REASON: [&str; 2] = [include_str!("new/reason.rego"), include_str!("new/reason_test.rego")];

/// Words of Rego that cannot name a package.
const RESERVED: &[&str] = &[
    "as", "contains", "data", "default", "else", "every", "false", "if", "import", "in", "input", "not",
    "null", "package", "some", "true", "with",
];

/// Characters of a rule id at most.
const ID_MAX: usize = 48;

const AFTER: &str = "\
The rule loads and its tests pass as they are. It concerns nothing until you put your own
condition in the place of the example.

    ab policy new migrations-need-a-dba --level review
    ab policy new no-deploy-by-agents --class DEPLOY --level deny
    ab policy new --whole rules";

/// `ab policy new`.
#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct NewArgs {
    #[command(flatten)]
    which: Which,
    /// Id of the rule, in kebab case: what it demands or forbids.
    #[arg(value_name = "RULE", required_unless_present = "whole")]
    rule: Option<String>,
    /// Write the whole policy that ships into a new folder instead, to make one of your own of:
    /// rules, tests, data with what each value means.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["rule", "class", "level", "dir"])]
    whole: Option<PathBuf>,
    /// What kind of action it is about.
    #[arg(long, value_name = "CLASS", default_value = "MERGE", ignore_case = true,
        value_parser = PossibleValuesParser::new(ActionClass::ALL.map(ActionClass::as_str)).map(|name| super::class(&name)))]
    class: ActionClass,
    /// How grave: hard (nobody can allow it), deny, review (waits for a person) or warn.
    #[arg(long, value_name = "LEVEL", default_value = "review", value_parser = ["warn", "review", "deny", "hard"])]
    level: String,
}

pub(crate) fn run(shell: &Shell, args: &NewArgs) -> Result<Exit, Failure> {
    let Some(rule) = &args.rule else {
        return whole(shell, args.whole.as_deref().unwrap_or(Path::new("rules")));
    };
    check_id(rule)?;
    let (folder, _) = Files::folder(shell, &args.which)?;
    fs::create_dir_all(&folder).map_err(|error| unwritten(&folder, &error))?;
    let files = Files::open(shell, &args.which)?;
    is_new(&files, rule)?;
    let name = rule.replace('-', "_");
    // Beside a whole policy the rule is a layer of it, too.
    let below = if files.is_layer { "" } else { "layers/" };
    let [source, test] = texts(args, rule, &name);
    let made = [(format!("{below}{name}.rego"), source), (format!("{below}{name}_test.rego"), test)];
    for (path, _) in &made {
        if folder.join(path).symlink_metadata().is_ok() {
            return Err(exists(&shown(&files, path)));
        }
    }
    for (path, text) in &made {
        write(&folder.join(path), text)?;
    }
    let paths: Vec<String> = made.iter().map(|(path, _)| shown(&files, path)).collect();
    shell.printer.line(&format!("wrote {}", paths.join(" and ")));
    shell
        .printer
        .line("It passes as it is and concerns nothing yet: put your own condition, message and tests in.");
    shell
        .printer
        .line(&format!("next: edit · ab policy test --run {name} · ab policy check · ab policy replay"));
    shell.printer.data(&json!({ "rule": rule, "written": paths }));
    Ok(Exit::Done)
}

/// The policy that ships, as it is written, with its comments: a bundle keeps what it means and not how it was written.
fn whole(shell: &Shell, folder: &Path) -> Result<Exit, Failure> {
    fs::create_dir(folder).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            let what = format!("`{}` is there already, and nothing is overwritten", folder.display());
            Failure::new("AB0179", what).help("name a folder that is not there yet").exit(Exit::Usage)
        } else {
            unwritten(folder, &error)
        }
    })?;
    let files = Base::built_in().files;
    for (path, bytes) in &files {
        write(&folder.join(path), &String::from_utf8_lossy(bytes))?;
    }
    let place = safe_text::line(&folder.to_string_lossy());
    shell.printer.line(&format!("wrote {} files to {place}", files.len()));
    shell.printer.line(&format!("next: edit · ab policy check --dir {place} · ab policy test --dir {place} · ab policy bundle --dir {place} -o policy-1.tar.gz --version 1"));
    shell.printer.data(&json!({ "folder": place, "files": files.len() }));
    Ok(Exit::Done)
}

fn shown(files: &Files, path: &str) -> String {
    if files.shown.is_empty() { path.to_owned() } else { format!("{}/{path}", files.shown) }
}

fn check_id(rule: &str) -> Result<(), Failure> {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let starts_well = rule.starts_with(|letter: char| letter.is_ascii_lowercase());
    if starts_well && rule.len() <= ID_MAX && rule.split('-').all(is_word) && !RESERVED.contains(&rule) {
        return Ok(());
    }
    Err(Failure::new("AB0179", format!("`{}` cannot be the id of a rule", safe_text::line(rule)))
        .help(format!("lower-case words with `-` between them, such as `license-needs-a-person`, {ID_MAX} characters at most, no word of Rego alone"))
        .exit(Exit::Usage))
}

/// No other rule has this id: in a decision nobody could tell them apart.
fn is_new(files: &Files, rule: &str) -> Result<(), Failure> {
    let wanted = format!("\"rule\": \"{rule}\"");
    let all = files.base.iter().chain(files.layer());
    let found = all
        .filter(|(path, _)| path.strip_suffix(".rego").is_some_and(|stem| !stem.ends_with("_test")))
        .find(|(_, bytes)| String::from_utf8_lossy(bytes).contains(&wanted));
    found.map_or(Ok(()), |(path, _)| {
        Err(Failure::new("AB0179", format!("there is a rule `{rule}` in `{}`", safe_text::line(path)))
            .help("give yours another id")
            .exit(Exit::Usage))
    })
}

fn texts(args: &NewArgs, rule: &str, name: &str) -> [String; 2] {
    let templates = match args.class {
        ActionClass::Write | ActionClass::Merge | ActionClass::Deploy => FILES,
        ActionClass::Fetch | ActionClass::Generate => REQUESTS,
        ActionClass::Plan | ActionClass::Execute | ActionClass::Rollback => REASON,
    };
    // A class that the tests hold against this one.
    let other = if args.class == ActionClass::Plan { ActionClass::Execute } else { ActionClass::Plan };
    let words = rule.replace('-', " ");
    let title: String = words
        .char_indices()
        .map(|(at, letter)| if at == 0 { letter.to_ascii_uppercase() } else { letter })
        .collect();
    templates.map(|template| {
        let filled = [
            ("RULE_ID", rule),
            ("RULE_NAME", name),
            ("RULE_TITLE", &title),
            ("RULE_LEVEL", &args.level),
            ("RULE_CLASS", args.class.as_str()),
            ("OTHER_CLASS", other.as_str()),
        ];
        filled.into_iter().fold(template.to_owned(), |text, (mark, value)| text.replace(mark, value))
    })
}

/// Never over something that is there, not even if it came a moment ago.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| unwritten(path, &error))?;
    }
    let fault = |error: std::io::Error| {
        let is_there = error.kind() == std::io::ErrorKind::AlreadyExists;
        if is_there { exists(&path.display().to_string()) } else { unwritten(path, &error) }
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(fault)?;
    file.write_all(text.as_bytes()).map_err(|error| unwritten(path, &error))
}

fn exists(path: &str) -> Failure {
    Failure::new("AB0179", format!("`{path}` is there already, and nothing is overwritten"))
        .help("give the rule another id, or edit the file")
        .exit(Exit::Usage)
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new("AB0004", format!("`{}` cannot be written: {error}", path.display())).exit(Exit::Usage)
}
