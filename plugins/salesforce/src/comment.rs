//! Comments on cases: actions `add-comment` and `delete-comment`.
//!
//! A CaseComment has no field for an external id, so the write's key stands in the last line of its text. Text of comments can't be
//! filtered in queries: after an attempt that may have left one, the case's comments are read and compared here.

use sangam_sdk::{Effect, EffectState, prelude::*};

use crate::{
    case::{CaseKey, find},
    client::{Saved, delete, next, query, quoted, text, url},
    config::Config,
    errors::ok,
};

/// The write of a comment.
pub const WRITE: &str = "comment";

/// Adds a comment to a case, once: its last line `[sangam:…]` tells it from others when the step is tried again.
/// Name the case by one of `case_id`, `external_id` and `case_number`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddComment {
    /// Salesforce id, 15 or 18 characters.
    case_id: Option<String>,
    /// Your id of it, in the field that `case-external-id-field` names.
    external_id: Option<String>,
    /// Number as people see it, such as `00001026`.
    case_number: Option<String>,
    /// Plain text; Salesforce takes 4000 characters with the last line.
    comment: String,
    /// Whether the client sees it in the portal.
    #[serde(default)]
    publish: bool,
}

/// Where the comment is.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CommentAdded {
    case_id: String,
    comment_id: String,
}

/// A comment that carries a marker.
#[derive(Debug)]
pub struct Marked {
    /// The comment.
    pub comment_id: String,
    /// The case's status before the write that the comment came with.
    pub former_status: Option<String>,
}

/// A comment to be made.
pub struct Draft<'a> {
    /// What the technician wrote.
    pub text: &'a str,
    /// Whether the client sees it.
    pub publish: bool,
    /// The case's status before it is resolved: what undoing needs to know even if the step fails.
    pub former_status: Option<&'a str>,
}

pub fn add_comment(input: AddComment, cx: &Context<Config>) -> Result<CommentAdded, Failure> {
    let key = CaseKey::new(input.case_id, input.external_id, input.case_number)?;
    let case = find(cx, &key)?;
    let draft = Draft { text: &input.comment, publish: input.publish, former_status: None };
    let comment_id = put(cx, &case.case_id, &draft)?.comment_id;
    Ok(CommentAdded { case_id: case.case_id, comment_id })
}

pub fn delete_comment(undo: Undo<AddComment, CommentAdded>, cx: &Context<Config>) -> Result<(), Failure> {
    let written = undo.effect(WRITE).filter(|effect| maybe_done(effect)).and_then(|effect| effect.key.clone());
    let comment_id = match (undo.output, written) {
        (Some(output), _) => Some(output.comment_id),
        (None, None) => None,
        (None, Some(key)) => {
            let AddComment { case_id, external_id, case_number, .. } = undo.input;
            let case = find(cx, &CaseKey::new(case_id, external_id, case_number)?)?;
            look_for(cx, &case.case_id, &key)?.map(|marked| marked.comment_id)
        }
    };
    comment_id.map_or(Ok(()), |id| delete(cx, "delete-comment", "CaseComment", &id))
}

/// Makes a comment, unless an earlier attempt has.
pub fn put(cx: &Context<Config>, case_id: &str, draft: &Draft<'_>) -> Result<Marked, Failure> {
    let key = cx.key(WRITE);
    if !cx.first_attempt()
        && let Some(marked) = look_for(cx, case_id, &key)?
    {
        return Ok(marked);
    }
    let body = json!({
        "ParentId": case_id,
        "CommentBody": format!("{}\n\n{}", draft.text, marker(&key, draft.former_status)),
        "IsPublished": draft.publish,
    });
    let saved: Saved = cx.post(url(cx, "sobjects/CaseComment")).name(WRITE).json(&body).send().and_then(ok)?.json()?;
    log::info("commented on a case", &[("case", &case_id), ("comment", &saved.id)]);
    Ok(Marked { comment_id: saved.id, former_status: draft.former_status.map(str::to_owned) })
}

/// The comment of a case that carries the marker of that key.
pub fn look_for(cx: &Context<Config>, case_id: &str, key: &str) -> Result<Option<Marked>, Failure> {
    let soql = format!("SELECT Id, CommentBody FROM CaseComment WHERE ParentId = {} ORDER BY CreatedDate DESC", quoted(case_id));
    let mut page = query(cx, &soql)?;
    loop {
        for record in &page.records {
            let body = record["CommentBody"].as_str().unwrap_or_default();
            if let (Some(former_status), Some(comment_id)) = (read_marker(body, key), text(record, "Id")) {
                return Ok(Some(Marked { comment_id, former_status }));
            }
        }
        match page.next_records_url {
            Some(path) => page = next(cx, &path)?,
            None => return Ok(None),
        }
    }
}

/// Whether a write may stand in the org.
pub fn maybe_done(effect: &Effect) -> bool {
    effect.state != EffectState::Failed
}

/// `[sangam:KEY]`, or `[sangam:KEY was:STATUS]`.
fn marker(key: &str, former_status: Option<&str>) -> String {
    match former_status {
        Some(status) => format!("[sangam:{key} was:{status}]"),
        None => format!("[sangam:{key}]"),
    }
}

/// The former status of a text that has this marker; none if it has not.
fn read_marker(body: &str, key: &str) -> Option<Option<String>> {
    let (_, rest) = body.rsplit_once(&format!("[sangam:{key}"))?;
    let rest = rest.lines().next()?.trim_end().strip_suffix(']')?;
    match rest.strip_prefix(" was:") {
        Some(status) => Some(Some(status.to_owned())),
        None => rest.is_empty().then_some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{marker, read_marker};

    #[test]
    fn a_marker_is_read_as_it_is_written() {
        for status in [None, Some("Working"), Some("On hold [parts]")] {
            let body = format!("Valve changed [sangam:no]\n\n{}", marker("k-1", status));
            assert_eq!(read_marker(&body, "k-1"), Some(status.map(str::to_owned)), "{body}");
        }
    }

    #[test]
    fn other_comments_carry_no_such_marker() {
        for body in ["", "Valve changed", "[sangam:k-12]", "[sangam:k-1", "[sangam:k-1 is gone]"] {
            assert_eq!(read_marker(body, "k-1"), None, "{body}");
        }
    }
}
