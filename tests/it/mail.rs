//! `sangam.mail` through a real mail server; what arrived is what Python's `email` reads.

use anyhow::{Context as _, ensure};
use sangam_tests::{Host, HostFolder, MailServer};
use serde_json::{Value, json};

use crate::scene::{event, step};

const PASSWORD: &str = "correct-horse-battery";

/// A host with one relay, which is a real mail server, and one route from `letter` to a mail.
struct Post {
    server: MailServer,
    folder: HostFolder,
    host: Host,
}

/// `None`: there is no mail server here.
async fn post(settings: Value, relay: &str, step: &str) -> anyhow::Result<Option<Post>> {
    if !MailServer::is_there()? {
        return Ok(None);
    }
    let server = MailServer::start(settings).await?;
    let folder = HostFolder::new("")?;
    std::fs::write(folder.path().join("ca.pem"), &server.authority)?;
    folder.configure(&configuration(&server, relay, step))?;
    folder.secret("mail-password", PASSWORD)?;
    let host = folder.start().await?;
    Ok(Some(Post { server, folder, host }))
}

fn configuration(server: &MailServer, relay: &str, step: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n\n[mail.office]\nhost = \"localhost\"\nport = {}\nfrom = \"Acme <office@acme.example>\"\n\
         ca-file = \"ca.pem\"\ntimeout = \"10s\"\n{relay}\n\n[[routes]]\nname = \"letter\"\non = {{ type = \"letter\" }}\n[[routes.steps]]\nname = \"mail\"\n\
         uses = \"sangam.mail\"\nretry = {{ initial = \"50ms\", factor = 1, jitter = 0 }}\n{step}\n",
        server.port
    )
}

const STARTTLS: &str = "username = \"office\"\npassword = \"${secret:mail-password}\"";
const PLAIN: &str = "tls = \"none\"";

fn login() -> Value {
    json!({ "tls": "starttls", "user": "office", "password": PASSWORD })
}

fn letter(id: &str, more: Value) -> Value {
    let mut input = json!({ "to": "Anna Berg <anna@client.example>", "subject": "Invoice 4711", "text": "Dear Anna" });
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    event(id, "letter", input)
}

impl Post {
    async fn sent(&mut self, more: Value) -> anyhow::Result<(Value, Value)> {
        let document = self.host.client.send_and_wait(&letter("1", more)).await?;
        ensure!(document["status"] == "succeeded", "{document:#}");
        Ok((document, self.server.mail().await?))
    }

    /// The same with another host, after the present one was stopped or killed.
    async fn again(self, killed: bool, env: &[(&str, &str)]) -> anyhow::Result<Post> {
        let Post { server, folder, host } = self;
        if killed {
            host.kill().await?;
        } else {
            host.terminate().await?;
        }
        let host = folder.start_with(env).await?;
        Ok(Post { server, folder, host })
    }

