//! A host under test: the real program in a folder of its own, started, asked, killed.

pub mod asyncapi;
pub mod authority;
mod browser;
mod browser_tests;
pub mod campaign;
mod client;
pub mod company;
pub mod dns;
mod hand;
mod host;
pub mod mail;
pub mod morning;
pub mod nats;
pub mod oidc;
pub mod openapi;
pub mod otlp;
mod paths;
pub mod postgres;
pub mod raw_registry;
pub mod registry;
pub mod scenario;
pub mod subscribers;
pub mod webhooks;
pub mod wire;

pub use browser::Browser;
pub use browser_tests::BrowserTests;
pub use client::{Answer, Client, Following, Told, tls_trusting};
pub use hand::Hand;
pub use host::{Host, HostFolder, TestStore};
pub use mail::MailServer;
pub use nats::NatsServer;
pub use oidc::OpenIdProvider;
pub use otlp::OtlpReceiver;
pub use paths::{advice_of, built_guest, built_plugin, fresh_guest, guest, plugin, sangam};
pub use webhooks::{Signed, WebhookSigner};
