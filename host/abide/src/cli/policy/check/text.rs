//! Findings for a person: a frame with the line underlined for each, and a last line that counts.

use std::fmt;

use abide_core::safe_text;
use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};

use super::finding::{Finding, Level, Span};
use crate::cli::policy::Files;
use crate::report;

/// Findings that are shown; more are only counted.
const SHOWN_MAX: usize = 50;
/// Characters of a line of the file that are shown.
const LINE_CHARS_MAX: usize = 160;

/// Everything that is printed, without a newline at the end.
pub(super) fn all(findings: &[Finding], files: &Files, colour: bool, width: usize) -> String {
    let mut out = String::new();
    for finding in findings.iter().take(SHOWN_MAX) {
        let text = files.text(&finding.inner).unwrap_or_default();
        let shown = Shown { finding, source: source(finding, text) };
        let plain = || format!("{}[{}]: {}\n", finding.level.word(), finding.code, finding.message);
        out.push_str(report::draw(&shown, colour, width).unwrap_or_else(plain).trim_start_matches('\n'));
        out.push('\n');
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let hidden = findings.len().saturating_sub(SHOWN_MAX);
    if hidden > 0 {
        out.extend(["… and ", &hidden.to_string(), " more: ab policy check --json\n"]);
    }
    let first = findings.iter().find(|finding| finding.level == Level::Error).or(findings.first());
    let next = first.map_or_else(String::new, |first| format!("; ab explain {}", first.code));
    out + &format!("{}, {}{next}", told(errors, "error"), told(warnings, "warning"))
}

fn told(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[derive(Debug)]
struct Shown<'a> {
    finding: &'a Finding,
    source: Option<(NamedSource<String>, LabeledSpan)>,
}

/// The file around the place, with nothing in it that a terminal would obey, and the bytes to underline.
fn source(finding: &Finding, text: &str) -> Option<(NamedSource<String>, LabeledSpan)> {
    let span = finding.span?;
    let shown: Vec<String> = text.lines().map(visible).collect();
    let index = |number: u32| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let (offset, length) = bytes(&shown, index(span.line), index(span.column), span)?;
    let label = (!finding.label.is_empty()).then(|| finding.label.clone());
    let underlined = LabeledSpan::new(label, offset, length);
    Some((NamedSource::new(safe_text::line(&finding.path), shown.join("\n")), underlined))
}

fn bytes(lines: &[String], line: usize, column: usize, span: Span) -> Option<(usize, usize)> {
    // An error at the end of the file stands behind its last line.
    let past = line >= lines.len();
    let line = line.min(lines.len().checked_sub(1)?);
    let column = if past { usize::MAX } else { column };
    let before: usize = lines.iter().take(line).map(|line| line.len().saturating_add(1)).sum();
    let shown = lines.get(line)?;
    let mut letters = shown.chars().skip(column);
    let skipped: usize = shown.chars().take(column).map(char::len_utf8).sum();
    let length = usize::try_from(span.length).unwrap_or(1);
    let length: usize = letters.by_ref().take(length).map(char::len_utf8).sum();
    Some((before.saturating_add(skipped), length))
}

/// A line with as many characters as it has, each of which can be seen; a long one is cut.
fn visible(line: &str) -> String {
    let seen = |c: char| c == '\t' || safe_text::block(c.encode_utf8(&mut [0; 4])).chars().eq([c]);
    line.chars().take(LINE_CHARS_MAX).map(|c| if seen(c) { c } else { '\u{fffd}' }).collect()
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.is_none() {
            write!(f, "{}: ", safe_text::line(&self.finding.path))?;
        }
        f.write_str(&self.finding.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("{}[{}]", self.finding.level.word(), self.finding.code)))
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.finding.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.finding.help.is_empty()).then(|| -> Box<dyn fmt::Display> { Box::new(self.finding.help) })
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|(source, _)| -> &dyn SourceCode { source })
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, label) = self.source.as_ref()?;
        Some(Box::new(std::iter::once(label.clone())))
    }
}
