//! A host under test: the real program in a folder of its own, started, asked, killed.

pub mod campaign;
mod client;
pub mod company;
mod hand;
mod host;
pub mod morning;
mod paths;
pub mod postgres;

pub use client::{Answer, Client};
pub use hand::Hand;
pub use host::{Host, HostFolder, TestStore};
pub use paths::{fresh_guest, guest, plugin, sangam};
