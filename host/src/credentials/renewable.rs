//! OAuth2 credentials: the present token, and one refresh at a time for everybody who needs the next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::context::Context;
use super::error::{CredentialError, Remedy};
use super::oauth2::Granted;
use super::renewal;
use super::sources::{Fingerprint, Sources};
use super::status::{State, Status};
use super::token::Token;
use super::trouble::Trouble;
use crate::clock;
use crate::config::Credential;

mod bookkeeping;

/// So many refused tokens are replaced …
const MOST_REFUSALS: usize = 3;
/// … in this time. A system that answers 401 to every fresh token has another complaint, and its token endpoint is
/// spared.
const REFUSAL_WINDOW: Duration = Duration::from_secs(300);

/// What a refresh comes to: a token that is durable, or the reason why there is none.
pub(super) type Outcome = Result<Arc<Token>, CredentialError>;
type Flight = watch::Receiver<Option<Outcome>>;

/// An OAuth2 credential on this host.
pub(super) struct Renewable {
    credential: Arc<Credential>,
    /// Under which the store knows this one's lease.
    holder: String,
    /// Of refreshes ahead of time, 0 to 1: see [`Token::due_ahead`].
    spread: f64,
    epoch: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    token: Option<Arc<Token>>,
    /// Tokens up to this version have been refused.
    refused: i64,
    refusals: VecDeque<Timestamp>,
    trouble: Option<Trouble>,
    error: Option<CredentialError>,
    /// Fetched, but not yet in the store: not used, and not forgotten, since it may hold the only valid refresh token.
    unsaved: Option<Token>,
    flight: Option<Flight>,
    source: Option<Fingerprint>,
    /// When the store's token was fetched.
    obtained_at: Option<Timestamp>,
    /// Requests have carried the present token.
    used: bool,
    /// Since when nothing but a change helps.
    broken_at: Option<Timestamp>,
    refreshes: u64,
    failures: u64,
}

impl Inner {
    fn usable(&self, now: Timestamp) -> Option<Arc<Token>> {
        self.token.clone().filter(|token| !token.expired(now) && token.version > self.refused)
    }

    /// The refresh under way. One whose task has died is none.
    fn flight(&self) -> Option<Flight> {
        self.flight.clone().filter(|flight| flight.has_changed().is_ok())
    }

    /// Whether one more refused token may be replaced now.
    fn may_replace(&mut self, now: Timestamp) -> bool {
        while self.refusals.front().is_some_and(|&at| clock::later(at, REFUSAL_WINDOW) <= now) {
            self.refusals.pop_front();
        }
        self.refusals.len() < MOST_REFUSALS
    }
}

impl Renewable {
    /// `host`: whose leases its refreshes take.
    pub(super) fn new(credential: Arc<Credential>, host: &str) -> Self {
        let id = Uuid::new_v4();
        let spread = f64::from(id.as_bytes()[0]) / 255.0;
        Self { credential, holder: format!("{host}/{id}"), spread, epoch: AtomicU64::new(0), inner: Mutex::default() }
    }

    /// A token to use now, fetched where there is none or its end is near.
    pub(super) async fn token(self: &Arc<Self>, cx: &Arc<Context>) -> Outcome {
        let now = cx.vault.clock().now();
        let flight = {
            let mut inner = self.lock();
            inner.used = true;
            if let Some(token) = inner.usable(now) {
                let in_trouble = inner.trouble.as_ref().is_some_and(|t| t.holds(&t.source, t.version, now));
                if !token.due(now) || in_trouble {
                    return Ok(token);
                }
            }
            self.join(&mut inner, cx)
        };
        self.land(flight).await.or_else(|error| {
            // It was fetched early: the old one is good to its end.
            self.lock().usable(cx.vault.clock().now()).ok_or(error)
        })
    }

    /// After a 401: whether another try makes sense, with a newer token where one can be had.
    pub(super) async fn refused(self: &Arc<Self>, cx: &Arc<Context>, version: i64) -> Result<bool, CredentialError> {
        loop {
            let flight = {
                let mut inner = self.lock();
                let now = cx.vault.clock().now();
                if inner.usable(now).is_some_and(|token| token.version > version) {
                    return Ok(true);
                }
                if inner.flight().is_none() && inner.refused < version {
                    if !inner.may_replace(now) {
                        return Ok(true);
                    }
                    inner.refusals.push_back(now);
                    inner.refused = version;
                }
                self.join(&mut inner, cx)
            };
            // A refresh that began before the refusal may have come back with the refused token: then once more.
            if self.land(flight).await?.version > version {
                return Ok(true);
            }
        }
    }

