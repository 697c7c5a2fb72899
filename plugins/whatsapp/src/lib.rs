//! Connector `whatsapp`: messages to and from people over the WhatsApp Cloud API.

mod client;
mod config;
mod errors;
mod mark_read;
mod number;
mod receive;
mod send;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;

struct WhatsApp;

impl Plugin for WhatsApp {
    type Config = Config;
    const NAME: &'static str = "whatsapp";
    const TITLE: &'static str = "WhatsApp";
    const DESCRIPTION: &'static str =
        "Sends templates and texts over the WhatsApp Cloud API, and brings in what people write and what became of each message.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for WhatsApp {
    fn actions(a: &mut Actions<Self>) {
        a.action("send-template", "Send a template", send::send_template);
        a.action("send-text", "Send a text", send::send_text);
        a.action("mark-read", "Mark a message as read", mark_read::mark_read).idempotent();
    }
}

impl Source for WhatsApp {
    fn streams(s: &mut Streams<Self>) {
        s.stream("messages", "What people write, and what became of messages")
            .receive(receive::receive)
            .types(&["message.received", "message.status"]);
    }
}

sangam_sdk::export!(WhatsApp as duplex);
