//! What is done once and what is repeated: the rules under *Effects and their keys*.
//!
//! A write is known by its identity: its name, or, unnamed, its method, URL, body and ordinal among equals. Its idempotency key is a UUIDv5 of
//! the line, step, round, number of undos, identity and generation, so it is the same on every attempt and after every
//! crash, and a refused write gets a new one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

use super::{Answer, AttemptId, End};
use crate::outbound::{HttpError, Request, Response};
use crate::store::{EffectId, EffectRow, EffectState, JournalSnapshot};

/// Namespace of all idempotency keys. Never changes: keys of stored runs derive from it.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b8f_3c52_91d4_4e0a_a7c3_52f1_0d9e_77b4);

/// What to do with a write.
pub(super) enum Decision {
    /// Send it, journalled as this row.
    Send(Box<EffectRow>),
    /// It is done: answer from the journal.
    Replay(Box<EffectRow>),
    /// The name has succeeded in this very attempt.
    NameUsed(String),
    /// The plugin writes something else than before.
    Diverged(String),
}

/// The writes of one step in its line.
#[derive(Debug)]
pub(super) struct Journal {
    root: String,
    step: String,
    round: u32,
    undos: u32,
    /// Latest generation by identity.
    rows: HashMap<String, Arc<EffectRow>>,
    /// Identities that this attempt has asked for.
    asked: HashSet<String>,
    /// Identities that this attempt saw succeed (or replayed).
    finished: HashSet<String>,
    /// How often an unnamed request of the same content was made in this attempt.
    ordinals: HashMap<String, u32>,
}

impl Journal {
    pub(super) fn new(id: &AttemptId, snapshot: &JournalSnapshot) -> Journal {
        let mut rows: HashMap<String, Arc<EffectRow>> = HashMap::new();
        for row in &snapshot.effects {
            let latest = rows.get(&row.id.identity).is_none_or(|known| known.id.generation < row.id.generation);
            if latest {
                rows.insert(row.id.identity.clone(), Arc::new(row.clone()));
            }
        }
        Journal {
            root: id.root.clone(),
            step: id.step.clone(),
            round: id.round,
            undos: snapshot.undos,
            rows,
            asked: HashSet::new(),
            finished: HashSet::new(),
            ordinals: HashMap::new(),
        }
    }

    /// The key of a named write in its present generation.
    pub(super) fn key(&self, name: &str) -> String {
        let identity = named(name);
        let generation = self.rows.get(&identity).map_or(0, |row| next_generation(row));
        self.key_of(&identity, generation)
    }

    /// The key of the step as a whole.
    pub(super) fn step_key(&self) -> String {
        self.key_of("step", 0)
    }

    fn key_of(&self, identity: &str, generation: u32) -> String {
        key_of(&self.root, &self.step, self.round, self.undos, identity, generation)
    }

    pub(super) fn decide(&mut self, request: &Request, url: &Url) -> Decision {
        let digest: [u8; 32] = Sha256::digest(&request.body).into();
        let identity = match &request.name {
            Some(name) => named(name),
            None => unnamed(&mut self.ordinals, &request.method, url, &hex(&digest)),
        };
        if self.finished.contains(&identity) {
            return Decision::NameUsed(request.name.clone().unwrap_or_default());
        }
        self.asked.insert(identity.clone());
        if let Some(known) = self.rows.get(&identity) {
            let settled = matches!(known.state, EffectState::Done | EffectState::InDoubt | EffectState::Intent) || known.doubted;
            if settled && !same_target(known, request, url) {
                return Decision::Diverged(format!(
                    "write {:?} was {} {} before and is {} {} now",
                    request.name.as_deref().unwrap_or(""),
                    known.method,
                    path(&known.url),
                    request.method,
                    url.path()
                ));
            }
            if known.state == EffectState::Done {
                let row = EffectRow::clone(known);
                self.finished.insert(identity);
                return Decision::Replay(Box::new(row));
            }
        } else if request.name.is_none()
            && let Some(other) = self.unnamed_elsewhere(request, url)
        {
            return Decision::Diverged(format!(
                "this attempt sends {} {} with another body than the one sent before, which is {}; name the write to make it recognisable",
                request.method,
                url.path(),
                other.state.as_str()
            ));
        }
        let generation = self.rows.get(&identity).map_or(0, |row| next_generation(row));
        let doubted = self
            .rows
            .get(&identity)
            .is_some_and(|known| known.doubted || matches!(known.state, EffectState::InDoubt | EffectState::Intent));
        Decision::Send(Box::new(EffectRow {
            key: self.key_of(&identity, generation),
            id: EffectId { root: self.root.clone(), step: self.step.clone(), round: self.round, undos: self.undos, identity, generation },
            kind: "http".to_owned(),
            name: request.name.clone(),
            method: request.method.clone(),
            url: url.to_string(),
            request_headers: headers_json(&request.headers),
            request_body: None,
            request_digest: digest.to_vec(),
            state: EffectState::Intent,
            doubted,
            status: None,
            response_headers: None,
            response_body: None,
            run: String::new(),
            attempt: 0,
            seq: 0,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            duration_ms: None,
            decided: None,
        }))
    }

