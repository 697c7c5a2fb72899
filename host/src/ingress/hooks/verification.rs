//! Whether a delivery is from whom it should be: [`hooks`] judges, this brings it what it needs.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::HOST;
use axum::http::request::Parts;
use jiff::Timestamp;

use super::mtls;
use crate::api::{Problem, address_of, wait};
use crate::config::{Source, Verify, Webhook};
use crate::credentials::api_token;
use crate::hooks;
use crate::runtime::Runtime;
use crate::server::{Peer, ShownCertificate};
use crate::telemetry;

/// What a proof says besides that it is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verified {
    /// The id that the sender gives to this delivery and to every repetition of it.
    pub(super) delivery_id: Option<String>,
    /// Headers that make up the proof: nobody behind needs them. In lower case.
    pub(super) headers: Vec<String>,
    /// Parameters of the query that do.
    pub(super) parameters: Vec<String>,
    /// The body without the secret that stood in it. `None`: none stands in it.
    pub(super) body: Option<Bytes>,
}

/// Why a delivery was not verified.
#[derive(Debug)]
pub(super) enum NotVerified {
    /// It is not from whom it should be, as far as anybody can tell.
    Refused(&'static str),
    /// From its address came too many wrong secrets: this one is not looked at for a while.
    TooOften(Problem),
    /// Nobody can tell now: a secret can't be had.
    Unable(String),
}

/// Judges a delivery over its bytes as they came.
pub(super) async fn verify(
    runtime: &Runtime,
    source: &Arc<Source>,
    webhook: &Webhook,
    parts: &Parts,
    body: &[u8],
    now: Timestamp,
) -> Result<Verified, NotVerified> {
    let how = &webhook.verify;
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let (headers, parameters) = (owned(hooks::hidden_headers(how)), owned(hooks::hidden_parameters(how)));
    if let Verify::Mtls(wanted) = how {
        let shown = parts.extensions.get::<ShownCertificate>().map(|shown| &*shown.0);
        mtls::check(wanted, shown).map_err(NotVerified::Refused)?;
        return Ok(Verified { delivery_id: None, headers, parameters, body: None });
    }
    let secrets = runtime.source_secrets.of(runtime, source, &how.secrets()).await;
    let secrets = secrets.map_err(|error| NotVerified::Unable(telemetry::chain(&error)))?;
    let url = url(runtime, parts);
    let delivery = hooks::Delivery { method: parts.method.as_str(), url: &url, headers: &parts.headers, body, now };
    // A secret can be guessed as a token of the API can. One that was good before is looked at whatever others have tried from its address.
    let shown = hooks::shown_secret(how, &delivery).map(|shown| api_token::digest(&format!("{}\n{shown}", source.name)));
    let address = address_of(runtime, &parts.headers, &parts.extensions);
    let gate = &runtime.gate;
    if shown.is_some_and(|digest| !gate.uses.knows(&digest)) {
        wait(&gate.deliveries, address, now).map_err(NotVerified::TooOften)?;
    }
    match hooks::verify(how, &secrets, &delivery) {
        Ok(verified) => {
            shown.into_iter().for_each(|digest| gate.uses.sender(digest));
            let body = match hooks::kept_body(how, body) {
                Cow::Borrowed(_) => None,
                Cow::Owned(kept) => Some(Bytes::from(kept)),
            };
            Ok(Verified { delivery_id: verified.delivery_id, headers, parameters, body })
        }
        Err(refused) => {
            if shown.is_some() {
                gate.deliveries.failed(address, now);
            }
            tracing::debug!(source = source.name, %refused, "a delivery was not verified");
            Err(NotVerified::Refused(refused.code()))
        }
    }
}

/// The URL that the sender has for this endpoint: some sign it. Without `public-url` it is the one that the request itself has, which is right where
/// there is no proxy.
fn url(runtime: &Runtime, parts: &Parts) -> String {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    if let Some(public) = &runtime.server.public_url {
        return format!("{public}{path}");
    }
    let is_encrypted = parts.extensions.get::<Peer>().is_some_and(|peer| peer.is_encrypted);
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("{}://{host}{path}", if is_encrypted { "https" } else { "http" })
}
