//! What one task may ask of the network: rules, budgets, and whose they are. Read from policy data, checked once, then only looked at.

use std::collections::BTreeMap;

use abide_core::action::Manners;
use abide_core::id::Digest;
use http::Method;
use http::header::{HeaderName, HeaderValue};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::target::{Origin, Scheme, Target};

/// A lease as it stands in policy data (`policies/data/egress.yaml`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseData {
    /// What is allowed; everything else is not.
    pub rules: Vec<RuleData>,
    /// How much of it.
    pub budgets: Budgets,
    /// How a task that browses behaves. Without manners no browser uses the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manners: Option<Manners>,
    /// Secrets that may be typed into pages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fills: Vec<FillData>,
}

/// A secret that may be put into a field of a page. The task names it, and never sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FillData {
    /// `vault:NAME`; the task asks for `NAME`.
    pub secret: String,
    /// The only component that it is used for: `sha256:…`.
    pub component: Digest,
    /// The only place whose pages get it: `scheme://host:port`.
    pub origin: String,
}

/// What a rule allows. Each is a grant of its own: none of them implies another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allow {
    /// `GET` and `HEAD`, without a body.
    Fetch,
    /// The methods that the rule names, with a body.
    Send,
    /// A tunnel to a host and port. Nobody sees which paths and methods pass through it.
    Tunnel,
}

/// One rule as it stands in policy data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleData {
    /// What it allows.
    pub allow: Allow,
    /// `scheme://host:port`; the scheme of a tunnel is `connect`.
    pub origin: String,
    /// Methods of a `send` rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Paths by segments: `*` is one, `**` at the end is any number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Paths with their query, to the letter: all that a task may ask for once it has read the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exact: Vec<String>,
    /// Whether `paths` may come with a query.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub query: bool,
    /// Networks that the host must be in. Without any it must be on the public internet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// What the broker adds that the task never sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialData>,
    /// Whether a task that has read the workspace may still use `paths` and bodies. What it sends is then searched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tainted_flow: bool,
    /// Protocols that a TLS client may offer inside of a tunnel; `http/1.1` alone where nothing is said, since one HTTP/2 connection can
    /// carry requests to other hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
}

/// A secret that the broker puts into a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialData {
    /// `vault:NAME`, never the secret itself.
    pub secret: String,
    /// The only component that it is used for: `sha256:…`.
    pub component: Digest,
    /// The header.
    pub header: String,
    /// What stands before it, for example `Bearer `.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// How much a lease allows. Every number is a maximum; there is no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// Requests, refused ones included.
    pub requests_max: u32,
    /// Requests within one second.
    pub per_second_max: u32,
    /// Requests at the same time.
    pub concurrent_max: u32,
    /// Bytes of one request's body.
    pub request_bytes_max: u64,
    /// Bytes of one answer's body, as they arrive: nothing is decompressed.
    pub response_bytes_max: u64,
    /// Bytes of all bodies, both ways, and of tunnels.
    pub bytes_max: u64,
    /// Milliseconds of one request, from the name to the last byte.
    pub request_ms_max: u64,
    /// Milliseconds in which nothing arrives.
    pub idle_ms_max: u64,
    /// Milliseconds of the lease.
    pub lease_ms_max: u64,
}

/// Why policy data is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// A rule says nothing, or two things.
    #[error("rule {number} of the lease (`{origin}`): {why}")]
    Rule {
        /// From 1.
        number: usize,
        /// Its origin, as written.
        origin: String,
        /// What is wrong with it.
        why: String,
    },
    /// A secret for a page that no page gets.
    #[error("the fill `{secret}` of the lease: {why}")]
    Fill {
        /// As written.
        secret: String,
        /// What is wrong with it.
        why: String,
    },
    /// Its manners are none.
    #[error("the manners of the lease: {0}")]
    Manners(&'static str),
}

impl LeaseError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        "AB0901"
    }
}

/// A secret that was found to fit its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The reference.
    pub secret: String,
    /// Where it goes.
    pub header: HeaderName,
    /// What stands before it.
    pub prefix: String,
}

/// One rule, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it allows.
    pub allow: Allow,
    /// Its methods; none for a tunnel.
    pub methods: Vec<Method>,
    /// Networks that the host must be in.
    pub networks: Vec<IpNet>,
    /// What the broker adds.
    pub credential: Option<Credential>,
    /// Whether what was read may flow.
    pub tainted_flow: bool,
    /// Protocols inside of a tunnel.
    pub alpn: Vec<Vec<u8>>,
    query: bool,
    exact: Vec<String>,
    paths: Vec<Vec<Segment>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Is(String),
    One,
    Rest,
}

