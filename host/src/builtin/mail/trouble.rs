//! Why a mail is not where it should be, and what follows from that.

use std::time::Duration;

use crate::credentials::Remedy;

/// What became of a mail that no relay said yes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No conversation, or it broke off before the mail was handed over: nothing was sent.
    Unreachable(String),
    /// The relay says that it may take it later (4yz): nothing was sent.
    Later(String),
    /// The relay, or this host, will not send it (5yz): nothing was sent.
    Refused {
        /// In words.
        why: String,
        /// Recipients whom the relay refused, with its words.
        recipients: Vec<(String, String)>,
    },
    /// The relay refuses the login: nothing was sent.
    Unauthorized(String),
    /// What this host would log in with can't be had: nothing was sent.
    Credential(String, Remedy),
    /// The relay's rate leaves no turn for the moment: nothing was sent.
    Busy {
        /// In words.
        why: String,
        /// When there is one.
        after: Duration,
    },
    /// The relay had the whole mail and did not answer: it may be sent.
    InDoubt(String),
}

impl Trouble {
    /// In words.
    pub fn why(&self) -> &str {
        match self {
            Trouble::Unreachable(why) | Trouble::Later(why) | Trouble::Unauthorized(why) | Trouble::InDoubt(why) => why,
            Trouble::Refused { why, .. } | Trouble::Busy { why, .. } | Trouble::Credential(why, _) => why,
        }
    }
}
