use std::io::{Read as _, Write as _};

use super::*;
use crate::process::Containment;
use crate::process::tests::monotonic;

fn look(probe: &HealthProbe, folder: &Path) -> Health {
    let clock = monotonic();
    let host =
        Host { path: "/usr/bin:/bin".to_owned(), monotonic_ms: &clock, containment: Containment::probe() };
    observe(probe, &"staging".parse().unwrap(), &"r0123456789abcdef".parse().unwrap(), folder, &host, &|| {
        false
    })
}

/// Serves one answer on a loopback port, or holds the connection open without one.
fn serve(answer: Option<&'static str>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).unwrap() > 0);
        match answer {
            Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
            None => std::thread::sleep(Duration::from_secs(5)),
        }
    });
    format!("http://{address}/health")
}

fn get(url: String, contains: Option<&str>) -> Health {
    let probe = HealthProbe::Http { url, timeout_ms: 500, contains: contains.map(str::to_owned) };
    look(&probe, Path::new("/"))
}

#[test]
fn an_answer_is_ok_or_bad_and_silence_is_neither() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell";
    assert_eq!(get(serve(Some(ok)), None).as_str(), "ok");
    assert_eq!(get(serve(Some(ok)), Some("well")).as_str(), "ok");
    assert_eq!(get(serve(Some(ok)), Some("ill")).as_str(), "bad");
    let broken = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(get(serve(Some(broken)), None), Health::Bad("status 500".to_owned()));
    let away = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        get(serve(Some(away)), None),
        Health::Bad("status 302".to_owned()),
        "redirects are not followed"
    );
    assert_eq!(get(serve(None), None).as_str(), "no-data");
    assert_eq!(get(serve(Some("garbage\r\n\r\n")), None).as_str(), "no-data");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(get(format!("http://{closed}/"), None), Health::Bad("nobody listens".to_owned()));
}

#[test]
fn only_this_machine_is_asked() {
    for (url, asked) in [
        ("http://127.0.0.1:80/x", Some("http://127.0.0.1:80/x")),
        ("http://localhost:8080", Some("http://127.0.0.1:8080")),
        ("http://[::1]/x?y", Some("http://[::1]:80/x?y")),
        ("http://127.0.0.1", Some("http://127.0.0.1:80")),
        ("https://127.0.0.1/", None),
        ("http://10.0.0.1/", None),
        ("http://localhost.example.org/", None),
        ("http://127.0.0.1@10.0.0.1/", None),
        ("http://10.0.0.1#@127.0.0.1/", None),
        ("http://127.0.0.1\\@10.0.0.1/", None),
        ("http://0.0.0.0/", None),
        ("http:///x", None),
        ("file:///etc/passwd", None),
    ] {
        assert_eq!(loopback(url).as_deref(), asked, "{url}");
    }
}

#[test]
fn a_file_is_there_or_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("out")).unwrap();
    let states = ["index.html", "gone.html", "out"]
        .map(|path| look(&HealthProbe::File { path: path.parse().unwrap() }, folder.path()).as_str());
    assert_eq!(states, ["ok", "bad", "no-data"]);
    let nowhere = look(&HealthProbe::File { path: "x".parse().unwrap() }, Path::new("/nonexistent"));
    assert_eq!(nowhere.as_str(), "no-data");
}

#[test]
fn a_program_says_by_its_status_and_failing_to_run_is_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let state = |script: &str| {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        look(&HealthProbe::Command { command, timeout_ms: 300 }, folder.path()).as_str()
    };
    assert_eq!(state("test -d \"$AB_RELEASE_DIR\" && test \"$AB_ENVIRONMENT\" = staging"), "ok");
    assert_eq!(state("exit 1"), "bad");
    assert_eq!(state("sleep 60"), "no-data");
    let command = vec!["/nonexistent/probe".to_owned()];
    assert_eq!(look(&HealthProbe::Command { command, timeout_ms: 300 }, folder.path()).as_str(), "no-data");
    assert_eq!(
        look(&HealthProbe::Command { command: vec![], timeout_ms: 300 }, folder.path()).as_str(),
        "no-data"
    );
}
