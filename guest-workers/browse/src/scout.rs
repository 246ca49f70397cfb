//! Looks where the pages of a source lead to, and proposes those that have the same records as sources of their own.
//!
//! Pages are opened first, as in `visit`; what was refused is told and passed over, since nothing is made of it. A proposal says nothing of licences and
//! terms: a person reads those.

use std::collections::BTreeSet;

use records::{Refusal, Snapshot, extract};
use worker_kit::browser::BrowseError;
use worker_kit::{
    Change, Draft, Failure, FailureKind, FileMode, Files, Notes, Parameters, Proposal, Source, Task, failure,
    read_text,
};

use crate::parameters::addresses;
use crate::propose::wanted;
use crate::visit::{Browser, explain};

/// Pages of the source itself that are looked at for links.
const STARTS_MAX: usize = 10;
/// Sources that are proposed at once; a person looks at each.
const PROPOSED_MAX: usize = 10;
/// Addresses of one sitemap that are read.
const LOCS_MAX: u32 = 500;
/// What was passed over and is told one by one.
const TOLD_MAX: usize = 20;
/// A page has at least one record for so many of the source.
const LIKE: usize = 10;

/// The parameters of `scout-sources`.
struct Ask {
    from: String,
    urls: Vec<String>,
    known: BTreeSet<String>,
    schema: String,
    hints: Option<String>,
    /// Parameters that a proposed source has from this one.
    inherited: Vec<(&'static str, String)>,
    /// Where the source's own records go.
    path: String,
    folder: String,
    pages_max: usize,
}

fn read(task: &Task) -> Result<Ask, Failure> {
    let mut parameters = Parameters::of(task);
    let bad = |message: String| failure(FailureKind::BadParameter, message);
    let mut take = |name: &str| parameters.take(name);
    let hints = take("hints");
    let optional = [("hints", hints.clone()), ("next", take("next")), ("wait-for", take("wait-for"))];
    let pages = take("pages_max").unwrap_or_else(|| "20".to_owned());
    let pages_max = match pages.parse() {
        Ok(number @ 1..=200) => number,
        _ => return Err(bad(format!("parameter `pages_max` is a number from 1 to 200, not `{pages}`"))),
    };
    let known = take("known").unwrap_or_default();
    let ask = Ask {
        from: parameters.require("from")?,
        urls: addresses(&parameters.require("urls")?)?,
        known: known.split_whitespace().map(|url| plain(url).to_owned()).collect(),
        schema: parameters.require("schema")?,
        hints,
        inherited: optional.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        path: parameters.require("path")?,
        folder: parameters.require("folder")?.trim_end_matches('/').to_owned(),
        pages_max,
    };
    parameters.done()?;
    Ok(ask)
}

/// An address without its fragment.
fn plain(url: &str) -> &str {
    url.split('#').next().unwrap_or_default()
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let rest = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(rest..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |at| rest + at);
    url.get(..end).unwrap_or_default()
}

/// # Errors
/// Parameters that are none, a page of the source that cannot be read, or nothing that has the same records.
pub(crate) fn propose(task: &Task, files: &dyn Files, browser: &dyn Browser) -> Result<Proposal, Failure> {
    let ask = read(task)?;
    let (own, candidates) = look(browser, &ask)?;
    let (seen, mut notes) = visit(browser, &candidates, ask.pages_max);
    // The workspace is read after the last page: a task that has read is allowed less.
    let wanted_here = wanted(files, &ask.schema, ask.hints.as_deref())?;
    let known = match extract(&own, &wanted_here) {
        Ok(known) => known,
        Err(Refusal::Page { .. } | Refusal::NoRecords(_)) => {
            let told =
                format!("`{}` itself has no such records now, and nothing else is held against it", ask.from);
            return Err(failure(FailureKind::NothingToDo, told));
        }
        Err(refusal) => return Err(failure(FailureKind::BadParameter, refusal.to_string())),
    };
    let least = known.records.len().div_ceil(LIKE);
    let mut draft = Draft::default();
    let mut taken = BTreeSet::new();
    let mut sources = Vec::new();
    for snapshot in seen {
        let url = snapshot.url.clone();
        let digest = snapshot.digest.clone();
        let found = match extract(&[snapshot], &wanted_here) {
            Ok(found) => found,
            Err(refusal @ (Refusal::Schema(_) | Refusal::Hints(_))) => {
                return Err(failure(FailureKind::BadParameter, refusal.to_string()));
            }
            Err(Refusal::Page { .. } | Refusal::NoRecords(_)) => {
                notes.push(format!("`{url}` has no such records."));
                continue;
            }
        };
        let values = |records: &[records::Record]| {
            records
                .iter()
                .map(|one| serde_json::Value::from(one.value.clone()).to_string())
                .collect::<BTreeSet<_>>()
        };
        if values(&found.records).is_subset(&values(&known.records)) {
            notes.push(format!("`{url}` has records that `{}` has too.", ask.from));
            continue;
        }
        // What is found in another way is another thing that happens to have the same fields.
        if found.strategy != known.strategy {
            let (this, own) = (found.strategy.name(), known.strategy.name());
            notes.push(format!("`{url}` has records by {this}, and `{}` by {own}.", ask.from));
            continue;
        }
        if found.records.len() < least {
            let (few, all) = (found.records.len(), known.records.len());
            notes.push(format!("`{url}` has {few} such records, and `{}` has {all}.", ask.from));
            continue;
        }
        if sources.len() >= PROPOSED_MAX {
            notes.push(format!("`{url}` would do, too; {PROPOSED_MAX} are proposed at once."));
            continue;
        }
        let Some((name, place)) = free_name(files, &taken, &ask, &url) else { continue };
        draft.set(&place, Change::Add { text: ticket(&ask, &name, &url), mode: FileMode::Regular });
        taken.insert(place);
        notes.push(format!(
            "`{name}`: {} records by {} at `{url}`.",
            found.records.len(),
            found.strategy.name()
        ));
        sources.push(Source { location: url, note: format!("snapshot {digest}") });
    }
    if draft.is_empty() {
        let told = if notes.is_empty() { "no page leads anywhere else".to_owned() } else { notes.join(" ") };
        return Err(failure(FailureKind::NothingToDo, told));
    }
    let expected = format!("`{}` holds {} further sources, each as proposed.", ask.folder, sources.len());
    let rationale = format!(
        "Found beside source `{}`. Nobody has read their licences and terms yet.\n{}",
        ask.from,
        notes.join("\n")
    );
    Ok(draft.propose(task, Notes { rationale, sources, tests: Vec::new(), expected })?)
}

/// The source's own pages, and where they lead, nearest first.
fn look(browser: &dyn Browser, ask: &Ask) -> Result<(Vec<Snapshot>, Vec<String>), Failure> {
    let (mut own, mut found) = (Vec::new(), BTreeSet::new());
    for url in ask.urls.iter().take(STARTS_MAX) {
        let page = browser.open(url).map_err(|error| explain(url, error))?;
        own.push(page.snapshot().map_err(|error| explain(url, error))?);
        found.extend(page.links().map_err(|error| explain(url, error))?.into_iter().map(|(link, _)| link));
        page.close();
    }
    let origins: BTreeSet<&str> = ask.urls.iter().map(|url| origin(url)).collect();
    for origin in origins {
        // A site without one, or where it may not be asked for, has said nothing.
        let Ok(page) = browser.open(&format!("{origin}/sitemap.xml")) else { continue };
        found.extend(page.texts("loc", LOCS_MAX).unwrap_or_default());
        page.close();
    }
    let mut candidates: Vec<String> = found
        .iter()
        .map(|url| plain(url.trim()))
        .filter(|url| url.starts_with("https://") || url.starts_with("http://"))
        .filter(|url| !ask.known.contains(*url) && !ask.urls.iter().any(|own| plain(own) == *url))
        .map(str::to_owned)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let near = |url: &String| {
        let shared = |own: &String| own.bytes().zip(url.bytes()).take_while(|(a, b)| a == b).count();
        ask.urls.iter().map(shared).max().unwrap_or(0)
    };
    candidates.sort_by_key(|url| std::cmp::Reverse(near(url)));
    Ok((own, candidates))
}

/// Snapshots of the first `most` that may be opened, and what became of others.
fn visit(browser: &dyn Browser, candidates: &[String], most: usize) -> (Vec<Snapshot>, Vec<String>) {
    let (mut seen, mut notes, mut refused) = (Vec::new(), Vec::new(), 0_usize);
    for (number, url) in candidates.iter().enumerate() {
        if seen.len() >= most {
            notes.push(format!("{} more addresses were not looked at.", candidates.len() - number));
            break;
        }
        worker_kit::report(number, candidates.len(), "pages");
        let taken = browser.open(url).and_then(|page| {
            let snapshot = page.snapshot();
            page.close();
            snapshot
        });
        match taken {
            Ok(snapshot) => seen.push(snapshot),
            Err(error) => {
                refused += 1;
                let why = match error {
                    BrowseError::Refused(why) | BrowseError::Failed(why) => why,
                    BrowseError::NeedsBrowser(why) | BrowseError::NotFound(why) => why,
                };
                if refused <= TOLD_MAX {
                    notes.push(format!("`{url}` was not read: {why}."));
                }
            }
        }
    }
    if refused > TOLD_MAX {
        notes.push(format!("{} more were not read.", refused - TOLD_MAX));
    }
    (seen, notes)
}

/// A name that no file has yet, after the last parts of the address, and the file.
fn free_name(files: &dyn Files, taken: &BTreeSet<String>, ask: &Ask, url: &str) -> Option<(String, String)> {
    let tail = url.get(origin(url).len()..).unwrap_or_default();
    let words: Vec<String> = tail
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && !matches!(*word, "html" | "htm" | "index"))
        .map(str::to_ascii_lowercase)
        .collect();
    let words = words.get(words.len().saturating_sub(3)..).unwrap_or_default().join("-");
    let base: String = format!("{}-{words}", ask.from).chars().take(56).collect();
    let base = base.trim_end_matches('-');
    (1..100).map(|number| if number == 1 { base.to_owned() } else { format!("{base}-{number}") }).find_map(
        |name| {
            let place = format!("{}/{name}.md", ask.folder);
            let is_taken = read_text(files, &place).is_ok() || taken.contains(&place);
            (!is_taken).then_some((name, place))
        },
    )
}

/// The ticket of a source. Values are written as JSON, which YAML reads.
fn ticket(ask: &Ask, name: &str, url: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let folder = ask.path.rfind('/').map_or("", |at| ask.path.get(..=at).unwrap_or_default());
    let ending = ask.path.rfind('.').map_or("", |at| ask.path.get(at..).unwrap_or_default());
    let mut lines = vec![
        "---".to_owned(),
        "recipe: extract-records".to_owned(),
        format!("source: {{name: {}}}", quoted(name)),
        "params:".to_owned(),
        format!("  urls: {}", quoted(url)),
        format!("  schema: {}", quoted(&ask.schema)),
        format!("  path: {}", quoted(&format!("{folder}{name}{ending}"))),
    ];
    lines.extend(ask.inherited.iter().map(|(name, value)| format!("  {name}: {}", quoted(value))));
    lines.extend(["---".to_owned(), format!("# Read source {name}"), String::new()]);
    lines.push(format!("Found beside source {}. Licence and terms are still to be read.\n", ask.from));
    lines.join("\n")
}
