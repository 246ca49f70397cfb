//! The two sides of the sealed judge: what runs inside the module, [`Inside`], and what the host says to it and makes of its replies, [`Outside`].
//!
//! The module is this crate, compiled to WebAssembly without imports (`host/abide-judge`); `abide-sandbox` runs it. What comes out is what a
//! policy says and no more: digests, the kill switch, approvals and the verdict are added outside, by the code that adds them natively. So
//! whoever took over the module could say what a policy can say.

use abide_core::canonical::{self, CanonicalError};
use abide_core::decision::Decision;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::engine::answer;
use crate::engine::bundle::Bundle;
use crate::engine::judge::{self, ENGINE, Fault};
use crate::engine::limits::JudgeLimits;
use crate::engine::link::Asked;
use crate::engine::loader::{BundleError, Place};
use crate::engine::text::BundleText;
use crate::question::Question;

/// Bytes of a reply that are read at most: the text of an answer in its longest spelling.
pub const REPLY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What comes back of loading.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Loaded {
    Ready,
    Refused { code: String, why: String, place: Option<(String, u32, u32)> },
}

/// What comes back of a question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Answer(Json),
    Undefined,
    Evaluation(String),
    Shape(String),
    Input(String),
}

/// A bundle, loaded inside the module.
#[derive(Debug)]
pub struct Inside {
    bundle: Bundle,
}

impl Inside {
    /// Loads the bytes of a bundle. What is said about it comes with it, for [`read_loaded`].
    pub fn load(bytes: &[u8]) -> (Option<Self>, Vec<u8>) {
        let (inside, loaded) = match Bundle::from_bytes(bytes) {
            Ok(bundle) => (Some(Self { bundle }), Loaded::Ready),
            Err(error) => (None, refused(&error)),
        };
        (inside, spelled(&loaded))
    }

    /// The same without any inspection, and with the builtins that the interpreter has of its own: what is left is the module's own wall. For
    /// tests of that wall; no decision may rest on it.
    pub fn load_unchecked(bytes: &[u8]) -> (Option<Self>, Vec<u8>) {
        let (inside, loaded) = match Bundle::danger_unchecked(bytes) {
            Ok(bundle) => (Some(Self { bundle }), Loaded::Ready),
            Err(error) => (None, refused(&error)),
        };
        (inside, spelled(&loaded))
    }

    /// Answers what [`Outside::request`] asks.
    pub fn reply(&self, request: &[u8]) -> Vec<u8> {
        spelled(&self.answer(request).unwrap_or_else(|fault| match fault {
            Fault::Undefined => Reply::Undefined,
            Fault::Evaluation(why) => Reply::Evaluation(why),
            Fault::Shape(why) => Reply::Shape(why),
            Fault::Input(why) => Reply::Input(why),
            // Nothing in here has a clock, a second thread or a limit of memory.
            Fault::Deadline
            | Fault::Panicked
            | Fault::Crowded
            | Fault::NoThread
            | Fault::Memory
            | Fault::Stack
            | Fault::Malformed(_)
            | Fault::Sealed(_) => Reply::Evaluation(fault.told()),
        }))
    }

    fn answer(&self, request: &[u8]) -> Result<Reply, Fault> {
        let torn = || Fault::Input("the request is torn".to_owned());
        let (length, rest) = request.split_first_chunk::<4>().ok_or_else(torn)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| torn())?;
        let (asked, input) = rest.split_at_checked(length).ok_or_else(torn)?;
        let asked: Asked = serde_json::from_slice(asked).map_err(|_| torn())?;
        let value = judge::value(&self.bundle.answerer(&asked), input)?;
        Ok(Reply::Answer(answer::flat(&value, &JudgeLimits::SHIPPED)?))
    }
}

fn refused(error: &BundleError) -> Loaded {
    let place = error.place().map(|place| (place.path.clone(), place.line, place.column));
    Loaded::Refused { code: error.code().to_owned(), why: error.to_string(), place }
}

fn spelled<T: Serialize>(reply: &T) -> Vec<u8> {
    // Nothing in a reply has no JSON. No bytes are no reply, and that is a denial.
    serde_json::to_vec(reply).unwrap_or_default()
}

/// Why the module did not load a bundle, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    code: &'static str,
    why: String,
    place: Option<Place>,
}

