//! Connector `field-service`: jobs, notes, absences and customers of field-service software that its [`config`] describes: paths, field names, statuses.
//!
//! A [`job`] goes out by [`create_job`] and [`update_job`]; what changes comes in by [`poll`] and [`hook`], through one [`look`] at each record. Beside jobs there are
//! the [`note`] for the technician, the [`absence`] in the schedule, and the [`customer`].

mod client;
mod config;
mod shape;

mod create_job;
mod job;
mod update_job;

mod absence;
mod customer;
mod note;

mod hook;
mod look;
mod poll;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;

/// A call of an action.
type Cx = Context<Config>;

struct FieldService;

impl Plugin for FieldService {
    type Config = Config;
    const NAME: &'static str = "field-service";
    const TITLE: &'static str = "Field-service software";
    const DESCRIPTION: &'static str = "Creates and changes jobs, adds notes to them, keeps technicians' absences and customers in field-service software described by paths and \
         field names, and brings in what happens to jobs.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for FieldService {
    fn actions(a: &mut Actions<Self>) {
        a.action("create-job", "Create a job", create_job::create_job).undo("cancel-job");
        a.action("cancel-job", "Cancel a job", create_job::cancel_job)
            .idempotent()
            .description("Undoes `create-job`: the job is cancelled, not deleted.");
        a.action("update-job", "Change a job", update_job::update_job).idempotent();
        a.action("add-note", "Add a note to a job", note::add_note).undo("delete-note");
        a.action("delete-note", "Delete a note", note::delete_note).idempotent().description("Undoes `add-note`.");
        a.action("set-absence", "Block a technician's schedule", absence::set_absence).undo("remove-absence");
        a.action("remove-absence", "Take an absence back", absence::remove_absence).idempotent().description("Undoes `set-absence`.");
        a.action("clear-absence", "Free a technician's schedule", absence::clear_absence).idempotent();
        a.action("update-customer", "Keep a customer", customer::update_customer).idempotent();
    }
}

impl Source for FieldService {
    fn streams(s: &mut Streams<Self>) {
        s.stream("jobs", "Jobs").poll(poll::poll).receive(hook::receive).types(&look::TYPES);
    }
}

sangam_sdk::export!(FieldService as duplex);
