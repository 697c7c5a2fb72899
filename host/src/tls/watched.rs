//! The certificate that a server showed, whether or not it was good.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// What was shown last. Clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Watched(Arc<Mutex<Option<CertificateDer<'static>>>>);

impl Watched {
    /// The server's own certificate; `None`: no handshake came so far.
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn verifier(&self, inner: Arc<dyn ServerCertVerifier>, known: Option<CertificateDer<'static>>) -> Watching {
        Watching { inner, known, watched: self.clone() }
    }
}

/// Judges as `inner` does, and remembers what was judged.
#[derive(Debug)]
pub(super) struct Watching {
    inner: Arc<dyn ServerCertVerifier>,
    known: Option<CertificateDer<'static>>,
    watched: Watched,
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.watched.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate.clone().into_owned());
        // Whoever has the key of that very certificate proves it by the signatures below.
        if self.known.as_ref().is_some_and(|known| known == certificate) {
            return Ok(ServerCertVerified::assertion());
        }
        self.inner.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
