use super::*;

pub(crate) fn component() -> Digest {
    Digest::of(b"a component")
}

pub(crate) fn budgets() -> Budgets {
    Budgets {
        requests_max: 1_000,
        per_second_max: 1_000,
        concurrent_max: 16,
        request_bytes_max: 1 << 20,
        response_bytes_max: 1 << 20,
        bytes_max: 64 << 20,
        request_ms_max: 5_000,
        idle_ms_max: 2_000,
        lease_ms_max: 60_000,
    }
}

/// A lease of rules that are written as in policy data.
pub(crate) fn lease(rules: serde_json::Value) -> Result<Lease, LeaseError> {
    let data = LeaseData {
        rules: serde_json::from_value(rules).unwrap(),
        budgets: budgets(),
        manners: None,
        fills: Vec::new(),
    };
    Lease::compile(&data, component())
}

#[track_caller]
fn refused(rule: serde_json::Value, why: &str) {
    let error = lease(serde_json::Value::Array(vec![rule])).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn a_rule_that_says_two_things_is_refused() {
    use serde_json::json;
    refused(json!({"allow": "fetch", "origin": "https://a.example:443"}), "allows nothing");
    refused(json!({"allow": "fetch", "origin": "https://a.example", "paths": ["/**"]}), "host:port");
    refused(
        json!({"allow": "fetch", "origin": "https://a.example:443", "paths": ["/**"], "methods": ["POST"]}),
        "GET and HEAD",
    );
    refused(
        json!({"allow": "send", "origin": "https://a.example:443", "paths": ["/**"]}),
        "names its methods",
    );
    refused(
        json!({"allow": "send", "origin": "https://a.example:443", "paths": ["/**"], "methods": ["CONNECT"]}),
        "no method",
    );
    refused(
        json!({"allow": "send", "origin": "https://a.example:443", "paths": ["/**"], "methods": ["post"]}),
        "in capitals",
    );
    refused(json!({"allow": "tunnel", "origin": "https://a.example:443"}), "connect://");
    refused(
        json!({"allow": "fetch", "origin": "connect://a.example:443", "paths": ["/**"]}),
        "only a tunnel",
    );
    refused(
        json!({"allow": "tunnel", "origin": "connect://a.example:443", "paths": ["/**"]}),
        "inside of a tunnel",
    );
    refused(json!({"allow": "fetch", "origin": "https://a.example:443", "paths": ["/a*"]}), "whole segment");
    refused(json!({"allow": "fetch", "origin": "https://a.example:443", "paths": ["/**/b"]}), "the last one");
    refused(json!({"allow": "fetch", "origin": "https://a.example:443", "paths": ["/../b"]}), "one way");
    refused(json!({"allow": "fetch", "origin": "https://a.example:443", "exact": ["x"]}), "`x`");
    refused(
        json!({"allow": "fetch", "origin": "https://0x7f.1:443", "paths": ["/**"]}),
        "otherwise than it is written",
    );
    refused(
        json!({"allow": "fetch", "origin": "https://a.example:443", "paths": ["/**"], "networks": ["all"]}),
        "no network",
    );
}

#[test]
fn a_credential_is_bound() {
    use serde_json::json;
    let with = |origin: &str, secret: &str, component: &Digest| {
        json!({"allow": "fetch", "origin": origin, "paths": ["/**"],
               "credential": {"secret": secret, "component": component, "header": "authorization", "prefix": "Bearer "}})
    };
    let (own, other) = (component(), Digest::of(b"another"));
    refused(with("https://a.example:443", "vault:token", &other), "is for component");
    refused(with("http://a.example:80", "vault:token", &own), "over TLS");
    refused(with("https://a.example:443", "ghp_secret", &own), "is a reference");
    assert!(lease(json!([with("https://a.example:443", "vault:token", &own)])).is_ok());
}

#[test]
fn data_with_a_word_too_many_is_no_rule() {
    let typo = serde_json::json!({"allow": "fetch", "origin": "https://a.example:443", "paths": ["/**"], "network": []});
    assert!(serde_json::from_value::<RuleData>(typo).is_err());
}

#[test]
fn manners_that_say_two_things_are_no_lease() {
    use serde_json::json;
    let with = |robots: serde_json::Value| {
        let mut manners = json!({"purpose": "a test", "contact": "mailto:ops@example.org", "host_per_second_max": 1,
            "host_concurrent_max": 1, "wait_ms_max": 1});
        manners.as_object_mut().unwrap().extend(robots.as_object().unwrap().clone());
        let data = json!({"rules": [], "budgets": budgets(), "manners": manners});
        Lease::compile(&serde_json::from_value(data).unwrap(), component())
    };
    assert!(with(json!({"robots": "obey"})).is_ok());
    let error = with(json!({"robots": "ignore"})).unwrap_err();
    assert_eq!(error.code(), "AB0901");
    assert!(error.to_string().contains("needs a `reason`"), "{error}");
}
