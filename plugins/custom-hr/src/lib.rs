//! Connector `custom-hr`: hours and leave of an HR system that its [`config`] describes: paths, field names, headers.
//!
//! Hours travel through [`shift`] (how long was it?), [`week`] (what was logged before?), [`overtime`] (what of it is
//! overtime?) and [`entry`] (what does the system call it?) to the actions [`log_hours`] and [`delete_entry`]. Leave
//! comes in through [`poll`] or the system's own [`hook`], a [`leave`] at a time.

mod client;
mod config;
mod span;

mod overtime;
mod shift;
mod week;

mod entry;

mod delete_entry;
mod log_hours;

mod hook;
mod leave;
mod poll;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;

/// A call of an action.
type Cx = Context<Config>;

struct CustomHr;

impl Plugin for CustomHr {
    type Config = Config;
    const NAME: &'static str = "custom-hr";
    const TITLE: &'static str = "Custom HR system";
    const DESCRIPTION: &'static str = "Logs hours to a REST system described by paths and field names, split into regular, overtime and doubletime by \
         daily and weekly rules, and brings in leave and sick leave.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for CustomHr {
    fn actions(a: &mut Actions<Self>) {
        a.action("log-hours", "Log hours", log_hours::log_hours).undo("delete-entry");
        a.action("delete-entry", "Delete logged hours", delete_entry::delete_entry)
            .idempotent()
            .description("Undoes `log-hours`: deletes the entry and takes its minutes out of the day's and the week's.");
    }
}

impl Source for CustomHr {
    fn streams(s: &mut Streams<Self>) {
        s.stream("leave", "Leave and sick leave").poll(poll::poll).receive(hook::receive).types(&leave::TYPES);
    }
}

sangam_sdk::export!(CustomHr as duplex);
