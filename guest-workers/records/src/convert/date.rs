//! Dates and times: ISO 8601, RFC 2822, with the month in words, and the formats of the hints. `03/04/2026` is refused without one.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;

use super::Context;
use crate::words::cut;

/// Formats that can be read one way only.
const PLAIN: [&str; 12] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d %B %Y",
    "%d %b %Y",
    "%d. %B %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%B %d %Y",
    "%b %d %Y",
    "%A, %B %d, %Y",
    "%A, %d %B %Y",
];

/// `text` as `YYYY-MM-DD`, or with a `time` as RFC 3339 has it. A time without an offset is none that others can read, and is refused.
pub(super) fn read(
    context: Context<'_>,
    text: &str,
    time: bool,
    conversions: &mut Vec<String>,
) -> Result<String, String> {
    let found = if time { moment(context, text) } else { day(context, text) };
    let (value, how) = found.ok_or_else(|| {
        let what = if time { "a time with its offset" } else { "a date that can be read one way only" };
        format!("`{}` is not {what}; `dates` in the hints says how it is written", cut(text, 40))
    })?;
    if value != text {
        conversions.push(format!("date by {how}"));
    }
    Ok(value)
}

fn day(context: Context<'_>, text: &str) -> Option<(String, String)> {
    let written = |date: Date| date.strftime("%Y-%m-%d").to_string();
    for format in &context.hints.dates {
        if let Ok(date) = Date::strptime(format, text) {
            return Some((written(date), format!("`{format}`")));
        }
    }
    let plain = ordinals(text);
    for format in PLAIN {
        // A year of four digits: `March 2026` is not the 20th of March 26.
        let year = |date: &Date| plain.contains(&format!("{:04}", date.year()));
        if let Some(date) = Date::strptime(format, &plain).ok().filter(year) {
            return Some((written(date), format!("`{format}`")));
        }
    }
    if let Ok(moment) = jiff::fmt::rfc2822::parse(text) {
        return Some((written(moment.date()), "RFC 2822".to_owned()));
    }
    // The day as it was written, in the offset that stands there.
    let whole = text.len() > 10 && matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' '));
    let date = text.get(..10).filter(|_| whole)?;
    (text.parse::<jiff::Timestamp>().is_ok() || text.parse::<DateTime>().is_ok()).then_some(())?;
    Some((written(Date::strptime("%Y-%m-%d", date).ok()?), "ISO 8601, without the time".to_owned()))
}

fn moment(context: Context<'_>, text: &str) -> Option<(String, String)> {
    for format in &context.hints.dates {
        let parsed = strtime::parse(format, text).and_then(|broken| broken.to_timestamp());
        if let Ok(moment) = parsed {
            return Some((moment.to_string(), format!("`{format}`, in UTC")));
        }
    }
    if crate::schema::format_holds("date-time", text) {
        return Some((text.to_owned(), String::new()));
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some((moment.to_string(), "ISO 8601, in UTC".to_owned()));
    }
    jiff::fmt::rfc2822::parse(text)
        .ok()
        .map(|moment| (moment.timestamp().to_string(), "RFC 2822, in UTC".to_owned()))
}

/// `March 3rd` as `March 3`.
fn ordinals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(c) = rest.chars().next() else { break };
        let after_digit = at > 0 && bytes.get(at - 1).is_some_and(u8::is_ascii_digit);
        let ends = |suffix: &str| {
            rest.get(..2).is_some_and(|two| two.eq_ignore_ascii_case(suffix))
                && !rest[2..].starts_with(char::is_alphanumeric)
        };
        if after_digit && ["st", "nd", "rd", "th"].into_iter().any(ends) {
            at += 2;
            continue;
        }
        out.push(c);
        at += c.len_utf8();
    }
    out
}
