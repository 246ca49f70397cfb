//! What is said to whom: paths, documents and errors as OPA's REST API has them. No sockets here.

use std::sync::{Arc, PoisonError, RwLock};

use abide_core::id::Digest;
use abide_core::input::PolicyInput;
use abide_gate::{Bundle, Generations, Judge as _, JudgeLimits, NativeJudge, Question, Reader};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::document;

/// Parts of a path at most.
const PARTS_MAX: usize = 32;

/// The paths at which the whole decision is answered, as the gate would make it. The first is the rule's own.
const DECISION: [[&str; 2]; 2] = [["abide", "decision"], ["abide", "main"]];

/// What answers.
#[derive(Debug)]
pub(crate) struct Desk {
    generations: Arc<Generations>,
    judge: NativeJudge,
    reader: Reader,
    /// Whether the last policy that was good goes on answering after one that is not.
    keeps_last_good: bool,
    broken: RwLock<Option<Broken>>,
    /// Why the policy that answers is an older one, with the digest of that one.
    degraded: RwLock<Option<(Digest, String)>>,
}

/// Why the policy where it comes from is not the one that answers.
#[derive(Debug, Clone)]
struct Broken {
    code: &'static str,
    why: String,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    /// Whether it is a POST; else it is a GET.
    pub(crate) is_post: bool,
    /// Path of the URL.
    pub(crate) path: &'a str,
    /// Query of the URL.
    pub(crate) query: &'a str,
    /// The body.
    pub(crate) body: &'a [u8],
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Status of HTTP.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Value,
    is_pretty: bool,
}

impl Reply {
    fn new(status: u16, body: Value) -> Self {
        Self { status, body, is_pretty: false }
    }

    /// An error as OPA words it.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status, json!({ "code": code, "message": message }))
    }

    /// The same with the code and the words of what went wrong here.
    fn with(mut self, code: &str, why: &str) -> Self {
        if let Some(fields) = self.body.as_object_mut() {
            fields.insert("errors".to_owned(), json!([{ "code": code, "message": why }]));
        }
        self
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        let pretty = self.is_pretty.then(|| serde_json::to_string_pretty(&self.body).ok()).flatten();
        pretty.unwrap_or_else(|| self.body.to_string())
    }
}

impl Desk {
    /// Answers by `bundle`, until it is exchanged; `degraded` says why it is an older one than it should be, if it is.
    pub(crate) fn new(bundle: Bundle, degraded: Option<String>, keeps_last_good: bool) -> Self {
        let degraded = RwLock::new(degraded.map(|why| (bundle.digest().clone(), why)));
        let generations = Arc::new(Generations::new(bundle));
        let judge = NativeJudge::new(Arc::clone(&generations), JudgeLimits::SHIPPED);
        let reader = Reader::new(JudgeLimits::SHIPPED);
        Self { generations, judge, reader, keeps_last_good, broken: RwLock::new(None), degraded }
    }

    /// Puts another policy in force, whole and at once.
    pub(crate) fn exchange(&self, bundle: Bundle, degraded: Option<String>) -> Digest {
        // The reason first: an older policy never answers without it.
        let is_degraded = degraded.is_some();
        if let Some(why) = degraded {
            self.degrade(Some((bundle.digest().clone(), why)));
        }
        let digest = self.generations.activate(bundle);
        if !is_degraded {
            self.degrade(None);
        }
        *self.broken.write().unwrap_or_else(PoisonError::into_inner) = None;
        digest
    }

    /// Notes that the policy cannot be read any longer.
    pub(crate) fn broke(&self, code: &'static str, why: &str) {
        let broken = Broken { code, why: why.to_owned() };
        *self.broken.write().unwrap_or_else(PoisonError::into_inner) = Some(broken);
    }

    fn degrade(&self, degraded: Option<(Digest, String)>) {
        *self.degraded.write().unwrap_or_else(PoisonError::into_inner) = degraded;
    }

