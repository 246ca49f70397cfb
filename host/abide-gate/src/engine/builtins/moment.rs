//! `time.clock`, `time.date` and `time.weekday` in UTC. regorus' own take `Local` and names of zones, and those are not the same on every
//! host: a decision could not be recomputed.

use jiff::Timestamp;
use jiff::tz::TimeZone;
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
}
