//! Credentials: secrets at rest, API tokens, and the broker that puts credentials onto requests.
//!
//! - [`Vault`] keeps named secrets in the store, sealed with the host's [`SealingKey`], and resolves the references of
//!   the configuration.
//! - [`Broker`] attaches credentials to outgoing requests, by exact origin, and keeps OAuth2 tokens alive: one refresh
//!   at a time, across all hosts of a store, the next refresh token durable before anything uses what came with it.
//! - [`api_token`] issues and verifies the tokens of this host's own API.
//!
//! A secret leaves this module on a request to its own origin and in no other way, except for the keys of client certificates,
//! which `outbound` signs with and nobody sends.

pub mod api_token;
mod broker;
mod connect;
mod context;
mod endpoint;
mod error;
mod escape;
mod fixed;
mod hidden;
mod inspection;
mod jwt;
mod key;
mod key_source;
mod ledger;
mod oauth2;
mod origin;
mod outgoing;
mod patterns;
mod placeholder;
mod redact;
mod renewable;
mod renewal;
mod secret;
mod signature;
mod sources;
mod status;
mod token;
mod trouble;
mod vault;

pub use api_token::{Permission, Role, allows};
pub use broker::{Attached, Broker};
pub use connect::{Answer, Asked, ConnectError, Connected, Ended};
pub use endpoint::{EndpointError, MOST_ANSWER, REQUEST_TIME, TokenClient, login_client};
pub use error::{CredentialError, Held, Remedy, Unreadable, VendorAnswer};
pub use hidden::Hidden;
pub use inspection::{Inspected, inspect, kind};
pub use jwt::JwtError;
pub(crate) use key::random;
pub use key::{OpenError, Purpose, SealingKey};
pub use key_source::{KeyError, Missing, load as load_key, next as next_key};
pub use ledger::Ledger;
pub use outgoing::Outgoing;
pub use patterns::{MASK, Patterns};
pub use redact::Owner;
pub use secret::Secret;
pub use status::{State, Status};
pub use vault::{Look, MOST_SECRET, SecretError, Vault, VaultError, resolve};

#[cfg(test)]
mod tests;