/// Everything that one task may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The component that asks.
    pub component: Digest,
    /// How much.
    pub budgets: Budgets,
    /// How a task that browses behaves.
    pub manners: Option<Manners>,
    fills: Vec<(String, Origin)>,
    rules: BTreeMap<Origin, Vec<Rule>>,
}

impl Lease {
    /// Checks what stands in policy data, for `component`.
    pub fn compile(data: &LeaseData, component: Digest) -> Result<Self, LeaseError> {
        let mut rules: BTreeMap<Origin, Vec<Rule>> = BTreeMap::new();
        for (number, rule) in (1..).zip(&data.rules) {
            let failed = |why: String| LeaseError::Rule { number, origin: rule.origin.clone(), why };
            let origin = Origin::parse(&rule.origin).map_err(|why| failed(why.to_string()))?;
            let compiled = Rule::compile(rule, &origin, &component).map_err(failed)?;
            rules.entry(origin).or_default().push(compiled);
        }
        if let Some(manners) = &data.manners {
            manners.check().map_err(LeaseError::Manners)?;
        }
        let fill = |data: &FillData| {
            let failed = |why: String| LeaseError::Fill { secret: data.secret.clone(), why };
            let origin = Origin::parse(&data.origin).map_err(|why| failed(why.to_string()))?;
            fits(&data.secret, &data.component, &origin, &component).map_err(failed)?;
            Ok((data.secret.clone(), origin))
        };
        let fills = data.fills.iter().map(fill).collect::<Result<_, LeaseError>>()?;
        Ok(Self { component, budgets: data.budgets, manners: data.manners.clone(), fills, rules })
    }

    /// Where it may go, as a decision is asked about it.
    pub fn origins(&self) -> Vec<String> {
        self.rules.keys().map(Origin::to_string).collect()
    }

    /// The rules about one origin.
    pub fn rules(&self, origin: &Origin) -> &[Rule] {
        self.rules.get(origin).map(Vec::as_slice).unwrap_or_default()
    }

    /// The reference of the secret called `name`, if pages of `origin` may get it.
    pub fn fill(&self, name: &str, origin: &Origin) -> Option<&str> {
        let of = |(secret, place): &&(String, Origin)| {
            place == origin && super::vault::name_of(secret).is_some_and(|own| own == name)
        };
        self.fills.iter().find(of).map(|(secret, _)| secret.as_str())
    }

    /// References of all secrets that its rules use.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let rules = self.rules.values().flatten();
        let headers = rules.filter_map(|rule| Some(rule.credential.as_ref()?.secret.as_str()));
        headers.chain(self.fills.iter().map(|(secret, _)| secret.as_str()))
    }
}

impl Rule {
    fn compile(data: &RuleData, origin: &Origin, component: &Digest) -> Result<Self, String> {
        check_shape(data, origin)?;
        let networks = data.networks.iter().map(|text| {
            text.parse::<IpNet>().map_err(|_| format!("`{text}` is no network, as `10.0.0.0/8` is one"))
        });
        let alpn = match data.alpn.as_slice() {
            [] => vec![b"http/1.1".to_vec()],
            named => named.iter().map(|name| name.clone().into_bytes()).collect(),
        };
        Ok(Self {
            allow: data.allow,
            methods: methods(data)?,
            networks: networks.collect::<Result<_, _>>()?,
            credential: data
                .credential
                .as_ref()
                .map(|data| credential(data, origin, component))
                .transpose()?,
            tainted_flow: data.tainted_flow,
            alpn,
            query: data.query,
            exact: data.exact.iter().map(|text| exact(text, origin)).collect::<Result<_, _>>()?,
            paths: data.paths.iter().map(|text| pattern(text)).collect::<Result<_, _>>()?,
        })
    }

    /// Whether the address is written in the rule, to the letter.
    pub fn names(&self, target: &Target) -> bool {
        let asked = target.path_and_query();
        self.exact.contains(&asked)
    }

    /// Whether one of its patterns fits.
    pub fn fits(&self, target: &Target) -> bool {
        if target.query.is_some() && !self.query {
            return false;
        }
        let asked: Vec<&str> = segments(&target.path).collect();
        self.paths.iter().any(|pattern| is_like(pattern, &asked))
    }
}

