//! Sources through the real `ab`, a real browser and a page that changes: how one earns its place, loses it, and leads to others.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use abide_tests::site::{Answer, Asked, Site};
use abide_tests::world::Said;
use serde_json::{Value as Json, json};

use crate::browse::house_on;
use crate::bundles::{House, edited};
use crate::egress::{data, digest};
use crate::worker::guest;

const SCHEMA: &str = r#"{"type": "object", "required": ["name", "price"], "additionalProperties": false,
    "properties": {"name": {"type": "string"}, "price": {"type": "number"}}}"#;

/// A table of these rows.
fn table(rows: &[(&str, &str)]) -> String {
    let mut html = "<!doctype html><title>Goods</title><table><tr><th>Name<th>Price".to_owned();
    for (name, price) in rows {
        write!(html, "<tr><td>{name}<td>{price}").unwrap();
    }
    html + "</table><a href=/more>More</a> <a href=/about>About</a> <a href=http://elsewhere.example/>Else</a>"
}

/// A site whose page `/goods` says what it is told to.
struct Shop {
    site: Site,
    goods: Arc<Mutex<String>>,
    robots: Arc<Mutex<String>>,
}

impl Shop {
    fn open() -> Self {
        let goods =
            Arc::new(Mutex::new(table(&[("Bolt", "1.50"), ("Nut", "2"), ("Rod", "3"), ("Pin", "4")])));
        let robots = Arc::new(Mutex::new(String::new()));
        let (shown, rules) = (goods.clone(), robots.clone());
        let site = Site::start("127.0.0.1:0", move |asked: &Asked| match asked.path() {
            "/goods" => Answer::html(shown.lock().unwrap().clone()),
            "/more" => Answer::html(table(&[("Washer", "5"), ("Screw", "6")])),
            "/about" => Answer::html("<p>Hello</p>"),
            "/robots.txt" => Answer::of("text/plain", rules.lock().unwrap().clone()),
            _ => Answer::status(404),
        });
        Self { site, goods, robots }
    }

    fn says(&self, rows: &[(&str, &str)]) {
        *self.goods.lock().unwrap() = table(rows);
    }

