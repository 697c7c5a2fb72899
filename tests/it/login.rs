//! People log in at a real OpenID provider, through its own pages; and everything that is wrong with an answer of it is found.

use anyhow::{Context as _, ensure};
use reqwest::Method;
use sangam_tests::oidc::{CLIENT_ID, CLIENT_SECRET};
use sangam_tests::{Answer, Browser, Host, HostFolder, OpenIdProvider, TestStore, postgres};
use serde_json::{Value, json};

const CALLBACK: &str = "/login/callback";
/// On plain HTTP to loopback.
const SESSION: &str = "sangam";

fn configuration(issuer: &str, more: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[server.oidc]\nissuer = \"{issuer}\"\nclient-id = \"{CLIENT_ID}\"\n\
         client-secret = \"${{secret:oidc}}\"\n{more}\n\
         roles = {{ admin = [\"groups:sangam-admins\"], operator = [\"email:oleg@acme.example\", \"email:unverified@acme.example\"], \
         viewer = [\"realm_access.roles:staff\"] }}\n"
    )
}

/// A host whose people log in there.
async fn scene(settings: Value, more: &str) -> anyhow::Result<(OpenIdProvider, HostFolder, Host)> {
    let provider = OpenIdProvider::start(&settings).await?;
    let folder = HostFolder::new(&configuration(&provider.issuer, more))?;
    folder.secret("oidc", CLIENT_SECRET)?;
    let host = folder.start().await?;
    Ok((provider, folder, host))
}

/// Through the provider's pages, up to the address that it sends the browser back to.
async fn answer_of(browser: &mut Browser, host: &Host, account: &str) -> anyhow::Result<String> {
    browser.login_until(&format!("{}/login", host.client.url), account, CALLBACK).await
}

async fn logged_in(host: &Host, account: &str) -> anyhow::Result<Browser> {
    let mut browser = Browser::new();
    let back = answer_of(&mut browser, host, account).await?;
    let answer = browser.get(&back).await?;
    ensure!(answer.status == 303, "{account} was not let in: {} {}", answer.status, answer.text);
    Ok(browser)
}

async fn me(browser: &mut Browser, host: &Host) -> anyhow::Result<Answer> {
    browser.get(&format!("{}/v1/me", host.client.url)).await
}

