//! Which steps are writing.

use super::*;

#[tokio::test]
async fn a_step_is_writing_from_its_first_intent_until_it_is_settled() {
    let House { store, _folder } = house().await;
    store
        .accept(vec![event(1, None, start()), event(2, None, start()), event(3, None, start()), event(4, None, start())])
        .await
        .expect("the store works");
    let runs = claim(&store, "a", start(), 4).await;
    let opened = |run: &ClaimedRun, digest: &str| {
        let mut intent = intent(run, start());
        intent.opening = intent.opening.map(|opening| Opening { digest: Some(digest.to_owned()), ..opening });
        intent
    };
    let writing = async || {
        let rows = store.writing(&["ours", "our canary's"]).await.expect("the store works");
        rows.into_iter().map(|place| (place.run, place.step, place.number)).collect::<Vec<_>>()
    };
    assert_eq!(writing().await, [], "runs that have written nothing");
    store.intend(opened(&runs[0], "ours")).await.expect("it may leave");
    store.intend(opened(&runs[1], "another's")).await.expect("it may leave");
    assert_eq!(writing().await, [(runs[0].id.clone(), "s".to_owned(), 1)]);
    store.settle(RunSettlement { keys: None, ..counted(&runs[0], SeenValue::Absent, start(), "end") }).await.expect("it ends");
    assert_eq!(writing().await, []);
    store.intend(opened(&runs[3], "our canary's")).await.expect("it may leave");
    assert_eq!(writing().await, [(runs[3].id.clone(), "s".to_owned(), 1)]);
    store.settle(RunSettlement { keys: None, ..counted(&runs[3], SeenValue::Absent, start(), "canary-end") }).await.expect("it ends");
    store.intend(opened(&runs[2], "ours")).await.expect("it may leave");
    let retry = counted(&runs[2], SeenValue::Absent, start(), "again");
    let due = Some(start() + SignedDuration::from_secs(60));
    store.settle(RunSettlement { keys: None, status: "pending", ended_at: None, due_at: due, ..retry }).await.expect("it waits");
    assert_eq!(writing().await, [], "what is to be tried again later is not waited for");
}
