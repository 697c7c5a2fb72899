//! The AsyncAPI initiative's own parser, npm's `@asyncapi/parser`: see `tests/peers/asyncapi/parse.mjs`.

use anyhow::Context as _;
use serde_json::Value;

use crate::tool::NodePeer;

const PEER: NodePeer = NodePeer { folder: "asyncapi", what: "the AsyncAPI parser is", packages: &["@asyncapi/parser"] };

/// What the parser makes of a document: `{wrong, version, servers, channels, operations, data}`; `None` where it is missing, which it says.
///
/// # Errors
/// In CI, when it is missing; when it does not answer.
pub fn parsed(document: &str) -> anyhow::Result<Option<Value>> {
    if !PEER.is_there()? {
        return Ok(None);
    }
    let answer = PEER.answer("parse.mjs", document.as_bytes())?;
    Ok(Some(serde_json::from_str(&answer).context("what the parser says is JSON")?))
}
