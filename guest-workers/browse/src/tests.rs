use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use records::Snapshot;
use worker_kit::browser::BrowseError;
use worker_kit::{MemoryFiles, Parameter, TaskLimits};

use super::visit::{Browser, Page};
use super::*;

/// A site in memory: pages by address. `a.next` is a link, `button.next` leads to the address in its `formaction`.
#[derive(Clone, Default)]
struct Site(Rc<Inner>);

#[derive(Default)]
struct Inner {
    pages: BTreeMap<String, String>,
    said: RefCell<Vec<String>>,
}

struct Open {
    site: Site,
    at: RefCell<String>,
}

impl Site {
    fn of(pages: &[(&str, &str)]) -> Self {
        let pages = pages.iter().map(|(url, html)| ((*url).to_owned(), (*html).to_owned())).collect();
        Self(Rc::new(Inner { pages, said: RefCell::default() }))
    }

    fn say(&self, what: String) {
        self.0.said.borrow_mut().push(what);
    }
}

impl Browser for Site {
    fn open(&self, url: &str) -> Result<Box<dyn Page>, BrowseError> {
        self.say(format!("open {url}"));
        if !self.0.pages.contains_key(url) {
            return Err(BrowseError::Refused("AB0901: no rule".to_owned()));
        }
        Ok(Box::new(Open { site: self.clone(), at: RefCell::new(url.to_owned()) }))
    }
}

impl Open {
    fn html(&self) -> String {
        self.site.0.pages.get(&*self.at.borrow()).cloned().unwrap_or_default()
    }

    /// What stands after `mark` in quotes.
    fn after(&self, mark: &str) -> Option<String> {
        let html = self.html();
        let rest = html.split_once(mark)?.1;
        Some(rest.split('"').next().unwrap_or_default().to_owned())
    }
}

impl Page for Open {
    fn url(&self) -> Result<String, BrowseError> {
        Ok(self.at.borrow().clone())
    }

    fn path(&self, selector: &str) -> Result<String, BrowseError> {
        let here = self.html().contains("class=next");
        if here { Ok("html > body > x".to_owned()) } else { Err(BrowseError::NotFound(selector.to_owned())) }
    }

    fn links(&self) -> Result<Vec<(String, String)>, BrowseError> {
        Ok(self
            .after("class=next href=\"")
            .map(|url| (url, "html > body > x".to_owned()))
            .into_iter()
            .collect())
    }

    fn texts(&self, selector: &str, _: u32) -> Result<Vec<String>, BrowseError> {
        let html = self.html();
        let open = format!("<{selector}>");
        let parts = html.split(&open).skip(1);
        Ok(parts.filter_map(|part| part.split('<').next()).map(str::to_owned).collect())
    }

    fn click(&self, selector: &str) -> Result<(), BrowseError> {
        self.site.say(format!("click {selector}"));
        if let Some(url) = self.after("class=next formaction=\"") {
            *self.at.borrow_mut() = url;
        }
        Ok(())
    }

    fn fill(&self, selector: &str, value: &str) -> Result<(), BrowseError> {
        self.site.say(format!("fill {selector} {value}"));
        Ok(())
    }

    fn fill_secret(&self, selector: &str, secret: &str) -> Result<(), BrowseError> {
        self.site.say(format!("fill-secret {selector} {secret}"));
        Ok(())
    }

    fn wait_for(&self, selector: &str, _: u32) -> Result<(), BrowseError> {
        self.site.say(format!("wait-for {selector}"));
        Ok(())
    }

    fn scroll(&self) -> Result<bool, BrowseError> {
        self.site.say("scroll".to_owned());
        Ok(self.site.0.said.borrow().iter().filter(|said| *said == "scroll").count() < 3)
    }

    fn snapshot(&self) -> Result<Snapshot, BrowseError> {
        let html = self.html();
        Ok(Snapshot { url: self.at.borrow().clone(), digest: format!("sha256:{:064x}", html.len()), html })
    }

    fn close(&self) {
        self.site.say(format!("close {}", self.at.borrow()));
    }
}

/// Files that note when they are read.
struct Noted<'a>(&'a Site, MemoryFiles);

impl Files for Noted<'_> {
    fn list(&self, prefix: &str) -> Result<Vec<worker_kit::Entry>, worker_kit::WorkspaceError> {
        self.1.list(prefix)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, worker_kit::WorkspaceError> {
        self.0.say(format!("read {path}"));
        self.1.read(path)
    }

    fn search(
        &self,
        query: &str,
        options: &worker_kit::SearchOptions,
    ) -> Result<worker_kit::SearchResult, worker_kit::WorkspaceError> {
        self.1.search(query, options)
    }
}

