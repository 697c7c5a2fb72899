//! Every way in. An answer means that the event is durable.

mod again;
pub mod body;
mod content;
mod echoes;
mod events;
mod hooks;
mod nats;
mod poll;
mod pressure;
mod reading;
mod schedule;
pub mod shape;
mod sources;
mod turns;

pub use again::{TriedAgain, try_again};
pub use events::post_events;
pub use hooks::{Delivery, PREFIX, hook, retry_body};
pub use pressure::admit;
pub use reading::{Asked, Reading, read};
pub use sources::tend;
pub use turns::{have_turns, polled};
