//! When a source has its turns: the firings of a schedule, and what follows a poll. Pure: the time, the dice, and what was seen are arguments.

mod calendar;
mod pace;
#[cfg(test)]
mod tests;

pub use calendar::{Calendar, CalendarError, Firing, Firings, Policy};
pub use pace::{Ending, Follows, Pace};
