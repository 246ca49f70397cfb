//! Pages, through the real `ab` and a real browser: what policy granted is shown, everything else is refused, written down, and reaches nobody.

mod attacks;
mod ended;
mod figures;

use std::path::Path;

use abide_sandbox::Transcript;
use abide_tests::world::Said;
use serde_json::{Value as Json, json};

use crate::bundles::{House, edited};
use crate::egress::{Server, data, digest, run};
use crate::web::blob;
use crate::worker::guest;

/// A house whose policy gives `component` a browser with a lease of `rules`.
pub(crate) fn house(component: &str, origins: &[String], rules: &Json, fills: &Json) -> House {
    house_on(component, origins, rules, fills, &[], &[])
}

/// The same, on a host whose data is edited, and with further files of the policy.
pub(crate) fn house_on(
    component: &str,
    origins: &[String],
    rules: &Json,
    fills: &Json,
    host: &[(&str, &str)],
    files: &[(&str, &str)],
) -> House {
    let house = House::new();
    let entry = json!({component: {
        "capabilities": ["browser", "log", "progress", "workspace"], "limits": "worker-browser", "egress": "pages",
    }});
    let budgets = json!({
        "requests_max": 2_000, "per_second_max": 200, "concurrent_max": 8, "request_bytes_max": 100_000,
        "response_bytes_max": 30_000_000, "bytes_max": 200_000_000, "request_ms_max": 10_000, "idle_ms_max": 5_000, "lease_ms_max": 60_000,
    });
    let manners = json!({
        "purpose": "tests of Abide", "contact": "mailto:nobody@example.org", "robots": "obey", "terms": "our own pages",
        "host_per_second_max": 200, "host_concurrent_max": 8, "wait_ms_max": 5_000,
    });
    let leases = json!({"pages": {"rules": rules, "budgets": budgets, "manners": manners, "fills": fills}});
    let grants = edited("data/grants.yaml", "components: {}", &format!("components: {entry}"));
    let egress = edited("data/egress.yaml", "leases: {}", &format!("leases: {leases}"));
    let egress = egress.replace("origins: []", &format!("origins: {}", json!(origins)));
    let shipped = abide_tests::gate::shipped_files().remove("data/host.yaml").unwrap();
    let shipped = String::from_utf8(shipped).unwrap();
    let host = host.iter().fold(shipped, |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    });
    let mut edits =
        vec![("data/grants.yaml", &*grants), ("data/egress.yaml", &egress), ("data/host.yaml", &host)];
    edits.extend(files);
    let bundle = house.bundle(1, &edits);
    // What the host goes by is among the hard rules.
    house.sign(&bundle, &["rules/alice", "hard/bob", "hard/carol"]);
    house.activate(&bundle).exits(0);
    house
}

/// What came of each step.
pub(crate) fn steps(house: &House, guest: &Path, steps: &[&str]) -> (Said, Vec<String>) {
    let parameters = json!({"path": "docs/index.md", "old": "-", "new": steps.join("\n")});
    let worker = format!("codegen={}", guest.display());
    let said = run(house, "replace-text", &parameters, &["--worker", &worker]);
    let Some(ran) = data(house, "TaskRan").pop() else { return (said, Vec::new()) };
    let transcript = Transcript::unpack(&blob(house, &ran["transcript"])).unwrap();
    (said, transcript.outcome.log.into_iter().map(|line| line.text).collect())
}

#[test]
fn a_page_is_shown() {
    let Some(hostile) = guest("hostile-browse") else { return };
    let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<title>T</title><h1>Hello</h1><p id=a>there</p><script>document.getElementById('a').textContent = 'made by script'</script>".to_owned());
    let origin = server.origin();
    let rules = json!([{"allow": "fetch", "origin": origin, "paths": ["/**"], "networks": ["127.0.0.1/32"]}]);
    let house = house(&digest(&hostile), std::slice::from_ref(&origin), &rules, &json!([]));
    let open = format!("open {origin}/page#part");
    let (_, lines) = steps(&house, &hostile, &[&open, "url", "text", "find p", "snapshot", "screenshot"]);
    let path = "html > body:nth-child(2) > p:nth-child(2)";
    assert_eq!(lines[1], format!("url: {origin}/page#part"));
    assert_eq!(
        lines[2..4],
        ["text: Hello  made by script".to_owned(), format!("find: p [{path}] made by script")]
    );
    assert!(lines[4].starts_with(&format!("snapshot: {origin}/page#part sha256:")), "{lines:?}");
    assert!(lines[5].starts_with("screenshot: sha256:"), "{lines:?}");
    // `robots.txt` first, and what the browser asks for by itself is asked of the lease as well.
    assert_eq!(server.lines()[..2], ["GET /robots.txt HTTP/1.1", "GET /page HTTP/1.1"]);
    let heard = server.heard.lock().unwrap().join("\n");
    assert!(heard.contains("user-agent: abide/") && heard.contains("(tests of Abide; +mailto:"), "{heard}");
    assert!(!heard.contains("Headless"), "{heard}");
    // What was seen lies beside the log, under the digests that the worker was told.
    let used = data(&house, "EgressUsed").pop().unwrap();
    let album: Json = serde_json::from_slice(&blob(&house, &used["pages"]["album"])).unwrap();
    let sight = &album["sights"][0];
    assert!(lines[4].contains(sight["snapshot"].as_str().unwrap()), "{sight}");
    let html = String::from_utf8(blob(&house, &sight["snapshot"])).unwrap();
    assert!(html.contains("<p id=\"a\">made by script</p>"), "{html}");
    assert!(blob(&house, &sight["screenshot"]).starts_with(b"\x89PNG"));
    let areas: Json = serde_json::from_slice(&blob(&house, &sight["areas"])).unwrap();
    assert!(areas["areas"].as_array().unwrap().iter().any(|area| area[0] == path), "{areas}");
    house.world.ab(&["verify"]).exits(0);
    // Once more from what was answered: no browser, no network.
    house.world.ab(&["replay", "--worker", hostile.to_str().unwrap()]).exits(0).says("1 no patch, as then");
    assert_eq!(server.lines().len(), 3);
}

