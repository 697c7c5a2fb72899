//! What happens now: told by the store with every commit, kept for a while, and counted.
//!
//! The writer of the store says what a transaction changed ([`News`]) once it is durable, so that nobody hears of what did not take place. The
//! [`Feed`] keeps the last of it in memory; whoever reads a stream has a place in it and holds nobody up. [`Series`] counts what passes by. Hosts
//! that share a store tell each other ([`Peers`]), each in batches beside its commits.

mod feed;
mod histogram;
mod news;
mod peers;
mod series;
mod tally;

pub use feed::{Feed, Item, Missed, Place};
pub use histogram::Histogram;
pub use news::{Accepted, AttemptEnded, CredentialChanged, News, RevisionApplied, RunChanged, SourceChanged};
pub use peers::{Peers, Teller};
pub use series::{Failing, Failure, Point, Series, Totals};
pub use tally::{Key, Tally};
