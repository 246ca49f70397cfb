//! `time.clock`, `time.date`, `time.weekday` in UTC, and `time.parse_rfc3339_ns`. regorus' own take `Local` and names of zones, and those are
//! not the same on every host: a decision could not be recomputed.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use regorus::Value;

fn utc(arguments: Vec<Value>) -> anyhow::Result<jiff::Zoned> {
    let [argument]: [Value; 1] =
        arguments.try_into().map_err(|_| anyhow::anyhow!("one moment is expected"))?;
    let number = if let Value::Array(parts) = &argument {
        let zone = parts.get(1).map_or("", |zone| zone.as_string().map_or("?", |text| text));
        anyhow::ensure!(
            zone.is_empty() || zone == "UTC",
            "only UTC is the same on every host: add the hours to the moment instead of naming a zone"
        );
        parts.first().cloned().unwrap_or(Value::Undefined)
    } else {
        argument
    };
    let nanoseconds =
        number.as_i64().map_err(|_| anyhow::anyhow!("a moment is whole nanoseconds since 1970"))?;
    Ok(Timestamp::from_nanosecond(i128::from(nanoseconds))?.to_zoned(TimeZone::UTC))
}

fn numbers<const N: usize>(numbers: [i64; N]) -> Value {
    Value::from(numbers.map(Value::from).to_vec())
}

/// Hour, minute, second.
pub(super) fn clock(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let at = utc(arguments)?;
    Ok(numbers([at.hour().into(), at.minute().into(), at.second().into()]))
}

/// Year, month, day.
pub(super) fn date(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let at = utc(arguments)?;
    Ok(numbers([at.year().into(), at.month().into(), at.day().into()]))
}

/// The day of the week in English, as OPA spells it.
pub(super) fn weekday(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let at = utc(arguments)?;
    Ok(Value::from(at.strftime("%A").to_string().as_str()))
}

/// Nanoseconds since 1970 of a moment such as `2027-01-15T08:00:00Z` (RFC 3339, 5.6). `T` and `Z` may be small letters, a space may stand for `T`,
/// and digits after the ninth of a second are cut off.
#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn parse_rfc3339_ns(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::String(text)] = arguments.as_slice() else {
        anyhow::bail!("`time.parse_rfc3339_ns` takes a text");
    };
    let nanoseconds = nanoseconds_of(text).ok_or_else(|| {
        let shown: String = text.chars().take(64).collect();
        anyhow::anyhow!("`{shown}` is no moment such as 2027-01-15T08:00:00Z")
    })?;
    Ok(Value::from(nanoseconds))
}

fn nanoseconds_of(text: &str) -> Option<i64> {
    let (date, time) = (text.get(..10)?, text.get(11..19)?);
    let &[year, month, day] = numbers_in(date, "-", &[4, 2, 2])?.as_slice() else { return None };
    let &[hour, minute, second] = numbers_in(time, ":", &[2, 2, 2])?.as_slice() else { return None };
    if !matches!(text.get(10..11)?, "T" | "t" | " ") || second > 60 {
        return None;
    }
    let (fraction, offset) = fraction(text.get(19..)?)?;
    let small = |number: i16| i8::try_from(number).ok();
    // A leap second is the first moment of the next one.
    let whole = second.min(59);
    let civil =
        DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(whole)?, 0);
    let seconds = offset_of(offset)?.to_timestamp(civil.ok()?).ok()?.as_second();
    let leap = i64::from(second.saturating_sub(whole));
    let since = SignedDuration::new(seconds.checked_add(leap)?, fraction);
    i64::try_from(since.as_nanos()).ok()
}

