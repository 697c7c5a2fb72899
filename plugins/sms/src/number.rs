//! Telephone numbers, international ones only: what anything else means depends on where one stands.

use sangam_sdk::prelude::*;

use crate::config::Numbers;

/// `+436641234567` of any usual spelling (E.164).
pub fn international(text: &str) -> Result<String, Failure> {
    let wrong = || Failure::rejected(format!("{text:?} is no international number: write + and country code, such as +436641234567"));
    let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '/' | '.' | '\u{a0}')).collect();
    let digits = bare.strip_prefix('+').or_else(|| bare.strip_prefix("00")).ok_or_else(wrong)?;
    let is_number = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if is_number { Ok(format!("+{digits}")) } else { Err(wrong()) }
}

/// As a gateway wants it.
pub fn spelled(number: &str, numbers: Numbers) -> String {
    let digits = number.trim_start_matches('+');
    match numbers {
        Numbers::Plus => number.to_owned(),
        Numbers::Digits => digits.to_owned(),
        Numbers::Zeros => format!("00{digits}"),
    }
}
