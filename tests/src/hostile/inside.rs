//! Ways to addresses inside: this machine, the network around it, and the services by which clouds hand out keys; in the spellings that a browser
//! understands.

use super::{Act, Attack, Kind, Proof, Reply};

/// Names of the rows, and hosts as they are written.
const HOSTS: &[(&str, &str)] = &[
    ("user-before", "site.example@127.0.0.1"),
    ("loopback", "127.0.0.1"),
    ("short", "127.1"),
    ("decimal", "2130706433"),
    ("hexadecimal", "0x7f000001"),
    ("octal", "0177.0.0.1"),
    ("mixed", "0x7f.1"),
    ("dot-at-the-end", "127.0.0.1."),
    ("another-of-loopback", "127.66.6.1"),
    ("unspecified", "0.0.0.0"),
    ("circled-digits", "①②⑦.⓪.⓪.①"),
    ("ideographic-dots", "127。0。0。1"),
    ("escaped-digits", "%31%32%37.0.0.1"),
    ("localhost", "localhost"),
    ("below-localhost", "any.localhost"),
    ("upper-localhost", "LOCALHOST"),
    ("six-loopback", "[::1]"),
    ("six-mapped", "[::ffff:127.0.0.1]"),
    ("six-mapped-hexadecimal", "[::ffff:7f00:1]"),
    ("six-unspecified", "[::]"),
    ("six-long", "[0:0:0:0:0:0:0:1]"),
    ("six-translated", "[64:ff9b::7f00:1]"),
    ("metadata", "169.254.169.254"),
    ("metadata-decimal", "2852039166"),
    ("metadata-hexadecimal", "0xa9fea9fe"),
    ("metadata-six", "[fd00:ec2::254]"),
    ("metadata-mapped", "[::ffff:169.254.169.254]"),
    ("metadata-shared", "100.100.100.200"),
    ("link-local", "169.254.10.10"),
    ("private-10", "10.0.0.1"),
    ("private-172", "172.16.0.1"),
    ("private-192", "192.168.1.1"),
    ("private-six", "[fd12:3456::1]"),
];

/// How a page leads on. `{to}` is where to.
const WAYS: &[(&str, Reply, &[Act])] = &[
    ("301", Reply::With(301, &[("location", "http://{to}/")], ""), &[]),
    ("302", Reply::With(302, &[("location", "http://{to}/")], ""), &[]),
    ("307", Reply::With(307, &[("location", "//{to}/")], ""), &[]),
    ("refresh", Reply::With(200, &[("refresh", "0; url=http://{to}/")], "<!doctype html><p>Wait</p>"), &[]),
    ("meta", Reply::Page("<!doctype html><meta http-equiv=refresh content='0; url=http://{to}/'>"), &[]),
    ("script", Reply::Page("<!doctype html><script>location.href = 'http://{to}/'</script>"), &[]),
    ("replace", Reply::Page("<!doctype html><script>location.replace('//{to}/')</script>"), &[]),
    ("link", Reply::Page("<!doctype html><a href='http://{to}/'>Go</a>"), &[Act::Click("a")]),
    (
        "form",
        Reply::Page("<!doctype html><form action='http://{to}/'><button>Go</button></form>"),
        &[Act::Click("button")],
    ),
    ("frame", Reply::Page("<!doctype html><iframe src='http://{to}/'></iframe>"), &[]),
    ("fetch", Reply::Page("<!doctype html><script>fetch('http://{to}/', {mode: 'no-cors'})</script>"), &[]),
];

/// Names that people or their networks made, and that lead inside.
const NAMES: &[(&str, &str, Proof)] = &[
    ("name-of-an-inner-address", "inside.example", Proof::Tcp),
    ("name-of-six", "inside-six.example", Proof::Tcp),
    ("name-of-metadata", "metadata.google.internal", Proof::Dns("metadata.google.internal")),
    ("name-without-dots", "intranet", Proof::Dns("intranet")),
    ("name-of-the-local-network", "printer.local", Proof::Dns("printer.local")),
];

/// Each host by one way in turn, so that each way and each host is tried and the table stays short.
pub(super) fn rows() -> Vec<Attack> {
    let by_turns = HOSTS.iter().zip(WAYS.iter().cycle());
    let mut rows: Vec<Attack> = by_turns
        .map(|((host, address), (way, reply, acts))| {
            Attack::new(&format!("{way}-to-{host}"), Kind::Inside, Proof::Tcp)
                .file("", *reply)
                .acts(acts)
                .word("{to}", address)
        })
        .collect();
    rows.extend(NAMES.iter().map(|(name, host, proof)| {
        Attack::page(
            name,
            Kind::Inside,
            *proof,
            "<!doctype html><script>location.href = 'http://{to}/'</script>",
        )
        .word("{to}", host)
    }));
    rows.extend([
        // Names that are outside when a page is loaded, and inside when its script asks again: `super::names` and `super::turncoat`.
        // Chromium remembers an answer for a minute, unless its network changes: within two seconds only the question is seen.
        turns("rebinding", "http://turns.example:8082/", Proof::Dns("turns.example")),
        turns("rebinding-of-two", "http://both.example:8082/", Proof::Reads("only the inside")),
        Attack::page(
            "two-redirects",
            Kind::Inside,
            Proof::Tcp,
            "<!doctype html><script>location = '{here}/one'</script>",
        )
        .file("one", Reply::With(302, &[("location", "{here}/two")], ""))
        .file("two", Reply::With(308, &[("location", "http://169.254.169.254/latest/meta-data/")], "")),
        Attack::page(
            "redirect-of-an-image",
            Kind::Inside,
            Proof::Tcp,
            "<!doctype html><img src='{here}/image.png'>",
        )
        .file("image.png", Reply::With(302, &[("location", "http://10.0.0.1/image.png")], "")),
        Attack::page(
            "redirect-of-a-fetch",
            Kind::Inside,
            Proof::Tcp,
            "<!doctype html><script>fetch('{here}/list.json')</script>",
        )
        .file("list.json", Reply::With(307, &[("location", "http://192.168.1.1/")], "")),
        Attack::page(
            "redirect-of-a-script",
            Kind::Inside,
            Proof::Tcp,
            "<!doctype html><script src='{here}/code.js'></script>",
        )
        .file("code.js", Reply::With(301, &[("location", "http://{victim}/code.js")], "")),
    ]);
    rows
}

fn turns(name: &str, url: &str, proof: Proof) -> Attack {
    Attack::new(name, Kind::Inside, proof).opens(url).acts(&[Act::Wait(1_500)])
}
