//! What pages take, measured through the real `ab` and a real browser: printed, never asserted. `ABIDE_AB` names the program that is measured, so that it can be a
//! release build:
//!
//!     cargo build --release -p abide
//!     ABIDE_AB=target/release/ab cargo nextest run --workspace -E 'test(browse::figures)' --run-ignored only --no-capture

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use abide_sandbox::Transcript;
use abide_tests::bare::{self, Bare};
use abide_tests::site::{Answer, Asked, Site};
use serde_json::{Value as Json, json};

use super::house_on;
use crate::bundles::{House, edited};
use crate::egress::{data, digest};
use crate::web::blob;
use crate::worker::guest;

const ROWS: usize = 200;
/// Says in the page when it was loaded, in milliseconds since it was asked for.
const CLOCK: &str = "<p id=clock></p><script>addEventListener('load', () => setTimeout(() => { const n = performance.getEntriesByType('navigation')[0]; document.querySelector('#clock').textContent = n.loadEventEnd - n.startTime }, 0))</script>";

/// A table of 200 rows with a style, a script and four pictures, each of which takes `ms` to answer.
fn site(ms: u64) -> Site {
    let mut page =
        "<!doctype html><title>Threads</title><link rel=stylesheet href=/a.css><script src=/a.js></script>"
            .to_owned();
    for number in 0..4 {
        write!(page, "<img src=/{number}.svg>").unwrap();
    }
    page += "<table><tr><th>Thread<th>Pitch<th>Area";
    for row in 0..ROWS {
        write!(page, "<tr><td>M{row}<td>{}.5<td>{row}.25", row % 7).unwrap();
    }
    page += "</table>";
    page += CLOCK;
    Site::start("127.0.0.1:0", move |asked: &Asked| {
        let answer = match asked.path() {
            "/robots.txt" | "/favicon.ico" => return Answer::status(404),
            "/a.css" => Answer::of("text/css", "td { padding: 2px }"),
            "/a.js" => Answer::of("text/javascript", "window.x = 1"),
            path if path.strip_suffix(".svg").is_some() => {
                Answer::of("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>")
            }
            _ => Answer::html(page.clone()),
        };
        answer.after(ms)
    })
}

/// A house whose lease lets a task read the site for minutes, as fast as it can: what is measured is the broker, not what it was told to wait.
fn on(component: &str, site: &Site) -> House {
    let origin = site.origin();
    let rules = json!([{"allow": "fetch", "origin": origin, "paths": ["/**"], "query": true, "networks": ["127.0.0.1/32"]}]);
    let budgets = json!({
        "requests_max": 20_000, "per_second_max": 5_000, "concurrent_max": 16, "request_bytes_max": 100_000,
        "response_bytes_max": 30_000_000, "bytes_max": 400_000_000, "request_ms_max": 10_000, "idle_ms_max": 5_000, "lease_ms_max": 290_000,
    });
    let manners = json!({
        "purpose": "tests of Abide", "contact": "mailto:nobody@example.org", "robots": "obey",
        "host_per_second_max": 5_000, "host_concurrent_max": 16, "wait_ms_max": 5_000,
    });
    let leases = json!({"pages": {"rules": rules, "budgets": budgets, "manners": manners}});
    let egress = edited("data/egress.yaml", "leases: {}", &format!("leases: {leases}"));
    let egress = egress.replace("origins: []", &format!("origins: {}", json!([origin])));
    let entry = json!({component: {"capabilities": ["browser", "log", "progress", "workspace"], "limits": "worker-browser", "egress": "pages"}});
    let grants = edited("data/grants.yaml", "browser_pages_max: 100", "browser_pages_max: 300");
    let grants = grants.replace("components: {}", &format!("components: {entry}"));
    let files = [("data/egress.yaml", &*egress), ("data/grants.yaml", &grants)];
    house_on(component, &[origin], &rules, &json!([]), &[], &files)
}

