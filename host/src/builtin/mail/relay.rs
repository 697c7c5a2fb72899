//! A relay as it is configured now: who may send what through it, how fast, and the way there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, header};
use jiff::Timestamp;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::address::Mailbox;
use super::letter::Letter;
use super::reply;
use super::smtp::{self, Conversation, Envelope, Line, Login, Patience};
use super::trouble::Trouble;
use crate::config::{self, RelayTls};
use crate::credentials::{Attached, Broker, Outgoing, Secret};
use crate::outbound::Turns;
use crate::store::Store;
use crate::{telemetry, tls};

/// A relay that mail leaves through.
pub struct Relay {
    config: Arc<config::Relay>,
    turns: Option<Arc<Turns>>,
    slots: Arc<Semaphore>,
    connector: Option<TlsConnector>,
    broker: Arc<Broker>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Relay").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A relay took a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// `<…@…>`
    pub message_id: String,
    /// The relay's answer, by which its administrator finds the mail.
    pub reply: String,
    /// Recipients it took.
    pub accepted: Vec<String>,
    /// Recipients it refused (`partial` alone), with its words.
    pub refused: Vec<(String, String)>,
}

impl Receipt {
    /// The step's output.
    pub fn output(&self, relay: &str) -> Value {
        let refused: Vec<Value> = self.refused.iter().map(|(address, reason)| json!({ "address": address, "reason": reason })).collect();
        json!({
            "message_id": self.message_id,
            "relay": relay,
            "accepted": self.accepted,
            "refused": refused,
            "reply": self.reply,
        })
    }
}

/// One sending: what came of it, and the credential that went along.
pub struct Sending {
    /// The relay's receipt, or why there is none.
    pub result: Result<Receipt, Trouble>,
    /// For the case that it was refused.
    pub attached: Option<Attached>,
}

