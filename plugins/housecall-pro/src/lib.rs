//! Connector `housecall-pro`: jobs, notes and customers over Housecall Pro's REST API.
//!
//! Written from Housecall Pro's public documentation. A request goes through [`client`]; the actions are [`create_job`], [`update_job`], [`note`] and [`customer`]; what happens comes in by [`webhook`]s or by
//! [`poll`]ing, through one [`look`] at each record.

mod client;
mod config;

mod create_job;
mod customer;
mod note;
mod update_job;

mod job;
mod look;
mod moment;
mod poll;
mod webhook;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;

/// A call of an action.
type Cx = Context<Config>;

struct HousecallPro;

impl Plugin for HousecallPro {
    type Config = Config;
    const NAME: &'static str = "housecall-pro";
    const TITLE: &'static str = "Housecall Pro";
    const DESCRIPTION: &'static str = "Creates, schedules and dispatches jobs, adds notes and keeps customers in Housecall Pro, and brings in what happens to jobs and customers.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for HousecallPro {
    fn actions(a: &mut Actions<Self>) {
        a.action("create-job", "Create a job", create_job::create_job).undo("unschedule-job");
        a.action("unschedule-job", "Take a job off the schedule", create_job::unschedule_job)
            .idempotent()
            .description("Undoes `create-job` as far as the API can: the job is taken off the schedule, and a note says so. It has no cancelling or deleting of jobs.");
        a.action("update-job", "Change a job", update_job::update_job).idempotent();
        a.action("add-note", "Add a note to a job", note::add_note).undo("delete-note");
        a.action("delete-note", "Delete a note", note::delete_note).idempotent().description("Undoes `add-note`.");
        a.action("update-customer", "Keep a customer", customer::update_customer).idempotent();
    }
}

impl Source for HousecallPro {
    fn streams(s: &mut Streams<Self>) {
        s.stream("jobs", "Jobs and customers").poll(poll::poll).receive(webhook::receive).types(&look::TYPES);
    }
}

sangam_sdk::export!(HousecallPro as duplex);
