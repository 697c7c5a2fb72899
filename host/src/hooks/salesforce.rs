//! Salesforce outbound messages: SOAP that nobody signs. A secret in the URL says who knows the endpoint, and the body says of which organization it
//! is. (Salesforce shows a client certificate too, which the scheme `mtls` verifies.)

use quick_xml::Reader;
use quick_xml::events::Event;
use url::form_urlencoded;

use super::digest::same;
use super::{Delivery, Refused, Verified};
use crate::credentials::Secret;

/// Parameter of the query with the secret.
pub(super) const PARAMETER: &str = "token";
/// The element with the organization's id.
const ORGANIZATION: &str = "OrganizationId";
/// An id without the three characters that only say which of the others are upper case.
const ID: usize = 15;

/// Verifies one.
pub(super) fn verify(organizations: &[String], tokens: &[Secret], delivery: &Delivery<'_>) -> Result<Verified, Refused> {
    let mut given = form_urlencoded::parse(delivery.query().unwrap_or_default().as_bytes()).filter(|(name, _)| name == PARAMETER);
    let token = given.next().ok_or_else(|| Refused::Missing(format!("{PARAMETER} in the query")))?.1;
    if given.next().is_some() {
        return Err(Refused::Doubled(format!("{PARAMETER} in the query")));
    }
    let fits = tokens.iter().fold(false, |fits, secret| fits | same(secret.expose().as_bytes(), token.as_bytes()));
    if !fits {
        return Err(Refused::Secret);
    }
    let organization = organization(delivery.body).ok_or_else(|| Refused::Missing("OrganizationId".to_owned()))?;
    let short = |id: &str| id.get(..ID).unwrap_or(id).to_owned();
    if !organizations.iter().any(|known| short(known) == short(&organization)) {
        return Err(Refused::Organization);
    }
    Ok(Verified::default())
}

fn organization(body: &[u8]) -> Option<String> {
    let mut reader = Reader::from_reader(body);
    let mut inside = false;
    let mut found = None;
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => {
                inside = element.local_name().as_ref() == ORGANIZATION;
                // Said twice, it would mean one thing here and another to whoever reads the body.
                if inside && found.is_some() {
                    return None;
                }
            }
            Event::Text(text) if inside => found = Some(text.trim().to_owned()),
            Event::End(_) => inside = false,
            Event::Eof => return found,
            // A document type could say that it means something else.
            Event::DocType(_) => return None,
            _ => {}
        }
    }
}
