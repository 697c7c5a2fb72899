//! Why an exchange failed, in words that say what to do, and whether the request can have left.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::address::Blocked;
use super::request::{HttpError, shortened};

/// Says whether the request can have left. `is_connect`: there was no connection.
pub(super) fn failed(error: &dyn Error, is_connect: bool, host: &str) -> HttpError {
    let mut text = String::new();
    let mut cause = error;
    while let Some(source) = cause.source() {
        if let Some(blocked) = within::<Blocked>(source) {
            return HttpError::Denied(blocked.to_string());
        }
        if let Some(tls) = within::<rustls::Error>(source) {
            let why = format!("no TLS with {host}: {}", described(tls));
            return if is_connect { HttpError::NotSent(why) } else { HttpError::Connection(why) };
        }
        text = source.to_string();
        cause = source;
    }
    let text = if text.is_empty() { error.to_string() } else { text };
    if is_connect {
        HttpError::NotSent(format!("can't connect to {host}: {text}"))
    } else {
        HttpError::Connection(format!("the exchange with {host} broke off: {text}"))
    }
}

/// What is wrong with the certificate that the other side showed, if that is why it failed. `whose`: where a `ca-file` would be written.
pub(crate) fn certificate_trouble(error: &reqwest::Error, whose: &str) -> Option<String> {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        if let Some(rustls::Error::InvalidCertificate(error)) = within(source) {
            // The sentences are written for plugins, which are most of those who meet one.
            return Some(of_certificate(error).replace("this plugin", whose));
        }
        cause = source;
    }
    None
}

/// The error itself, or what I/O errors carry, one within the other: the standard library leaves that out of the chain of sources.
fn within<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    error.downcast_ref::<E>().or_else(|| within(error.downcast_ref::<io::Error>()?.get_ref()?))
}

/// What is wrong with the other side's TLS, and who can mend it. The names and times in it are the certificate's, not a plugin's.
pub(crate) fn described(error: &rustls::Error) -> String {
    let text = match error {
        rustls::Error::InvalidCertificate(error) => return of_certificate(error),
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => {
            "it speaks neither TLS 1.2 nor 1.3 as we do; older versions are not safe, and whoever runs it must bring it up to date"
        }
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied,
        ) => "it does not accept the client-certificate of this plugin",
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it asks for a certificate of ours, and has been shown none; give this plugin a client-certificate"
        }
        rustls::Error::InvalidMessage(_) => "what answers there is not TLS; is it the right port, or plain http?",
        other => return other.to_string(),
    };
    text.to_owned()
}

fn of_certificate(error: &CertificateError) -> String {
    let text = match error {
        CertificateError::UnknownIssuer => {
            "its certificate was issued by nobody whom this machine trusts; if the authority is your own, name its certificate as ca-file of this plugin"
        }
        CertificateError::BadSignature => {
            "its certificate names an authority that is trusted, and was not signed by it; if the authority has a new key, name its new certificate as ca-file of this plugin"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; whoever runs it must renew it (or this machine's clock is wrong)"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; is this machine's clock right?"
        }
        CertificateError::NotValidForName => "its certificate is for other names; call it by a name in it, or have it issued for this one",
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = shortened(&presented.join(", "));
            return format!("its certificate is for other names ({names}); call it by one of them, or have it issued for this one");
        }
        CertificateError::Revoked => "its certificate was revoked; whoever runs it must replace it",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => "its certificate is not one for servers",
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is an authority's own; have a certificate for the server issued by that authority"
        }
        other => return format!("its certificate is refused: {other}"),
    };
    text.to_owned()
}
