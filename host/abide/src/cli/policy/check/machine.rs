//! Findings for programs: one JSON object, a SARIF 2.1.0 log (OASIS), or workflow commands of a forge.

use std::collections::BTreeSet;

use abide_core::safe_text;
use serde_json::{Value as Json, json};

use super::finding::{Finding, Level};

/// What `--json` prints.
pub(super) fn object(findings: &[Finding]) -> Json {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let list: Vec<Json> = findings.iter().map(one).collect();
    json!({ "errors": count(Level::Error), "warnings": count(Level::Warning), "findings": list })
}

fn one(finding: &Finding) -> Json {
    json!({
        "code": finding.code,
        "level": finding.level.word(),
        "path": finding.path,
        "line": finding.span.map(|span| span.line),
        "column": finding.span.map(|span| span.column),
        "message": whole(finding),
        "help": Some(finding.help).filter(|help| !help.is_empty()),
    })
}

/// Message and label in one sentence.
fn whole(finding: &Finding) -> String {
    if finding.label.is_empty() {
        finding.message.clone()
    } else {
        format!("{}; {}", finding.message, finding.label)
    }
}

/// A log of one run. <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>
pub(super) fn sarif(findings: &[Finding]) -> Json {
    let codes: BTreeSet<&str> = findings.iter().map(|finding| finding.code).collect();
    let rules: Vec<Json> = codes
        .iter()
        .map(|code| json!({ "id": code, "shortDescription": { "text": format!("ab explain {code}") } }))
        .collect();
    let results: Vec<Json> = findings.iter().map(result).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "ab", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Finding) -> Json {
    let mut place = json!({ "artifactLocation": { "uri": uri(&finding.path) } });
    if let (Some(span), Some(fields)) = (finding.span, place.as_object_mut()) {
        let end = span.column.saturating_add(span.length);
        let region = json!({ "startLine": span.line, "startColumn": span.column, "endColumn": end });
        fields.insert("region".to_owned(), region);
    }
    json!({
        "ruleId": finding.code,
        "level": finding.level.word(),
        "message": { "text": whole(finding) },
        "locations": [{ "physicalLocation": place }],
    })
}

/// A path as a relative reference (RFC 3986), bytes that are not unreserved escaped.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
    let escaped = path
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    escaped.collect::<Vec<_>>().concat()
}

/// One workflow command for each finding, each on a line of its own.
pub(super) fn github(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let (word, path) = (finding.level.word(), property(&finding.path));
        let place =
            finding.span.map_or_else(String::new, |span| format!(",line={},col={}", span.line, span.column));
        let title = property(finding.code);
        let line = format!("::{word} file={path}{place},title={title}::{}\n", data(&whole(finding)));
        out.push_str(&line);
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(&safe_text::line(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(data("50%\r\n::error::x"), "50%25%0D%0A::error::x");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25\\u{a}");
    }

    #[test]
    fn a_path_is_a_reference() {
        assert_eq!(uri("policies/a b#é:%.rego"), "policies/a%20b%23%C3%A9%3A%25.rego");
    }
}