impl Refusal {
    /// The code for `ab explain`: that of the same refusal by the loader of this process.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Where in the text it is.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

/// Reads what the module said about a bundle; `None` if that cannot be read.
pub fn read_loaded(reply: &[u8]) -> Option<Result<(), Refusal>> {
    Some(match serde_json::from_slice(reply).ok()? {
        Loaded::Ready => Ok(()),
        Loaded::Refused { code, why, place } => {
            let code = BundleError::CODES.iter().find(|known| **known == code)?;
            let place = place.map(|(path, line, column)| Place { path: answer::tidy(&path), line, column });
            Err(Refusal { code, why: answer::tidy(&why), place })
        }
    })
}

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The deadline passed.
    Deadline,
    /// It needs more memory than it may have.
    Memory,
    /// Its calls nest too deep.
    Stack,
    /// It panicked, or did what WebAssembly does not allow.
    Panicked,
    /// What came back is no reply.
    Malformed(&'static str),
    /// No thread, or no place for another instance.
    NoThread,
    /// A bundle that was loaded before was not loaded again: the code of that.
    Reload(&'static str),
}

impl Lost {
    fn fault(self) -> Fault {
        match self {
            Self::Deadline => Fault::Deadline,
            Self::Memory => Fault::Memory,
            Self::Stack => Fault::Stack,
            Self::Panicked => Fault::Panicked,
            Self::Malformed(why) => Fault::Malformed(why),
            Self::NoThread => Fault::NoThread,
            Self::Reload(code) => Fault::Sealed(code),
        }
    }
}

/// What the host adds around a module over one bundle.
#[derive(Debug, Clone)]
pub struct Outside {
    text: BundleText,
    engine: String,
    limits: JudgeLimits,
}

impl Outside {
    /// Over the bundle that the module loaded. `module` is the digest of the module's bytes; decisions name it.
    pub fn new(text: BundleText, module: &abide_core::id::Digest) -> Self {
        Self { text, engine: engine(module), limits: JudgeLimits::SHIPPED }
    }

    /// The bundle.
    pub fn text(&self) -> &BundleText {
        &self.text
    }

    /// The bytes to put to the module, or the denial of a question that is too large to be put.
    pub fn request(&self, question: &Question) -> Result<Vec<u8>, Box<Decision>> {
        let (size, max) = (question.bytes().len(), self.limits.input_bytes_max);
        let deny = |why: String| {
            Box::new(judge::compose(self.text.digest(), &self.engine, question, Err(Fault::Input(why))))
        };
        if size > max {
            return Err(deny(format!("{size} bytes are more than {max}")));
        }
        let asked = spelled(&Asked::of(question.input()));
        let length = u32::try_from(asked.len()).map_err(|_| deny("it asks too much at once".to_owned()))?;
        Ok([&length.to_le_bytes(), asked.as_slice(), question.bytes()].concat())
    }

    /// The decision that follows from a reply, or from there being none.
    pub fn decision(&self, question: &Question, reply: Result<&[u8], Lost>) -> Decision {
        let answer = reply.map_err(Lost::fault).and_then(read);
        judge::compose(self.text.digest(), &self.engine, question, answer)
    }
}

fn read(reply: &[u8]) -> Result<answer::Answer, Fault> {
    if reply.len() > REPLY_BYTES_MAX {
        return Err(Fault::Malformed("it is too large"));
    }
    match serde_json::from_slice(reply).map_err(|_| Fault::Malformed("it is not the JSON of a reply"))? {
        Reply::Answer(json) => answer::of(json),
        Reply::Undefined => Err(Fault::Undefined),
        Reply::Evaluation(why) => Err(Fault::Evaluation(why)),
        Reply::Shape(why) => Err(Fault::Shape(why)),
        Reply::Input(why) => Err(Fault::Input(why)),
    }
}

/// What stands between the name of the engine and the digest of the module.
const SEALED: &str = " sealed ";

/// What a decision of the module with this digest is signed with, for example `regorus 0.14.1 sealed sha256:…`.
fn engine(module: &abide_core::id::Digest) -> String {
    format!("{ENGINE}{SEALED}{}", module.as_str())
}

/// The digest of the module that made a decision, if a sealed judge made it.
pub fn module_of(engine: &str) -> Option<abide_core::id::Digest> {
    engine.split_once(SEALED)?.1.parse().ok()
}

/// The canonical bytes of a decision that was made again, in the name of the sealed judge that made it first: another build of the judge has another
/// digest and must answer the same. Any other name stays as it is, so that it shows.
pub fn signed_by(decision: Decision, engine: &str) -> Result<Vec<u8>, CanonicalError> {
    let is_same = module_of(engine).is_some_and(|module| self::engine(&module) == engine);
    let engine = if is_same { engine.to_owned() } else { decision.engine };
    canonical::jcs(&Decision { engine, ..decision })
}

impl BundleError {
    /// All codes, by which a refusal from inside the module is known again.
    const CODES: &'static [&'static str] = &[
        "AB0100", "AB0101", "AB0102", "AB0103", "AB0104", "AB0105", "AB0106", "AB0107", "AB0108", "AB0109",
        "AB0117", "AB0118",
    ];
}

#[cfg(test)]
mod tests;