fn ask(house: &House, worker: &std::path::Path, lines: &[String]) -> (Vec<String>, String) {
    let parameters = json!({"path": "docs/index.md", "old": "-", "new": lines.join("\n")});
    let file = house.world.beside("figures.md");
    std::fs::write(&file, format!("---\nrecipe: replace-text\nparams: {parameters}\n---\nLook\n")).unwrap();
    let worker = format!("codegen={}", worker.display());
    let args = ["run", "--ticket", file.to_str().unwrap(), "--worker", &worker];
    let said = house.world.ab_at(house.world.repo(), &args, &[("ABIDE_LOG", "abide=debug")]);
    let ran = data(house, "TaskRan").pop().unwrap();
    let transcript = Transcript::unpack(&blob(house, &ran["transcript"])).unwrap();
    (transcript.outcome.log.into_iter().map(|line| line.text).collect(), said.err)
}

/// Milliseconds of each line of the log that has `what`.
fn times(log: &str, what: &str) -> Vec<f64> {
    let of = |line: &str| -> Option<f64> {
        let (_, rest) = line.split_once(" us=")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<f64>().ok().map(|us| us / 1_000.0)
    };
    log.lines().filter(|line| line.contains(what)).filter_map(of).collect()
}

fn told(name: &str, mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at =
        |part: usize| values.get(values.len().saturating_sub(1) * part / 100).copied().unwrap_or(f64::NAN);
    println!(
        "{name:<52} n={:<4} p50 {:>8.1}  p95 {:>8.1}  max {:>8.1}",
        values.len(),
        at(50),
        at(95),
        at(100)
    );
    at(50)
}

/// Bytes of all processes of a browser, shared pages counted once among them (PSS).
fn weight() -> u64 {
    let of = |entry: std::fs::DirEntry| -> Option<u64> {
        let folder = entry.path();
        let line = std::fs::read(folder.join("cmdline")).ok()?;
        if !line.windows(8).any(|part| part == b"chromium") {
            return None;
        }
        let text = std::fs::read_to_string(folder.join("smaps_rollup")).ok()?;
        let pss = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        pss.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1_024)
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(of).sum()
}

/// Weighs, every 200 ms, until it is dropped.
struct Scales(Arc<AtomicBool>, Arc<AtomicU64>, Arc<std::sync::Mutex<Vec<u64>>>);

impl Scales {
    fn out() -> Self {
        let (stop, most, all) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::default());
        let scales = Self(stop, most, all);
        let (stop, most, all) = (scales.0.clone(), scales.1.clone(), scales.2.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let now = weight();
                most.fetch_max(now, Ordering::Relaxed);
                all.lock().unwrap().push(now);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        scales
    }

    fn most_mib(&self) -> u64 {
        self.1.load(Ordering::Relaxed) >> 20
    }

    /// The middle of each quarter of the time, in MiB.
    fn quarters(&self) -> Vec<u64> {
        let all: Vec<u64> = self.2.lock().unwrap().iter().copied().filter(|bytes| *bytes > 0).collect();
        (0..4)
            .filter_map(|quarter| all.get(all.len() * (2 * quarter + 1) / 8))
            .map(|bytes| bytes >> 20)
            .collect()
    }
}

