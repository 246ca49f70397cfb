//! Pages, opened one after the other, and their snapshots.

use records::Snapshot;
use worker_kit::browser::{self, BrowseError};
use worker_kit::{Failure, FailureKind, failure};

use crate::parameters::{Ask, Step};

/// Somewhere to open pages: the host's browser, or the pages of a test.
pub(crate) trait Browser {
    fn open(&self, url: &str) -> Result<Box<dyn Page>, BrowseError>;
}

/// An open page, as `wit/browser.wit` has it.
pub(crate) trait Page {
    fn url(&self) -> Result<String, BrowseError>;
    /// The path of the first element at `selector`.
    fn path(&self, selector: &str) -> Result<String, BrowseError>;
    /// Address and path of each link.
    fn links(&self) -> Result<Vec<(String, String)>, BrowseError>;
    /// Texts of the first `most` elements at `selector`.
    fn texts(&self, selector: &str, most: u32) -> Result<Vec<String>, BrowseError>;
    fn click(&self, selector: &str) -> Result<(), BrowseError>;
    fn fill(&self, selector: &str, value: &str) -> Result<(), BrowseError>;
    fn fill_secret(&self, selector: &str, secret: &str) -> Result<(), BrowseError>;
    fn wait_for(&self, selector: &str, ms: u32) -> Result<(), BrowseError>;
    fn scroll(&self) -> Result<bool, BrowseError>;
    fn snapshot(&self) -> Result<Snapshot, BrowseError>;
    fn close(&self);
}

/// The host's browser.
pub(crate) struct Host;

impl Browser for Host {
    fn open(&self, url: &str) -> Result<Box<dyn Page>, BrowseError> {
        Ok(Box::new(browser::open(url)?))
    }
}

impl Page for browser::Page {
    fn url(&self) -> Result<String, BrowseError> {
        self.url()
    }

    fn path(&self, selector: &str) -> Result<String, BrowseError> {
        Ok(self.query(selector)?.path)
    }

    fn links(&self) -> Result<Vec<(String, String)>, BrowseError> {
        Ok(self.links()?.into_iter().map(|link| (link.url, link.path)).collect())
    }

    fn texts(&self, selector: &str, most: u32) -> Result<Vec<String>, BrowseError> {
        Ok(self.query_all(selector, most)?.into_iter().map(|element| element.text).collect())
    }

    fn click(&self, selector: &str) -> Result<(), BrowseError> {
        self.click(selector)
    }

    fn fill(&self, selector: &str, value: &str) -> Result<(), BrowseError> {
        self.fill(selector, value)
    }

    fn fill_secret(&self, selector: &str, secret: &str) -> Result<(), BrowseError> {
        self.fill_secret(selector, secret)
    }

    fn wait_for(&self, selector: &str, ms: u32) -> Result<(), BrowseError> {
        self.wait_for(selector, ms)
    }

    fn scroll(&self) -> Result<bool, BrowseError> {
        self.scroll()
    }

    fn snapshot(&self) -> Result<Snapshot, BrowseError> {
        let browser::Snapshot { url, digest, html } = self.snapshot()?;
        Ok(Snapshot { url, digest, html })
    }

    fn close(&self) {
        self.close();
    }
}

/// What was seen.
pub(crate) struct Visit {
    pub(crate) pages: Vec<Snapshot>,
    /// Why the last page was the last, for people.
    pub(crate) notes: Vec<String>,
}

/// Logs in, opens every address, follows `next`, and takes a snapshot of each page.
///
/// # Errors
/// The first thing that was refused or failed: half of the pages would look like rows that vanished.
pub(crate) fn all(browser: &dyn Browser, ask: &Ask) -> Result<Visit, Failure> {
    log_in(browser, &ask.login)?;
    let mut visit = Visit { pages: Vec::new(), notes: Vec::new() };
    for (number, url) in ask.urls.iter().enumerate() {
        if visit.pages.len() >= ask.pages_max {
            let left = ask.urls.len() - number;
            visit.notes.push(format!("{left} addresses were not opened: `pages_max` is {}.", ask.pages_max));
            break;
        }
        worker_kit::report(number, ask.urls.len(), "pages");
        let page = browser.open(url).map_err(|error| explain(url, error))?;
        follow(browser, ask, page, &mut visit)?;
    }
    Ok(visit)
}

