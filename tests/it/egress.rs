//! A worker that asks the network, through the real `ab`: granted by data, judged by a lease, written down, and refused in every other way.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use abide_core::id::Digest;
use abide_tests::world::{Said, ab};
use serde_json::{Value as Json, json};

use crate::bundles::{House, edited};
use crate::worker::guest;

/// A server on loopback that answers everything with `body`, and remembers what it heard.
pub(crate) struct Server {
    at: SocketAddr,
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(body: &'static str) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close", body.len());
        Self::saying(format!("{head}\r\n\r\n{body}"))
    }

    /// Answers with these bytes, whatever they are, and hangs up.
    pub(crate) fn saying(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (at, heard) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let told = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut request) = (stream.unwrap(), Vec::new());
                let mut piece = [0; 4_096];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut piece) {
                        Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
                        _ => break,
                    }
                }
                told.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
                drop(stream.write_all(answer.as_bytes()));
            }
        });
        Self { at, heard }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.at)
    }

    /// First lines of what was heard.
    pub(crate) fn lines(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|request| request.lines().next().unwrap_or_default().to_owned()).collect()
    }
}

pub(crate) fn digest(guest: &Path) -> String {
    Digest::of(&fs::read(guest).unwrap()).to_string()
}

/// A house whose policy gives `component` a lease of `rules`.
fn house(component: &str, origins: &[String], rules: &Json) -> House {
    house_with(component, origins, rules, &[])
}

