//! Letters as texts, and conversations with a relay that is a script. The real mail server is at the edge: `tests/it/mail.rs`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::address::Mailbox;
use super::letter::Letter;
use super::reply;
use super::smtp::{Conversation, Envelope, Login, Patience, Taken};
use super::trouble::Trouble;
use super::words::Words;
use crate::clock::Clock;
use crate::config::Secrets;
use crate::credentials::{Broker, Owner, Secret, TokenClient, Vault};
use crate::store::Store;

const KEY: &str = "0197f6a0-0000-5000-8000-000000000001";

fn words(input: &Value) -> Words {
    let text = |name: &str| input[name].as_str().map(str::to_owned);
    Words { subject: text("subject").unwrap_or_default(), text: text("text"), html: text("html") }
}

fn letter(input: Value) -> Result<Letter, String> {
    let from = Mailbox::parse("Acme <office@acme.example>").expect("an address");
    Letter::read(&input, words(&input), &from)
}

fn message(input: Value) -> String {
    let at = "2026-11-28T18:00:00Z".parse().expect("a time");
    let bytes = letter(input).expect("a letter").message(KEY, at).expect("a message");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn a_message_comes_out_the_same_each_time_and_is_known_by_its_key() {
    let input = json!({
        "to": ["Anna <anna@b.example>", { "address": "ben@b.example", "name": "Ben" }],
        "bcc": "secret@b.example",
        "reply_to": "desk@acme.example",
        "subject": "Invoice 4711",
        "text": "Hello\nthere",
        "html": "<p>Hello</p>",
        "attachments": [{ "name": "a.txt", "text": "x", "content_type": "text/plain" }],
        "in_reply_to": "first@b.example",
    });
    let written = message(input.clone());
    assert_eq!(written, message(input));
    for line in [
        "From: Acme <office@acme.example>",
        "To: Anna <anna@b.example>, Ben <ben@b.example>",
        "Reply-To: desk@acme.example",
        "Subject: Invoice 4711",
        "Message-ID: <0197f6a0-0000-5000-8000-000000000001@acme.example>",
        "Date: Sat, 28 Nov 2026 18:00:00 +0000",
        "Auto-Submitted: auto-generated",
        "In-Reply-To: <first@b.example>",
        "References: <first@b.example>",
        "Hello",
        "there",
    ] {
        assert!(written.split("\r\n").any(|found| found == line), "{line}\n{written}");
    }
    assert!(!written.contains("secret@"), "who is in bcc is in the envelope alone");
    assert!(!written.replace("\r\n", "").contains(['\r', '\n']), "every line ends with CR and LF");
}

#[test]
fn what_is_wrong_with_a_letter_is_said_with_its_place() {
    let to = "anna@b.example";
    for (input, why) in [
        (json!({ "to": [], "text": "x" }), "`to` names nobody"),
        (json!({ "to": "anna", "text": "x" }), "`to`: \"anna\" is not an address"),
        (json!({ "to": to, "cc": ["x@y@"], "text": "x" }), "`cc`"),
        (json!({ "to": to, "text": "x", "subject": "a\r\nBcc: eve@evil.example" }), "`subject` has a line end"),
        (json!({ "to": to, "text": "x", "subject": "a".repeat(901) }), "`subject` has 901 bytes"),
        (json!({ "to": { "name": "A\nBcc: x@y.example", "address": to }, "text": "x" }), "`to`: the name of"),
        (json!({ "to": to }), "there is nothing in this mail"),
        (json!({ "to": to, "text": "x", "in_reply_to": "<a@b>\r\nX: y" }), "`in_reply_to`"),
        (json!({ "to": to, "text": "x", "references": ["a b"] }), "`references`"),
        (json!({ "to": to, "attachments": [{ "name": "a", "base64": "?" }] }), "its `base64` is none"),
        (json!({ "to": to, "attachments": [{ "name": "../a", "text": "x" }] }), "can't name an attachment"),
        (json!({ "to": to, "attachments": [{ "name": "a\r\n", "text": "x" }] }), "can't name an attachment"),
        (json!({ "to": to, "attachments": [{ "name": "a", "text": "x", "content_type": "text\r\nX: y" }] }), "is no media type"),
    ] {
        let found = letter(input.clone()).expect_err(&input.to_string());
        assert!(found.contains(why), "{input}: {found}");
    }
}

#[test]
fn who_is_named_twice_gets_one_mail() {
    let letter =
        letter(json!({ "to": "anna@b.example", "cc": "Anna <anna@b.example>", "bcc": ["c@b.example"], "text": "x" })).expect("a letter");
    let recipients: Vec<String> = letter.recipients().iter().map(|mailbox| mailbox.address()).collect();
    assert_eq!(recipients, ["anna@b.example", "c@b.example"]);
}

#[test]
fn what_is_kept_of_a_letter_has_no_text_in_it() {
    let input = json!({ "to": "anna@b.example", "subject": "S", "text": "private", "attachments": [{ "name": "a", "text": "inner" }] });
    let summary = letter(input).expect("a letter").summary().to_string();
    assert!(summary.contains("anna@b.example") && summary.contains("\"bytes\":7") && summary.contains("sha256:"), "{summary}");
    assert!(!summary.contains("private") && !summary.contains("inner"), "{summary}");
}

/// A relay that says these lines, one after each line it is told (after the message: one), and what it was told.
async fn with_relay<T>(says: &'static [&'static str], talk: impl AsyncFnOnce(Conversation) -> T) -> (Result<T, Trouble>, String) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let relay = tokio::spawn(async move {
        let (read, mut write) = tokio::io::split(theirs);
        let mut read = BufReader::new(read);
        let mut heard = String::new();
        let mut in_message = false;
        for (index, said) in says.iter().enumerate() {
            if index > 0 {
                loop {
                    let before = heard.len();
                    if read.read_line(&mut heard).await.unwrap_or(0) == 0 {
                        return heard;
                    }
                    if !in_message || &heard[before..] == ".\r\n" {
                        break;
                    }
                }
            }
            if said.is_empty() {
                return heard;
            }
            in_message = said.starts_with("354");
            if write.write_all(format!("{said}\r\n").as_bytes()).await.is_err() {
                return heard;
            }
        }
        let mut rest = String::new();
        let _ = read.read_to_string(&mut rest).await;
        heard + &rest
    });
    let patience = Patience { silence: Duration::from_millis(500), ends: Instant::now() + Duration::from_secs(30) };
    let result = match Conversation::open(Box::new(ours), "[127.0.0.1]", patience).await {
        Ok(conversation) => Ok(talk(conversation).await),
        Err(trouble) => Err(trouble),
    };
    (result, relay.await.expect("the relay ends"))
}