impl Relay {
    /// A relay with its present settings. Its turns are taken over from `before` where its rate is the same.
    ///
    /// # Errors
    /// No TLS on this machine.
    pub fn new(config: Arc<config::Relay>, broker: Arc<Broker>, store: &Store, before: Option<&Relay>) -> Result<Relay, tls::TlsError> {
        let kept = before.and_then(|before| before.turns.clone()).filter(|turns| Some(turns.limit()) == config.rate_limit);
        let turns = kept.or_else(|| config.rate_limit.map(|limit| Arc::new(Turns::new(&config.place(), limit, store))));
        let kept_slots = before.filter(|before| before.config.concurrency == config.concurrency).map(|before| before.slots.clone());
        let slots = kept_slots.unwrap_or_else(|| Arc::new(Semaphore::new(config.concurrency as usize)));
        let connector = match config.tls {
            RelayTls::None => None,
            RelayTls::StartTls | RelayTls::Implicit => {
                Some(TlsConnector::from(Arc::new(tls::client_config_trusting(&config.authorities)?)))
            }
        };
        Ok(Relay { config, turns, slots, connector, broker })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Its settings.
    pub fn config(&self) -> &config::Relay {
        &self.config
    }

    /// Who sends where a step names nobody.
    pub fn sender(&self) -> &Mailbox {
        &self.config.from
    }

    /// Whether a letter may go through here.
    ///
    /// # Errors
    /// What the relay's section does not allow, and the key there that would.
    pub fn judge(&self, letter: &Letter) -> Result<(), String> {
        let config = &self.config;
        let fits = |patterns: &[crate::router::Pattern], mailbox: &Mailbox| {
            let address = mailbox.address().to_lowercase();
            patterns.iter().any(|pattern| pattern.matches(&address))
        };
        let own = letter.from.address().eq_ignore_ascii_case(&config.from.address());
        if !own && !fits(&config.allow_from, &letter.from) {
            return Err(format!("[mail.{}] does not let {} be the sender (`allow-from`)", config.name, letter.from.address()));
        }
        let recipients = letter.recipients();
        if let Some(allowed) = &config.allow_to
            && let Some(stranger) = recipients.iter().find(|mailbox| !fits(allowed, mailbox))
        {
            return Err(format!("[mail.{}] does not let mail go to {} (`allow-to`)", config.name, stranger.address()));
        }
        if recipients.len() > config.max_recipients as usize {
            let most = config.max_recipients;
            return Err(format!("the mail has {} recipients; at most {most} ([mail.{}] `max-recipients`)", recipients.len(), config.name));
        }
        Ok(())
    }

    /// Sends a letter under a key, within `within`. `at` is its date.
    pub async fn send(&self, letter: &Letter, key: &str, at: Timestamp, within: Duration) -> Sending {
        let mut attached = None;
        let started = Instant::now();
        let result = self.sent(letter, key, at, within, started, &mut attached).await;
        let result = match result {
            Ok(mut receipt) => {
                self.mask(&mut receipt.reply);
                receipt.refused.iter_mut().for_each(|(_, words)| self.mask(words));
                Ok(receipt)
            }
            Err(trouble) => Err(self.masked(trouble)),
        };
        Sending { result, attached }
    }

    async fn sent(
        &self,
        letter: &Letter,
        key: &str,
        at: Timestamp,
        within: Duration,
        started: Instant,
        attached: &mut Option<Attached>,
    ) -> Result<Receipt, Trouble> {
        let refused = |why: String| Trouble::Refused { why, recipients: Vec::new() };
        self.judge(letter).map_err(refused)?;
        let message = letter.message(key, at).map_err(refused)?;
        if message.len() > self.config.max_size {
            let most = self.config.max_size;
            return Err(refused(format!("the mail has {} bytes; at most {most} ([mail.{}] `max-size`)", message.len(), self.config.name)));
        }
        let busy = |after: Duration, why: &str| Trouble::Busy { why: format!("[mail.{}]: {why}", self.config.name), after };
        let slot = tokio::time::timeout(within, self.slots.acquire()).await;
        let _slot = slot.map_err(|_| busy(Duration::ZERO, "as many mails as its `concurrency` allows are on their way"))?;
        if let Some(turns) = &self.turns {
            let left = within.saturating_sub(started.elapsed());
            turns.wait(left).await.map_err(|after| busy(after, "its `rate-limit` leaves no turn within the step's time"))?;
        }
        let login = self.login(attached).await?;
        let recipients: Vec<String> = letter.recipients().iter().map(|mailbox| mailbox.address()).collect();
        let from = letter.from.address();
        let envelope = Envelope { from: &from, to: &recipients, utf8: letter.needs_utf8(), partial: letter.partial };
        // None goes on after the step's time: so a break there is told apart like any other.
        let patience = Patience { silence: self.config.timeout, ends: started + within };
        let mut conversation = open(&self.config, self.connector.as_ref(), patience).await?;
        if let Some(login) = &login {
            conversation.login(login).await?;
        }
        let taken = conversation.hand_over(&envelope, &message).await;
        // Nobody's mail waits for a goodbye.
        conversation.close().await;
        let taken = taken?;
        Ok(Receipt { message_id: letter.message_id(key), reply: taken.reply, accepted: taken.accepted, refused: taken.refused })
    }

    /// What this host logs in with: what the broker would put onto a request to the relay's place.
    async fn login(&self, attached: &mut Option<Attached>) -> Result<Option<Login>, Trouble> {
        let Some(login) = &self.config.login else { return Ok(None) };
        let incomplete = |why: String| Trouble::Credential(why, crate::credentials::Remedy::Change);
        let url = url::Url::parse(&self.config.origin()).map_err(|error| incomplete(error.to_string()))?;
        let mut request = Outgoing { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() };
        let put = self.broker.attach(std::slice::from_ref(&login.credential), &mut request).await;
        *attached = put.map_err(|error| Trouble::Credential(telemetry::chain(&error), error.remedy()))?;
        let value = request.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if let Some(token) = value.strip_prefix("Bearer ") {
            let username = login.username.clone().unwrap_or_else(|| self.config.from.address());
            return Ok(Some(Login::Token { username, token: Secret::new(token.to_owned()) }));
        }
        let pair = value.strip_prefix("Basic ").and_then(|pair| STANDARD.decode(pair).ok()).and_then(|pair| String::from_utf8(pair).ok());
        let pair = pair.map(Secret::new);
        let Some((username, password)) = pair.as_ref().and_then(|pair| pair.expose().split_once(':')) else {
            let why = format!("credential `{}` is none that a relay can be logged in at with", login.credential);
            return Err(incomplete(why));
        };
        Ok(Some(Login::Password { username: username.to_owned(), password: Secret::new(password.to_owned()) }))
    }

    /// A relay may repeat what it was told.
    fn masked(&self, mut trouble: Trouble) -> Trouble {
        match &mut trouble {
            Trouble::Unreachable(why)
            | Trouble::Later(why)
            | Trouble::Unauthorized(why)
            | Trouble::InDoubt(why)
            | Trouble::Busy { why, .. }
            | Trouble::Credential(why, _) => self.mask(why),
            Trouble::Refused { why, recipients } => {
                self.mask(why);
                recipients.iter_mut().for_each(|(_, words)| self.mask(words));
            }
        }
        trouble
    }

    fn mask(&self, words: &mut String) {
        reply::mask(&self.broker, words);
    }
}

/// Begins a conversation, as far as this host's name.
async fn open(config: &config::Relay, connector: Option<&TlsConnector>, patience: Patience) -> Result<Conversation, Trouble> {
    let place = format!("{}:{}", config.host, config.port);
    let longest = patience.now();
    let dialled = tokio::time::timeout(longest, TcpStream::connect((config.host.as_str(), config.port))).await;
    let stream = match dialled {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Trouble::Unreachable(format!("{place} can't be reached: {error}"))),
        Err(_) => return Err(Trouble::Unreachable(format!("{place} can't be reached within {longest:?}"))),
    };
    // An address in brackets is what a host without a public name says (RFC 5321 section 4.1.3).
    let hello = match (&config.hello, stream.local_addr()) {
        (Some(hello), _) => hello.clone(),
        (None, Ok(address)) if address.is_ipv6() => format!("[IPv6:{}]", address.ip()),
        (None, Ok(address)) => format!("[{}]", address.ip()),
        (None, Err(_)) => "[127.0.0.1]".to_owned(),
    };
    let name = || {
        let name = ServerName::try_from(config.host.clone());
        name.map_err(|_| Trouble::Unreachable(format!("{} is no name that a certificate could be for", config.host)))
    };
    let line: Box<dyn Line> = Box::new(stream);
    match (connector, config.tls) {
        (Some(connector), RelayTls::Implicit) => {
            let line = smtp::secured(connector, name()?, line, patience).await?;
            Conversation::open(line, &hello, patience).await
        }
        (Some(connector), _) => Conversation::open(line, &hello, patience).await?.starttls(connector, name()?, &hello).await,
        (None, _) => Conversation::open(line, &hello, patience).await,
    }
}

/// Connects to a relay, says hello, begins TLS where that is configured, and says goodbye: for who looks whether it is there. Nobody logs in.
/// Gives the end of the certificate that it showed.
///
/// # Errors
/// Why not.
pub async fn greet(config: &config::Relay, within: Duration) -> Result<Option<Timestamp>, Trouble> {
    let (client, watched) =
        tls::client_config_watching(&config.authorities, None).map_err(|error| Trouble::Unreachable(telemetry::chain(&error)))?;
    let connector = (config.tls != RelayTls::None).then(|| TlsConnector::from(Arc::new(client)));
    let patience = Patience { silence: config.timeout, ends: Instant::now() + within };
    open(config, connector.as_ref(), patience).await?.close().await;
    Ok(watched.certificate().and_then(|certificate| crate::server::certificate_end(&certificate).ok()))
}
