//! The host side of `browser`: a page is a number, and the engine keeps who has it.

use abide_core::page::{Browse, BrowseFailure, Browsed, Element, PageAsk, PageId};
use wasmtime::component::Resource;

use super::State;
use crate::bindings::abide::worker::browser as wit;

type Page = Resource<PageId>;
type Told<T> = Result<T, wit::BrowseError>;

impl State {
    fn browse<T>(&mut self, ask: Browse, of: impl FnOnce(Browsed) -> Option<T>) -> Told<T> {
        let answer = self.browser.ask(&*self.egress, ask)?;
        of(answer).ok_or_else(|| wit::BrowseError::Failed("an answer to another question".to_owned()))
    }

    fn of<T>(&mut self, page: &Page, ask: PageAsk, of: impl FnOnce(Browsed) -> Option<T>) -> Told<T> {
        self.browse(Browse::Of(PageId(page.rep()), ask), of)
    }

    fn elements(&mut self, page: &Page, selector: String, limit: u32) -> Told<Vec<Element>> {
        self.of(page, PageAsk::Query { selector, limit }, |answer| {
            if let Browsed::Elements(all) = answer { Some(all) } else { None }
        })
    }

    fn first(&mut self, page: &Page, selector: String) -> Told<Element> {
        let missing = wit::BrowseError::NotFound(format!("no element fits `{selector}`"));
        self.elements(page, selector, 1)?.into_iter().next().ok_or(missing)
    }
}

fn text(answer: Browsed) -> Option<String> {
    if let Browsed::Text(text) = answer { Some(text) } else { None }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of all readers of answers")]
fn done(answer: Browsed) -> Option<()> {
    matches!(answer, Browsed::Done).then_some(())
}

impl wit::Host for State {
    fn open(&mut self, url: String) -> Told<Page> {
        self.browse(Browse::Open(url), |answer| {
            if let Browsed::Opened(page) = answer { Some(Resource::new_own(page.0)) } else { None }
        })
    }
}

impl wit::HostPage for State {
    fn url(&mut self, page: Page) -> Told<String> {
        self.of(&page, PageAsk::Url, text)
    }

    fn text(&mut self, page: Page) -> Told<String> {
        self.of(&page, PageAsk::Text, text)
    }

    fn html(&mut self, page: Page) -> Told<String> {
        self.of(&page, PageAsk::Html, text)
    }

    fn query(&mut self, page: Page, selector: String) -> Told<wit::Element> {
        Ok(self.first(&page, selector)?.into())
    }

    fn query_all(&mut self, page: Page, selector: String, limit: u32) -> Told<Vec<wit::Element>> {
        Ok(self.elements(&page, selector, limit)?.into_iter().map(Into::into).collect())
    }

    fn attributes(&mut self, page: Page, selector: String) -> Told<Vec<wit::Attribute>> {
        Ok(wit::Element::from(self.first(&page, selector)?).attributes)
    }

    fn links(&mut self, page: Page) -> Told<Vec<wit::Link>> {
        self.of(&page, PageAsk::Links, |answer| {
            if let Browsed::Links(all) = answer {
                Some(
                    all.into_iter()
                        .map(|one| wit::Link { url: one.url, text: one.text, path: one.path, rel: one.rel })
                        .collect(),
                )
            } else {
                None
            }
        })
    }

    fn tables(&mut self, page: Page) -> Told<Vec<wit::Table>> {
        self.of(&page, PageAsk::Tables, |answer| {
            if let Browsed::Tables(all) = answer {
                Some(
                    all.into_iter()
                        .map(|one| wit::Table { path: one.path, caption: one.caption, rows: one.rows })
                        .collect(),
                )
            } else {
                None
            }
        })
    }

    fn click(&mut self, page: Page, selector: String) -> Told<()> {
        self.of(&page, PageAsk::Click(selector), done)
    }

    fn fill(&mut self, page: Page, selector: String, value: String) -> Told<()> {
        self.of(&page, PageAsk::Fill { selector, value }, done)
    }

    fn fill_secret(&mut self, page: Page, selector: String, secret: String) -> Told<()> {
        self.of(&page, PageAsk::FillSecret { selector, secret }, done)
    }

    fn wait_for(&mut self, page: Page, selector: String, ms: u32) -> Told<()> {
        self.of(&page, PageAsk::WaitFor { selector, ms }, done)
    }

    fn scroll(&mut self, page: Page) -> Told<bool> {
        self.of(
            &page,
            PageAsk::Scroll,
            |answer| if let Browsed::Scrolled(more) = answer { Some(more) } else { None },
        )
    }

    fn snapshot(&mut self, page: Page) -> Told<wit::Snapshot> {
        self.of(&page, PageAsk::Snapshot, |answer| {
            if let Browsed::Snapshot(one) = answer {
                Some(wit::Snapshot { url: one.url, digest: one.digest, html: one.html })
            } else {
                None
            }
        })
    }

    fn screenshot(&mut self, page: Page) -> Told<String> {
        self.of(&page, PageAsk::Screenshot, text)
    }

    fn close(&mut self, page: Page) {
        // What is not there any more is closed.
        drop(self.of(&page, PageAsk::Close, done));
    }

    fn drop(&mut self, page: Page) -> wasmtime::Result<()> {
        if page.owned() {
            self.close(page);
        }
        Ok(())
    }
}

impl From<Element> for wit::Element {
    fn from(element: Element) -> Self {
        let attributes = element.attributes.into_iter();
        Self {
            path: element.path,
            tag: element.tag,
            text: element.text,
            attributes: attributes.map(|(name, value)| wit::Attribute { name, value }).collect(),
        }
    }
}

impl From<BrowseFailure> for wit::BrowseError {
    fn from(failure: BrowseFailure) -> Self {
        match failure {
            BrowseFailure::Refused(why) => Self::Refused(why),
            BrowseFailure::Failed(why) => Self::Failed(why),
            BrowseFailure::NeedsBrowser(why) => Self::NeedsBrowser(why),
            BrowseFailure::NotFound(why) => Self::NotFound(why),
        }
    }
}
