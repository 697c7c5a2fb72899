//! A host under test: the real program in a folder of its own, started, asked, killed.

pub mod campaign;
mod client;
pub mod company;
mod host;
pub mod morning;
mod paths;
pub mod postgres;
pub mod raw_registry;
pub mod registry;

pub use client::{Answer, Client};
pub use host::{Host, HostFolder, TestStore};
pub use paths::{fresh_guest, guest, plugin, sangam};
