//! A host under test: the real program in a folder of its own, started, asked, killed.

pub mod authority;
pub mod campaign;
mod client;
pub mod company;
pub mod dns;
mod hand;
mod host;
pub mod morning;
mod paths;
pub mod postgres;
pub mod raw_registry;
pub mod registry;
pub mod wire;

pub use client::{Answer, Client};
pub use hand::Hand;
pub use host::{Host, HostFolder, TestStore};
pub use paths::{fresh_guest, guest, plugin, sangam};
