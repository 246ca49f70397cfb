use std::collections::BTreeMap;

use super::*;

fn bundle(verdict: &str) -> Bundle {
    let text = format!(
        "package abide\n\ndecision := {{\"verdict\": \"{verdict}\", \"findings\": []}}\n\ngreeting := concat(\" \", [\"for\", input.run.profile])\n\nbad if to_number(\"x\") == 1\n"
    );
    let modules = BTreeMap::from([("m.rego".to_owned(), text)]);
    Bundle::load(modules, json!({ "list": [1, 2], "odd/key": "é" })).unwrap()
}

fn ask(desk: &Desk, path: &str, body: &str) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let reply = answer(desk, &Ask { is_post: true, path, query, body: body.as_bytes() });
    (reply.status, reply.body)
}

fn get(desk: &Desk, path: &str) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let reply = answer(desk, &Ask { is_post: false, path, query, body: b"" });
    (reply.status, reply.body)
}

fn question() -> String {
    let text = include_str!("input.json");
    json!({ "input": serde_json::from_str::<Value>(text).unwrap() }).to_string()
}

#[test]
fn a_decision_is_answered_as_advice() {
    let desk = Desk::new(bundle("allow"), None, false);
    for path in ["/v1/data/abide/decision", "/v1/data/abide/main", "/v1/data/abide/main/?metrics=true"] {
        let (status, body) = ask(&desk, path, &question());
        assert_eq!((status, &body["result"]["verdict"]), (200, &json!("allow")), "{body}");
        assert_eq!((&body["abide"]["advice"], &body["abide"]["permit"]), (&json!(true), &Value::Null));
        assert_eq!(body["abide"]["bundle"], body["result"]["bundle"]);
        assert!(body["decision_id"].as_str().unwrap().starts_with("sha256:"));
    }
    let twice =
        (ask(&desk, "/v1/data/abide/main", &question()), ask(&desk, "/v1/data/abide/main", &question()));
    assert_eq!(twice.0, twice.1, "the same question by the same policy is answered the same");
}

#[test]
fn the_floor_of_the_host_is_under_advice() {
    let desk = Desk::new(bundle("allow"), None, false);
    let halted = question().replacen("\"halted\":false", "\"halted\":true", 1);
    assert_ne!(halted, question());
    let (status, body) = ask(&desk, "/v1/data/abide/decision", &halted);
    assert_eq!((status, &body["result"]["verdict"]), (200, &json!("deny")), "{body}");
}

#[test]
fn data_and_rules_are_read_as_opa_reads_them() {
    let desk = Desk::new(bundle("deny"), None, false);
    assert_eq!(get(&desk, "/v1/data/list/1").1["result"], 2);
    assert_eq!(get(&desk, "/v1/data/odd%2Fkey").1["result"], "é");
    assert_eq!(get(&desk, "/v1/data/list/1").1["warning"]["code"], "api_usage_warning");
    let (_, body) = ask(&desk, "/v1/data/abide/greeting", "{\"input\":{\"run\":{\"profile\":\"x\"}}}");
    assert_eq!((&body["result"], body.get("warning")), (&json!("for x"), None));
    let query = "/v1/data/abide/greeting?input=%7B%22run%22%3A%7B%22profile%22%3A%22a+b%22%7D%7D";
    assert_eq!(get(&desk, query).1["result"], "for a b");
    for path in ["/v1/data/no/such", "/v1/data/abide/greeting", "/v1/data/list/9"] {
        assert_eq!(ask(&desk, path, ""), (200, json!({})), "{path}");
    }
    assert_eq!(get(&desk, "/v1/policies").1["result"][0]["id"], "m.rego");
    assert_eq!(get(&desk, "/v1/policies/x.rego").0, 404);
    let pretty = answer(&desk, &Ask { is_post: false, path: "/health", query: "pretty", body: b"" });
    assert_eq!(pretty.text(), "{}");
}

