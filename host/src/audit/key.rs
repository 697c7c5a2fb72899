//! The key that signs the log (Ed25519, RFC 8032), and what others verify it with.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// Bytes of a seed and of a public key.
pub const KEY_BYTES: usize = 32;

/// Signs entries. Derived from the sealing key, so that hosts on one store sign alike and whoever has the database alone can't.
pub struct AuditKey {
    pair: Ed25519KeyPair,
    fingerprint: [u8; KEY_BYTES],
}

impl AuditKey {
    /// The key made of a secret seed. `fingerprint` is that of the sealing key it belongs to: the store knows which one counts.
    pub fn new(seed: &[u8; KEY_BYTES], fingerprint: [u8; KEY_BYTES]) -> AuditKey {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed of Ed25519 is any 32 bytes");
        AuditKey { pair, fingerprint }
    }

    /// Of the sealing key it belongs to.
    pub fn fingerprint(&self) -> &[u8; KEY_BYTES] {
        &self.fingerprint
    }

    /// What others verify its signatures with.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.pair.public_key().as_ref().try_into().expect("a public key of Ed25519 has 32 bytes"))
    }

    pub(super) fn sign(&self, what: Signed, hash: &str) -> String {
        hex(self.pair.sign(message(what, hash).as_bytes()).as_ref())
    }
}

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey(…)")
    }
}

/// Verifies signatures. No secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; KEY_BYTES]);

impl PublicKey {
    /// From its 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<PublicKey> {
        unhex(text)?.try_into().ok().map(PublicKey)
    }

    pub(super) fn verifies(&self, what: Signed, hash: &str, signature: &str) -> bool {
        let Some(signature) = unhex(signature) else { return false };
        UnparsedPublicKey::new(&ED25519, self.0).verify(message(what, hash).as_bytes(), &signature).is_ok()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// What a signature is for: one of an entry says nothing of where the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    Entry,
    Head,
}

fn message(what: Signed, hash: &str) -> String {
    let what = match what {
        Signed::Entry => "entry",
        Signed::Head => "head",
    };
    format!("sangam audit {what} v1 {hash}")
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
