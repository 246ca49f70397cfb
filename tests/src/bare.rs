//! A Chromium without any wall of ours, spoken to over a pipe: what attacks do where nothing stands in their way, and what a page is by itself.
//!
//! It is no driver: it knows a few calls, waits by the clock, and is only for tests that need a second opinion.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::hostile::Act;

/// The launcher, and the program that it starts.
const PROGRAM: &str = "/usr/lib/chromium/chromium";

/// What a browser does by itself is left out, so that what is counted is what the page did. What protects a network of its user against pages is
/// taken away, so that what an attack can do is seen.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-popup-blocking",
    "--disable-field-trial-config",
    "--enable-blink-features=WebSocketStream",
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,PrivateNetworkAccessForNavigations,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,OptimizationHints,MediaRouter,DialMediaRouteProvider",
    "--remote-debugging-pipe",
    "about:blank",
];

/// The text of a page with that of its shadow trees.
const TEXT: &str = "(() => { const all = (node) => (node.innerText ?? '') + [...node.querySelectorAll('*')].filter((one) => one.shadowRoot).map((one) => [...one.shadowRoot.children].map(all).join(' ')).join(' '); return all(document.documentElement) })()";

/// A running browser with one tab.
#[derive(Debug)]
pub struct Bare {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    next: u64,
    session: String,
    _profile: TempDir,
}

/// Whether Chromium is there, or why a test that needs it does nothing. `ABIDE_REQUIRE_BROWSER=1` makes that a failure.
pub fn is_there() -> bool {
    let is_there = Path::new(PROGRAM).exists();
    let is_required = std::env::var_os("ABIDE_REQUIRE_BROWSER").is_some_and(|value| value == "1");
    assert!(is_there || !is_required, "{PROGRAM} must be there (`cargo xtask browser`)");
    if !is_there {
        eprintln!("skipped: no {PROGRAM} (`cargo xtask browser`)");
    }
    is_there
}

impl Bare {
    /// Starts one with a profile of its own.
    pub fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // Chromium reads what it is told from descriptor 3 and answers on 4.
        let mut child = Command::new("/bin/sh")
            .args(["-c", "exec 3<&0 4>&1 0</dev/null 1>&2; exec \"$@\"", "sh", PROGRAM])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(FLAGS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, from) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut kept, mut piece) = (Vec::new(), vec![0; 1 << 16]);
            while let Ok(count) = out.read(&mut piece) {
                if count == 0 {
                    break;
                }
                kept.extend_from_slice(&piece[..count]);
                while let Some(end) = kept.iter().position(|byte| *byte == 0) {
                    let message: Vec<u8> = kept.drain(..=end).collect();
                    if let Ok(message) = serde_json::from_slice(&message[..end])
                        && sender.send(message).is_err()
                    {
                        return;
                    }
                }
            }
        });
        let mut bare = Self { child, to, from, next: 0, session: String::new(), _profile: profile };
        let long = Duration::from_secs(30);
        let made = bare.call("Target.createTarget", &json!({"url": "about:blank"}), long).unwrap();
        let attach = json!({"targetId": made["targetId"], "flatten": true});
        let attached = bare.call("Target.attachToTarget", &attach, long).unwrap();
        bare.session = attached["sessionId"].as_str().unwrap().to_owned();
        bare
    }

    /// Calls a method of the tab, or of the browser before there is one.
    pub fn call(&mut self, method: &str, parameters: &Value, within: Duration) -> Result<Value, String> {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let bytes = [message.to_string().as_bytes(), b"\0"].concat();
        self.to.write_all(&bytes).map_err(|error| error.to_string())?;
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let answer = self.from.recv_timeout(left).map_err(|error| format!("{method}: {error}"))?;
            if answer["id"] == self.next {
                return match answer.get("error") {
                    Some(error) => Err(error["message"].to_string()),
                    None => Ok(answer["result"].clone()),
                };
            }
        }
    }

    /// Goes to an address; does not wait for the page.
    pub fn go(&mut self, url: &str) {
        drop(self.call("Page.navigate", &json!({"url": url}), Duration::from_secs(2)));
    }

    /// The value of an expression, as if somebody had clicked.
    pub fn value(&mut self, expression: &str, within: Duration) -> Result<Value, String> {
        let parameters = json!({"expression": expression, "returnByValue": true, "userGesture": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &parameters, within)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(details.to_string()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// The text that a reader would see.
    pub fn text(&mut self) -> String {
        let text = self.value(TEXT, Duration::from_secs(3));
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until an expression is true, for ten seconds at most.
    pub fn waits_for(&mut self, expression: &str) -> bool {
        (0..100).any(|_| {
            let is_so = self.value(expression, Duration::from_secs(5)) == Ok(json!(true));
            if !is_so {
                std::thread::sleep(Duration::from_millis(100));
            }
            is_so
        })
    }

    /// Does what an attack wants done.
    pub fn act(&mut self, act: Act) {
        let quoted = |text: &str| json!(text).to_string();
        let expression = match act {
            Act::Wait(ms) => return std::thread::sleep(Duration::from_millis(ms)),
            Act::Click(selector) => format!("document.querySelector({}).click()", quoted(selector)),
            Act::Scroll => "scrollTo(0, document.documentElement.scrollHeight)".to_owned(),
            Act::Fill(selector, text) => format!(
                "(() => {{ const field = document.querySelector({}); field.value = {}; field.dispatchEvent(new Event('input', {{bubbles: true}})) }})()",
                quoted(selector),
                quoted(text)
            ),
        };
        drop(self.value(&expression, Duration::from_secs(2)));
    }

    /// Whether the page still answers.
    pub fn answers(&mut self) -> bool {
        self.value("1 + 1", Duration::from_secs(3)) == Ok(json!(2))
    }

    /// Whether the browser is still there.
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Memory of the browser and all that it started, in MiB.
    pub fn memory_mib(&self) -> u64 {
        let mut of = vec![self.child.id()];
        let mut at = 0;
        while let Some(process) = of.get(at).copied() {
            at += 1;
            for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
                let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
                of.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
        }
        let anonymous = |process: &u32| {
            let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or("0");
            line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0)
        };
        of.iter().map(anonymous).sum::<u64>() / 1_024
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
