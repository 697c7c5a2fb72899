//! A browser as far as logging in needs one: keeps cookies as browsers do (by host, not by port), follows redirects, fills in the login
//! and consent pages of the OpenID provider under test.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use reqwest::Method;
use reqwest::redirect::Policy;

use crate::client::Answer;

/// Redirects and pages of one login.
const MOST_STEPS: usize = 20;

/// One browser, with its cookies.
#[derive(Debug, Clone)]
pub struct Browser {
    http: reqwest::Client,
    /// By name and path.
    cookies: BTreeMap<(String, String), String>,
}

impl Default for Browser {
    fn default() -> Browser {
        Browser::new()
    }
}

impl Browser {
    /// One without cookies.
    pub fn new() -> Browser {
        let tls = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = reqwest::Client::builder().tls_backend_preconfigured(tls).redirect(Policy::none()).build();
        Browser { http: client.expect("a client can be built"), cookies: BTreeMap::new() }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|((known, _), _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sets a cookie, as somebody would who has stolen it.
    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert((name.to_owned(), "/".to_owned()), value.to_owned());
    }

    /// One request, cookies sent and kept, no redirect followed.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn ask(&mut self, method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> anyhow::Result<Answer> {
        let target = reqwest::Url::parse(url)?;
        let sent: Vec<String> = self
            .cookies
            .iter()
            .filter(|((_, path), _)| target.path().starts_with(path.as_str()))
            .map(|((name, _), value)| format!("{name}={value}"))
            .collect();
        let mut request = self.http.request(method, target).body(body.to_owned());
        if !sent.is_empty() {
            request = request.header("cookie", sent.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.with_context(|| format!("asking {url}"))?;
        let status = response.status().as_u16();
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        for (_, cookie) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            self.keep(cookie);
        }
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status, headers, text, json })
    }

    /// GET, no redirect followed.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&mut self, url: &str) -> anyhow::Result<Answer> {
        self.ask(Method::GET, url, &[], "").await
    }

    /// Goes on from `url` as an account: through redirects, the login page and the consent page, until an address is to be opened that
    /// contains `until`; gives that address without opening it.
    ///
    /// # Errors
    /// When the way does not lead there.
    pub async fn login_until(&mut self, url: &str, account: &str, until: &str) -> anyhow::Result<String> {
        let mut answer = self.get(url).await?;
        let mut here = reqwest::Url::parse(url)?;
        for _ in 0..MOST_STEPS {
            if let Some(location) = answer.header("location") {
                here = here.join(location)?;
                if here.as_str().contains(until) {
                    return Ok(here.into());
                }
                answer = self.get(here.as_str()).await?;
                continue;
            }
            ensure!(answer.status == 200, "{here} answered {}: {}", answer.status, answer.text);
            let action = answer.text.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
            here = here.join(action.with_context(|| format!("no form at {here}: {}", answer.text))?)?;
            let form = match answer.text.contains("value=\"consent\"") {
                true => "prompt=consent".to_owned(),
                false => format!("prompt=login&login={account}&password=any"),
            };
            answer = self.ask(Method::POST, here.as_str(), &[("content-type", "application/x-www-form-urlencoded")], &form).await?;
        }
        bail!("the way from {url} does not lead to {until}")
    }

    fn keep(&mut self, text: &str) {
        let mut parts = text.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let mut path = "/".to_owned();
        let mut gone = value.is_empty();
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            match key.to_ascii_lowercase().as_str() {
                "path" => path = value.to_owned(),
                "max-age" => gone |= value.starts_with('0') || value.starts_with('-'),
                "expires" => gone |= value.contains(" 1970 "),
                _ => {}
            }
        }
        let key = (name.to_owned(), path);
        if gone { drop(self.cookies.remove(&key)) } else { drop(self.cookies.insert(key, value.to_owned())) }
    }
}