    /// Looks whether somebody changed what it is made of, if it has been used.
    pub(super) async fn recheck(self: &Arc<Self>, cx: &Arc<Context>) {
        let (used, broken) = {
            let inner = self.lock();
            let broken = inner.error.as_ref().is_some_and(|error| error.remedy() == Remedy::Change);
            (inner.source.is_some() || broken, broken)
        };
        if broken {
            // Asks the vendor only if something has changed; another host may also have got a token meanwhile.
            let flight = self.join(&mut self.lock(), cx);
            let _ = self.land(flight).await; // kept as its last error
        } else if used && let Ok(Some(sources)) = Sources::resolve(&cx.vault, &self.credential.kind).await {
            self.made_of(cx, sources.fingerprint);
        }
        let unsaved = self.lock().unsaved.is_some();
        if unsaved {
            self.flush(cx).await;
        }
    }

    /// Takes over what other hosts got, and fetches the next token before a request has to wait for it: where the present one is in use and
    /// nears its end, and where the refresh token would end for want of use.
    pub(super) async fn tend(self: &Arc<Self>, cx: &Arc<Context>) {
        let Ok(Some(sources)) = Sources::resolve(&cx.vault, &self.credential.kind).await else { return };
        self.made_of(cx, sources.fingerprint);
        renewal::look(self, cx, &sources).await;
        let now = cx.vault.clock().now();
        let flight = {
            let mut inner = self.lock();
            let nears_its_end = inner.used && inner.token.as_ref().is_some_and(|token| token.due_ahead(now, self.spread));
            let unused = inner.obtained_at.is_some_and(|at| self.overdue(at, now));
            let in_trouble = inner.trouble.as_ref().is_some_and(|t| t.holds(&t.source, t.version, now));
            if !(nears_its_end || unused) || in_trouble {
                return;
            }
            self.join(&mut inner, cx)
        };
        let _ = self.land(flight).await; // kept as its last error
    }

    /// Keeps what a person agreed to; requests carry it from now on.
    pub(super) async fn keep(&self, cx: &Context, sources: &Sources, granted: Granted, asked_at: Timestamp) -> Outcome {
        let kept = renewal::keep(self, cx, sources, granted, asked_at).await?;
        cx.changed(&self.epoch);
        Ok(kept)
    }

    /// Tries once more to save what is not yet in the store. `true` once nothing is left to save.
    pub(super) async fn flush(self: &Arc<Self>, cx: &Arc<Context>) -> bool {
        let flight = {
            let mut inner = self.lock();
            if inner.unsaved.is_none() && inner.flight().is_none() {
                return true;
            }
            self.join(&mut inner, cx)
        };
        let _ = self.land(flight).await; // kept as its last error
        self.lock().unsaved.is_none()
    }

    /// Counts as a change: it comes from a new configuration.
    pub(super) fn configured(&self, cx: &Context) {
        cx.changed(&self.epoch);
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) fn status(&self, now: Timestamp) -> Status {
        let inner = self.lock();
        let remedy = inner.error.as_ref().map(CredentialError::remedy);
        let retry_at = match remedy {
            Some(Remedy::At(at)) if now < at => Some(at),
            _ => None,
        };
        let state = match remedy {
            _ if inner.flight().is_some() => State::Refreshing,
            Some(Remedy::Change) if matches!(inner.error, Some(CredentialError::NotConnected { .. })) => State::NotConnected,
            Some(Remedy::Change) => State::Broken,
            _ if retry_at.is_some() => State::CoolingDown,
            _ if inner.token.is_some() => State::Ok,
            _ => State::Unused,
        };
        Status {
            name: self.credential.name.clone(),
            kind: super::status::kind(&self.credential.kind),
            state,
            expires_at: inner.token.as_ref().and_then(|token| token.expires_at),
            retry_at,
            broken_at: inner.broken_at,
            works_at: inner.token.as_ref().filter(|_| remedy != Some(Remedy::Change)).map(|token| token.obtained_at),
            last_error: inner.error.as_ref().map(CredentialError::in_full),
            refreshes: inner.refreshes,
            failures: inner.failures,
        }
    }

    /// Joins the refresh under way or starts one. It runs on its own: a request that gives up must not take down with
    /// it the answer that holds the next refresh token.
    fn join(self: &Arc<Self>, inner: &mut Inner, cx: &Arc<Context>) -> Flight {
        if let Some(flight) = inner.flight() {
            return flight;
        }
        let (landing, flight) = watch::channel(None);
        inner.flight = Some(flight.clone());
        let (this, cx) = (self.clone(), cx.clone());
        let tasks = cx.tasks.clone();
        tasks.spawn(async move {
            let outcome = renewal::run(&this, &cx).await;
            let mut inner = this.lock();
            inner.flight = None;
            inner.error = outcome.as_ref().err().cloned();
            let is_broken = inner.error.as_ref().is_some_and(|error| error.remedy() == Remedy::Change);
            inner.broken_at = is_broken.then(|| inner.broken_at.unwrap_or_else(|| cx.vault.clock().now()));
            drop(inner);
            if is_broken {
                cx.broke();
            }
            landing.send_replace(Some(outcome));
        });
        flight
    }

    async fn land(&self, mut flight: Flight) -> Outcome {
        let landed = flight.wait_for(Option::is_some).await;
        let outcome = landed.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err(CredentialError::Interrupted { credential: self.name().to_owned() }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
