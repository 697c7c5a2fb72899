//! Connections to NATS servers: one for each server as it is configured, shared by the sources that take from it and the steps that publish to
//! it.
//!
//! A connection that is lost is made again by the client, within seconds; what it shows then is what it showed first. So one that a server turned
//! away, or that was away for long, is given up: the next who needs it makes a new one, with the secrets as they are then.

mod greeting;
mod publish;

pub use greeting::{Greeting, greet};
pub use publish::{Outgoing, Published, check_headers, to_listeners, to_stream};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::{Client, ClientError, ConnectErrorKind, ConnectOptions, Event, ServerError};
use jiff::Timestamp;
use rustls::client::ResolvesClientCert;
use tokio::sync::watch;

use crate::config::{Config, NatsLogin, NatsServer, Reference, SourceKind};
use crate::credentials::{Broker, Secret};
use crate::outbound::client_certificate;
use crate::{telemetry, tls};

/// Time to reach a server: name, connection, TLS, login.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent server is asked whether it is there: two missed answers are a lost connection.
const PING: Duration = Duration::from_secs(15);
/// How long a request waits for its answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest pause of the client between attempts to connect again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a connection may be away before it is made anew, with the secrets as they are then.
const AWAY: Duration = Duration::from_secs(20);

/// Why there is no connection. Another attempt may have one.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// A secret that it needs can't be had, or is not what it should be.
    #[error("what the host shows NATS server {servers} can't be used: {why}")]
    Login {
        /// As configured.
        servers: String,
        /// Why not. No part of the secret.
        why: String,
    },
    /// The server turned the host away.
    #[error("NATS server {servers} refuses the login of this host")]
    Refused {
        /// As configured.
        servers: String,
    },
    /// It can't be reached.
    #[error("NATS server {servers} can't be reached: {why}")]
    Unreachable {
        /// As configured.
        servers: String,
        /// Why not.
        why: String,
    },
}

/// How a connection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    /// It is there.
    pub connected: bool,
    /// Grows with every connection that was made.
    pub number: u64,
    /// What went wrong last.
    pub why: Option<String>,
    /// The server turned the host away.
    pub refused: bool,
    /// Since when it is as it is.
    pub since: Instant,
}

/// A connection. The client makes it again by itself.
#[derive(Debug)]
pub struct Link {
    /// Its client.
    pub client: Client,
    server: Arc<NatsServer>,
    state: watch::Receiver<LinkState>,
}

impl Link {
    /// How it is doing, to be looked at and waited for.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// Why it is away, if it is.
    pub fn away(&self) -> Option<String> {
        let state = self.state.borrow();
        // Before the first word of the client nothing is known but that it has connected.
        let is_away = !state.connected && state.number > 0;
        let why = state.why.as_deref().unwrap_or("the connection was lost");
        is_away.then(|| format!("NATS server {} is not connected: {why}", self.servers()))
    }

    /// Whether it should be given up rather than waited for.
    pub fn is_lost(&self) -> bool {
        let state = self.state.borrow();
        state.refused || (!state.connected && state.since.elapsed() > AWAY)
    }

    /// What it is connected to, as configured.
    pub fn servers(&self) -> String {
        self.server.servers.join(", ")
    }

    /// JetStream behind it.
    pub fn jetstream(&self, domain: Option<&str>) -> async_nats::jetstream::Context {
        let client = self.client.clone();
        let builder = async_nats::jetstream::ContextBuilder::new().timeout(REQUEST_TIMEOUT).ack_timeout(REQUEST_TIMEOUT);
        match domain {
            None => builder.build(client),
            Some(domain) => async_nats::jetstream::ContextBuilder::new()
                .domain(domain)
                .timeout(REQUEST_TIMEOUT)
                .ack_timeout(REQUEST_TIMEOUT)
                .build(client),
        }
    }
}

/// How a source is doing on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reception {
    /// What it does now.
    pub state: Receives,
    /// Since when.
    pub since: Timestamp,
    /// Why, where it does not receive.
    pub reason: Option<String>,
    /// When a message came last.
    pub last_message_at: Option<Timestamp>,
    /// Messages that the server has for the consumer, as it last said.
    pub pending: Option<u64>,
    /// Messages that it had sent more than once when this host began.
    pub redelivered: Option<u64>,
}

