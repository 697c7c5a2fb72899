//! `sangam connect`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::client::Client;
use super::{Failure, plain};
use crate::credentials::Secret;

/// Path of the loopback address that the vendor sends the browser to (RFC 8252 section 7.3).
const CALLBACK: &str = "/oauth/callback";
/// How often it is looked whether the answer has come to the host.
const LOOK: Duration = Duration::from_secs(1);

/// Connects a credential of type oauth2-authorization-code: somebody agrees at the vendor, in the browser.
#[derive(Debug, clap::Args)]
pub(super) struct Connect {
    /// Name of the credential
    credential: String,
    /// Let the vendor answer to the host, at server.public-url and /oauth/callback, rather than to this machine
    #[arg(long)]
    public: bool,
    /// Port of 127.0.0.1 for the vendor's answer, where the vendor wants it registered; the path is /oauth/callback
    #[arg(long, default_value_t = 0, conflicts_with = "public")]
    port: u16,
    /// Only print the address, don't open it
    #[arg(long)]
    no_browser: bool,
    #[command(flatten)]
    client: Client,
}

impl Connect {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let path = format!("/v1/credentials/{}/connect", self.credential);
        if self.public {
            let asked = self.client.post(&path, json!({})).await?;
            self.show(&asked)?;
            return report(&self.wait(&path, &asked).await?);
        }
        let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
            .await
            .map_err(|error| Failure::failed(format!("can't listen on 127.0.0.1:{}: {error} (--port takes another)", self.port)))?;
        let port = listener.local_addr().map_err(Failure::failed)?.port();
        let asked = self.client.post(&path, json!({ "redirect_uri": format!("http://127.0.0.1:{port}{CALLBACK}") })).await?;
        let (answers, mut answered) = mpsc::channel(1);
        let router = Router::new().route(CALLBACK, get(callback)).with_state(Arc::new(answers));
        let server = tokio::spawn(axum::serve(listener, router).into_future());
        self.show(&asked)?;
        let answer = tokio::time::timeout(time_left(&asked), answered.recv()).await;
        let result = match answer {
            Ok(Some(Callback { pairs, shown })) => {
                let pairs: BTreeMap<&str, &str> = pairs.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
                let result = self.client.post(&format!("{path}/{}", asked["id"].as_str().unwrap_or_default()), json!(pairs)).await;
                // The browser shows how it ended.
                let _ = shown.send(result.is_ok());
                result
            }
            _ => Err(Failure::failed("nobody agreed in time: run it again")),
        };
        // Its last page is on its way; no more are to come.
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.abort();
        report(&result?)
    }

    fn show(&self, asked: &Value) -> Result<(), Failure> {
        let url = asked["url"].as_str().ok_or_else(|| Failure::failed("the host gave no address to go to"))?;
        anstream::println!("Agree in the browser at\n\n  {}\n", plain(url));
        if !self.no_browser {
            open(url);
        }
        Ok(())
    }

    async fn wait(&self, path: &str, asked: &Value) -> Result<Value, Failure> {
        let look = async {
            loop {
                let ended = self.client.get(&format!("{path}/{}", asked["id"].as_str().unwrap_or_default()), &[]).await?;
                match ended["state"].as_str() {
                    Some("pending") => tokio::time::sleep(LOOK).await,
                    Some("failed") => return Err(Failure::failed(plain(ended["detail"].as_str().unwrap_or_default()))),
                    _ => return Ok(ended),
                }
            }
        };
        tokio::time::timeout(time_left(asked), look).await.unwrap_or_else(|_| Err(Failure::failed("nobody agreed in time: run it again")))
    }
}

/// What a browser brought, and who waits to show how it ended.
struct Callback {
    pairs: Vec<(String, Secret)>,
    shown: tokio::sync::oneshot::Sender<bool>,
}

type Page = (StatusCode, [(header::HeaderName, &'static str); 3], &'static str);

async fn callback(State(answers): State<Arc<mpsc::Sender<Callback>>>, Query(pairs): Query<Vec<(String, String)>>) -> Page {
    let (shown, ended) = tokio::sync::oneshot::channel();
    let pairs = pairs.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
    // One answer is waited for; who comes later finds nobody.
    let is_connected = answers.try_send(Callback { pairs, shown }).is_ok() && ended.await.unwrap_or(false);
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    if is_connected {
        (StatusCode::OK, headers, "Connected. You can close this window.\n")
    } else {
        (StatusCode::BAD_REQUEST, headers, "Not connected: the terminal says why.\n")
    }
}

fn time_left(asked: &Value) -> Duration {
    let end = asked["expires_at"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    end.and_then(|end| Duration::try_from(end.duration_since(Timestamp::now())).ok()).unwrap_or(Duration::from_secs(600))
}

/// Opens the person's browser, where there is one.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    // Without it the printed address does.
    let _ = Command::new(program).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}

fn report(connected: &Value) -> Result<(), Failure> {
    anstream::println!("{} is connected", plain(connected["credential"].as_str().unwrap_or_default()));
    for (name, value) in connected["said"].as_object().into_iter().flatten() {
        anstream::println!("  the vendor also said {} = {}", plain(name), plain(value.as_str().unwrap_or_default()));
    }
    if connected["renewable"] == false {
        anstream::println!(
            "  the vendor gave no refresh token: it has to be connected again when the access token ends. Many give one when asked for offline access, by `scopes` or `auth-parameters`"
        );
    }
    Ok(())
}
