//! The attacks of hostile pages: that the table is whole, and what each row does to a Chromium without walls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use abide_tests::bare::{self, Bare};
use abide_tests::hostile::{self, Aim, Attack, Hostile, Kind, LOOT, Proof};
use abide_tests::namespace;
use abide_tests::site::Site;
use abide_tests::victim::{Hit, Victims, Way};

/// The site within a network of its own, its victims, and the file that is not to be read.
struct Stage {
    site: Site,
    victims: Victims,
    aim: Aim,
    canary: tempfile::NamedTempFile,
}

impl Stage {
    fn new() -> Self {
        let canary = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(canary.path(), format!("{LOOT}\n")).unwrap();
        let aim = Aim::within("http://127.0.0.1:8080", canary.path().to_str().unwrap());
        let site = Site::start("127.0.0.1:8080", Hostile::at(aim.clone()));
        let victims = Victims::everywhere(&Aim::TCP, &Aim::UDP, hostile::names());
        Self { site, victims, aim, canary }
    }
}

/// What came of an attack.
struct Came {
    hits: Vec<Hit>,
    taken: Vec<String>,
    text: String,
    answers: bool,
    sent_mib: u64,
    memory_mib: u64,
}

/// Lets a browser without walls open an attack.
fn suffers(stage: &Stage, attack: &Attack) -> Came {
    let mut bare = Bare::start();
    // What the browser itself asked at its start is not the page's.
    std::thread::sleep(Duration::from_millis(200));
    stage.victims.take();
    stage.site.forget();
    hostile::turncoat();
    bare.go(&attack.url(&stage.aim));
    std::thread::sleep(Duration::from_millis(700));
    for act in &attack.acts {
        bare.act(*act);
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_millis(700));
    let memory_mib = bare.memory_mib();
    let answers = bare.answers() && bare.lives();
    let text = bare.text();
    drop(bare);
    let asked = stage.site.asked();
    let own = |asked: &&abide_tests::site::Asked| asked.method != "GET" || asked.holds(LOOT);
    // What Chromium asks of its makers by itself is not the page's either.
    let is_own = |hit: &Hit| {
        hit.way == Way::Dns && [".google.com", ".googleapis.com"].iter().any(|end| hit.said.ends_with(end))
    };
    Came {
        hits: stage.victims.take().into_iter().filter(|hit| !is_own(hit)).collect(),
        taken: asked.iter().filter(own).map(|one| format!("{} {}", one.method, one.target)).collect(),
        text,
        answers,
        sent_mib: stage.site.sent() >> 20,
        memory_mib,
    }
}

/// Whether the attack works, and what was measured.
fn proves(attack: &Attack, came: &Came) -> (bool, String) {
    let count = |way: Way| came.hits.iter().filter(|hit| hit.way == way).count();
    let counted = format!(
        "tcp {}, udp {}, dns {}, taken {}",
        count(Way::Tcp),
        count(Way::Udp),
        came.hits.iter().filter(|hit| hit.way == Way::Dns).count(),
        came.taken.len()
    );
    let works = match attack.proof {
        Proof::Tcp => count(Way::Tcp) > 0,
        Proof::Udp => count(Way::Udp) > 0,
        Proof::Dns(name) => came.hits.iter().any(|hit| hit.way == Way::Dns && hit.said.ends_with(name)),
        Proof::Taken => !came.taken.is_empty(),
        Proof::Reads(text) => came.text.contains(text),
        Proof::Costs(mib) => !came.answers || (mib > 0 && came.sent_mib >= mib),
        Proof::Shows => true,
        Proof::Never(_) => came.hits.is_empty() && came.taken.is_empty(),
    };
    let state = if came.answers { "answers" } else { "answers no more" };
    (works, format!("{counted}; {state}, {} MiB sent, {} MiB held", came.sent_mib, came.memory_mib))
}

#[test]
fn each_row_has_a_name_of_its_own_and_every_kind_has_rows() {
    let rows = hostile::all();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), rows.len(), "a name is there twice");
    assert!(rows.len() >= 150, "{}", rows.len());
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    for row in &rows {
        *kinds.entry(row.kind).or_default() += 1;
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
    // A table that was measured once and then forgotten says something else.
    let page = std::fs::read_to_string(readme()).unwrap();
    let missing: Vec<&&str> = names.iter().filter(|name| !page.contains(&format!("| `{name}` |"))).collect();
    assert!(missing.is_empty(), "not measured (see tests/site/README.md): {missing:?}");
}

fn readme() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("site/README.md")
}

const MARK: &str = "<!-- Below this line the page is measured. -->\n";

/// Takes some minutes. `ABIDE_ATTACK=a,b` tries rows or kinds of these names alone; `ABIDE_BLESS=1` writes the table of `tests/site/README.md` anew.
#[test]
#[ignore = "minutes; run by hand when rows or Chromium change"]
fn every_attack_does_its_harm_where_nothing_stands_in_its_way() {
    if !bare::is_there() {
        return;
    }
    namespace::within("hostile::every_attack_does_its_harm_where_nothing_stands_in_its_way", || {
        let stage = Stage::new();
        let chosen = std::env::var("ABIDE_ATTACK").unwrap_or_default();
        let is_chosen = |row: &Attack| {
            let kind = format!("{:?}", row.kind);
            chosen.is_empty() || chosen.split(',').any(|name| name == row.name || name == kind)
        };
        let mut table = "| attack | kind | aims at | without walls |\n|---|---|---|---|\n".to_owned();
        let mut duds = Vec::new();
        for attack in hostile::all().iter().filter(|row| is_chosen(row)) {
            let came = suffers(&stage, attack);
            let (works, measured) = proves(attack, &came);
            let row = format!("| `{}` | {:?} | {:?} | {measured} |", attack.name, attack.kind, attack.proof);
            eprintln!("{}{row}", if works { "" } else { "DUD " });
            if !works {
                duds.push(format!("{row}\n{:#?}\n{:?}\n{:.300}", came.hits, came.taken, came.text));
            }
            writeln!(table, "{row}").unwrap();
        }
        if std::env::var_os("ABIDE_BLESS").is_some() && chosen.is_empty() {
            let page = std::fs::read_to_string(readme()).unwrap();
            let prose = page.split(MARK).next().unwrap();
            std::fs::write(readme(), format!("{prose}{MARK}\n{table}")).unwrap();
        }
        drop(stage.canary);
        assert!(duds.is_empty(), "{} are duds:\n{}", duds.len(), duds.join("\n"));
    });
}
