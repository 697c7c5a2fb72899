//! NATS servers, and sources that take from them.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;

use super::{ClientCertificate, Reference};

/// How a NATS server is reached: `[nats.NAME]`, or the same keys in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsServer {
    /// `servers`: URLs of `nats` or `tls`, without user and password. Nobody else is connected to, whatever a server says of its cluster.
    pub servers: Vec<String>,
    /// How the host shows who it is.
    pub login: NatsLogin,
    /// `ca-file`: authorities trusted besides the operating system's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// `client-certificate`
    pub certificate: Option<ClientCertificate>,
    /// `tls-first`: TLS begins before the server has said anything.
    pub tls_first: bool,
    /// No connection without TLS: because a URL says `tls`, or because a password would leave this machine in clear text.
    pub tls_required: bool,
}

/// How the host shows a NATS server who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatsLogin {
    /// Not at all.
    Nobody,
    /// `token`
    Token(Reference),
    /// `user` and `password`
    Password {
        /// `user`
        user: String,
        /// `password`
        password: Reference,
    },
    /// `nkey`: its seed, which signs and is not sent.
    Nkey(Reference),
    /// `credentials`: the text of a credentials file, a token and the seed that signs for it.
    Credentials(Reference),
}

/// A source of `type = "nats"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nats {
    /// `server`, or what is written out in the source.
    pub server: Arc<NatsServer>,
    /// `domain` of JetStream, behind a leaf node.
    pub domain: Option<String>,
    /// `stream`
    pub stream: String,
    /// `consumer`: the name of the durable consumer, which all hosts share.
    pub consumer: String,
    /// `create`: a consumer that is not there is made.
    pub create: bool,
    /// `filter-subjects`. `None`: the consumer's own, or all.
    pub filter_subjects: Option<Vec<String>>,
    /// `deliver`: where a consumer that is made begins.
    pub deliver: NatsDeliver,
    /// `ack-wait`: how long the server waits for an acknowledgement or a sign of life. `None`: the consumer's own.
    pub ack_wait: Option<Duration>,
    /// `max-ack-pending`: messages that all hosts together have in hand. `None`: the consumer's own.
    pub max_ack_pending: Option<u32>,
    /// `max-batch`: messages that this host has in hand.
    pub max_batch: usize,
    /// `max-batch-size`: bytes of them.
    pub max_batch_size: usize,
    /// `body`
    pub body: NatsBody,
}

/// `deliver`: where a consumer that is made begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NatsDeliver {
    /// `"all"`: with the oldest message of the stream.
    All,
    /// `"new"`: with what comes from now on.
    New,
    /// With the first message from that time on.
    Since(jiff::Timestamp),
}

/// `body`: what a message is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NatsBody {
    /// `"auto"`: a CloudEvent where it says so, else JSON.
    Auto,
    /// `"json"`: JSON, whatever its headers say.
    Json,
    /// `"text"`: text in UTF-8.
    Text,
    /// `"cloudevents"`: nothing but CloudEvents.
    CloudEvents,
}
