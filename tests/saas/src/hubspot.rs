//! HubSpot CRM: contacts, companies, deals, tickets, notes and tasks, with their associations.
//!
//! Written from the vendor's reference and its OpenAPI files. Paths carry a version in either of the vendor's two forms,
//! `/crm/v3/objects/contacts` and `/crm/objects/2026-09/contacts`; both answer alike.
//!
//! A request travels: [`HubSpot`] takes it, the `limit`s and the `token` let it in, `route` finds its meaning,
//! the `portal` does it, and a `refusal` says why not, in the vendor's words.
//!
//! | setting | value | default |
//! |---|---|---|
//! | `search-lag-ms` | how long a write stays invisible to search | 0 |
//! | `access-token-life-s` | life of access tokens issued from now on | 1800 |
//! | `expire-tokens` | `true`: ends every access token issued so far | |
//! | `ten-secondly-limit` | requests in 10 s (search excepted), or null | null |
//! | `secondly-limit` | searches in 1 s, or null | null |
//! | `daily-limit` | requests in 24 h, or null | null |
//! | `edit` | `{"object": "contacts", "id", "properties"}`: a person writes; without `id` a new record, with `"delete": true` it is archived | |
//! | `webhook` | `{"url", "secret", "public-url"}`: an app is told of all changes | null |

mod association;
mod batch;
mod kind;
mod limit;
mod pipeline;
mod portal;
mod property;
mod refusal;
mod route;
mod search;
mod seed;
mod token;
mod webhook;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use serde_json::Value;

use crate::system::System;
use crate::webhook::Hooks;
use kind::Kind;
use limit::Limits;
use portal::Portal;
use refusal::Refusal;
use route::Call;
use token::Tokens;

/// Static bearer token, as a private app or service key has it; it does not expire.
pub const TOKEN: &str = "hs-token";
/// OAuth client.
pub const CLIENT_ID: &str = "hs-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "hs-secret";
/// Refresh token of that client. HubSpot does not rotate it.
pub const REFRESH_TOKEN: &str = "hs-refresh";
/// The account, named in some messages.
pub const PORTAL_ID: u64 = 24_680_135;
pub use webhook::APP_ID;

/// The stand-in.
pub struct HubSpot {
    account: Mutex<Account>,
    hooks: Hooks,
}

struct Account {
    portal: Portal,
    tokens: Tokens,
    limits: Limits,
}

impl Account {
    fn new() -> Account {
        let mut portal = seed::portal();
        portal.changes.clear();
        Account { portal, tokens: Tokens::new(), limits: Limits::new() }
    }
}

impl HubSpot {
    /// A portal with the seeded records.
    pub fn new() -> HubSpot {
        HubSpot { account: Mutex::new(Account::new()), hooks: Hooks::new() }
    }

    /// Sends what has changed.
    fn tell(&self, portal: &mut Portal, by_app: bool) {
        let batch = webhook::batch(&portal.changes.split_off(0), by_app);
        if !batch.is_empty() {
            self.hooks.send(move |target, attempt| webhook::delivery(&batch, target, attempt));
        }
    }

    /// A person writes in the portal.
    fn edit(portal: &mut Portal, edit: &Value) -> Result<(), String> {
        let kind = edit["object"]
            .as_str()
            .and_then(Kind::parse)
            .ok_or("`edit` takes {\"object\", \"id\", \"properties\"}: there is no such object")?;
        let body = serde_json::json!({ "properties": edit["properties"] });
        let refused = |_: Refusal| format!("hubspot refuses {edit}");
        let Some(id) = edit["id"].as_str() else {
            let draft = portal.draft(kind, &body).map_err(refused)?;
            portal.create(draft);
            return Ok(());
        };
        let id = portal.id_of(kind, id).map_err(refused)?;
        if edit["delete"] == true {
            portal.archive(kind, id);
        } else {
            let values = portal.check_change(kind, id, &body).map_err(refused)?;
            portal.apply(kind, id, values);
        }
        Ok(())
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for HubSpot {
    fn default() -> HubSpot {
        HubSpot::new()
    }
}

impl System for HubSpot {
    fn name(&self) -> &'static str {
        "hubspot"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/oauth/{version}/token", post(grant))
            .route("/crm/{*path}", any(crm))
            .fallback(async || Refusal::no_such_path())
            .with_state(self)
    }

    fn state(&self) -> Value {
        let mut state = self.account().portal.state();
        state["webhooks"] = self.hooks.state();
        state
    }

    fn reset(&self) {
        self.hooks.reset();
        *self.account() = Account::new();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let mut account = self.account();
        match setting {
            "search-lag-ms" => account.portal.lag = Duration::from_millis(whole(setting, &value)?),
            "access-token-life-s" => account.tokens.life = Duration::from_secs(whole(setting, &value)?),
            "expire-tokens" => account.tokens.expire(),
            "ten-secondly-limit" => account.limits.ten_secondly(at_most(setting, &value)?),
            "secondly-limit" => account.limits.secondly(at_most(setting, &value)?),
            "daily-limit" => account.limits.daily(at_most(setting, &value)?),
            "edit" => {
                HubSpot::edit(&mut account.portal, &value)?;
                self.tell(&mut account.portal, false);
            }
            "webhook" => self.hooks.set(value)?,
            other => {
                return Err(format!(
                    "hubspot has no setting {other}; it has search-lag-ms, access-token-life-s, expire-tokens, \
                     ten-secondly-limit, secondly-limit, daily-limit, edit, webhook"
                ));
            }
        }
        Ok(())
    }
}

fn whole(setting: &str, value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("{setting} is a whole number, not {value}"))
}

fn at_most(setting: &str, value: &Value) -> Result<Option<u32>, String> {
    if value.is_null() {
        return Ok(None);
    }
    whole(setting, value)?.try_into().map(Some).map_err(|_| format!("{setting} is too large"))
}

async fn grant(State(system): State<Arc<HubSpot>>, body: Bytes) -> Response {
    system.account().tokens.grant(&body, Instant::now())
}

async fn crm(
    State(system): State<Arc<HubSpot>>,
    method: Method,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut account = system.account();
    let account = &mut *account;
    let answer = answer(account, method, &path, query.as_deref().unwrap_or_default(), &headers, &body);
    let mut answer = answer.unwrap_or_else(IntoResponse::into_response);
    system.tell(&mut account.portal, true);
    if !path.ends_with("/search") {
        account.limits.tell(answer.headers_mut());
    }
    answer
}

fn answer(account: &mut Account, method: Method, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> Result<Response, Refusal> {
    let now = Instant::now();
    account.tokens.check(headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()), now)?;
    account.limits.take(path.ends_with("/search"), now)?;
    let call = Call::read(method, path, query, json_of(headers, body)?)?;
    route::route(&mut account.portal, &call)
}

/// The body as JSON; null where there is none.
fn json_of(headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    let json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
    if !json {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "VALIDATION_ERROR", "Unsupported Media Type"));
    }
    serde_json::from_slice(body)
        .map_err(|error| Refusal::invalid(format!("Invalid input JSON on line {}, column {}: {error}", error.line(), error.column())))
}
