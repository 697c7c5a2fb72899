//! The listening side: connections accepted, encrypted where configured, bounded in number and time, and handed to the router.
//!
//! `axum::serve` was used before; it offers no limit on connections, no time limit on a request's head and no TLS.

mod certificates;
mod connections;
mod pair;

pub use certificates::{Certificates, CertificatesError, Prepared};
pub use connections::{Peer, ShownCertificate, allow_many_files, serve};
pub use pair::{Pair, PairError, Part, certificate_end, certificates};
