//! Pages: reading all of a list, and following a list that grows.

use sangam_sdk::{SetAside, prelude::*};

/// The connector.
#[derive(Debug)]
pub struct Leaves;

/// Which HR system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the API.
    base_url: String,
}

impl Plugin for Leaves {
    type Config = Config;
    const NAME: &'static str = "leaves";
    const TITLE: &'static str = "Leaves";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for Leaves {
    fn actions(a: &mut Actions<Self>) {
        a.action("count-leaves", "Count the leaves of a person", count_leaves);
    }
}

impl Source for Leaves {
    fn streams(s: &mut Streams<Self>) {
        s.stream("leaves", "Approved leaves").poll(poll_leaves).types(&["leave.approved"]);
    }
}

// ANCHOR: all
/// Counts the approved leaves of a person.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CountLeaves {
    employee: String,
}

/// Most pages that one call reads; `http-calls` is 20 unless the administrator says otherwise.
const MAX_PAGES: usize = 15;

fn count_leaves(input: CountLeaves, cx: &Context<Config>) -> Result<Value, Failure> {
    let mut count = 0;
    let mut cursor = None::<String>;
    for _ in 0..MAX_PAGES {
        let mut request = cx.get(format!("{}/v1/leaves", cx.config.base_url)).query("employee", &input.employee);
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let page: Leave = request.send()?.ok()?.json()?;
        count += page.items.len();
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(json!({ "leaves": count }));
        }
    }
    Err(Failure::rejected(format!("{} has more leaves than {MAX_PAGES} pages hold", input.employee)))
}

#[derive(Deserialize)]
struct Leave {
    items: Vec<Value>,
    next_cursor: Option<String>,
}
// ANCHOR_END: all

// ANCHOR: poll
/// Where the next poll starts: the newest change seen, and the page within it.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    updated_since: String,
    page: Option<String>,
}

fn poll_leaves(poll: Poll<Cursor>, cx: &SourceContext<Config>) -> Result<Page<Cursor>, Failure> {
    let start = || cx.since.clone().unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned());
    let (since, page) = poll.cursor.map_or_else(|| (start(), None), |cursor| (cursor.updated_since, cursor.page));
    let mut request = Request::get(format!("{}/v1/leaves", cx.config.base_url)).query("updated_since", &since).query("limit", poll.limit);
    if let Some(page) = &page {
        request = request.query("cursor", page);
    }
    let answer: Leave = request.send()?.ok()?.json()?;
    let newest = answer.items.iter().filter_map(|leave| leave["updated_at"].as_str()).max().unwrap_or(&since).to_owned();
    let mut next = Page { more: answer.next_cursor.is_some(), ..Page::default() };
    for leave in answer.items {
        match event(&leave) {
            Ok(event) => next.events.push(event),
            // One bad record stops nothing: it is kept with its reason, and shown.
            Err(why) => next.set_aside.push(SetAside { record: leave, reason: why.reason }),
        }
    }
    // Within a page's chain the filter stays as it was; the newest change counts once the chain has ended.
    let updated_since = if answer.next_cursor.is_some() { since } else { newest };
    next.next_cursor = Some(Cursor { updated_since, page: answer.next_cursor });
    Ok(next)
}

/// The id is that of the record *and its version*: seen again it brings in nothing twice, changed it comes again.
fn event(leave: &Value) -> Result<NewEvent, Failure> {
    let text = |field: &str| leave[field].as_str().ok_or_else(|| Failure::rejected(format!("`{field}` is no text")));
    let (id, changed) = (text("id")?, text("updated_at")?);
    Ok(NewEvent::new("leave.approved", leave)?.id(format!("leave/{id}/{changed}")).subject(format!("leave/{id}")).time(changed))
}
// ANCHOR_END: poll

#[cfg(test)]
mod tests {
    use sangam_sdk::testing;

    use super::*;

    #[test]
    fn all_pages_are_counted() {
        let count =
            testing::run::<Leaves>("count-leaves", json!({ "employee": "17" }), json!({ "base-url": "https://hr.example" }), |request| {
                let (items, next) = if request.query("cursor").is_some() { (1, Value::Null) } else { (2, json!("p2")) };
                testing::json(200, json!({ "items": vec![json!({}); items], "next_cursor": next }))
            });
        assert_eq!(count, Ok(json!({ "leaves": 3 })));
    }

    #[test]
    fn a_list_without_an_end_is_given_up() {
        let endless =
            testing::run::<Leaves>("count-leaves", json!({ "employee": "17" }), json!({ "base-url": "https://hr.example" }), |_| {
                testing::json(200, json!({ "items": [], "next_cursor": "again" }))
            });
        assert_eq!(endless.map_err(|failure| failure.kind), Err(FailureKind::Rejected));
    }

    #[test]
    fn a_record_s_version_is_in_its_event_s_id() {
        assert!(event(&json!({ "id": "7", "updated_at": "2026-11-02T08:00:00Z" })).is_ok());
        assert_eq!(event(&json!({ "id": "7" })).map_err(|why| why.reason).err(), Some("`updated_at` is no text".to_owned()));
    }
}