async fn sent(says: &'static [&'static str], partial: bool, message: &str) -> (Result<Taken, Trouble>, String) {
    let to = ["a@b.example".to_owned(), "c@b.example".to_owned()];
    let talk = async |mut conversation: Conversation| {
        let envelope = Envelope { from: "o@acme.example", to: &to, utf8: false, partial };
        let taken = conversation.hand_over(&envelope, message.as_bytes()).await;
        conversation.close().await;
        taken
    };
    let (result, heard) = with_relay(says, talk).await;
    (result.and_then(|taken| taken), heard)
}

#[tokio::test]
async fn a_mail_goes_over_with_its_dots_doubled_and_its_last_line_ended() {
    let says = &["220 hi", "250-relay\r\n250 SIZE 1000", "250 ok", "250 ok", "251 ok", "354 go", "250 2.0.0 queued as 7", "221 bye"];
    let (result, heard) = sent(says, false, "Subject: x\r\n\r\n.\r\n..a\r\nend").await;
    assert_eq!(result.expect("taken").reply, "250 2.0.0 queued as 7");
    let expected = "EHLO [127.0.0.1]\r\nMAIL FROM:<o@acme.example> SIZE=25\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n\
                    Subject: x\r\n\r\n..\r\n...a\r\nend\r\n.\r\nQUIT\r\n";
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn only_after_its_last_line_is_a_mail_in_doubt() {
    let until_data = &["220 hi", "250 relay", "250 ok", "250 ok", "250 ok", "354 go", ""];
    let (result, _) = sent(until_data, false, "x").await;
    assert!(matches!(&result, Err(Trouble::InDoubt(_))), "{result:?}");
    for early in [&["220 hi", "250 relay", ""][..], &["220 hi", "250 relay", "250 ok", "250 ok", "250 ok", ""], &["220 hi", ""], &[""]] {
        let (result, heard) = sent(early, false, "x").await;
        assert!(matches!(&result, Err(Trouble::Unreachable(_))), "{early:?}: {result:?}");
        assert!(!heard.contains("\r\n.\r\n"), "{heard}");
    }
}

/// A broker that hides passwords.
async fn broker(folder: &std::path::Path, passwords: &[&str]) -> Broker {
    let store = Store::open(&format!("sqlite://{}/sangam.db", folder.display())).await.expect("the store opens");
    // Any 32 bytes.
    let key = Secrets::Command(["echo", "c2FuZ2FtIHNhbmdhbSBzYW5nYW0gc2FuZ2FtIHNhbmc="].map(String::from).to_vec());
    let vault = Vault::open(store, &key, Clock::system()).await.expect("the vault opens");
    let client = TokenClient::new(crate::tls::client_config().expect("roots")).expect("a client");
    let broker = Broker::new(vault, Default::default(), client, "host");
    let passwords: Vec<Secret> = passwords.iter().map(|password| Secret::new((*password).to_owned())).collect();
    let hidden = passwords.iter().collect();
    broker.hide(vec![(Owner::Source("a".to_owned()), Some(hidden))]);
    broker
}

#[tokio::test]
async fn of_a_password_that_is_cut_off_in_several_replies_no_part_is_left() {
    const PASSWORD: &str = "correct-horse-battery";
    let folder = tempfile::tempdir().expect("a folder");
    let broker = broker(folder.path(), &[PASSWORD]).await;
    let refusal: &str = format!("550 {}{PASSWORD} is no way in", "x".repeat(490)).leak();
    let says: &[&str] = vec!["220 hi", "250 relay", "250 ok", refusal, refusal, "221 bye"].leak();
    let (result, _) = sent(says, false, "x").await;
    let Err(Trouble::Refused { mut why, .. }) = result else { panic!("{result:?}") };
    assert_eq!(why.matches("correct-ho\u{2026}").count(), 2, "{why}");
    reply::mask(&broker, &mut why);
    assert!(!why.contains("correct") && why.matches("x[redacted]\u{2026}").count() == 2, "{why}");
    // What is not cut off ends as it does.
    let mut whole = format!("a@b.example: 550 {PASSWORD}\u{2026}; c@b.example: 550 no, co");
    reply::mask(&broker, &mut whole);
    assert_eq!(whole, "a@b.example: 550 [redacted]\u{2026}; c@b.example: 550 no, co");
}

#[tokio::test]
async fn of_a_password_that_is_cut_off_and_begins_within_another_no_part_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = broker(folder.path(), &["s3cr3t-abc-def", "abc-defghi"]).await;
    let mut words = "a@b.example: 550 s3cr3t-abc-defgh\u{2026}; c@b.example: 550 s3cr3t-abc-def abc-defghi".to_owned();
    reply::mask(&broker, &mut words);
    assert_eq!(words, "a@b.example: 550 [redacted]\u{2026}; c@b.example: 550 [redacted] [redacted]");
}

