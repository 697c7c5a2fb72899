//! Connector `quickbooks`: invoices and time in QuickBooks Online (accounting API v3).
//!
//! An action goes through [`config`] and [`client`]; what QuickBooks refuses is told by [`fault`]. Then the nouns:
//! [`customer`], [`item`] and [`line`] make an [`invoice`], which is sent ([`send`]) and can be voided ([`void`]);
//! [`time_activity`] stands alone. What changes in the books comes in by the [`stream`]s. All money is [`amount`]: exact decimals.

mod amount;
mod client;
mod config;
mod fault;

mod customer;
mod item;
mod line;

mod invoice;
mod number;
mod send;
mod void;

mod time_activity;
mod update_customer;

mod stream;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;
use stream::{
    customers::{self, CUSTOMERS},
    invoices::{self, INVOICES},
};

/// A call of an action.
type Cx = Context<Config>;

struct QuickBooks;

impl Plugin for QuickBooks {
    type Config = Config;
    const NAME: &'static str = "quickbooks";
    const TITLE: &'static str = "QuickBooks Online";
    const DESCRIPTION: &'static str = "Finds or creates customers, creates and sends invoices for time, parts and expenses, records time, and brings in paid and \
         changed invoices. \
         Amounts are exact decimals; every write is safe to repeat.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for QuickBooks {
    fn actions(a: &mut Actions<Self>) {
        a.action("find-or-create-customer", "Find or create a customer", customer::find_or_create_customer).idempotent();
        a.action("update-customer", "Keep a customer", update_customer::update_customer).idempotent();
        a.action("create-invoice", "Create and send an invoice", invoice::create_invoice).undo("void-invoice");
        a.action("void-invoice", "Void an invoice", void::void_invoice).idempotent().description(
            "Undoes `create-invoice`: the invoice stays in the books with all amounts zero. An e-mail that went out can't be called back.",
        );
        a.action("send-invoice", "Send an invoice", send::send_invoice).idempotent();
        a.action("record-time", "Record time", time_activity::record_time).undo("delete-time-activity");
        a.batch("record-time", time_activity::MOST, time_activity::record_times);
        a.action("delete-time-activity", "Delete a time activity", time_activity::delete_time_activity)
            .idempotent()
            .description("Undoes `record-time`.");
    }
}

impl Source for QuickBooks {
    fn streams(s: &mut Streams<Self>) {
        s.stream("invoices", "Invoices")
            .poll(|poll, cx| stream::poll(&INVOICES, poll, cx))
            .receive(|inbound, cx| stream::receive(&INVOICES, inbound, cx))
            .types(&invoices::TYPES);
        s.stream("customers", "Customers")
            .poll(|poll, cx| stream::poll(&CUSTOMERS, poll, cx))
            .receive(|inbound, cx| stream::receive(&CUSTOMERS, inbound, cx))
            .types(&customers::TYPES);
    }
}

sangam_sdk::export!(QuickBooks as duplex with batches);
