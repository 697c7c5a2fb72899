//! What somebody did, before it has a place in the log.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::shell;

/// Longest text of an entry, in characters: names, reasons and addresses, never payloads.
const MOST_TEXT: usize = 512;
/// Longest list within the details.
const MOST_ITEMS: usize = 100;
/// Deepest details.
const MOST_DEPTH: usize = 4;
/// The largest number that every JSON reader keeps (RFC 8785, section 3.2.2.3).
const SAFE: i64 = (1 << 53) - 1;

/// Who did it. What is told here stays in the log for good: an id or a name, never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The bearer of an API token.
    Token {
        /// Its id, as `token list` shows it.
        id: String,
        /// The name it was given.
        name: String,
    },
    /// Somebody who logged in.
    Person {
        /// What the identity provider calls them for good.
        id: String,
        /// The name shown to others.
        name: String,
    },
    /// A user of the operating system, at the command line.
    Shell {
        /// Their number there.
        id: String,
        /// Their name there.
        name: String,
    },
    /// A host, by itself.
    Host {
        /// Its id.
        id: String,
    },
    /// Nobody was asked who they are: `access = "open"`, or a refused request.
    Anyone,
}

impl Actor {
    /// What kind of actor it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Actor::Token { .. } => "token",
            Actor::Person { .. } => "person",
            Actor::Shell { .. } => "shell",
            Actor::Host { .. } => "host",
            Actor::Anyone => "anyone",
        }
    }

    /// What identifies it among its kind.
    pub fn id(&self) -> &str {
        match self {
            Actor::Token { id, .. } | Actor::Person { id, .. } | Actor::Shell { id, .. } | Actor::Host { id } => id,
            Actor::Anyone => "",
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        match self {
            Actor::Token { name, .. } | Actor::Person { name, .. } | Actor::Shell { name, .. } => name,
            Actor::Host { .. } | Actor::Anyone => "",
        }
    }
}

/// Who acts, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// An address of the network, or the name of a machine.
    pub from: String,
}

impl By {
    /// Whoever sent a request.
    pub fn request(actor: Actor, from: Option<IpAddr>) -> By {
        By { actor, from: from.map(|address| address.to_canonical().to_string()).unwrap_or_default() }
    }

    /// The user of the operating system who runs this program.
    pub fn shell() -> By {
        let (id, name) = shell::user();
        By { actor: Actor::Shell { id, name }, from: shell::machine() }
    }

    /// A host, by itself.
    pub fn host(id: &str) -> By {
        By { actor: Actor::Host { id: id.to_owned() }, from: shell::machine() }
    }

    /// An act of theirs on an object: the name or id of what it was done to.
    pub fn did(&self, action: Action, object: impl Into<String>) -> Act {
        Act { by: self.clone(), action, object: clipped(&object.into()), details: Map::new() }
    }
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Who, and from where.
    pub by: By,
    /// What.
    pub action: Action,
    /// To what.
    pub object: String,
    /// More about it.
    pub details: Map<String, Value>,
}

impl Act {
    /// With more about it. Never a payload, a secret, or a person's data: it can't be removed again. Long texts and lists are cut; numbers that not
    /// every JSON reader keeps become text.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Act {
        self.details.insert(name.to_owned(), settled(value.into(), MOST_DEPTH));
        self
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident => $name:literal,)*) => {
        /// What can be done. The names are part of what is kept: they never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $action,)*
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Action] = &[$(Action::$action,)*];

            /// Its name in the log.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Action::$action => $name,)*
                }
            }
        }
    };
}

actions! {
    /// A host began to serve.
    HostStarted => "host.started",
    /// A host ended.
    HostStopped => "host.stopped",
    /// A configuration was applied: a new revision, or an earlier one again.
    ConfigurationApplied => "configuration.applied",
    /// Runs of an event go again.
    EventReplayed => "event.replayed",
    /// Dead letters that a filter found go again.
    DeadLettersReplayed => "dead-letters.replayed",
    /// A replay was tried without effects, its reads asked for anew.
    EventTried => "event.dry-run",
    /// An event's unfinished runs were ended.
    EventCancelled => "event.cancelled",
    /// A person said whether a write in doubt was done.
    WriteDecided => "write.decided",
    /// An API token was made.
    TokenCreated => "token.created",
    /// An API token was revoked.
    TokenRevoked => "token.revoked",
    /// A secret was set.
    SecretSet => "secret.set",
    /// A secret was removed.
    SecretRemoved => "secret.removed",
    /// Everything was sealed anew with another key.
    KeyRotated => "key.rotated",
    /// Somebody's consent was asked for, to connect a credential.
    ConsentAsked => "credential.consent-asked",
    /// A credential was connected at its vendor.
    CredentialConnected => "credential.connected",
    /// A webhook that was disabled is sent to again.
    WebhookEnabled => "webhook.enabled",
    /// A plugin's component and permissions were accepted.
    PluginApproved => "plugin.approved",
    /// A canary failed too often and was taken back.
    CanaryRolledBack => "canary.rolled-back",
    /// A person's data was looked for.
    DataFound => "data.found",
    /// A person's data was exported.
    DataExported => "data.exported",
    /// A person's data was erased.
    DataErased => "data.erased",
    /// Marked personal data was shown in clear to somebody whose role allows it.
    DataRead => "data.read",
    /// Somebody logged in.
    Login => "login",
    /// Somebody logged out.
    Logout => "logout",
    /// Somebody tried to log in and was refused.
    LoginRefused => "login.refused",
    /// Requests were refused for want of a token, or of a role.
    AccessRefused => "access.refused",
    /// Deliveries to a source were refused: they were not verified, or not understood.
    DeliveryRefused => "delivery.refused",
    /// A source was paused.
    SourcePaused => "source.paused",
    /// A source was resumed.
    SourceResumed => "source.resumed",
    /// A source began to read an earlier time.
    BackfillBegun => "backfill.begun",
    /// A source's reading of an earlier time was given up.
    BackfillCancelled => "backfill.cancelled",
    /// What a source had set aside was tried again.
    SetAsideRetried => "set-aside.retried",
    /// What a source had set aside was let go.
    SetAsideDiscarded => "set-aside.discarded",
    /// The audit log was exported.
    AuditExported => "audit.exported",
}

/// Text as it is kept: PostgreSQL has no NUL, and an entry has bounds.
fn clipped(text: &str) -> String {
    let mut kept: String = text.chars().take(MOST_TEXT).map(|c| if c == '\0' { '\u{2400}' } else { c }).collect();
    if kept.len() < text.len() && text.chars().nth(MOST_TEXT).is_some() {
        kept.push('…');
    }
    kept
}

fn settled(value: Value, depth: usize) -> Value {
    match value {
        Value::String(text) => json!(clipped(&text)),
        Value::Number(number) => match number.as_i64().filter(|number| (-SAFE..=SAFE).contains(number)) {
            Some(number) => json!(number),
            None => json!(clipped(&number.to_string())),
        },
        Value::Array(_) | Value::Object(_) if depth == 0 => json!("…"),
        Value::Array(items) => items.into_iter().take(MOST_ITEMS).map(|item| settled(item, depth - 1)).collect(),
        Value::Object(members) => {
            members.into_iter().take(MOST_ITEMS).map(|(name, value)| (clipped(&name), settled(value, depth - 1))).collect()
        }
        plain @ (Value::Null | Value::Bool(_)) => plain,
    }
}
