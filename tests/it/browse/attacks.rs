//! Hostile pages, through the real `ab run` and its browser: no victim is reached, nothing is read that was not granted, and the same host goes on working.
//!
//! The attacks are those of `abide_tests::hostile`, which are seen to work where nothing stands in their way (`hostile.rs`). A worker that does what it is
//! told opens them, several in one task, in a network where every address is a victim.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use abide_sandbox::Transcript;
use abide_tests::bare;
use abide_tests::hostile::{self, Act, Aim, Attack, Hostile, Kind, LOOT, Proof};
use abide_tests::namespace;
use abide_tests::site::{Asked, Site};
use abide_tests::victim::{Hit, Victims};
use serde_json::{Value as Json, json};

use super::house_on;
use crate::bundles::House;
use crate::egress::{data, digest, run};
use crate::web::blob;
use crate::worker::guest;

/// Attacks that one task opens, one after the other.
const AT_ONCE: usize = 10;

/// Rows whose loot reaches the site that the page came from, and why that is known. A row that stays in is to be taken out of this list.
const KNOWN: &[(&str, &str)] = &[("in-a-cookie", "a cookie that a script set goes back to its site")];

/// Wall time of a task, in milliseconds, as the shipped limits have it; what a task has to end by, whatever a page does.
const WALL_MS: u64 = 300_000;

/// A site with its victims, a repository whose policy grants a browser for what the site serves and nothing else, and the worker.
struct Stage {
    site: Site,
    victims: Victims,
    aim: Aim,
    house: House,
    worker: String,
    canary: tempfile::NamedTempFile,
}

/// Rules that allow each file of each attack, by GET, without a query.
fn rules(site: &str) -> Json {
    let attacks = hostile::all();
    let paths: Vec<String> =
        attacks.iter().flat_map(Attack::paths).chain(["/steel.html".to_owned()]).collect();
    let rule = |paths: &[String]| json!({"allow": "fetch", "origin": site, "exact": paths, "networks": ["127.0.0.1/32"]});
    json!(paths.chunks(50).map(rule).collect::<Vec<_>>())
}

/// Steps of the worker `hostile-browse`.
fn steps(attack: &Attack, aim: &Aim) -> String {
    let mut steps = format!("open {}\n", attack.url(aim).replace('\n', " "));
    for act in &attack.acts {
        match act {
            Act::Click(selector) => writeln!(steps, "click {selector}"),
            Act::Fill(selector, text) => writeln!(steps, "fill {selector} = {text}"),
            Act::Scroll => writeln!(steps, "scroll"),
            Act::Wait(ms) => writeln!(steps, "wait {ms} #none-such"),
        }
        .unwrap();
    }
    steps + "wait 400 #none-such\ntext\nsnapshot\nclose\n"
}

/// What came of a task.
struct Came {
    hits: Vec<Hit>,
    asked: Vec<Asked>,
    said: Vec<String>,
    code: Option<String>,
    stopped: Vec<Json>,
    took: Duration,
    printed: String,
}

impl Stage {
    fn new() -> Option<Self> {
        let worker = guest("hostile-browse")?;
        let canary = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(canary.path(), format!("{LOOT}\n")).unwrap();
        let aim = Aim::within("http://127.0.0.1:8080", canary.path().to_str().unwrap());
        let site = Site::start("127.0.0.1:8080", Hostile::at(aim.clone()));
        let victims = Victims::everywhere(&Aim::TCP, &Aim::UDP, hostile::names());
        // Pages that are read without a browser are no test of one, and what hangs is not waited for as long as on a busy host.
        let host = [("otherwise: static", "otherwise: refuse"), ("open_ms_max: 30000", "open_ms_max: 5000")];
        let origins = std::slice::from_ref(&aim.site);
        let house = house_on(&digest(&worker), origins, &rules(&aim.site), &json!([]), &host, &[]);
        let worker = worker.to_string_lossy().into_owned();
        Some(Self { site, victims, aim, house, worker, canary })
    }

