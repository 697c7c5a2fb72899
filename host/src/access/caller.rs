//! Who a request comes from.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::audit::{Actor, By};
use crate::credentials::{Permission, Role, allows};
use crate::router::Pattern;

/// Who asks, and what they may. Among the extensions of every request that needed a permission.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub who: Who,
    /// What they are.
    pub role: Role,
    /// Whether they see personal data beyond what their role says.
    pub personal: bool,
    /// Where from, proxies looked through.
    pub address: IpAddr,
    /// Until when they are let in.
    pub expires_at: Option<Timestamp>,
    /// Sources of the events that they may send; none named: all.
    pub sources: Vec<Pattern>,
}

/// Who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Nobody was asked: `access = "open"`.
    Anyone,
    /// The bearer of an API token.
    Token {
        /// Its id.
        id: String,
        /// The name it was given.
        name: String,
    },
    /// Somebody who has logged in.
    Person {
        /// Id of the session.
        session: String,
        /// The provider's name for them, which never changes.
        subject: String,
        /// Their own name.
        name: String,
    },
}

impl Caller {
    /// Who they are for the audit log.
    pub fn by(&self) -> By {
        let actor = match &self.who {
            Who::Anyone => Actor::Anyone,
            Who::Token { id, name } => Actor::Token { id: id.clone(), name: name.clone() },
            Who::Person { subject, name, .. } => Actor::Person { id: subject.clone(), name: name.clone() },
        };
        By::request(actor, Some(self.address))
    }

    /// Id of their token or session, as the lists of those show it.
    pub fn id(&self) -> Option<&str> {
        match &self.who {
            Who::Anyone => None,
            Who::Token { id, .. } => Some(id),
            Who::Person { session, .. } => Some(session),
        }
    }

    /// Whether they may do this.
    pub fn may(&self, permission: Permission) -> bool {
        allows(self.role, permission) || (permission == Permission::Personal && self.personal)
    }

    /// Whether they may send an event with this source.
    pub fn may_send_as(&self, source: &str) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|pattern| pattern.matches(source))
    }
}

/// As the audit log and people call them.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Anyone => f.write_str("anyone"),
            Who::Token { id, name } => write!(f, "token {name} ({id})"),
            Who::Person { subject, name, .. } => write!(f, "{name} ({subject})"),
        }
    }
}
