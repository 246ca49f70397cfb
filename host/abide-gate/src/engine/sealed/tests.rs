//! Both sides put together without a module between them: what is said across comes out as the native judge says it, and what is garbled is denied.

use super::*;
use crate::engine::tests::{answers, load};
use crate::{Judge as _, NativeJudge};

const RULE: &str = r#"package abide

decision := {"verdict": "review", "findings": [{"rule": "a", "level": "review", "msg": input.subject.id}]}
"#;

fn module() -> abide_core::id::Digest {
    abide_core::id::Digest::of(b"module")
}

fn question() -> Question {
    Question::new(answers::input()).unwrap()
}

/// A decision across, and natively.
fn both(rule: &str) -> (Decision, Decision) {
    let bundle = load(rule).unwrap();
    let (inside, loaded) = Inside::load(bundle.to_bytes());
    assert_eq!(read_loaded(&loaded), Some(Ok(())));
    let outside = Outside::new(bundle.text(), &module());
    let reply = inside.unwrap().reply(&outside.request(&question()).unwrap());
    (outside.decision(&question(), Ok(&reply)), NativeJudge::over(bundle).decide(&question()))
}

#[test]
fn only_the_engine_differs() {
    for rule in [
        RULE,
        "package abide\ndecision := {\"verdict\": \"allow\", \"findings\": [], \"odd\": 1}\n",
        "package abide\ndecision := {\"verdict\": \"allow\", \"findings\": []} if input.run.halted\n",
        "package abide\ndecision := {\"verdict\": \"allow\", \"findings\": [sprintf(\"%x\", [1])]}\n",
        "package abide\ndecision := {\"verdict\": \"allow\", \"findings\": [], \"risk\": 101}\n",
    ] {
        let (sealed, native) = both(rule);
        assert_eq!(module_of(&sealed.engine), Some(module()), "{}", sealed.engine);
        assert_eq!(module_of(&native.engine), None);
        assert_eq!(Decision { engine: native.engine.clone(), ..sealed }, native, "{rule}");
    }
}

#[test]
fn a_refusal_says_the_same_as_here() {
    let text = "package abide\ndecision := http.send({})\n";
    let modules = std::collections::BTreeMap::from([("a.rego".to_owned(), text.to_owned())]);
    let text = BundleText::new(modules, serde_json::json!({})).unwrap();
    let native = text.load().unwrap_err();
    let (inside, loaded) = Inside::load(text.to_bytes());
    let refusal = read_loaded(&loaded).unwrap().unwrap_err();
    assert!(inside.is_none());
    assert_eq!(
        (refusal.code(), refusal.to_string(), refusal.place()),
        (native.code(), native.to_string(), native.place())
    );
}

#[test]
fn what_is_no_reply_is_a_denial() {
    let bundle = load(RULE).unwrap();
    let outside = Outside::new(bundle.text(), &module());
    let code = |reply: &[u8]| {
        let decision = outside.decision(&question(), Ok(reply));
        assert_eq!(decision.verdict.as_str(), "deny");
        decision.fault
    };
    let deep = format!("{{\"answer\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for torn in ["", "{}", "null", "{\"answer\":", "{\"allow\":{}}", "{\"answer\":{}} x", &deep] {
        assert_eq!(code(torn.as_bytes()).as_deref(), Some("AB0192"), "{torn:.40}");
    }
    for odd in ["{\"answer\":{}}", "{\"answer\":{\"verdict\":\"allow\"}}", "{\"answer\":[]}"] {
        assert_eq!(code(odd.as_bytes()).as_deref(), Some("AB0112"), "{odd}");
    }
    assert_eq!(code(&vec![b' '; REPLY_BYTES_MAX + 1]).as_deref(), Some("AB0192"));
    for (lost, fault) in [
        (Lost::Deadline, "AB0113"),
        (Lost::Panicked, "AB0114"),
        (Lost::NoThread, "AB0119"),
        (Lost::Memory, "AB0198"),
        (Lost::Stack, "AB0199"),
        (Lost::Malformed("x"), "AB0192"),
        (Lost::Reload("AB0109"), "AB0109"),
    ] {
        assert_eq!(outside.decision(&question(), Err(lost)).fault.as_deref(), Some(fault));
    }
    assert_eq!(read_loaded(b"{\"refused\":{\"code\":\"AB9999\",\"why\":\"\",\"place\":null}}"), None);
    assert_eq!(read_loaded(b"ready"), None);
}

#[test]
fn a_torn_request_is_a_fault_of_the_input() {
    let (inside, _) = Inside::load(load(RULE).unwrap().to_bytes());
    let inside = inside.unwrap();
    for torn in [&b""[..], b"\x01", b"\xff\xff\xff\xff", b"\x02\0\0\0{}", b"\0\0\0\0{}"] {
        let reply = inside.reply(torn);
        assert!(String::from_utf8(reply).unwrap().starts_with("{\"input\""), "{torn:?}");
    }
}

/// The host's own words do not come from inside: neither the kill switch nor missing approvals can be talked away.
#[test]
fn what_the_host_adds_is_added_outside() {
    let bundle = load(RULE).unwrap();
    let outside = Outside::new(bundle.text(), &module());
    let mut input = answers::input();
    input.run.halted = true;
    let question = Question::new(input).unwrap();
    let reply = br#"{"answer":{"verdict":"allow","findings":[]}}"#;
    let decision = outside.decision(&question, Ok(reply));
    assert_eq!(decision.verdict.as_str(), "deny");
    assert!(decision.findings.iter().any(|finding| finding.rule == "kill-switch"));
}
