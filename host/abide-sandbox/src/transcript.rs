//! What a worker was answered, kept so that its task can be run again without the repository.
//!
//! A worker has no clock and no chance, so what it does follows from its bytes, its task, its limits and what the host answered. All of that is
//! in a [`Transcript`]. The workspace is heard here, behind the meter: what the limits refuse is refused again.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use abide_core::id::RepoPath;
use abide_core::page::{Browse, BrowseFailure, Browsed};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::egress::{Egress, EgressFailure, EgressRequest, EgressResponse};
use crate::message::{RunOutcome, RunRequest};
use crate::workspace::{Entry, Listing, SearchOptions, SearchResult, Workspace, WorkspaceError};

/// LIMIT: bytes of questions and answers that are kept of one task. What is beyond is not, and the transcript says so.
const HEARD_BYTES_MAX: usize = 32 << 20;
/// What a question and its answer cost beside their texts: a worker may ask nothing of much, without end.
const HEARD_BYTES_EACH: usize = 128;
/// Bytes that a stored transcript may unpack to: the answers in base64, their questions, the outcome.
const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// One task: what was asked of a component, what it was answered, what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// Always [`Transcript::SCHEMA`].
    pub schema: String,
    /// What the component was run with.
    pub request: RunRequest,
    /// Questions and answers, in their order: those of the worker, and then those of whoever checked its proposal against the base.
    pub heard: Vec<Heard>,
    /// Whether these are all.
    pub complete: bool,
    /// Whether there was a way to the network: it reads along, so the workspace is asked more often.
    pub egress: bool,
    /// What came of it.
    pub outcome: RunOutcome,
}

/// A stored transcript cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    /// Not gzip, or too large.
    #[error("it cannot be unpacked: {0}")]
    Packed(#[from] io::Error),
    /// Not a transcript.
    #[error("it is no transcript: {0}")]
    Malformed(#[from] serde_json::Error),
    /// One that a later version wrote.
    #[error("its schema is `{0}`, which this version does not know")]
    Schema(String),
}

impl Transcript {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "abide.transcript/1";

    /// Packed, as it is stored. The same transcript is always the same bytes.
    pub fn pack(&self) -> Result<Vec<u8>, TranscriptError> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&serde_json::to_vec(self)?)?;
        Ok(packer.finish()?)
    }

    /// Reads what [`Transcript::pack`] made.
    pub fn unpack(bytes: &[u8]) -> Result<Self, TranscriptError> {
        let mut plain = Vec::new();
        GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX).read_to_end(&mut plain)?;
        let read: Self = serde_json::from_slice(&plain)?;
        if read.schema == Self::SCHEMA { Ok(read) } else { Err(TranscriptError::Schema(read.schema)) }
    }
}

/// A question to the workspace, or to the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Files below a prefix.
    List {
        /// The prefix.
        prefix: String,
        /// The path that the page before ended with.
        after: Option<String>,
        /// Entries at most.
        limit: u32,
    },
    /// What stands at a path. Only whoever checks a proposal asks this.
    Entry(RepoPath),
    /// Bytes of a file.
    Read {
        /// Where.
        path: RepoPath,
        /// From which byte.
        offset: u64,
        /// Bytes at most.
        limit: u32,
    },
    /// Lines with a text.
    Search {
        /// The text.
        query: String,
        /// Where and how.
        options: SearchOptions,
    },
    /// A request to the network.
    Fetch(EgressRequest),
    /// A question to the browser.
    Browse(Browse),
}