/// The same, with packages of WASI that have nothing behind them.
pub(crate) fn house_with(component: &str, origins: &[String], rules: &Json, stubs: &[&str]) -> House {
    let house = House::new();
    let entry = json!({component: {
        "capabilities": ["egress", "log", "progress", "workspace"], "stubs": stubs, "limits": "worker-default", "egress": "local",
    }});
    let budgets = json!({
        "requests_max": 100, "per_second_max": 50, "concurrent_max": 2, "request_bytes_max": 100_000,
        "response_bytes_max": 100_000, "bytes_max": 1_000_000, "request_ms_max": 5_000, "idle_ms_max": 2_000, "lease_ms_max": 30_000,
    });
    let leases = json!({"local": {"rules": rules, "budgets": budgets}});
    let grants = edited("data/grants.yaml", "components: {}", &format!("components: {entry}"));
    let egress = edited("data/egress.yaml", "leases: {}", &format!("leases: {leases}"));
    let egress = egress.replace("origins: []", &format!("origins: {}", json!(origins)));
    let bundle = house.bundle(1, &[("data/grants.yaml", &grants), ("data/egress.yaml", &egress)]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(0);
    house
}

/// Runs a ticket with these parameters.
pub(crate) fn run(house: &House, recipe: &str, parameters: &Json, more: &[&str]) -> Said {
    let file = house.world.beside("ticket.md");
    fs::write(&file, format!("---\nrecipe: {recipe}\nparams: {parameters}\n---\nAsk the network\n")).unwrap();
    let ticket = file.to_str().unwrap();
    house.world.ab(&[&["run", "--ticket", ticket], more].concat())
}

pub(crate) fn data(house: &House, kind: &str) -> Vec<Json> {
    let log = house.world.log();
    log.into_iter()
        .filter(|event| event["event"]["type"] == kind)
        .map(|event| event["event"]["data"].clone())
        .collect()
}

#[test]
fn a_file_is_made_what_stands_elsewhere() {
    let Some(extract) = guest("extract") else { return };
    let server = Server::start("See [it](deep/gone.md).\nAnd more.\n");
    let origin = server.origin();
    let rules = json!([{"allow": "fetch", "origin": origin, "exact": ["/index.md?raw=1"], "networks": ["127.0.0.1/32"]}]);
    let house = house(&digest(&extract), std::slice::from_ref(&origin), &rules);
    let url = format!("{origin}/index.md?raw=1");
    run(&house, "refresh-file", &json!({"path": "docs/index.md", "url": url}), &[]).exits(0).says("1 merged");
    assert_eq!(server.lines(), ["GET /index.md?raw=1 HTTP/1.1"]);
    let merged = house.world.git(&["show", "main:docs/index.md"]);
    assert!(merged.contains("And more."), "{merged}");
    // Who asked, under which decision, and what of whom.
    let used = data(&house, "EgressUsed");
    let decided = data(&house, "DecisionRecorded");
    let fetch = decided.iter().find(|decision| decision["class"] == "FETCH").unwrap();
    assert_eq!(fetch["action"]["action"]["origins"], json!([origin]));
    assert_eq!(
        used[0]["rows"],
        json!([{"origin": origin, "method": "GET", "requests": "1", "stopped": "0", "bytes": "34"}])
    );
    assert_eq!((used[0]["lease"].as_str(), used.len()), (Some("local"), 1));
    house.world.ab(&["verify"]).exits(0);
    let run =
        house.world.ab(&["--json", "show"]).exits(0).json()["run"].as_str().unwrap_or_default().to_owned();
    house.world.ab(&["show", &run]).exits(0).says("asked the network 1 times, 0 stopped");
    let packet = house.world.beside("packet.abide");
    house.world.ab(&["packet", &run, "-o", packet.to_str().unwrap()]).exits(0);
    house.world.ab(&["verify", packet.to_str().unwrap()]).exits(0);
    // Once more from what was answered: the network is not asked again.
    house.world.ab(&["replay"]).exits(0).says("1 tasks").says("0 differ, 0 not compared");
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn without_a_grant_nothing_is_asked() {
    let Some(extract) = guest("extract") else { return };
    let server = Server::start("text\n");
    let origin = server.origin();
    let parameters = json!({"path": "docs/index.md", "url": format!("{origin}/x")});
    // The policy that is built in grants it to nobody.
    let bare = House::new();
    run(&bare, "refresh-file", &parameters, &[]).exits(3).says("not-grantable");
    // A lease whose origin is not listed is not opened.
    let rules = json!([{"allow": "fetch", "origin": origin, "paths": ["/**"], "networks": ["127.0.0.1/32"]}]);
    let unlisted = house(&digest(&extract), &[], &rules);
    run(&unlisted, "refresh-file", &parameters, &[]).exits(3).says("origin-not-listed");
    assert!(data(&unlisted, "EgressUsed").is_empty());
    // A lease that goes to this machine without saying so reaches nothing.
    let rules = json!([{"allow": "fetch", "origin": origin, "paths": ["/**"]}]);
    let silent = house(&digest(&extract), std::slice::from_ref(&origin), &rules);
    run(&silent, "refresh-file", &parameters, &[]).says("AB0904");
    let used = data(&silent, "EgressUsed");
    assert_eq!(used[0]["rows"][0]["stopped"], "1");
    assert!(server.lines().is_empty(), "{:?}", server.lines());
}

#[test]
fn a_worker_that_has_read_carries_nothing_away() {
    let Some(hostile) = guest("hostile-egress") else { return };
    let server = Server::start("ok");
    let origin = server.origin();
    let rules = json!([
        {"allow": "fetch", "origin": origin, "paths": ["/**"], "exact": ["/hook"], "query": true, "networks": ["127.0.0.1/32"]},
        {"allow": "send", "origin": origin, "methods": ["POST"], "exact": ["/hook"], "networks": ["127.0.0.1/32"]},
    ]);
    let house = house(&digest(&hostile), std::slice::from_ref(&origin), &rules);
    let worker = format!("codegen={}", hostile.display());
    let url = format!("{origin}/hook");
    let tries = |way: &str| {
        let parameters = json!({"path": "docs/index.md", "old": url, "new": way});
        run(&house, "replace-text", &parameters, &["--worker", &worker]);
    };
    tries("exfiltrate");
    assert_eq!(server.lines(), ["GET /hook HTTP/1.1"], "what stands in the rule, and nothing that was read");
    server.heard.lock().unwrap().clear();
    tries("ask-read-ask");
    assert_eq!(server.lines(), ["GET /hook?free HTTP/1.1"], "before it read, and not after");
    server.heard.lock().unwrap().clear();
    tries("impersonate");
    tries("huge");
    tries("DELETE");
    assert!(server.lines().is_empty(), "{:?}", server.lines());
    tries("flood");
    assert!((40..=100).contains(&server.lines().len()), "{}", server.lines().len());
    let stopped: Vec<_> = data(&house, "EgressUsed")
        .iter()
        .map(|used| {
            used["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["stopped"].as_str().unwrap().parse::<u64>().unwrap())
                .sum::<u64>()
        })
        .collect();
    assert_eq!(stopped[0], 4, "{stopped:?}");
    assert_eq!(stopped[1], 1, "{stopped:?}");
    house.world.ab(&["verify"]).exits(0);
}

#[test]
fn a_secret_is_put_in_on_this_side_and_stands_nowhere() {
    const TOKEN: &str = "a-very-quiet-value";
    let Some(extract) = guest("extract") else { return };
    let server = Server::start("text\n");
    let origin = server.origin();
    let component = digest(&extract);
    let credential = json!({"secret": "vault:docs-token", "component": component, "header": "authorization", "prefix": "Bearer "});
    let rules = json!([{"allow": "fetch", "origin": origin, "exact": ["/x"], "networks": ["127.0.0.1/32"], "credential": credential}]);
    let house = house(&component, std::slice::from_ref(&origin), &rules);
    let ticket = json!({"path": "docs/index.md", "url": format!("{origin}/x")});
    run(&house, "refresh-file", &ticket, &[]).says("AB0906");
    assert!(server.lines().is_empty());

    let mut command = house.world.command(&ab());
    command.current_dir(house.world.repo()).args(["secret", "set", "docs-token"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{TOKEN}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&told).contains(TOKEN));
    house.world.ab(&["secret", "list"]).exits(0).says("docs-token").says("sealed");

    run(&house, "refresh-file", &ticket, &[]).exits(0);
    let heard = server.heard.lock().unwrap().concat();
    assert!(heard.contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{heard}");
    // Nothing that `ab` keeps has it: not the log, not the archive, not the vault.
    let kept = everything(&house.world.home());
    assert!(kept.len() > 5);
    for (path, bytes) in kept {
        assert!(!bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()), "{}", path.display());
    }
    house.world.ab(&["secret", "remove", "docs-token"]).exits(0);
    house.world.ab(&["secret", "remove", "docs-token"]).exits(2).says("AB0921");
    house.world.ab(&["secret", "set", "Bad Name"]).exits(2).says("AB0920");
}

fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| {
            if path.is_dir() { everything(&path) } else { vec![(path.clone(), fs::read(&path).unwrap())] }
        })
        .collect()
}
