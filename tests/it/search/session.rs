//! The session of somebody who logged in.

use anyhow::Context as _;
use sangam_tests::{Hand, HostFolder};
use serde_json::json;

use super::haystack::{Searched, files};
use super::needle::Needle;

#[tokio::test]
async fn a_session_is_nowhere_but_in_its_browser() -> anyhow::Result<()> {
    use sangam_tests::oidc::{CLIENT_ID, CLIENT_SECRET};
    if !sangam_tests::OpenIdProvider::is_there()? {
        return Ok(());
    }
    let provider = sangam_tests::OpenIdProvider::start(&json!({})).await?;
    let folder = HostFolder::new(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[server.oidc]\nissuer = \"{}\"\nclient-id = \"{CLIENT_ID}\"\n\
         client-secret = \"${{secret:oidc}}\"\nroles = {{ admin = [\"groups:sangam-admins\"] }}\n",
        provider.issuer
    ))?;
    folder.secret("oidc", CLIENT_SECRET)?;
    let host = folder.start_with(&[("SANGAM_LOG", "trace")]).await?;
    let url = host.client.url.clone();
    let mut browser = sangam_tests::Browser::new();
    let back = browser.login_until(&format!("{url}/login"), "admin-ann", "/login/callback").await?;
    let under_way = browser.cookie("sangam-login").map(str::to_owned);
    anyhow::ensure!(browser.get(&back).await?.status == 303, "nobody was let in");
    let session = browser.cookie("sangam").context("a session began")?.to_owned();
    let code = back.split("code=").nth(1).and_then(|rest| rest.split('&').next()).context("a code came back")?.to_owned();
    let mut searched = Searched { needles: Vec::new(), haystack: Vec::new() };
    searched.needles.extend([Needle::new("session", &session), Needle::new("code", &code), Needle::new("client's secret", CLIENT_SECRET)]);
    searched.needles.extend(under_way.map(|cookie| Needle::new("login under way", &cookie)));
    for path in ["/v1/me", "/v1/audit?limit=1000", "/v1/events", "/v1/credentials", "/v1/data/erasures", "/", "/metrics", "/v1/nothing"] {
        let answer = browser.get(&format!("{url}{path}")).await?;
        anyhow::ensure!(answer.status != 401, "{path}: {}", answer.text);
        searched.add(&format!("answer to {path}"), format!("{:?}\n{}", answer.headers, answer.text));
    }
    // The same code once more, a cookie that is none, and the end.
    for answer in [browser.get(&back).await?, browser.get(&format!("{url}/login/callback?code=x&state=y")).await?] {
        searched.add("answer to a second callback", answer.text);
    }
    searched.verb(&folder, &["audit", "export"], "")?;
    assert_eq!(host.terminate().await?, Some(0));
    files(folder.path(), &["sangam.toml"], &mut searched.haystack)?;
    for (table, rows) in Hand::into(&folder).await?.dump().await? {
        searched.add(&format!("table {table}"), rows);
    }
    let found = searched.found();
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
    // Its name is there: somebody was looked at.
    assert!(
        searched.haystack.iter().any(|(place, bytes)| place.contains("/v1/me") && String::from_utf8_lossy(bytes).contains("admin-ann"))
    );
    Ok(())
}
