//! What a batch keeps of its members goes with them.

use std::sync::Arc;

use super::*;
use crate::store::batch::{IDENTITY, KIND, NewBatch};
use crate::store::retention::{Over, OverBefore};
use crate::store::sql::sql;
use crate::store::terms::Terms;

const ANN: &str = "ann.oezdemir@acme.example";

fn minute(count: i64) -> Timestamp {
    start() + SignedDuration::from_mins(count)
}

/// A batch of two runs, of which nobody knows how it ended. The first one was given something of Ann.
async fn batch(store: &Store) {
    store.accept(vec![event(1, None, start()), event(2, None, start())]).await.expect("the store works");
    let runs = claim(store, "h", start(), 2).await;
    let member = |run: &ClaimedRun| {
        let mut intent = intent(run, start());
        intent.effect.id.identity = IDENTITY.to_owned();
        (intent.effect.kind, intent.effect.name) = (KIND.to_owned(), Some("b1".to_owned()));
        if run.id == "r00001" {
            intent.opening.as_mut().expect("its opening").input = format!("{{\"mail\":\"{ANN}\"}}");
        }
        (intent, "{}".to_owned())
    };
    let members = runs.iter().map(member).collect();
    let batch = NewBatch { id: "b1".to_owned(), plugin: "p".to_owned(), action: "a".to_owned(), at: start(), members };
    assert_eq!(store.begin_batch(Arc::new(batch)).await.expect("it begins"), [true, true]);
}

async fn end(store: &Store, eid: &str, at: Timestamp) {
    assert_eq!(store.cancel(eid, act(Action::EventCancelled), at).await.expect("the store works").runs.len(), 1);
}

/// Removes what ended before that.
async fn prune(store: &Store, before: Timestamp) -> u64 {
    let usual = OverBefore { ended: Some(before), dead: Some(before) };
    store.prune_events(Over { usual, routes: Vec::new() }, None).await.expect("the store works").0
}

/// Batches in which something of Ann stands.
async fn about_ann(store: &Store) -> Vec<String> {
    store.scan_batches(&[ANN.to_owned()], minute(100)).await.expect("the store works")
}

#[tokio::test]
async fn what_a_batch_keeps_of_a_run_goes_when_retention_removes_it() {
    let House { store, _folder } = house().await;
    batch(&store).await;
    end(&store, "00e00001", minute(1)).await;
    end(&store, "00e00002", minute(9)).await;
    assert_eq!(about_ann(&store).await, ["b1"]);
    assert_eq!(prune(&store, minute(5)).await, 1);
    assert!(store.event("00e00002").await.expect("the store works").is_some(), "the other one is not over");
    assert_eq!(about_ann(&store).await, [""; 0]);
    assert_eq!(store.verify().await.expect("the store works"), Vec::new());
}

#[tokio::test]
async fn a_batch_that_somebody_waits_for_goes_when_nobody_does() {
    let House { store, _folder } = house().await;
    batch(&store).await;
    end(&store, "00e00001", minute(1)).await;
    assert_eq!(prune(&store, minute(5)).await, 1);
    store.prune_batches().await.expect("the store works");
    assert_eq!(about_ann(&store).await, ["b1"]);
    let contents = store.batch_contents("b1").await.expect("the store works");
    assert!(contents.iter().any(|bytes| bytes.windows(ANN.len()).any(|window| window == ANN.as_bytes())));
    // Who wants it erased is told who waits for it.
    assert_eq!(store.batch_erased("b1").await.expect("the store works").as_deref(), Some("r00002"));
    end(&store, "00e00002", minute(9)).await;
    store.prune_batches().await.expect("the store works");
    assert_eq!(about_ann(&store).await, [""; 0]);
}

/// Who reads what batches have of their members fails from here on.
async fn members_can_not_be_read(store: &Store) {
    let spoil = store.writer.write(Terms::none(), |connection| {
        Box::pin(async move { sql("update batch set members = '['").execute(connection).await.map_err(StoreError::doing("spoil a batch")) })
    });
    assert_eq!(spoil.await.expect("the store works"), 1);
}

#[tokio::test]
async fn a_batch_is_not_read_when_events_go_that_are_not_in_it() {
    let House { store, _folder } = house().await;
    batch(&store).await;
    store.accept(vec![event(3, None, start())]).await.expect("the store works");
    members_can_not_be_read(&store).await;
    end(&store, "00e00001", minute(9)).await;
    end(&store, "00e00002", minute(9)).await;
    end(&store, "00e00003", minute(1)).await;
    assert_eq!(prune(&store, minute(5)).await, 1);
}

#[tokio::test]
async fn a_batch_that_somebody_waits_for_is_not_read() {
    let House { store, _folder } = house().await;
    batch(&store).await;
    members_can_not_be_read(&store).await;
    end(&store, "00e00001", minute(1)).await;
    assert_eq!(prune(&store, minute(5)).await, 1);
    store.prune_batches().await.expect("the store works");
}