impl Drop for Scales {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
#[ignore = "prints figures of a release build; minutes"]
fn of_pages() {
    let (Some(hostile), Some(browse)) = (guest("hostile-browse"), guest("browse")) else { return };
    if !bare::is_there() {
        return;
    }
    for ms in [0, 50] {
        let site = site(ms);
        println!("— each answer takes {ms} ms");
        load(&site, &hostile);
        if ms == 0 {
            extraction(&site, &browse);
            many(&site, &hostile);
        }
    }
}

/// The same page by itself, and through the broker.
fn load(site: &Site, hostile: &std::path::Path) {
    let house = on(&digest(hostile), site);
    let one = ["wait 2000 #clock:not(:empty)", "find #clock", "snapshot", "close"].map(str::to_owned);
    let lines: Vec<String> = (0..30)
        .flat_map(|number| [format!("open {}/page?{number}", site.origin())].into_iter().chain(one.clone()))
        .collect();
    let (said, log) = ask(&house, hostile, &lines);
    told("browser start", times(&log, "browser.start"));
    told("open", times(&log, "ask=\"open\""));
    told("snapshot and picture", times(&log, "ask=\"snapshot\""));
    let clock = |line: &String| line.strip_prefix("find: ")?.rsplit(' ').next()?.parse::<f64>().ok();
    let ours = told("load event, through the broker", said.iter().filter_map(clock).collect());
    let mut bare = Bare::start();
    let mut alone = Vec::new();
    for number in 0..30 {
        bare.go(&format!("{}/alone?{number}", site.origin()));
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(20));
            let found =
                bare.value("document.querySelector('#clock')?.textContent ?? ''", Duration::from_secs(2));
            if let Some(ms) = found.ok().and_then(|value| value.as_str()?.parse().ok()) {
                alone.push(ms);
                break;
            }
        }
    }
    let alone = told("load event, a browser by itself", alone);
    println!("{:<52} {:.2} (and {:.1} ms more)", "ratio of the two", ours / alone, ours - alone);
}

/// A whole task: a browser is started, the page read, 200 records made of it.
fn extraction(site: &Site, browse: &std::path::Path) {
    let house = on(&digest(browse), site);
    let schema = json!({"type": "object", "required": ["thread", "pitch"], "properties": {"thread": {"type": "string"}, "pitch": {"type": "number"}, "area": {"type": "number"}}});
    house.world.write("schemas/record.json", schema.to_string().as_bytes());
    house.world.commit("What is wanted");
    let scales = Scales::out();
    let mut walls = Vec::new();
    let (mut opens, mut snapshots) = (Vec::new(), Vec::new());
    for number in 0..7 {
        let parameters = json!({"urls": format!("{}/t?{number}", site.origin()), "schema": "schemas/record.json", "path": "data/r.jsonl"});
        let file = house.world.beside("extract.md");
        std::fs::write(&file, format!("---\nrecipe: extract-records\nparams: {parameters}\n---\nRead\n"))
            .unwrap();
        let args = ["run", "--ticket", file.to_str().unwrap()];
        let said = house.world.ab_at(house.world.repo(), &args, &[("ABIDE_LOG", "abide=debug")]);
        opens.extend(times(&said.err, "ask=\"open\""));
        snapshots.extend(times(&said.err, "ask=\"snapshot\""));
        let ran: Json = data(&house, "TaskRan").pop().unwrap();
        assert_eq!(ran["result"], "proposed", "{}", said.err);
        let transcript = Transcript::unpack(&blob(&house, &ran["transcript"])).unwrap();
        walls.push(transcript.outcome.spent.wall_ms as f64);
    }
    told("one task of 200 rows, browser start included", walls);
    told("  its open", opens);
    told("  its snapshot and picture", snapshots);
    println!("{:<52} {} MiB", "the browser's processes at most (PSS)", scales.most_mib());
}

/// 200 pages in a row.
fn many(site: &Site, hostile: &std::path::Path) {
    let house = on(&digest(hostile), site);
    let lines: Vec<String> = (0..200)
        .flat_map(|number| {
            [format!("open {}/many?{number}", site.origin()), "snapshot".to_owned(), "close".to_owned()]
        })
        .collect();
    let scales = Scales::out();
    let (said, log) = ask(&house, hostile, &lines);
    let snapshots = said.iter().filter(|line| line.starts_with("snapshot: ")).count();
    println!(
        "200 pages in a row: {snapshots} snapshots; MiB in each quarter of the time {:?}, at most {}",
        scales.quarters(),
        scales.most_mib()
    );
    if snapshots < 200 {
        println!("{:?}", said.iter().find(|line| line.contains("failed") || line.contains("refused")));
    }
    told("  open", times(&log, "ask=\"open\""));
}