/// A page that is drawn as a whole has a window of that size, and may look otherwise in it.
#[test]
fn what_stands_where_is_measured_in_the_picture() {
    let Some(hostile) = guest("hostile-browse") else { return };
    let page = "<title>T</title><style>body { margin: 0 } i { display: block; height: 3000px }</style><div id=head></div><p id=a>here</p><i></i><script>const fit = () => { document.querySelector('#head').style.height = innerHeight > 2000 ? '300px' : '20px' }; addEventListener('resize', () => setTimeout(fit, 5)); fit()</script>";
    let server = Server::saying(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n{page}"
    ));
    let origin = server.origin();
    let rules = json!([{"allow": "fetch", "origin": origin, "paths": ["/**"], "networks": ["127.0.0.1/32"]}]);
    let house = house(&digest(&hostile), std::slice::from_ref(&origin), &rules, &json!([]));
    let open = format!("open {origin}/page");
    let (_, lines) = steps(&house, &hostile, &[&open, "scroll", "snapshot", "scroll"]);
    assert_eq!((&*lines[1], &*lines[3]), ("scroll: true", "scroll: true"), "it is where it was: {lines:?}");
    let used = data(&house, "EgressUsed").pop().unwrap();
    let album: Json = serde_json::from_slice(&blob(&house, &used["pages"]["album"])).unwrap();
    let areas: Json = serde_json::from_slice(&blob(&house, &album["sights"][0]["areas"])).unwrap();
    let areas = areas["areas"].as_array().unwrap();
    let top =
        |end: &str| areas.iter().find(|area| area[0].as_str().unwrap().ends_with(end)).unwrap()[2].clone();
    assert_eq!(top("div:nth-child(1)"), 0);
    assert_eq!(top("p:nth-child(2)"), 316, "below the head of 300 pixels: {areas:?}");
}

/// A page may write what it was given into its text, its title, its address and its console.
#[test]
fn a_secret_that_a_page_shows_is_blotted_out() {
    let Some(hostile) = guest("hostile-browse") else { return };
    let page = "<title>T</title><input id=a><p id=b></p><a id=c href=/>x</a><script>document.querySelector('#a').addEventListener('input', (event) => { const word = event.target.value; document.querySelector('#b').textContent = word; document.title = word; document.querySelector('#c').href = '/?w=' + encodeURIComponent(word); console.log(word) })</script>";
    let server = Server::saying(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n{page}"
    ));
    let origin = server.origin();
    let rules = json!([{"allow": "fetch", "origin": origin, "paths": ["/**"], "query": true, "networks": ["127.0.0.1/32"]}]);
    let fills = json!([{"secret": "vault:word", "component": digest(&hostile), "origin": origin}]);
    let house = house(&digest(&hostile), std::slice::from_ref(&origin), &rules, &fills);
    let secret = "open & sesame 4711";
    crate::extract::keep(&house, "word", secret);
    let open = format!("open {origin}/page");
    let (_, lines) =
        steps(&house, &hostile, &[&open, "secret #a = word", "find #b", "links", "text", "html", "snapshot"]);
    assert_eq!(lines[1], "secret: ");
    assert!(lines[2].ends_with("(redacted)"), "it was put in, and is not told: {lines:?}");
    assert!(lines[3].contains("?w=(redacted)"), "{lines:?}");
    let said = lines.join("\n");
    for form in [secret, "open &amp; sesame 4711", "open%20%26%20sesame%204711", "sesame 4711"] {
        assert!(!said.contains(form), "{form}: {said}");
    }
    let used = data(&house, "EgressUsed").pop().unwrap();
    let album = String::from_utf8(blob(&house, &used["pages"]["album"])).unwrap();
    assert!(!album.contains("sesame"), "{album}");
    let snapshot: Json = serde_json::from_str(&album).unwrap();
    let html = blob(&house, &snapshot["sights"][0]["snapshot"]);
    assert!(!String::from_utf8(html).unwrap().contains("sesame"));
}
