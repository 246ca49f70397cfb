//! The worker that makes records of pages, over a browser that the test plays: in this process, behind the walls, interpreted and from its transcript; and what
//! large and hostile pages do to it under the limits that ship.

use abide_core::page::{Browse, BrowseFailure, Browsed, Element, Link, PageAsk, PageId, Snapshot};
use abide_sandbox::{Egress, EgressFailure, EgressRequest, EgressResponse, Limits, RunRequest, RunResult};

use crate::setup::{Bench, guest, repository, shipped_engine_limits, shipped_limits, task};

/// A site of numbered pages; the first has a link to the second.
#[derive(Debug)]
struct Site;

const SCHEMA: &str = r#"{"type": "object", "required": ["name", "price"], "properties": {
    "name": {"type": "string"}, "price": {"type": "number"}, "url": {"type": "string", "format": "uri"}}}"#;

fn url(page: u32) -> String {
    format!("https://a.example/{page}")
}

#[expect(clippy::format_collect, reason = "pages that are made once")]
fn html(page: u32) -> String {
    let table = |rows: std::ops::Range<u32>| {
        let rows = rows.map(|n| format!("<tr><td>Part {n}<td>{n}.5 €<td><a href='/p/{n}'>see</a></tr>\n"));
        format!(
            "<table><thead><tr><th>Name<th>Price<th>Url</thead><tbody>{}</table>",
            rows.collect::<String>()
        )
    };
    match page {
        1 => format!("{}<a class=next href=/2>more</a>", table(0..2)),
        2 => table(2..4),
        3 => table(0..20_000),
        9 => table(0..5_000),
        4 => "<div>".repeat(200_000),
        5 => format!("<a {}>", (0..400_000).map(|n| format!("a{n} ")).collect::<String>()),
        6 => (0..2_000).map(|n| format!("<p><b a={n}>x</p>")).collect(),
        7 => "<table>x".repeat(400) + &"y<br>".repeat(100_000),
        _ => (0..30_000).map(|n| format!("<div class='a{}'><p class=name>x</p></div>", n % 97)).collect(),
    }
}

impl Egress for Site {
    fn fetch(&self, _: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        Err(EgressFailure::Refused("pages only".to_owned()))
    }

    fn browse(&self, ask: Browse) -> Result<Browsed, BrowseFailure> {
        let path = "html > body > a".to_owned();
        Ok(match ask {
            Browse::Open(address) => {
                let page = (1..=9).find(|page| url(*page) == address);
                Browsed::Opened(PageId(page.ok_or(BrowseFailure::Refused("no rule [AB0903]".to_owned()))?))
            }
            Browse::Of(PageId(page), PageAsk::Snapshot) => {
                let digest = format!("sha256:{page:064x}");
                Browsed::Snapshot(Snapshot { url: url(page), digest, html: html(page) })
            }
            Browse::Of(PageId(1), PageAsk::Query { .. }) => {
                let (tag, text) = ("a".to_owned(), "more".to_owned());
                Browsed::Elements(vec![Element { path, tag, text, attributes: vec![] }])
            }
            Browse::Of(_, PageAsk::Query { selector, .. }) => return Err(BrowseFailure::NotFound(selector)),
            Browse::Of(_, PageAsk::Links) => {
                Browsed::Links(vec![Link { url: url(2), text: String::new(), path, rel: String::new() }])
            }
            Browse::Of(page, PageAsk::Url) => Browsed::Text(url(page.0)),
            Browse::Of(_, PageAsk::Close) => Browsed::Done,
            Browse::Of(..) => return Err(BrowseFailure::Failed("not played".to_owned())),
        })
    }

    fn has_read(&self, _: &[u8]) {}
}

fn ask(page: u32, more: &[(&str, &str)]) -> abide_sandbox::Task {
    let url = url(page);
    let mut parameters = vec![("urls", url.as_str()), ("schema", "goods.json"), ("path", "goods.jsonl")];
    parameters.extend(more);
    task("extract-records", &parameters)
}

#[test]
fn pages_become_records_wherever_it_runs() {
    let Some(mut bench) = Bench::of("browse") else { return };
    bench.request.limits.browser_calls_max = 100;
    let base = repository(&[("goods.json", SCHEMA)]);
    let outcome =
        bench.run_over(ask(1, &[("next", ".next"), ("hints", r#"{"key": ["name"]}"#)]), &base, &Site);
    let RunResult::Proposed(proposal) = &outcome.result else { panic!("{:?}", outcome.result) };
    let hunk = &proposal.patch.files[0].hunks[0];
    assert!(
        hunk.starts_with(
            "@@ -0,0 +1,4 @@\n+{\"name\":\"Part 0\",\"price\":0.5,\"url\":\"https://a.example/p/0\"}\n"
        ),
        "{hunk}"
    );
    let origins = &proposal.patch.files[1];
    assert_eq!(origins.path.as_str(), "goods.provenance.jsonl");
    assert!(origins.hunks[0].contains("\"snapshot\":\"sha256:0000"), "{}", origins.hunks[0]);
    let refused = bench.run_over(ask(10, &[]), &base, &Site);
    let RunResult::Failed(failure) = &refused.result else { panic!("{:?}", refused.result) };
    assert!(failure.message.contains("no rule [AB0903]"), "{failure:?}");
}

/// Under `worker-browser` of `policies/data/grants.yaml`, with `wall_ms_max` of the shipped default.
#[test]
fn large_and_hostile_pages_end_within_the_limits_that_ship() {
    let Some(bytes) = guest("browse") else { return };
    let limits = Limits {
        hostcall_bytes_max: 16 << 20,
        output_bytes_max: 16 << 20,
        browser_pages_max: 100,
        browser_calls_max: 2_000,
        browser_bytes_max: 128 << 20,
        ..shipped_limits()
    };
    let bench = Bench::of_bytes(&bytes, shipped_engine_limits(), limits);
    let base = repository(&[("goods.json", SCHEMA)]);
    for (page, wanted) in [
        (9, None),
        (3, Some("20000 records and where they come from are a patch of")),
        (4, Some("512 deep")),
        (5, Some("2000 attributes")),
        (6, Some("600000 nodes")),
        (7, Some("no strategy found records")),
        (8, Some("no strategy found records")),
    ] {
        let request = RunRequest { task: ask(page, &[]), ..bench.request.clone() };
        let outcome = bench.behind.run_with(&request, &*base.port(), &Site);
        eprintln!("page {page}: {} bytes, {:?}", html(page).len(), outcome.spent);
        match (&outcome.result, wanted) {
            (RunResult::Proposed(proposal), None) => {
                assert!(proposal.patch.files[0].hunks[0].starts_with("@@ -0,0 +1,5000 @@\n"));
            }
            (RunResult::Failed(failure), Some(wanted)) => {
                assert!(failure.message.contains(wanted), "{failure:?}");
            }
            (other, _) => panic!("page {page}: {other:?}"),
        }
    }
}
