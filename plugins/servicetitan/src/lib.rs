//! Connector `servicetitan`: jobs, appointments, notes, non-job appointments and customers over ServiceTitan's REST API (v2).
//!
//! Written from ServiceTitan's developer documentation. A request goes through [`client`]; the actions are [`create_job`], [`update_job`], [`note`] and [`absence`]; what happens to jobs comes in by
//! the export feed ([`poll`]) or a [`webhook`], through one [`look`] at each [`job`].

mod client;
mod config;

mod create_job;
mod customer;
mod update_job;

mod absence;
mod note;

mod job;
mod look;
mod poll;
mod webhook;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;

/// A call of an action.
type Cx = Context<Config>;

struct ServiceTitan;

impl Plugin for ServiceTitan {
    type Config = Config;
    const NAME: &'static str = "servicetitan";
    const TITLE: &'static str = "ServiceTitan";
    const DESCRIPTION: &'static str = "Books, reschedules and cancels jobs, adds notes, blocks technicians' schedules in ServiceTitan, and brings in what happens to jobs.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for ServiceTitan {
    fn actions(a: &mut Actions<Self>) {
        a.action("create-job", "Book a job", create_job::create_job).undo("cancel-job");
        a.action("cancel-job", "Cancel a job", create_job::cancel_job)
            .idempotent()
            .description("Undoes `create-job`: the job is cancelled with the configured reason.");
        a.action("update-job", "Change a job", update_job::update_job).idempotent();
        a.action("add-note", "Add a note to a job", note::add_note);
        a.action("set-absence", "Block a technician's schedule", absence::set_absence).undo("remove-absence");
        a.action("remove-absence", "Take an absence back", absence::remove_absence).idempotent().description("Undoes `set-absence`.");
        a.action("clear-absence", "Free a technician's schedule", absence::clear_absence).idempotent();
    }
}

impl Source for ServiceTitan {
    fn streams(s: &mut Streams<Self>) {
        s.stream("jobs", "Jobs").poll(poll::poll).receive(webhook::receive).types(&look::TYPES);
    }
}

sangam_sdk::export!(ServiceTitan as duplex);
