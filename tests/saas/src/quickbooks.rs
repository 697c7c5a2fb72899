//! QuickBooks Online accounting: customers, items, invoices and their e-mails, time activities, employees and vendors.
//!
//! Written from the vendor's reference. One company, in US dollars, with one sales tax. A request travels:
//! [`QuickBooks`] takes it, the `token`, the realm and the throttle let it in, `route` finds its meaning (unless
//! `replay` has its outcome already), `write` or `select` does it on the `company`'s books, and `answer` shapes
//! what goes out. A `fault` says why not, in the vendor's words.
//!
//! Traps kept from the original: an answer is XML unless `Accept` names JSON; an empty query result has no entity key;
//! sending an invoice twice sends two e-mails, whatever the `requestid`; a sales line without an item is text, and its
//! amount is ignored; a full update clears what it leaves out; names are shared by customers, vendors and employees.
//!
//! | setting | value | default |
//! |---|---|---|
//! | `access-token-life-s` | life of access tokens issued from now on | 3600 |
//! | `expire-tokens` | `true`: ends every access token issued so far | |
//! | `requests-per-minute` | API requests in a minute, or null | null |
//! | `pay` | `{"invoice", "amount"}`: somebody records a payment; without an amount of all that is owed | |
//! | `edit` | `{"entity", "record"}`: somebody writes a record, sparsely where it has an `Id` | |
//! | `webhook` | `{"url", "secret", "format"}`: all changes are told, as CloudEvents or as `"notifications"` | null |

mod answer;
mod batch;
mod capture;
mod company;
mod entity;
mod fault;
mod field;
mod invoice;
mod item;
mod line;
mod money;
mod name;
mod payment;
mod query;
mod replay;
mod route;
mod seed;
mod select;
mod tax;
mod time_activity;
mod token;
mod webhook;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use axum::routing::{any, post};
use serde_json::{Value, json};

use crate::quota::Quota;
use crate::system::System;
use crate::webhook::Hooks;
use answer::Answer;
use company::Company;
use entity::Entity;
use fault::Fault;
use replay::Replay;
use route::Call;
use token::Tokens;
use write::Operation;

/// OAuth client, sent by HTTP Basic.
pub const CLIENT_ID: &str = "qbo-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "qbo-secret";
/// The first refresh token; the ones that follow are `qbo-refresh-2`, `qbo-refresh-3`, …
pub const REFRESH_TOKEN: &str = "qbo-refresh-1";
/// The one company that the tokens open.
pub const REALM: &str = "4620816365";

const MINUTE: Duration = Duration::from_secs(60);

/// The stand-in.
pub struct QuickBooks {
    account: Mutex<Account>,
    hooks: Hooks,
}

struct Account {
    company: Company,
    tokens: Tokens,
    replay: Replay,
    throttle: Quota,
}

impl Account {
    fn new() -> Account {
        let mut company = seed::company();
        company.changes.clear();
        Account { company, tokens: Tokens::new(), replay: Replay::default(), throttle: Quota::unlimited(MINUTE) }
    }
}

impl QuickBooks {
    /// A company with the seeded lists.
    pub fn new() -> QuickBooks {
        QuickBooks { account: Mutex::new(Account::new()), hooks: Hooks::new() }
    }

    /// Sends what has changed.
    fn tell(&self, account: &mut Account) {
        let changes = account.company.changes.split_off(0);
        if !changes.is_empty() {
            self.hooks.send(move |target, _| webhook::delivery(&changes, target));
        }
    }