    /// What is wrong with answering by policy `digest`, for every answer and for `/health`: fields of `abide`.
    fn blemishes(&self, digest: &Digest) -> Map<String, Value> {
        let mut fields = Map::new();
        let degraded = self.degraded.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, why)) = degraded.filter(|(of, _)| of == digest) {
            fields.insert("degraded".to_owned(), json!({ "code": "AB0262", "why": why }));
        }
        if let Some(broken) = self.broken().filter(|_| self.keeps_last_good) {
            fields.insert("stale".to_owned(), json!({ "code": broken.code, "why": broken.why }));
        }
        fields
    }

    fn broken(&self) -> Option<Broken> {
        self.broken.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers one request.
pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Reply {
    let mut parts = match parts(ask.path) {
        Ok(parts) => parts.into_iter(),
        Err(reply) => return reply,
    };
    let head = (parts.next(), parts.next());
    let reply = match (head.0.as_deref(), head.1.as_deref()) {
        (Some("health"), None) if !ask.is_post => health(desk),
        (Some("v1"), Some("data")) => data(desk, ask, &parts.collect::<Vec<_>>()),
        (Some("v1"), Some("policies")) if !ask.is_post => {
            policies(desk, &parts.collect::<Vec<_>>().join("/"))
        }
        _ => Reply::error(404, "resource_not_found", "there are /v1/data, /v1/policies and /health here"),
    };
    let is_pretty = fields(ask.query).any(|(name, value)| name == "pretty" && value != "false");
    Reply { is_pretty, ..reply }
}

fn parts(path: &str) -> Result<Vec<String>, Reply> {
    let invalid = |why: &str| Reply::error(400, "invalid_parameter", why);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.len() > PARTS_MAX {
        return Err(invalid("the path has too many parts"));
    }
    let decode = |part: &&str| percent_decode_str(part).decode_utf8().map(std::borrow::Cow::into_owned);
    parts.iter().map(decode).collect::<Result<_, _>>().map_err(|_| invalid("the path is not UTF-8"))
}

/// Names and values of a query, decoded; what is not UTF-8 is left out.
fn fields(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned).ok()
    };
    query.split('&').filter_map(move |field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        Some((decode(name)?, decode(value)?))
    })
}

fn health(desk: &Desk) -> Reply {
    if let Some(broken) = desk.broken().filter(|_| !desk.keeps_last_good) {
        return Reply::new(500, json!({ "error": format!("{}: {}", broken.code, broken.why) }));
    }
    let bundle = desk.generations.current();
    let mut fields = desk.blemishes(bundle.digest());
    if fields.is_empty() {
        return Reply::new(200, json!({}));
    }
    fields.insert("bundle".to_owned(), json!(bundle.digest()));
    Reply::new(200, json!({ "abide": fields }))
}

/// The modules in force, as text. Clients ask for them to see whether somebody is there.
fn policies(desk: &Desk, id: &str) -> Reply {
    let bundle = desk.generations.current();
    let one = |(path, text): (&String, &String)| json!({ "id": path, "raw": text });
    if id.is_empty() {
        return Reply::new(200, json!({ "result": bundle.modules().iter().map(one).collect::<Vec<_>>() }));
    }
    bundle.modules().get_key_value(id).map_or_else(
        || Reply::error(404, "resource_not_found", "there is no module of this id"),
        |found| Reply::new(200, json!({ "result": one(found) })),
    )
}

/// What a client sends.
#[derive(Deserialize)]
struct Body {
    input: Option<PolicyInput>,
}

fn data(desk: &Desk, ask: &Ask<'_>, path: &[String]) -> Reply {
    if let Some(broken) = desk.broken().filter(|_| !desk.keeps_last_good) {
        let why = format!("{}: {}", broken.code, broken.why);
        return Reply::error(500, "internal_error", &why).with(broken.code, &broken.why);
    }
    let text = match sent(ask) {
        Ok(text) => text,
        Err(reply) => return reply,
    };
    let body: Value = match text.as_deref().map_or(Ok(json!({})), serde_json::from_slice) {
        Ok(body) => body,
        Err(error) => return malformed(&error.to_string()),
    };
    let Some(body) = body.as_object() else { return malformed("it is not an object") };
    // One generation for the whole answer, whatever is exchanged meanwhile.
    let bundle = desk.generations.current();
    let is_decision = DECISION.iter().any(|known| path.iter().map(String::as_str).eq(known.iter().copied()));
    let result = if is_decision {
        decision(desk, &bundle, body, text.as_deref().unwrap_or_default())
    } else {
        read(desk, &bundle, path, body.get("input"))
    };
    result.map_or_else(|reply| reply, |result| advice(desk, &bundle, path, body, result))
}