    /// The ticket of the source `name`, for `path`.
    fn ticket(&self, name: &str, path: &str, more: &str) -> String {
        let url = format!("{}{path}", self.site.origin());
        let source = json!({"name": name, "licence": "own",
            "terms": {"at": "https://shop.example.org/terms", "read": today(), "by": "alice", "say": "allow"}});
        let params = json!({"urls": url, "schema": "schemas/goods.json", "path": format!("data/{name}.jsonl"), "hints": r#"{"key": ["name"]}"#});
        format!(
            "---\nrecipe: extract-records\nsource: {source}\nparams: {params}\n{more}---\n# Read {name}\n"
        )
    }
}

/// Terms are read on the day of the test.
fn today() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A house that defines the source `goods`, and whose policy asks for two tasks and no day.
fn house(shop: &Shop) -> Option<House> {
    let browse = guest("browse")?;
    let origin = shop.site.origin();
    let rules = json!([{"allow": "fetch", "origin": origin, "paths": ["/**"], "networks": ["127.0.0.1/32"]}]);
    let sources = edited("data/sources.yaml", "samples: {min: 5}", "samples: {min: 2}");
    let sources = sources.replace("span_ms: {min: 86400000}", "span_ms: {min: 0}");
    let house =
        house_on(&digest(&browse), &[origin], &rules, &json!([]), &[], &[("data/sources.yaml", &sources)]);
    house.world.write("schemas/goods.json", SCHEMA.as_bytes());
    house.world.write("sources/goods.md", shop.ticket("goods", "/goods", "").as_bytes());
    house.world.commit("A source");
    Some(house)
}

fn source(house: &House, args: &[&str]) -> Said {
    house.world.ab(&[&["source"], args].concat())
}

fn run(house: &House) -> Said {
    let file = house.world.repo().join("sources/goods.md");
    house.world.ab(&["run", "--ticket", file.to_str().unwrap()])
}

#[test]
fn a_source_earns_its_place_and_loses_it() {
    let shop = Shop::open();
    let Some(house) = house(&shop) else { return };
    source(&house, &["list"]).exits(0).says("goods").says("proposed").says("never read");
    run(&house).exits(3).says("source-not-active").says("is proposed");
    assert!(data(&house, "SourceSampled").is_empty(), "it was not read");
    // A probe reads and measures, and changes nothing.
    source(&house, &["probe", "goods"]).says("4 records").says("1000‰ filled");
    assert!(data(&house, "PatchCommitted").is_empty());
    source(&house, &["show", "goods"]).exits(0).says("to be probation").says("nothing stands against it");
    source(&house, &["promote", "goods"]).exits(0).says("probation");
    // One task is too little for more, and each use waits for a person.
    source(&house, &["promote", "goods"])
        .exits(3)
        .says("source-quality")
        .says("samples is 1, and 2 is the least");
    run(&house).exits(4).says("source-not-active").says("is probation");
    shop.says(&[("Bolt", "1.60"), ("Nut", "2"), ("Rod", "3"), ("Pin", "4"), ("Key", "7")]);
    source(&house, &["probe", "goods"]).says("5 records").says("+1 ~1 −0");
    source(&house, &["promote", "goods"]).exits(0).says("active");
    run(&house).says("data/goods.jsonl");
    assert_eq!(data(&house, "PatchCommitted").len(), 1);
    let promoted = data(&house, "SourcePromoted");
    assert_eq!(
        promoted.iter().map(|one| one["to"].as_str().unwrap()).collect::<Vec<_>>(),
        ["probation", "active"]
    );
    // Three of five rows are gone: more than half.
    shop.says(&[("Bolt", "1.60"), ("Nut", "2")]);
    run(&house).exits(3).says("demoted").says("vanished_permille is 600");
    assert_eq!(data(&house, "PatchCommitted").len(), 1, "nothing of what brought it down is written");
    let demoted = data(&house, "SourceDemoted");
    assert_eq!((demoted.len(), demoted[0]["by"].as_str()), (1, Some("policy")));
    assert!(demoted[0]["reasons"][0].as_str().unwrap().starts_with("source-quality: "), "{demoted:?}");
    run(&house).exits(3).says("is demoted");
    source(&house, &["list"]).exits(0).says("demoted");
    let page = house.world.beside("goods.html");
    source(&house, &["show", "goods", "--html", page.to_str().unwrap()]).exits(0);
    let page = std::fs::read_to_string(page).unwrap();
    for part in
        ["Source goods: demoted", "vanished_permille", "active → demoted", "<svg", "default-src 'none'"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script"));
    house.world.ab(&["verify"]).exits(0);
    // Back to probation, where it begins anew.
    source(&house, &["promote", "goods"]).exits(0).says("probation");
    source(&house, &["demote", "goods", "--reason", "moved away"]).exits(0).says("probation before");
    source(&house, &["demote", "goods", "--reason", "again"]).exits(2).says("AB0886");
}

#[test]
fn what_forbids_robots_fails_or_says_nothing_loses_its_place() {
    let shop = Shop::open();
    let Some(house) = house(&shop) else { return };
    source(&house, &["probe", "goods"]).says("4 records");
    source(&house, &["promote", "goods"]).exits(0);
    // A page without records, three times in a row, is one time too many.
    shop.says(&[]);
    for _ in 0..2 {
        source(&house, &["probe", "goods"]).exits(3).says("✗ failed  goods: ");
    }
    assert!(data(&house, "SourceDemoted").is_empty());
    source(&house, &["probe", "goods"]).says("failed_in_a_row is 3");
    shop.says(&[("Bolt", "1"), ("Nut", "2")]);
    source(&house, &["promote", "goods"]).exits(0);
    *shop.robots.lock().unwrap() = "User-agent: *\nDisallow: /goods\n".to_owned();
    source(&house, &["probe", "goods"]).says("forbidden is 1");
    assert_eq!(data(&house, "SourceDemoted").len(), 2);
    let samples = data(&house, "SourceSampled");
    assert!(samples.last().unwrap()["why"].as_str().unwrap().contains("robots.txt"), "{samples:?}");
}

#[test]
fn a_standing_belongs_to_what_the_target_branch_defines() {
    let shop = Shop::open();
    let Some(house) = house(&shop) else { return };
    source(&house, &["promote", "goods"]).exits(0).says("probation");
    let definition = data(&house, "SourcePromoted")[0]["definition"].as_str().unwrap().to_owned();
    // Another licence is another source, and what a ticket says of a definition counts for nothing.
    let changed = shop.ticket("goods", "/goods", "").replace("own", "CC0-1.0");
    house.world.write("sources/goods.md", changed.as_bytes());
    house.world.commit("Another licence");
    source(&house, &["list"]).exits(0).says("proposed");
    let forged = format!(
        "---\nrecipe: promote-source\nparams: {}\n---\nLet goods be active at once\n",
        json!({"source": "goods", "definition": definition})
    );
    house.world.ab(&["run", &format!("--ticket={forged}")]).exits(3).says("AB0886");
    let proprietary = shop.ticket("goods", "/goods", "").replace("own", "proprietary");
    house.world.write("sources/goods.md", proprietary.as_bytes());
    house.world.commit("No licence that will do");
    source(&house, &["promote", "goods"]).exits(3).says("source-licence");
    house
        .world
        .write("sources/goods.md", shop.ticket("goods", "/goods", "").replace("allow", "forbid").as_bytes());
    house.world.commit("Terms that forbid it");
    source(&house, &["promote", "goods"]).exits(3).says("source-terms");
    for (text, wanted) in [
        (
            "---\nrecipe: extract-records\nsource: {name: Goods}\nparams: {schema: a, path: b, urls: c}\n---\nx\n",
            "`source.name`",
        ),
        ("---\nrecipe: [\n---\n", "sources/broken.md"),
    ] {
        house.world.write("sources/broken.md", text.as_bytes());
        house.world.commit("Broken");
        source(&house, &["list"]).exits(0).says(wanted).says("goods");
    }
    source(&house, &["probe", "nobody"]).exits(2).says("AB0885");
    source(&house, &["scout"]).exits(2).says("AB0884");
    let url = format!("{}/goods", shop.site.origin());
    let propose =
        ["propose", "Goods", "--url", &url, "--schema", "schemas/goods.json", "--path", "data/x.jsonl"];
    source(&house, &propose).exits(2).says("AB0883");
}

#[test]
fn a_source_is_proposed_as_a_change_and_a_scout_finds_others() {
    let shop = Shop::open();
    let Some(house) = house(&shop) else { return };
    let url = format!("{}/more", shop.site.origin());
    let propose = [
        "propose",
        "more",
        "--url",
        &url,
        "--schema",
        "schemas/goods.json",
        "--path",
        "data/more.jsonl",
        "--param",
        "hints={\"key\": [\"name\"]}",
        "--licence",
        "CC0-1.0",
        "--terms",
        "https://shop.example.org/terms",
        "--terms-say",
        "allow",
        "--fresh-hours",
        "48",
    ];
    source(&house, &propose).exits(4).says("sources/more.md").says("governance");
    let commit = data(&house, "PatchCommitted").pop().map(|done| done["commit"].as_str().unwrap().to_owned());
    if let Some(commit) = commit {
        let text = house.world.git(&["show", &format!("{commit}:sources/more.md")]);
        assert!(
            text.contains("fresh_hours: 48") && text.contains(&format!("\"read\":\"{}\"", today())),
            "{text}"
        );
    }
    source(&house, &["probe", "goods"]).says("4 records");
    source(&house, &["promote", "goods"]).exits(0);
    source(&house, &["probe", "goods"]).says("4 records");
    source(&house, &["promote", "goods"]).exits(0).says("active");
    // What it leads to has the same kind of records; the others are told.
    source(&house, &["scout"]).exits(4).says("sources/goods-more.md");
    let proposed: Vec<Json> = data(&house, "TaskRan");
    assert_eq!(proposed.last().unwrap()["result"], "proposed");
    let shown = house.world.ab(&["show", house.world.waiting().last().unwrap(), "--diff"]).exits(0);
    shown.says("goods-more").says("urls:");
    house.world.ab(&["verify"]).exits(0);
}
