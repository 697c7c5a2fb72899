//! Credentials in a browser: connected by a person's consent, broken by their vendor, and healed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use sangam_saas::Stand;
use sangam_saas::oauth::{self, OAuth};
use sangam_tests::BrowserTests;

use super::Watched;
use crate::scene::{SCRIPT, configuration};

#[tokio::test]
async fn a_credential_is_connected_by_consent_and_healed_when_its_vendor_takes_it_back() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    let vendor = Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::new(OAuth::new())).await?;
    let credential = format!(
        "[credentials.books]\ntype = \"oauth2-authorization-code\"\nhosts = [\"{url}\"]\nauth-url = \"{url}/authorize\"\n\
         token-url = \"{url}/token\"\nclient-id = \"{id}\"\nclient-secret = \"${{secret:client}}\"\nscopes = [\"read\"]\n",
        url = vendor.url(),
        id = oauth::CLIENT_ID,
    );
    let text = configuration(&vendor.url(), "credentials = [\"books\"]", &format!("{SCRIPT}{credential}"));
    let watched = Watched::on(vendor, &text, &[("client", oauth::CLIENT_SECRET)]).await?;
    let (viewer, admin, vendor) = (watched.token("viewer")?, watched.token("admin")?, watched.sink.url());
    let variables = [
        ("SANGAM_URL", watched.host.client.url.as_str()),
        ("SANGAM_TOKEN", &admin),
        ("SANGAM_VIEWER", &viewer),
        ("SANGAM_VENDOR", &vendor),
    ];
    browser.run("connect", &variables).await?;
    assert_eq!(watched.sink.state()["issued"], 2, "two consents brought two tokens: {}", watched.sink.state());
    Ok(())
}
