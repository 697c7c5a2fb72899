//! Record ids: fifteen case-sensitive characters, and three more that carry their case.

use std::fmt;

/// A well-formed id in its 18-character form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

/// What each five characters' pattern of capitals is written as.
const CASES: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Id {
    /// The id of the n-th record with this three-character key prefix.
    pub fn new(prefix: &str, number: u64) -> Id {
        let mut rest = number;
        let mut digits = [b'0'; 7];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(rest % 62) as usize];
            rest /= 62;
        }
        Id::completed(&format!("{prefix}Sg000{}", String::from_utf8_lossy(&digits)))
    }

    /// Takes both forms; an 18-character one must carry the right case.
    pub fn parse(text: &str) -> Option<Id> {
        let alphanumeric = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match (alphanumeric, text.len()) {
            (true, 15) => Some(Id::completed(text)),
            (true, 18) => Some(Id::completed(&text[..15])).filter(|id| id.0 == text),
            _ => None,
        }
    }

    /// The 18-character form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key prefix, which names the object.
    pub fn prefix(&self) -> &str {
        &self.0[..3]
    }

    fn completed(fifteen: &str) -> Id {
        let mut id = fifteen.to_owned();
        for five in fifteen.as_bytes().chunks(5) {
            let capitals = five.iter().rev().fold(0, |bits, byte| bits * 2 + usize::from(byte.is_ascii_uppercase()));
            id.push(char::from(CASES[capitals]));
        }
        Id(id)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighteen_characters_carry_the_case_of_fifteen() {
        // A contact of a recorded answer.
        let id = Id::parse("003dM00001wBXYD").expect("fifteen");
        assert_eq!(id.as_str(), "003dM00001wBXYDQA4");
        assert_eq!(Id::parse("003dM00001wBXYDQA4"), Some(id));
        assert_eq!(Id::parse("003dM00001wBXYDQA5"), None);
        assert_eq!(Id::parse("003dM00001"), None);
        assert_eq!(Id::new("500", 62).as_str().get(..15), Some("500Sg0000000010"));
    }
}
