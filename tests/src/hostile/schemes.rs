//! What a worker asks for that is no page of the web, and what a page makes of such addresses.

use super::{Attack, Kind, Proof, Reply};

/// A worker that opens this address, and sees this.
fn open(name: &str, url: &str, sees: Proof) -> Attack {
    Attack::new(name, Kind::Scheme, sees).opens(url)
}

fn page(name: &str, proof: Proof, body: &'static str) -> Attack {
    Attack::page(name, Kind::Scheme, proof, body)
}

pub(super) fn rows() -> Vec<Attack> {
    let loot = Proof::Reads("loot-7f3a91");
    let victim = Proof::Reads("only the inside");
    vec![
        open("file", "file://{canary}", loot),
        open("file-by-host", "file://localhost{canary}", loot),
        open("file-folder", "file:///proc/self/", Proof::Reads("cmdline")),
        open("file-of-accounts", "file:///etc/passwd", Proof::Reads("root:")),
        open("view-source", "view-source:{here}/", loot)
            .file("", Reply::Page("<!doctype html><!-- {loot} --><title>Source</title><p>Plain</p>")),
        open("view-source-file", "view-source:file://{canary}", loot),
        open("chrome-version", "chrome://version", Proof::Reads("Command Line")),
        open("chrome-net-export", "chrome://net-export", Proof::Reads("log")),
        open("chrome-policy", "chrome://policy", Proof::Reads("olic")),
        open("chrome-crash", "chrome://crash", Proof::Costs(0)),
        open("chrome-hang", "chrome://hang", Proof::Costs(0)),
        open(
            "devtools",
            "devtools://devtools/bundled/inspector.html?ws={victim}/x",
            Proof::Never("developer tools are only opened by whoever debugs"),
        ),
        open("data", "data:text/html,<p>{loot}</p>", loot),
        open("data-script", "data:text/html,<script>fetch('http://{victim}/data')</script>", Proof::Tcp),
        open("javascript", "javascript:void(fetch('http://{victim}/javascript'))", Proof::Tcp),
        open("credentials", "http://somebody:{loot}@{victim}/", victim),
        open("victim", "http://{victim}/", victim),
        open("other-port", "http://127.0.0.1:8081/", victim),
        open("upper-case", "HTTP://LOCALHOST:8081/", victim),
        open("spaces", "  http://{victim}/\t\n", victim),
        open("backslashes", "http:\\\\{victim}\\", victim),
        page(
            "blob",
            Proof::Tcp,
            "<!doctype html><script>location = URL.createObjectURL(new Blob([`<script>fetch('http://{victim}/blob')</` + `script>`], {type: 'text/html'}))</script>",
        ),
        page(
            "blob-frame",
            Proof::Tcp,
            "<!doctype html><iframe id=f></iframe><script>f.src = URL.createObjectURL(new Blob([`<img src='http://{victim}/blob-frame'>`], {type: 'text/html'}))</script>",
        ),
        page(
            "data-frame",
            Proof::Tcp,
            "<!doctype html><iframe src=\"data:text/html,<script>fetch('http://{victim}/data-frame')</script>\"></iframe>",
        ),
        page(
            "srcdoc-frame",
            Proof::Tcp,
            "<!doctype html><iframe srcdoc=\"<img src='http://{victim}/srcdoc-frame'>\"></iframe>",
        ),
        page(
            "blank-window",
            Proof::Tcp,
            "<!doctype html><button onclick=\"window.open('about:blank').document.write('<img src=http://{victim}/blank-window>')\">Go</button>",
        )
        .acts(&[super::Act::Click("button")]),
        page(
            "file-by-link",
            Proof::Never("a page of the web may not lead to a file"),
            "<!doctype html><a href='file://{canary}'>Go</a><iframe src='file://{canary}'></iframe><script>location = 'file://{canary}'</script>",
        ),
        page(
            "data-by-link",
            Proof::Never("a page may not lead its whole tab to `data:`"),
            "<!doctype html><script>location = 'data:text/html,<img src=http://{victim}/data-by-link>'</script>",
        ),
        page(
            "javascript-link",
            Proof::Tcp,
            "<!doctype html><a href=\"javascript:void(fetch('http://{victim}/javascript-link'))\">Go</a>",
        )
        .acts(&[super::Act::Click("a")]),
    ]
}