    /// Somebody writes a record in QuickBooks.
    fn edit(account: &mut Account, edit: &Value) -> Result<(), String> {
        let entity =
            edit["entity"].as_str().and_then(Entity::parse).ok_or("`edit` takes {\"entity\", \"record\"}: there is no such entity")?;
        let mut record = edit["record"].clone();
        if let Some(id) = record["Id"].as_str().map(str::to_owned) {
            let present = account.company.get(entity, &id).ok_or_else(|| format!("quickbooks has no {} {id}", entity.name()))?;
            record["SyncToken"] = present.get("SyncToken").cloned().unwrap_or_default();
            record["sparse"] = true.into();
        }
        let operation = if edit["delete"] == true { Operation::Delete } else { Operation::Save };
        write::write(&mut account.company, entity, operation, &record).map(|_| ()).map_err(|_| format!("quickbooks refuses {edit}"))
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for QuickBooks {
    fn default() -> QuickBooks {
        QuickBooks::new()
    }
}

impl System for QuickBooks {
    fn name(&self) -> &'static str {
        "quickbooks"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/oauth2/v1/tokens/bearer", post(grant))
            .route("/v2/oauth2/tokens/revoke", post(revoke))
            .route("/v3/company/{realm}/{*path}", any(company))
            .fallback(async || answer::no_such_path())
            .with_state(self)
    }

    fn state(&self) -> Value {
        let account = self.account();
        let mut state = account.company.state();
        state["tokens"] = account.tokens.state();
        state["webhooks"] = self.hooks.state();
        state["replayed"] = json!(account.replay.served());
        state
    }

    fn reset(&self) {
        self.hooks.reset();
        *self.account() = Account::new();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let mut account = self.account();
        let whole = || value.as_u64().ok_or_else(|| format!("{setting} is a whole number, not {value}"));
        match setting {
            "access-token-life-s" => account.tokens.life = Duration::from_secs(whole()?),
            "expire-tokens" => account.tokens.expire(),
            "requests-per-minute" if value.is_null() => account.throttle.allow(None, MINUTE),
            "requests-per-minute" => {
                let limit = u32::try_from(whole()?).map_err(|_| format!("{setting} is too large"))?;
                account.throttle.allow(Some(limit), MINUTE);
            }
            "pay" => {
                let amount = value.get("amount").filter(|amount| !amount.is_null());
                let amount = amount.map(|amount| money::read(amount).ok_or("`pay` takes {\"invoice\", \"amount\"}")).transpose()?;
                payment::receive(&mut account.company, value["invoice"].as_str().unwrap_or_default(), amount)?;
                self.tell(&mut account);
            }
            "edit" => {
                QuickBooks::edit(&mut account, &value)?;
                self.tell(&mut account);
            }
            "webhook" => self.hooks.set(value)?,
            other => {
                return Err(format!(
                    "quickbooks has no setting {other}; it has access-token-life-s, expire-tokens, requests-per-minute, pay, edit, webhook"
                ));
            }
        }
        Ok(())
    }
}

async fn grant(State(system): State<Arc<QuickBooks>>, headers: HeaderMap, body: Bytes) -> Response {
    system.account().tokens.grant(text(&headers, header::AUTHORIZATION), &body, Instant::now())
}

async fn revoke(State(system): State<Arc<QuickBooks>>, headers: HeaderMap, body: Bytes) -> Response {
    system.account().tokens.revoke(text(&headers, header::AUTHORIZATION), &body)
}

async fn company(
    State(system): State<Arc<QuickBooks>>,
    method: Method,
    Path((realm, path)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = Call::read(method, &path, query.as_deref(), text(&headers, header::CONTENT_TYPE), &body);
    let mut account = system.account();
    let answer = admit(&mut account, &realm, text(&headers, header::AUTHORIZATION))
        .and_then(|()| route::route(&mut account, &call))
        .unwrap_or_else(Answer::from);
    system.tell(&mut account);
    answer.respond(text(&headers, header::ACCEPT))
}

fn admit(account: &mut Account, realm: &str, authorization: &str) -> Result<(), Fault> {
    let now = Instant::now();
    account.tokens.check(authorization, now)?;
    if realm != REALM {
        return Err(Fault::not_authorized(realm));
    }
    account.throttle.take(now).map_err(|_| Fault::throttled())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
