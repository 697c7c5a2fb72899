//! Connector `hubspot`: contacts, companies, tickets and notes of the CRM.

// What every action stands on: where the API is, and what its refusals mean.
mod client;
mod config;
mod errors;

// The actions.
mod company;
mod contact;
mod contact_context;
mod note;
mod pipeline;
mod ticket;
mod upsert;

// What comes in.
mod stream;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;
use stream::{
    contact::{self as contacts, CONTACTS},
    ticket::{self as tickets, TICKETS},
};

struct HubSpot;

impl Plugin for HubSpot {
    type Config = Config;
    const NAME: &'static str = "hubspot";
    const TITLE: &'static str = "HubSpot";
    const DESCRIPTION: &'static str = "Keeps contacts and companies, closes tickets, adds notes to them, reads a contact's context, and brings in changed contacts and tickets.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
    // Both forms of paths: `/crm/v3/objects/contacts/search` and `/crm/objects/2026-09/contacts/search`.
    const READ_ONLY: &'static [&'static str] = &["POST /crm/*/*/*/search", "POST /crm/*/*/*/batch/read", "POST /crm/*/*/*/*/batch/read"];
}

impl Connector for HubSpot {
    fn actions(a: &mut Actions<Self>) {
        a.action("upsert-contact", "Keep a contact", contact::upsert_contact).idempotent();
        a.batch("upsert-contact", upsert::MOST, contact::upsert_contacts);
        a.action("upsert-company", "Keep a company", company::upsert_company);
        a.action("close-ticket", "Close a ticket", ticket::close_ticket).undo("reopen-ticket");
        a.action("reopen-ticket", "Reopen a ticket", ticket::reopen_ticket)
            .description("Moves a ticket that `close-ticket` closed back to its former stage.");
        a.action("add-note", "Add a note", note::add_note).undo("delete-note");
        a.action("delete-note", "Delete a note", note::delete_note).description("Deletes the note that `add-note` made.");
        a.action("contact-context", "Read a contact's context", contact_context::contact_context).idempotent();
    }
}

impl Source for HubSpot {
    fn streams(s: &mut Streams<Self>) {
        s.stream("contacts", "Contacts")
            .poll(|poll, cx| stream::poll(&CONTACTS, poll, cx))
            .receive(|inbound, cx| stream::receive(&CONTACTS, inbound, cx))
            .types(&contacts::TYPES);
        s.stream("tickets", "Tickets")
            .poll(|poll, cx| stream::poll(&TICKETS, poll, cx))
            .receive(|inbound, cx| stream::receive(&TICKETS, inbound, cx))
            .types(&tickets::TYPES);
    }
}

sangam_sdk::export!(HubSpot as duplex with batches);
