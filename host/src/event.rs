//! The CloudEvents 1.0.2 envelope: pure data.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>. What cannot be kept exactly is refused, with
//! the attribute that is at fault.

mod attributes;
mod binary;
mod digest;
mod eid;
mod json;
mod reserved;
mod structured;

#[cfg(test)]
mod tests;

pub use self::eid::{AHEAD as EIDS_AHEAD, Eids, before_eids_of};
pub use self::json::Json;
pub use self::reserved::RESERVED;

use std::collections::BTreeMap;

use serde_json::Value;

/// Longest value of an attribute or extension, in bytes.
pub const MAX_ATTRIBUTE: usize = 1024;
/// Most extensions of one event.
pub const MAX_EXTENSIONS: usize = 64;
/// Longest name of an extension. The specification recommends 20; tracing systems in the field use more.
pub const MAX_EXTENSION_NAME: usize = 64;
/// Levels of arrays and objects within one another in `data`. Expressions see the event within others, which is why it
/// is less than [`crate::mapping::Limits::DEPTH`].
pub const MAX_DATA_DEPTH: usize = 56;
/// Most events in one batch.
pub const MAX_BATCH: usize = 1000;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Identifies it together with `source`; not empty.
    pub id: String,
    /// The context in which it happened, a URI reference; not empty.
    pub source: String,
    /// `type`: what happened; not empty.
    pub event_type: String,
    /// What it is about within `source`.
    pub subject: Option<String>,
    /// When it happened: RFC 3339, as the producer wrote it.
    pub time: Option<String>,
    /// Media type of the data.
    pub datacontenttype: Option<String>,
    /// Schema of the data, a URI.
    pub dataschema: Option<String>,
    /// Extension attributes: strings, integers and booleans.
    pub extensions: BTreeMap<String, Value>,
    /// What it says.
    pub data: Data,
}

/// `data` or `data_base64`.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// The event has none.
    None,
    /// JSON, or text as a JSON string.
    Json(Json),
    /// Bytes.
    Binary(Vec<u8>),
}

/// Why text is no event, or no batch of them.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is no event.
    #[error("it is no CloudEvent: {0}")]
    Event(EventError),
    /// It is no batch, or some of its items are no events: each by its position.
    #[error("it is no batch of CloudEvents")]
    Batch(Vec<(usize, EventError)>),
}

/// Why something is not a CloudEvent that this host takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// A structured event is a JSON object.
    #[error("an event is a JSON object")]
    NotAnObject,
    /// A batch is a JSON array.
    #[error("a batch is a JSON array of events")]
    NotABatch,
    /// A batch holds more than [`MAX_BATCH`].
    #[error("a batch has at most {MAX_BATCH} events")]
    BatchTooLong,
    /// A required attribute is not there.
    #[error("the attribute `{0}` is missing")]
    Missing(&'static str),
    /// An attribute is there, but empty.
    #[error("the attribute `{0}` is empty")]
    Empty(String),
    /// An attribute is not of its type.
    #[error("the attribute `{name}` is not {expected}")]
    Type {
        /// Name of the attribute.
        name: String,
        /// What it should be, with its article.
        expected: &'static str,
    },
    /// An attribute is longer than [`MAX_ATTRIBUTE`].
    #[error("the attribute `{0}` has more than {MAX_ATTRIBUTE} bytes")]
    TooLong(String),
    /// Another version of the specification.
    #[error("the attribute `specversion` is {0:?}; this host knows 1.0")]
    Version(String),
    /// A name that no attribute has.
    #[error("{0:?} is no name of an attribute: lower-case letters and digits, at most {MAX_EXTENSION_NAME}")]
    Name(String),
    /// More extensions than [`MAX_EXTENSIONS`].
    #[error("an event has at most {MAX_EXTENSIONS} extension attributes")]
    TooManyExtensions,
    /// The same attribute twice, in headers.
    #[error("the attribute `{0}` is there more than once")]
    Repeated(String),
    /// Both members are there.
    #[error("an event has `data` or `data_base64`, not both")]
    BothData,
    /// `data_base64` is something else.
    #[error("`data_base64` is not base64 (RFC 4648)")]
    Base64,
    /// The body of a binary-mode request is not the JSON that its content type says.
    #[error("the data is not JSON: {0}")]
    Json(String),
    /// It says what only the host may.
    #[error(
        "the attribute `{name}` is {value:?}, which only the host itself says: sources /plugins/…, /sources/… and /sangam, types sangam.…, attributes sangam…"
    )]
    Reserved {
        /// The attribute.
        name: String,
        /// What it says.
        value: String,
    },
    /// A member of `data` has a name that is read as something else.
    #[error("no member of `data` can have the name {0:?}")]
    Member(String),
    /// Levels within one another are more than [`MAX_DATA_DEPTH`].
    #[error("`data` has more than {MAX_DATA_DEPTH} levels of arrays and objects within one another")]
    TooDeep,
}
