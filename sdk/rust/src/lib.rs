#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

// In the order a call travels: what a plugin is, what it is given, what it does outside, how it ends.
#[doc(hidden)]
pub mod bindings;
mod export;

mod connector;
mod descriptor;
mod page;
mod plugin;
mod source;
mod webhook;

mod context;
mod event;
mod input;
mod undo;

pub mod echo;
mod imports;
pub mod kv;
pub mod log;
mod pages;
pub mod path;
mod request;
mod response;
mod url;

mod failure;
mod output;

#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use connector::{Action, Actions, Connector, Item};
pub use context::{Context, Run, SourceContext, Step};
pub use descriptor::{Exported, descriptor};
pub use event::{Event, NewEvent};
pub use failure::{Failure, FailureKind};
pub use output::{Output, Returns};
pub use page::{Page, Poll, SetAside};
pub use pages::{Pages, pages};
pub use plugin::Plugin;
pub use request::{Request, Write};
pub use response::Response;
pub use source::{Source, Stream, Streams};
pub use undo::{Effect, EffectState, Undo};
pub use url::encode;
pub use webhook::{Inbound, Received, Reply};

pub use schemars;
pub use serde;
pub use serde_json;

/// Everything a connector usually needs: `use sangam_sdk::prelude::*;`.
///
/// The derives of serde and schemars write paths into these crates, so a connector has both among its dependencies.
pub mod prelude {
    pub use crate::{
        Actions, Connector, Context, Event, Failure, FailureKind, Inbound, Item, NewEvent, Output, Page, Plugin, Poll, Received, Reply,
        Request, Response, SetAside, Source, SourceContext, Streams, Undo, echo, encode, kv, log, pages,
    };
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{Value, json};
    pub use std::time::Duration;
}

/// What [`export!`] writes into a connector's crate refers to these. Not part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings;
    pub use crate::descriptor::{connector, duplex, source};
    pub use crate::export::Component;
}
