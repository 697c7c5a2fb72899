//! One reply of a relay: its code, the enhanced status that many send with it, and its words (RFC 5321 section 4.2, RFC 3463).

use std::fmt;

use crate::credentials::Broker;

/// Most characters of a relay's words that are kept.
const MOST_WORDS: usize = 500;
/// What stands where words were cut off.
pub(super) const CUT: char = '…';

/// A reply, all its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Three digits.
    pub(super) code: u16,
    /// What stands after the code, line by line, without control characters.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// One line of a reply: its code, whether it is the last, its words. `None`: this is no SMTP.
    pub(super) fn line(line: &str) -> Option<(u16, bool, String)> {
        let (code, rest) = (line.get(..3)?, line.get(3..)?);
        if !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let last = match rest.bytes().next() {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return None,
        };
        let words = rest.get(1..).unwrap_or_default().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        Some((code.parse().ok()?, last, words))
    }

    /// 2yz: done.
    pub(super) fn is_done(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz: the same may be taken later.
    pub(super) fn is_later(&self) -> bool {
        self.code / 100 == 4
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.lines.join(" ");
        match words.split_at_checked(words.floor_char_boundary(MOST_WORDS)) {
            Some((start, rest)) if !rest.is_empty() => write!(f, "{} {start}{CUT}", self.code),
            _ => write!(f, "{} {words}", self.code),
        }
    }
}

/// Takes secrets out of words that hold replies. Each of those may be cut off: what is left of a secret there is masked as well.
pub(super) fn mask(broker: &Broker, words: &mut String) {
    // First of all: behind a value that is whole, what another one goes on with would not be known again.
    if let Some((cut, rest)) = words.rsplit_once(CUT) {
        let cut: String =
            cut.split(CUT).map(|part| format!("{}{CUT}", String::from_utf8_lossy(&broker.redact_start(part.as_bytes())))).collect();
        *words = cut + rest;
    }
    broker.redact_text(words);
}

/// What a relay says it can do (RFC 5321 section 4.1.1.1).
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Abilities {
    pub(super) starttls: bool,
    /// Mechanisms of AUTH, upper case.
    pub(super) auth: Vec<String>,
    pub(super) eight_bit: bool,
    pub(super) utf8: bool,
    /// Largest message, where it says one.
    pub(super) size: Option<u64>,
}

impl Abilities {
    /// Reads the answer to EHLO. Its first line is a greeting.
    pub(super) fn of(reply: &Reply) -> Abilities {
        let mut found = Abilities::default();
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("STARTTLS") => found.starttls = true,
                Some("AUTH") => found.auth.extend(words.map(str::to_owned)),
                Some("8BITMIME") => found.eight_bit = true,
                Some("SMTPUTF8") => found.utf8 = true,
                // 0: no fixed limit (RFC 1870 section 4).
                Some("SIZE") => found.size = words.next().and_then(|size| size.parse().ok()).filter(|size| *size > 0),
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Abilities, Reply};

    #[test]
    fn a_line_of_a_reply_is_code_sign_and_words() {
        assert_eq!(Reply::line("250-PIPELINING"), Some((250, false, "PIPELINING".to_owned())));
        assert_eq!(Reply::line("250 2.1.5 Ok"), Some((250, true, "2.1.5 Ok".to_owned())));
        assert_eq!(Reply::line("354"), Some((354, true, String::new())));
        assert_eq!(Reply::line("550 \u{1b}[31mno"), Some((550, true, "\u{fffd}[31mno".to_owned())));
        for line in ["", "25", "25x no", "250_no", "HTTP/1.1 400 Bad Request", "ööö"] {
            assert_eq!(Reply::line(line), None, "{line}");
        }
    }

    #[test]
    fn what_a_relay_can_do_is_read_in_any_case() {
        let lines = ["mx.acme.example greets you", "starttls", "SIZE 1000", "auth PLAIN login", "8BITMIME", "SMTPUTF8", "X-OTHER 1"];
        let reply = Reply { code: 250, lines: lines.map(str::to_owned).to_vec() };
        let expected =
            Abilities { starttls: true, auth: vec!["PLAIN".to_owned(), "LOGIN".to_owned()], eight_bit: true, utf8: true, size: Some(1000) };
        assert_eq!(Abilities::of(&reply), expected);
        assert_eq!(Abilities::of(&Reply { code: 250, lines: vec!["STARTTLS".to_owned(), "SIZE 0".to_owned()] }), Abilities::default());
    }
}
