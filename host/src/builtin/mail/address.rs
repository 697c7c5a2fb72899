//! One mailbox: an address with the name of whoever has it (RFC 5322 section 3.4), in any script (RFC 6531).
//!
//! What is let through here can't end a header, a command or an angle bracket: no control characters, no quotes, no spaces, no brackets.

use std::fmt;

use lettre::Address;
use url::Host;

/// Longest local part and longest address (RFC 5321 section 4.5.3.1).
const LONGEST_USER: usize = 64;
const LONGEST_ADDRESS: usize = 254;
/// Longest name. Beyond it somebody has put a text into the wrong field.
const LONGEST_NAME: usize = 256;

/// A mailbox. Its domain is in the letters of the DNS, whatever script it was written in; only the part before the `@` may need a relay
/// that knows more than ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    user: String,
    domain: String,
}

impl Mailbox {
    /// Reads `anna@acme.example` or `Anna Berg <anna@acme.example>`.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Mailbox, String> {
        let text = text.trim();
        let Some(inner) = text.strip_suffix('>') else {
            return Mailbox::new(None, text);
        };
        let Some((name, address)) = inner.rsplit_once('<') else {
            return Err(format!("{text:?} is not an address: `>` has no `<`"));
        };
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(name);
        Mailbox::new(Some(name), address)
    }

    /// A mailbox of its parts.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn new(name: Option<&str>, address: &str) -> Result<Mailbox, String> {
        let address = address.trim();
        let wrong = |why: &str| format!("{address:?} is not an address: {why}");
        let (user, domain) = address.rsplit_once('@').ok_or_else(|| wrong("there is no `@` in it"))?;
        if address.contains([',', ';']) {
            return Err(wrong("write several addresses as a list"));
        }
        if user.len() > LONGEST_USER || address.len() > LONGEST_ADDRESS {
            return Err(wrong("it is longer than an address may be"));
        }
        let dotted = !user.is_empty() && user.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom));
        if !dotted {
            return Err(wrong("before the `@` belong letters, digits and such, without spaces, quotes and brackets"));
        }
        let named = domain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.') || (!c.is_ascii() && !c.is_control()));
        let domain = match Host::parse(domain) {
            Ok(Host::Domain(domain)) if named => domain,
            _ => return Err(wrong("after the `@` belongs the name of a domain")),
        };
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        if let Some(name) = name {
            if name.chars().any(char::is_control) {
                return Err(format!("the name of {address} has a line end or another control character in it"));
            }
            if name.len() > LONGEST_NAME {
                return Err(format!("the name of {address} has more than {LONGEST_NAME} bytes"));
            }
        }
        Address::new(user, &domain).map_err(|error| wrong(&error.to_string()))?;
        Ok(Mailbox { name: name.map(str::to_owned), user: user.to_owned(), domain })
    }

    /// `anna@acme.example`.
    pub fn address(&self) -> String {
        format!("{}@{}", self.user, self.domain)
    }

    /// Its domain, in ASCII.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether any relay can take it; others need SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.user.is_ascii()
    }

    /// As the builder of messages takes it.
    pub(super) fn to_header(&self) -> lettre::message::Mailbox {
        lettre::message::Mailbox::new(self.name.clone(), Address::new_dangerous(&self.user, &self.domain))
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}@{}>", self.user, self.domain),
            None => write!(f, "{}@{}", self.user, self.domain),
        }
    }
}

/// A character of an atom (RFC 5322 section 3.2.3, RFC 6531 section 3.3).
fn is_atom(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    }
    !c.is_control() && !c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::Mailbox;

    #[test]
    fn an_address_is_read_with_its_name_and_in_any_script() {
        for (text, shown, ascii) in [
            ("anna@acme.example", "anna@acme.example", true),
            (" Anna Berg <Anna.Berg+a@ACME.example> ", "Anna Berg <Anna.Berg+a@acme.example>", true),
            ("\"Berg, Anna\" <anna@acme.example>", "Berg, Anna <anna@acme.example>", true),
            ("<anna@acme.example>", "anna@acme.example", true),
            ("Jürgen <jürgen@müller.example>", "Jürgen <jürgen@xn--mller-kva.example>", false),
            ("иван@почта.рф", "иван@xn--80a1acny.xn--p1ai", false),
            ("info@müller.example", "info@xn--mller-kva.example", true),
            ("root@localhost", "root@localhost", true),
        ] {
            let mailbox = Mailbox::parse(text).expect(text);
            assert_eq!((mailbox.to_string().as_str(), mailbox.is_ascii()), (shown, ascii), "{text}");
        }
    }

    #[test]
    fn nothing_that_would_end_a_header_or_a_command_is_an_address() {
        for text in [
            "",
            "anna",
            "@acme.example",
            "anna@",
            "anna@acme.example\r\nBcc: eve@evil.example",
            "anna@acme.example> SIZE=1 <x@y.example",
            "anna b@acme.example",
            "a..b@acme.example",
            "\"anna\"@acme.example",
            "anna@acme%2eexample",
            "anna@[127.0.0.1]",
            "anna@127.0.0.1",
            "anna@acme example",
            "anna@acme.example, eve@evil.example",
            "Anna\r\nBcc: eve@evil.example <anna@acme.example>",
            "Anna\u{0} <anna@acme.example>",
            "Anna <an\u{2028}na@acme.example>",
            "anna@a\u{0}cme.example",
            "anna>",
        ] {
            assert!(Mailbox::parse(text).is_err(), "{text:?}");
        }
        assert!(Mailbox::new(None, &format!("{}@acme.example", "a".repeat(65))).is_err());
        assert!(Mailbox::new(Some(&"a".repeat(257)), "anna@acme.example").is_err());
    }
}
