//! Exact decimals: money, quantities, rates.

use std::borrow::Cow;

use rust_decimal::{Decimal, RoundingStrategy};
use sangam_sdk::{
    prelude::*,
    schemars::{Schema, SchemaGenerator, json_schema},
    serde::{Deserializer, Serializer, de::Error as _},
    serde_json::Number,
};

/// Decimals that QuickBooks keeps of quantities and unit prices.
const FACTOR_DECIMALS: u32 = 7;
const CENT_DECIMALS: u32 = 2;

/// A decimal as it was written: read from a JSON number or a text such as `"10.10"`, written as a JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Amount(pub Decimal);

impl Amount {
    /// One of something.
    pub const ONE: Self = Self(Decimal::ONE);

    /// In cents, half a cent away from zero.
    pub fn cents(self) -> Self {
        self.round(CENT_DECIMALS)
    }

    /// As precise as QuickBooks takes it for a quantity or a unit price. `7 / 3` hours from an expression have more digits.
    pub fn factor(self) -> Self {
        self.round(FACTOR_DECIMALS)
    }

    /// Quantity times unit price in cents; `None` where it is beyond all books.
    pub fn times(self, price: Self) -> Option<Self> {
        self.0.checked_mul(price.0).map(|product| Self(product).cents())
    }

    fn round(self, decimals: u32) -> Self {
        Self(self.0.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_owned(),
            _ => return Err(D::Error::custom("expected a number, or a text that is one")),
        };
        Decimal::from_str_exact(&text)
            .or_else(|_| Decimal::from_scientific(&text))
            .map(Self)
            .map_err(|_| D::Error::custom(format!("`{text}` is not a decimal of at most 28 digits")))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = self.0.to_string();
        let number: Number = digits.parse().expect("the digits of a decimal are a JSON number");
        number.serialize(serializer)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        serde_json::from_str(text).expect(text)
    }

    #[test]
    fn digits_stay_as_they_were_written() {
        for (text, written) in [
            ("10.10", "10.10"),
            ("\"10.10\"", "10.10"),
            ("0.1", "0.1"),
            ("-3", "-3"),
            ("1e2", "100"),
            ("2.5E-3", "0.0025"),
            ("12345678901234567890.12345678", "12345678901234567890.12345678"),
        ] {
            let read = amount(text);
            assert_eq!(serde_json::to_string(&read).expect("a number"), written);
            assert_eq!(serde_json::to_value(read).expect("a number").to_string(), written);
        }
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["\"ten\"", "true", "null", "\"\"", "123456789012345678901234567890.1"] {
            assert!(serde_json::from_str::<Amount>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn half_a_cent_goes_away_from_zero() {
        for (quantity, price, cents) in [
            ("1", "0.005", "0.01"),
            ("1", "1.005", "1.01"), // 1.00 in binary floating point
            ("3", "0.335", "1.01"),
            ("2.5", "86.998", "217.50"),
            ("1.75", "85", "148.75"),
            ("0.1", "0.2", "0.02"),
            ("-1", "0.125", "-0.13"),
            ("128.350", "14.50", "1861.08"),
        ] {
            let product = amount(quantity).times(amount(price)).expect("small");
            assert_eq!(product, amount(cents), "{quantity} × {price}");
        }
        assert_eq!(amount("9e27").times(amount("9e27")), None);
        assert_eq!(amount("2.3333333333333335").factor(), amount("2.3333333"));
    }
}
