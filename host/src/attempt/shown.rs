//! An effect as people see it in the timeline of an attempt.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SharedIn;
use crate::outbound::Request;
use crate::store::{EffectRow, EffectState};

/// Kind of an effect on the plugin's key-value space.
pub(super) const KEY_VALUE: &str = "key-value";
/// Longest URL that is shown.
const MAX_URL: usize = 2048;

/// Longest name that is shown.
const MAX_TEXT: usize = 256;
/// Longest method that is shown.
const MAX_METHOD: usize = 32;

fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most.min(text.len()))].to_owned()
}

/// One effect of one attempt.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ShownEffect {
    /// Place in the attempt, from 1.
    pub seq: u32,
    /// `http` or `key-value`; of the host's own steps `mail`, `publish`, `webhook`.
    pub kind: String,
    /// Name of the write, or the key.
    pub name: Option<String>,
    /// Idempotency key of a write.
    pub key: Option<String>,
    /// HTTP method, `set` or `delete`.
    pub method: String,
    /// URL; empty for key-value.
    pub url: String,
    /// HTTP status.
    pub status: Option<u16>,
    /// Where it is.
    pub state: EffectState,
    /// How long it took.
    pub duration_ms: i64,
    /// Answered from the journal, nothing was sent.
    pub replayed: bool,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// An earlier attempt has written it, and this one succeeded without asking for it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unrepeated: bool,
    /// The answer to the read is kept for dry runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recorded: bool,
    /// Not carried out: by a dry run, or because the key-value writes of the attempt did not take effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dropped: bool,
    /// The body was too large to keep; the journal has its digest alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_digest: Option<String>,
    /// It was made for several runs at once: for which batch, and how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<SharedIn>,
}

impl ShownEffect {
    pub(super) fn new(seq: u32, request: &Request, url: &str, state: EffectState) -> ShownEffect {
        ShownEffect {
            seq,
            kind: "http".to_owned(),
            name: request.name.as_deref().map(|name| cut(name, MAX_TEXT)),
            key: None,
            method: cut(&request.method, MAX_METHOD),
            url: cut(url, MAX_URL),
            status: None,
            state,
            duration_ms: 0,
            replayed: false,
            error: None,
            unrepeated: false,
            recorded: false,
            dropped: false,
            body_digest: None,
            batch: None,
        }
    }

    /// A write of an earlier attempt that this one has not asked for.
    pub(super) fn unrepeated(seq: u32, row: &EffectRow) -> ShownEffect {
        let request = Request { method: row.method.clone(), name: row.name.clone(), ..Request::default() };
        // Found so, an intent is a doubt.
        let state = if row.state == EffectState::Intent { EffectState::InDoubt } else { row.state };
        let mut shown = ShownEffect::new(seq, &request, &row.url, state).of_row(row);
        shown.unrepeated = true;
        shown
    }

    /// Of another kind than a plugin's request.
    pub(super) fn of_kind(mut self, kind: &str) -> ShownEffect {
        kind.clone_into(&mut self.kind);
        self
    }

    /// With what the journal knows of the write.
    pub(super) fn of_row(mut self, row: &EffectRow) -> ShownEffect {
        self.kind.clone_from(&row.kind);
        self.key = Some(row.key.clone());
        self.status = row.status;
        self.body_digest = row.body_digest();
        self
    }

    /// The host of its URL; empty where it has none.
    pub fn host(&self) -> Cow<'_, str> {
        if self.status.is_none() {
            // It may have been refused, and be anything.
            let url = url::Url::parse(&self.url).ok();
            return url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default().into();
        }
        // It was sent, and stands as the URL standard writes it.
        let (_, rest) = self.url.split_once("://").unwrap_or_default();
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
        host[..end.unwrap_or(host.len())].into()
    }

    /// Key-value writes that did not take effect after all.
    pub fn drop_key_values(effects: &mut [ShownEffect], why: &str) {
        for effect in effects.iter_mut().filter(|effect| effect.kind == KEY_VALUE) {
            effect.state = EffectState::Failed;
            effect.dropped = true;
            effect.error = Some(why.to_owned());
        }
    }

    pub(super) fn key_value(seq: u32, key: String, removed: bool) -> ShownEffect {
        ShownEffect {
            seq,
            kind: KEY_VALUE.to_owned(),
            name: Some(key),
            key: None,
            method: if removed { "delete" } else { "set" }.to_owned(),
            url: String::new(),
            status: None,
            state: EffectState::Done,
            duration_ms: 0,
            replayed: false,
            error: None,
            unrepeated: false,
            recorded: false,
            dropped: false,
            body_digest: None,
            batch: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_what_was_sent_is_that_of_its_url() {
        for url in [
            "https://a.example/b?c=d@e",
            "http://127.0.0.1:80/",
            "http://[::1]:8080/x",
            "https://u:p@a.example:1/@b:2",
            "https://a.example",
        ] {
            let url = url::Url::parse(url).expect("it is a URL");
            let mut shown = ShownEffect::new(1, &Request::default(), url.as_str(), EffectState::Done);
            let wanted = url.host_str().expect("it has a host");
            assert_eq!(shown.host(), wanted, "{url}, refused");
            shown.status = Some(200);
            assert_eq!(shown.host(), wanted, "{url}");
        }
        let shown = ShownEffect::new(1, &Request::default(), "no URL", EffectState::Failed);
        assert_eq!(shown.host(), "");
    }
}
