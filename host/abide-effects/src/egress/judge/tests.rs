use serde_json::json;

use super::*;
use crate::egress::lease::tests::lease;

fn rules() -> Lease {
    lease(json!([
        {"allow": "fetch", "origin": "https://a.example:443", "paths": ["/docs/**", "/v1/*/info"], "exact": ["/one?x=1"]},
        {"allow": "fetch", "origin": "https://q.example:443", "paths": ["/**"], "query": true, "tainted_flow": true},
        {"allow": "send", "origin": "https://a.example:443", "methods": ["POST"], "exact": ["/hook"]},
        {"allow": "tunnel", "origin": "connect://t.example:443"},
    ]))
    .unwrap()
}

fn ask(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: usize,
    taint: Taint,
) -> Result<Allow, &'static str> {
    let target = Target::parse(url).unwrap();
    let mut fields = HeaderMap::new();
    for (name, value) in headers {
        fields.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let method = method.parse().unwrap();
    let asked = Asked { method: &method, target: &target, headers: &fields, body_bytes: body };
    judge(&rules(), &asked, taint).map(|rule| rule.allow).map_err(|refusal| refusal.code())
}

fn get(url: &str) -> Result<Allow, &'static str> {
    ask("GET", url, &[], 0, Taint::Clean)
}

#[test]
fn what_no_rule_is_about_is_refused() {
    assert_eq!(get("https://a.example/docs/x/y"), Ok(Allow::Fetch));
    assert_eq!(get("https://a.example/docs/"), Ok(Allow::Fetch));
    assert_eq!(get("https://a.example/v1/x/info"), Ok(Allow::Fetch));
    assert_eq!(get("https://a.example/one?x=1"), Ok(Allow::Fetch));
    assert_eq!(get("https://q.example/any?thing"), Ok(Allow::Fetch));
    for url in [
        "https://a.example/",
        "https://a.example/docsx",
        "https://a.example/v1//info".trim_end_matches("//info"),
        "https://a.example/v1/x/y/info",
        "https://a.example/docs/x?q=1",
        "https://a.example/one",
        "https://a.example/one?x=2",
        "https://a.example:444/docs/x",
        "http://a.example/docs/x",
        "https://b.a.example/docs/x",
        "https://t.example/",
    ] {
        assert_eq!(get(url), Err("AB0903"), "{url}");
    }
}

#[test]
fn a_method_that_is_not_get_is_a_grant_of_its_own() {
    let clean = Taint::Clean;
    assert_eq!(ask("POST", "https://a.example/hook", &[], 10, clean), Ok(Allow::Send));
    assert_eq!(ask("HEAD", "https://a.example/docs/x", &[], 0, clean), Ok(Allow::Fetch));
    for (method, url) in [
        ("POST", "https://a.example/docs/x"),
        ("GET", "https://a.example/hook"),
        ("PUT", "https://a.example/hook"),
        ("DELETE", "https://q.example/x"),
        ("CONNECT", "https://t.example/"),
        ("TRACE", "https://a.example/docs/x"),
        ("get", "https://a.example/docs/x"),
    ] {
        assert_eq!(ask(method, url, &[], 0, clean), Err("AB0903"), "{method} {url}");
    }
    assert_eq!(
        ask("GET", "https://a.example/docs/x", &[], 1, clean),
        Err("AB0903"),
        "a body makes it no fetch"
    );
}

#[test]
fn fields_that_are_the_brokers_are_refused() {
    for name in [
        "authorization",
        "Cookie",
        "host",
        "transfer-encoding",
        "X-HTTP-Method-Override",
        "x-forwarded-host",
        "proxy-authorization",
        "upgrade",
    ] {
        assert_eq!(
            ask("GET", "https://a.example/docs/x", &[(name, "x")], 0, Taint::Clean),
            Err("AB0905"),
            "{name}"
        );
    }
    assert_eq!(
        ask("GET", "https://a.example/docs/x", &[("accept", "text/html")], 0, Taint::Clean),
        Ok(Allow::Fetch)
    );
    let long = "x".repeat(17 << 10);
    assert_eq!(ask("GET", "https://a.example/docs/x", &[("accept", &long)], 0, Taint::Clean), Err("AB0909"));
}

#[test]
fn who_has_read_asks_for_exact_addresses_only() {
    let tainted = Taint::Tainted;
    assert_eq!(ask("GET", "https://a.example/one?x=1", &[], 0, tainted), Ok(Allow::Fetch));
    assert_eq!(ask("POST", "https://a.example/hook", &[], 0, tainted), Ok(Allow::Send));
    assert_eq!(ask("GET", "https://a.example/docs/x", &[], 0, tainted), Err("AB0907"));
    assert_eq!(ask("POST", "https://a.example/hook", &[], 1, tainted), Err("AB0907"));
    assert_eq!(ask("GET", "https://a.example/one?x=1", &[("accept", "c2VjcmV0")], 0, tainted), Err("AB0907"));
    // Unless data says that it may flow, and then it is searched.
    assert_eq!(ask("GET", "https://q.example/any?thing", &[("accept", "x")], 0, tainted), Ok(Allow::Fetch));
}

#[test]
fn a_tunnel_is_asked_for_by_host_and_port() {
    let lease = rules();
    let tunnel = |authority: &str, taint| {
        let origin = Origin::of_authority(Scheme::Connect, authority).unwrap();
        judge_tunnel(&lease, &origin, taint).map(|rule| rule.allow).map_err(|refusal| refusal.code())
    };
    assert_eq!(tunnel("t.example:443", Taint::Clean), Ok(Allow::Tunnel));
    assert_eq!(tunnel("t.example:22", Taint::Clean), Err("AB0903"));
    // Rules with paths or methods never match a tunnel.
    assert_eq!(tunnel("a.example:443", Taint::Clean), Err("AB0903"));
    assert_eq!(tunnel("q.example:443", Taint::Clean), Err("AB0903"));
    assert_eq!(tunnel("t.example:443", Taint::Tainted), Err("AB0907"));
}
