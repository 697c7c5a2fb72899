//! A host under test: the real program in a folder of its own, started, asked, killed.

mod browser;
pub mod campaign;
mod client;
pub mod company;
mod host;
pub mod morning;
pub mod oidc;
mod paths;
pub mod postgres;

pub use browser::Browser;
pub use client::{Answer, Client};
pub use host::{Host, HostFolder, TestStore};
pub use oidc::OpenIdProvider;
pub use paths::{fresh_guest, guest, plugin, sangam};