    /// An unnamed write to the same method and URL, done or in doubt, that this attempt has not asked for.
    fn unnamed_elsewhere(&self, request: &Request, url: &Url) -> Option<&EffectRow> {
        self.rows.values().map(Arc::as_ref).find(|row| {
            row.name.is_none()
                && row.state != EffectState::Failed
                && row.method == request.method
                && row.url == url.as_str()
                && !self.asked.contains(&row.id.identity)
        })
    }

    /// Writes done or in doubt that this attempt has not asked for, in the order in which they were sent.
    pub(super) fn unrepeated(&self) -> Vec<&EffectRow> {
        let mut rows: Vec<&EffectRow> = self
            .rows
            .values()
            .map(Arc::as_ref)
            .filter(|row| row.state != EffectState::Failed && !self.asked.contains(&row.id.identity))
            .collect();
        rows.sort_by_key(|row| (row.started_at, row.seq));
        rows
    }

    /// The write of that identity, if it is in doubt.
    pub(super) fn in_doubt(&self, identity: &str) -> Option<&EffectRow> {
        self.rows.get(identity).map(Arc::as_ref).filter(|row| matches!(row.state, EffectState::Intent | EffectState::InDoubt))
    }

    /// The first write in doubt, asked for by this attempt or not.
    pub(super) fn first_in_doubt(&self) -> Option<&EffectRow> {
        let doubts = self.rows.keys().filter_map(|identity| self.in_doubt(identity));
        doubts.min_by_key(|row| (row.started_at, row.seq))
    }

    /// What a write that `decide` refused as diverged is known by.
    pub(super) fn identity_of(&self, request: &Request, url: &Url) -> String {
        match &request.name {
            Some(name) => named(name),
            None => self.unnamed_elsewhere(request, url).map(|row| row.id.identity.clone()).unwrap_or_default(),
        }
    }

    /// Takes in the outcome of a write that was sent.
    pub(super) fn record(&mut self, row: Arc<EffectRow>) {
        if row.state == EffectState::Done {
            self.finished.insert(row.id.identity.clone());
        }
        self.rows.insert(row.id.identity.clone(), row);
    }
}

fn key_of(root: &str, step: &str, round: u32, undos: u32, identity: &str, generation: u32) -> String {
    let text = format!("{root}\n{step}\n{round}\n{undos}\n{generation}\n{identity}");
    Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string()
}

/// The key of a step as a whole: in its line, round, and after so many undos.
pub fn step_key(root: &str, step: &str, round: u32, undos: u32) -> String {
    key_of(root, step, round, undos, "step", 0)
}

/// The key of a named write (`None`: of the step as a whole) of a step's first round that was never undone, in a generation from 0.
pub fn write_key(root: &str, step: &str, name: Option<&str>, generation: u32) -> String {
    let identity = name.map_or_else(|| "step".to_owned(), named);
    key_of(root, step, 0, 0, &identity, generation)
}

