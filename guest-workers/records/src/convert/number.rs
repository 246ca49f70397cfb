//! Numbers as pages write them: `1,234.50`, `1.234,50 €`, `1 234`, `1’234`, `−5`, `12 kg`.

use serde_json::Number;

use super::Context;
use crate::hints::Numbers;
use crate::words::cut;

/// Languages in which a comma stands before the fraction (Unicode CLDR, `decimal` of the default numbering system).
const COMMA: [&str; 36] = [
    "af", "be", "bg", "bs", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fr", "gl", "hr", "hu",
    "id", "is", "it", "lt", "lv", "mk", "nb", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv",
    "tr", "uk",
];
const SIGNS: [char; 5] = ['-', '−', '+', '–', '－'];
/// Words before or after a number.
const UNIT_MAX: usize = 16;

/// `text` as a number.
///
/// # Errors
/// No number, more than one, one that can be read two ways, or another unit than `unit`.
pub(super) fn read(
    context: Context<'_>,
    text: &str,
    unit: Option<&str>,
    whole: bool,
    conversions: &mut Vec<String>,
) -> Result<Number, String> {
    let none = || format!("`{}` is not a number", cut(text, 40));
    let first = text.find(|c: char| c.is_ascii_digit()).ok_or_else(none)?;
    let last = text.rfind(|c: char| c.is_ascii_digit()).ok_or_else(none)?;
    let (before, digits, after) = (&text[..first], &text[first..=last], &text[last + 1..]);
    let (before, digits) = match before.strip_suffix('.') {
        // `.5`, where nothing but a sign or a blank stands before.
        Some(rest) if !rest.ends_with(char::is_alphanumeric) => (rest, format!("0.{digits}")),
        _ => (before, digits.to_owned()),
    };
    let negative = before.trim_end().ends_with(['-', '−', '–', '－'])
        || before.trim_start().starts_with(['-', '−', '－']);
    let before = before.trim().trim_matches(SIGNS).trim();
    let after = after.trim();
    affixes(before, after, unit).map_err(|why| format!("`{}` {why}", cut(text, 40)))?;
    let plain = marks(context, &digits, whole, conversions).ok_or_else(none)??;
    let affix = [before, after].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    if !affix.is_empty() {
        conversions.push(format!("`{}` dropped", cut(&affix, UNIT_MAX * 2)));
    }
    let plain = if negative { format!("-{plain}") } else { plain };
    if plain != text {
        conversions.push("text as number".to_owned());
    }
    exact(&plain).ok_or_else(|| format!("`{plain}` has more digits than a number of JSON keeps"))
}

/// `-12.50` and nothing else.
pub(super) fn plain(text: &str) -> Option<Number> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (front, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    (digits(front) && digits(fraction)).then(|| exact(text)).flatten()
}

/// A unit or a currency may stand beside a number; a sentence may not.
fn affixes(before: &str, after: &str, unit: Option<&str>) -> Result<(), String> {
    let letters = |part: &str| part.chars().filter(|c| c.is_alphabetic()).count();
    if letters(before) > 4 || before.chars().count() > UNIT_MAX || after.chars().count() > UNIT_MAX {
        return Err("is more than a number and its unit".to_owned());
    }
    if letters(before) > 0 && letters(after) > 0 && before.chars().any(char::is_lowercase) {
        return Err("is more than a number and its unit".to_owned());
    }
    match unit {
        Some(unit) if before.is_empty() && after.is_empty() || before == unit || after == unit => Ok(()),
        Some(unit) => Err(format!("is not in `{unit}`")),
        None => Ok(()),
    }
}

