//! `ab policy replay --ledger`: the questions of the log, put to the policy of the work tree.

use std::collections::BTreeMap;

use abide_core::decision::Verdict;
use abide_core::event::Body;
use abide_gate::{Judge, Question};
use serde_json::{Value, json};

use crate::cli::Shell;
use crate::desk::Log;
use crate::replay::report::date;
use crate::replay::tally::way;
use crate::report::{Exit, Failure};

/// Decides anew about everything that was decided since `since` (`all`, or a day such as 2026-11-01, in UTC).
pub(super) fn run(shell: &Shell, log: &Log, judge: &dyn Judge, since: &str) -> Result<Exit, Failure> {
    let from = start(since)?;
    let mut rows = Vec::new();
    for (seq, event) in log.of_kinds(&["DecisionRecorded"])? {
        let Body::DecisionRecorded(record) = &event.body else { continue };
        if event.at < from {
            continue;
        }
        let question = Question::from_bytes(log.payload(&record.input)?)
            .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
        let now = judge.decide(&question);
        let rules: Vec<String> = now.findings.iter().map(|finding| finding.rule.clone()).collect();
        rows.push(Row {
            seq: seq.0,
            at: event.at,
            what: format!("{} {}", record.class, record.kind),
            before: (record.verdict, record.rules.clone()),
            now: (now.verdict, rules),
        });
    }
    for line in lines(since, &rows) {
        shell.printer.line(&line);
    }
    shell.printer.data(&json!({ "decisions": rows.iter().map(Row::json).collect::<Vec<_>>() }));
    Ok(Exit::Done)
}

struct Row {
    seq: u64,
    at: u64,
    what: String,
    before: (Verdict, Vec<String>),
    now: (Verdict, Vec<String>),
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "seq": self.seq, "at": self.at, "what": self.what, "before": way(self.before.0), "now": way(self.now.0),
            "rules_before": self.before.1, "rules_now": self.now.1,
        })
    }
}

fn start(since: &str) -> Result<u64, Failure> {
    if since == "all" {
        return Ok(0);
    }
    let day: Result<jiff::civil::Date, _> = since.parse();
    let at = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC)).map_err(|error| {
        Failure::new("AB0174", format!("`{since}` is neither a day nor `all`: {error}"))
            .help("for example --ledger 2026-11-01")
            .exit(Exit::Usage)
    })?;
    Ok(u64::try_from(at.timestamp().as_millisecond()).unwrap_or(0))
}

/// What became looser first, what was denied and is allowed before all; then what became stricter; then the sums.
fn lines(since: &str, rows: &[Row]) -> Vec<String> {
    let mut lines = vec![format!(
        "replay    {} recorded decisions since {since}, by the policy of the work tree",
        rows.len()
    )];
    let mut moved: Vec<&Row> = rows.iter().filter(|row| row.before.0 != row.now.0).collect();
    moved.sort_by_key(|row| (row.now.0 > row.before.0, std::cmp::Reverse(row.before.0), row.now.0, row.seq));
    for row in &moved {
        let (is, why) = if row.now.0 < row.before.0 { ("was", &row.before.1) } else { ("now", &row.now.1) };
        lines.push(format!(
            "  {} → {}   d{} {} {}   {is}: {}",
            way(row.before.0),
            way(row.now.0),
            row.seq,
            date(row.at),
            row.what,
            why.join(", ")
        ));
    }
    if moved.is_empty() {
        lines.push("no verdict differs".to_owned());
    }
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        let count = sums.entry(way(row.now.0)).or_default();
        *count = count.saturating_add(1);
    }
    lines.push(sums.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(" · "));
    lines
}