const SCHEMA: &str = r#"{"type": "object", "required": ["name", "price"],
    "properties": {"name": {"type": "string"}, "price": {"type": "number"}}}"#;
const FIRST: &str = r#"<table><tr><th>Name<th>Price<tr><td>Bolt<td>1.50</table><a class=next href="https://a.example/2">more</a>"#;
const SECOND: &str = r#"<table><tr><th>Name<th>Price<tr><td>Nut<td>2<tr><td>Pin<td>call us<tr><td>Rod<td>3</table><button class=next formaction="https://a.example/3">"#;
const THIRD: &str = "<table><tr><th>Name<th>Price<tr><td>Bolt<td>1.50</table>";

fn task(parameters: &[(&str, &str)]) -> Task {
    let standard = [("schema", "goods.schema.json"), ("path", "data/goods.jsonl")];
    Task {
        id: "t".to_owned(),
        recipe: "extract-records".to_owned(),
        parameters: standard
            .iter()
            .chain(parameters)
            .map(|(key, value)| Parameter { key: (*key).to_owned(), value: (*value).to_owned() })
            .collect(),
        scope: Vec::new(),
        base: "5b1c000000000000000000000000000000000000".to_owned(),
        limits: TaskLimits {
            files_max: 10,
            output_bytes_max: 1 << 20,
            workspace_bytes_max: 1 << 20,
            workspace_calls_max: 100,
        },
    }
}

fn site() -> Site {
    Site::of(&[
        ("https://a.example/1", FIRST),
        ("https://a.example/2", SECOND),
        ("https://a.example/3", THIRD),
    ])
}

fn run(site: &Site, files: &[(&str, &str)], parameters: &[(&str, &str)]) -> Result<Proposal, Failure> {
    let files = files.iter().copied().chain([("goods.schema.json", SCHEMA)]);
    let files = Noted(site, MemoryFiles::new(files));
    propose(&task(parameters), &files, site)
}

#[test]
fn pages_are_followed_and_become_two_files() {
    let site = site();
    let parameters = [
        ("urls", "https://a.example/1"),
        ("next", ".next"),
        ("hints", r#"{"key": ["name"], "strategies": ["tables"]}"#),
    ];
    let proposal = run(&site, &[], &parameters).unwrap();
    let paths: Vec<&str> = proposal.patch.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["data/goods.jsonl", "data/goods.provenance.jsonl"]);
    assert_eq!(
        proposal.patch.files[0].hunks,
        [
            "@@ -0,0 +1,3 @@\n+{\"name\":\"Bolt\",\"price\":1.5}\n+{\"name\":\"Nut\",\"price\":2}\n+{\"name\":\"Rod\",\"price\":3}\n"
        ]
    );
    for told in [
        "3 records from 3 pages, by tables.",
        "`html > body > table > tbody > tr:nth-of-type(3)`: `price` `call us` is not a number",
        "\"Bolt\" came 1 times more",
        "No record on 1 pages: https://a.example/3.",
    ] {
        assert!(proposal.rationale.contains(told), "{told}\n{}", proposal.rationale);
    }
    assert_eq!(proposal.sources.len(), 3);
    let said = site.0.said.borrow();
    let read = said.iter().position(|said| said.starts_with("read")).unwrap();
    let last = said.iter().rposition(|said| !said.starts_with("read")).unwrap();
    assert!(last < read, "every page is closed before anything is read: {said:?}");
    assert!(said.contains(&"click html > body > x".to_owned()), "a button is clicked: {said:?}");
    assert_eq!(said.iter().filter(|said| said.starts_with("open")).count(), 2, "a link is opened: {said:?}");
}

