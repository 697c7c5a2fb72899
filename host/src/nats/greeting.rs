//! What a NATS server says before anybody has said who they are. For who looks whether it is there: nothing of ours is sent, no login either.

use jiff::Timestamp;
use rustls_pki_types::ServerName;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::config::NatsServer;
use crate::outbound::tls_trouble;
use crate::server::certificate_end;
use crate::{telemetry, tls};

/// Longest first line: servers name the members of their cluster in it.
const LONGEST: u64 = 64 << 10;
/// Where servers listen.
const PORT: u16 = 4222;

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Its version.
    pub version: String,
    /// It keeps streams.
    pub has_streams: bool,
    /// It wants to know who connects.
    pub wants_login: bool,
    /// When its certificate ends; `None`: nobody spoke TLS.
    pub certificate_ends: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    version: String,
    #[serde(default)]
    jetstream: bool,
    #[serde(default)]
    auth_required: bool,
    #[serde(default)]
    tls_required: bool,
    #[serde(default)]
    tls_available: bool,
    #[serde(default)]
    tls_verify: bool,
}

/// Connects to one URL of a server, hears it out, begins TLS where that is spoken, and goes. No time limit of its own.
///
/// # Errors
/// Why not, in words that say what to do.
pub async fn greet(server: &NatsServer, url: &str) -> Result<Greeting, String> {
    let url = Url::parse(url).map_err(|error| format!("{url} is no URL: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let stream =
        TcpStream::connect((host.as_str(), url.port().unwrap_or(PORT))).await.map_err(|error| format!("can't connect: {error}"))?;
    let (config, watched) = tls::client_config_watching(&server.authorities, None).map_err(|error| telemetry::chain(&error))?;
    let connector = TlsConnector::from(std::sync::Arc::new(config));
    let secured = async |stream: TcpStream| {
        let name = ServerName::try_from(host.clone()).map_err(|_| format!("{host} is no name that a certificate could be for"))?;
        connector.connect(name, stream).await.map_err(|error| no_tls(&error))
    };
    let info = if server.tls_first {
        info(&mut secured(stream).await?).await?
    } else {
        let mut stream = stream;
        let info = info(&mut stream).await?;
        if info.tls_required || (server.tls_required && info.tls_available) {
            // One that asks for a certificate of ours is not shown it: that it wants one is known by now.
            let done = secured(stream).await;
            if let Err(why) = done.as_ref()
                && !info.tls_verify
            {
                return Err(why.clone());
            }
        } else if server.tls_required {
            return Err(
                "it offers no TLS, and without that nothing may go there: give it a certificate, or use a URL without `tls`".to_owned()
            );
        }
        info
    };
    let certificate_ends = watched.certificate().and_then(|certificate| certificate_end(&certificate).ok());
    Ok(Greeting { version: info.version, has_streams: info.jetstream, wants_login: info.auth_required, certificate_ends })
}

async fn info(stream: &mut (impl AsyncRead + Unpin)) -> Result<Info, String> {
    let mut line = String::new();
    let read = BufReader::new(stream.take(LONGEST)).read_line(&mut line).await;
    read.map_err(|error| format!("it broke off: {error}"))?;
    let json = line.strip_prefix("INFO ").and_then(|json| serde_json::from_str(json).ok());
    json.ok_or_else(|| "what answers there is no NATS server; is it the right port, or does TLS begin at once (`tls-first`)?".to_owned())
}

fn no_tls(error: &std::io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    tls.map_or_else(|| format!("no TLS: {error}"), |tls| tls_trouble(tls).replace("this plugin", "this server"))
}
