//! `[trust]`: whose components this host runs, and whether they must have been approved.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::item::Item;
use super::name;
use super::reader::Reader;
use super::section::Section;
use crate::router::Pattern;

/// What a public key begins with.
const SCHEME: &str = "ed25519:";

/// An Ed25519 public key (RFC 8032), written `ed25519:` and its 32 bytes in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Reads a key as `sangam plugin keygen` prints it.
    ///
    /// # Errors
    ///
    /// What is wrong and how to write it.
    pub fn parse(text: &str) -> Result<PublicKey, String> {
        let bytes = text.strip_prefix(SCHEME).and_then(|key| STANDARD.decode(key).ok()).and_then(|key| key.try_into().ok());
        bytes.map(PublicKey).ok_or_else(|| {
            format!("`{text}` is not a public key: write {SCHEME} and its 32 bytes in base64, as `sangam plugin keygen` prints it")
        })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", STANDARD.encode(self.0))
    }
}

/// `[trust]`. Each host's own and no part of a revision: who can write to the store must not be able to loosen it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// `require-signature`, of every component.
    pub require_signature: bool,
    /// `require-lock`: nothing runs that was not approved.
    pub require_lock: bool,
    /// `[trust.keys.NAME]`.
    pub signers: Vec<Signer>,
    /// `revoked`: signatures by these keys count for nothing, and a component that has no other is refused.
    pub revoked: Vec<PublicKey>,
}

/// `[trust.keys.NAME]`: somebody who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// For people.
    pub name: String,
    /// `key`: one, or both while one takes the place of the other.
    pub keys: Vec<PublicKey>,
    /// `plugins`: names in this configuration that the signer may fill.
    pub plugins: Vec<Pattern>,
}

impl Trust {
    /// Who may fill a plugin's place.
    pub fn signers_of(&self, plugin: &str) -> Vec<&Signer> {
        self.signers.iter().filter(|signer| signer.plugins.iter().any(|pattern| pattern.matches(plugin))).collect()
    }

    /// Whether a plugin must be signed although its own section does not say so. A key that is trusted for a plugin would protect nothing
    /// if whoever replaces the file could leave the signature out.
    pub fn demands_signature(&self, plugin: &str) -> bool {
        self.require_signature || !self.signers_of(plugin).is_empty()
    }
}

/// Reads `[trust]`.
pub(super) fn trust(r: &mut Reader<'_>, mut section: Section<'_>) -> Trust {
    let require_signature = section.get("require-signature").and_then(|item| item.boolean(r));
    let require_lock = section.get("require-lock").and_then(|item| item.boolean(r));
    let revoked = section.get("revoked").map(|item| keys(r, &item)).unwrap_or_default();
    let members = section.get("keys").and_then(|item| item.table(r, "[trust.keys]")).map(|table| table.members()).unwrap_or_default();
    section.finish(r);
    let mut signers = Vec::new();
    for member in members {
        name::check(r, &member.key, "signer", &member.name);
        if let Some(section) = member.table(r, format!("[trust.keys.{}]", member.name)) {
            signers.extend(signer(r, &member.name, section, &revoked));
        }
    }
    Trust {
        require_signature: require_signature.unwrap_or(false),
        require_lock: require_lock.unwrap_or(false),
        signers,
        revoked: revoked.into_iter().map(|(key, _)| key).collect(),
    }
}

type Placed<'t> = (PublicKey, Item<'t>);

fn signer(r: &mut Reader<'_>, name: &str, mut section: Section<'_>, revoked: &[Placed<'_>]) -> Option<Signer> {
    let given = section.required(r, "key", "\"ed25519:…\"").map(|item| keys(r, &item));
    let plugins = section.required(r, "plugins", "[\"crm\"]").map(|item| {
        let items = item.items(r).unwrap_or_default();
        let parse = |text: &str| Pattern::parse(text).map_err(|error| error.to_string());
        items.iter().filter_map(|item| item.parsed(r, parse)).collect()
    });
    section.finish(r);
    let given = given?;
    for (_, item) in given.iter().filter(|(key, _)| revoked.iter().any(|(other, _)| other == key)) {
        r.warn(&item.span, format!("this key of `{name}` is revoked, and counts for nothing")).help("take it out here");
    }
    Some(Signer { name: name.to_owned(), keys: given.into_iter().map(|(key, _)| key).collect(), plugins: plugins? })
}

fn keys<'t>(r: &mut Reader<'_>, item: &Item<'t>) -> Vec<Placed<'t>> {
    item.one_or_more().into_iter().filter_map(|item| Some((item.parsed(r, PublicKey::parse)?, item))).collect()
}
