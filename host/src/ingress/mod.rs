//! Every way in. An answer means that the event is durable.

pub mod body;
mod content;
mod events;
mod pressure;
pub mod shape;
mod sources;

pub use events::post_events;
pub use pressure::admit;
pub use sources::tend;
