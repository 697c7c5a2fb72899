//! What is in the portal at the start.

use serde_json::{Value, json};

use super::kind::Kind;
use super::portal::Portal;

/// A portal with two companies, three contacts and two open tickets, linked with each other.
pub(super) fn portal() -> Portal {
    let mut portal = Portal::new();
    let acme = add(&mut portal, Kind::Company, &json!({ "name": "Acme Facilities", "domain": "acme.example", "city": "Dhaka" }), &[]);
    let delta = add(&mut portal, Kind::Company, &json!({ "name": "Delta Cold Stores", "domain": "delta.example" }), &[]);
    let anna = json!({ "email": "anna.berg@acme.example", "firstname": "Anna", "lastname": "Berg", "phone": "+15550100" });
    let anna = add(&mut portal, Kind::Contact, &anna, &[(acme, 279)]);
    let omar = json!({ "email": "omar.haddad@delta.example", "firstname": "Omar", "lastname": "Haddad" });
    let omar = add(&mut portal, Kind::Contact, &omar, &[(delta, 279)]);
    add(&mut portal, Kind::Contact, &json!({ "email": "lena.sol@home.example", "firstname": "Lena", "lastname": "Sol" }), &[]);
    let boiler = json!({
        "subject": "Boiler in hall 2 loses pressure",
        "content": "Down to 0.4 bar every morning.",
        "hs_pipeline_stage": "1",
        "hs_ticket_priority": "HIGH",
    });
    add(&mut portal, Kind::Ticket, &boiler, &[(anna, 16), (acme, 339)]);
    let compressor = json!({ "subject": "Compressor noise", "hs_pipeline_stage": "2", "hs_ticket_priority": "MEDIUM" });
    add(&mut portal, Kind::Ticket, &compressor, &[(omar, 16), (delta, 339)]);
    portal
}

fn add(portal: &mut Portal, kind: Kind, properties: &Value, links: &[(u64, u32)]) -> u64 {
    let associations: Vec<Value> = links
        .iter()
        .map(|(to, id)| json!({ "to": { "id": to }, "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": id }] }))
        .collect();
    let draft = portal.draft(kind, &json!({ "properties": properties, "associations": associations }));
    portal.create(draft.expect("seeded records are valid")).id
}
