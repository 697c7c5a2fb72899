//! The sealing key: what is secret leaves the host for the store only through it.
//!
//! A sealed value is `version (1 byte) || nonce (24 bytes) || XChaCha20-Poly1305 ciphertext and tag`. The associated
//! data names what is sealed, so that a value moved to another name in the store does not open. Nonces are random: with
//! 192 bits they don't repeat.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::audit::{AuditKey, hex};

/// Length of the key, in bytes.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// The layout described above.
const VERSION: u8 = 1;

/// What kind of thing is sealed: part of the associated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A named secret, `sangam secret set`.
    Secret,
    /// The tokens of a credential.
    Credential,
    /// A login under way, kept in the browser.
    Login,
    /// Whose personal data an erasure is to erase, until it is done.
    Erasure,
    /// A random value of the hosts' own.
    Host,
    /// The list of the present values.
    Ledger,
}

impl Purpose {
    #[cfg(test)]
    const ALL: [Purpose; 6] = [Purpose::Secret, Purpose::Credential, Purpose::Login, Purpose::Erasure, Purpose::Host, Purpose::Ledger];

    /// Its name, for the ledger.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Purpose::Secret => "secret",
            Purpose::Credential => "credential",
            Purpose::Erasure => "erasure",
            Purpose::Host => "host",
            Purpose::Ledger => "ledger",
            Purpose::Login => "login",
        }
    }
}

/// Why a sealed value does not open. Trying again can't help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Written by a newer program.
    #[error("sealed in format {0}, which this version of sangam does not know: use the newer one that wrote it")]
    Version(u8),
    /// Authentication failed.
    #[error("sealed with another key or for another name, or damaged: restore the store and the key that belong together")]
    Refused,
    /// It opens, and is not the value that was kept last.
    #[error("it is not the value that was kept last: somebody put an earlier one back in the store; set it again")]
    Stale,
}

/// The key that seals secrets at rest. Wiped when dropped.
pub struct SealingKey {
    cipher: Zeroizing<[u8; KEY_BYTES]>,
    audit: Zeroizing<[u8; KEY_BYTES]>,
    check: [u8; KEY_BYTES],
}

impl SealingKey {
    /// The key made of 32 secret bytes. What seals and what is shown as fingerprint are derived from them (HKDF, RFC
    /// 5869), so that the one says nothing about the other.
    pub fn new(master: &[u8; KEY_BYTES]) -> Self {
        let mut check = [0; KEY_BYTES];
        derive(master, b"check v1", &mut check);
        let mut cipher = Zeroizing::new([0; KEY_BYTES]);
        derive(master, b"seal v1", &mut cipher);
        let mut audit = Zeroizing::new([0; KEY_BYTES]);
        derive(master, b"audit v1", &mut audit);
        Self { cipher, audit, check }
    }

    /// A fresh random key's bytes.
    pub fn generate() -> Zeroizing<[u8; KEY_BYTES]> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        random(&mut *bytes);
        bytes
    }

    /// Tells keys apart without telling the key: what the store keeps, so that a host with another key refuses to
    /// start.
    pub fn fingerprint(&self) -> [u8; KEY_BYTES] {
        self.check
    }

    /// The key that signs the audit log.
    pub fn audit_key(&self) -> AuditKey {
        AuditKey::new(&self.audit, self.check)
    }

    /// What people call the key: the first eight digits of its fingerprint.
    pub fn id(&self) -> String {
        key_id(&self.check)
    }

    /// Seals `plaintext` under its purpose and name. Sealing the same twice gives different bytes.
    pub fn seal(&self, purpose: Purpose, name: &str, plaintext: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce);
        let ciphertext = encrypt(&self.cipher, &nonce, &bound_to(purpose, name), plaintext);
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + ciphertext.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// A digest that says nothing to whoever lacks the key: which person an act was about.
    pub fn digest(&self, text: &str) -> String {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        derive(&self.cipher, b"digest v1", &mut key);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*key), text.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Opens what [`SealingKey::seal`] made with the same key, purpose and name.
    pub fn open(&self, purpose: Purpose, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (&version, rest) = sealed.split_first().ok_or(OpenError::Refused)?;
        if version != VERSION {
            return Err(OpenError::Version(version));
        }
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Refused)?;
        XChaCha20Poly1305::new(&(*self.cipher).into())
            .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: &bound_to(purpose, name) })
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Refused)
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

