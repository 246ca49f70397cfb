//! Numbers as people write them: `16k`, `200k-tokens`, `90s`, `1h`.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de::Error};

/// A text that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub(crate) struct QuantityError {
    text: String,
    expected: &'static str,
}

/// A count, with `k` and `m` for thousands and millions, and an optional `-tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quantity(pub(crate) u64);

impl FromStr for Quantity {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bare = text.trim().trim_end_matches("-tokens").to_ascii_lowercase();
        let (digits, factor) = match bare.strip_suffix('k') {
            Some(digits) => (digits.to_owned(), 1_000),
            None => bare.strip_suffix('m').map_or((bare.clone(), 1), |digits| (digits.to_owned(), 1_000_000)),
        };
        let value = digits.parse::<u64>().ok().and_then(|value| value.checked_mul(factor));
        value.map(Self).ok_or_else(|| QuantityError {
            text: text.to_owned(),
            expected: "a count such as `16k` or `200k-tokens`",
        })
    }
}

/// A length of time in milliseconds, written with `ms`, `s`, `m` or `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration(pub(crate) u64);

impl FromStr for Duration {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bare = text.trim();
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
        let value = units.iter().find_map(|(suffix, factor)| {
            bare.strip_suffix(suffix)?.trim().parse::<u64>().ok()?.checked_mul(*factor)
        });
        value.map(Self).ok_or_else(|| QuantityError {
            text: text.to_owned(),
            expected: "a time such as `500ms`, `60s` or `2m`",
        })
    }
}

/// Micro-dollars, written in dollars with at most six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dollars(pub(crate) u64);

impl FromStr for Dollars {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError {
            text: text.to_owned(),
            expected: "an amount in dollars such as `50` or `0.25`",
        };
        let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        if part.len() > 6 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let whole = whole.parse::<u64>().map_err(|_| error())?.checked_mul(1_000_000).ok_or_else(error)?;
        let part = format!("{part:0<6}").parse::<u64>().map_err(|_| error())?;
        whole.checked_add(part).map(Self).ok_or_else(error)
    }
}

/// Reads a number or a text through `FromStr`.
fn scalar<'de, D: Deserializer<'de>, T: FromStr<Err = QuantityError>>(
    deserializer: D,
) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Scalar {
        Integer(u64),
        Float(f64),
        Text(String),
    }
    let text = match Scalar::deserialize(deserializer)? {
        Scalar::Integer(value) => value.to_string(),
        Scalar::Float(value) => value.to_string(),
        Scalar::Text(text) => text,
    };
    text.parse().map_err(D::Error::custom)
}

macro_rules! from_scalar {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                scalar(deserializer)
            }
        }
    )*};
}
from_scalar!(Quantity, Duration, Dollars);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_numbers_in_few_ways() {
        assert_eq!("16k".parse::<Quantity>().unwrap().0, 16_000);
        assert_eq!("200k-tokens".parse::<Quantity>().unwrap().0, 200_000);
        assert_eq!("7".parse::<Quantity>().unwrap().0, 7);
        assert_eq!("90s".parse::<Duration>().unwrap().0, 90_000);
        assert_eq!("500ms".parse::<Duration>().unwrap().0, 500);
        assert_eq!("0.25".parse::<Dollars>().unwrap().0, 250_000);
        assert_eq!("50".parse::<Dollars>().unwrap().0, 50_000_000);
        for bad in ["", "k", "-1", "1.5k", "99999999999999999999", "1e9"] {
            assert!(bad.parse::<Quantity>().is_err(), "{bad}");
        }
        for bad in ["", "60", "s", "-1s", "1d"] {
            assert!(bad.parse::<Duration>().is_err(), "{bad}");
        }
        for bad in ["", "1.2345678", "-1", "1.x"] {
            assert!(bad.parse::<Dollars>().is_err(), "{bad}");
        }
    }
}
