//! Money: whole minor units of a currency. No fractions, no floats, and no arithmetic that can wrap.

use crate::text::Language;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A currency (ISO 4217) that prices may be in. All of them have a hundred minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Danish kroner.
    Dkk,
    /// Euro.
    Eur,
    /// Norwegian kroner.
    Nok,
    /// Swedish kronor.
    Sek,
    /// Pounds sterling.
    Gbp,
    /// Dollars of the United States.
    Usd,
}

impl Currency {
    /// Every currency.
    pub const ALL: [Self; 6] = [Self::Dkk, Self::Eur, Self::Nok, Self::Sek, Self::Gbp, Self::Usd];

    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Dkk => "DKK",
            Self::Eur => "EUR",
            Self::Nok => "NOK",
            Self::Sek => "SEK",
            Self::Gbp => "GBP",
            Self::Usd => "USD",
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|one| one.code().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("{text:?} is no currency here; one of: {}", Self::ALL.map(Self::code).join(", ")))
    }
}

/// An amount of one currency. Below zero it is owed the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: øre, cents.
    pub minor: i64,
    /// Of which currency.
    pub currency: Currency,
}

/// Why a sum was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// Two currencies cannot be added.
    Mixed(Currency, Currency),
    /// The sum is larger than an amount can be.
    TooLarge,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mixed(one, other) => write!(f, "{one} and {other} cannot be added"),
            Self::TooLarge => f.write_str("the amount is too large"),
        }
    }
}

impl std::error::Error for MoneyError {}

impl Money {
    /// So many minor units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Both together.
    ///
    /// # Errors
    /// When they are of two currencies, or too large.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// So many times as much.
    ///
    /// # Errors
    /// When it is too large.
    pub fn times(self, count: u32) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(count.into()).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// As people read it: `1.234,50 kr.`, `DKK 1,234.50`.
    #[must_use]
    pub fn in_words(self, language: Language) -> String {
        let (thousands, decimal) = match language {
            Language::Da => ('.', ','),
            Language::En => (',', '.'),
        };
        let units = (self.minor.unsigned_abs() / 100).to_string();
        let mut amount = String::new();
        if self.minor < 0 {
            amount.push('-');
        }
        for (index, digit) in units.chars().enumerate() {
            if index > 0 && (units.len() - index).is_multiple_of(3) {
                amount.push(thousands);
            }
            amount.push(digit);
        }
        amount.push_str(&format!("{decimal}{:02}", self.minor.unsigned_abs() % 100));
        match (language, self.currency) {
            (Language::Da, Currency::Dkk) => format!("{amount} kr."),
            (Language::Da, currency) => format!("{amount} {currency}"),
            (Language::En, currency) => format!("{currency} {amount}"),
        }
    }

    /// As programs read it: `1234.50`.
    #[must_use]
    pub fn decimal(self) -> String {
        let sign = if self.minor < 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", self.minor.unsigned_abs() / 100, self.minor.unsigned_abs() % 100)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

impl FromStr for Money {
    type Err = String;

    /// `49 DKK`, `49.50 DKK` or `49,50 DKK`; no thousands separators, for they mean two things.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no amount such as 49.50 DKK");
        let (amount, currency) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let currency = currency.trim().parse()?;
        let (sign, amount) = amount.strip_prefix('-').map_or((1, amount), |amount| (-1, amount));
        let (units, cents) = amount.split_once(['.', ',']).unwrap_or((amount, "00"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(units) || !digits(cents) || cents.len() != 2 {
            return Err(wrong());
        }
        let units: i64 = units.parse().map_err(|_| wrong())?;
        let cents: i64 = cents.parse().map_err(|_| wrong())?;
        let minor = units.checked_mul(100).and_then(|minor| minor.checked_add(cents)).ok_or_else(wrong)?;
        Ok(Self { minor: sign * minor, currency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written() {
        for (minor, decimal, da, en) in [
            (0, "0.00", "0,00 kr.", "DKK 0.00"),
            (5, "0.05", "0,05 kr.", "DKK 0.05"),
            (-105, "-1.05", "-1,05 kr.", "DKK -1.05"),
            (99_999, "999.99", "999,99 kr.", "DKK 999.99"),
            (100_000, "1000.00", "1.000,00 kr.", "DKK 1,000.00"),
            (12_345_678_900, "123456789.00", "123.456.789,00 kr.", "DKK 123,456,789.00"),
            (i64::MIN, "-92233720368547758.08", "-92.233.720.368.547.758,08 kr.", "DKK -92,233,720,368,547,758.08"),
        ] {
            let money = Money::new(minor, Currency::Dkk);
            assert_eq!(money.decimal(), decimal);
            assert_eq!(money.in_words(Language::Da), da);
            assert_eq!(money.in_words(Language::En), en);
            if minor > i64::MIN {
                assert_eq!(money.to_string().parse(), Ok(money));
            }
        }
        assert_eq!(Money::new(50, Currency::Eur).in_words(Language::Da), "0,50 EUR");
        assert_eq!("49 dkk".parse(), Ok(Money::new(4900, Currency::Dkk)));
        assert_eq!("49,50 EUR".parse(), Ok(Money::new(4950, Currency::Eur)));
        for bad in
            ["", "49", "49.5 DKK", "1.000,00 DKK", "49.500 DKK", "x DKK", "49 XXX", "+1 DKK", "--1 DKK", ".50 DKK"]
        {
            assert!(bad.parse::<Money>().is_err(), "{bad:?}");
        }
        assert!("99999999999999999999 DKK".parse::<Money>().is_err());
    }

    #[test]
    fn sums_never_wrap_and_never_mix() {
        let (one, euro) = (Money::new(1, Currency::Dkk), Money::new(1, Currency::Eur));
        assert_eq!(one.plus(one), Ok(Money::new(2, Currency::Dkk)));
        assert_eq!(one.plus(euro), Err(MoneyError::Mixed(Currency::Dkk, Currency::Eur)));
        assert_eq!(Money::new(i64::MAX, Currency::Dkk).plus(one), Err(MoneyError::TooLarge));
        assert_eq!(Money::new(i64::MAX, Currency::Dkk).times(2), Err(MoneyError::TooLarge));
        assert_eq!(Money::new(250, Currency::Dkk).times(3), Ok(Money::new(750, Currency::Dkk)));
    }
}
