use std::future::Future;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::store::EffectRow;

fn kind(action: &str) -> Kind {
    Kind {
        revision: 1,
        plugin: "crm".to_owned(),
        component: "sha256:1".to_owned(),
        action: action.to_owned(),
        present: 1,
        time: Duration::from_secs(30),
    }
}

fn part(run: &str) -> Part {
    let effect = EffectRow::of_a_run(run, run, jiff::Timestamp::UNIX_EPOCH);
    Part { intent: Intent { fence: 1, effect, opening: None }, context: "0123456789".to_owned(), answer: None }
}

const ROOM: Room = Room { most: 3, bytes: 1000 };

fn leads(joined: Joined<'_>) -> Leading<'_> {
    match joined {
        Joined::Leads(leading) => leading,
        Joined::Waits(_) => panic!("it joined a group"),
    }
}

fn waits(joined: Joined<'_>) -> oneshot::Receiver<Share> {
    match joined {
        Joined::Waits(share) => share,
        Joined::Leads(_) => panic!("it opened a group"),
    }
}

/// Whether a wait is over, without waiting.
fn is_over(wait: impl Future<Output = ()>) -> bool {
    let mut wait = std::pin::pin!(wait);
    matches!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()))
}

fn runs(parts: &[Part]) -> Vec<&str> {
    parts.iter().map(|part| part.intent.effect.run.as_str()).collect()
}

#[tokio::test]
async fn a_run_waits_only_where_another_could_join() {
    let gathering = Gathering::default();
    let first = leads(gathering.join(kind("a"), part("1"), ROOM));
    assert!(is_over(first.gather(Duration::from_secs(60))), "an idle host adds no wait");
    let (parts, under_way) = first.close();
    assert_eq!(runs(&parts), ["1"]);
    // A call is under way: what comes now waits for its end, or for the time.
    let second = leads(gathering.join(kind("a"), part("2"), ROOM));
    assert!(!is_over(second.gather(Duration::from_secs(60))));
    second.gather(Duration::from_millis(1)).await;
    let other = leads(gathering.join(kind("b"), part("3"), ROOM));
    assert!(is_over(other.gather(Duration::from_secs(60))), "another action's call is no reason to wait");
    drop(under_way);
    assert!(is_over(second.gather(Duration::from_secs(60))));
    let coming = gathering.coming("crm", "a");
    assert!(!is_over(second.gather(Duration::from_secs(60))), "a run on its way is waited for");
    drop(coming);
    assert!(is_over(second.gather(Duration::from_secs(60))));
    drop((second, other));
    assert!(gathering.state().lanes.is_empty() && gathering.state().coming.is_empty(), "nothing is remembered of what is over");
}

#[tokio::test]
async fn a_group_has_as_many_as_go_into_a_call_and_its_leader_first() {
    let gathering = Gathering::default();
    let _under_way = leads(gathering.join(kind("a"), part("0"), ROOM)).close();
    let leader = leads(gathering.join(kind("a"), part("1"), ROOM));
    let second = waits(gathering.join(kind("a"), part("2"), ROOM));
    assert!(!is_over(leader.gather(Duration::from_secs(60))));
    let third = waits(gathering.join(kind("a"), part("3"), ROOM));
    assert!(is_over(leader.gather(Duration::from_secs(60))), "it is full");
    let next = leads(gathering.join(kind("a"), part("4"), ROOM));
    let (mut parts, call) = leader.close();
    assert_eq!(runs(&parts), ["1", "2", "3"]);
    let answer = parts[1].answer.take().expect("a member is answered");
    assert!(answer.send(Share::NotBegun("why".to_owned())).is_ok());
    assert!(matches!(second.await, Ok(Share::NotBegun(why)) if why == "why"));
    drop(parts);
    assert!(third.await.is_err(), "whose leader goes away is told");
    drop(call);
    let small = Room { most: 3, bytes: 15 };
    let alone = leads(gathering.join(kind("a"), part("5"), small));
    assert_eq!(runs(&next.close().0), ["4"], "more bytes than there is room for open a group of their own");
    drop(alone);
}

#[test]
fn a_batch_is_done_by_one_at_a_time() {
    let gathering = Gathering::default();
    let at_work = gathering.take_up("b");
    assert!(at_work.is_some() && gathering.take_up("b").is_none());
    drop(at_work);
    assert!(gathering.take_up("b").is_some());
}
