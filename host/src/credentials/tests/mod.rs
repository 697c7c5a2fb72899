//! The module as its callers use it: a real key file, a store, a token endpoint on loopback, a clock that the test
//! moves.

mod api_token;
mod broker;
mod endpoint;
mod fixed;
mod rotation;
mod support;
mod vault;