    fn log(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("host.log"))?)
    }
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() -> anyhow::Result<()> {
    let Some(mut post) = post(login(), STARTTLS, "").await? else { return Ok(()) };
    let long = "word ".repeat(400);
    let html = format!("<p>{long}</p>");
    let more = json!({
        "to": ["Anna Bergström <anna@client.example>", { "name": "Ben, the \"boss\"", "address": "ben@client.example" }],
        "cc": "carla@müller.example",
        "bcc": "archive@acme.example",
        "reply_to": "Billing <billing@acme.example>",
        "subject": "Rechnung über 1.200 € – bitte lesen, denn dieser Betreff ist länger als eine Zeile einer E-Mail es sein darf",
        "text": "Grüße\n.\n.dot\nFrom here\n",
        "html": html,
        "attachments": [
            { "name": "Rechnung März.pdf", "content_type": "application/pdf", "base64": "JVBERi0xLjQK/wA=" },
            { "name": "note.txt", "content_type": "text/plain; charset=utf-8", "text": "a\nb" }
        ]
    });
    let (document, mail) = post.sent(more).await?;
    assert_eq!(mail["defects"], json!([]), "{mail:#}");
    assert_eq!((&mail["tls"], &mail["user"], &mail["bare"]), (&json!(true), &json!("office"), &json!(false)), "{mail:#}");
    assert!(mail["longest_line"].as_u64().is_some_and(|longest| longest <= 998), "{}", mail["longest_line"]);
    assert_eq!(mail["from"], "office@acme.example");
    assert_eq!(mail["to"], json!(["anna@client.example", "ben@client.example", "carla@xn--mller-kva.example", "archive@acme.example"]));
    let headers = &mail["headers"];
    let one = |name: &str| headers[name][0].as_str().unwrap_or_default().to_owned();
    assert_eq!(one("from"), "Acme <office@acme.example>");
    assert_eq!(one("to"), "Anna Bergström <anna@client.example>, \"Ben, the \\\"boss\\\"\" <ben@client.example>");
    assert_eq!(one("reply-to"), "Billing <billing@acme.example>");
    assert!(
        one("subject").starts_with("Rechnung über 1.200 € – bitte lesen") && one("subject").ends_with("es sein darf"),
        "{}",
        one("subject")
    );
    assert_eq!(one("auto-submitted"), "auto-generated");
    assert!(headers["bcc"].is_null(), "{headers:#}");
    let key = step(&document, "mail")?["attempts"][0]["effects"][0]["key"].as_str().context("a key")?.to_owned();
    assert_eq!(one("message-id"), format!("<{key}@acme.example>"));
    let parts = mail["parts"].as_array().context("parts")?;
    let kinds: Vec<&str> = parts.iter().filter_map(|part| part["type"].as_str()).collect();
    assert_eq!((mail["kind"].as_str(), kinds), (Some("multipart/mixed"), vec!["text/plain", "text/html", "application/pdf", "text/plain"]));
    assert_eq!(parts[0]["text"].as_str().map(str::trim_end), Some("Grüße\n.\n.dot\nFrom here"));
    assert_eq!(parts[1]["text"].as_str().map(str::trim_end), Some(html.trim_end()));
    assert_eq!(parts[2]["name"], "Rechnung März.pdf");
    assert_eq!(parts[2]["sha256"].as_str(), Some(sha256(b"%PDF-1.4\n\xff\0").as_str()));
    assert_eq!(parts[3]["sha256"].as_str(), Some(sha256(b"a\nb").as_str()));
    let output = &step(&document, "mail")?["output"];
    assert_eq!(output["message_id"], format!("<{key}@acme.example>"));
    assert!(output["reply"].as_str().is_some_and(|reply| reply.contains("queued as TEST")), "{output}");
    let effect = &step(&document, "mail")?["attempts"][0]["effects"][0];
    assert_eq!((&effect["kind"], &effect["state"], &effect["name"]), (&json!("mail"), &json!("done"), &json!("mail")), "{effect:#}");
    ensure!(!document.to_string().contains(PASSWORD) && !post.log()?.contains(PASSWORD), "the password is shown");
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_mail_whose_answer_was_lost_goes_again_under_the_same_id() -> anyhow::Result<()> {
    let Some(mut post) = post(json!({ "tls": "none" }), PLAIN, "").await? else { return Ok(()) };
    post.server.order(json!({ "drop": 1 })).await?;
    let (document, first) = post.sent(json!({})).await?;
    let second = post.server.mail().await?;
    assert_eq!((&first["raw"], &first["headers"]["message-id"]), (&second["raw"], &second["headers"]["message-id"]));
    let attempts = step(&document, "mail")?["attempts"].clone();
    assert_eq!(
        (&attempts[0]["effects"][0]["state"], &attempts[1]["effects"][0]["state"]),
        (&json!("in-doubt"), &json!("done")),
        "{attempts:#}"
    );
    assert!(
        attempts[0]["error"]["reason"].as_str().is_some_and(|reason| reason.contains("had the whole mail and did not answer")),
        "{attempts:#}"
    );
    Ok(())
}

#[tokio::test]
async fn a_host_killed_while_the_relay_has_the_mail_sends_it_again_under_the_same_id() -> anyhow::Result<()> {
    let Some(mut post) = post(json!({ "tls": "none" }), PLAIN, "").await? else { return Ok(()) };
    post.server.order(json!({ "stall": 1 })).await?;
    let eid = post.host.client.send(&letter("1", json!({}))).await?;
    let first = post.server.mail().await?;
    let mut post = post.again(true, &[]).await?;
    let second = post.server.mail().await?;
    assert_eq!(first["raw"], second["raw"]);
    post.host.client.until(&eid, "succeeded").await?;
    Ok(())
}

#[tokio::test]
async fn in_doubt_it_waits_for_a_person_where_the_step_says_so() -> anyhow::Result<()> {
    let Some(mut post) = post(json!({ "tls": "none" }), PLAIN, "on-doubt = \"hold\"").await? else { return Ok(()) };
    post.server.order(json!({ "drop": 1 })).await?;
    let eid = post.host.client.send(&letter("1", json!({}))).await?;
    let held = post.host.client.until(&eid, "waiting").await?;
    let (run, seq) = (held["runs"][0]["id"].clone(), step(&held, "mail")?["held"][0]["seq"].clone());
    let said = json!({ "outcome": "not-done" });
    let path = format!("/v1/runs/{}/steps/mail/effects/{seq}", run.as_str().unwrap_or_default());
    let answer = post.host.client.post(&path, &said).await?;
    ensure!(answer.status == 200, "{}", answer.text);
    post.host.client.until(&eid, "succeeded").await?;
    let (first, second) = (post.server.mail().await?, post.server.mail().await?);
    assert_ne!(first["headers"]["message-id"], second["headers"]["message-id"], "it was not done: another generation of the key");
    Ok(())
}

#[tokio::test]
async fn a_mail_that_was_sent_is_not_sent_by_a_replay_unless_asked_to() -> anyhow::Result<()> {
    let Some(mut post) = post(json!({ "tls": "none" }), PLAIN, "").await? else { return Ok(()) };
    let (document, first) = post.sent(json!({})).await?;
    let eid = document["eid"].as_str().context("an eid")?.to_owned();
    let replay = async |keys: &str| {
        let asked = json!({ "route": "letter", "from": "start", "keys": keys });
        let answer = post.host.client.post(&format!("/v1/events/{eid}/replay"), &asked).await?;
        ensure!(answer.status < 300, "{}", answer.text);
        post.host.client.until(&eid, "succeeded").await
    };
    let again = replay("same").await?;
    let runs = again["runs"].as_array().context("runs")?;
    ensure!(runs.iter().any(|run| run["steps"][0]["attempts"][0]["effects"][0]["replayed"] == true), "{again:#}");
    replay("new").await?;
    let second = post.server.mail().await?;
    assert_ne!(first["headers"]["message-id"], second["headers"]["message-id"]);
    assert_eq!(post.server.mails().await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn what_the_relay_refuses_for_good_is_a_dead_letter_that_names_the_recipient() -> anyhow::Result<()> {
    let Some(mut post) = post(json!({ "tls": "none" }), PLAIN, "").await? else { return Ok(()) };
    post.server.order(json!({ "refuse": { "gone@client.example": "550 5.1.1 No such user" } })).await?;
    let more = json!({ "to": ["anna@client.example", "gone@client.example"] });
    let document = post.host.client.send_and_wait(&letter("1", more.clone())).await?;
    let error = step(&document, "mail")?["error"].clone();
    assert_eq!((&document["status"], &error["kind"]), (&json!("dead"), &json!("rejected")), "{document:#}");
    assert!(error["reason"].as_str().is_some_and(|reason| reason.contains("gone@client.example: 550 5.1.1 No such user")), "{error}");
    assert_eq!(error["details"]["refused"][0]["address"], "gone@client.example");
    assert_eq!(post.server.mails().await?, Vec::<Value>::new(), "nobody got it");

    let mut partial = more;
    partial["partial"] = json!(true);
    let document = post.host.client.send_and_wait(&letter("2", partial)).await?;
    let output = &step(&document, "mail")?["output"];
    assert_eq!(
        (&output["accepted"], &output["refused"][0]["address"]),
        (&json!(["anna@client.example"]), &json!("gone@client.example")),
        "{document:#}"
    );
    assert_eq!(post.server.mail().await?["to"], json!(["anna@client.example"]));
    Ok(())
}

#[tokio::test]
async fn what_the_relay_takes_later_uses_up_no_attempt() -> anyhow::Result<()> {
    let Some(mut post) = post(json!({ "tls": "none" }), PLAIN, "").await? else { return Ok(()) };
    post.server.order(json!({ "refuse": { "*": "451 4.7.1 Greylisted, try again in five minutes" } })).await?;
    let eid = post.host.client.send(&letter("1", json!({}))).await?;
    let waiting = until_tried(&post, &eid).await?;
    let attempt = &step(&waiting, "mail")?["attempts"][0];
    assert_eq!((&waiting["status"], &attempt["outcome"]), (&json!("pending"), &json!("rate-limited")), "{waiting:#}");
    assert!(attempt["error"]["reason"].as_str().is_some_and(|reason| reason.contains("Greylisted")), "{attempt}");
    // A minute later, by a host whose clock is ahead.
    post.server.order(json!({ "refuse": {} })).await?;
    let mut post = post.again(false, &[("SANGAM_CLOCK_AHEAD", "2m")]).await?;
    post.host.client.until(&eid, "succeeded").await?;
    post.server.mail().await?;
    Ok(())
}

async fn until_tried(post: &Post, eid: &str) -> anyhow::Result<Value> {
    for _ in 0..300 {
        let document = post.host.client.event(eid).await?;
        if !step(&document, "mail")?["attempts"][0]["outcome"].is_null() && document["status"] != "running" {
            return Ok(document);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("nothing was tried")
}

#[tokio::test]
async fn an_address_in_any_script_needs_a_relay_that_knows_it() -> anyhow::Result<()> {
    let to = json!({ "to": "Иван <иван@почта.рф>", "subject": "Счёт", "text": "Здравствуйте" });
    let Some(mut post) = post(json!({ "tls": "none", "utf8": true }), PLAIN, "").await? else { return Ok(()) };
    let (_, mail) = post.sent(to.clone()).await?;
    assert_eq!(mail["to"], json!(["иван@xn--80a1acny.xn--p1ai"]));
    assert!(mail["options"].to_string().contains("SMTPUTF8"), "{}", mail["options"]);
    assert_eq!((&mail["defects"], mail["headers"]["subject"][0].as_str()), (&json!([]), Some("Счёт")), "{mail:#}");

    let Some(post) = self::post(json!({ "tls": "none" }), PLAIN, "").await? else { return Ok(()) };
    let document = post.host.client.send_and_wait(&letter("1", to)).await?;
    let error = &step(&document, "mail")?["error"];
    assert_eq!(error["kind"], "rejected", "{document:#}");
    assert!(error["reason"].as_str().is_some_and(|reason| reason.contains("does not know SMTPUTF8")), "{error}");
    Ok(())
}

#[tokio::test]
async fn nothing_goes_to_a_relay_that_is_not_the_one_it_claims_to_be() -> anyhow::Result<()> {
    let Some(mut post) = post(login(), STARTTLS, "").await? else { return Ok(()) };
    // Words that somebody has put before TLS would be taken for the relay's.
    post.server.order(json!({ "greeting": "inject" })).await?;
    let eid = post.host.client.send(&letter("1", json!({}))).await?;
    let tried = until_tried(&post, &eid).await?;
    let reason = step(&tried, "mail")?["attempts"][0]["error"]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("before TLS began"), "{reason}");
    assert_eq!(step(&tried, "mail")?["attempts"][0]["effects"][0]["state"], "failed");

    // One without STARTTLS gets neither password nor mail, one of a stranger's authority neither.
    for (settings, authority, why) in [
        (json!({ "tls": "none", "user": "office", "password": PASSWORD }), true, "does not offer STARTTLS"),
        (login(), false, "no TLS with the relay"),
    ] {
        let Some(mut post) = self::post(settings, STARTTLS, "").await? else { return Ok(()) };
        if !authority {
            let stranger = sangam_tests::authority::Authority::new()?;
            std::fs::write(post.folder.path().join("ca.pem"), stranger.pem())?;
            post = post.again(false, &[]).await?;
        }
        let eid = post.host.client.send(&letter("1", json!({}))).await?;
        let tried = until_tried(&post, &eid).await?;
        let reason = step(&tried, "mail")?["attempts"][0]["error"]["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.contains(why), "{reason}");
        assert_eq!(post.server.mails().await?, Vec::<Value>::new());
    }
    Ok(())
}

#[tokio::test]
async fn tls_may_begin_with_the_first_byte_and_a_login_may_be_a_token() -> anyhow::Result<()> {
    let settings = json!({ "tls": "implicit", "user": "office@acme.example", "token": PASSWORD });
    if !MailServer::is_there()? {
        return Ok(());
    }
    let mut server = MailServer::start(settings).await?;
    let folder = HostFolder::new("")?;
    std::fs::write(folder.path().join("ca.pem"), &server.authority)?;
    let credential = format!(
        "[credentials.google]\ntype = \"bearer\"\nhosts = [\"https://localhost:{}\"]\ntoken = \"${{secret:mail-password}}\"\n",
        server.port
    );
    folder.configure(&(configuration(&server, "tls = \"implicit\"\ncredential = \"google\"", "") + &credential))?;
    folder.secret("mail-password", PASSWORD)?;
    let host = folder.start().await?;
    let document = host.client.send_and_wait(&letter("1", json!({}))).await?;
    ensure!(document["status"] == "succeeded", "{document:#}");
    let mail = server.mail().await?;
    assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!("office@acme.example")));
    Ok(())
}

#[tokio::test]
async fn a_refused_password_pauses_the_mail_until_it_is_mended() -> anyhow::Result<()> {
    let Some(mut post) = post(login(), STARTTLS, "").await? else { return Ok(()) };
    post.folder.secret("mail-password", "an-old-password")?;
    post = post.again(false, &[]).await?;
    let eid = post.host.client.send(&letter("1", json!({}))).await?;
    let paused = post.host.client.until(&eid, "waiting").await?;
    let reason = step(&paused, "mail")?["attempts"][0]["error"]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("refuses the login (AUTH PLAIN): 535"), "{paused:#}");
    ensure!(!paused.to_string().contains("an-old-password"), "{paused:#}");
    post.folder.secret("mail-password", PASSWORD)?;
    post.host.client.until(&eid, "succeeded").await?;
    post.server.mail().await?;
    Ok(())
}

#[tokio::test]
async fn a_relay_sends_only_for_whom_and_to_whom_its_section_says() -> anyhow::Result<()> {
    let relay =
        format!("{PLAIN}\nallow-from = [\"*@acme.example\"]\nallow-to = [\"*@client.example\"]\nmax-recipients = 2\nmax-size = \"2KiB\"");
    let Some(mut post) = post(json!({ "tls": "none" }), &relay, "").await? else { return Ok(()) };
    let (_, mail) = post.sent(json!({ "from": "Billing <billing@acme.example>", "to": "Anna@CLIENT.example" })).await?;
    assert_eq!((&mail["from"], &mail["to"]), (&json!("billing@acme.example"), &json!(["Anna@client.example"])));
    for (id, more, why) in [
        ("2", json!({ "from": "boss@other.example" }), "`allow-from`"),
        ("3", json!({ "bcc": "eve@evil.example" }), "`allow-to`"),
        ("4", json!({ "to": ["a@client.example", "b@client.example", "c@client.example"] }), "`max-recipients`"),
        ("5", json!({ "text": "x".repeat(3000) }), "`max-size`"),
        ("6", json!({ "subject": "Hi\r\nBcc: eve@evil.example" }), "`subject` has a line end"),
        ("7", json!({ "relay": "other" }), "has no relay `other`"),
    ] {
        let document = post.host.client.send_and_wait(&letter(id, more)).await?;
        let error = step(&document, "mail")?["error"].clone();
        assert!(document["status"] == "dead" && error["reason"].as_str().is_some_and(|reason| reason.contains(why)), "{id}: {document:#}");
    }
    assert_eq!(post.server.mails().await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn mails_keep_to_the_rate_of_their_relay() -> anyhow::Result<()> {
    let relay = format!("{PLAIN}\nrate-limit = {{ messages = 2, per = \"2s\" }}");
    let Some(mut post) = post(json!({ "tls": "none" }), &relay, "").await? else { return Ok(()) };
    let started = std::time::Instant::now();
    for id in 0..4 {
        post.host.client.send(&letter(&id.to_string(), json!({}))).await?;
    }
    for _ in 0..4 {
        post.server.mail().await?;
    }
    let took = started.elapsed();
    ensure!(took.as_millis() >= 1800, "four mails at two in two seconds took {took:?}");
    Ok(())
}

#[tokio::test]
async fn a_template_speaks_the_readers_language_and_escapes_what_it_did_not_write() -> anyhow::Result<()> {
    let step = "with = { to = \"${ .event.data.to }\", template = \"reminder\", language = \"${ .event.data.language }\", values = \"${ .event.data.values }\" }\n\
                [templates.reminder]\nsubject = \"Invoice ${ .number }\"\ntext = { file = \"reminder.txt\" }\n\
                html = \"<p>Dear ${ .name }</p><ul>${ { html: ([.lines[] | @html \\\"<li>\\\\(.)</li>\\\"] | join(\\\"\\\")) } }</ul>\"\n\
                [templates.reminder.de]\nsubject = \"Rechnung ${ .number }\"\ntext = \"Liebe ${ .name }\"\n";
    if !MailServer::is_there()? {
        return Ok(());
    }
    let mut server = MailServer::start(json!({ "tls": "none" })).await?;
    let folder = HostFolder::new("")?;
    std::fs::write(folder.path().join("ca.pem"), &server.authority)?;
    std::fs::write(folder.path().join("reminder.txt"), "Dear ${ .name },\nplease pay invoice ${ .number }.\n")?;
    folder.configure(&configuration(&server, PLAIN, step))?;
    let host = folder.start().await?;
    let values = json!({ "number": "4711", "name": "Anna <b>", "lines": ["a & b"] });
    for (id, language, subject, text) in [
        ("1", json!("de-AT"), "Rechnung 4711", "Liebe Anna <b>"),
        ("2", json!("fr"), "Invoice 4711", "Dear Anna <b>,\nplease pay invoice 4711."),
        ("3", Value::Null, "Invoice 4711", "Dear Anna <b>,\nplease pay invoice 4711."),
    ] {
        let data = json!({ "to": "anna@client.example", "language": language, "values": values });
        let document = host.client.send_and_wait(&event(id, "letter", data)).await?;
        ensure!(document["status"] == "succeeded", "{document:#}");
        let mail = server.mail().await?;
        assert_eq!(mail["headers"]["subject"][0], subject);
        assert_eq!(mail["parts"][0]["text"].as_str().map(str::trim_end), Some(text));
        let html = mail["parts"][1]["text"].as_str().map(str::trim_end);
        assert_eq!(html, Some("<p>Dear Anna &lt;b&gt;</p><ul><li>a &amp; b</li></ul>"));
    }
    // A value that is missing is nothing to write to a client.
    let data = json!({ "to": "anna@client.example", "values": { "number": "4711" } });
    let document = host.client.send_and_wait(&event("4", "letter", data)).await?;
    let error = &crate::scene::step(&document, "mail")?["error"];
    assert!(
        error["reason"].as_str().is_some_and(|reason| reason.contains("template `reminder`") && reason.contains("gives null")),
        "{document:#}"
    );
    Ok(())
}

#[tokio::test]
async fn a_dry_run_shows_the_mail_and_sends_none() -> anyhow::Result<()> {
    let Some(mut post) = post(json!({ "tls": "none" }), PLAIN, "").await? else { return Ok(()) };
    let (document, _) = post.sent(json!({})).await?;
    let eid = document["eid"].as_str().context("an eid")?;
    let asked = json!({ "route": "letter", "from": "start", "keys": "new", "dry_run": true });
    let answer = post.host.client.post(&format!("/v1/events/{eid}/replay"), &asked).await?;
    ensure!(answer.status == 200, "{}", answer.text);
    assert!(answer.text.contains("smtp://localhost:"), "{}", answer.text);
    assert_eq!(post.server.mails().await?, Vec::<Value>::new());
    Ok(())
}
