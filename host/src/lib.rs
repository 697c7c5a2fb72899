//! Sangam: an integration runtime. It takes business events in, keeps them safely, and routes each through a chain of
//! sandboxed WebAssembly connectors.
//!
//! The modules, in the order in which an event travels:

pub mod config;

pub mod event;
pub mod hooks;
pub mod ingress;
pub mod source;
pub mod store;

pub mod asyncapi;
pub mod catalogue;
pub mod mapping;
pub mod personal;
pub mod router;
pub mod schema;

pub mod attempt;
pub mod builtin;
pub mod engine;
pub mod nats;
pub mod outbound;
pub mod run;
pub mod worker;

pub mod access;
pub mod audit;
pub mod credentials;
pub mod registry;
pub mod tls;

pub mod amount;
pub mod api;
pub mod cli;
pub mod clock;
pub mod crash;
pub mod doctor;
pub mod key_file;
pub mod live;
pub mod rehearsal;
pub mod runtime;
pub mod server;
pub mod telemetry;
pub mod tryout;