/// What people call the key with that fingerprint.
pub(super) fn key_id(fingerprint: &[u8]) -> String {
    hex(&fingerprint[..fingerprint.len().min(4)])
}

/// Fills `bytes` from the operating system's generator.
pub(crate) fn random(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the operating system has a random number generator");
}

fn derive(master: &[u8; KEY_BYTES], label: &[u8], into: &mut [u8; KEY_BYTES]) {
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"sangam sealing key")
        .extract(master)
        .expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(into))
        .expect("one block of HKDF-SHA256 is 32 bytes");
}

/// The associated data. One byte and then the rest is the name, so no two pairs give the same bytes.
fn bound_to(purpose: Purpose, name: &str) -> Vec<u8> {
    let tag = match purpose {
        Purpose::Secret => b's',
        Purpose::Credential => b'c',
        Purpose::Login => b'o',
        Purpose::Erasure => b'e',
        Purpose::Host => b'h',
        Purpose::Ledger => b'l',
    };
    [&[VERSION, tag], name.as_bytes()].concat()
}

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 section 2): ciphertext, then tag.
fn encrypt(key: &[u8; KEY_BYTES], nonce: &[u8; NONCE_BYTES], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let sealed = XChaCha20Poly1305::new(&(*key).into())
        .encrypt(&XNonce::from(*nonce), Payload { msg: plaintext, aad })
        .expect("a secret is far shorter than the cipher's 256 GiB");
    debug_assert_eq!(sealed.len(), plaintext.len() + TAG_BYTES);
    sealed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hexadecimal")).collect()
    }

    #[test]
    fn what_is_sealed_for_one_purpose_opens_for_no_other_whatever_it_is_called() {
        let bound: std::collections::BTreeSet<Vec<u8>> = Purpose::ALL.iter().map(|purpose| bound_to(*purpose, "crm")).collect();
        assert_eq!(bound.len(), Purpose::ALL.len(), "two purposes are bound alike");
    }

    /// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn the_published_vector() {
        let key: [u8; 32] = std::array::from_fn(|i| 0x80 + i as u8);
        let nonce: [u8; 24] = std::array::from_fn(|i| 0x40 + i as u8);
        let aad = hex("50515253c0c1c2c3c4c5c6c7");
        let plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                          sunscreen would be it.";
        let expected = hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
             ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
             21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49");
        assert_eq!(encrypt(&key, &nonce, &aad, plaintext), expected);
    }

    #[test]
    fn opens_only_with_the_same_key_purpose_and_name_and_unchanged() {
        let key = SealingKey::new(&[7; 32]);
        let sealed = key.seal(Purpose::Secret, "crm", b"hunter2");
        assert_eq!(key.open(Purpose::Secret, "crm", &sealed).expect("opens").as_slice(), b"hunter2");
        assert_eq!(key.open(Purpose::Secret, "crn", &sealed), Err(OpenError::Refused));
        assert_eq!(key.open(Purpose::Credential, "crm", &sealed), Err(OpenError::Refused));
        assert_eq!(SealingKey::new(&[8; 32]).open(Purpose::Secret, "crm", &sealed), Err(OpenError::Refused));
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert!(key.open(Purpose::Secret, "crm", &changed).is_err(), "byte {i} changed");
            assert!(key.open(Purpose::Secret, "crm", &sealed[..i]).is_err(), "cut at {i}");
        }
        assert_eq!(key.open(Purpose::Secret, "crm", &[2; 60]), Err(OpenError::Version(2)));
    }

    #[test]
    fn sealing_twice_differs_and_the_fingerprint_tells_keys_apart() {
        let key = SealingKey::new(&[7; 32]);
        assert_ne!(key.seal(Purpose::Secret, "crm", b"x"), key.seal(Purpose::Secret, "crm", b"x"));
        assert_eq!(key.fingerprint(), SealingKey::new(&[7; 32]).fingerprint());
        assert_ne!(key.fingerprint(), SealingKey::new(&[8; 32]).fingerprint());
        assert_ne!(key.fingerprint(), *key.cipher, "the fingerprint is not what seals");
        assert_eq!(format!("{key:?}"), "SealingKey(…)");
    }
}
