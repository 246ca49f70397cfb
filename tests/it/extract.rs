//! Records from pages, through the real `ab`, a real browser and the worker `browse`, from the pages of `tests/site`.

use std::io::Write as _;
use std::process::Stdio;

use abide_tests::site::{LIST_ITEMS, PASSWORD, Site, USER};
use serde_json::{Value as Json, json};

use crate::browse::house;
use crate::bundles::House;
use crate::egress::{data, digest, run};
use crate::worker::guest;

/// A house with this schema, whose policy lets `browse` read `site`; `None` where the worker is not built.
fn reader(site: &Site, schema: &Json, more: &Json, fills: &Json) -> Option<House> {
    let browse = guest("browse")?;
    let origin = site.origin();
    let mut rules = vec![
        json!({"allow": "fetch", "origin": origin, "paths": ["/**"], "query": true, "networks": ["127.0.0.1/32"]}),
    ];
    rules.extend(more.as_array().unwrap().iter().cloned());
    let house = house(&digest(&browse), &[origin], &Json::from(rules), fills);
    house.world.write("schemas/record.json", schema.to_string().as_bytes());
    house.world.commit("What is wanted");
    Some(house)
}

/// The lines of a file as the run left it, on the branch that it made.
fn lines(house: &House, path: &str) -> Vec<Json> {
    let committed = data(house, "PatchCommitted").pop().unwrap();
    let commit = committed["commit"].as_str().unwrap_or_else(|| panic!("{committed}"));
    let text = house.world.git(&["show", &format!("{commit}:{path}")]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn extract(house: &House, parameters: &[(&str, &str)]) -> abide_tests::world::Said {
    let mut all = json!({"schema": "schemas/record.json", "path": "data/records.jsonl"});
    for (name, value) in parameters {
        all[*name] = json!(value);
    }
    run(house, "extract-records", &all, &[])
}

#[test]
fn a_table_of_two_hundred_rows() {
    let site = Site::friendly();
    let schema = json!({"type": "object", "required": ["thread", "pitch", "stress_area"], "additionalProperties": false, "properties": {
        "thread": {"type": "string"}, "series": {"enum": ["coarse", "fine"]}, "pitch": {"type": "number"},
        "major": {"type": "number"}, "stress_area": {"type": "number", "x-names": ["Stress area, mm²"]}}});
    let Some(house) = reader(&site, &schema, &json!([]), &json!([])) else { return };
    let url = format!("{}/threads.html", site.origin());
    extract(&house, &[("urls", &url), ("hints", r#"{"key": ["thread"]}"#)]);
    let records = lines(&house, "data/records.jsonl");
    assert_eq!(records.len(), 200);
    assert!(records.contains(
        &json!({"thread": "M4", "series": "coarse", "pitch": 0.7, "major": 4, "stress_area": 8.78})
    ));
    let origins = lines(&house, "data/records.provenance.jsonl");
    assert_eq!((origins.len(), &origins[0]["url"]), (201, &json!(url)));
    let m4 = origins.iter().find(|line| line["record"]["thread"] == "M4").unwrap();
    assert_eq!(m4["values"]["/pitch"], json!({"css": ":scope > td:nth-of-type(2)", "raw": "0.7"}));
    // The snapshot that it names is the one that the host keeps.
    let used = data(&house, "EgressUsed").pop().unwrap();
    let album: Json = serde_json::from_slice(&crate::web::blob(&house, &used["pages"]["album"])).unwrap();
    assert_eq!(album["sights"][0]["snapshot"], origins[0]["snapshot"]);
    house.world.ab(&["verify"]).exits(0);
    // The same for people: each value outlined on the picture, nothing that runs or asks.
    let page = house.world.beside("pages.html");
    house.world.ab(&["show", "--html", page.to_str().unwrap()]).exits(0).says("wrote");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.matches("<rect ").count() >= 3 * 200, "{}", page.matches("<rect ").count());
    assert!(page.contains("data:image/png;base64,") && page.contains("default-src 'none'"));
    assert!(!page.contains("<script") && !page.contains("src=\"http"), "nothing runs, nothing is fetched");
    // From what the worker was shown: the same bytes, and nobody is asked again.
    let asked = site.asked().len();
    house.world.ab(&["replay"]).exits(0).says("0 differ");
    assert_eq!(site.asked().len(), asked);
}

#[test]
fn a_list_that_goes_on_over_several_pages() {
    let site = Site::friendly();
    let schema = json!({"type": "object", "title": "Part", "required": ["lot", "price", "url"], "additionalProperties": false, "properties": {
        "lot": {"type": "integer"}, "price": {"type": "number"}, "url": {"type": "string", "format": "uri"}}});
    let Some(house) = reader(&site, &schema, &json!([]), &json!([])) else { return };
    let url = format!("{}/list", site.origin());
    extract(&house, &[("urls", &url), ("next", "[rel=next]"), ("hints", r#"{"key": ["lot"]}"#)]);
    let records = lines(&house, "data/records.jsonl");
    assert_eq!(records.len(), LIST_ITEMS);
    assert!(
        records
            .iter()
            .all(|record| record["url"].as_str().unwrap().starts_with(&format!("{}/part/", site.origin())))
    );
    let lots: Vec<i64> = records.iter().map(|record| record["lot"].as_i64().unwrap()).collect();
    assert!(lots.is_sorted(), "{lots:?}");
}

#[test]
fn who_signs_in_reads_what_is_behind() {
    let site = Site::friendly();
    let Some(browse) = guest("browse") else { return };
    let schema = json!({"type": "object", "required": ["number", "pieces"], "properties": {
        "number": {"type": "string"}, "part": {"type": "string"}, "pieces": {"type": "integer"}}});
    let send = json!([{"allow": "send", "origin": site.origin(), "methods": ["POST"], "exact": ["/session"], "networks": ["127.0.0.1/32"]}]);
    let fills = json!([{"secret": "vault:orders", "component": digest(&browse), "origin": site.origin()}]);
    let Some(house) = reader(&site, &schema, &send, &fills) else { return };
    keep(&house, "orders", PASSWORD);
    let login = json!([{"open": format!("{}/login.html", site.origin())}, {"fill": {"selector": "[name=account]", "value": USER}},
        {"fill": {"selector": "[name=password]", "secret": "orders"}}, {"click": "button"}, {"wait-for": "#orders"}]);
    let url = format!("{}/orders", site.origin());
    extract(&house, &[("urls", &url), ("login", &login.to_string())]);
    assert_eq!(
        lines(&house, "data/records.jsonl"),
        [
            json!({"number": "2026-0007", "part": "HB-M8-30", "pieces": 400}),
            json!({"number": "2026-0011", "part": "DGBB-608", "pieces": 16})
        ]
    );
    assert!(site.asked().iter().any(|asked| asked.method == "POST" && asked.holds(PASSWORD)));
    let log = Json::from(house.world.log()).to_string();
    assert!(!log.contains(PASSWORD));
}

/// Puts a secret into the vault.
pub(crate) fn keep(house: &House, name: &str, secret: &str) {
    let mut command = house.world.command(&abide_tests::world::ab());
    command.current_dir(house.world.repo()).args(["secret", "set", name]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}