    /// Lets the worker take these steps in one task.
    fn takes(&self, steps: &str) -> Came {
        self.victims.take();
        self.site.forget();
        let began = Instant::now();
        let parameters = json!({"path": "docs/index.md", "old": "x", "new": steps});
        let worker = format!("codegen={}", self.worker);
        let told = run(&self.house, "replace-text", &parameters, &["--worker", &worker]);
        let took = began.elapsed();
        let failed = data(&self.house, "WorkerFailed").pop();
        let ran = data(&self.house, "TaskRan").pop().unwrap_or_else(|| panic!("{}{}", told.out, told.err));
        let transcript = Transcript::unpack(&blob(&self.house, &ran["transcript"])).unwrap();
        let used = data(&self.house, "EgressUsed").pop();
        let archive: Json = used
            .map(|used| serde_json::from_slice(&blob(&self.house, &used["archive"])).unwrap())
            .unwrap_or_default();
        let entries = archive["log"]["entries"].as_array().cloned().unwrap_or_default();
        Came {
            hits: self.victims.take(),
            asked: self.site.asked(),
            said: transcript.outcome.log.into_iter().map(|line| line.text).collect(),
            code: failed.and_then(|failed| failed["code"].as_str().map(str::to_owned)),
            stopped: entries.into_iter().filter(|entry| entry.get("_stopped").is_some()).collect(),
            took,
            printed: told.out + &told.err,
        }
    }

    /// What got out of a task that tried these attacks; empty if nothing did.
    fn open(&self, attacks: &[&Attack], came: &Came) -> Vec<String> {
        let mut open: Vec<String> = came.hits.iter().map(|hit| format!("{hit:?}")).collect();
        let taken = |asked: &&Asked| asked.method != "GET" || asked.holds(LOOT);
        let is_known = |asked: &&Asked| {
            asked.method == "GET"
                && !asked.target.contains(LOOT)
                && KNOWN.iter().any(|(name, _)| asked.path() == format!("/hostile/{name}/"))
        };
        let all = || came.asked.iter().filter(taken);
        open.extend(all().filter(|asked| !is_known(asked)).map(|asked| format!("{asked:?}")));
        for (name, why) in KNOWN.iter().filter(|(name, _)| attacks.iter().any(|attack| attack.name == *name))
        {
            if !all().any(|asked| asked.path() == format!("/hostile/{name}/")) {
                open.push(format!("{name} is in `KNOWN` ({why}), and nothing was taken"));
            }
        }
        let text = came.said.join("\n");
        for attack in attacks {
            if let Proof::Reads(secret) = attack.proof
                && text.contains(secret)
            {
                open.push(format!("{} reads {secret}", attack.name));
            }
        }
        open.extend(unrecorded(attacks, came));
        if came.printed.contains("panicked") || came.printed.contains('\u{1b}') {
            open.push(format!("it is not well: {}", came.printed));
        }
        if came.took > Duration::from_millis(WALL_MS + 30_000) {
            open.push(format!("it took {:?}", came.took));
        }
        open
    }
}

/// Refusals that the archive does not tell: each says by which rule and why, and whoever was led inside was stopped at least once.
fn unrecorded(attacks: &[&Attack], came: &Came) -> Vec<String> {
    let text =
        |entry: &Json, at: &str| entry.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
    let is_told = |entry: &&Json| {
        text(entry, "/_stopped/code").starts_with("AB0") && !text(entry, "/_stopped/why").is_empty()
    };
    let wordless = came.stopped.iter().filter(|entry| !is_told(entry));
    let mut found: Vec<String> =
        wordless.map(|entry| format!("stopped without a word: {}", told(entry))).collect();
    let is_asked_by_the_browser = |entry: &&Json| text(entry, "/request/url").contains("/favicon.ico");
    let stops = came.stopped.iter().filter(|entry| !is_asked_by_the_browser(entry)).count();
    if attacks.iter().all(|attack| attack.kind == Kind::Inside) && stops < attacks.len() {
        found.push(format!("{stops} requests were stopped in the archive, of {} attacks", attacks.len()));
    }
    found
}

/// A request that was stopped, in one line.
fn told(entry: &Json) -> String {
    let text = |at: &str| entry.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
    format!("{} {} {}", text("/_stopped/code"), text("/request/method"), text("/request/url"))
}

/// Who is read after the attacks, to see that the host is well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Neighbour {
    /// A page of the same task.
    Page,
    /// A task of its own: what attacks cost their task is spent.
    Task,
}

