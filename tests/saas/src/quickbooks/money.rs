//! Exact amounts, and their way in and out of JSON.

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Number, Value, json};

/// Reads a number, or a text that is one.
pub(super) fn read(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
}

/// Rounds to cents, half away from zero.
pub(super) fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// A number without needless zeros.
pub(super) fn number(value: Decimal) -> Value {
    as_json(&value.normalize().to_string())
}

/// An amount of money: QuickBooks writes at least one decimal, as in `100.0`, and zero as `0`.
pub(super) fn amount(value: Decimal) -> Value {
    let value = value.normalize();
    if value.is_zero() {
        json!(0)
    } else if value.scale() == 0 {
        as_json(&format!("{value}.0"))
    } else {
        as_json(&value.to_string())
    }
}

fn as_json(digits: &str) -> Value {
    Value::Number(digits.parse::<Number>().expect("a decimal's digits are a JSON number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_cent_goes_up_and_digits_stay() {
        let product = read(&json!("128.350")).expect("a number") * read(&json!("14.50")).expect("a number");
        assert_eq!(amount(cents(product)).to_string(), "1861.08");
        assert_eq!(amount(Decimal::new(10_000, 2)).to_string(), "100.0");
        assert_eq!(number(Decimal::new(150, 2)).to_string(), "1.5");
    }
}
