//! `[server.tls]`: what the host shows of itself, and what clients have to show.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::item::Item;
use super::model::{Reference, ReferencePart};
use super::reader::Reader;
use super::reference::{has_reference, kept, resolved_as_far_as_possible};
use super::section::Section;
use crate::server::{Pair, PairError, Part};

/// How long before its end a certificate is warned of.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// `[server.tls]`. The references give PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `certificate`: the host's own first, then those that lead to the root.
    pub certificate: Reference,
    /// `key`
    pub key: Reference,
    /// `client-ca`: whose certificates clients show.
    pub client_ca: Option<Reference>,
    /// `client-auth`
    pub client_auth: ClientCertificates,
}

/// `client-auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// `"required"`, the default where there is a `client-ca`: no connection without one.
    Required,
    /// `"optional"`: one that is shown has to be good.
    Optional,
}

/// Reads `[server.tls]`.
pub(super) fn tls(r: &mut Reader<'_>, mut section: Section<'_>) -> Option<Tls> {
    let certificate = section.required(r, "certificate", "\"cert.pem\"").and_then(|item| pem(r, &item));
    let key = section.required(r, "key", "\"key.pem\"").and_then(|item| pem(r, &item));
    let ca_item = section.get("client-ca");
    let has_ca = ca_item.is_some();
    let client_ca = ca_item.and_then(|item| pem(r, &item));
    let auth_item = section.get("client-auth");
    let choices = [("required", ClientCertificates::Required), ("optional", ClientCertificates::Optional)];
    let client_auth = auth_item.as_ref().and_then(|item| item.choice(r, &choices)).unwrap_or(ClientCertificates::Required);
    if let Some(item) = auth_item.filter(|_| !has_ca) {
        r.error(&item.key, "`client-auth` needs `client-ca`: whose certificates may clients show?").help("add client-ca = \"ca.pem\"");
    }
    let span = section.span.clone();
    section.finish(r);
    let (certificate, key) = (certificate?, key?);
    judge(r, &span, &certificate, &key, client_ca.as_ref(), client_auth);
    let client_ca = client_ca.map(|ca| ca.reference);
    Some(Tls { certificate: certificate.reference, key: key.reference, client_ca, client_auth })
}

/// A PEM text with its place. `None`: a secret, known only to a host.
struct Pem {
    reference: Reference,
    text: Option<String>,
    span: Range<usize>,
}

/// A text without a reference is the path of a file.
fn pem(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Pem> {
    let text = item.text(r)?;
    if has_reference(text.value) {
        let reference = kept(r, &text)?;
        return Some(Pem { text: resolved_as_far_as_possible(r, &reference), reference, span: text.span });
    }
    if text.value.contains("-----BEGIN") {
        r.error(&text.span, format!("`{}` is the path of a file, not its content", item.name)).help("write the path of the PEM file");
        return None;
    }
    let path = r.absolute(text.value);
    let content = match (r.outside.file)(&path) {
        Ok(content) => content,
        Err(error) => {
            r.error(&text.span, format!("can't read {}: {error}", path.display()))
                .help("the path is relative to the folder of this file; the user of the host must be able to read it");
            return None;
        }
    };
    Some(Pem { reference: Reference { parts: vec![ReferencePart::File(path)] }, text: Some(content), span: text.span })
}

/// Whether the host could start with them, as far as that can be told without secrets.
fn judge(r: &mut Reader<'_>, whole: &Range<usize>, certificate: &Pem, key: &Pem, ca: Option<&Pem>, auth: ClientCertificates) {
    let (Some(chain), Some(secret)) = (&certificate.text, &key.text) else { return };
    let Some(ca_text) = ca.map_or(Some(None), |ca| ca.text.as_deref().map(Some)) else { return };
    let now = Timestamp::now();
    match Pair::parse(chain, secret, ca_text, auth, now) {
        Ok(pair) => {
            if pair.ends_at.duration_since(now) < SOON {
                r.warn(&certificate.span, format!("the certificate ends soon, at {}", pair.ends_at))
                    .help("renew it; a running host takes a new file without a restart");
            }
        }
        Err(error) => {
            let span = match error.part() {
                Part::Certificate => &certificate.span,
                Part::Key => &key.span,
                Part::ClientCa => ca.map_or(whole, |ca| &ca.span),
            };
            let help = match error {
                PairError::Expired(_) => "renew it",
                PairError::NotTogether => "name the key that the certificate was made for",
                _ => "it must be PEM, such as `-----BEGIN CERTIFICATE-----` and `-----BEGIN PRIVATE KEY-----`",
            };
            r.error(span, error.to_string()).help(help);
        }
    }
}
