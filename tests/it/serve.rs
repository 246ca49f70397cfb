//! Advice over HTTP, through the binary, by a client that knows no manners.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use abide_tests::world::{AB_YML, World, ab};
use serde_json::{Value, json};

const FILES: &[(&str, &str)] = &[("ab.yml", AB_YML), ("docs/a.md", "a\n")];

/// A server of its own for one test.
pub(crate) struct Server {
    child: Child,
    at: String,
}

impl Server {
    pub(crate) fn start(world: &World, more: &[&str]) -> Self {
        let mut command = world.command(&ab());
        command.current_dir(world.repo()).args(["--json", "policy", "serve"]).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, at: told["listening"].as_str().unwrap().to_owned() }
    }

    fn send(&self, request: &[u8]) -> (u16, Value) {
        let text = match self.at.strip_prefix("http://") {
            Some(address) => exchange(TcpStream::connect(address).unwrap(), request),
            None => exchange(UnixStream::connect(self.at.strip_prefix("unix:").unwrap()).unwrap(), request),
        };
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        self.send(format!("{head}{body}").as_bytes())
    }

    /// Asks until the answer is as wanted.
    pub(crate) fn until(&self, path: &str, wanted: impl Fn(&(u16, Value)) -> bool) -> (u16, Value) {
        for _ in 0..300 {
            let answer = self.get(path);
            if wanted(&answer) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{path} was not answered as wanted: {:?}", self.get(path))
    }

    /// Ends it as an operator would.
    pub(crate) fn stop(mut self, signal: &str) -> Option<i32> {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exchange(mut stream: impl std::io::Read + std::io::Write, request: &[u8]) -> String {
    // A server that refuses a large head may close before all of it was sent.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn question(world: &World) -> String {
    let example = world.ab(&["policy", "eval", "--print-example", "MERGE"]).exits(0).out;
    json!({ "input": serde_json::from_str::<Value>(&example).unwrap() }).to_string()
}

#[test]
fn the_policy_in_force_gives_advice_and_nothing_is_recorded() {
    let world = World::new(FILES);
    let server = Server::start(&world, &["--listen", "127.0.0.1:0"]);
    let question = question(&world);
    let (status, body) = server.post("/v1/data/abide/main", &question);
    assert_eq!((status, &body["result"]["verdict"]), (200, &json!("allow")), "{body}");
    assert_eq!((&body["abide"]["advice"], &body["abide"]["permit"]), (&json!(true), &Value::Null));
    // The same as `eval` says, by the same policy.
    let file = world.beside("question.json");
    fs::write(&file, &question).unwrap();
    let eval = world.ab(&["policy", "eval", file.to_str().unwrap(), "--json"]).exits(0).json();
    assert_eq!(eval["decision"], body["result"]);
    assert_eq!(server.get("/v1/data/nothing/here"), (200, json!({})));
    // A rule counts when it is on the target branch, and not before.
    let rule = "package abide.layers.repository\n\nimport rego.v1\n\nfindings contains {\"rule\": \"no-docs\", \"level\": \"deny\", \"msg\": \"m\"} if \"docs\" in input.facts.categories\n";
    world.write("policies/repository.rego", rule.as_bytes());
    assert_eq!(server.post("/v1/data/abide/main", &question).1["result"]["verdict"], "allow");
    world.commit("No docs");
    let old = body["abide"]["bundle"].clone();
    server.until("/v1/data/merge", |(_, body)| body["abide"]["bundle"] != old);
    assert_eq!(server.post("/v1/data/abide/main", &question).1["result"]["verdict"], "deny");
    assert_eq!(server.stop("-TERM"), Some(0));
    assert_eq!(world.kinds(), ["LogCreated"]);
}

#[test]
fn a_policy_that_breaks_is_told_and_one_that_is_mended_answers_again() {
    let world = World::new(FILES);
    let folder = world.beside("rules");
    fs::create_dir(&folder).unwrap();
    let write = |text: &str| fs::write(folder.join("a.rego"), text).unwrap();
    let good = "package abide.layers.a\n\nimport rego.v1\n\nfindings contains {\"rule\": \"r\", \"level\": \"warn\", \"msg\": \"m\"} if input.run.halted\n";
    write(good);
    let at = ["--dir", folder.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let (strict, keeping) =
        (Server::start(&world, &at), Server::start(&world, &[&at[..], &["--keep-last-good"]].concat()));
    write("package abide.layers.a\n\nfindings contains");
    let (_, told) = strict.until("/health", |(status, _)| *status == 500);
    assert!(told["error"].as_str().unwrap().starts_with("AB0102"), "{told}");
    let question = question(&world);
    let (status, body) = strict.post("/v1/data/abide/main", &question);
    assert_eq!((status, &body["errors"][0]["code"]), (500, &json!("AB0102")), "{body}");
    keeping.until("/health", |(status, body)| *status == 200 && body["abide"]["stale"]["code"] == "AB0102");
    assert_eq!(keeping.post("/v1/data/abide/main", &question).1["result"]["verdict"], "allow");
    write(good);
    strict.until("/health", |(status, _)| *status == 200);
    assert_eq!(strict.post("/v1/data/abide/main", &question).1["result"]["verdict"], "allow");
    // Nobody starts on a policy that is broken.
    write("package abide.layers.a\n\nfindings contains");
    world.ab(&[&["policy", "serve"], &at[..]].concat()).exits(6).says("AB0102");
    assert_eq!(strict.stop("-INT"), Some(0));
}

#[test]
fn strangers_and_floods_stay_outside() {
    let world = World::new(FILES);
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.7:8181"] {
        world.ab(&["policy", "serve", "--listen", address]).exits(2).says("AB0190");
    }
    let server = Server::start(&world, &["--listen", "127.0.0.1:0"]);
    let send = |head: &str| server.send(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).0;
    assert_eq!(send("GET /health HTTP/1.1\r\nHost: localhost"), 200);
    assert_eq!(send("GET /health HTTP/1.1\r\nHost: rebound.example.org"), 403);
    assert_eq!(send("GET /health HTTP/1.1"), 403);
    assert_eq!(send("GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: https://example.org"), 403);
    assert_eq!(send("GET /health HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site"), 403);
    assert_eq!(send("GET /health HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none"), 200);
    assert_eq!(send("GET http://example.org/health HTTP/1.1\r\nHost: localhost"), 403);
    assert_eq!(send("DELETE /v1/data/abide HTTP/1.1\r\nHost: localhost"), 405);
    assert_eq!(
        send(
            "POST /v1/data/abide HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 0"
        ),
        415
    );
    assert_eq!(send(&format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(60_000))), 431);
    assert_eq!(send(&format!("GET /health HTTP/1.1\r\nHost: localhost{}", "\r\nX: y".repeat(100))), 431);
    assert_eq!(send("nonsense"), 400);
    assert_eq!(server.post("/v1/data/abide/main", &" ".repeat(10 << 20)).0, 413);
    assert_eq!(server.post("/v1/data/abide/main", &"[".repeat(1 << 20)).0, 400);
    let taken = server.at.strip_prefix("http://").unwrap();
    world.ab(&["policy", "serve", "--listen", taken]).exits(2).says("AB0191");
    // Many that say nothing keep nobody else out for good: the seats are more than these.
    let idle: Vec<_> = (0..16).map(|_| TcpStream::connect(taken).unwrap()).collect();
    assert_eq!(server.get("/health").0, 200);
    drop(idle);
    assert_eq!(server.stop("-TERM"), Some(0));
}

#[test]
fn a_socket_is_its_owners_alone_and_goes_with_the_server() {
    let world = World::new(FILES);
    let path = world.beside("advice.sock");
    let socket = ["--socket", path.to_str().unwrap()];
    let server = Server::start(&world, &socket);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(server.get("/health"), (200, json!({})));
    world.ab(&[&["policy", "serve"], &socket[..]].concat()).exits(2).says("AB0191");
    assert_eq!(server.stop("-TERM"), Some(0));
    assert!(!path.exists(), "the socket is left behind");
    // One that somebody left behind is replaced, a file is not.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert_eq!(Server::start(&world, &socket).stop("-TERM"), Some(0));
    fs::write(&path, "precious").unwrap();
    world.ab(&[&["policy", "serve"], &socket[..]].concat()).exits(2).says("AB0191");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}