/// What does not go together.
fn check_shape(data: &RuleData, origin: &Origin) -> Result<(), String> {
    let is_tunnel = data.allow == Allow::Tunnel;
    let has_paths = !data.paths.is_empty() || !data.exact.is_empty();
    let wrong = |why: &str| Err(why.to_owned());
    match (is_tunnel, origin.scheme == Scheme::Connect) {
        (true, false) => return wrong("the origin of a tunnel is `connect://host:port`"),
        (false, true) => return wrong("only a tunnel has the scheme `connect`"),
        _ => {}
    }
    if is_tunnel && (has_paths || data.query || data.credential.is_some() || !data.methods.is_empty()) {
        return wrong("nobody sees paths, methods or headers inside of a tunnel: it has none of them");
    }
    if !is_tunnel && !has_paths {
        return wrong("it names neither `paths` nor `exact`, so it allows nothing");
    }
    if !is_tunnel && !data.alpn.is_empty() {
        return wrong("`alpn` is about tunnels");
    }
    if data.allow == Allow::Send && data.methods.is_empty() {
        return wrong("a `send` rule names its methods");
    }
    if data.allow == Allow::Fetch && !data.methods.is_empty() {
        return wrong("a `fetch` rule is about GET and HEAD; a `send` rule names its methods");
    }
    Ok(())
}

fn methods(data: &RuleData) -> Result<Vec<Method>, String> {
    match data.allow {
        Allow::Fetch => Ok(vec![Method::GET, Method::HEAD]),
        Allow::Tunnel => Ok(Vec::new()),
        Allow::Send => data
            .methods
            .iter()
            .map(|name| match Method::from_bytes(name.as_bytes()) {
                Ok(Method::CONNECT | Method::TRACE) | Err(_) => {
                    Err(format!("`{name}` is no method that can be sent"))
                }
                Ok(method) if name.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(method),
                Ok(_) => Err(format!("`{name}` is not written as methods are, in capitals")),
            })
            .collect(),
    }
}

/// A path with its query, which must be read as it is written.
fn exact(text: &str, origin: &Origin) -> Result<String, String> {
    let target = Target::parse(&format!("{origin}{text}")).map_err(|why| format!("`{text}`: {why}"))?;
    if target.path_and_query() == text {
        Ok(target.path_and_query())
    } else {
        Err(format!("`{text}` does not begin with `/`"))
    }
}

fn pattern(text: &str) -> Result<Vec<Segment>, String> {
    let plain = text.replace("**", "a").replace('*', "a");
    Target::parse(&format!("http://a.example{plain}"))
        .ok()
        .filter(|target| target.query.is_none() && target.path == plain)
        .ok_or_else(|| format!("`{text}` is no path that is read in one way"))?;
    let last = segments(text).count().saturating_sub(1);
    segments(text)
        .enumerate()
        .map(|(place, segment)| match segment {
            "*" => Ok(Segment::One),
            "**" if place == last => Ok(Segment::Rest),
            _ if segment.contains('*') => {
                Err(format!("`{text}`: `*` is a whole segment, and `**` the last one"))
            }
            _ => Ok(Segment::Is(segment.to_owned())),
        })
        .collect()
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn is_like(pattern: &[Segment], asked: &[&str]) -> bool {
    match (pattern, asked) {
        ([Segment::Rest], _) | ([], []) => true,
        ([Segment::One, pattern @ ..], [one, asked @ ..]) => !one.is_empty() && is_like(pattern, asked),
        ([Segment::Is(is), pattern @ ..], [one, asked @ ..]) => is == one && is_like(pattern, asked),
        _ => false,
    }
}

/// Whether a secret may be used by `component` at `origin`.
fn fits(secret: &str, own: &Digest, origin: &Origin, component: &Digest) -> Result<(), String> {
    if own != component {
        return Err(format!(
            "its credential is for component {}, not for {}",
            own.short(),
            component.short()
        ));
    }
    // What is sent in the clear is everybody's; a host on this machine is the exception that tests and sidecars need.
    let is_here = origin.literal().is_some_and(|address| address.is_loopback());
    if origin.scheme != Scheme::Https && !is_here {
        return Err("a credential goes over TLS, or to this machine".to_owned());
    }
    if !super::vault::is_reference(secret) {
        return Err("a credential is a reference, `vault:NAME`".to_owned());
    }
    Ok(())
}

fn credential(data: &CredentialData, origin: &Origin, component: &Digest) -> Result<Credential, String> {
    fits(&data.secret, &data.component, origin, component)?;
    let header = HeaderName::from_bytes(data.header.as_bytes())
        .map_err(|_| format!("`{}` is no name of a header", data.header))?;
    HeaderValue::from_str(&data.prefix).map_err(|_| "its prefix has a control character".to_owned())?;
    Ok(Credential { secret: data.secret.clone(), header, prefix: data.prefix.clone() })
}

#[cfg(test)]
pub(crate) mod tests;
