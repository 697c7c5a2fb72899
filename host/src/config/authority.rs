//! Certificates that are not the operating system's: `ca-file`, of authorities of one's own, for systems whose certificates no public
//! authority has issued, and `client-certificate`, for systems that ask who is calling.

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::clear_text::secret;
use super::item::Item;
use super::model::ClientCertificate;
use super::reader::Reader;
use super::reference::{has_reference, resolved};

/// Reads the file that an option names: one PEM certificate or several.
pub(super) fn authorities(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<CertificateDer<'static>> {
    let help = "write the path of the authority's own certificate as PEM, which begins with -----BEGIN CERTIFICATE-----";
    file(r, item, help, trusted).unwrap_or_default()
}

/// Reads `{ file, key }`.
pub(super) fn client_certificate(r: &mut Reader<'_>, item: &Item<'_>) -> Option<ClientCertificate> {
    let mut section = item.table(r, "`client-certificate`")?;
    let members = section.members();
    r.hidden.extend(
        members
            .iter()
            .filter(|member| member.name != "file" && !member.value.as_str().is_some_and(has_reference))
            .map(|member| member.span.clone()),
    );
    let help = "write the path of your certificate as PEM, without its key; those between it and its authority may follow it";
    let chain = section.required(r, "file", "\"client.pem\"").and_then(|item| file(r, &item, help, certificates));
    let key = secret(r, &mut section, "key");
    section.finish(r);
    Some(ClientCertificate { chain: chain?, key: key? })
}

type Certificates = Vec<CertificateDer<'static>>;

fn file(r: &mut Reader<'_>, item: &Item<'_>, help: &str, read: fn(&[u8]) -> Result<Certificates, String>) -> Option<Certificates> {
    let text = item.text(r)?;
    let value = resolved(r, &text)?;
    let path = r.absolute(&value);
    let (message, help) = match (r.outside.file)(&path) {
        Err(error) => (format!("can't read {}: {error}", path.display()), "the path is relative to the folder of this file"),
        Ok(pem) => match read(pem.as_bytes()) {
            Ok(certificates) => return Some(certificates),
            Err(why) => (format!("{}: {why}", path.display()), help),
        },
    };
    r.error(&text.span, message).help(help);
    None
}

fn certificates(pem: &[u8]) -> Result<Certificates, String> {
    let certificates: Certificates =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| format!("this is not PEM: {error}"))?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(certificates)
}

fn trusted(pem: &[u8]) -> Result<Certificates, String> {
    let certificates = certificates(pem)?;
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        store.add(certificate.clone()).map_err(|error| format!("certificate {} in it can't be trusted: {error}", index + 1))?;
    }
    Ok(certificates)
}
