//! Every way in. An answer means that the event is durable.

mod content;
mod events;
mod pressure;

pub use events::post_events;
pub use pressure::admit;