#[test]
fn what_cannot_be_meant_is_an_error_as_opa_words_it() {
    let desk = Desk::new(bundle("allow"), None, false);
    let twice = question().replacen("\"now\":", "\"now\":1,\"now\":", 1);
    for (path, body, status, code) in [
        ("/v1/data/abide/main", "{", 400, "invalid_parameter"),
        ("/v1/data/abide/main", "[]", 400, "invalid_parameter"),
        ("/v1/data/abide/main", "", 400, "invalid_parameter"),
        ("/v1/data/abide/main", "{\"input\":null}", 400, "invalid_parameter"),
        ("/v1/data/abide/main", "{\"input\":{\"actoin\":1}}", 400, "invalid_parameter"),
        ("/v1/data/abide/main", &twice, 400, "invalid_parameter"),
        ("/v1/data/abide/greeting", "{\"input\":{\"rnu\":1}}", 400, "invalid_parameter"),
        ("/v1/data/%ff", "{}", 400, "invalid_parameter"),
        ("/v1/data/abide/bad", "{}", 500, "internal_error"),
        ("/v1/query", "{}", 404, "resource_not_found"),
        ("/health", "{}", 404, "resource_not_found"),
        ("/", "", 404, "resource_not_found"),
    ] {
        let (found, body) = ask(&desk, path, body);
        assert_eq!((found, &body["code"]), (status, &json!(code)), "{path} {body}");
        assert!(body["result"].is_null(), "{path} {body}");
    }
    let near = ask(&desk, "/v1/data/abide/main", "{\"input\":{\"actoin\":1}}").1;
    assert!(near["message"].as_str().unwrap().contains("did you mean `input.action`?"), "{near}");
    assert_eq!(ask(&desk, &format!("/v1/data{}", "/a".repeat(40)), "{}").0, 400);
}

#[test]
fn a_policy_that_breaks_stops_the_answers_unless_somebody_chose_otherwise() {
    let (strict, keeping) = (Desk::new(bundle("allow"), None, false), Desk::new(bundle("allow"), None, true));
    for desk in [&strict, &keeping] {
        assert_eq!(get(desk, "/health"), (200, json!({})));
        desk.broke("AB0102", "m.rego:1:1: why");
    }
    let (status, body) = ask(&strict, "/v1/data/abide/main", &question());
    assert_eq!((status, &body["errors"][0]["code"]), (500, &json!("AB0102")), "{body}");
    assert_eq!(get(&strict, "/v1/data/list").0, 500);
    assert_eq!(get(&strict, "/health"), (500, json!({ "error": "AB0102: m.rego:1:1: why" })));
    assert_eq!(ask(&keeping, "/v1/data/abide/main", &question()).0, 200);
    let (status, body) = get(&keeping, "/health");
    assert_eq!((status, &body["abide"]["stale"]["code"]), (200, &json!("AB0102")));
    assert_eq!(get(&keeping, "/v1/data/list").1["abide"]["stale"]["code"], "AB0102", "so says every answer");
    strict.exchange(bundle("deny"), None);
    let (status, body) = ask(&strict, "/v1/data/abide/main", &question());
    assert_eq!((status, &body["result"]["verdict"]), (200, &json!("deny")));
    assert_eq!(get(&strict, "/health"), (200, json!({})));
}

#[test]
fn that_an_older_policy_answers_is_said_in_every_answer_while_it_lasts() {
    let why = "AB0102: `a.rego` is broken; version 1 keeps serving".to_owned();
    let desk = Desk::new(bundle("allow"), Some(why.clone()), false);
    let said = json!({ "code": "AB0262", "why": why });
    let answers = || {
        [
            ask(&desk, "/v1/data/abide/main", &question()).1,
            get(&desk, "/v1/data/list/1").1,
            get(&desk, "/v1/data/nothing").1,
            get(&desk, "/health").1,
        ]
    };
    assert!(answers().iter().all(|body| body["abide"]["degraded"] == said));
    assert_eq!(get(&desk, "/health").0, 200, "it answers");
    desk.exchange(bundle("deny"), None);
    assert!(answers().iter().all(|body| body["abide"].get("degraded").is_none()));
    desk.exchange(bundle("allow"), Some(why));
    assert!(answers().iter().all(|body| body["abide"]["degraded"] == said));
}
