//! Outbound messages: what a flow sends when records of an object change.

use serde_json::{Map, Value};

use crate::webhook::Delivery;

/// The message about some records of an object: id and fields of each.
pub fn message(object: &str, records: &[Map<String, Value>], fields: &[String]) -> Delivery {
    let mut body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n<soapenv:Body>\n\
         <notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\">\n<OrganizationId>{}</OrganizationId>\n<ActionId>04kSg0000000001AAA</ActionId>\n\
         <SessionId xsi:nil=\"true\"/>\n<EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/66.0/{0}</EnterpriseUrl>\n\
         <PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/66.0/{0}</PartnerUrl>\n",
        super::ORG_ID
    );
    for record in records {
        let id = record["Id"].as_str().unwrap_or_default();
        let stamp: String = record["SystemModstamp"].as_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        body.push_str(&format!(
            "<Notification>\n<Id>04l{}{}</Id>\n<sObject xsi:type=\"sf:{object}\" xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\">\n<sf:Id>{id}</sf:Id>\n",
            &id[3..],
            stamp
        ));
        for field in fields.iter().filter(|field| *field != "Id") {
            if let Some(value) = record.get(field).and_then(Value::as_str) {
                body.push_str(&format!("<sf:{field}>{}</sf:{field}>\n", escaped(value)));
            }
        }
        body.push_str("</sObject>\n</Notification>\n");
    }
    body.push_str("</notifications>\n</soapenv:Body>\n</soapenv:Envelope>\n");
    Delivery {
        headers: vec![("content-type", "text/xml; charset=utf-8".to_owned()), ("soapaction", "\"\"".to_owned())],
        body: body.into_bytes(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
