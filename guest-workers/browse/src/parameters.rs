//! What the ticket says.

use serde::Deserialize;
use worker_kit::{Failure, FailureKind, Parameters, Task, failure};

/// Pages that are read where `next` is given and `pages_max` is not.
const PAGES: usize = 20;
/// Pages and addresses at most; the limits of the task are usually lower.
const PAGES_MAX: usize = 1_000;
/// Times that a page is scrolled at most.
const SCROLLS_MAX: u32 = 200;
/// Milliseconds that a step waits where it does not say.
const WAIT_MS: u32 = 10_000;

/// One step of a login.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Step {
    /// Opens an address, in place of the page before.
    Open(String),
    /// Puts a value or a secret, by the name that the lease has for it, into a field.
    Fill(Fill),
    /// Clicks.
    Click(String),
    /// Waits until an element is there.
    WaitFor(String),
}

/// What is put where: one of `value` and `secret`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fill {
    pub(crate) selector: String,
    #[serde(default)]
    pub(crate) value: Option<String>,
    #[serde(default)]
    pub(crate) secret: Option<String>,
}

/// The parameters of `extract-records`.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) urls: Vec<String>,
    /// A file of the repository with an address on each line.
    pub(crate) source: Option<String>,
    /// Path of the schema.
    pub(crate) schema: String,
    /// Where the records go.
    pub(crate) path: String,
    /// JSON, or the path of it.
    pub(crate) hints: Option<String>,
    /// Selector of what leads to the next page.
    pub(crate) next: Option<String>,
    pub(crate) pages_max: usize,
    pub(crate) login: Vec<Step>,
    /// Selector that a page has once it is complete.
    pub(crate) wait_for: Option<String>,
    pub(crate) scroll: u32,
    pub(crate) wait_ms: u32,
}

/// # Errors
/// A parameter that is missing, malformed or not one of these.
pub(crate) fn read(task: &Task) -> Result<Ask, Failure> {
    let mut parameters = Parameters::of(task);
    let bad = |message: String| failure(FailureKind::BadParameter, message);
    let schema = parameters.require("schema")?;
    let path = parameters.require("path")?;
    if !std::path::Path::new(&path)
        .extension()
        .is_some_and(|extension| extension == "json" || extension == "jsonl")
    {
        return Err(bad(format!("parameter `path` ends in `.jsonl` or `.json`, and `{path}` does not")));
    }
    let (urls, source) = (parameters.take("urls"), parameters.take("source"));
    let urls = match (urls, &source) {
        (Some(urls), None) => addresses(&urls)?,
        (None, Some(_)) => Vec::new(),
        _ => return Err(bad("there is to be one of the parameters `urls` and `source`".to_owned())),
    };
    let next = parameters.take("next");
    let mut number = |name: &str, most: usize| match parameters.take(name) {
        None => Ok(None),
        Some(text) => match text.trim().parse::<usize>() {
            Ok(number) if number <= most => Ok(Some(number)),
            _ => Err(bad(format!("parameter `{name}` is a whole number up to {most}, not `{text}`"))),
        },
    };
    let pages_max = number("pages_max", PAGES_MAX)?;
    let scroll = number("scroll", SCROLLS_MAX as usize)?.unwrap_or(0);
    let login = match parameters.take("login") {
        None => Vec::new(),
        Some(json) => serde_json::from_str(&json)
            .map_err(|error| bad(format!("parameter `login` is not a list of steps: {error}")))?,
    };
    steps(&login)?;
    let ask = Ask {
        urls,
        source,
        schema,
        path,
        hints: parameters.take("hints"),
        pages_max: pages_max.unwrap_or(if next.is_some() { PAGES } else { PAGES_MAX }),
        next,
        login,
        wait_for: parameters.take("wait-for"),
        scroll: u32::try_from(scroll).unwrap_or(SCROLLS_MAX),
        wait_ms: WAIT_MS,
    };
    parameters.done()?;
    Ok(ask)
}

/// A login begins by opening a page, and fills in one thing at a time.
fn steps(login: &[Step]) -> Result<(), Failure> {
    let bad = |message: &str| Err(failure(FailureKind::BadParameter, message));
    if !login.is_empty() && !matches!(login.first(), Some(Step::Open(_))) {
        return bad("the first step of `login` is `open`");
    }
    let odd = login
        .iter()
        .any(|step| matches!(step, Step::Fill(fill) if fill.value.is_some() == fill.secret.is_some()));
    if odd { bad("a `fill` in `login` has one of `value` and `secret`") } else { Ok(()) }
}

/// Addresses, one on each line or apart by blanks; a line that begins with `#` says something to people.
///
/// # Errors
/// None, too many, or something that is no address.
pub(crate) fn addresses(text: &str) -> Result<Vec<String>, Failure> {
    let bad = |message: String| failure(FailureKind::BadParameter, message);
    let mut found: Vec<String> = Vec::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    for word in lines.flat_map(str::split_whitespace) {
        if !(word.starts_with("https://") || word.starts_with("http://")) {
            return Err(bad(format!("`{word}` is not an address of the web")));
        }
        if !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
    }
    match found.len() {
        0 => Err(bad("there is no address to open".to_owned())),
        count if count > PAGES_MAX => Err(bad(format!("there are {count} addresses, more than {PAGES_MAX}"))),
        _ => Ok(found),
    }
}
