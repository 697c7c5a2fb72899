//! Who asks, and what they may: callers and their addresses, guesses limited, people logged in.
//!
//! - [`Caller`] is who a request comes from; every handler that needs a permission finds it among the request's extensions.
//! - [`Attempts`] makes those wait who guess; [`Uses`] remembers who was let in, so that nobody is kept out by a neighbour's guesses.
//! - [`Login`] speaks OpenID Connect with the provider of `[server.oidc]`; [`session`] keeps people logged in, on all hosts of the store.

mod address;
mod attempts;
mod caller;
mod gate;
mod oidc;
pub mod session;
mod uses;

pub use address::client_address;
pub use attempts::Attempts;
pub use caller::{Caller, Who};
pub use gate::Gate;
pub use oidc::{Answer, Begun, Login, LoginError, Person, ProviderError, look};
pub use uses::Uses;
