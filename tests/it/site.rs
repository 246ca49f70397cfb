//! The pages that tests read, and those who must not be reached: that they are what they are said to be. Chromium reads them as a second opinion.

use std::io::Read as _;
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use abide_tests::bare::{self, Bare};
use abide_tests::documentation::{self, Documentation};
use abide_tests::hostile::{self, Act, Aim};
use abide_tests::namespace;
use abide_tests::site::ask::{ask, get};
use abide_tests::site::{ENDLESS_ITEMS, LIST_ITEMS, LIST_PAGE, PASSWORD, Site, USER};
use abide_tests::victim::{Names, Victims, Way};

#[test]
fn every_page_of_the_catalogue_is_there_and_is_counted() {
    let site = Site::friendly();
    let index = get(site.at(), "/").text();
    let links: Vec<&str> =
        index.split("<li><a href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() >= 24, "{links:?}");
    for link in &links {
        // Some lead on, and one takes its time.
        if *link != "/slow" {
            assert!([200, 301].contains(&get(site.at(), link).status), "{link}");
        }
    }
    assert_eq!(site.lines().len(), links.len());
    assert_eq!(site.asked_for("/threads.html"), 1);
    assert_eq!(get(site.at(), "/nothing.html").status, 404);
    assert_eq!(get(site.at(), "/../Cargo.toml").status, 404);
    assert_eq!(ask(site.at(), "DELETE", "/", &["x-note: a"], "gone").status, 405);
    let asked = site.asked().pop().unwrap();
    assert_eq!(
        (asked.method.as_str(), asked.header("x-note"), asked.body.as_slice()),
        ("DELETE", "a", &b"gone"[..])
    );
    site.forget();
    assert_eq!((site.asked().len(), site.sent()), (0, 0));
}

#[test]
fn lists_go_on_to_their_end() {
    let site = Site::friendly();
    let (mut target, mut parts, mut pages) = ("/list".to_owned(), 0, 0);
    loop {
        let text = get(site.at(), &target).text();
        parts += text.matches("<li data-lot=").count();
        pages += 1;
        let next = text.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
        let Some(next) = next else { break };
        target = next.replace("&amp;", "&");
    }
    assert_eq!((parts, pages), (LIST_ITEMS, LIST_ITEMS.div_ceil(LIST_PAGE)));
    assert_eq!(get(site.at(), "/list?page=99").status, 404);
    let found = get(site.at(), "/list?q=bolt+m8").text();
    assert_eq!(found.matches("Bolt M8").count(), found.matches("<li data-lot=").count());
    assert!(found.contains("Bolt M8"));
    let last = get(site.at(), &format!("/endless.json?from={}", ENDLESS_ITEMS - 5)).text();
    assert_eq!((last.matches("name").count(), last.contains("\"next\":null")), (5, true));
    assert_eq!(get(site.at(), "/threads.html").text().matches("<tr><th scope=\"row\">").count(), 200);
}

#[test]
fn who_signs_in_gets_behind() {
    let site = Site::friendly();
    let closed = get(site.at(), "/orders");
    assert_eq!((closed.status, closed.header("location")), (303, "/login.html"));
    let form = ["content-type: application/x-www-form-urlencoded"];
    let wrong = ask(site.at(), "POST", "/session", &form, "account=service-reader&password=no");
    assert_eq!((wrong.header("location"), wrong.header("set-cookie")), ("/login.html?wrong", ""));
    let right = ask(site.at(), "POST", "/session", &form, &format!("account={USER}&password={PASSWORD}"));
    let cookie = right.header("set-cookie").split(';').next().unwrap().to_owned();
    assert_eq!((right.status, right.header("location")), (303, "/orders"));
    let open = ask(site.at(), "GET", "/orders", &[&format!("cookie: a=b; {cookie}")], "");
    assert!(open.text().contains("2026-0011"), "{open:?}");
}

#[test]
fn some_answers_depend_on_how_one_asks() {
    let site = Site::friendly();
    let first = get(site.at(), "/limited");
    assert_eq!((first.status, first.header("retry-after")), (429, "1"));
    assert_eq!(get(site.at(), "/limited").status, 200);
    let page = get(site.at(), "/cached");
    for (field, value) in
        [("if-none-match", page.header("etag")), ("if-modified-since", page.header("last-modified"))]
    {
        let again = ask(site.at(), "GET", "/cached", &[&format!("{field}: {value}")], "");
        assert_eq!((again.status, again.body.len()), (304, 0), "{field}");
    }
    assert_eq!(ask(site.at(), "GET", "/cached", &["if-none-match: \"older\""], "").status, 200);
    let nuts: Vec<String> = (1..=3).map(|v| get(site.at(), &format!("/nuts?v={v}")).text()).collect();
    assert!(
        nuts[0].contains("Across flats") && nuts[1].contains("Wrench size") && !nuts[2].contains("<table")
    );
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&get(site.at(), "/gzip").body[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, get(site.at(), "/threads.html").text());
    let cut = get(site.at(), "/cut");
    assert!(cut.body.len() < cut.header("content-length").parse().unwrap());
    assert_eq!(get(site.at(), "/huge").body.len() >> 20, 19);
    assert!(get(site.at(), "/robots.txt").text().contains("Crawl-delay: 1"));
    assert!(
        get(site.at(), "/sitemap.xml").text().contains(&format!("<loc>{}/threads.html</loc>", site.origin()))
    );
    let began = Instant::now();
    get(site.at(), "/slow");
    assert!(began.elapsed() >= Duration::from_secs(5));
}

#[test]
fn a_browser_sees_what_scripts_and_charsets_make_of_them() {
    if !bare::is_there() {
        return;
    }
    let site = Site::friendly();
    let mut bare = Bare::start();
    let mut sees = |path: &str, acts: &[Act], expression: &str| {
        bare.go(&format!("{}{path}", site.origin()));
        assert!(
            bare.waits_for("document.readyState === 'complete' && location.protocol === 'http:'"),
            "{path}"
        );
        for act in acts {
            bare.act(*act);
        }
        assert!(bare.waits_for(expression), "{path}: {expression}\n{}", bare.text());
    };
    sees("/bolts.html", &[], "document.querySelectorAll('.bolt').length === 48");
    sees("/endless.html", &[Act::Scroll], "document.querySelectorAll('.part').length > 25");
    sees("/threads.html", &[], "document.querySelectorAll('#threads tbody tr').length === 200");
    sees(
        "/shadow.html",
        &[],
        "document.querySelector('part-open').shadowRoot.textContent.startsWith('Open') && !document.querySelector('part-closed').shadowRoot && !!document.querySelector('#declared').shadowRoot",
    );
    sees(
        "/frames.html",
        &[],
        "frames[0].document.querySelectorAll('tr').length === 3 && frames[2].frames[0].document.title === 'Stock'",
    );
    sees(
        "/late.html",
        &[Act::Click("#show")],
        "!!document.querySelector('#soon') && !!document.querySelector('#price')",
    );
    sees("/late.html", &[Act::Click("#drawing")], "location.pathname === '/late.html/drawing'");
    sees("/shift-jis.html", &[], "document.title === '六角ボルト' && document.characterSet === 'Shift_JIS'");
    sees("/utf-16.html", &[], "document.title === 'Ščrew' && document.characterSet === 'UTF-16LE'");
    sees(
        "/mislabelled.html",
        &[],
        "document.querySelector('h1').textContent === 'Preisliste f\\ufffdr Schrauben'",
    );
    sees("/arabic.html", &[], "getComputedStyle(document.body).direction === 'rtl'");
    sees(
        "/unclosed.html",
        &[],
        "!!document.querySelector('#written') && document.querySelectorAll('table td').length >= 9",
    );
    sees("/noscript.html", &[], "!!document.querySelector('#with') && !document.querySelector('#without')");
    sees("/links.html", &[], "document.querySelector('li a').href.endsWith('/parts/metric/threads.html')");
    sees("/gzip", &[], "document.querySelectorAll('#threads tbody tr').length === 200");
    sees("/raw-deflate", &[], "document.querySelectorAll('#threads tbody tr').length === 200");
    sees("/moved", &[], "location.pathname === '/threads.html'");
    sees("/moved/meta", &[], "location.pathname === '/steel.html'");
    sees("/moved/script", &[], "location.pathname === '/steel.html'");
    let sign_in =
        [Act::Fill("[name=account]", USER), Act::Fill("[name=password]", PASSWORD), Act::Click("button")];
    sees("/login.html", &sign_in, "document.querySelectorAll('#orders tr').length === 3");
}

#[test]
fn pages_that_nobody_here_wrote_are_served_as_they_are() {
    let pages = documentation::pages();
    let packages: std::collections::BTreeSet<&str> = pages.iter().map(|page| page.package.as_str()).collect();
    eprintln!("{} pages of {} packages: {packages:?}", pages.len(), packages.len());
    if pages.is_empty() {
        eprintln!("skipped: no documentation here (`cargo xtask browser`)");
        return;
    }
    let site = Site::start("127.0.0.1:0", Documentation::default());
    for page in pages.iter().step_by(pages.len().div_ceil(50)) {
        let said = get(site.at(), &page.path());
        assert_eq!((said.status, said.body), (200, std::fs::read(&page.file).unwrap()), "{page:?}");
    }
    for path in [
        "/etc/passwd",
        "/usr/share/doc/../../../etc/passwd",
        "/usr/share/doc/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    ] {
        assert_eq!(get(site.at(), path).status, 404, "{path}");
    }
}

#[test]
fn each_victim_counts_who_comes() {
    let victims = Victims::on_loopback();
    victims.are_unharmed("nobody came");
    for at in &victims.tcp {
        // Nothing is said, and it counts.
        drop(TcpStream::connect(at).unwrap());
    }
    get(victims.tcp[0], "/what?loot");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"loot", victims.udp[0]).unwrap();
    socket.send_to(b"no question", victims.dns).unwrap();
    let hits = (0..100)
        .scan(Vec::new(), |all, _| {
            std::thread::sleep(Duration::from_millis(10));
            all.extend(victims.take());
            Some(all.clone())
        })
        .find(|hits| hits.len() >= victims.tcp.len() + 3)
        .expect("all of them are counted");
    let count = |way: Way| hits.iter().filter(|hit| hit.way == way).count();
    assert_eq!((count(Way::Tcp), count(Way::Udp), count(Way::Dns)), (victims.tcp.len() + 1, 1, 1));
    assert!(hits.iter().any(|hit| hit.at == victims.tcp[0] && hit.said.contains("GET /what?loot")));
}

