//! The audit log: who did what, when and from where. Entries are appended, each bound to the one before by hash and signed by the host.
//!
//! - [`Act`] is what somebody does; [`By`] says who. Callers hand an act to the store together with the change itself, so that both are
//!   committed or neither.
//! - [`Record`] is an entry as kept and exported, in a canonical form (RFC 8785) that any other program can compute too.
//! - [`AuditKey`] signs entries, so that whoever can write the database can't write its history anew; [`Verifier`] finds the first bad one.
//!
//! Nothing here touches the database: `store/audit.rs` does.

mod act;
mod canonical;
mod key;
mod record;
mod shell;
mod verifier;

pub use act::{Act, Action, Actor, By};
pub use canonical::canonical;
pub use key::{AuditKey, PublicKey, hex, unhex};
pub use record::{Head, NOTHING_BEFORE, Record, Unreadable};
pub use verifier::{Anchor, Broken, Rotation, Verified, Verifier};

#[cfg(test)]
mod tests;
