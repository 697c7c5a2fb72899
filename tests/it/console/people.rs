//! People who log in at their provider, at two hosts of one store, of which one is lost.

use sangam_tests::oidc::{CLIENT_ID, CLIENT_SECRET};
use sangam_tests::{BrowserTests, HostFolder, OpenIdProvider, TestStore, postgres};
use serde_json::json;

use crate::scene::{SCRIPT, configuration, sink};

/// On PostgreSQL alone: two hosts share no file.
#[tokio::test]
async fn people_log_in_at_one_of_two_hosts_and_see_the_other_go() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    if TestStore::wanted()? != TestStore::Postgres || !postgres::is_there()? || !OpenIdProvider::is_there()? {
        return Ok(());
    }
    let (provider, sink) = (OpenIdProvider::start(&json!({})).await?, sink().await?);
    let login = format!(
        "[server.oidc]\nissuer = \"{}\"\nclient-id = \"{CLIENT_ID}\"\nclient-secret = \"${{secret:oidc}}\"\n\
         roles = {{ admin = [\"groups:sangam-admins\"], operator = [\"groups:sangam-operators\"], viewer = [\"realm_access.roles:staff\"] }}\n",
        provider.issuer,
    );
    let text = configuration(&sink.url(), "", &format!("{SCRIPT}{login}")).replace("access = \"open\"\n", "");
    let folder = HostFolder::on(TestStore::Postgres, &text)?;
    folder.secret("oidc", CLIENT_SECRET)?;
    let (stays, goes) = (folder.start().await?, folder.start().await?);
    let goes_as = goes.process().unwrap_or_default().to_string();
    let variables = [("SANGAM_URL", stays.client.url.as_str()), ("SANGAM_OTHER", &goes.client.url), ("SANGAM_OTHER_PROCESS", &goes_as)];
    browser.run("people", &variables).await?;
    stays.kill().await
}
