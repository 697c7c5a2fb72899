//! Connector `salesforce`: cases, comments, accounts and contacts over the REST API.

// What every action stands on: the org's names, requests, and what its refusals mean.
mod client;
mod config;
mod errors;

// The actions.
mod account;
mod case;
mod client_context;
mod comment;
mod contact;
mod resolution;
mod update_case;
mod upsert;

// What comes in.
mod stream;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;
use stream::{
    case::{self as cases, CASES},
    contact::{self as contacts, CONTACTS},
};

struct Salesforce;

impl Plugin for Salesforce {
    type Config = Config;
    const NAME: &'static str = "salesforce";
    const TITLE: &'static str = "Salesforce";
    const DESCRIPTION: &'static str = "Finds and resolves cases, adds technicians' comments, keeps accounts and contacts by external id, reads what a technician needs to know of a client before a visit, and brings in changed contacts and cases.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for Salesforce {
    fn actions(a: &mut Actions<Self>) {
        a.action("find-case", "Find a case", case::find_case).idempotent();
        a.action("resolve-case", "Resolve a case", resolution::resolve_case).undo("reopen-case");
        a.action("reopen-case", "Reopen a case", resolution::reopen_case)
            .description("Gives a case that `resolve-case` closed its former status again, and deletes the comment that came with it.");
        a.action("update-case", "Change a case", update_case::update_case).idempotent();
        a.action("add-comment", "Comment on a case", comment::add_comment).undo("delete-comment");
        a.action("delete-comment", "Delete a comment", comment::delete_comment).description("Deletes the comment that `add-comment` made.");
        a.action("upsert-account", "Keep an account", account::upsert_account).idempotent();
        a.action("upsert-contact", "Keep a contact", contact::upsert_contact).idempotent();
        a.batch("upsert-account", upsert::MOST, account::upsert_accounts);
        a.batch("upsert-contact", upsert::MOST, contact::upsert_contacts);
        a.action("client-context", "Read a client's context", client_context::client_context).idempotent();
    }
}

impl Source for Salesforce {
    fn streams(s: &mut Streams<Self>) {
        s.stream("contacts", "Contacts")
            .poll(|poll, cx| stream::poll(&CONTACTS, poll, cx))
            .receive(|inbound, cx| stream::receive(&CONTACTS, inbound, cx))
            .types(&contacts::TYPES);
        s.stream("cases", "Cases")
            .poll(|poll, cx| stream::poll(&CASES, poll, cx))
            .receive(|inbound, cx| stream::receive(&CASES, inbound, cx))
            .types(&cases::TYPES);
    }
}

sangam_sdk::export!(Salesforce as duplex with batches);
