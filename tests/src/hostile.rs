//! Pages that mean harm, one attack in each row: what is served, what is done on it, and what shows that it works where nothing stands in its way.
//!
//! The rows are data and know nothing of who opens them. A page gets the addresses of its victims by an [`Aim`]. What each of them does to a
//! Chromium without walls is measured by `tests/it/hostile.rs` and written in `tests/site/README.md`: an attack that does nothing there proves nothing
//! elsewhere.

mod change;
mod channels;
mod exhaust;
mod exhaust_made;
mod hints;
mod inside;
mod schemes;
mod sends;
mod text;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use crate::site::{Answer, Asked, Friendly, Pages};
use crate::victim::Names;

/// What a page is not to get out: it stands in the page, in the file that it is not to read, or is made by it.
pub const LOOT: &str = "loot-7f3a91";

/// A kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The worker asks for what is no page of the web.
    Scheme,
    /// The way leads to an address inside.
    Inside,
    /// A way to the network besides requests of documents.
    Channel,
    /// What a page has its browser fetch by the way.
    Hint,
    /// What is sent without a grant.
    Send,
    /// What is carried out in what is asked.
    Exfiltrate,
    /// What costs time, memory, disk or a person's attention.
    Exhaust,
    /// What is told to whoever reads.
    Text,
    /// The page is not what it was.
    Change,
}

/// What shows that an attack works where nothing stands in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A victim is connected to.
    Tcp,
    /// A victim gets a datagram.
    Udp,
    /// A name is asked for that ends so.
    Dns(&'static str),
    /// The site is asked something that holds [`LOOT`], or by another method than GET.
    Taken,
    /// The text of the page holds this.
    Reads(&'static str),
    /// The browser does not answer any more, dies, or the site sends more than this many MiB.
    Costs(u64),
    /// Nothing to count: what comes out is judged by whoever reads it.
    Shows,
    /// Chromium as it is does not do it, for this reason; the row keeps watch over the next one.
    Never(&'static str),
}

/// What is done on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A click on what a selector finds first.
    Click(&'static str),
    /// A text put into a field.
    Fill(&'static str, &'static str),
    /// Down to the end of the page.
    Scroll,
    /// Nothing, for so many milliseconds.
    Wait(u64),
}

/// What a file of an attack says.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    /// A page in UTF-8.
    Page(&'static str),
    /// A file of a type.
    File(&'static str, &'static str),
    /// A page with fields of its own; `content-type` among them replaces that of a page.
    With(u16, &'static [(&'static str, &'static str)], &'static str),
    /// Bytes of a type.
    Bytes(&'static str, &'static [u8]),
    /// Made as it is asked for; the number says how often it was before.
    Made(fn(usize) -> Answer),
}

/// One attack.
#[derive(Debug, Clone)]
pub struct Attack {
    /// Its name, which is in the path of all that it serves.
    pub name: String,
    /// What it is an example of.
    pub kind: Kind,
    /// What shows that it works.
    pub proof: Proof,
    /// Where whoever tries it begins. `{here}/` is its own page.
    pub opens: String,
    /// What it serves, by the name below its folder; the empty one is its page.
    pub files: Vec<(String, Reply)>,
    /// What is done once the page is open.
    pub acts: Vec<Act>,
    /// Words that its texts have more than those of [`Aim`].
    words: Vec<(&'static str, String)>,
}

impl Attack {
    fn new(name: &str, kind: Kind, proof: Proof) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            proof,
            opens: "{here}/".to_owned(),
            files: Vec::new(),
            acts: Vec::new(),
            words: Vec::new(),
        }
    }

    /// An attack of one page.
    fn page(name: &str, kind: Kind, proof: Proof, body: &'static str) -> Self {
        Self::new(name, kind, proof).file("", Reply::Page(body))
    }

    fn file(mut self, name: &str, reply: Reply) -> Self {
        self.files.push((name.to_owned(), reply));
        self
    }

    fn opens(mut self, url: &str) -> Self {
        url.clone_into(&mut self.opens);
        self
    }

    fn acts(mut self, acts: &[Act]) -> Self {
        self.acts = acts.to_vec();
        self
    }

    fn word(mut self, name: &'static str, value: &str) -> Self {
        self.words.push((name, value.to_owned()));
        self
    }

    /// Paths of the site that have to be allowed for the attack to be tried at all.
    pub fn paths(&self) -> Vec<String> {
        self.files.iter().map(|(file, _)| format!("/hostile/{}/{file}", self.name)).collect()
    }

    /// The address that it begins with.
    pub fn url(&self, aim: &Aim) -> String {
        aim.fill(&self.opens, self)
    }
}

/// Whom the pages aim at.
#[derive(Debug, Clone)]
pub struct Aim {
    /// `http://ADDRESS:PORT` of the site that serves the attacks.
    pub site: String,
    /// `ADDRESS:PORT` of a victim of connections.
    pub victim: String,
    /// The same for clients of TLS.
    pub tls: String,
    /// `ADDRESS:PORT` of a victim of datagrams.
    pub udp: String,
    /// A file of the host that holds [`LOOT`].
    pub canary: String,
}

impl Aim {
    /// Where a network of [`crate::namespace`] has victims of connections.
    pub const TCP: [&str; 4] = ["[::]:80", "[::]:443", "[::]:8081", "127.0.0.1:8082"];
    /// Ports of victims of datagrams: STUN, HTTP/3, names of the local network.
    pub const UDP: [u16; 3] = [3478, 443, 5353];
    /// An address outside, where a name leads first that leads inside afterwards.
    pub const OUTSIDE: &str = "93.184.216.34";

    /// In such a network: the site on loopback, and victims everywhere.
    pub fn within(site: &str, canary: &str) -> Self {
        Self {
            site: site.to_owned(),
            victim: "127.0.0.2:8081".to_owned(),
            tls: "127.0.0.2:443".to_owned(),
            udp: "10.66.6.6:3478".to_owned(),
            canary: canary.to_owned(),
        }
    }

    /// Puts the addresses into a text.
    fn fill(&self, text: &str, attack: &Attack) -> String {
        let here = format!("{}/hostile/{}", self.site, attack.name);
        let mut text = text.to_owned();
        for (word, value) in &attack.words {
            text = text.replace(word, value);
        }
        [
            ("{here}", here.as_str()),
            ("{site}", &self.site),
            ("{victim}", &self.victim),
            ("{tls}", &self.tls),
            ("{udp}", &self.udp),
            ("{canary}", &self.canary),
            ("{loot}", LOOT),
        ]
        .into_iter()
        .fold(text, |text, (word, value)| text.replace(word, value))
    }
}

/// Where the names of the rows lead.
pub fn names() -> Names {
    let outside: &[&str] = &[Aim::OUTSIDE];
    Names::default()
        .with("inside.example", &[&["10.0.0.1"]])
        .with("inside-six.example", &[&["fd12:3456::1"]])
        .with("turns.example", &[outside, &["127.0.0.1"]])
        .with("both.example", &[&[Aim::OUTSIDE, "127.0.0.1"]])
}

/// What is outside while a name turns: its page asks again and again what its name says now, and its server hangs up for good after the first answer.
pub fn turncoat() {
    const PAGE: &str = "<!doctype html><p id=p>Outside</p><script>setInterval(() => fetch('/again').then((answer) => answer.text()).then((text) => p.textContent = text), 100)</script>";
    let Ok(listener) = std::net::TcpListener::bind((Aim::OUTSIDE, 8082)) else { return };
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut piece = [0; 4_096];
        drop(stream.read(&mut piece));
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close";
        drop(write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{PAGE}", PAGE.len()));
    });
}

