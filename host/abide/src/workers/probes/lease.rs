//! A lease of the network, held against addresses that it must not allow. No request is made: rules are rules without a network.

use abide_effects::egress::address;
use abide_effects::egress::judge::{Asked, Taint, judge};
use abide_effects::egress::lease::Lease;
use abide_effects::egress::target::{Origin, Target};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::Tried;

/// Addresses of this host, of its network and of the services that hand out keys to machines, in their spellings.
const INSIDE: [&str; 16] = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://localhost/",
    "http://anything.localhost/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://192.168.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[64:ff9b::7f00:1]/",
    "http://metadata.google.internal/",
];

/// Fields that are the broker's to set.
const FIELDS: [(&str, &str); 3] =
    [("authorization", "Bearer x"), ("cookie", "a=b"), ("host", "inner.example")];

/// What `lease` makes of them; with addresses beside those that it names, methods that it does not name, and fields that are not the worker's.
pub(crate) fn lease(lease: &Lease) -> Vec<Tried> {
    let origins: Vec<Origin> =
        lease.origins().iter().filter_map(|origin| Origin::parse(origin).ok()).collect();
    let mut inside: Vec<String> = INSIDE.iter().map(|url| (*url).to_owned()).collect();
    // What policy names to the letter is not tried: it is granted.
    inside.retain(|url| Target::parse(url).map_or(true, |target| lease.rules(&target.origin).is_empty()));
    let beside: Vec<String> = origins
        .iter()
        .flat_map(|origin| {
            let (host, port) = (origin.host.as_str(), origin.port);
            [
                format!("https://{host}.example.invalid/"),
                format!("https://x.{host}/"),
                format!("https://{host}:{}/", port.wrapping_add(1).max(1)),
                format!("https://user@{host}/"),
                format!("ftp://{host}/"),
            ]
        })
        .filter(|url| Target::parse(url).map_or(true, |target| lease.rules(&target.origin).is_empty()))
        .collect();
    vec![
        counted("addresses inside this network", &inside, |url| allowed(lease, &Method::GET, url, None)),
        counted("addresses beside those of the lease", &beside, |url| {
            allowed(lease, &Method::GET, url, None)
        }),
        counted("methods that no rule names", &unnamed(lease, &origins), |(method, url)| {
            allowed(lease, method, url, None)
        }),
        counted("fields that are not a worker's", &FIELDS, |field| {
            origins.iter().any(|origin| allowed(lease, &Method::GET, &root(origin), Some(*field)))
        }),
    ]
}

fn root(origin: &Origin) -> String {
    format!("{}://{}/", origin.scheme.as_str().replace("connect", "https"), origin.authority())
}

fn unnamed(lease: &Lease, origins: &[Origin]) -> Vec<(Method, String)> {
    let every = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE, Method::OPTIONS];
    origins
        .iter()
        .flat_map(|origin| {
            let named: Vec<&Method> = lease.rules(origin).iter().flat_map(|rule| &rule.methods).collect();
            let unnamed = every.iter().filter(move |method| !named.contains(method));
            unnamed.map(|method| (method.clone(), root(origin)))
        })
        .collect()
}

/// Whether a request would leave.
fn allowed(lease: &Lease, method: &Method, url: &str, field: Option<(&str, &str)>) -> bool {
    let Ok(target) = Target::parse(url) else { return false };
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = field
        && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
    {
        headers.insert(name, value);
    }
    let asked = Asked { method, target: &target, headers: &headers, body_bytes: 0 };
    let Ok(rule) = judge(lease, &asked, Taint::Clean) else { return false };
    target.origin.literal().is_none_or(|ip| address::permit(ip, &rule.networks).is_ok())
}

fn counted<T>(what: &str, all: &[T], is_allowed: impl Fn(&T) -> bool) -> Tried {
    let open = all.iter().filter(|one| is_allowed(one)).count();
    let came = if open == 0 { "all refused".to_owned() } else { format!("{open} would leave") };
    Tried::of("egress", format!("{} {what}", all.len()), came, open == 0)
}

#[cfg(test)]
mod tests {
    use abide_core::id::Digest;
    use serde_json::json;

    use super::*;

    fn of(rules: &serde_json::Value) -> Lease {
        let budgets = json!({
            "requests_max": 1, "per_second_max": 1, "concurrent_max": 1, "request_bytes_max": 1, "response_bytes_max": 1, "bytes_max": 1,
            "request_ms_max": 1, "idle_ms_max": 1, "lease_ms_max": 1,
        });
        let data = serde_json::from_value(json!({ "rules": rules, "budgets": budgets })).unwrap();
        Lease::compile(&data, Digest::of(b"component")).unwrap()
    }

    #[test]
    fn what_a_lease_allows_is_told_from_what_it_does_not() {
        let lease =
            of(&json!([{ "allow": "fetch", "origin": "https://docs.example.org:443", "paths": ["/**"] }]));
        assert!(allowed(&lease, &Method::GET, "https://docs.example.org/x", None), "an open door is seen");
        assert!(!allowed(&lease, &Method::GET, "https://docs.example.org/x", Some(FIELDS[0])));
        assert!(!allowed(&lease, &Method::DELETE, "https://docs.example.org/x", None));
        let tried = super::lease(&lease);
        assert!(tried.iter().all(|one| one.holds), "{tried:?}");
        let asked: Vec<&str> = tried.iter().map(|one| one.asked.as_str()).collect();
        assert_eq!(asked[0], "16 addresses inside this network");
        assert_eq!(asked[2], "6 methods that no rule names");
    }

    #[test]
    fn what_is_granted_to_the_letter_is_not_tried() {
        let rule = json!({ "allow": "fetch", "origin": "http://127.0.0.1:80", "paths": ["/**"], "networks": ["127.0.0.1/32"] });
        let tried = super::lease(&of(&json!([rule])));
        assert_eq!(tried[0].asked, "15 addresses inside this network");
        assert!(tried.iter().all(|one| one.holds), "{tried:?}");
    }

    #[test]
    fn what_would_leave_is_counted() {
        let open = counted("doors", &[1, 2, 3], |one| *one > 1);
        assert_eq!((open.came.as_str(), open.holds), ("2 would leave", false));
    }
}
