//! What deliveries to an endpoint are signed with.

use jiff::Timestamp;
use ring::signature::Ed25519KeyPair;
use zeroize::Zeroizing;

use super::{rotation, signature};
use crate::config::{Reference, Subscriber};
use crate::credentials::{Hidden, Secret, Vault};
use crate::telemetry;

/// An endpoint's secrets, as they are now. Not to be printed.
#[derive(Default)]
pub(super) struct Keys {
    /// Those of the configuration, and the former one for as long as it signs.
    pub(super) secrets: Vec<Zeroizing<Vec<u8>>>,
    /// The private key.
    pub(super) key: Option<Ed25519KeyPair>,
    /// All of them, as they are written and as they are used.
    pub(super) hidden: Hidden,
}

impl Keys {
    /// Looks them up.
    ///
    /// # Errors
    /// Which of them can't be had or used. No part of it.
    pub(super) async fn of(vault: &Vault, subscriber: &Subscriber, now: Timestamp) -> Result<Keys, String> {
        let resolve = async |reference: &Reference| vault.resolve(reference).await.map_err(|error| telemetry::chain(&error));
        let mut keys = Keys::default();
        for reference in &subscriber.secrets {
            keys.secret(&resolve(reference).await?)?;
        }
        if let Some(former) = rotation::former(vault, &subscriber.name, now).await? {
            keys.secret(&former)?;
        }
        if let Some(reference) = &subscriber.signing_key {
            let written = resolve(reference).await?;
            let (key, bytes) = signature::key(written.expose())?;
            keys.hidden.key(&written, &bytes);
            // Some write the public key behind the seed, which is all the secret there is.
            keys.hidden.key(&written, &bytes[..signature::SEED.min(bytes.len())]);
            keys.key = Some(key);
        }
        Ok(keys)
    }

    fn secret(&mut self, written: &Secret) -> Result<(), String> {
        let bytes = signature::secret(written.expose())?;
        self.hidden.key(written, &bytes);
        self.secrets.push(bytes);
        Ok(())
    }
}

/// What nobody is to see of the keys of an endpoint.
///
/// # Errors
/// Which of them can't be had or used: then nothing is signed with the others either.
pub async fn hidden_keys(vault: &Vault, subscriber: &Subscriber, now: Timestamp) -> Result<Hidden, String> {
    Ok(Keys::of(vault, subscriber, now).await?.hidden)
}
