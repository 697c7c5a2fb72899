//! `[registries."HOST"]`: where components are fetched from.

use std::time::Duration;

use super::credential::Reference;
use super::plugin::HostPattern;

/// `[registries."HOST"]`: how this host speaks to a registry of components.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Host with its port, as in references.
    pub host: String,
    /// Who logs in; without one, nobody does.
    pub login: Option<RegistryLogin>,
    /// `tls`; false only on this machine.
    pub tls: bool,
    /// `ca-file`: authorities whose certificates are good for this registry, besides those that the operating system trusts.
    pub authorities: Vec<rustls_pki_types::CertificateDer<'static>>,
    /// `allow-hosts`: other origins that the registry may send this host to, whatever their addresses.
    pub hosts: Vec<HostPattern>,
    /// `timeout` of one component, everything included.
    pub timeout: Duration,
    /// `stall-timeout`: longest silence.
    pub stall_timeout: Duration,
}

/// Who logs in at a registry.
#[derive(Debug, Clone)]
pub enum RegistryLogin {
    /// `username` and `password`, given to the registry or its token service.
    Basic {
        /// `username`
        username: Reference,
        /// `password`
        password: Reference,
    },
    /// `token`, given to the registry as it is.
    Token(Reference),
}
