//! Checks that ask the network through the broker's proxy, with the clients that people use; and what they get without a grant.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use abide_tests::world::AB_YML;
use serde_json::{Value as Json, json};

use crate::bundles::{House, edited};
use crate::egress::{Server, data};

const TICKET: &str = "Repair broken links in docs/";

/// An index of packages over TLS, under a name of this machine, with an authority of its own.
struct Index {
    child: Child,
    port: u16,
    authority: String,
}

impl Drop for Index {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Serves the folder that it is started in.
const SERVE: &str = "import http.server, ssl
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Quiet)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('../cert.pem', '../key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
";

/// A wheel of nothing, as pip takes it.
const WHEEL: &str = "import zipfile
with zipfile.ZipFile('demo-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('demo.py', 'x = 1\\n')
    wheel.writestr('demo-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n')
    wheel.writestr('demo-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('demo-1.0.dist-info/RECORD', '')
";

fn does(folder: &Path, program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Index {
    fn start(folder: &Path) -> Self {
        let served = folder.join("served");
        let packages = served.join("simple/demo");
        fs::create_dir_all(&packages).unwrap();
        fs::write(packages.join("index.html"), "<a href=\"demo-1.0-py3-none-any.whl\">demo</a>\n").unwrap();
        does(&packages, "/usr/bin/python3", &["-c", WHEEL]);
        let subject = ["-subj", "/CN=index", "-addext", "subjectAltName=DNS:registry.localhost"];
        let made =
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem"];
        does(folder, "openssl", &[&made[..], &subject].concat());
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", SERVE])
            .current_dir(&served)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let authority = fs::read_to_string(folder.join("cert.pem")).unwrap();
        Self { child, port: line.trim().parse().unwrap(), authority }
    }
}

/// Whether the clients are on this machine.
fn has_clients() -> bool {
    let is_there = |program: &str, args: &[&str]| {
        Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
    };
    let all = is_there("curl", &["--version"])
        && is_there("openssl", &["version"])
        && is_there("/usr/bin/python3", &["-m", "pip", "--version"]);
    if !all {
        println!("skipped: no curl, openssl or pip of the system");
    }
    all
}

/// A house whose leases are `leases`, of which checks may have those in `for_checks`.
fn house(leases: &Json, origins: &Json, for_checks: &Json) -> House {
    let house = House::new();
    let egress = edited("data/egress.yaml", "leases: {}", &format!("leases: {leases}"));
    let egress = egress.replace("origins: []", &format!("origins: {origins}"));
    let egress = egress.replace("checks: []", &format!("checks: {for_checks}"));
    let bundle = house.bundle(1, &[("data/egress.yaml", &egress)]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(0);
    house
}

fn lease(rules: &Json) -> Json {
    let budgets = json!({
        "requests_max": 100, "per_second_max": 50, "concurrent_max": 4, "request_bytes_max": 100_000, "response_bytes_max": 1_000_000,
        "bytes_max": 10_000_000, "request_ms_max": 5_000, "idle_ms_max": 5_000, "lease_ms_max": 300_000,
    });
    json!({"rules": rules, "budgets": budgets})
}

/// The results of these checks, by name.
fn ran(house: &House, checks: &[(&str, Option<&str>, &str)]) -> Vec<Json> {
    let checks: Vec<Json> = checks
        .iter()
        .map(|(name, lease, script)| {
            let mut check =
                json!({"name": name, "run": ["sh", "-c", script], "timeout": "60s", "required": false});
            if let Some(lease) = lease {
                check["egress"] = json!(lease);
            }
            check
        })
        .collect();
    let head = AB_YML.split("checks:").next().unwrap();
    house.world.write("ab.yml", format!("{head}\nchecks: {}\n", json!(checks)).as_bytes());
    house.world.commit("Checks");
    house.world.ab(&["run", "--ticket", TICKET]);
    let finished = data(house, "ChecksFinished").pop();
    finished.map_or_else(Vec::new, |finished| finished["results"].as_array().unwrap().clone())
}

fn came<'r>(results: &'r [Json], name: &str) -> (&'r str, &'r str) {
    let one = results.iter().find(|one| one["name"] == name).unwrap();
    (one["outcome"].as_str().unwrap(), one["why"].as_str().unwrap_or_default())
}

#[test]
fn clients_that_know_a_proxy_get_what_was_granted_and_nothing_else() {
    if !has_clients() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let index = Index::start(folder.path());
    let server = Server::start("a list");
    let (plain, registry) = (server.origin(), format!("registry.localhost:{}", index.port));
    let rules = json!([
        {"allow": "fetch", "origin": plain, "exact": ["/list"], "networks": ["127.0.0.1/32"]},
        {"allow": "tunnel", "origin": format!("connect://{registry}"), "networks": ["127.0.0.1/32", "::1/128"]},
    ]);
    let origins = json!([plain, format!("connect://{registry}")]);
    let house = house(&json!({"web": lease(&rules)}), &origins, &json!(["web"]));
    house.world.write("index.pem", index.authority.as_bytes());
    // The jail's own loopback is asked directly, and so is every name of this machine: not here, where the servers are.
    let via = "unset NO_PROXY no_proxy;";
    let curl = format!("{via} curl -sS --fail-with-body --http1.1 --cacert index.pem");
    let (list, other) = (format!("{curl} {plain}/list"), format!("{curl} {plain}/other"));
    let post = format!("{curl} -d body {plain}/list");
    let tls = format!("{curl} https://{registry}/simple/demo/");
    let elsewhere = format!("{curl} https://else.localhost:{}/", index.port);
    let pip = format!(
        "{via} /usr/bin/python3 -m pip download -q --no-deps --cert index.pem -i https://{registry}/simple demo && ls demo-1.0*"
    );
    let direct =
        "python3 -c \"import socket; s=socket.socket(); s.settimeout(1); s.connect_ex(('192.0.2.1', 80))\"";
    let around = format!("curl -sS --noproxy '*' {plain}/list");
    let web = Some("web");
    let checks = [
        ("list", web, list.as_str()),
        ("other", web, other.as_str()),
        ("post", web, post.as_str()),
        ("tls", web, tls.as_str()),
        ("elsewhere", web, elsewhere.as_str()),
        ("pip", web, pip.as_str()),
        ("direct", web, direct),
        ("around", web, around.as_str()),
        ("bare", None, "env | grep -i _proxy && exit 1; exit 0"),
    ];
    let results = ran(&house, &checks);
    let came = |name| came(&results, name);
    for name in ["list", "tls", "pip", "bare"] {
        assert_eq!(came(name), ("passed", ""), "{results:#?}");
    }
    for (name, what) in [
        ("other", format!("no rule allows GET on `{plain}/other` [AB0903]")),
        ("post", format!("no rule allows POST on `{plain}/list` [AB0903]")),
        ("elsewhere", format!("no rule allows CONNECT on `else.localhost:{}` [AB0903]", index.port)),
    ] {
        let (outcome, why) = came(name);
        assert!(outcome == "failed" && why.contains(&what) && why.contains("lease `web`"), "{name}: {why}");
    }
    assert_eq!(came("direct").0, "breach", "{results:#?}");
    assert_eq!(came("around").0, "failed", "{results:#?}");
    assert_eq!(server.lines(), ["GET /list HTTP/1.1"]);

    // What was asked stands in the log, by check.
    let used = data(&house, "EgressUsed");
    let of = |name: &str| used.iter().find(|used| used["check"] == name).unwrap();
    assert_eq!(used.len(), 8, "one for each lease that was opened: {used:#?}");
    assert_eq!(
        (of("list")["lease"].as_str(), &of("list")["rows"][0]["origin"]),
        (Some("web"), &json!(plain))
    );
    let row = &of("pip")["rows"][0];
    assert_eq!((row["method"].as_str(), &row["stopped"]), (Some("CONNECT"), &json!("0")), "{row}");
    assert_eq!(of("elsewhere")["rows"][0]["stopped"], "1");
    assert!(of("direct")["rows"].as_array().unwrap().is_empty());
    house.world.ab(&["verify"]).exits(0);
    let run = house.world.ab(&["--json", "show"]).exits(0).json()["run"].as_str().unwrap().to_owned();
    house.world.ab(&["show", &run]).exits(0).says("u1 check pip asked the network");
}

#[test]
fn a_lease_is_asked_for_twice_and_each_no_is_one() {
    let server = Server::start("a list");
    let plain = server.origin();
    let rules =
        json!([{"allow": "fetch", "origin": plain, "exact": ["/list"], "networks": ["127.0.0.1/32"]}]);
    let leases = json!({"web": lease(&rules)});
    let checks = [("list", Some("web"), "exit 0")];
    // It is not for checks.
    let unlisted = house(&leases, &json!([plain]), &json!([]));
    assert!(ran(&unlisted, &checks).is_empty());
    unlisted.world.ab(&["run", "--ticket", TICKET]).says("lease-not-for-checks");
    // Its origin is not to be reached.
    let nowhere = house(&leases, &json!([]), &json!(["web"]));
    assert!(ran(&nowhere, &checks).is_empty());
    nowhere.world.ab(&["run", "--ticket", TICKET]).says("origin-not-listed");
    // There is none of that name.
    let missing = house(&leases, &json!([plain]), &json!(["web", "net"]));
    assert!(ran(&missing, &[("list", Some("net"), "exit 0")]).is_empty());
    missing.world.ab(&["run", "--ticket", TICKET]).says("AB0919");
    for house in [unlisted, nowhere, missing] {
        assert!(data(&house, "EgressUsed").is_empty());
    }
}