#[tokio::test]
async fn what_the_relay_says_decides_whether_there_is_a_next_time() {
    for (says, again) in [
        (&["554 go away", "221 x"][..], true), // no service now, whatever its number (RFC 5321 section 3.1)
        (&["220 hi", "250 relay", "451 greylisted", "221 x"], true),
        (&["220 hi", "250 relay", "550 no such sender", "221 x"], false),
        (&["220 hi", "250 relay", "250 ok", "450 busy", "221 x"], true),
        (&["220 hi", "250 relay", "250 ok", "250 ok", "550 unknown", "221 x"], false),
        (&["220 hi", "250 relay", "250 ok", "250 ok", "250 ok", "452 full", "221 x"], true),
        (&["220 hi", "250 relay", "250 ok", "250 ok", "250 ok", "354 go", "451 later", "221 x"], true),
        (&["220 hi", "250 relay", "250 ok", "250 ok", "250 ok", "354 go", "554 spam", "221 x"], false),
        (&["220 hi", "250 relay", "250 ok", "421 closing", "221 x"], true),
    ] {
        let (result, _) = sent(says, false, "x").await;
        match result {
            Err(Trouble::Later(_)) if again => {}
            Err(Trouble::Refused { .. }) if !again => {}
            other => panic!("{says:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn where_one_recipient_is_refused_nobody_gets_it_unless_it_says_so() {
    let says = &["220 hi", "250 relay", "250 ok", "250 ok", "550 5.1.1 unknown", "221 bye"];
    let (result, heard) = sent(says, false, "x").await;
    let Err(Trouble::Refused { why, recipients }) = result else { panic!("{result:?}") };
    assert_eq!(recipients, [("c@b.example".to_owned(), "550 5.1.1 unknown".to_owned())]);
    assert!(why.contains("nothing was sent: c@b.example: 550 5.1.1 unknown"), "{why}");
    assert!(!heard.contains("DATA"), "{heard}");

    let says = &["220 hi", "250 relay", "250 ok", "250 ok", "550 5.1.1 unknown", "354 go", "250 ok", "221 bye"];
    let (result, _) = sent(says, true, "x").await;
    let taken = result.expect("the other gets it");
    assert_eq!((taken.accepted, taken.refused.len()), (vec!["a@b.example".to_owned()], 1));

    let says = &["220 hi", "250 relay", "250 ok", "550 no", "550 no", "221 bye"];
    let (result, _) = sent(says, true, "x").await;
    assert!(matches!(result, Err(Trouble::Refused { .. })), "{result:?}");
}

#[tokio::test]
async fn what_is_no_relay_is_told_apart_and_bounded() {
    for says in [
        &["HTTP/1.1 400 Bad Request"][..],
        &["220 hi", "junk"],
        &["220 hi", "250-one\r\n250-two"], // an answer that does not end
    ] {
        let (result, _) = sent(says, false, "x").await;
        assert!(matches!(&result, Err(Trouble::Unreachable(_))), "{says:?}: {result:?}");
    }
}

#[tokio::test]
async fn a_login_takes_the_best_that_the_relay_offers_and_never_says_the_password_in_an_error() {
    let password = || Login::Password { username: "office".to_owned(), password: Secret::new("pa:ss".to_owned()) };
    let token = || Login::Token { username: "office@acme.example".to_owned(), token: Secret::new("tok".to_owned()) };
    for (says, login, expected, well) in [
        (&["220 hi", "250-r\r\n250 AUTH LOGIN PLAIN", "235 ok", "221 x"][..], password(), "AUTH PLAIN AG9mZmljZQBwYTpzcw==\r\n", true),
        (
            &["220 hi", "250-r\r\n250 AUTH LOGIN", "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok", "221 x"],
            password(),
            "AUTH LOGIN\r\nb2ZmaWNl\r\ncGE6c3M=\r\n",
            true,
        ),
        (
            &["220 hi", "250-r\r\n250 AUTH XOAUTH2", "235 ok", "221 x"],
            token(),
            "AUTH XOAUTH2 dXNlcj1vZmZpY2VAYWNtZS5leGFtcGxlAWF1dGg9QmVhcmVyIHRvawEB\r\n",
            true,
        ),
        (&["220 hi", "250-r\r\n250 AUTH PLAIN", "535 5.7.8 no", "221 x"], password(), "AUTH PLAIN", false),
        (&["220 hi", "250-r\r\n250 AUTH XOAUTH2", "334 eyJzdGF0dXMiOiI0MDEifQ==", "535 no", "221 x"], token(), "\r\n\r\n", false),
    ] {
        let talk = async |mut conversation: Conversation| {
            let result = conversation.login(&login).await;
            conversation.close().await;
            result
        };
        let (result, heard) = with_relay(says, talk).await;
        let result = result.expect("a conversation");
        assert!(heard.contains(expected), "{heard:?}");
        match result {
            Ok(()) => assert!(well),
            Err(Trouble::Unauthorized(why)) => assert!(!well && !why.contains("pa:ss") && !why.contains("tok"), "{why}"),
            Err(other) => panic!("{other:?}"),
        }
    }
    let talk = async |mut conversation: Conversation| conversation.login(&password()).await;
    let (result, heard) = with_relay(&["220 hi", "250-r\r\n250 AUTH CRAM-MD5"], talk).await;
    assert!(matches!(result, Ok(Err(Trouble::Refused { .. }))), "{result:?}");
    assert!(!heard.contains("AUTH"), "{heard}");
}
