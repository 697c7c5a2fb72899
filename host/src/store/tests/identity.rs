//! What an event is known by: as long as it is there, and beyond it.

use jiff::{SignedDuration, Timestamp};

use super::{House, NewEvent, Store, StoreError, event, house, start};
use crate::store::sql::sql;
use crate::store::terms::Terms;
use crate::store::{Accepted, EventFilter, Over, OverBefore};

/// No route wants it.
fn plain(number: u32, digest: u8) -> NewEvent {
    NewEvent { digest: [digest; 32], runs: Vec::new(), ..event(number, None, start()) }
}

/// The same once more, under another eid.
fn again(number: u32, digest: u8) -> NewEvent {
    NewEvent { eid: format!("00again{number}").into(), ..plain(number, digest) }
}

async fn sent(store: &Store, events: Vec<NewEvent>) -> Vec<(String, bool, bool)> {
    let accepted = store.accept(events).await.expect("the store works");
    accepted.into_iter().map(|Accepted { eid, duplicate, differs, .. }| (eid, duplicate, differs)).collect()
}

async fn prune(store: &Store, before: Timestamp) -> u64 {
    let usual = OverBefore { ended: Some(before), dead: None };
    store.prune_events(Over { usual, routes: Vec::new() }, None).await.expect("the store works").0
}

async fn of_id(store: &Store, id: &str, source: Option<&str>) -> Vec<String> {
    let filter = EventFilter { id: Some(id.to_owned()), source: source.map(str::to_owned), limit: 9, ..EventFilter::default() };
    let page = store.events(&filter).await.expect("the store works");
    page.events.into_iter().map(|(event, _)| event.eid).collect()
}

async fn change(store: &Store, statements: &'static [&'static str]) {
    let write = store.writer.write(Terms::none(), move |connection| {
        Box::pin(async move {
            for statement in statements {
                sql(statement).execute(&mut *connection).await.map_err(StoreError::doing("change it by hand"))?;
            }
            Ok(())
        })
    });
    write.await.expect("the store works");
}

#[tokio::test]
async fn an_event_that_is_gone_is_known_until_its_time_is_over() {
    let House { store, _folder } = house().await;
    assert_eq!(sent(&store, vec![plain(1, 0), plain(2, 0)]).await.len(), 2);
    let later = start() + SignedDuration::from_hours(1);
    assert_eq!(prune(&store, later).await, 2);
    assert!(store.event("00e00001").await.expect("the store works").is_none());
    let known = [("00e00001".to_owned(), true, false), ("00e00002".to_owned(), true, true), ("00e00003".to_owned(), false, false)];
    assert_eq!(sent(&store, vec![again(1, 0), again(2, 1), plain(3, 0)]).await, known, "in one statement with an event that is new");
    let found = store.scan_identities(&["/s".to_owned()], None).await.expect("the store works");
    let found: Vec<_> = found.iter().map(|identity| (identity.id.as_str(), identity.eid.as_str())).collect();
    assert_eq!(found, [("1", "00e00001"), ("2", "00e00002"), ("3", "00e00003")], "of those that are there and of those that are gone");
    assert!(!store.prune_identities(later).await.expect("the store works"));
    assert!(sent(&store, vec![again(1, 0)]).await[0].1, "its time is not over");
    let over = start() + SignedDuration::from_hours(1001);
    assert!(!store.prune_identities(over).await.expect("the store works"), "there are no more");
    assert_eq!(sent(&store, vec![again(1, 0)]).await, [("00again1".to_owned(), false, false)], "it is forgotten");
    assert!(sent(&store, vec![again(3, 0)]).await[0].1, "an event that is there is known however old it is");
    assert_eq!(store.verify().await.expect("the store works"), []);
    store.close().await;
}

#[tokio::test]
async fn events_of_a_store_of_before_are_known_by_what_was_written_beside_them() {
    let House { store, _folder } = house().await;
    sent(&store, vec![plain(1, 0), plain(2, 0)]).await;
    // As an earlier version has left it.
    change(
        &store,
        &[
            "insert into seen (source, id, eid, digest, until) select source, id, eid, digest, seen_until from event where eid = '00e00001'",
            "update event set digest = null, seen_until = null where eid = '00e00001'",
        ],
    )
    .await;
    let known = [("00e00001".to_owned(), true, true), ("00e00002".to_owned(), true, false), ("00e00003".to_owned(), false, false)];
    assert_eq!(sent(&store, vec![again(1, 1), again(2, 0), plain(3, 0)]).await, known);
    for number in 1..=3 {
        let (id, eid) = (number.to_string(), format!("00e0000{number}"));
        assert_eq!(of_id(&store, &id, Some("/s")).await, [eid.as_str()]);
        assert_eq!(of_id(&store, &id, None).await, [eid.as_str()]);
    }
    assert!(of_id(&store, "1", Some("/other")).await.is_empty());
    assert_eq!(store.verify().await.expect("the store works"), []);
    assert_eq!(prune(&store, start() + SignedDuration::from_hours(1)).await, 3);
    assert_eq!(sent(&store, vec![again(1, 0), again(2, 0), again(3, 0)]).await.iter().filter(|one| one.1).count(), 3);
    change(&store, &["delete from seen where id = '1'"]).await;
    sent(&store, vec![plain(1, 0)]).await;
    change(&store, &["update event set digest = null"]).await;
    assert_eq!(store.verify().await.expect("the store works").len(), 1, "nothing remembers it");
    store.close().await;
}
