//! One thing that happened and is durable: ids and states, never a reason or a payload.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
pub enum News {
    /// An event was taken in.
    #[serde(rename = "event.accepted")]
    Accepted(Accepted),
    /// An event came that was known. Counted, not told.
    #[serde(rename = "event.duplicate")]
    Duplicate,
    /// A run is in another state.
    #[serde(rename = "run.changed")]
    Run(RunChanged),
    /// An attempt at a step ended.
    #[serde(rename = "attempt.ended")]
    Attempt(AttemptEnded),
    /// A credential broke, works again, or was changed.
    #[serde(rename = "credential.changed")]
    Credential(CredentialChanged),
    /// A source had its turn, set something aside, or was ordered about.
    #[serde(rename = "source.changed")]
    Source(SourceChanged),
    /// A configuration was applied.
    #[serde(rename = "revision.applied")]
    Revision(RevisionApplied),
    /// Something happened, and nobody can say what: read anew.
    #[serde(rename = "gap")]
    Gap,
}

/// An event that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Given by the host.
    #[serde(with = "shared")]
    pub eid: Arc<str>,
    /// CloudEvents `type`.
    #[serde(rename = "type", with = "shared")]
    pub event_type: Arc<str>,
    /// CloudEvents `source`.
    #[serde(with = "shared")]
    pub source: Arc<str>,
    /// CloudEvents `id`.
    #[serde(with = "shared")]
    pub id: Arc<str>,
    /// When it came.
    pub received_at: Timestamp,
    /// The routes that want it, each with a run.
    pub routes: Vec<String>,
}

/// A run that is in another state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunChanged {
    /// Its event.
    pub eid: String,
    /// The run.
    pub run: String,
    /// Its route.
    pub route: String,
    /// `pending`, `running`, `waiting`, `succeeded`, `dead`, `cancelled`.
    pub status: String,
    /// Since when.
    pub at: Timestamp,
    /// Milliseconds from when it was made until it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<i64>,
    /// Plugin of the step that a dead one died of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Its action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

impl RunChanged {
    /// A run that is in another state, whatever it was that brought it there.
    pub fn new(eid: &str, run: &str, route: &str, status: &str, at: Timestamp) -> RunChanged {
        RunChanged {
            eid: eid.to_owned(),
            run: run.to_owned(),
            route: route.to_owned(),
            status: status.to_owned(),
            at,
            took_ms: None,
            plugin: None,
            action: None,
            step: None,
        }
    }
}

/// An attempt that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnded {
    /// Its event.
    pub eid: String,
    /// Its run.
    pub run: String,
    /// Its route.
    pub route: String,
    /// Its step; `NAME/undo` for the undo of one.
    pub step: String,
    /// The plugin that was asked.
    pub plugin: String,
    /// For which action.
    pub action: String,
    /// `succeeded`, or the kind of failure.
    pub outcome: String,
    /// How long it took.
    pub duration_ms: i64,
    /// When it ended.
    pub at: Timestamp,
}

impl AttemptEnded {
    /// Whether it failed.
    pub fn has_failed(&self) -> bool {
        self.outcome != "succeeded"
    }
}

/// A credential that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialChanged {
    /// Its name.
    pub name: String,
    /// `ok`, `broken`, or `changed`: its secret or token is another one.
    pub state: String,
    /// When.
    pub at: Timestamp,
}

/// A source that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceChanged {
    /// Its name.
    pub name: String,
    /// Its state, where that is what changed.
    pub state: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A configuration that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionApplied {
    /// Its number.
    pub revision: i64,
    /// When.
    pub at: Timestamp,
}

impl News {
    /// What a stream can be asked for.
    pub const KINDS: [&str; 6] =
        ["event.accepted", "run.changed", "attempt.ended", "credential.changed", "source.changed", "revision.applied"];

    /// The kind it is told as; `None`: it is only counted.
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            News::Accepted(_) => Some("event.accepted"),
            News::Duplicate => None,
            News::Run(_) => Some("run.changed"),
            News::Attempt(_) => Some("attempt.ended"),
            News::Credential(_) => Some("credential.changed"),
            News::Source(_) => Some("source.changed"),
            News::Revision(_) => Some("revision.applied"),
            News::Gap => Some("gap"),
        }
    }

    /// What is told of it: one line of JSON.
    pub fn data(&self) -> String {
        let data = match self {
            News::Accepted(news) => serde_json::to_string(news),
            News::Run(news) => serde_json::to_string(news),
            News::Attempt(news) => serde_json::to_string(news),
            News::Credential(news) => serde_json::to_string(news),
            News::Source(news) => serde_json::to_string(news),
            News::Revision(news) => serde_json::to_string(news),
            News::Duplicate | News::Gap => return "{}".to_owned(),
        };
        data.expect("news are plain data")
    }
}

/// Text that the event itself has, too: thousands of events may come in a tenth of a second.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_host_writes_another_reads() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        let run = RunChanged { took_ms: Some(1234), ..RunChanged::new("e", "r", "orders", "succeeded", at) };
        for news in [News::Run(run), News::Duplicate, News::Gap, News::Revision(RevisionApplied { revision: 7, at })] {
            let text = serde_json::to_string(&news).expect("it is plain data");
            assert_eq!(serde_json::from_str::<News>(&text).expect("it is read again"), news);
        }
    }
}
