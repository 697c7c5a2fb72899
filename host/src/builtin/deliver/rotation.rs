//! Secrets of endpoints that are exchanged: the former one goes on signing for a while, so that the other side has time to go over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::audit::By;
use crate::config::{Reference, ReferencePart, Subscriber};
use crate::credentials::{Secret, SecretError, Vault, random};
use crate::telemetry;

/// Bytes of a new secret.
const BYTES: usize = 32;

/// Name of the sealed secret that holds the former one of an endpoint: when it ends, and what it was.
fn name(subscriber: &str) -> String {
    format!("webhook.{subscriber}.former")
}

/// The former secret of an endpoint, while it still signs.
///
/// # Errors
/// When the store does not answer, or what it has can't be opened.
pub(super) async fn former(vault: &Vault, subscriber: &str, now: Timestamp) -> Result<Option<Secret>, String> {
    let kept = match vault.get(&name(subscriber)).await {
        Ok(kept) => kept,
        Err(SecretError::Absent(_)) => return Ok(None),
        Err(error) => return Err(telemetry::chain(&error)),
    };
    let Some((until, secret)) = kept.expose().split_once('\n') else { return Ok(None) };
    let ends = until.parse::<Timestamp>().ok();
    Ok(ends.is_some_and(|ends| now < ends).then(|| Secret::new(secret.to_owned())))
}

/// How many secrets sign what an endpoint is sent now: those of its configuration, and the former one for as long as it does.
pub async fn signing(vault: &Vault, subscriber: &Subscriber, now: Timestamp) -> usize {
    // A former one that can't be opened signs nothing; deliveries say so.
    let former = former(vault, &subscriber.name, now).await.is_ok_and(|former| former.is_some());
    subscriber.secrets.len() + usize::from(former)
}

/// Makes a new secret for an endpoint; the present one signs beside it until `until`. Gives the new one, to be shown once.
///
/// # Errors
/// Where its secret is not one of the store's, or can't be read or written.
pub async fn rotate(vault: &Vault, subscriber: &Subscriber, until: Timestamp, by: &By) -> Result<Secret, String> {
    let Some(Reference { parts }) = subscriber.secrets.first() else {
        return Err(format!("[webhooks.{}] has no secret: add secret = \"${{secret:NAME}}\"", subscriber.name));
    };
    let [ReferencePart::Secret(own)] = parts.as_slice() else {
        return Err(format!(
            "the secret of [webhooks.{}] is not kept in the store: only one that is written as secret = \"${{secret:NAME}}\" can be exchanged here",
            subscriber.name
        ));
    };
    let said = |error: SecretError| telemetry::chain(&error);
    match vault.get(own).await {
        Ok(present) => {
            let kept = Secret::new(format!("{until}\n{}", present.expose()));
            // First the former one: at no time does only the new one sign.
            vault.put(&name(&subscriber.name), &kept, by).await.map_err(said)?;
        }
        // The first one of an endpoint.
        Err(SecretError::Absent(_)) => {}
        Err(error) => return Err(said(error)),
    }
    let mut bytes = Zeroizing::new([0; BYTES]);
    random(&mut *bytes);
    let fresh = Secret::new(format!("whsec_{}", STANDARD.encode(bytes.as_slice())));
    vault.put(own, &fresh, by).await.map_err(said)?;
    Ok(fresh)
}