/// The digits with a point before the fraction and nothing else. `None` for what is no number at all.
#[allow(clippy::type_complexity, reason = "no number, one that can be read two ways, and one")]
fn marks(
    context: Context<'_>,
    digits: &str,
    whole: bool,
    conversions: &mut Vec<String>,
) -> Option<Result<String, String>> {
    let plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain(digits) {
        return Some(Ok(digits.to_owned()));
    }
    if let Some(exponent) = scientific(digits) {
        return Some(Ok(exponent));
    }
    let kinds: Vec<char> = {
        let mut kinds: Vec<char> = digits.chars().filter(|c| !c.is_ascii_digit()).map(mark).collect();
        kinds.dedup();
        kinds
    };
    let digits: String = digits.chars().map(mark).collect();
    let (group, decimal) = match (kinds.as_slice(), context.hints.numbers) {
        (_, Some(Numbers { decimal, group })) => (group.map(mark), Some(mark(decimal))),
        ([group, decimal], None) if matches!(decimal, '.' | ',') && group != decimal => {
            (Some(*group), Some(*decimal))
        }
        ([only @ (' ' | '\'')], None) => (Some(*only), None),
        ([only @ ('.' | ',')], None) => {
            match alone(&digits, *only, whole, &context.page.language, conversions) {
                Ok(pair) => pair,
                Err(why) => return Some(Err(why)),
            }
        }
        _ => return None,
    };
    let (front, fraction) = match decimal.and_then(|decimal| digits.split_once(decimal)) {
        Some((front, fraction)) => (front, Some(fraction)),
        None => (digits.as_str(), None),
    };
    let mut parts = front.split(|c| Some(c) == group);
    let head = parts.next()?;
    let mut number = head.to_owned();
    if !plain(head) {
        return None;
    }
    for part in parts {
        // Thousands; South Asian groups of two before the last.
        if !plain(part) || !(part.len() == 3 || part.len() == 2) || head.len() > 3 {
            return None;
        }
        number.push_str(part);
    }
    if front.contains(|c| Some(c) == group) && front.rsplit(|c| Some(c) == group).next()?.len() != 3 {
        return None;
    }
    match fraction {
        Some(fraction) if plain(fraction) => Some(Ok(format!("{number}.{fraction}"))),
        Some(_) => None,
        None => Some(Ok(number)),
    }
}

/// A single kind of mark, `.` or `,`: before the fraction, or between thousands?
#[allow(clippy::type_complexity, reason = "the mark of thousands, the mark of the fraction")]
fn alone(
    digits: &str,
    mark: char,
    whole: bool,
    language: &str,
    conversions: &mut Vec<String>,
) -> Result<(Option<char>, Option<char>), String> {
    let count = digits.matches(mark).count();
    let (head, tail) = digits.split_once(mark).unwrap_or((digits, ""));
    // `1.234.567`; and `12.50`, `1234.567`, `0.125`: no thousands are written so.
    if count > 1 {
        return Ok((Some(mark), None));
    }
    if tail.len() != 3 || head.len() > 3 || head == "0" {
        return Ok((None, Some(mark)));
    }
    let comma = COMMA.contains(&language);
    let decimal = if comma { ',' } else { '.' };
    if whole {
        // A whole number has no fraction, whatever the language.
        conversions.push(format!("`{mark}` between thousands"));
        return Ok((Some(mark), None));
    }
    if language.is_empty() && mark == '.' && tail == "000" {
        return Err(format!("`{digits}` can be read two ways; `numbers` in the hints says which"));
    }
    let how = if language.is_empty() { "as in English".to_owned() } else { format!("as in `{language}`") };
    if mark == decimal {
        conversions.push(format!("`{mark}` before the fraction, {how}"));
        Ok((None, Some(mark)))
    } else {
        conversions.push(format!("`{mark}` between thousands, {how}"));
        Ok((Some(mark), None))
    }
}

/// Marks that look alike are one.
fn mark(c: char) -> char {
    match c {
        '\u{a0}' | '\u{202f}' | '\u{2009}' | '\u{2007}' => ' ',
        '’' | '‘' | '´' | '`' => '\'',
        '٫' => '.',
        '٬' | '，' => ',',
        other => other,
    }
}

/// `1.5e3`, as programs write.
fn scientific(digits: &str) -> Option<String> {
    let (front, exponent) = digits.split_once(['e', 'E'])?;
    let whole = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let fits = |part: &str, least: usize| part.len() >= least && part.bytes().all(|b| b.is_ascii_digit());
    let (head, tail) = front.split_once('.').unwrap_or((front, "0"));
    (fits(whole, 1) && whole.len() <= 3 && fits(head, 1) && fits(tail, 1)).then(|| digits.to_owned())
}

/// The number of JSON that says the same digits.
fn exact(plain: &str) -> Option<Number> {
    if plain.contains(['e', 'E']) {
        return plain.parse::<f64>().ok().and_then(Number::from_f64);
    }
    let (front, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let fraction = fraction.trim_end_matches('0');
    let (sign, front) = front.strip_prefix('-').map_or(("", front), |front| ("-", front));
    let front = front.trim_start_matches('0');
    let front = if front.is_empty() { "0" } else { front };
    if fraction.is_empty() {
        return format!("{sign}{front}").parse::<i64>().ok().map(Number::from);
    }
    let text = format!("{sign}{front}.{fraction}");
    let value: f64 = text.parse().ok()?;
    // Display of a float writes the fewest digits that lead back to it.
    (format!("{value}") == text).then_some(())?;
    Number::from_f64(value)
}
