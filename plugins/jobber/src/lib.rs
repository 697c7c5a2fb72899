//! Connector `jobber`: jobs, visits, notes and clients over Jobber's GraphQL API.
//!
//! Written from Jobber's developer documentation. Everything is a [`graphql`] operation; the actions are [`create_job`], [`update_job`], [`note`], [`absence`] and [`client`];
//! what happens in Jobber comes in by its [`webhook`]s, or by [`poll`]ing, through one [`look`] at each record.

mod config;
mod graphql;

mod client;
mod create_job;
mod job;
mod moment;
mod update_job;

mod absence;
mod note;

mod look;
mod poll;
mod webhook;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;

/// A call of an action.
type Cx = Context<Config>;

struct Jobber;

impl Plugin for Jobber {
    type Config = Config;
    const NAME: &'static str = "jobber";
    const TITLE: &'static str = "Jobber";
    const DESCRIPTION: &'static str = "Creates, schedules and closes jobs, adds notes, blocks technicians' calendars and keeps clients in Jobber, and brings in what happens to jobs, visits and clients.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
    const READ_ONLY: &'static [&'static str] = &["POST /api/graphql"];
}

impl Connector for Jobber {
    fn actions(a: &mut Actions<Self>) {
        a.action("create-job", "Create a job", create_job::create_job).undo("cancel-job");
        a.action("cancel-job", "Close a job", create_job::cancel_job)
            .idempotent()
            .description("Undoes `create-job`: Jobber has no deletion of jobs; the job is closed and its visits are removed.");
        a.action("update-job", "Change a job", update_job::update_job).idempotent();
        a.action("add-note", "Add a note to a job", note::add_note).undo("delete-note");
        a.action("delete-note", "Delete a note", note::delete_note).idempotent().description("Undoes `add-note`.");
        a.action("set-absence", "Block a technician's calendar", absence::set_absence).undo("remove-absence");
        a.action("remove-absence", "Take an absence back", absence::remove_absence).idempotent().description("Undoes `set-absence`.");
        a.action("clear-absence", "Free a technician's calendar", absence::clear_absence).idempotent();
        a.action("update-customer", "Keep a client", client::update_customer).idempotent();
    }
}

impl Source for Jobber {
    fn streams(s: &mut Streams<Self>) {
        s.stream("jobs", "Jobs, visits and clients").poll(poll::poll).receive(webhook::receive).types(&look::TYPES);
    }
}

sangam_sdk::export!(Jobber as duplex);
