//! `Content-Digest` (RFC 9530 section 2).

use sfv::{Dictionary, ListEntry, Parser};
use sha2::{Digest as _, Sha256, Sha512};

use crate::hooks::digest::same;
use crate::hooks::{Delivery, Refused};

const NAME: &str = "content-digest";

/// Holds the body against each digest whose algorithm is still good; there has to be one.
pub(super) fn check(delivery: &Delivery<'_>) -> Result<(), Refused> {
    let value = delivery.required(NAME)?;
    let malformed = || Refused::Malformed(NAME.to_owned());
    let digests = Parser::new(value).parse::<Dictionary>().map_err(|_| malformed())?;
    let mut compared = 0;
    for (algorithm, entry) in &digests {
        let expected = match algorithm.as_str() {
            "sha-256" => Sha256::digest(delivery.body).to_vec(),
            "sha-512" => Sha512::digest(delivery.body).to_vec(),
            _ => continue,
        };
        let ListEntry::Item(item) = entry else { return Err(malformed()) };
        let given = item.bare_item.as_byte_sequence().ok_or_else(malformed)?;
        if !same(&expected, given) {
            return Err(Refused::Digest);
        }
        compared += 1;
    }
    if compared == 0 { Err(Refused::Missing("a digest by sha-256 or sha-512".to_owned())) } else { Ok(()) }
}