#[tokio::test]
async fn people_log_in_and_are_what_the_provider_says_of_them() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    for settings in [json!({}), json!({ "alg": "ES256" }), json!({ "alg": "EdDSA", "idTokenClaims": false })] {
        let (_provider, folder, host) = scene(settings.clone(), "").await?;
        for (account, role) in [("admin-ann", "admin"), ("oleg", "operator"), ("vera", "viewer"), ("unverified", "viewer")] {
            let mut browser = logged_in(&host, account).await?;
            let who = me(&mut browser, &host).await?;
            assert_eq!(
                (who.status, &who.json["kind"], &who.json["subject"], &who.json["role"]),
                (200, &json!("person"), &json!(account), &json!(role)),
                "{settings}"
            );
            assert_eq!(who.json["name"], format!("{account} of the tests"));
            let reads = browser.get(&format!("{}/v1/events", host.client.url)).await?;
            assert_eq!(reads.status, 200, "{account}");
        }
        // The provider lets her in; nobody has said what she may do here.
        let mut browser = Browser::new();
        let back = answer_of(&mut browser, &host, "guest").await?;
        let answer = browser.get(&back).await?;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(answer.text.contains("guest of the tests") && answer.text.contains("no role"), "{}", answer.text);
        assert_eq!(browser.cookie(SESSION), None);
        assert_eq!(me(&mut browser, &host).await?.status, 401);
        let listed = folder.run(&["session", "list", "--json"], "")?;
        let listed: Value = serde_json::from_slice(&listed.stdout)?;
        assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(4), "{listed}");
        // Over the API, too; and who is sent away by an administrator is no longer let in.
        let mut ann = logged_in(&host, "admin-ann").await?;
        let mut vera = logged_in(&host, "vera").await?;
        let sessions = ann.get(&format!("{}/v1/sessions", host.client.url)).await?.json["sessions"].clone();
        let latest = |subject: &str| {
            let all = sessions.as_array().into_iter().flatten().filter(|session| session["subject"] == subject);
            // As texts, a whole second would come after all of its fractions.
            let began = |session: &&Value| session["created_at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
            all.max_by_key(began).cloned().unwrap_or_default()
        };
        assert_eq!((&latest("admin-ann")["own"], &latest("vera")["own"]), (&json!(true), &json!(false)), "{sessions}");
        let path = format!("{}/v1/sessions/{}/revoke", host.client.url, latest("vera")["id"].as_str().unwrap_or_default());
        let origin = host.client.url.clone();
        let headers = [("origin", origin.as_str()), ("sangam-request", "1"), ("content-type", "application/json")];
        assert_eq!(vera.ask(Method::POST, &path, &headers, "{}").await?.status, 403);
        assert_eq!(ann.ask(Method::POST, &path, &headers, "{}").await?.status, 200);
        assert_eq!(me(&mut vera, &host).await?.status, 401);
        assert_eq!(ann.ask(Method::POST, &path, &headers, "{}").await?.status, 404);
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_is_good_once_and_in_the_browser_that_asked() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    let (_provider, _folder, host) = scene(json!({}), "").await?;
    let mut browser = Browser::new();
    let back = answer_of(&mut browser, &host, "admin-ann").await?;
    let url = reqwest::Url::parse(&back)?;
    let part = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default();
    let with = |name: &str, value: Option<&str>| {
        let mut changed = url.clone();
        changed.query_pairs_mut().clear().extend_pairs(url.query_pairs().filter(|(key, _)| key != name));
        if let Some(value) = value {
            changed.query_pairs_mut().append_pair(name, value);
        }
        String::from(changed)
    };
    assert!(!part("state").is_empty() && part("iss").starts_with("http://127.0.0.1"), "{back}");
    // In a browser that did not ask: somebody is made to log in as somebody else.
    let mut victim = Browser::new();
    assert_eq!(victim.get(&back).await?.status, 400);
    let begun = answer_of(&mut victim, &host, "vera").await?;
    let mixed = with(
        "state",
        reqwest::Url::parse(&begun)?.query_pairs().find(|(key, _)| key == "state").map(|(_, value)| value.into_owned()).as_deref(),
    );
    // With a code of somebody else's login the challenge does not fit.
    let answer = victim.get(&mixed).await?;
    assert_eq!(answer.status, 403, "another login's code: {}", answer.text);
    assert_eq!(victim.cookie(SESSION), None);
    // Each of these ends the login under way: one answer, right or wrong.
    for (what, changed, status) in [
        ("no state", with("state", None), 400),
        ("an empty state", with("state", Some("")), 400),
        ("another state", with("state", Some("AAAA")), 400),
        ("another issuer", with("iss", Some("https://evil.example")), 403),
        ("no issuer, where the provider always says it", with("iss", None), 403),
        ("a refusal", format!("{}&error=access_denied", with("code", None)), 403),
        ("no code", with("code", None), 400),
    ] {
        let mut other = Browser::new();
        let back = answer_of(&mut other, &host, "admin-ann").await?;
        // The same change, made to an answer to this browser.
        let fresh = reqwest::Url::parse(&back)?;
        let fresh_state = fresh.query_pairs().find(|(key, _)| key == "state").map(|(_, value)| value.into_owned()).unwrap_or_default();
        let fresh_code = fresh.query_pairs().find(|(key, _)| key == "code").map(|(_, value)| value.into_owned()).unwrap_or_default();
        let changed = changed.replace(&part("state"), &fresh_state).replace(&part("code"), &fresh_code);
        let answer = other.get(&changed).await?;
        assert_eq!(answer.status, status, "{what}: {}", answer.text);
        assert_eq!(other.cookie(SESSION), None, "{what}");
        assert_eq!(other.get(&back).await?.status, 400, "{what}: the login under way is over");
    }
    // In the browser that asked.
    let under_way = browser.cookie("sangam-login").context("a login is under way")?.to_owned();
    let answer = browser.get(&back).await?;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{}", answer.text);
    let cookie = answer.headers.iter().find(|(name, value)| name == "set-cookie" && value.starts_with("sangam=")).context("a session")?;
    for word in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.1.contains(word), "{}", cookie.1);
    }
    assert!(!cookie.1.contains("Domain") && !cookie.1.contains("Secure"), "{}", cookie.1);
    assert_eq!(browser.get(&back).await?.status, 400, "again, in the same browser");
    // Again with what the browser kept: the provider has taken the code back.
    browser.set_cookie("sangam-login", &under_way);
    let answer = browser.get(&back).await?;
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert!(answer.text.contains("invalid_grant"), "{}", answer.text);
    assert!(!host.log().contains(CLIENT_SECRET) && !host.log().contains(&part("code")), "the log tells secrets");
    Ok(())
}

