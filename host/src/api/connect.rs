//! Connecting credentials: an administrator asks, a person agrees at the vendor, the vendor's answer comes to the fixed
//! `/oauth/callback` or is brought by `sangam connect`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::order::Order;
use crate::audit::{Action, Actor, By};
use crate::credentials::{Answer, Asked, ConnectError, Connected, Ended, Remedy};
use crate::runtime::Runtime;
use crate::telemetry;

/// Where vendors send people, under `server.public-url`.
const CALLBACK: &str = "/oauth/callback";

/// What to ask with.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConsentOrder")]
pub(super) struct Ask {
    /// An address on the loopback interface; without it the callback under `server.public-url`.
    redirect_uri: Option<String>,
}

/// How a consent stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum ConsentState {
    /// Nobody has answered yet.
    Pending,
    /// Requests carry it from now on.
    Connected {
        credential: String,
        /// Whether the host gets new tokens by itself.
        renewable: bool,
        /// What the vendor said beside it.
        said: BTreeMap<String, String>,
    },
    /// It came to nothing.
    Failed {
        /// Why.
        detail: String,
    },
}

/// Asks for a consent: the answer holds the address at which a person gives it.
pub(super) async fn ask(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path(name): Path<String>,
    Order(ask): Order<Ask>,
) -> Result<Json<Asked>, Problem> {
    let asked = match ask.redirect_uri {
        Some(redirect) => runtime.broker.ask_consent(&name, &redirect, false).await,
        None => {
            let public = runtime.server.public_url.as_deref().ok_or_else(|| {
                let why =
                    "vendors answer to server.public-url, which is not set; set it, or run `sangam connect` on the machine of the browser";
                Problem::conflict(why)
            })?;
            runtime.broker.ask_consent(&name, &format!("{public}{CALLBACK}"), true).await
        }
    };
    let asked = asked?;
    runtime.store.audit(by.did(Action::ConsentAsked, name), runtime.clock.now()).await?;
    Ok(Json(asked))
}

/// How one ended.
pub(super) async fn ended(
    State(runtime): State<Arc<Runtime>>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<ConsentState>, Problem> {
    Ok(Json(match runtime.broker.consent_ended(&name, &id).await? {
        None => ConsentState::Pending,
        Some(Ended::Well(connected)) => connected.into(),
        Some(Ended::Badly(detail)) => ConsentState::Failed { detail },
    }))
}

/// The vendor's answer, brought by who asked.
pub(super) async fn answer(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Json(pairs): Json<BTreeMap<String, String>>,
) -> Result<Json<ConsentState>, Problem> {
    let connected = runtime.broker.take_answer(Answer::new(pairs)).await?;
    on_record(&runtime, &by, &connected).await;
    Ok(Json(connected.into()))
}

/// The vendor's answer, brought by the browser. Needs no token: its `state` is good for one answer to what an administrator asked.
pub(super) async fn callback(State(runtime): State<Arc<Runtime>>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let result = runtime.broker.take_answer(Answer::new(pairs)).await;
    if let Ok(connected) = &result {
        // The browser has no token; whoever asked for the consent is on record, too.
        on_record(&runtime, &By::request(Actor::Anyone, None), connected).await;
    }
    match result {
        Ok(connected) => page(StatusCode::OK, "Connected", &format!("{} is connected. You can close this window.", connected.credential)),
        Err(error) => {
            tracing::warn!(error = telemetry::chain(&error), "a vendor's answer connected nothing");
            page(status(&error), "Not connected", &telemetry::chain(&error))
        }
    }
}

/// It is connected already: that it can't be put on record does not undo that.
async fn on_record(runtime: &Runtime, by: &By, connected: &Connected) {
    let act = by.did(Action::CredentialConnected, connected.credential.as_str());
    if let Err(error) = runtime.store.audit(act, runtime.clock.now()).await {
        tracing::error!(
            error = telemetry::chain(&error),
            credential = connected.credential,
            "that it was connected could not be put on record"
        );
    }
}

impl From<Connected> for ConsentState {
    fn from(connected: Connected) -> ConsentState {
        let Connected { credential, renewable, said } = connected;
        ConsentState::Connected { credential, renewable, said }
    }
}

/// A page without anything to load or run; the address it came by, which held a code, goes nowhere.
fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let (title, text) = (escaped(title), escaped(text));
    let html =
        format!("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{text}</p></html>\n");
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, html).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn status(error: &ConnectError) -> StatusCode {
    match error {
        ConnectError::Unknown(_) => StatusCode::NOT_FOUND,
        ConnectError::NotByConsent { .. } => StatusCode::CONFLICT,
        ConnectError::Redirect | ConnectError::State | ConnectError::NoCode(_) | ConnectError::Issuer { .. } => StatusCode::BAD_REQUEST,
        ConnectError::Vendor { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        ConnectError::Credential(error) if error.remedy() == Remedy::Change => StatusCode::UNPROCESSABLE_ENTITY,
        ConnectError::Credential(_) | ConnectError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Problem {
        match error {
            ConnectError::Store(error) => Problem::from(error),
            error => Problem::new(status(&error), telemetry::chain(&error)),
        }
    }
}