/// Numbers of so many digits each, with `between` between them.
fn numbers_in(text: &str, between: &str, digits: &[usize]) -> Option<Vec<i16>> {
    let parts: Vec<&str> = text.split(between).collect();
    let fits = parts.len() == digits.len()
        && parts.iter().zip(digits).all(|(part, digits)| part.len() == *digits && is_number(part));
    if !fits {
        return None;
    }
    parts.into_iter().map(|part| part.parse().ok()).collect()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Nanoseconds at the beginning of `rest`, and what follows.
fn fraction(rest: &str) -> Option<(i32, &str)> {
    let Some(digits) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, after) = digits.split_at_checked(end)?;
    if !is_number(digits) {
        return None;
    }
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    Some((nine.parse().ok()?, after))
}

fn offset_of(text: &str) -> Option<Offset> {
    if matches!(text, "Z" | "z") {
        return Some(Offset::UTC);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let &[hours, minutes] = numbers_in(rest, ":", &[2, 2])?.as_slice() else { return None };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i32::from(hours).checked_mul(3_600)?.checked_add(i32::from(minutes).checked_mul(60)?)?;
    match sign {
        "+" => Offset::from_seconds(seconds).ok(),
        "-" => Offset::from_seconds(seconds.checked_neg()?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(function: fn(Vec<Value>) -> anyhow::Result<Value>, argument: &str) -> String {
        let argument = Value::from_json_str(argument).unwrap();
        function(vec![argument]).map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    #[test]
    fn in_utc_and_nothing_else() {
        // 2027-01-15T08:00:00Z, a Friday.
        let at = "1800000000000000000";
        assert_eq!(said(clock, at), "[8,0,0]");
        assert_eq!(said(date, at), "[2027,1,15]");
        assert_eq!(said(weekday, at), "\"Friday\"");
        for zone in ["\"\"", "\"UTC\""] {
            assert_eq!(said(clock, &format!("[{at}, {zone}]")), "[8,0,0]");
        }
        for zone in ["\"Local\"", "\"Asia/Tokyo\"", "7"] {
            assert!(said(clock, &format!("[{at}, {zone}]")).contains("only UTC"), "{zone}");
        }
        assert_eq!(said(date, "-1"), "[1969,12,31]");
        for odd in ["1.5", "\"x\"", "[]", "null", "1e30"] {
            assert!(said(date, odd).contains("nanoseconds"), "{odd}");
        }
    }

    #[test]
    fn moments_are_read_as_rfc_3339_spells_them() {
        for (text, nanoseconds) in [
            ("1970-01-01T00:00:00Z", "0"),
            ("2027-01-15T08:00:00Z", "1800000000000000000"),
            ("2027-01-15t08:00:00z", "1800000000000000000"),
            ("2027-01-15 09:30:00+01:30", "1800000000000000000"),
            ("2027-01-15T00:00:00.5-08:00", "1800000000500000000"),
            ("1969-12-31T23:59:59.999999999Z", "-1"),
            ("1969-12-31T23:59:59.9999999999Z", "-1"),
            ("2016-12-31T23:59:60Z", "1483228800000000000"),
            ("2262-04-11T23:47:16.854775807Z", "9223372036854775807"),
            ("2024-02-29T00:00:00-00:00", "1709164800000000000"),
        ] {
            assert_eq!(said(parse_rfc3339_ns, &format!("\"{text}\"")), nanoseconds, "{text}");
        }
        for odd in [
            "",
            "2027-01-15",
            "2027-01-15T08:00:00",
            "2027-01-15T08:00:00+0100",
            "2027-01-15T08:00:00+24:00",
            "2027-01-15T08:00:00+01:60",
            "2027-01-15T08:00:00.Z",
            "2027-01-15T08:00:00.5",
            "2027-01-15T08:00:61Z",
            "2027-01-15T24:00:00Z",
            "2027-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-1-15T08:00:000Z",
            "+027-01-15T08:00:00Z",
            "2027-01-15T08:00:00Z ",
            "2262-04-11T23:47:16.854775808Z",
            "2027-01-15T08:00:00\u{2212}01:00",
        ] {
            assert!(said(parse_rfc3339_ns, &format!("\"{odd}\"")).contains("no moment"), "{odd}");
        }
    }
}
