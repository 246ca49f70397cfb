//! `ab source propose`: the ticket of a source, and the run that puts it on the target branch.

use std::collections::BTreeMap;

use abide_core::id::RepoPath;
use abide_core::source::{SourceClaim, SourceTerms, TermsSay, is_name};
use clap::Args as ClapArgs;
use serde_json::json;

use super::super::Shell;
use super::super::args::{AtRepo, Mode};
use super::super::run::Bench;
use super::{definitions, start};
use crate::report::{Exit, Failure};

#[derive(Debug, ClapArgs)]
pub(super) struct ProposeArgs {
    #[command(flatten)]
    at: AtRepo,
    /// What it will be called: lower-case letters, digits and `-`.
    name: String,
    /// A page that is read; may be given several times.
    #[arg(long, value_name = "URL", required = true)]
    url: Vec<String>,
    /// The JSON Schema of one record, a file of the repository.
    #[arg(long, value_name = "FILE")]
    schema: String,
    /// Where the records go: .jsonl or .json.
    #[arg(long, value_name = "FILE")]
    path: String,
    /// A further parameter of `extract-records`, such as next or hints.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    param: Vec<(String, String)>,
    /// The licence of what is read, as SPDX names it; `own` if it is ours.
    #[arg(long, value_name = "LICENCE")]
    licence: Option<String>,
    /// Where its terms of use stand. You have read them today.
    #[arg(long, value_name = "URL", requires = "terms_say")]
    terms: Option<String>,
    /// What they say of programs that read pages.
    #[arg(long, value_name = "allow|silent|forbid", value_parser = say, requires = "terms")]
    terms_say: Option<TermsSay>,
    /// Hours after which its records should have changed.
    #[arg(long, value_name = "HOURS")]
    fresh_hours: Option<u64>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is expected")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn say(text: &str) -> Result<TermsSay, String> {
    match text {
        "allow" => Ok(TermsSay::Allow),
        "silent" => Ok(TermsSay::Silent),
        "forbid" => Ok(TermsSay::Forbid),
        _ => Err("allow, silent or forbid is expected".to_owned()),
    }
}

pub(super) fn run(shell: &Shell, args: &ProposeArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let bad = |why: String| {
        Failure::new("AB0883", why).help("ab source propose --help shows one").exit(Exit::Usage)
    };
    if !is_name(&args.name) {
        return Err(bad(format!("`{}` is no name of a source", abide_core::safe_text::line(&args.name))));
    }
    if definitions(&bench)?.by_name.contains_key(&args.name) {
        return Err(bad(format!("source `{}` is defined already", args.name)));
    }
    for url in &args.url {
        if !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(bad(format!("`{}` is no address of the web", abide_core::safe_text::line(url))));
        }
    }
    for path in [&args.schema, &args.path] {
        let shown = abide_core::safe_text::line(path);
        path.parse::<RepoPath>()
            .map_err(|error| bad(format!("`{shown}` is no path of the repository: {error}")))?;
    }
    let today = crate::sources::page::when(bench.desk.now().0);
    let today = today.get(..10).unwrap_or_default().to_owned();
    let terms = args.terms.as_ref().zip(args.terms_say).map(|(at, say)| SourceTerms {
        at: at.clone(),
        read: today,
        by: shell.env.actor.clone(),
        say,
    });
    let claim = SourceClaim {
        name: args.name.clone(),
        licence: args.licence.clone(),
        terms,
        fresh_hours: args.fresh_hours,
    };
    claim.check().map_err(|why| bad(why.to_owned()))?;
    let mut params: BTreeMap<String, String> = args.param.iter().cloned().collect();
    params.insert("urls".to_owned(), args.url.join(" "));
    params.insert("schema".to_owned(), args.schema.clone());
    params.insert("path".to_owned(), args.path.clone());
    let text = ticket(&claim, &params)?;
    // What cannot be planned is not proposed.
    abide_core::plan::Plan::of_ticket(&text)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Usage))?;
    let file = format!("{}/{}.md", bench.config.sources.as_str(), args.name);
    drop(bench);
    let edit = format!(
        "---\nrecipe: edit-file\nparams: {}\n---\nDefine source {}\n",
        json!({ "path": file, "text": text }),
        args.name
    );
    start(shell, &args.at, edit, Mode::Apply, (None, None))
}

/// The ticket of a source. Values are written as JSON, which YAML reads.
fn ticket(claim: &SourceClaim, params: &BTreeMap<String, String>) -> Result<String, Failure> {
    let fault = |error: serde_json::Error| Failure::of("AB0124", error);
    let mut lines = vec!["---".to_owned(), "recipe: extract-records".to_owned(), "source:".to_owned()];
    let claim = serde_json::to_value(claim).map_err(fault)?;
    for (name, value) in claim.as_object().into_iter().flatten() {
        lines.push(format!("  {name}: {value}"));
    }
    lines.push("params:".to_owned());
    for (name, value) in params {
        lines.push(format!("  {name}: {}", serde_json::to_string(value).map_err(fault)?));
    }
    lines.push("---".to_owned());
    let name = claim.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
    lines.push(format!("# Read source {name}\n"));
    Ok(lines.join("\n"))
}