#[test]
fn in_a_network_of_its_own_every_address_is_a_victim() {
    namespace::within("site::in_a_network_of_its_own_every_address_is_a_victim", || {
        let names = Names::default().with("turns.example", &[&["93.184.216.34"], &["10.0.0.1"]]);
        let victims = Victims::everywhere(&Aim::TCP, &Aim::UDP, names);
        for at in [
            "169.254.169.254:80",
            "10.1.2.3:443",
            "192.168.1.1:8081",
            "8.8.8.8:80",
            "[fd00:ec2::254]:80",
            "[::1]:443",
        ] {
            drop(TcpStream::connect_timeout(&at.parse().unwrap(), Duration::from_secs(2)).unwrap());
            std::thread::sleep(Duration::from_millis(50));
            let hits = victims.take();
            assert_eq!(hits.iter().map(|hit| hit.at.to_string()).collect::<Vec<_>>(), [at]);
        }
        let resolved = |name: &str| {
            let ask = std::net::ToSocketAddrs::to_socket_addrs(&(name, 80));
            ask.map(|all| all.map(|at| at.ip().to_string()).collect::<Vec<_>>()).unwrap_or_default()
        };
        assert_eq!(
            (resolved("turns.example"), resolved("turns.example")),
            (vec!["93.184.216.34".to_owned()], vec!["10.0.0.1".to_owned()])
        );
        assert!(resolved("loot.leak.example").is_empty());
        assert!(victims.take().iter().any(|hit| hit.way == Way::Dns && hit.said == "A loot.leak.example"));
        assert!(!hostile::all().is_empty());
    });
}
