//! `sangam.mail`: mail to people, through a relay of the configuration.
//!
//! A step's input becomes a [`Letter`], whose words may be a template's ([`Words`]); a [`Relay`] sends it, or says how far it came ([`Trouble`]).

mod address;
mod letter;
mod relay;
mod reply;
mod smtp;
pub(super) mod step;
#[cfg(test)]
mod tests;
mod trouble;
mod words;

pub use address::Mailbox;
pub use letter::Letter;
pub use relay::{Receipt, Relay, Sending, greet};
pub use trouble::Trouble;
pub use words::Words;
