//! Why a delivery is not believed.

/// Why a delivery is not believed: for administrators. Its sender is told nothing of it, or whoever tries keys would learn from the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Something without which nothing can be verified.
    #[error("{0} is missing")]
    Missing(String),
    /// It is there more than once.
    #[error("{0} is there more than once")]
    Doubled(String),
    /// It does not have the form that the scheme gives it.
    #[error("{0} does not have the form that the scheme gives it")]
    Malformed(String),
    /// No signature fits.
    #[error("no signature fits: another secret signed it, or it was changed on its way")]
    Signature,
    /// The token, or name and password, are others.
    #[error("the secret in it is another one")]
    Secret,
    /// Signed too long ago.
    #[error("it was signed {seconds} s ago, which is more than its tolerance: sent again by somebody, or a clock is wrong")]
    Old {
        /// How long ago.
        seconds: i64,
    },
    /// Signed in the future.
    #[error("it was signed {seconds} s in the future, which is more than its tolerance: a clock is wrong")]
    Early {
        /// How far.
        seconds: i64,
    },
    /// A part that has to be signed is not.
    #[error("{0} is not among what is signed")]
    Unsigned(String),
    /// The digest of the body is another.
    #[error("the digest of its body is another: it was changed on its way")]
    Digest,
    /// Of another organization.
    #[error("it is from another organization")]
    Organization,
    /// No key for it.
    #[error("there is no key for its signature")]
    Key,
    /// A secret that is set can't be one of this scheme.
    #[error("a secret of this source is not of the form that the scheme wants: set it again")]
    OwnSecret,
}

impl Refused {
    /// A word for counting: bounded in number.
    pub fn code(&self) -> &'static str {
        match self {
            Refused::Missing(_) => "missing",
            Refused::Doubled(_) | Refused::Malformed(_) => "malformed",
            Refused::Signature => "signature",
            Refused::Secret => "secret",
            Refused::Old { .. } => "too-old",
            Refused::Early { .. } => "too-early",
            Refused::Unsigned(_) => "unsigned",
            Refused::Digest => "digest",
            Refused::Organization => "organization",
            Refused::Key => "key",
            Refused::OwnSecret => "own-secret",
        }
    }
}