/// Whether a source receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receives {
    /// Messages come as they are there.
    Receiving,
    /// There is no connection yet, or none any more.
    Connecting,
    /// The host has no room; what is not asked for stays with the server.
    Waiting,
    /// Something is in the way; the host goes on trying.
    Interrupted,
}

/// All connections of a host, and how its NATS sources are doing.
#[derive(Debug, Default)]
pub struct Connections {
    links: Mutex<Vec<Arc<Link>>>,
    sources: Mutex<BTreeMap<String, Reception>>,
}

impl Connections {
    /// The connection to a server, made if there is none. `name`: what the host calls itself to the server.
    ///
    /// # Errors
    /// Why there is none. Trying again later may help.
    pub async fn link(&self, broker: &Broker, server: &Arc<NatsServer>, name: &str) -> Result<Arc<Link>, NatsError> {
        if let Some(known) = self.known(server) {
            return Ok(known);
        }
        let made = Arc::new(connect(broker, server, name).await?);
        let mut links = self.links();
        // Somebody else may have made one meanwhile.
        match links.iter().find(|link| *link.server == **server && !link.is_lost()) {
            Some(known) => Ok(known.clone()),
            None => {
                links.push(made.clone());
                Ok(made)
            }
        }
    }

    fn known(&self, server: &NatsServer) -> Option<Arc<Link>> {
        let mut links = self.links();
        links.retain(|link| !link.is_lost());
        links.iter().find(|link| *link.server == *server).cloned()
    }

    /// Closes connections to servers that a configuration has no more, once nobody uses them.
    pub fn keep(&self, config: &Config) {
        let of_sources = config.sources.iter().filter_map(|source| match &source.kind {
            SourceKind::Nats(nats) => Some(&nats.server),
            _ => None,
        });
        let wanted: Vec<&Arc<NatsServer>> = config.nats.values().chain(of_sources).collect();
        self.links().retain(|link| wanted.iter().any(|server| **server == link.server));
        let sources = |name: &str| config.sources.iter().any(|source| source.name == name);
        self.states().retain(|name, _| sources(name));
    }

    /// How a source is doing, for people. `None`: it has not begun, or is no NATS source.
    pub fn source(&self, name: &str) -> Option<Reception> {
        self.states().get(name).cloned()
    }

    /// Notes how a source is doing.
    pub fn note(&self, source: &str, reception: Reception) {
        self.states().insert(source.to_owned(), reception);
    }