/// Tries the rows of some kinds, so many in one task, in a network of their own.
fn tries(kinds: &[Kind], (at_once, neighbour): (usize, Neighbour), test: &str) {
    if !bare::is_there() {
        return;
    }
    namespace::within(test, || {
        let Some(stage) = Stage::new() else { return };
        let chosen = std::env::var("ABIDE_ATTACK").unwrap_or_default();
        let rows = hostile::all();
        let rows: Vec<&Attack> = rows
            .iter()
            .filter(|row| kinds.contains(&row.kind))
            .filter(|row| chosen.is_empty() || chosen.split(',').any(|name| name == row.name))
            .collect();
        let mut open = Vec::new();
        for batch in rows.chunks(at_once) {
            hostile::turncoat();
            let all: String = batch.iter().map(|attack| steps(attack, &stage.aim)).collect();
            let beside = format!("open {}/steel.html\nfind h1\nclose\n", stage.aim.site);
            let came = match neighbour {
                Neighbour::Page => stage.takes(&(all + &beside)),
                Neighbour::Task => stage.takes(&all),
            };
            let names: Vec<&str> = batch.iter().map(|attack| attack.name.as_str()).collect();
            let mut found = stage.open(batch, &came);
            let next = (neighbour == Neighbour::Task).then(|| stage.takes(&beside));
            let said = next.as_ref().map_or(&came.said, |next| &next.said);
            let last = said.iter().rev().find(|line| line.starts_with("find"));
            if !last.is_some_and(|line| line.contains("42CrMo4")) {
                found.push(format!("the neighbour was not read: {last:?} {:?}", came.code));
            }
            eprintln!("{names:?}: {:?}, {} stopped, {:?}", came.took, came.stopped.len(), came.code);
            if !found.is_empty() {
                let said: Vec<String> = came.said.iter().map(|line| format!("{line:.200}")).collect();
                let stopped: Vec<String> = came.stopped.iter().map(told).collect();
                open.push(format!("{names:?}:\n{}\n{said:#?}\n{stopped:#?}", found.join("\n")));
            }
        }
        // The host is well: what was written down is whole.
        stage.house.world.ab(&["verify"]).exits(0);
        drop(stage.canary);
        assert!(open.is_empty(), "{} got out:\n{}", open.len(), open.join("\n\n"));
    });
}

#[test]
fn of_schemes() {
    tries(&[Kind::Scheme], (AT_ONCE, Neighbour::Page), "browse::attacks::of_schemes");
}

#[test]
fn of_addresses_inside() {
    tries(&[Kind::Inside], (AT_ONCE, Neighbour::Page), "browse::attacks::of_addresses_inside");
}

#[test]
fn of_channels() {
    tries(&[Kind::Channel], (AT_ONCE, Neighbour::Page), "browse::attacks::of_channels");
}

#[test]
fn of_hints() {
    tries(&[Kind::Hint], (AT_ONCE, Neighbour::Page), "browse::attacks::of_hints");
}

#[test]
fn of_what_is_sent() {
    tries(&[Kind::Send, Kind::Exfiltrate], (AT_ONCE, Neighbour::Page), "browse::attacks::of_what_is_sent");
}

#[test]
fn of_what_costs() {
    tries(&[Kind::Exhaust], (3, Neighbour::Task), "browse::attacks::of_what_costs");
}

#[test]
fn of_what_is_told() {
    tries(&[Kind::Text, Kind::Change], (AT_ONCE / 2, Neighbour::Page), "browse::attacks::of_what_is_told");
}

/// Whoever runs the tests: the same as somebody without rights.
#[test]
fn as_an_ordinary_user() {
    let is_root = std::process::Command::new("id").arg("-u").output().unwrap().stdout.trim_ascii() == b"0";
    if !bare::is_there() || !is_root {
        return;
    }
    let (exe, ab) = (std::env::current_exe().unwrap(), abide_tests::world::ab());
    let somebody = || {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).env("TMPDIR", "/tmp");
        command
    };
    for program in [&exe, &ab] {
        if !somebody().args(["test", "-x"]).arg(program).status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: nobody else may run {}", program.display());
            return;
        }
    }
    let output =
        somebody().arg(exe).args(["browse::attacks::of_schemes", "--exact", "--nocapture"]).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("stopped, "), "its rows were tried: {said}");
}
