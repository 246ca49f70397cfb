//! A worker that does with a browser what it is told, line by line of the parameter `new`, and says in the log what came of each. Tests run it; nothing else does.
//!
//! `open URL` · `use NUMBER` · `url` · `text` · `html` · `find SELECTOR` · `links` · `tables` · `click SELECTOR` · `fill SELECTOR = TEXT` ·
//! `secret SELECTOR = NAME` · `wait MS SELECTOR` · `scroll` · `snapshot` · `screenshot` · `close` · `read PATH` · `again TIMES URL`.

use worker_kit::browser::{self, BrowseError, Page};
use worker_kit::{Failure, FailureKind, Files, Proposal, Task, Worker, failure, log};

/// Characters of an answer that are said.
const SAID_MAX: usize = 1_500;

struct Hostile;

impl Worker for Hostile {
    fn propose(task: Task, files: &dyn Files) -> Result<Proposal, Failure> {
        let steps = task.parameters.iter().find(|parameter| parameter.key == "new");
        let mut pages = Pages { open: Vec::new(), at: 0 };
        for step in steps.map(|steps| steps.value.as_str()).unwrap_or_default().lines() {
            let (verb, rest) = step.trim().split_once(' ').unwrap_or((step.trim(), ""));
            if verb.is_empty() {
                continue;
            }
            let came = match verb {
                "read" => Ok(format!("{} bytes", files.read(rest).map_or(0, |bytes| bytes.len()))),
                _ => pages.step(verb, rest),
            };
            let said = match came {
                Ok(said) => format!("{verb}: {said}"),
                Err(BrowseError::Refused(why)) => format!("{verb} refused: {why}"),
                Err(BrowseError::Failed(why)) => format!("{verb} failed: {why}"),
                Err(BrowseError::NeedsBrowser(why)) => format!("{verb} needs a browser: {why}"),
                Err(BrowseError::NotFound(why)) => format!("{verb} not found: {why}"),
            };
            log::write(log::Level::Info, &said.chars().take(SAID_MAX).collect::<String>());
        }
        Err(failure(FailureKind::Unsupported, "done"))
    }
}

struct Pages {
    open: Vec<Page>,
    at: usize,
}

impl Pages {
    fn page(&self) -> Result<&Page, BrowseError> {
        self.open.get(self.at).ok_or_else(|| BrowseError::Failed("no page is open".to_owned()))
    }

    fn step(&mut self, verb: &str, rest: &str) -> Result<String, BrowseError> {
        let pair = || rest.split_once(" = ").unwrap_or((rest, ""));
        match verb {
            "open" => {
                self.open.push(browser::open(rest)?);
                self.at = self.open.len() - 1;
                Ok(self.at.to_string())
            }
            "again" => {
                let (times, url) = rest.split_once(' ').unwrap_or(("1", rest));
                for time in 0..times.parse().unwrap_or(1_u32) {
                    let page = browser::open(url)?;
                    page.snapshot()?;
                    if time % 50 == 0 {
                        log::write(log::Level::Info, &format!("{time} times"));
                    }
                }
                Ok(times.to_owned())
            }
            "use" => {
                self.at = rest.parse().unwrap_or_default();
                Ok(self.at.to_string())
            }
            "url" => self.page()?.url(),
            "text" => self.page()?.text(),
            "html" => self.page()?.html(),
            "find" => {
                let found = self.page()?.query_all(rest, 20)?;
                let each = found.iter().map(|one| format!("{} [{}] {}", one.tag, one.path, one.text));
                Ok(each.collect::<Vec<_>>().join(" | "))
            }
            "links" => {
                let found = self.page()?.links()?;
                Ok(found
                    .iter()
                    .map(|one| format!("{} {}", one.url, one.text))
                    .collect::<Vec<_>>()
                    .join(" | "))
            }
            "tables" => {
                let found = self.page()?.tables()?;
                let each = found.iter().map(|one| format!("{}: {:?}", one.caption, one.rows));
                Ok(each.collect::<Vec<_>>().join(" | "))
            }
            "click" => self.page()?.click(rest).map(|()| String::new()),
            "fill" => self.page()?.fill(pair().0, pair().1).map(|()| String::new()),
            "secret" => self.page()?.fill_secret(pair().0, pair().1).map(|()| String::new()),
            "wait" => {
                let (ms, selector) = rest.split_once(' ').unwrap_or(("1000", rest));
                self.page()?.wait_for(selector, ms.parse().unwrap_or(1_000)).map(|()| String::new())
            }
            "scroll" => self.page()?.scroll().map(|more| more.to_string()),
            "snapshot" => {
                let one = self.page()?.snapshot()?;
                Ok(format!("{} {} {} bytes", one.url, one.digest, one.html.len()))
            }
            "screenshot" => self.page()?.screenshot(),
            "close" => {
                self.page()?.close();
                Ok(String::new())
            }
            other => Err(BrowseError::Failed(format!("there is no step `{other}`"))),
        }
    }
}

worker_kit::export!("browse", Hostile, "abide:worker/browser@0.1.0": ::worker_kit::browser);