/// All attacks, by kind.
pub fn all() -> Vec<Attack> {
    [
        schemes::rows(),
        inside::rows(),
        channels::rows(),
        hints::rows(),
        sends::rows(),
        exhaust::rows(),
        text::rows(),
        change::rows(),
    ]
    .concat()
}

/// A site that serves all attacks below `/hostile/NAME/`, and is friendly elsewhere.
#[derive(Debug)]
pub struct Hostile {
    aim: Aim,
    attacks: BTreeMap<String, Attack>,
    friendly: Friendly,
    asked: BTreeMap<String, usize>,
}

impl Hostile {
    /// With these victims.
    pub fn at(aim: Aim) -> Self {
        let attacks = all().into_iter().map(|attack| (attack.name.clone(), attack)).collect();
        Self { aim, attacks, friendly: Friendly::default(), asked: BTreeMap::new() }
    }

    fn reply(&mut self, path: &str) -> Option<Answer> {
        let (name, file) = path.strip_prefix("/hostile/")?.split_once('/')?;
        let attack = self.attacks.get(name)?;
        let (_, reply) = attack.files.iter().find(|(one, _)| one == file)?;
        let fill = |text: &str| self.aim.fill(text, attack);
        let before = self.asked.entry(path.to_owned()).or_default();
        let answer = match *reply {
            Reply::Page(body) => Answer::html(fill(body)),
            Reply::File(media, body) => Answer::of(media, fill(body)),
            Reply::With(status, headers, body) => {
                let mut answer = headers
                    .iter()
                    .fold(Answer::html(fill(body)), |answer, (name, value)| answer.with(name, &fill(value)));
                answer.status = status;
                answer
            }
            Reply::Bytes(media, bytes) => Answer::of(media, bytes),
            Reply::Made(make) => make(*before),
        };
        *before += 1;
        Some(answer)
    }
}

impl Pages for Hostile {
    fn answer(&mut self, origin: &str, asked: &Asked) -> Answer {
        if asked.path().starts_with("/hostile/") {
            return self.reply(asked.path()).unwrap_or_else(|| Answer::status(404));
        }
        // Whoever obeys is not kept from an attack.
        if asked.path() == "/robots.txt" {
            return Answer::status(404);
        }
        self.friendly.answer(origin, asked)
    }
}
