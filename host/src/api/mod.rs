//! The operators' HTTP API.

mod audit;
mod bulk_replay;
mod connect;
mod console;
mod cookie;
mod data;
mod dead_letter_groups;
mod dead_letters;
mod decide;
mod document;
mod dry_run;
mod events;
mod guard;
mod headers;
mod login;
mod me;
mod overview;
mod problem;
mod redaction;
mod replay;
mod revisions;
mod routes;
mod sessions;
mod site;
mod source_orders;
mod sources;
mod system;
mod tokens;
mod webhooks;

pub use document::event_document;
pub use guard::{check_sources, read_whole};
pub use problem::{AsItIs, Problem};
pub use redaction::Sees;
pub use routes::router;