#[test]
fn what_vanished_is_told_and_what_is_the_same_is_nothing_to_do() {
    let parameters = [("urls", "https://a.example/3"), ("hints", r#"{"key": ["name"]}"#)];
    let old = "{\"name\":\"Bolt\",\"price\":\"1\",\"size\":4}\n{\"name\":\"Gone\",\"price\":\"2\"}\n";
    let proposal = run(&site(), &[("data/goods.jsonl", old)], &parameters).unwrap();
    for told in [
        "VANISHED: 1 (\"Gone\")",
        "DRIFT: no record has `size` any more",
        "DRIFT: `price` was a text, and is a number",
    ] {
        assert!(proposal.rationale.contains(told), "{told}\n{}", proposal.rationale);
    }
    let same = [
        ("data/goods.jsonl", "{\"name\":\"Bolt\",\"price\":1.5}\n"),
        ("data/goods.provenance.jsonl", "old\n"),
    ];
    assert_eq!(run(&site(), &same, &parameters).unwrap_err().kind, FailureKind::NothingToDo);
}

#[test]
fn a_login_is_done_first_and_the_secret_is_only_named() {
    let site = site();
    let login = r##"[{"open": "https://a.example/3"}, {"fill": {"selector": "#user", "value": "bot"}},
        {"fill": {"selector": "#word", "secret": "shop-login"}}, {"click": "#go"}, {"wait-for": ".home"}]"##;
    let parameters =
        [("urls", "https://a.example/3"), ("login", login), ("wait-for", "table"), ("scroll", "9")];
    run(&site, &[], &parameters).unwrap();
    assert_eq!(
        site.0.said.borrow()[..9],
        [
            "open https://a.example/3",
            "fill #user bot",
            "fill-secret #word shop-login",
            "click #go",
            "wait-for .home",
            "close https://a.example/3",
            "open https://a.example/3",
            "wait-for table",
            "scroll"
        ]
    );
    assert_eq!(
        site.0.said.borrow().iter().filter(|said| *said == "scroll").count(),
        3,
        "until nothing is left"
    );
}

#[test]
fn addresses_may_stand_in_a_file() {
    let list = "# Goods\nhttps://a.example/3\n\nhttps://a.example/2\nhttps://a.example/3\n";
    let proposal = run(&site(), &[("sources/goods.txt", list)], &[("source", "sources/goods.txt")]).unwrap();
    assert!(proposal.rationale.starts_with("3 records from 2 pages"), "{}", proposal.rationale);
}

#[test]
fn a_page_that_leads_back_ends_it() {
    let site =
        Site::of(&[("https://a.example/1", FIRST), ("https://a.example/2", &FIRST.replace("/2", "/1"))]);
    let proposal = run(&site, &[], &[("urls", "https://a.example/1"), ("next", ".next")]).unwrap();
    assert!(proposal.rationale.contains("`https://a.example/1` came again"), "{}", proposal.rationale);
    let parameters = [("urls", "https://a.example/1"), ("next", ".next"), ("pages_max", "1")];
    let proposal = run(&site, &[], &parameters).unwrap();
    assert!(proposal.rationale.contains("has a next page that was not opened"), "{}", proposal.rationale);
}

#[test]
fn what_cannot_be_done_is_said() {
    let check = |parameters: &[(&str, &str)], kind: FailureKind, wanted: &str| {
        let told = run(&site(), &[("bad.json", "{")], parameters).unwrap_err();
        assert_eq!(told.kind, kind, "{told:?}");
        assert!(told.message.contains(wanted), "{told:?}");
    };
    let url = ("urls", "https://a.example/3");
    let bad = FailureKind::BadParameter;
    check(&[], bad, "one of the parameters `urls` and `source`");
    check(&[("urls", "ftp://a.example/")], bad, "not an address of the web");
    check(&[("urls", " ")], bad, "no address");
    check(&[url, ("colour", "red")], bad, "`colour`");
    check(&[url, ("pages_max", "many")], bad, "`pages_max`");
    check(&[url, ("login", r#"[{"click": "a"}]"#)], bad, "first step");
    check(
        &[url, ("login", r#"[{"open": "x"}, {"fill": {"selector": "a"}}]"#)],
        bad,
        "one of `value` and `secret`",
    );
    check(&[url, ("login", r#"[{"run": "x"}]"#)], bad, "not a list of steps");
    check(&[url, ("hints", "bad.json")], bad, "`bad.json`: EOF");
    check(&[url, ("hints", r#"{"key": ["x"]}"#)], bad, "`x` is not a property");
    check(&[("urls", "https://b.example/")], FailureKind::Unsupported, "`https://b.example/`: AB0901");
    check(
        &[url, ("hints", r#"{"strategies": ["json-ld"]}"#)],
        FailureKind::Unsupported,
        "json-ld: nothing of the kind",
    );
    let mut small = task(&[url]);
    small.limits.output_bytes_max = 100;
    let files = MemoryFiles::new([("goods.schema.json", SCHEMA)]);
    assert_eq!(propose(&small, &files, &site()).unwrap_err().kind, FailureKind::TooLarge);
    small.recipe = "guess".to_owned();
    assert_eq!(propose(&small, &files, &site()).unwrap_err().kind, FailureKind::UnknownRecipe);
}

/// A page of its own, another with the same records, one without any, and one where no rule leads.
fn beside() -> Site {
    let own = format!("{THIRD}<a class=next href=\"https://a.example/more/nuts.html\">more</a>");
    Site::of(&[
        ("https://a.example/list", &own),
        ("https://a.example/more/nuts.html", SECOND),
        ("https://a.example/same", THIRD),
        ("https://a.example/about", "<p>Hello</p>"),
        (
            "https://a.example/sitemap.xml",
            "<loc>https://a.example/same</loc><loc>https://a.example/about</loc><loc>https://c.example/</loc>\
             <loc>https://a.example/known#x</loc><loc>javascript:1</loc>",
        ),
    ])
}

fn scout(site: &Site, files: &[(&str, &str)], parameters: &[(&str, &str)]) -> Result<Proposal, Failure> {
    let standard = [
        ("from", "goods"),
        ("urls", "https://a.example/list"),
        ("folder", "sources/"),
        ("known", "https://a.example/known"),
        ("hints", r#"{"key": ["name"]}"#),
    ];
    let parameters: Vec<(&str, &str)> = standard.iter().chain(parameters).copied().collect();
    let task = Task { recipe: "scout-sources".to_owned(), ..task(&parameters) };
    let files = files.iter().copied().chain([("goods.schema.json", SCHEMA)]);
    propose(&task, &Noted(site, MemoryFiles::new(files)), site)
}

#[test]
fn a_scout_proposes_what_has_the_same_records() {
    let site = beside();
    let proposal = scout(&site, &[("sources/goods-more-nuts.md", "taken")], &[]).unwrap();
    let files: Vec<_> =
        proposal.patch.files.iter().map(|file| (file.path.as_str(), file.hunks.concat())).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let (path, text) = &files[0];
    assert_eq!(*path, "sources/goods-more-nuts-2.md");
    for line in [
        "+source: {name: \"goods-more-nuts-2\"}",
        "+  urls: \"https://a.example/more/nuts.html\"",
        "+  path: \"data/goods-more-nuts-2.jsonl\"",
        "+  hints: \"{\\\"key\\\": [\\\"name\\\"]}\"",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    for told in [
        "2 records by tables",
        "`https://a.example/same` has records that `goods` has too",
        "`https://a.example/about` has no such records",
        "`https://c.example/` was not read: AB0901",
    ] {
        assert!(proposal.rationale.contains(told), "{told}\n{}", proposal.rationale);
    }
    let said = site.0.said.borrow();
    assert!(!said.iter().any(|said| said.contains("known") || said.contains("javascript")), "{said:?}");
    let read = said.iter().position(|said| said.starts_with("read")).unwrap();
    assert!(said[read..].iter().all(|said| said.starts_with("read")), "pages come before files: {said:?}");
}

#[test]
fn a_scout_that_finds_nothing_says_where_it_looked() {
    let told = scout(
        &beside(),
        &[],
        &[("urls", "https://a.example/about"), ("known", "https://a.example/more/nuts.html")],
    );
    let told = told.unwrap_err();
    assert_eq!(told.kind, FailureKind::BadParameter, "a parameter that is given twice: {told:?}");
    let alone = Site::of(&[("https://a.example/list", THIRD)]);
    let told = scout(&alone, &[], &[]).unwrap_err();
    assert_eq!((told.kind, told.message.as_str()), (FailureKind::NothingToDo, "no page leads anywhere else"));
    let told = scout(&beside(), &[], &[("pages_max", "0")]).unwrap_err();
    assert!(told.message.contains("`pages_max`"), "{told:?}");
    let few = scout(&beside(), &[], &[("pages_max", "1")]).unwrap_err();
    assert!(few.message.contains("3 more addresses were not looked at"), "{few:?}");
}

#[test]
fn what_only_happens_to_have_the_same_fields_is_no_source() {
    let row = |name: usize| format!("<tr><td>Bolt {name}<td>{name}.50");
    let own: String = (1..=11).map(row).collect();
    let own = format!("<table><tr><th>Name<th>Price{own}</table>");
    let map =
        "<loc>https://a.example/few</loc><loc>https://a.example/other</loc><loc>https://a.example/more</loc>";
    let other =
        "<ul><li><b class=name>Nut</b><i class=price>1</i><li><b class=name>Pin</b><i class=price>2</i></ul>";
    let site = Site::of(&[
        ("https://a.example/list", &own),
        ("https://a.example/few", "<table><tr><th>Name<th>Price<tr><td>Nut<td>2</table>"),
        ("https://a.example/other", other),
        ("https://a.example/more", SECOND),
        ("https://a.example/sitemap.xml", map),
    ]);
    let proposal = scout(&site, &[], &[]).unwrap();
    assert_eq!(proposal.patch.files.len(), 1);
    for told in [
        "`https://a.example/few` has 1 such records, and `goods` has 11.",
        "`https://a.example/other` has records by repeated, and `goods` by tables.",
        "2 records by tables at `https://a.example/more`",
    ] {
        assert!(proposal.rationale.contains(told), "{told}\n{}", proposal.rationale);
    }
    let bare = Site::of(&[("https://a.example/list", "<p>gone</p>")]);
    let told = scout(&bare, &[], &[]).unwrap_err();
    assert_eq!(told.kind, FailureKind::NothingToDo);
    assert!(told.message.contains("`goods` itself has no such records now"), "{told:?}");
}
