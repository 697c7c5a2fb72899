//! `[mail.NAME]`, a relay that takes mail, and `[templates.NAME]`, what is written in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::plugin::RateLimit;
use crate::builtin::mail::Mailbox;
use crate::mapping::Template;
use crate::router::Pattern;

/// `[mail.NAME]`.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Its name.
    pub name: String,
    /// `host`: a name, or an address without brackets.
    pub host: String,
    /// `port`
    pub port: u16,
    /// `tls`
    pub tls: RelayTls,
    /// `ca-file`: authorities whose certificates are good for this relay, besides those that the operating system trusts.
    pub authorities: Vec<rustls_pki_types::CertificateDer<'static>>,
    /// How this host logs in; `None`: it does not.
    pub login: Option<RelayLogin>,
    /// `from`: who sends where a step names nobody.
    pub from: Mailbox,
    /// `allow-from`: other senders that steps may name, lower case.
    pub allow_from: Vec<Pattern>,
    /// `allow-to`: the only recipients, lower case; `None`: anybody.
    pub allow_to: Option<Vec<Pattern>>,
    /// `hello`: the name that this host goes by at the relay; `None`: its address.
    pub hello: Option<String>,
    /// `max-recipients` of one mail.
    pub max_recipients: u32,
    /// `max-size` of one mail, bytes, attachments and their encoding included.
    pub max_size: usize,
    /// `rate-limit`
    pub rate_limit: Option<RateLimit>,
    /// `concurrency`: mails on their way at the same time, from each host.
    pub concurrency: u32,
    /// `timeout`: longest silence of the relay.
    pub timeout: Duration,
}

impl Relay {
    /// The name of what belongs to it beside plugins and credentials of the file. None of these has a slash in its name.
    pub fn place(&self) -> String {
        format!("mail/{}", self.name)
    }

    /// Where it is, as credentials name places: `https://host:port`, without TLS `http://`.
    pub fn origin(&self) -> String {
        let scheme = if self.tls == RelayTls::None { "http" } else { "https" };
        format!("{scheme}://{}", self.authority())
    }

    /// Where it is, as people see it: `smtp://host:port`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.authority())
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port)
    }
}

/// `tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayTls {
    /// `"starttls"`: begins in clear text, and goes no further than that without TLS.
    StartTls,
    /// `"implicit"`: TLS from the first byte.
    Implicit,
    /// `"none"`: to this machine only.
    None,
}

/// How this host logs in at a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayLogin {
    /// `credential`, or the one that is made of `username` and `password`.
    pub credential: String,
    /// Whose mailbox a token is for; `None`: that of `from`.
    pub username: Option<String>,
}

/// `[templates.NAME]`: the words of a mail, in several languages.
#[derive(Debug, Default)]
pub struct MailTemplate {
    /// What counts where a language has nothing of its own.
    pub texts: Texts,
    /// `[templates.NAME.LANGUAGE]`, by tag in lower case.
    pub languages: BTreeMap<String, Texts>,
}

/// The words in one language. Each is a template of one string; expressions see the step's `values` as `.`.
#[derive(Debug, Default)]
pub struct Texts {
    /// `subject`
    pub subject: Option<Arc<Template>>,
    /// `text`
    pub text: Option<Arc<Template>>,
    /// `html`
    pub html: Option<Arc<Template>>,
}

impl MailTemplate {
    /// The texts for a language, the nearest first: `de-AT`, `de`, the template's own.
    pub fn nearest(&self, language: &str) -> Vec<&Texts> {
        let tag = language.to_ascii_lowercase().replace('_', "-");
        let mut tag = tag.as_str();
        let mut nearest = Vec::new();
        loop {
            nearest.extend(self.languages.get(tag));
            match tag.rsplit_once('-') {
                Some((shorter, _)) => tag = shorter,
                None => break,
            }
        }
        nearest.push(&self.texts);
        nearest
    }
}
