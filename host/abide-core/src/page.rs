//! What a worker asks of a browser, and what it is answered. Plain data: it crosses the wall, stands in transcripts, and is said again in a replay.

use serde::{Deserialize, Serialize};

/// Which page, among those that the task has opened: counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageId(pub u32);

/// What a worker asks of the browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Browse {
    /// Open an address. Answered by [`Browsed::Opened`].
    Open(String),
    /// Something of a page that is open.
    Of(PageId, PageAsk),
}

impl Browse {
    /// What is asked, in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Of(_, ask) => ask.word(),
        }
    }
}

/// What a worker asks of one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageAsk {
    /// Where it is. [`Browsed::Text`].
    Url,
    /// What it shows. [`Browsed::Text`].
    Text,
    /// The document. [`Browsed::Text`].
    Html,
    /// Elements that fit a selector. [`Browsed::Elements`].
    Query {
        /// In CSS.
        selector: String,
        /// Elements at most.
        limit: u32,
    },
    /// Links. [`Browsed::Links`].
    Links,
    /// Tables. [`Browsed::Tables`].
    Tables,
    /// Click on the first element that fits. [`Browsed::Done`].
    Click(String),
    /// Put a text into a field. [`Browsed::Done`].
    Fill {
        /// The field.
        selector: String,
        /// The text.
        value: String,
    },
    /// Put a secret into a field. [`Browsed::Done`].
    FillSecret {
        /// The field.
        selector: String,
        /// The lease's name for it.
        secret: String,
    },
    /// Wait until an element fits. [`Browsed::Done`].
    WaitFor {
        /// In CSS.
        selector: String,
        /// For so long at most.
        ms: u32,
    },
    /// Scroll down by a window. [`Browsed::Scrolled`].
    Scroll,
    /// The page at one moment. [`Browsed::Snapshot`].
    Snapshot,
    /// A picture of the page. [`Browsed::Text`], the digest of the picture.
    Screenshot,
    /// Close it. [`Browsed::Done`].
    Close,
}

impl PageAsk {
    /// What is asked, in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Text => "text",
            Self::Html => "html",
            Self::Query { .. } => "query",
            Self::Links => "links",
            Self::Tables => "tables",
            Self::Click(_) => "click",
            Self::Fill { .. } => "fill",
            Self::FillSecret { .. } => "fill-secret",
            Self::WaitFor { .. } => "wait-for",
            Self::Scroll => "scroll",
            Self::Snapshot => "snapshot",
            Self::Screenshot => "screenshot",
            Self::Close => "close",
        }
    }
}

/// What a worker is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Browsed {
    /// The page that was opened.
    Opened(PageId),
    /// It was done.
    Done,
    /// A text.
    Text(String),
    /// Elements, in the order of the document.
    Elements(Vec<Element>),
    /// Links, in the order of the document.
    Links(Vec<Link>),
    /// Tables, in the order of the document.
    Tables(Vec<Table>),
    /// Whether there was anything left to scroll.
    Scrolled(bool),
    /// The page at one moment.
    Snapshot(Snapshot),
}

/// An element of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Element {
    /// A selector that fits it alone.
    pub path: String,
    /// Its tag, lower case.
    pub tag: String,
    /// What it shows.
    pub text: String,
    /// Names and values.
    pub attributes: Vec<(String, String)>,
}

/// A link of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Absolute, without a fragment.
    pub url: String,
    /// What it shows.
    pub text: String,
    /// A selector that fits it alone.
    pub path: String,
    /// `rel` as it is written.
    pub rel: String,
}

/// A table of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// A selector that fits it alone.
    pub path: String,
    /// Its caption.
    pub caption: String,
    /// Row by row; a cell that spans several stands in each.
    pub rows: Vec<Vec<String>>,
}

/// A page at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where it was.
    pub url: String,
    /// `sha256:…` of the document.
    pub digest: String,
    /// The document.
    pub html: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrowseFailure {
    /// It was not allowed.
    Refused(String),
    /// It went wrong.
    Failed(String),
    /// It takes a browser, and there is none.
    NeedsBrowser(String),
    /// No element fits.
    NotFound(String),
}

impl BrowseFailure {
    /// The same with other words.
    #[must_use]
    pub fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Refused(why) => Self::Refused(change(why)),
            Self::Failed(why) => Self::Failed(change(why)),
            Self::NeedsBrowser(why) => Self::NeedsBrowser(change(why)),
            Self::NotFound(why) => Self::NotFound(change(why)),
        }
    }
}

impl Browse {
    /// Bytes of what a worker wrote.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Open(url) => url.len(),
            Self::Of(_, ask) => match ask {
                PageAsk::Query { selector, .. }
                | PageAsk::Click(selector)
                | PageAsk::WaitFor { selector, .. } => selector.len(),
                PageAsk::Fill { selector, value: more } | PageAsk::FillSecret { selector, secret: more } => {
                    selector.len().saturating_add(more.len())
                }
                PageAsk::Url
                | PageAsk::Text
                | PageAsk::Html
                | PageAsk::Links
                | PageAsk::Tables
                | PageAsk::Scroll
                | PageAsk::Snapshot
                | PageAsk::Screenshot
                | PageAsk::Close => 0,
            },
        }
    }
}

impl Browsed {
    /// Bytes of texts.
    pub fn bytes(&self) -> usize {
        let sum = |texts: &[&str]| texts.iter().map(|text| text.len()).fold(0, usize::saturating_add);
        match self {
            Self::Opened(_) | Self::Done | Self::Scrolled(_) => 0,
            Self::Text(text) => text.len(),
            Self::Elements(all) => all
                .iter()
                .map(|one| {
                    let named = one.attributes.iter().map(|(name, value)| sum(&[name, value]));
                    named.fold(sum(&[&one.path, &one.tag, &one.text]), usize::saturating_add)
                })
                .fold(0, usize::saturating_add),
            Self::Links(all) => all
                .iter()
                .map(|one| sum(&[&one.url, &one.text, &one.path, &one.rel]))
                .fold(0, usize::saturating_add),
            Self::Tables(all) => all
                .iter()
                .map(|one| {
                    let cells = one.rows.iter().flatten().map(String::len);
                    cells.fold(sum(&[&one.path, &one.caption]), usize::saturating_add)
                })
                .fold(0, usize::saturating_add),
            Self::Snapshot(one) => sum(&[&one.url, &one.digest, &one.html]),
        }
    }
}
