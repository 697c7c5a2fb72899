//! Telephone numbers, international ones only.

use sangam_sdk::prelude::*;

/// `436641234567`, as WhatsApp knows people, of any usual spelling.
pub fn whatsapp_id(text: &str) -> Result<String, Failure> {
    let wrong = || Failure::rejected(format!("{text:?} is no international number: write + and country code, such as +436641234567"));
    let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '/' | '.' | '\u{a0}')).collect();
    // WhatsApp's own ids of people come without a plus, and are taken as they are.
    let digits = bare.strip_prefix('+').or_else(|| bare.strip_prefix("00")).unwrap_or(&bare);
    let is_number = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if is_number { Ok(digits.to_owned()) } else { Err(wrong()) }
}
