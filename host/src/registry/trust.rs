//! Whether a component's signatures let it fill a plugin's place.
//!
//! A key is trusted for *names of plugins in the configuration*, since these are what grants, credentials and stored values belong to. What
//! the component calls itself is its own word: were that asked, whoever holds a trusted key could put a component that bears the right name
//! in place of another vendor's.

use crate::config::{PublicKey, Trust};

/// Why a component is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Nobody signed it.
    #[error("it is not signed, and plugin `{plugin}` takes only what {takes} signed")]
    Unsigned {
        /// The place it was to fill.
        plugin: String,
        /// Who may.
        takes: String,
    },
    /// Nobody known signed it.
    #[error("it is signed by {key}, whom nothing under [trust.keys] names; plugin `{plugin}` takes only what {takes} signed")]
    UnknownKey {
        /// The place it was to fill.
        plugin: String,
        /// Who signed it.
        key: PublicKey,
        /// Who may.
        takes: String,
    },
    /// Somebody known signed it, who may fill other places.
    #[error("it is signed by `{signer}`, whose key is trusted for {theirs} and not for plugin `{plugin}`")]
    OtherPlugin {
        /// The place it was to fill.
        plugin: String,
        /// Who signed it.
        signer: String,
        /// What they may fill.
        theirs: String,
    },
    /// Signed by a key that is revoked.
    #[error("it is signed by {0}, which is revoked")]
    Revoked(PublicKey),
}

impl TrustError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            TrustError::Unsigned { .. } => {
                "get it signed (`sangam plugin sign`); `sangam plugin verify` shows who signed a file".to_owned()
            }
            TrustError::UnknownKey { plugin, key, .. } => {
                format!("only if you know whose key this is: [trust.keys.NAME] with key = \"{key}\" and plugins = [\"{plugin}\"]")
            }
            TrustError::OtherPlugin { plugin, signer, .. } => {
                format!("if they may fill this place too, add \"{plugin}\" to `plugins` in [trust.keys.{signer}]")
            }
            TrustError::Revoked(_) => "get it signed by another key, or take the plugin out".to_owned(),
        }
    }
}

/// Whether what these keys signed may fill a plugin's place. `demanded`: the plugin's own section asks for a signature.
pub(super) fn judge(trust: &Trust, plugin: &str, demanded: bool, signed_by: &[PublicKey]) -> Result<(), TrustError> {
    let trusted = trust.signers_of(plugin);
    let counts = |key: &&PublicKey| !trust.revoked.contains(key);
    if signed_by.iter().filter(counts).any(|key| trusted.iter().any(|signer| signer.keys.contains(key))) {
        return Ok(());
    }
    // A key is revoked because somebody else has it: what it signed runs nowhere, whether a signature is asked for or not.
    if let Some(revoked) = signed_by.iter().find(|key| trust.revoked.contains(key)) {
        return Err(TrustError::Revoked(*revoked));
    }
    if !demanded && !trust.demands_signature(plugin) {
        return Ok(());
    }
    let plugin = plugin.to_owned();
    let takes = match trusted[..] {
        [] => "somebody under [trust.keys] (nobody there is trusted for it)".to_owned(),
        _ => trusted.iter().map(|signer| format!("`{}`", signer.name)).collect::<Vec<_>>().join(" or "),
    };
    let Some(&key) = signed_by.first() else { return Err(TrustError::Unsigned { plugin, takes }) };
    let known = signed_by.iter().find_map(|key| trust.signers.iter().find(|signer| signer.keys.contains(key)));
    Err(match known {
        Some(signer) => {
            let theirs = signer.plugins.iter().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(", ");
            TrustError::OtherPlugin { plugin, signer: signer.name.clone(), theirs }
        }
        None => TrustError::UnknownKey { plugin, key, takes },
    })
}