/// The document that was sent: the body, or `input` of the query. `None` if there is none.
fn sent(ask: &Ask<'_>) -> Result<Option<Vec<u8>>, Reply> {
    if ask.is_post {
        return Ok(Some(ask.body.to_vec()).filter(|body| !body.iter().all(u8::is_ascii_whitespace)));
    }
    if !ask.body.is_empty() {
        return Err(Reply::error(
            400,
            "invalid_parameter",
            "a GET has no body: send a POST, or `?input=` with JSON",
        ));
    }
    let input = fields(ask.query).find(|(name, _)| name == "input");
    Ok(input.map(|(_, input)| format!("{{\"input\":{input}}}").into_bytes()))
}

fn malformed(why: &str) -> Reply {
    Reply::error(400, "invalid_parameter", &format!("body contains malformed input document: {why}"))
}

/// The decision as the gate would make it of this input. The floor of the host is under it, so that advice is never softer than a decision.
fn decision(
    desk: &Desk,
    bundle: &Bundle,
    body: &Map<String, Value>,
    text: &[u8],
) -> Result<Option<Value>, Reply> {
    let Some(input) = body.get("input") else {
        return Err(Reply::error(400, "invalid_parameter", "a decision needs an `input`"));
    };
    let unfit = |faults: &[String]| {
        let told = faults.iter().take(10).cloned().collect::<Vec<_>>().join("; ");
        Reply::error(400, "invalid_parameter", &format!("`input` is not an input of a policy: {told}"))
            .with("AB0177", &told)
    };
    let faults = document::faults(input);
    if !faults.is_empty() {
        return Err(unfit(&faults));
    }
    // The text itself is read, so that a key that stands there twice is found.
    let read: Result<Body, _> = serde_json::from_slice(text);
    let input = match read {
        Ok(Body { input: Some(input) }) => input,
        Ok(Body { input: None }) => return Err(unfit(&["`input` is null".to_owned()])),
        Err(error) => return Err(unfit(&[error.to_string()])),
    };
    let question = Question::new(input);
    let question = question.map_err(|error| Reply::error(400, "invalid_parameter", &error.to_string()))?;
    let decision = desk.judge.decide(&question);
    if decision.bundle != *bundle.digest() {
        // It was exchanged in between: said by the newer one, and labelled so would be a lie.
        return Err(Reply::error(503, "internal_error", "the policy was just exchanged: ask again"));
    }
    serde_json::to_value(decision)
        .map(Some)
        .map_err(|error| Reply::error(500, "internal_error", &error.to_string()))
}

fn read(
    desk: &Desk,
    bundle: &Bundle,
    path: &[String],
    input: Option<&Value>,
) -> Result<Option<Value>, Reply> {
    if let Some(unknown) = input.map(document::unknown).filter(|unknown| !unknown.is_empty()) {
        let told = unknown.join("; ");
        return Err(Reply::error(400, "invalid_parameter", &told).with("AB0117", &told));
    }
    desk.reader.document(bundle, path, input).map_err(|error| {
        let (code, why) = (error.code(), error.to_string());
        Reply::error(500, "internal_error", &format!("{code}: {why}")).with(code, &why)
    })
}

fn advice(
    desk: &Desk,
    bundle: &Bundle,
    path: &[String],
    body: &Map<String, Value>,
    result: Option<Value>,
) -> Reply {
    let blemishes = desk.blemishes(bundle.digest());
    let Some(result) = result else {
        // As OPA: what is undefined has no result. Only that an older policy found it undefined is said.
        let nothing = if blemishes.is_empty() { json!({}) } else { json!({ "abide": blemishes }) };
        return Reply::new(200, nothing);
    };
    let asked = json!({ "bundle": bundle.digest(), "path": path, "input": body.get("input") });
    let mut answer = json!({
        "result": result,
        "decision_id": Digest::of(asked.to_string().as_bytes()),
        "abide": {
            "advice": true, "permit": null, "recorded": false, "bundle": bundle.digest(),
            "note": "advice only: before an effect the gate asks again, about facts that the host measured",
        },
    });
    if let Some(fields) = answer.pointer_mut("/abide").and_then(Value::as_object_mut) {
        fields.extend(blemishes);
    }
    if let (Some(fields), false) = (answer.as_object_mut(), body.contains_key("input")) {
        let warning =
            json!({ "code": "api_usage_warning", "message": "'input' key missing from the request" });
        fields.insert("warning".to_owned(), warning);
    }
    Reply::new(200, answer)
}

#[cfg(test)]
mod tests;
