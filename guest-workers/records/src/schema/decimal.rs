//! Decimals, compared as they are written: in binary, 0.3 is no multiple of 0.1.

use serde_json::Number;

/// `mantissa × 10^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    /// What `number` is written as; nothing where it has more digits than fit.
    pub(crate) fn of(number: &Number) -> Option<Self> {
        let text = number.to_string().to_ascii_lowercase();
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let mantissa: i128 = format!("{whole}{part}").parse().ok()?;
        let exponent: i32 = exponent.parse().ok()?;
        Some(Self { mantissa, exponent: exponent.checked_sub(i32::try_from(part.len()).ok()?)? })
    }

    /// Both as whole numbers of the same unit.
    fn align(self, other: Self) -> Option<(i128, i128)> {
        let unit = self.exponent.min(other.exponent);
        let scale = |decimal: Self| {
            let more = u32::try_from(decimal.exponent.checked_sub(unit)?).ok()?;
            decimal.mantissa.checked_mul(10_i128.checked_pow(more)?)
        };
        Some((scale(self)?, scale(other)?))
    }

    /// `None` where the numbers are too far apart to say.
    pub(crate) fn is_multiple_of(self, unit: Self) -> Option<bool> {
        let (value, unit) = self.align(unit)?;
        Some(value.checked_rem(unit)? == 0)
    }

    pub(crate) fn compare(self, other: Self) -> Option<std::cmp::Ordering> {
        let (left, right) = self.align(other)?;
        Some(left.cmp(&right))
    }

    pub(crate) fn is_whole(self) -> bool {
        self.is_multiple_of(Self { mantissa: 1, exponent: 0 }).unwrap_or(self.exponent >= 0)
    }
}
