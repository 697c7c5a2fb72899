//! From the contract's functions to the traits of this crate.

use std::marker::PhantomData;

use crate::{
    Connector, Exported, Inbound, NewEvent, Source,
    bindings::{actions, batches, events, plugin, types},
    connector::{invoke, invoke_batch},
    source::{poll, receive},
};

/// Makes the crate a component of that plugin, and gives it natively `pub fn descriptor() -> String`.
///
/// `export!(T)` has actions (world `connector`), `export!(T as source)` brings events in, `export!(T as duplex)` does both. `export!(T as connector with
/// batches)` and `export!(T as duplex with batches)` have actions that take several runs at once ([`Actions::batch`](crate::Actions::batch)).
#[macro_export]
macro_rules! export {
    ($plugin:ident) => {
        $crate::export!($plugin as connector);
    };
    ($plugin:ident as connector) => {
        $crate::export!(@ $plugin connector: actions export_actions);
    };
    ($plugin:ident as source) => {
        $crate::export!(@ $plugin source: events export_events);
    };
    ($plugin:ident as duplex) => {
        $crate::export!(@ $plugin duplex: actions export_actions, events export_events);
    };
    ($plugin:ident as connector with batches) => {
        $crate::export!(@ $plugin connector: actions export_actions, batches export_batches);
    };
    ($plugin:ident as duplex with batches) => {
        $crate::export!(@ $plugin duplex: actions export_actions, batches export_batches, events export_events);
    };
    (@ $plugin:ident $world:ident: $($interface:ident $export:ident),+) => {
        impl $crate::Exported for $plugin {
            fn descriptor() -> ::std::string::String {
                $crate::__private::$world::<$plugin>(::core::env!("CARGO_PKG_VERSION"))
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)] // the generated exports of the canonical ABI
        const _: () = {
            type Component = $crate::__private::Component<$plugin>;
            $crate::__private::bindings::plugin::export_plugin!(
                Component with_types_in $crate::__private::bindings::plugin
            );
            $($crate::__private::bindings::$interface::$export!(
                Component with_types_in $crate::__private::bindings::$interface
            );)+
        };

        /// The descriptor of this crate's plugin, for the build to embed.
        #[cfg(not(target_arch = "wasm32"))]
        pub fn descriptor() -> ::std::string::String {
            $crate::descriptor::<$plugin>()
        }
    };
}

/// A plugin as the generated bindings want it.
#[derive(Debug)]
pub struct Component<P>(PhantomData<P>);

impl<P: Exported> plugin::Guest for Component<P> {
    fn describe() -> String {
        P::descriptor()
    }
}

impl<P: Connector> actions::Guest for Component<P> {
    fn invoke(action: String, input: String, context: String) -> Result<actions::Output, types::Failure> {
        let outcome = invoke::<P>(action, input, context)?;
        Ok(actions::Output { data: outcome.data, events: outcome.events })
    }
}

impl<P: Connector> batches::Guest for Component<P> {
    fn invoke_batch(action: String, invocations: Vec<batches::Invocation>) -> Vec<Result<batches::Output, types::Failure>> {
        let mut asked = Vec::with_capacity(invocations.len());
        for batches::Invocation { input, context } in invocations {
            asked.push((input, context));
        }
        let mut results = Vec::with_capacity(asked.len());
        for outcome in invoke_batch::<P>(action, asked) {
            results.push(match outcome {
                Ok(outcome) => Ok(batches::Output { data: outcome.data, events: outcome.events }),
                Err(failure) => Err(failure.into()),
            });
        }
        results
    }
}

impl<P: Source> events::Guest for Component<P> {
    fn poll(stream: String, cursor: Option<String>, limit: u32, context: String) -> Result<events::Page, types::Failure> {
        let page = poll::<P>(stream, cursor, limit, context)?;
        let set_aside = page.set_aside.into_iter();
        Ok(events::Page {
            events: page.events,
            next_cursor: page.next_cursor,
            more: page.more,
            set_aside: set_aside.map(|aside| events::RejectedRecord { data: aside.record.to_string(), reason: aside.reason }).collect(),
        })
    }

    fn receive(stream: String, request: events::InboundRequest, context: String) -> Result<events::Received, types::Failure> {
        let events::InboundRequest { method, path, headers, body } = request;
        let received = receive::<P>(stream, Inbound { method, path, headers, body }, context)?;
        let reply = received.reply;
        Ok(events::Received {
            events: received.events.into_iter().map(NewEvent::into_text).collect(),
            response: events::InboundResponse { status: reply.status, headers: reply.headers, body: reply.body },
        })
    }
}
