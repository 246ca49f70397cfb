//! Whether a lease allows a request. Pure, and a matter of microseconds: the decision was made when the lease was.

use http::{HeaderMap, HeaderName, Method};

use super::lease::{Allow, Lease, Rule};
use super::refusal::Refusal;
use super::target::{Origin, Scheme, Target};

/// Fields of one request.
const HEADERS_MAX: usize = 64;
/// Bytes of their names and values.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// Fields that say who asks, where a message ends, or that it means something else than its first line: the broker's to set, or nobody's.
const FORBIDDEN_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// Whether the task has read the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taint {
    /// It has nothing that it could carry away.
    Clean,
    /// It has.
    Tainted,
}

/// A request, as it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What is asked.
    pub method: &'a Method,
    /// Of whom.
    pub target: &'a Target,
    /// With which fields.
    pub headers: &'a HeaderMap,
    /// Bytes of the body.
    pub body_bytes: usize,
}

/// The rule that allows a request.
pub fn judge<'l>(lease: &'l Lease, asked: &Asked<'_>, taint: Taint) -> Result<&'l Rule, Refusal> {
    check_headers(asked.headers)?;
    let about = lease.rules(&asked.target.origin).iter().filter(|rule| rule.methods.contains(asked.method));
    let mut may = about.filter(|rule| rule.names(asked.target) || rule.fits(asked.target)).peekable();
    if may.peek().is_none() {
        return Err(Refusal::NoRule {
            method: asked.method.to_string(),
            target: format!("{}{}", asked.target.origin, asked.target.path),
        });
    }
    let mut last = Refusal::Tainted("asks for exact addresses only");
    for rule in may {
        match check_flow(rule, asked, taint) {
            Ok(()) => return Ok(rule),
            Err(refusal) => last = refusal,
        }
    }
    Err(last)
}

/// The rule that allows to ask for `/robots.txt` on behalf of a page of the same origin: that which allows the page.
pub fn judge_robots<'l>(
    lease: &'l Lease,
    asked: &Asked<'_>,
    (method, page): &(Method, Target),
    taint: Taint,
) -> Result<&'l Rule, Refusal> {
    let is_plain = *asked.method == Method::GET && asked.headers.is_empty() && asked.body_bytes == 0;
    let is_robots = asked.target.path == "/robots.txt" && asked.target.query.is_none();
    if !is_plain || !is_robots || asked.target.origin != page.origin {
        return judge(lease, asked, taint);
    }
    judge(lease, &Asked { method, target: page, headers: &HeaderMap::new(), body_bytes: 0 }, taint)
}

/// The rule that allows a tunnel.
pub fn judge_tunnel<'l>(lease: &'l Lease, host_and_port: &Origin, taint: Taint) -> Result<&'l Rule, Refusal> {
    let origin = Origin { scheme: Scheme::Connect, ..host_and_port.clone() };
    let rules = lease.rules(&origin);
    let none = || Refusal::NoRule { method: "CONNECT".to_owned(), target: origin.authority() };
    let mut tunnels = rules.iter().filter(|rule| rule.allow == Allow::Tunnel).peekable();
    tunnels.peek().ok_or_else(none)?;
    tunnels
        .find(|rule| taint == Taint::Clean || rule.tainted_flow)
        .ok_or(Refusal::Tainted("gets no tunnel: nobody sees what passes through it"))
}

/// What a body may be, and what a task may send after it has read.
fn check_flow(rule: &Rule, asked: &Asked<'_>, taint: Taint) -> Result<(), Refusal> {
    if rule.allow == Allow::Fetch && asked.body_bytes > 0 {
        let target = format!("{}{} with a body", asked.target.origin, asked.target.path);
        return Err(Refusal::NoRule { method: asked.method.to_string(), target });
    }
    if taint == Taint::Clean || rule.tainted_flow {
        return Ok(());
    }
    if !rule.names(asked.target) {
        return Err(Refusal::Tainted("asks for exact addresses only"));
    }
    if asked.body_bytes > 0 {
        return Err(Refusal::Tainted("sends no body"));
    }
    if !asked.headers.is_empty() {
        return Err(Refusal::Tainted("sends no header fields of its own"));
    }
    Ok(())
}

fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let bytes =
        |(name, value): (&HeaderName, &http::HeaderValue)| name.as_str().len().saturating_add(value.len());
    let total = headers.iter().map(bytes).fold(0, usize::saturating_add);
    if headers.len() > HEADERS_MAX || total > HEADER_BYTES_MAX {
        return Err(Refusal::Budget("header fields"));
    }
    let is_forbidden = |name: &&str| FORBIDDEN_HEADERS.contains(name) || name.starts_with("x-forwarded-");
    match headers.keys().map(HeaderName::as_str).find(is_forbidden) {
        Some(name) => Err(Refusal::Header(name.to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