impl Question {
    fn bytes(&self) -> usize {
        match self {
            Self::List { prefix, after, .. } => {
                prefix.len().saturating_add(after.as_ref().map_or(0, String::len))
            }
            Self::Entry(path) | Self::Read { path, .. } => path.as_str().len(),
            Self::Search { query, options } => {
                let places = options.suffixes.iter().map(String::len).sum::<usize>();
                query.len().saturating_add(options.prefix.len()).saturating_add(places)
            }
            Self::Fetch(request) => {
                let fields =
                    request.fields.iter().map(|(name, value)| name.len().saturating_add(value.len()));
                let head = request.method.len().saturating_add(request.url.len());
                head.saturating_add(request.body.len()).saturating_add(fields.sum())
            }
            Self::Browse(ask) => ask.bytes(),
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Question::List`].
    Listing(Listing),
    /// To [`Question::Entry`].
    Entry(Option<Entry>),
    /// To [`Question::Read`].
    Bytes(#[serde(with = "in_base64")] Vec<u8>),
    /// To [`Question::Search`].
    Found(SearchResult),
    /// To [`Question::Fetch`].
    Fetched(EgressResponse),
    /// To the same, where there was none.
    NotFetched(EgressFailure),
    /// To [`Question::Browse`].
    Browsed(Browsed),
    /// To the same, where there was none.
    NotBrowsed(BrowseFailure),
    /// To any other.
    Error(WorkspaceError),
}

impl Reply {
    fn bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Listing(listing) => listing.entries.iter().map(|entry| entry.path.as_str().len()).sum(),
            Self::Found(found) => found.matches.iter().map(|found| found.text.len()).sum(),
            Self::Fetched(answer) => {
                let fields = answer.fields.iter().map(|(name, value)| name.len().saturating_add(value.len()));
                answer.body.len().saturating_add(fields.sum())
            }
            Self::Browsed(answer) => answer.bytes(),
            Self::Entry(_) | Self::NotFetched(_) | Self::NotBrowsed(_) | Self::Error(_) => 0,
        }
    }
}

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heard {
    /// What was asked.
    pub question: Question,
    /// What was answered.
    pub reply: Reply,
}

/// A workspace that remembers what it said.
#[derive(Debug)]
pub struct Recording {
    inner: Arc<dyn Workspace>,
    ear: Ear,
}

/// Hears questions and answers, of the workspace and of the network in one order.
#[derive(Debug, Clone, Default)]
struct Ear(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    heard: Vec<Heard>,
    bytes: usize,
    is_full: bool,
    has_egress: bool,
}

impl Recording {
    /// Over a workspace that answers.
    pub fn over(inner: Arc<dyn Workspace>) -> Self {
        Self { inner, ear: Ear::default() }
    }

    /// A way to the network that is heard too.
    pub fn egress<'a>(&self, inner: &'a dyn Egress) -> Overheard<'a> {
        self.ear.memory().has_egress |= inner.watches();
        Overheard { inner, ear: self.ear.clone() }
    }

    /// All that it said, with what it was for and what came of it.
    pub fn transcript(&self, request: RunRequest, outcome: RunOutcome) -> Transcript {
        let memory = std::mem::take(&mut *self.ear.memory());
        let schema = Transcript::SCHEMA.to_owned();
        let (complete, egress) = (!memory.is_full, memory.has_egress);
        Transcript { schema, request, heard: memory.heard, complete, egress, outcome }
    }

    fn remember<T: Clone>(
        &self,
        question: Question,
        answer: Result<T, WorkspaceError>,
        reply: impl FnOnce(T) -> Reply,
    ) -> Result<T, WorkspaceError> {
        self.ear.hear(question, answer.clone().map_or_else(Reply::Error, reply));
        answer
    }
}

impl Ear {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, question: Question, reply: Reply) {
        let mut memory = self.memory();
        let bytes = question.bytes().saturating_add(reply.bytes()).saturating_add(HEARD_BYTES_EACH);
        memory.bytes = memory.bytes.saturating_add(bytes);
        // What follows one that is missing could not be told apart from it.
        memory.is_full |= memory.bytes > HEARD_BYTES_MAX;
        if !memory.is_full {
            memory.heard.push(Heard { question, reply });
        }
    }
}

/// A way to the network that remembers what it said.
#[derive(Debug)]
pub struct Overheard<'a> {
    inner: &'a dyn Egress,
    ear: Ear,
}

impl Egress for Overheard<'_> {
    fn fetch(&self, request: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        let answer = self.inner.fetch(request.clone());
        let reply = answer.clone().map_or_else(Reply::NotFetched, Reply::Fetched);
        self.ear.hear(Question::Fetch(request), reply);
        answer
    }

    fn browse(&self, ask: Browse) -> Result<Browsed, BrowseFailure> {
        let answer = self.inner.browse(ask.clone());
        self.ear.hear(Question::Browse(ask), answer.clone().map_or_else(Reply::NotBrowsed, Reply::Browsed));
        answer
    }

    fn has_read(&self, content: &[u8]) {
        self.inner.has_read(content);
    }

    fn watches(&self) -> bool {
        self.inner.watches()
    }
}

impl Workspace for Recording {
    fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Listing, WorkspaceError> {
        let question = Question::List { prefix: prefix.to_owned(), after: after.map(str::to_owned), limit };
        self.remember(question, self.inner.list(prefix, after, limit), Reply::Listing)
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, WorkspaceError> {
        self.remember(Question::Entry(path.clone()), self.inner.entry(path), Reply::Entry)
    }

    fn read(&self, path: &RepoPath, offset: u64, limit: u32) -> Result<Vec<u8>, WorkspaceError> {
        let question = Question::Read { path: path.clone(), offset, limit };
        self.remember(question, self.inner.read(path, offset, limit), Reply::Bytes)
    }

    fn search(&self, query: &str, options: &SearchOptions) -> Result<SearchResult, WorkspaceError> {
        let question = Question::Search { query: query.to_owned(), options: options.clone() };
        self.remember(question, self.inner.search(query, options), Reply::Found)
    }
}

/// Where a task that is run again left its transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Departure {
    /// Questions before it that were the same.
    pub after: usize,
    /// What was asked.
    pub asked: Question,
    /// What had been asked; nothing more, for `None`.
    pub recorded: Option<Question>,
}

/// A workspace that says what another one said, question by question.
#[derive(Debug)]
pub struct Recorded(Mutex<Rest>);

#[derive(Debug)]
struct Rest {
    heard: VecDeque<Heard>,
    said: usize,
    departure: Option<Departure>,
    had_egress: bool,
}

impl Recorded {
    /// Answers as it was answered then.
    pub fn of(transcript: &Transcript) -> Self {
        let heard = transcript.heard.iter().cloned().collect();
        Self(Mutex::new(Rest { heard, said: 0, departure: None, had_egress: transcript.egress }))
    }

    /// Where it was asked something else, if it was.
    pub fn departure(&self) -> Option<Departure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).departure.clone()
    }

    /// Answers that nobody asked for.
    pub fn left(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).heard.len()
    }

    fn say<T>(&self, asked: Question, of: impl FnOnce(Reply) -> Option<T>) -> Result<T, WorkspaceError> {
        match self.reply(asked) {
            Some(Reply::Error(error)) => Err(error),
            Some(reply) => of(reply).ok_or_else(unknown),
            None => Err(unknown()),
        }
    }

    /// What was answered to the next question, if this is it.
    fn reply(&self, asked: Question) -> Option<Reply> {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // After the first question that differs nothing is known.
        if rest.departure.is_some() {
            return None;
        }
        let next = rest.heard.pop_front();
        match next {
            Some(heard) if heard.question == asked => {
                rest.said = rest.said.saturating_add(1);
                Some(heard.reply)
            }
            next => {
                let (after, recorded) = (rest.said, next.map(|heard| heard.question));
                rest.departure = Some(Departure { after, asked, recorded });
                None
            }
        }
    }
}

/// Why something is not answered.
const UNKNOWN: &str = "this was not asked when it was recorded";

fn unknown() -> WorkspaceError {
    WorkspaceError::Unavailable(UNKNOWN.to_owned())
}

/// Nothing is sent.
impl Egress for Recorded {
    fn fetch(&self, request: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        match self.reply(Question::Fetch(request)) {
            Some(Reply::Fetched(answer)) => Ok(answer),
            Some(Reply::NotFetched(failure)) => Err(failure),
            _ => Err(EgressFailure::Failed(UNKNOWN.to_owned())),
        }
    }

    fn browse(&self, ask: Browse) -> Result<Browsed, BrowseFailure> {
        match self.reply(Question::Browse(ask)) {
            Some(Reply::Browsed(answer)) => Ok(answer),
            Some(Reply::NotBrowsed(failure)) => Err(failure),
            _ => Err(BrowseFailure::Failed(UNKNOWN.to_owned())),
        }
    }

    fn has_read(&self, _: &[u8]) {}

    /// As it was then: whoever watches reads more of the workspace.
    fn watches(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).had_egress
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer to another question is the same whichever it is"
)]
impl Workspace for Recorded {
    fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Listing, WorkspaceError> {
        let asked = Question::List { prefix: prefix.to_owned(), after: after.map(str::to_owned), limit };
        self.say(asked, |reply| match reply {
            Reply::Listing(listing) => Some(listing),
            _ => None,
        })
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, WorkspaceError> {
        self.say(Question::Entry(path.clone()), |reply| match reply {
            Reply::Entry(entry) => Some(entry),
            _ => None,
        })
    }

    fn read(&self, path: &RepoPath, offset: u64, limit: u32) -> Result<Vec<u8>, WorkspaceError> {
        self.say(Question::Read { path: path.clone(), offset, limit }, |reply| match reply {
            Reply::Bytes(bytes) => Some(bytes),
            _ => None,
        })
    }

    fn search(&self, query: &str, options: &SearchOptions) -> Result<SearchResult, WorkspaceError> {
        let asked = Question::Search { query: query.to_owned(), options: options.clone() };
        self.say(asked, |reply| match reply {
            Reply::Found(found) => Some(found),
            _ => None,
        })
    }
}

mod in_base64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Ear, EgressFailure, EgressRequest, HEARD_BYTES_EACH, HEARD_BYTES_MAX, Question, Reply};

    fn asked(ear: &Ear, body: usize, times: usize) -> (usize, bool) {
        for _ in 0..times {
            let request = EgressRequest {
                method: "POST".to_owned(),
                url: "https://a.example/".to_owned(),
                fields: Vec::new(),
                body: vec![0; body].into(),
            };
            ear.hear(Question::Fetch(request), Reply::NotFetched(EgressFailure::Refused(String::new())));
        }
        let memory = ear.memory();
        (memory.heard.len(), memory.is_full)
    }

    #[test]
    fn what_is_refused_is_not_kept_without_end() {
        let (kept, is_full) = asked(&Ear::default(), 8 << 20, 10);
        assert!(is_full && kept < 5, "{kept}");
        let (kept, is_full) = asked(&Ear::default(), 0, HEARD_BYTES_MAX / HEARD_BYTES_EACH);
        assert!(is_full && kept > 100_000, "{kept}");
    }
}
