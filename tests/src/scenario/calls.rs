//! `missed-call`.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Stage, TELEPHONY_TOKEN, appears};

pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let token = format!("Bearer {TELEPHONY_TOKEN}");
    let call = |id: &str, answered: bool| {
        json!({
            "call_id": id, "direction": "in", "answered": answered, "caller": "+1 555 0177", "callee": "+1 555 0001",
            "started_at": "2026-12-01T08:00:00Z", "ended_at": "2026-12-01T08:00:30Z",
        })
    };
    let post = async |call: &Value, token: &str| {
        let headers = [("content-type", "application/json"), ("authorization", token)];
        stage.client().ask(reqwest::Method::POST, "/hooks/telephony", &headers, call.to_string().into_bytes()).await
    };
    let stranger = post(&call("c-0", false), "Bearer guessed").await?;
    ensure!(stranger.status == 401, "somebody without the token was answered {}: {}", stranger.status, stranger.text);
    // The provider tells it twice, and of a call that was taken.
    for (id, answered) in [("c-1", false), ("c-1", false), ("c-2", true)] {
        let answer = post(&call(id, answered), &token).await?;
        ensure!((200..300).contains(&answer.status), "the provider was refused with {}: {}", answer.status, answer.text);
    }
    let task = appears(&stage.saas.hubspot, "tasks", "a task", |_| true).await?;
    stage.settled().await?;
    let tasks = crate::morning::records(&stage.saas.hubspot.state()["tasks"]).count();
    ensure!(tasks == 1, "one call was missed, and there are {tasks} tasks");
    Ok(vec![
        "telephony      nobody took a call of +1 555 0177; another call was taken".to_owned(),
        format!("CRM            a task: {}", task["properties"]["hs_task_subject"].as_str().unwrap_or_default()),
    ])
}
