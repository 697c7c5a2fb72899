//! A sender that shows a certificate. That `server.tls.client-ca` vouches for it was seen to when the connection began; this says whether it is
//! the right one.

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use crate::config::{AltName, Mtls};

/// Object identifier of `commonName`, 2.5.4.3, in DER.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// Whether a certificate is one of those that the configuration names. Why not, in one word, for the administrator.
pub(super) fn check(wanted: &Mtls, certificate: Option<&CertificateDer<'_>>) -> Result<(), &'static str> {
    let Some(certificate) = certificate else { return Err("no-certificate") };
    if !wanted.fingerprints.is_empty() {
        let digest: [u8; 32] = Sha256::digest(certificate).into();
        if !wanted.fingerprints.contains(&digest) {
            return Err("other-certificate");
        }
    }
    if wanted.names.is_empty() && wanted.common_names.is_empty() {
        return Ok(());
    }
    let Ok(parsed) = webpki::EndEntityCert::try_from(certificate) else { return Err("other-certificate") };
    let has = |name: &AltName| match name {
        // Names are compared whole: a wildcard in a client's certificate would be a name for many.
        AltName::Dns(name) => parsed.valid_dns_names().any(|dns| dns.eq_ignore_ascii_case(name)),
        AltName::Uri(name) => parsed.valid_uri_names().any(|uri| uri == name),
    };
    if !wanted.names.is_empty() && !wanted.names.iter().any(has) {
        return Err("other-certificate");
    }
    if !wanted.common_names.is_empty() {
        let found = common_name(parsed.subject());
        if !found.is_some_and(|found| wanted.common_names.iter().any(|name| name.as_bytes() == found)) {
            return Err("other-certificate");
        }
    }
    Ok(())
}

/// The common name of a subject (RFC 5280, section 4.1.2.4): the last of them, which is the most particular one. Strings of two bytes a character
/// are not met any more, and not read.
fn common_name(subject: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    let mut sets = subject;
    while !sets.is_empty() {
        let (0x31, mut set, rest) = element(sets)? else { return None };
        sets = rest;
        while !set.is_empty() {
            let (0x30, pair, rest) = element(set)? else { return None };
            set = rest;
            let (0x06, kind, value) = element(pair)? else { return None };
            if kind == COMMON_NAME {
                // UTF8String, PrintableString, IA5String, TeletexString.
                let (0x0c | 0x13 | 0x16 | 0x14, text, _) = element(value)? else { return None };
                found = Some(text);
            }
        }
    }
    found
}

/// The first element of DER: its tag, its content, and what follows it. Names are short: lengths of two bytes are the longest.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(&length, rest)| (usize::from(length), rest))?,
        0x82 => rest.split_first_chunk::<2>().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SET { SEQUENCE { OID, UTF8String } }` for each pair.
    fn subject(pairs: &[([u8; 3], &str)]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
        let pair = |(kind, text): &([u8; 3], &str)| wrap(0x31, &wrap(0x30, &[wrap(0x06, kind), wrap(0x0c, text.as_bytes())].concat()));
        pairs.iter().flat_map(pair).collect()
    }

    #[test]
    fn the_most_particular_common_name_of_a_subject_counts() {
        let organisation = [0x55, 0x04, 0x0a];
        let name = subject(&[(organisation, "Vendor"), (COMMON_NAME, "devices"), (COMMON_NAME, "hooks")]);
        assert_eq!(common_name(&name), Some(b"hooks".as_slice()));
        assert_eq!(common_name(&subject(&[(organisation, "hooks")])), None, "another attribute of that text is no common name");
        assert_eq!(common_name(&[]), None);
    }

    #[test]
    fn a_subject_that_is_cut_off_names_nobody() {
        let whole = subject(&[(COMMON_NAME, "hooks")]);
        for end in 1..whole.len() {
            assert_eq!(common_name(&whole[..end]), None, "{end}");
        }
    }
}