/// The page, and those that `next` leads to, as long as there are new ones.
fn follow(
    browser: &dyn Browser,
    ask: &Ask,
    mut page: Box<dyn Page>,
    visit: &mut Visit,
) -> Result<(), Failure> {
    loop {
        let snapshot = take(&*page, ask)?;
        let url = snapshot.url.clone();
        let known = visit.pages.iter().any(|seen| seen.url == url && seen.digest == snapshot.digest);
        if known {
            visit.notes.push(format!("`{url}` came again, so nothing after it was looked for."));
            break;
        }
        visit.pages.push(snapshot);
        let Some(next) = &ask.next else { break };
        let path = match page.path(next) {
            Ok(path) => path,
            Err(BrowseError::NotFound(_)) => break,
            Err(error) => return Err(explain(&url, error)),
        };
        if visit.pages.len() >= ask.pages_max {
            visit.notes.push(format!(
                "`{url}` has a next page that was not opened: `pages_max` is {}.",
                ask.pages_max
            ));
            break;
        }
        // A link is opened; anything else is clicked.
        let links = page.links().map_err(|error| explain(&url, error))?;
        let link = links.into_iter().find(|(_, of)| *of == path).map(|(link, _)| link);
        match link.filter(|link| *link != url.split('#').next().unwrap_or_default()) {
            Some(link) => {
                page.close();
                page = browser.open(&link).map_err(|error| explain(&link, error))?;
            }
            None => page.click(&path).map_err(|error| explain(&url, error))?,
        }
    }
    page.close();
    Ok(())
}

fn take(page: &dyn Page, ask: &Ask) -> Result<Snapshot, Failure> {
    let at = || page.url().unwrap_or_default();
    if let Some(selector) = &ask.wait_for {
        page.wait_for(selector, ask.wait_ms).map_err(|error| explain(&at(), error))?;
    }
    for _ in 0..ask.scroll {
        if !page.scroll().map_err(|error| explain(&at(), error))? {
            break;
        }
    }
    page.snapshot().map_err(|error| explain(&at(), error))
}

fn log_in(browser: &dyn Browser, steps: &[Step]) -> Result<(), Failure> {
    let mut open: Option<Box<dyn Page>> = None;
    for (number, step) in steps.iter().enumerate() {
        let done = match (step, &open) {
            (Step::Open(url), _) => {
                if let Some(page) = open.take() {
                    page.close();
                }
                browser.open(url).map(|page| open = Some(page))
            }
            (Step::Fill(fill), Some(page)) => match (&fill.value, &fill.secret) {
                (Some(value), _) => page.fill(&fill.selector, value),
                (None, Some(secret)) => page.fill_secret(&fill.selector, secret),
                (None, None) => Ok(()),
            },
            (Step::Click(selector), Some(page)) => page.click(selector),
            (Step::WaitFor(selector), Some(page)) => page.wait_for(selector, 10_000),
            (_, None) => Ok(()),
        };
        done.map_err(|error| explain(&format!("step {} of the login", number + 1), error))?;
    }
    if let Some(page) = open {
        page.close();
    }
    Ok(())
}

pub(crate) fn explain(subject: &str, error: BrowseError) -> Failure {
    let why = match error {
        BrowseError::Refused(why) | BrowseError::Failed(why) => why,
        BrowseError::NeedsBrowser(why) => format!("takes a browser, and this host has none: {why}"),
        BrowseError::NotFound(why) => format!("has no such element: {why}"),
    };
    failure(FailureKind::Unsupported, format!("`{subject}`: {why}"))
}
