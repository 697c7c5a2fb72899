//! Every way in. An answer means that the event is durable.

mod content;
mod events;

pub use events::post_events;
