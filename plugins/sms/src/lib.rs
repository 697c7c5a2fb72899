//! Connector `sms`: text messages over Twilio, or over any gateway that the configuration describes.

mod client;
mod config;
mod gateway;
mod number;
mod receive;
mod send;
mod twilio;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;

struct Sms;

impl Plugin for Sms {
    type Config = Config;
    const NAME: &'static str = "sms";
    const TITLE: &'static str = "Text messages (SMS)";
    const DESCRIPTION: &'static str =
        "Sends text messages over Twilio or over any HTTP gateway, and brings in answers and what became of each message.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for Sms {
    fn actions(a: &mut Actions<Self>) {
        a.action("send", "Send a text message", send::send);
    }
}

impl Source for Sms {
    fn streams(s: &mut Streams<Self>) {
        s.stream("messages", "Answers, and what became of messages")
            .receive(receive::receive)
            .types(&["message.received", "message.status"]);
    }
}

sangam_sdk::export!(Sms as duplex);