/// What an unnamed request is known by: method, URL, digest of the body, and ordinal among equals.
pub(super) fn unnamed(ordinals: &mut HashMap<String, u32>, method: &str, url: &Url, digest: &str) -> String {
    let content = format!("{method} {url} {digest}");
    let ordinal = ordinals.entry(content.clone()).or_insert(0);
    *ordinal += 1;
    format!("u:{}/{ordinal}", hex(&Sha256::digest(content.as_bytes())))
}

fn named(name: &str) -> String {
    format!("n:{name}")
}

fn path(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.path().to_owned())
}

/// Method and path, not the query: a key or a cursor in it may differ.
fn same_target(known: &EffectRow, request: &Request, url: &Url) -> bool {
    known.method == request.method && path(&known.url) == url.path()
}

/// A write that was refused, never having been in doubt, did nothing: a new try is a new write; so is one of which a person says that it was not
/// done. 409, 425 and 429 say "not now", and what provably never left is still the same write.
fn next_generation(row: &EffectRow) -> u32 {
    if row.decided.as_deref() == Some("not-done") && row.state == EffectState::Failed {
        return row.id.generation + 1;
    }
    let refused = row.state == EffectState::Failed
        && !row.doubted
        // Other protocols have numbers of their own, and a write that they refused is the same write when it is tried again.
        && matches!(row.kind.as_str(), "http" | "webhook")
        && row.status.is_some_and(|status| (400..500).contains(&status) && !matches!(status, 409 | 425 | 429));
    row.id.generation + u32::from(refused)
}

/// What the end of a write of the host's own makes of it.
pub(super) fn settle_own(row: &mut EffectRow, answer: &Answer) {
    row.state = match answer.end {
        End::Done => EffectState::Done,
        // After a doubt neither a refusal nor a try that never left proves that the write was not done.
        End::Refused | End::NotSent if row.doubted => EffectState::InDoubt,
        End::Refused | End::NotSent => EffectState::Failed,
        End::InDoubt => EffectState::InDoubt,
    };
    if row.state == EffectState::InDoubt {
        row.doubted = true;
    }
    row.status = answer.status;
    if answer.end == End::Done || answer.status.is_some() {
        row.response_headers = Some(headers_json(&answer.headers));
        row.response_body = Some(answer.body.clone());
    }
}

/// What an answer (or its absence) makes of a write.
pub(super) fn settle(row: &mut EffectRow, result: &Result<Response, HttpError>) {
    row.state = match result {
        Ok(response) => {
            row.status = Some(response.status);
            match response.status {
                408 | 500.. => EffectState::InDoubt,
                // After a doubt no refusal proves that the write was not done.
                400..500 if row.doubted => EffectState::InDoubt,
                400..500 => EffectState::Failed,
                _ => EffectState::Done,
            }
        }
        Err(error) if error.may_have_left() || row.doubted => EffectState::InDoubt,
        Err(_) => EffectState::Failed,
    };
    if row.state == EffectState::InDoubt {
        row.doubted = true;
    }
    if let Ok(response) = result {
        row.response_headers = Some(headers_json(&response.headers));
        row.response_body = Some(response.body.clone());
    }
}

/// The answer that was recorded.
pub(super) fn recorded_response(row: &EffectRow) -> Result<Response, String> {
    Ok(Response {
        status: row.status.unwrap_or(200),
        headers: row.response_headers.as_deref().map(headers).transpose()?.unwrap_or_default(),
        body: row.response_body.clone().unwrap_or_default(),
    })
}

/// Recorded headers as they were.
///
/// # Errors
/// When this version did not write them.
pub fn headers(json: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let pairs: Vec<(String, String)> =
        serde_json::from_str(json).map_err(|error| format!("the journalled headers can't be read: {error}"))?;
    Ok(pairs.into_iter().map(|(name, value)| (name, latin1_bytes(&value))).collect())
}

/// Header values are bytes; as JSON text each byte is one character (ISO 8859-1), so that nothing is lost.
pub fn headers_json(headers: &[(String, Vec<u8>)]) -> String {
    let pairs: Vec<(&str, String)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.iter().map(|&byte| char::from(byte)).collect())).collect();
    serde_json::to_string(&pairs).expect("pairs of strings are JSON")
}

fn latin1_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