#[tokio::test]
async fn an_id_token_that_is_not_right_lets_nobody_in() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    for alg in ["RS256", "ES256"] {
        let (provider, _folder, host) = scene(json!({ "alg": alg }), "").await?;
        for (mode, word) in [
            ("nonce", "nonce"),
            ("no-nonce", "nonce"),
            ("audience", "aud"),
            ("audiences", "azp"),
            ("azp", "azp"),
            ("issuer", "iss"),
            ("expired", "expired"),
            ("future", "not good yet"),
            ("no-expiry", "exp"),
            ("no-subject", "sub"),
            ("signature", "signature"),
            ("claims", "signature"),
            ("none", "alg"),
            ("none-cased", "alg"),
            ("hmac", "alg"),
            ("hmac-secret", "alg"),
            ("other-key", "signature"),
            ("own-key", "no key"),
            ("critical", "alg"),
            ("garbage", "not a signed token"),
        ] {
            provider.tamper(None).await?;
            let mut browser = Browser::new();
            let back = answer_of(&mut browser, &host, "admin-ann").await?;
            provider.tamper(Some(mode)).await?;
            let answer = browser.get(&back).await?;
            assert_eq!(answer.status, 403, "{alg} {mode}: {}", answer.text);
            assert!(answer.json["detail"].as_str().is_some_and(|detail| detail.contains(word)), "{alg} {mode}: {}", answer.text);
            assert_eq!(browser.cookie(SESSION), None, "{alg} {mode}");
        }
        provider.tamper(None).await?;
        logged_in(&host, "admin-ann").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_provider_may_change_its_keys_and_those_that_are_gone_are_gone() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    let (provider, _folder, host) = scene(json!({ "alg": "ES256" }), "").await?;
    logged_in(&host, "admin-ann").await?;
    // Keys are asked for again so soon at most; the login below is later than that by its own.
    tokio::time::sleep(std::time::Duration::from_millis(3100)).await;
    provider.rotate().await?;
    logged_in(&host, "admin-ann").await.context("signed with the new key")?;
    let mut browser = Browser::new();
    let back = answer_of(&mut browser, &host, "admin-ann").await?;
    provider.tamper(Some("former-key")).await?;
    let answer = browser.get(&back).await?;
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert_eq!(browser.cookie(SESSION), None);
    Ok(())
}

