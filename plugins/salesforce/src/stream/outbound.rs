//! Outbound messages: SOAP notifications of a flow (<https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging.htm>).
//!
//! A message tells up to a hundred records with whatever fields somebody ticked, may come twice, and out of order. So it is taken for what it surely says, that these records
//! have changed, and they are read as they are now. What answers it is an envelope with `Ack`; without one Salesforce comes again for 24 hours.

use quick_xml::{Reader, events::Event as Xml};
use sangam_sdk::prelude::*;

use super::{Beginning, Object, by_id, look, stamp};
use crate::config::Config;

const ACK: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>"#;

/// A record first seen is new if it was created at most so long before its last change.
const NEW_SECONDS: u32 = 300;
/// Notifications of a message, by Salesforce's word; more is no such message.
const MAX_NOTIFICATIONS: usize = 100;

/// What a message says.
#[derive(Debug, Default, PartialEq)]
struct Message {
    organization_id: String,
    /// Object and id of each notification.
    records: Vec<(String, String)>,
}

pub fn receive(object: &Object, inbound: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let message = read(&inbound.body)?;
    if let Some(ours) = &cx.config.organization_id
        && ours.get(..15) != message.organization_id.get(..15)
    {
        let reason =
            format!("The message is of organization `{}`, not of `{ours}` (configuration.organization-id)", message.organization_id);
        return Err(Failure::rejected(reason));
    }
    let mut ids: Vec<String> = Vec::new();
    for (of, id) in &message.records {
        if of != object.name {
            let reason = format!("The message tells of {of}; this stream is of {}: give it a source of its own", object.name);
            return Err(Failure::rejected(reason));
        }
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    let mut records = by_id(object, &ids, &cx.config)?;
    records.sort_by_key(|record| record["SystemModstamp"].as_str().map(str::to_owned));
    let mut events = Vec::with_capacity(records.len());
    for record in &records {
        let since = stamp::before(record["SystemModstamp"].as_str().unwrap_or_default(), NEW_SECONDS);
        events.extend(look(object, record, cx, Beginning { since: Some(&since), all: false })?);
    }
    let mut received = Received::new(events);
    received.reply.headers.push(("content-type".to_owned(), b"text/xml; charset=utf-8".to_vec()));
    received.reply.body = ACK.as_bytes().to_vec();
    Ok(received)
}

/// Reads the envelope. Prefixes are the sender's choice; the names that count stand in no two places.
fn read(body: &[u8]) -> Result<Message, Failure> {
    let text = std::str::from_utf8(body).map_err(|_| broken("it is no UTF-8 text"))?;
    let mut reader = Reader::from_str(text);
    let mut message = Message::default();
    let mut open: Vec<String> = Vec::new();
    let mut object: Option<String> = None;
    loop {
        match reader.read_event().map_err(|error| broken(&error.to_string()))? {
            Xml::Start(element) => {
                let name = element.local_name().as_ref().to_owned();
                if name == "sObject" {
                    let kind = element.attributes().flatten().find(|attribute| attribute.key.local_name().as_ref() == "type");
                    let kind = kind.ok_or_else(|| broken("an sObject has no xsi:type"))?;
                    let kind = kind.value.into_owned();
                    object = Some(kind.rsplit(':').next().unwrap_or_default().to_owned());
                }
                open.push(name);
            }
            Xml::End(_) => {
                let closed = open.pop();
                object = object.filter(|_| closed.as_deref() != Some("sObject"));
            }
            Xml::Text(text) => {
                let text = text.trim();
                match (open.as_slice(), &object) {
                    ([.., name], None) if name == "OrganizationId" => message.organization_id = text.to_owned(),
                    ([.., within, name], Some(object)) if within == "sObject" && name == "Id" => {
                        if message.records.len() == MAX_NOTIFICATIONS {
                            return Err(broken("it has more than 100 notifications"));
                        }
                        message.records.push((object.clone(), text.to_owned()));
                    }
                    _ => {}
                }
            }
            Xml::DocType(_) => return Err(broken("it has a document type")),
            Xml::Eof => break,
            _ => {}
        }
    }
    if message.records.is_empty() {
        return Err(broken("it has no notification with the Id of a record"));
    }
    Ok(message)
}

fn broken(why: &str) -> Failure {
    Failure::rejected(format!("The body is no outbound message: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_of_a_message_are_read_whatever_its_prefixes() {
        let message = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">
  <OrganizationId>00DSg0000000001MAA</OrganizationId><ActionId>04k1</ActionId><SessionId xsi:nil="true"/>
  <Notification><Id>04l1</Id><sObject xsi:type="sf:Contact" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
   <sf:Id>003A</sf:Id><sf:Email>a&amp;b@x.example</sf:Email></sObject></Notification>
  <Notification><Id>04l2</Id><sObject xsi:type="x:Contact"><x:Id> 003B </x:Id></sObject></Notification>
 </notifications></soapenv:Body></soapenv:Envelope>"#;
        let read = read(message.as_bytes()).expect("a message");
        assert_eq!(read.organization_id, "00DSg0000000001MAA");
        assert_eq!(read.records, [("Contact".to_owned(), "003A".to_owned()), ("Contact".to_owned(), "003B".to_owned())]);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for body in [&b"{}"[..], b"<a><b></a>", b"<notifications/>", b"\xff", b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"] {
            assert_eq!(read(body).expect_err("no message").kind, FailureKind::Rejected, "{}", String::from_utf8_lossy(body));
        }
    }
}
