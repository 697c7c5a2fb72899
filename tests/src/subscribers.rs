//! The other side of webhooks that a host sends: npm's `standardwebhooks` and `cloudevents`, the libraries of subscribers; see
//! `tests/peers/subscribers/verify.mjs`.

use sangam_saas::Recorded;
use serde_json::{Value, json};

use crate::tool::NodePeer;

const PEER: NodePeer =
    NodePeer { folder: "subscribers", what: "the subscribers' libraries are", packages: &["standardwebhooks", "cloudevents"] };

/// Whether tests can use them here. Where they are missing, says how to get them, and fails in CI.
///
/// # Errors
/// In CI, when they are missing.
pub fn are_there() -> anyhow::Result<bool> {
    PEER.is_there()
}

/// What the library makes of requests: the body of a Standard Webhook that it verified with the secret, or a CloudEvent. An error where it refuses.
///
/// # Errors
/// When it does not answer.
pub fn look(kind: &str, requests: &[Recorded], secret: Option<&str>) -> anyhow::Result<Vec<Result<Value, String>>> {
    let lines = requests.iter().map(|request| {
        let line = json!({ "kind": kind, "headers": request.headers, "body": request.body, "secret": secret });
        format!("{line}\n")
    });
    let text = PEER.answer("verify.mjs", lines.collect::<String>().as_bytes())?;
    text.lines()
        .map(|line| {
            let answer: Value = serde_json::from_str(line)?;
            Ok(match answer["ok"].as_bool() {
                Some(true) => Ok(answer["value"].clone()),
                _ => Err(answer["why"].as_str().unwrap_or_default().to_owned()),
            })
        })
        .collect()
}
