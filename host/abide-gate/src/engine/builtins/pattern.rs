//! `regex.match`. regorus bounds a pattern by the bytes of its compiled form, which differ between the native and the sealed judge: here it is bounded
//! by what it says.

use std::cell::RefCell;
use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};
use regorus::Value;

use super::two_texts;

/// Steps that a pattern may have when all repetitions are written out.
const STEPS_MAX: usize = 20_000;
/// Bytes of a pattern.
const PATTERN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a compiled pattern: never reached by so many steps, whatever the size of a word.
const COMPILED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Compiled patterns that each thread keeps.
const KEPT_MAX: usize = 128;

thread_local! {
    static KEPT: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) };
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn matches(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let (pattern, text) = two_texts("regex.match", &arguments)?;
    KEPT.with_borrow_mut(|kept| {
        if let Some(known) = kept.get(pattern) {
            return Ok(Value::from(known.is_match(text)));
        }
        let compiled = compiled(pattern)?;
        let is_match = compiled.is_match(text);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(pattern.to_owned(), compiled);
        Ok(Value::from(is_match))
    })
}

fn compiled(pattern: &str) -> anyhow::Result<Regex> {
    let shown = || pattern.chars().take(64).collect::<String>();
    let too_large = || anyhow::anyhow!("the pattern `{}` is too large", shown());
    anyhow::ensure!(pattern.len() <= PATTERN_BYTES_MAX, too_large());
    let malformed = || anyhow::anyhow!("`{}` is no pattern", shown());
    let read = regex_syntax::parse(pattern).map_err(|_| malformed())?;
    anyhow::ensure!(steps(&read).is_some_and(|steps| steps <= STEPS_MAX), too_large());
    let compiled = RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).build();
    compiled.map_err(|_| malformed())
}

/// How many steps a pattern has; `None` if there is no number for it. The parser bounds how deep it nests.
fn steps(pattern: &Hir) -> Option<usize> {
    let sum = |parts: &[Hir]| {
        parts
            .iter()
            .try_fold(1_usize, |sum, part| sum.checked_add(steps(part)?).filter(|sum| *sum <= STEPS_MAX))
    };
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(1),
        HirKind::Literal(literal) => Some(literal.0.len()),
        HirKind::Class(Class::Unicode(class)) => class.ranges().len().checked_mul(2),
        HirKind::Class(Class::Bytes(class)) => Some(class.ranges().len()),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            steps(&repetition.sub)?.max(1).checked_mul(usize::try_from(times).ok()?)?.checked_add(1)
        }
        HirKind::Capture(capture) => steps(&capture.sub)?.checked_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pattern: &str, text: &str) -> Result<bool, String> {
        let value = matches(vec![Value::from(pattern), Value::from(text)]);
        value.map(|value| value == Value::from(true)).map_err(|error| error.to_string())
    }

    #[test]
    fn patterns_match_or_are_refused() {
        for _ in 0..2 {
            assert_eq!(said(r"^[\p{L}\d._/-]+$", "docs/Übersicht.md"), Ok(true));
            assert_eq!(said("^(feat|fix)(\\([a-z]+\\))?: .{1,72}$", "fix(core): x"), Ok(true));
            assert_eq!(said("^a{1000}$", &"a".repeat(999)), Ok(false));
        }
        for (pattern, why) in [
            ("(", "is no pattern"),
            ("(?=a)", "is no pattern"),
            ("(a{1000}){1000}", "is too large"),
            ("((a{100}){100}){100}", "is too large"),
            (r"\pL{100}", "is too large"),
            (&"a".repeat(20_000), "is too large"),
            (&"(".repeat(10_000), "is no pattern"),
        ] {
            assert!(said(pattern, "a").unwrap_err().contains(why), "{pattern:.40}");
        }
    }

    #[test]
    fn as_many_steps_as_there_may_be_can_be_compiled() {
        for pattern in
            [r"(?:\pL\pN){7}", "a{19000}", "(?:a|b|[c-x]){3000}", r"(?:\w|\s){12}", r"[^\x00]{4900}"]
        {
            assert!(compiled(pattern).is_ok(), "{pattern}");
        }
    }
}