#[tokio::test]
async fn without_the_provider_nobody_new_comes_in_and_the_rest_goes_on() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    let (provider, folder, host) = scene(json!({}), "").await?;
    let mut inside = logged_in(&host, "admin-ann").await?;
    let mut waiting = Browser::new();
    let back = answer_of(&mut waiting, &host, "vera").await?;
    provider.down(true).await?;
    let answer = waiting.get(&back).await?;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.header("retry-after").is_some() && answer.text.contains("provider"), "{}", answer.text);
    assert_eq!(me(&mut inside, &host).await?.status, 200, "who is in stays in");
    assert_eq!(host.terminate().await?, Some(0));
    // It starts without the provider, and learns of it later.
    let host = folder.start().await?;
    assert_eq!(me(&mut inside, &host).await?.status, 200, "a session outlives the host");
    let answer = Browser::new().get(&format!("{}/login", host.client.url)).await?;
    assert_eq!(answer.status, 503, "{}", answer.text);
    provider.down(false).await?;
    tokio::time::sleep(std::time::Duration::from_millis(3100)).await;
    logged_in(&host, "vera").await?;
    // Another provider in the configuration: its sessions are not those of this one.
    assert_eq!(host.terminate().await?, Some(0));
    folder.configure(&configuration("http://127.0.0.1:9", ""))?;
    let host = folder.start().await?;
    assert_eq!(me(&mut inside, &host).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_session_changes_something_from_the_hosts_own_pages_only() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    let (_provider, folder, host) = scene(json!({}), "").await?;
    let mut browser = logged_in(&host, "admin-ann").await?;
    let own = host.client.url.clone();
    let reload = format!("{own}/v1/reload");
    let json = ("content-type", "application/json");
    for (what, headers, status) in [
        ("a form elsewhere", vec![("content-type", "application/x-www-form-urlencoded"), ("origin", "https://elsewhere.example")], 403),
        ("a form in a sandboxed frame", vec![("content-type", "text/plain"), ("origin", "null")], 403),
        ("a form in a browser that says nothing", vec![("content-type", "text/plain")], 415),
        ("a script elsewhere", vec![json, ("origin", "https://elsewhere.example"), ("sangam-request", "1")], 403),
        ("another port of this machine", vec![json, ("origin", "http://127.0.0.1:1"), ("sangam-request", "1")], 403),
        ("a page elsewhere, by what the browser says", vec![json, ("sec-fetch-site", "cross-site"), ("sangam-request", "1")], 403),
        ("a neighbour under the same domain", vec![json, ("sec-fetch-site", "same-site"), ("sangam-request", "1")], 403),
        ("nothing but the cookie", vec![json], 403),
        ("the header without an origin", vec![json, ("sangam-request", "1")], 403),
        ("the origin without the header", vec![json, ("origin", own.as_str())], 403),
        ("a page of the host's", vec![json, ("origin", own.as_str()), ("sangam-request", "1")], 200),
        ("the same, by what the browser says", vec![json, ("sec-fetch-site", "same-origin"), ("sangam-request", "1")], 200),
    ] {
        let answer = browser.ask(Method::POST, &reload, &headers, "{}").await?;
        assert_eq!(answer.status, status, "{what}: {}", answer.text);
    }
    // A token is sent by no browser by itself.
    let done = folder.run(&["token", "create"], "")?;
    let mut program = host.client.clone();
    program.token = Some(String::from_utf8_lossy(&done.stdout).trim().to_owned());
    assert_eq!(program.post("/v1/reload", &json!({})).await?.status, 200);
    assert_eq!(program.post("/logout", &json!({})).await?.status, 409);
    // A viewer's page does not do what the role does not include.
    let mut viewer = logged_in(&host, "vera").await?;
    let page = [json, ("origin", own.as_str()), ("sangam-request", "1")];
    assert_eq!(viewer.ask(Method::POST, &reload, &page, "{}").await?.status, 403);
    // Logging out can't be done from elsewhere either; then the session is gone, also where it was copied to.
    let stolen = browser.cookie(SESSION).context("a session")?.to_owned();
    let logout = format!("{own}/logout");
    assert_eq!(browser.ask(Method::POST, &logout, &[json], "{}").await?.status, 403);
    assert_eq!(browser.ask(Method::POST, &logout, &page, "{}").await?.status, 204);
    assert_eq!(browser.cookie(SESSION), None);
    browser.set_cookie(SESSION, &stolen);
    assert_eq!(me(&mut browser, &host).await?.status, 401);
    // A neighbour that sets a second one of that name achieves nothing but a login.
    let twice = format!("{SESSION}={}; {SESSION}={stolen}", viewer.cookie(SESSION).unwrap_or_default());
    assert_eq!(Browser::new().ask(Method::GET, &format!("{own}/v1/me"), &[("cookie", &twice)], "").await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn sessions_end_by_themselves_and_by_command_and_are_kept_as_digests() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    let (_provider, folder, host) = scene(json!({}), "session-idle = \"1h\"\nsession-lifetime = \"2h\"").await?;
    let (mut ann, mut vera) = (logged_in(&host, "admin-ann").await?, logged_in(&host, "vera").await?);
    let text = vera.cookie(SESSION).context("a session")?.to_owned();
    for wrong in ["", "x", &"A".repeat(43), &text[1..], &text.to_uppercase()] {
        let mut guesser = Browser::new();
        guesser.set_cookie(SESSION, wrong);
        assert_eq!(me(&mut guesser, &host).await?.status, 401, "{wrong:?}");
    }
    let listed = folder.run(&["session", "list", "--json"], "")?;
    let listed: Value = serde_json::from_slice(&listed.stdout)?;
    let of = |subject: &str| listed["sessions"].as_array().into_iter().flatten().find(|session| session["subject"] == subject).cloned();
    let id = of("admin-ann").context("listed")?["id"].as_str().unwrap_or_default().to_owned();
    assert!(!listed.to_string().contains(&text), "a list shows a session");
    ensure!(folder.run(&["session", "revoke", &id], "")?.status.success(), "revoke");
    assert_eq!(me(&mut ann, &host).await?.status, 401);
    assert_eq!(me(&mut vera, &host).await?.status, 200);
    assert_eq!(folder.run(&["session", "revoke", &id], "")?.status.code(), Some(1));
    assert_eq!(host.terminate().await?, Some(0));
    for (ahead, status) in [("50m", 200), ("100m", 200), ("130m", 401)] {
        // Seen at 50 min, and so not idle at 100 min; at 130 min the two hours since the login are over.
        let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", ahead)]).await?;
        assert_eq!(me(&mut vera, &host).await?.status, status, "{ahead}");
        assert_eq!(host.terminate().await?, Some(0));
    }
    let host = folder.start().await?;
    let mut idle = logged_in(&host, "vera").await?;
    assert_eq!(host.terminate().await?, Some(0));
    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", "61m")]).await?;
    assert_eq!(me(&mut idle, &host).await?.status, 401, "idle for an hour");
    assert_eq!(host.terminate().await?, Some(0));
    for entry in std::fs::read_dir(folder.path().join("data")).into_iter().flatten() {
        let path = entry?.path();
        if path.is_file() {
            let bytes = std::fs::read(&path)?;
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{} holds a session in clear text", path.display());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_login_leads_back_to_this_host_only() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    let (_provider, _folder, host) = scene(json!({}), "").await?;
    for wrong in [
        "https://evil.example/",
        "//evil.example",
        "/%5Cevil.example",
        "/%09/evil.example",
        "evil",
        "javascript:alert(1)",
        "/%0d%0aset-cookie:x=y",
    ] {
        let answer = Browser::new().get(&format!("{}/login?return={wrong}", host.client.url)).await?;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{wrong}");
    }
    let mut browser = Browser::new();
    let back = browser.login_until(&format!("{}/login?return=/v1/events%3Fstatus%3Ddead", host.client.url), "vera", CALLBACK).await?;
    assert_eq!(browser.get(&back).await?.header("location"), Some("/v1/events?status=dead"));
    Ok(())
}

#[tokio::test]
async fn who_fails_to_log_in_again_and_again_has_to_wait() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? {
        return Ok(());
    }
    let provider = OpenIdProvider::start(&json!({})).await?;
    let text = configuration(&provider.issuer, "")
        .replace("[server.oidc]", "max-wrong-tokens = 3\ntrusted-proxies = [\"127.0.0.1\"]\n[server.oidc]");
    let folder = HostFolder::new(&text)?;
    folder.secret("oidc", CLIENT_SECRET)?;
    let host = folder.start().await?;
    let url = format!("{}{CALLBACK}?code=guess&state=guess", host.client.url);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(Browser::new().ask(Method::GET, &url, &[("x-forwarded-for", "192.0.2.1")], "").await?.status);
    }
    assert_eq!(statuses, [400, 400, 400, 429, 429]);
    let begin = format!("{}/login", host.client.url);
    assert_eq!(Browser::new().ask(Method::GET, &begin, &[("x-forwarded-for", "192.0.2.1")], "").await?.status, 429);
    assert_eq!(Browser::new().ask(Method::GET, &begin, &[("x-forwarded-for", "192.0.2.2")], "").await?.status, 303);
    host.terminate().await?;
    let exported = String::from_utf8(folder.run(&["audit", "export"], "")?.stdout)?;
    let entries: Vec<Value> = exported.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let refused = entries.iter().filter(|entry| entry["action"] == "login.refused");
    assert_eq!(refused.filter_map(|entry| entry["details"]["attempts"]["192.0.2.1"].as_u64()).sum::<u64>(), 3, "{exported}");
    Ok(())
}

#[tokio::test]
async fn a_login_begun_at_one_host_is_finished_at_another() -> anyhow::Result<()> {
    if !OpenIdProvider::is_there()? || !postgres::is_there()? {
        return Ok(());
    }
    let provider = OpenIdProvider::start(&json!({})).await?;
    let folder = HostFolder::on(TestStore::Postgres, &configuration(&provider.issuer, ""))?;
    folder.secret("oidc", CLIENT_SECRET)?;
    let (one, other) = (folder.start().await?, folder.start().await?);
    let mut browser = Browser::new();
    let back = answer_of(&mut browser, &one, "admin-ann").await?;
    let elsewhere = back.replace(&one.client.url, &other.client.url);
    let answer = browser.get(&elsewhere).await?;
    assert_eq!(answer.status, 303, "{}", answer.text);
    for host in [&one, &other] {
        assert_eq!(me(&mut browser, host).await?.status, 200);
    }
    ensure!(folder.run(&["session", "revoke", "--subject", "admin-ann"], "")?.status.success(), "revoke");
    for host in [&one, &other] {
        assert_eq!(me(&mut browser, host).await?.status, 401);
    }
    Ok(())
}
