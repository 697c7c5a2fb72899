//! `ca-file`: the certificates of authorities of one's own, for systems whose certificates no public authority has issued.

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::item::Item;
use super::reader::Reader;
use super::reference::resolved;

/// Reads the file that an option names: one PEM certificate or several.
pub(super) fn authorities(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<CertificateDer<'static>> {
    let Some(text) = item.text(r) else { return Vec::new() };
    let Some(value) = resolved(r, &text) else { return Vec::new() };
    let path = r.absolute(&value);
    let read = (r.outside.file)(&path).map_err(|error| (format!("can't read {}: {error}", path.display()), true));
    match read.and_then(|pem| certificates(pem.as_bytes()).map_err(|why| (format!("{}: {why}", path.display()), false))) {
        Ok(certificates) => certificates,
        Err((message, missing)) => {
            let help = match missing {
                true => "the path is relative to the folder of this file",
                false => "write the path of the authority's own certificate as PEM, which begins with -----BEGIN CERTIFICATE-----",
            };
            r.error(&text.span, message).help(help);
            Vec::new()
        }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| format!("this is not PEM: {error}"))?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        store.add(certificate.clone()).map_err(|error| format!("certificate {} in it can't be trusted: {error}", index + 1))?;
    }
    Ok(certificates)
}