    fn links(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<String, Reception>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(broker: &Broker, server: &Arc<NatsServer>, name: &str) -> Result<Link, NatsError> {
    let servers = server.servers.join(", ");
    let login = |why: String| NatsError::Login { servers: servers.clone(), why };
    let begun = LinkState { connected: false, number: 0, why: None, refused: false, since: Instant::now() };
    let (told, state) = watch::channel(begun);
    let told = Arc::new(told);
    let options = ConnectOptions::new()
        .name(name)
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .ping_interval(PING)
        // What is shown to a server is shown to none that the administrator has not named.
        .ignore_discovered_servers()
        .require_tls(server.tls_required)
        .reconnect_delay_callback(|attempts| {
            let exponent = u32::try_from(attempts.min(10)).unwrap_or(10);
            Duration::from_millis(10).saturating_mul(2_u32.saturating_pow(exponent)).min(LONGEST_PAUSE)
        })
        .event_callback(move |event| {
            let told = told.clone();
            async move { note(&told, &event) }
        });
    let options = with_login(options, broker, &server.login).await.map_err(login)?;
    let options = with_tls(options, broker, server).await.map_err(login)?;
    let options = if server.tls_first { options.tls_first() } else { options };
    let connected = tokio::time::timeout(CONNECT_TIMEOUT * 3, options.connect(server.servers.clone())).await;
    let unreachable = |why: String| NatsError::Unreachable { servers: servers.clone(), why };
    match connected {
        Ok(Ok(client)) => Ok(Link { client, server: server.clone(), state }),
        Ok(Err(error)) => Err(match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => NatsError::Refused { servers },
            _ => unreachable(telemetry::chain(&error)),
        }),
        Err(_) => Err(unreachable(format!("it did not answer within {} seconds", (CONNECT_TIMEOUT * 3).as_secs()))),
    }
}

/// What the client tells of a connection.
fn note(told: &watch::Sender<LinkState>, event: &Event) {
    told.send_if_modified(|state| {
        let before = state.clone();
        match event {
            Event::Connected => {
                *state = LinkState { connected: true, number: state.number + 1, why: None, refused: false, since: Instant::now() };
            }
            Event::Disconnected | Event::Closed => {
                if state.connected {
                    state.connected = false;
                    state.since = Instant::now();
                }
                state.why.get_or_insert_with(|| "the connection was lost".to_owned());
            }
            Event::ServerError(ServerError::AuthorizationViolation) => {
                state.refused = true;
                state.why = Some("the server refuses the login".to_owned());
            }
            Event::ServerError(error) => state.why = Some(error.to_string()),
            Event::ClientError(ClientError::Other(why)) => {
                // The client has these as text alone.
                state.refused |= !state.connected && why.contains("authorization violation");
                state.why = Some(why.clone());
            }
            Event::ClientError(error) => state.why = Some(error.to_string()),
            Event::LameDuckMode => state.why = Some("the server is about to stop".to_owned()),
            Event::Draining | Event::SlowConsumer(_) => {}
        }
        before != *state
    });
}

async fn with_login(options: ConnectOptions, broker: &Broker, login: &NatsLogin) -> Result<ConnectOptions, String> {
    Ok(match login {
        NatsLogin::Nobody => options,
        NatsLogin::Token(token) => options.token(secret(broker, token).await?.expose().to_owned()),
        NatsLogin::Password { user, password } => {
            options.user_and_password(user.clone(), secret(broker, password).await?.expose().to_owned())
        }
        NatsLogin::Nkey(seed) => options.nkey(secret(broker, seed).await?.expose().trim().to_owned()),
        NatsLogin::Credentials(text) => options
            // The client wants the end of the last line, which a secret is kept without.
            .credentials(&format!("{}\n", secret(broker, text).await?.expose()))
            // Its own words could quote the text.
            .map_err(|_| "`credentials` is not the text of a NATS credentials file, which has a user JWT and an NKEY seed".to_owned())?,
    })
}

async fn with_tls(options: ConnectOptions, broker: &Broker, server: &NatsServer) -> Result<ConnectOptions, String> {
    let mut config = match server.authorities.as_slice() {
        [] if server.certificate.is_none() && !server.tls_required => return Ok(options),
        [] => tls::client_config(),
        own => tls::client_config_trusting(own),
    }
    .map_err(|error| telemetry::chain(&error))?;
    if let Some(certificate) = &server.certificate {
        let resolver: Arc<dyn ResolvesClientCert> = client_certificate(certificate, broker).await?;
        config.client_auth_cert_resolver = resolver;
    }
    Ok(options.tls_client_config(config))
}

async fn secret(broker: &Broker, reference: &Reference) -> Result<Secret, String> {
    broker.resolve(reference).await.map_err(|error| telemetry::chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_given_up_when_the_server_refuses_it_and_not_when_it_was_cut() {
        let (told, state) = watch::channel(LinkState { connected: false, number: 0, why: None, refused: false, since: Instant::now() });
        note(&told, &Event::Connected);
        assert!(state.borrow().connected && state.borrow().number == 1);
        note(&told, &Event::Disconnected);
        assert_eq!((state.borrow().connected, state.borrow().refused), (false, false));
        note(&told, &Event::ClientError(ClientError::Other("authorization violation".to_owned())));
        assert!(state.borrow().refused);
        note(&told, &Event::Connected);
        assert_eq!((state.borrow().connected, state.borrow().refused, state.borrow().number), (true, false, 2));
    }
}
