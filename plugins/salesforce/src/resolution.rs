//! Actions `resolve-case` and `reopen-case`.
//!
//! A composite request would change status and comment in one transaction, but it answers 200 whatever happened inside, and
//! a write answered 200 is done for good in the host's journal. So these are two writes, comment first: it carries the status
//! that the case had before, which nobody can read any more once the second is done.

use sangam_sdk::prelude::*;

use crate::{
    case::{Case, CaseKey, find},
    client::{delete, first, text, update},
    comment::{self, Draft, Marked, maybe_done},
    config::Config,
    errors::ok,
    stream::case as cases,
};

/// The write that changes the status.
const WRITE: &str = "resolve";

/// Moves a case to a closed status and adds the technician's comment. A case that is closed already keeps its status, unless one is
/// given. Name the case by one of `case_id`, `external_id` and `case_number`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveCase {
    /// Salesforce id, 15 or 18 characters.
    case_id: Option<String>,
    /// Your id of it, in the field that `case-external-id-field` names.
    external_id: Option<String>,
    /// Number as people see it, such as `00001026`.
    case_number: Option<String>,
    /// Plain text; Salesforce takes 4000 characters with the last line.
    comment: Option<String>,
    /// Whether the client sees the comment in the portal.
    #[serde(default)]
    publish_comment: bool,
    /// Default: `closed-status` of the configuration, else the first closed status of the org.
    status: Option<String>,
    /// Further fields to set with it, by API name, such as `Reason`.
    #[serde(default)]
    fields: serde_json::Map<String, Value>,
}

/// A resolved case.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Resolved {
    case_id: String,
    case_number: String,
    status: String,
    /// Status before; null where only an earlier attempt of the step has seen it.
    previous_status: Option<String>,
    /// The comment, if there is one.
    comment_id: Option<String>,
}

/// A case that is open again.
#[derive(Serialize, JsonSchema)]
pub struct Reopened {
    case_id: String,
    status: String,
}

pub fn resolve_case(input: ResolveCase, cx: &Context<Config>) -> Result<Resolved, Failure> {
    let case = find(cx, &CaseKey::new(input.case_id, input.external_id, input.case_number)?)?;
    let closed_status = match (&input.status, case.closed) {
        (Some(status), _) => status.clone(),
        (None, true) => case.status.clone(),
        (None, false) => closed_status(cx)?,
    };
    // A closed case on a later attempt may have been closed by an earlier one.
    let mut previous_status = (cx.first_attempt() || !case.closed).then(|| case.status.clone());
    let mut comment_id = None;
    if let Some(text) = &input.comment {
        let draft = Draft { text, publish: input.publish_comment, former_status: previous_status.as_deref() };
        let comment = comment::put(cx, &case.case_id, &draft)?;
        previous_status = previous_status.or(comment.former_status);
        comment_id = Some(comment.comment_id);
    }
    let mut fields = input.fields;
    let name = if case.status == closed_status { "fields" } else { WRITE };
    if name == WRITE {
        fields.insert("Status".to_owned(), closed_status.as_str().into());
    }
    if !fields.is_empty() {
        update(cx, "Case", &case.case_id).name(name).json(&fields).send().and_then(ok)?;
        wrote(cx, &case.case_id, &fields)?;
        log::info("resolved a case", &[("case", &case.case_number), ("status", &closed_status)]);
    }
    Ok(Resolved { case_id: case.case_id, case_number: case.case_number, status: closed_status, previous_status, comment_id })
}

pub fn reopen_case(undo: Undo<ResolveCase, Resolved>, cx: &Context<Config>) -> Result<Reopened, Failure> {
    let resolved = undo.effect(WRITE).is_some_and(maybe_done);
    let comment_key = undo.effect(comment::WRITE).filter(|effect| maybe_done(effect)).and_then(|effect| effect.key.clone());
    let (case, previous_status, comment_id) = match undo.output {
        Some(output) => (find(cx, &CaseKey::Id(output.case_id))?, output.previous_status, output.comment_id),
        None => {
            let ResolveCase { case_id, external_id, case_number, .. } = undo.input;
            let case = find(cx, &CaseKey::new(case_id, external_id, case_number)?)?;
            let marked = match comment_key {
                Some(key) => comment::look_for(cx, &case.case_id, &key)?,
                None => None,
            };
            let (comment_id, former_status) = match marked {
                Some(Marked { comment_id, former_status }) => (Some(comment_id), former_status),
                None => (None, None),
            };
            (case, former_status, comment_id)
        }
    };
    // One that somebody has opened again since stays as it is.
    let status = if resolved && case.closed { reopen(cx, &case, previous_status)? } else { case.status };
    // Last, since it may be all that knows the former status.
    if let Some(id) = comment_id {
        delete(cx, "delete-comment", "CaseComment", &id)?;
    }
    Ok(Reopened { case_id: case.case_id, status })
}

/// Gives the case its former status, or where nobody knows it, the one that new cases have.
fn reopen(cx: &Context<Config>, case: &Case, previous_status: Option<String>) -> Result<String, Failure> {
    let status = match previous_status {
        Some(status) => status,
        None => open_status(cx)?,
    };
    update(cx, "Case", &case.case_id).name("reopen").json(&json!({ "Status": status })).send().and_then(ok)?;
    echo::wrote("Case", &case.case_id, [("status", &status.as_str().into())])?;
    log::info("reopened a case", &[("case", &case.case_number), ("status", &status)]);
    Ok(status)
}

/// Remembers what was written, so that the stream `cases` does not bring it in as news.
pub fn wrote(cx: &Context<Config>, case_id: &str, fields: &serde_json::Map<String, Value>) -> Result<(), Failure> {
    echo::wrote("Case", case_id, fields.iter().map(|(name, value)| (cases::name_of(name, &cx.config), value)))
}

fn closed_status(cx: &Context<Config>) -> Result<String, Failure> {
    match &cx.config.closed_status {
        Some(status) => Ok(status.clone()),
        None => a_status(cx, "IsClosed = true ORDER BY SortOrder"),
    }
}

fn open_status(cx: &Context<Config>) -> Result<String, Failure> {
    a_status(cx, "IsClosed = false ORDER BY IsDefault DESC, SortOrder")
}

fn a_status(cx: &Context<Config>, which: &str) -> Result<String, Failure> {
    let found = first(cx, &format!("SELECT ApiName FROM CaseStatus WHERE {which} LIMIT 1"))?;
    found.and_then(|record| text(&record, "ApiName")).ok_or_else(|| Failure::rejected(format!("The org has no case status with {which}")))
}
