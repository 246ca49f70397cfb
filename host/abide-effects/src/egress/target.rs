//! Where a request goes, read so that there is one reading of it.
//!
//! The address is read as browsers do (the WHATWG URL standard), and written again. What comes out otherwise than it went in has a second reading: a number that
//! is an address, a path that walks up, a host in another alphabet. It is refused, not put right: a proxy or a server further on may read
//! it the other way.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// Bytes of an address.
const URL_BYTES_MAX: usize = 8_192;
/// Bytes of a host name (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// How a host is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
    /// Through a tunnel, whatever is spoken inside.
    Connect,
}

impl Scheme {
    /// The spelling in origins.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Connect => "connect",
        }
    }

    fn default_port(self) -> u16 {
        if self == Self::Http { 80 } else { 443 }
    }
}

/// Scheme, host and port: what rules are about, and what is dialled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// How.
    pub scheme: Scheme,
    /// Lower case; an IPv6 address without brackets.
    pub host: String,
    /// Where.
    pub port: u16,
}

impl Origin {
    /// The address, if the host is written as one.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// `host:port`, as in `CONNECT` (RFC 9110, section 7.2).
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// What stands in the header `host`: without the port where it is the scheme's own.
    pub fn host_header(&self) -> String {
        let authority = self.authority();
        let default = format!(":{}", self.scheme.default_port());
        authority.strip_suffix(&default).map_or(authority.clone(), str::to_owned)
    }

    /// Reads `scheme://host:port`, with its port always written.
    pub fn parse(text: &str) -> Result<Self, Ambiguous> {
        let (scheme, authority) =
            text.split_once("://").ok_or(Ambiguous("an origin is `scheme://host:port`"))?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "connect" => Scheme::Connect,
            _ => return Err(Ambiguous("the scheme is none of http, https and connect")),
        };
        Self::of_authority(scheme, authority)
    }

    /// Reads `host:port`, with its port always written.
    pub fn of_authority(scheme: Scheme, authority: &str) -> Result<Self, Ambiguous> {
        let named = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        if !named || authority.contains(['/', '?', '#']) {
            return Err(Ambiguous("an authority is `host:port`, and no more"));
        }
        let mut origin = Target::parse(&format!("http://{authority}/"))?.origin;
        origin.scheme = scheme;
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

/// Why an address has more than one reading, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Ambiguous(pub &'static str);

/// A whole address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub origin: Origin,
    /// Begins with `/`; percent-encoded as it was given.
    pub path: String,
    /// After the `?`, as it was given.
    pub query: Option<String>,
}

impl Target {
    /// Reads an absolute address, `http` or `https`.
    pub fn parse(raw: &str) -> Result<Self, Ambiguous> {
        if raw.len() > URL_BYTES_MAX {
            return Err(Ambiguous("it is longer than 8,192 bytes"));
        }
        if !raw.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Ambiguous("it has a space, a control character or a letter that is not ASCII"));
        }
        if raw.contains(['\\', '#']) {
            return Err(Ambiguous("it has a backslash or a fragment"));
        }
        let url = Url::parse(raw).map_err(|_| Ambiguous("it is no absolute address"))?;
        if !url.username().is_empty() || url.password().is_some() || authority(raw).contains('@') {
            return Err(Ambiguous("it has a user name in it"));
        }
        let origin = origin(&url)?;
        let target = Self { origin, path: url.path().to_owned(), query: url.query().map(str::to_owned) };
        if !target.is_written_as(raw) {
            return Err(Ambiguous("it is read otherwise than it is written"));
        }
        check_path(&target.path)?;
        check_escapes(target.query.as_deref().unwrap_or_default())?;
        Ok(target)
    }

    /// Path and query, as they stand in a request.
    pub fn path_and_query(&self) -> String {
        self.query.as_ref().map_or_else(|| self.path.clone(), |query| format!("{}?{query}", self.path))
    }

    /// Whether `raw` is this address: with or without a port that goes without saying, and a path that is empty.
    fn is_written_as(&self, raw: &str) -> bool {
        let origin = &self.origin;
        let (scheme, full) = (origin.scheme.as_str(), origin.authority());
        let rest = self.path_and_query();
        let is = |authority: &str| {
            let tail =
                raw.strip_prefix(scheme).and_then(|tail| tail.strip_prefix("://")?.strip_prefix(authority));
            tail.is_some_and(|tail| tail == rest || (tail.is_empty() && rest == "/"))
        };
        is(&full) || is(&origin.host_header())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.origin.scheme.as_str();
        write!(f, "{scheme}://{}{}", self.origin.host_header(), self.path_and_query())
    }
}

fn authority(raw: &str) -> &str {
    let after = raw.split_once("://").map_or(raw, |(_, after)| after);
    after.split(['/', '?']).next().unwrap_or_default()
}

fn origin(url: &Url) -> Result<Origin, Ambiguous> {
    let scheme = match url.scheme() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(Ambiguous("its scheme is neither http nor https")),
    };
    let host = match url.host() {
        Some(Host::Domain(name)) => {
            check_name(name)?;
            name.to_owned()
        }
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) if address.to_ipv4_mapped().is_some() => {
            return Err(Ambiguous("its host is an IPv4 address that is written as another"));
        }
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err(Ambiguous("it has no host")),
    };
    match url.port_or_known_default() {
        Some(port) if port > 0 => Ok(Origin { scheme, host, port }),
        _ => Err(Ambiguous("it has no port")),
    }
}

/// A name as in a zone file: letters, digits, hyphens and underscores between single dots, and none at the end.
fn check_name(name: &str) -> Result<(), Ambiguous> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    if name.len() > HOST_BYTES_MAX || !name.split('.').all(is_label) {
        return Err(Ambiguous("its host is no plain name"));
    }
    Ok(())
}

/// A path that every server cuts into the same segments.
fn check_path(path: &str) -> Result<(), Ambiguous> {
    let segments = path.strip_prefix('/').unwrap_or(path);
    if segments.starts_with('/') || segments.contains("//") {
        return Err(Ambiguous("its path has an empty segment"));
    }
    // Some servers cut off what follows a semicolon before they look for dots.
    let is_dots = |segment: &str| [".", ".."].contains(&segment.split(';').next().unwrap_or_default());
    if segments.split('/').any(is_dots) {
        return Err(Ambiguous("its path walks"));
    }
    for byte in escapes(path)? {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        // `%25` begins an escape of an escape, for who decodes twice.
        if is_plain || byte.is_ascii_control() || b"/\\%;".contains(&byte) {
            return Err(Ambiguous(
                "its path hides a letter, a dot, a slash, a percent sign or a control character in an escape",
            ));
        }
    }
    Ok(())
}

fn check_escapes(query: &str) -> Result<(), Ambiguous> {
    if escapes(query)?.contains(&0) {
        return Err(Ambiguous("its query hides a NUL"));
    }
    Ok(())
}

/// The bytes that are written as `%xx`.
fn escapes(text: &str) -> Result<Vec<u8>, Ambiguous> {
    let broken = Ambiguous("a percent sign begins no escape");
    text.split('%')
        .skip(1)
        .map(|after| {
            let digits = after.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
            u8::from_str_radix(digits.ok_or(broken)?, 16).map_err(|_| broken)
        })
        .collect()
}

#[cfg(test)]
mod tests;
