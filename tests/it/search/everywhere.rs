//! Credentials and the secrets of sources: searched for after everything worked, failed, and was looked at.

use anyhow::Context as _;
use reqwest::Method;
use sangam_saas::{Fault, Stand};
use sangam_tests::{Hand, HostFolder};
use serde_json::json;

use super::haystack::{Searched, files};
use super::needle::{Needle, base64, key_needles};
use super::scene::*;
use crate::scene::{event, script, sink};

#[tokio::test]
async fn no_secret_is_anywhere_but_where_it_belongs() -> anyhow::Result<()> {
    let stands = [
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
        sink().await?,
    ];
    let elsewhere = tempfile::tempdir()?;
    let key_file = elsewhere.path().join("key");
    // 32 bytes that are text, so that they can be searched for.
    let master = "sealing-key-Cc26-0123456789abcde";
    std::fs::write(&key_file, base64(master.as_bytes()).iter().chain(b"=\n").copied().collect::<Vec<u8>>())?;
    let text = text(&stands, &key_file);
    let folder = HostFolder::new(&text)?.env("SEARCH_USERNAME", USERNAME).env("SEARCH_PASSWORD", PASSWORD);
    std::fs::write(folder.path().join("header.secret"), format!("{HEADER}\n"))?;
    if let Some(database) = folder.database() {
        // The server trusts whoever asks; what matters is where the host shows the password.
        let url = database.url();
        let config = folder.path().join("sangam.toml");
        let with_password = url.replacen("@", &format!(":{DATABASE}@"), 1);
        std::fs::write(&config, std::fs::read_to_string(&config)?.replace(&url, &with_password))?;
    }
    let mut searched = Searched {
        needles: [
            ("bearer token", BEARER),
            ("password", PASSWORD),
            ("header value", HEADER),
            ("client's secret", CLIENT_SECRET),
            ("refresh token", REFRESH),
            ("rotated refresh token", ROTATED),
            ("access token", ACCESS),
            ("second access token", ACCESS_TOO),
            ("third access token", ACCESS_JWT),
            ("value of a parameter", QUERY),
            ("key of signatures", MAC),
            ("value of a placeholder", PLACE),
            ("secret of a source", HOOK),
            ("key of a source", HOOK_KEY),
            ("token of a source", HOOK_TOKEN),
            ("token in a body", HOOK_FORM),
            ("password of a source", HOOK_PASSWORD),
            ("token of a handshake", HANDSHAKE),
            ("value in clear", IN_CLEAR),
            ("value in a mistake", IN_A_MISTAKE),
            ("database's password", DATABASE),
            ("sealing key", master),
        ]
        .map(|(name, value)| Needle::new(name, value))
        .into(),
        haystack: Vec::new(),
    };
    searched.needles.extend(key_needles("private key", PRIVATE_KEY)?);
    let secrets = [
        ("bearer", BEARER),
        ("client", CLIENT_SECRET),
        ("refresh", REFRESH),
        ("query", QUERY),
        ("mac", MAC),
        ("place", PLACE),
        ("jwt", PRIVATE_KEY),
        ("hook", HOOK),
        ("hook-token", HOOK_TOKEN),
        ("hook-form", HOOK_FORM),
        ("hook-password", HOOK_PASSWORD),
        ("handshake", HANDSHAKE),
    ];
    for (name, value) in secrets {
        let set = searched.verb(&folder, &["secret", "set", name], value)?;
        assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    }
    // The one verb whose output is a secret.
    let made = folder.run(&["token", "create", "--name", "searcher"], "")?;
    let api_token = String::from_utf8(made.stdout)?.trim().to_owned();
    searched.needles.push(Needle::new("API token", &api_token));
    searched.add("errors of `sangam token create`", made.stderr);

    // Traces of everything, so that a secret has the most places to be in.
    let mut host = folder.start_with(&[("SANGAM_LOG", "trace")]).await?;
    host.client.token = Some(api_token.clone());
    let [bearer, basic, header, client, refresh, query, mac, place, jwt] = &stands;
    client.fault(Fault::once("/token", token(ACCESS, None)));
    refresh.fault(Fault::once("/token", token(ACCESS_TOO, Some(ROTATED))));
    jwt.fault(Fault::once("/token", token(ACCESS_JWT, None)));
    // The plugin writes the placeholder, wherever it goes.
    let url_of = |stand: &Stand, path: &str| {
        let filled = if stand.url() == place.url() { "/{{credential:place}}" } else { "" };
        format!("{}{filled}{path}", stand.url())
    };
    // All of them work, and the stand-ins get what they should.
    for (number, stand) in stands.iter().enumerate() {
        let lines = json!([{ "do": "write", "name": "w", "url": url_of(stand, "/w") }]);
        let document = host.client.send_and_wait(&script(&format!("good-{number}"), lines)).await?;
        assert_eq!(document["status"], "succeeded", "{document:#}");
    }
    let sent =
        |stand: &Stand, name: &str| stand.requests().last().and_then(|request| request.headers.get(name).cloned()).unwrap_or_default();
    assert_eq!(sent(bearer, "authorization"), format!("Bearer {BEARER}"));
    assert!(sent(basic, "authorization").starts_with("Basic "));
    assert_eq!(sent(header, "x-api-key"), HEADER);
    assert_eq!(
        (sent(client, "authorization"), sent(refresh, "authorization")),
        (format!("Bearer {ACCESS}"), format!("Bearer {ACCESS_TOO}"))
    );
    let path = |stand: &Stand| stand.requests().last().map(|request| request.path.clone()).unwrap_or_default();
    assert_eq!((path(query).as_str(), path(place).as_str()), ("/w?api_key=query-Nn40-Sw%2Fap%2Bx", "/placeholder-Gg28-Fi%2Fve/w"));
    assert_eq!(sent(jwt, "authorization"), format!("Bearer {ACCESS_JWT}"));
    // What was made with keys is as good as they are: for one request, or for some minutes.
    let signature = sent(mac, "x-signature");
    assert_eq!(signature.len(), 64);
    searched.needles.push(Needle::new("signature", &signature));
    let asked: String = jwt.requests().into_iter().map(|request| request.body).collect();
    let assertion = asked.split("assertion=").nth(1).and_then(|rest| rest.split('&').next()).context("an assertion was sent")?;
    searched.needles.push(Needle::new("assertion", assertion.rsplit('.').next().unwrap_or_default()));

    // Then nothing does: systems refuse and echo, token endpoints refuse and echo, plugins trap and tell what they were told.
    let mut eids = Vec::new();
    for (number, stand) in stands.iter().enumerate() {
        for status in [400, 500, 200, 302] {
            let path = url_of(stand, &format!("/echo-{status}"))
                .replacen(&stand.url(), "", 1)
                .replace("{{credential:place}}", "placeholder-Gg28-Fi%2Fve");
            stand.fault(Fault { times: 10, ..Fault::once(path, echo(status, "")) });
            for kind in ["ask", "script"] {
                let url = url_of(stand, &format!("/echo-{status}"));
                let data = match kind {
                    "ask" => json!({ "url": url, "method": "POST", "name": "n", "body": "x" }),
                    _ => {
                        json!({ "lines": [{ "do": "write", "name": "w", "url": url, "body": { "x": 1 } }, { "do": "log", "key": "said" }] })
                    }
                };
                let eid = host.client.send(&event(&format!("{kind}-{number}-{status}"), kind, data)).await?;
                eids.push(eid);
            }
        }
        stand.fault(Fault { times: 3, ..Fault::once("/token", echo(400, "invalid_grant")) });
        stand.fault(Fault { times: 20, ..Fault::once("/denied", echo(401, "")) });
        let lines = json!([{ "do": "write", "name": "w", "url": format!("{}/denied", stand.url()) }]);
        eids.push(host.client.send(&script(&format!("denied-{number}"), lines)).await?);
    }
    eids.push(host.client.send(&event("trap", "trap", json!({}))).await?);
    deliveries(&host).await?;
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    for eid in &eids {
        loop {
            let document = host.client.event(eid).await?;
            let status = document["status"].clone();
            // Whether it waits for a credential that is cooling down makes no difference to what is written where.
            let tried = document["runs"][0]["steps"][0]["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty());
            if status == "dead" || status == "succeeded" || status == "waiting" || (status == "pending" && tried) {
                break;
            }
            anyhow::ensure!(tokio::time::Instant::now() < end, "event {eid} is {status}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    // Every answer, to those with a token and to those without, good and bad.
    let mut paths: Vec<String> = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/events?limit=1000",
        "/v1/dead-letters?limit=1000",
        "/v1/dead-letters/groups",
        "/v1/routes",
        "/v1/plugins",
        "/v1/credentials",
        "/v1/sources",
        "/v1/audit?limit=1000",
        "/v1/me",
        "/v1/sources/signed",
        "/v1/sources/unreadable/set-aside",
        "/v1/data/erasures",
        "/openapi.json",
        "/",
        "/v1/nothing",
        "/v1/events/nothing",
        "/v1/events?status=%22",
        "/v1/events?q=a&cursor=x",
    ]
    .map(str::to_owned)
    .into();
    let hooks = host.client.get("/v1/events?type=hook&limit=100").await?;
    let hooks = hooks.json["events"].as_array().context("a list of events")?.clone();
    anyhow::ensure!(hooks.len() == 4, "{} deliveries came in", hooks.len());
    paths.extend(hooks.iter().filter_map(|event| Some(format!("/v1/events/{}", event["eid"].as_str()?))));
    paths.extend(eids.iter().map(|eid| format!("/v1/events/{eid}")));
    for path in &paths {
        let answer = searched.ask(&host, Method::GET, path, &[], "").await?;
        assert!(answer.status != 401, "{path}");
    }
    for body in ["", "{", "[]", "{\"specversion\":\"1.0\"}"] {
        searched.ask(&host, Method::POST, "/v1/events", &[("content-type", "application/cloudevents+json")], body).await?;
        searched.ask(&host, Method::POST, &format!("/v1/events/{}/replay", eids[0]), &[], body).await?;
    }
    for verb in ["find", "export"] {
        let whose = json!({ "subjects": ["kim@acme.example", BEARER] }).to_string();
        let answer =
            host.client.ask(Method::POST, &format!("/v1/data/{verb}"), &[("content-type", "application/json")], whose.into_bytes()).await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        // Whoever asks for a text may see it again.
        searched.add(&format!("answer to POST /v1/data/{verb}"), answer.text.replace(BEARER, ""));
    }
    let dry = json!({ "dry_run": true, "reads": "live", "from": "start" }).to_string();
    for eid in &eids {
        searched.ask(&host, Method::POST, &format!("/v1/events/{eid}/replay"), &[], &dry).await?;
    }
    searched.ask(&host, Method::POST, "/v1/dead-letters/replay", &[], "{}").await?;
    searched.ask(&host, Method::GET, "/v1/events", &[("authorization", "Bearer sgm_wrong")], "").await?;

    // Mistakes beside secrets, told by `check`, by a reload and at the start.
    let mistaken = format!(
        "{}\n[credentials.more]\ntype = \"bearer\"\nhosts = [\"https://a.invalid/path\"]\ntoken = \"{IN_A_MISTAKE}\"\ntokn = \"{IN_A_MISTAKE}\"\n\
         [credentials.clear]\ntype = \"bearer\"\nhosts = [\"https://nowhere.invalid\"]\ntoken = \"{IN_CLEAR}\"\n\
         [credentials.other]\ntype = \"nothing\"\npassword = \"{IN_A_MISTAKE}\"\n[server2]\nx = 1\n",
        std::fs::read_to_string(folder.path().join("sangam.toml"))?
    );
    let config = folder.path().join("sangam.toml");
    let good = std::fs::read_to_string(&config)?;
    for broken in
        [mistaken.clone(), format!("{mistaken}\ntoken = \"{IN_A_MISTAKE}\nunclosed"), mistaken.replace("type = \"nothing\"", "type = 1")]
    {
        std::fs::write(&config, broken)?;
        let checked = searched.verb(&folder, &["check"], "")?;
        assert_eq!(checked.status.code(), Some(2));
        assert_eq!(searched.ask(&host, Method::POST, "/v1/reload", &[], "").await?.status, 422);
        searched.verb(&folder, &["up"], "")?;
        searched.verb(&folder, &["secret", "list"], "")?;
    }
    std::fs::write(&config, good)?;

    // What the system tells of the process to others.
    let process = host.process().context("the host runs")?;
    searched.add("the host's arguments", std::fs::read(format!("/proc/{process}/cmdline"))?);
    // The process is closed to other users; whoever may not read it here finds nothing there either.
    let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    let without_given: Vec<u8> =
        environment.split(|byte| *byte == 0).filter(|entry| !entry.starts_with(b"SEARCH_")).collect::<Vec<_>>().join(&0);
    searched.add("the host's environment", without_given);

    // A key that signs plugins, which is the administrator's own.
    searched.verb(&folder, &["plugin", "keygen", "signing.pem"], "")?;
    searched.needles.extend(key_needles("signing key", &std::fs::read_to_string(folder.path().join("signing.pem"))?)?);
    std::fs::copy(sangam_tests::guest("scripted"), folder.path().join("mine.wasm"))?;
    for verb in [
        &["plugin", "sign", "mine.wasm", "--key", "signing.pem"][..],
        &["plugin", "sign", "mine.wasm", "--key", "signing.pem"],
        &["plugin", "verify", "mine.wasm"],
        &["plugin", "inspect", "mine.wasm"],
        &["plugin", "keygen", "signing.pem"],
    ] {
        searched.verb(&folder, verb, "")?;
    }

    // Every verb that prints.
    let url = host.client.url.clone();
    let ask = ["--url", &url, "--token", &api_token];
    for verb in [&["events", "list"][..], &["events", "list", "--json"], &["events", "dead"], &["events", "dead", "--json"]] {
        // The token is an argument here: what is searched is what comes out.
        let done = folder.run(&[verb, &ask].concat(), "")?;
        searched.add(&format!("output of {verb:?}"), [done.stdout, done.stderr].concat());
    }
    for eid in eids.iter().take(12) {
        for more in [&[][..], &["--json"]] {
            let done = folder.run(&[&["events", "show", eid.as_str()], more, &ask[..]].concat(), "")?;
            searched.add(&format!("output of events show {eid}"), [done.stdout, done.stderr].concat());
        }
    }
    for verb in [
        &["check"][..],
        &["secret", "list"],
        &["secret", "list", "--json"],
        &["token", "list"],
        &["token", "list", "--json"],
        &["store", "size"],
        &["store", "verify"],
        &["audit", "list", "--limit", "1000"],
        &["audit", "verify"],
        &["audit", "export"],
        &["schema", "config"],
        &["secret", "set", "not a name"],
        &["secret", "remove", "absent"],
        &["token", "revoke", "absent"],
    ] {
        searched.verb(&folder, verb, "value")?;
    }
    if folder.database().is_none() {
        searched.verb(&folder, &["store", "backup", "copy.db"], "")?;
    }
    std::fs::write(&key_file, "no key\n")?;
    searched.verb(&folder, &["secret", "list"], "")?;
    assert_eq!(host.terminate().await?, Some(0));

    // What is left behind: the database with its log, the cache of compiled code, logs, a backup.
    files(folder.path(), &["sangam.toml", "header.secret", "signing.pem"], &mut searched.haystack)?;
    for (table, rows) in Hand::into(&folder).await?.dump().await? {
        searched.add(&format!("table {table}"), rows);
    }
    assert!(searched.haystack.iter().any(|(place, bytes)| place.ends_with("host.log") && bytes.len() > 10_000), "the host told little");
    assert!(searched.haystack.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 1 << 20, "there was little to search");
    let found = searched.found();
    assert!(found.is_empty(), "{} secrets found:\n{}", found.len(), found.join("\n"));

    // The same search finds one that somebody has kept in clear, in the store and beside it.
    let in_store =
        format!("insert into canary_rollback (trial, plugin, digest, rolled_back_at, reason) values ('t', 'p', 'd', 0, '{BEARER}')");
    Hand::into(&folder).await?.run(&in_store).await?;
    std::fs::write(folder.path().join("data/left-behind"), base64(format!("Basic {USERNAME}:{PASSWORD}").as_bytes()))?;
    files(folder.path(), &["sangam.toml", "header.secret", "signing.pem"], &mut searched.haystack)?;
    for (table, rows) in Hand::into(&folder).await?.dump().await? {
        searched.add(&format!("table {table}"), rows);
    }
    let found = searched.found();
    assert!(found.iter().any(|found| found.starts_with("password (base64)") && found.ends_with("left-behind")), "{found:#?}");
    assert!(found.iter().any(|found| found == "bearer token (as it is) in table canary_rollback"), "{found:#?}");
    Ok(())
}
