//! Publishing: to a stream, whose server says that it keeps the message, or to whoever listens at the moment.

use std::error::Error as _;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderName, HeaderValue, jetstream};
use bytes::Bytes;

use super::Link;
use crate::telemetry;

/// What a stream knows a message by within its duplicate window.
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// A message that leaves.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Its subject.
    pub subject: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Its payload.
    pub payload: Bytes,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// A stream keeps it.
    Kept {
        /// Which.
        stream: String,
        /// Its number there.
        sequence: u64,
        /// It was there before.
        duplicate: bool,
    },
    /// The server has it, and gave it to whoever listens.
    Passed,
    /// The server refuses it, and would again.
    Refused {
        /// JetStream's number for that.
        code: u16,
        /// Why.
        why: String,
    },
    /// It is not kept for now.
    NotKept(String),
    /// It may have left, and nobody has said what became of it.
    Unknown(String),
}

/// Names and values that can be headers: the protocol has neither line ends in them nor a colon in a name.
///
/// # Errors
/// Which can't.
pub fn check_headers(headers: &[(String, String)]) -> Result<(), String> {
    for (name, value) in headers {
        if name.parse::<HeaderName>().is_err() {
            return Err(format!("{name:?} can't be the name of a header"));
        }
        if value.parse::<HeaderValue>().is_err() || value.contains('\0') {
            return Err(format!("the value of header {name:?} has characters that no header carries"));
        }
    }
    Ok(())
}

/// Gives a message to JetStream under that id, and waits until a stream has it.
pub async fn to_stream(link: &Link, message: Outgoing, id: &str, left: Duration) -> Published {
    // A message for a client that is not connected would wait in its memory, and leave when nobody waits for it any more.
    if let Some(why) = link.away() {
        return Published::NotKept(why);
    }
    let mut headers = headers(&message);
    headers.insert(MESSAGE_ID, id);
    let publish = PublishMessage::build().payload(message.payload).headers(headers);
    let jetstream = link.jetstream(None);
    let sent = async {
        let acknowledged = jetstream.send_publish(message.subject.clone(), publish).await?;
        acknowledged.await
    };
    match tokio::time::timeout(left, sent).await {
        Err(_) => Published::Unknown("the server did not acknowledge it in time".to_owned()),
        Ok(Ok(kept)) => Published::Kept { stream: kept.stream, sequence: kept.sequence, duplicate: kept.duplicate },
        Ok(Err(error)) => failed(&error, &message.subject),
    }
}

/// Gives a message to whoever listens, and waits until the server has read it.
pub async fn to_listeners(link: &Link, message: Outgoing, left: Duration) -> Published {
    // A message for a client that is not connected would wait in its memory, and leave when nobody waits for it any more.
    if let Some(why) = link.away() {
        return Published::NotKept(why);
    }
    if message.payload.len() > link.client.max_payload() {
        return Published::Refused { code: 413, why: format!("the server takes messages of at most {} bytes", link.client.max_payload()) };
    }
    let headers = headers(&message);
    let sent = async {
        let published = link.client.publish_with_headers(message.subject.clone(), headers, message.payload.clone()).await;
        published.map_err(|error| telemetry::chain(&error))?;
        link.client.flush().await.map_err(|error| telemetry::chain(&error))
    };
    match tokio::time::timeout(left, sent).await {
        Ok(Ok(())) => Published::Passed,
        Ok(Err(why)) => Published::Unknown(why),
        Err(_) => Published::Unknown("the server did not answer in time".to_owned()),
    }
}

fn headers(message: &Outgoing) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &message.headers {
        // What can't be one was refused by `check_headers`.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            headers.append(name, value);
        }
    }
    headers
}

fn failed(error: &jetstream::context::PublishError, subject: &str) -> Published {
    let said = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    if let Some(said) = said {
        let code = u16::try_from(said.code()).unwrap_or(500);
        let why = format!("the server says: {said}");
        // What it has no room for now it may have later.
        return if code >= 500 { Published::NotKept(why) } else { Published::Refused { code, why } };
    }
    match error.kind() {
        PublishErrorKind::StreamNotFound => Published::NotKept(format!("no stream keeps messages of subject {subject:?}")),
        PublishErrorKind::MaxPayloadExceeded => Published::Refused { code: 413, why: telemetry::chain(error) },
        _ => Published::Unknown(telemetry::chain(error)),
    }
}
