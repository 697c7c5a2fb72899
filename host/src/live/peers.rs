//! Hosts that share a store tell each other what happened: each numbers what it tells, so that a hole is seen, and said.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Feed, Item, News, Place};

/// Bytes of a batch: a notification of PostgreSQL carries less than 8000.
const BATCH: usize = 7_600;
/// How much of the feed is looked at at a time.
const MOST: usize = 2_048;

/// Some of what a host tells, in order.
#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    host: String,
    boot: String,
    /// How much it had told, or had to tell and nobody was there, before.
    from: u64,
    news: Vec<News>,
}

/// What this host has to tell.
#[derive(Debug)]
pub struct Teller {
    host: String,
    feed: Arc<Feed>,
    place: Place,
    told: u64,
}

impl Teller {
    /// Tells of what this feed gets from now on, as that host.
    pub fn new(host: &str, feed: Arc<Feed>) -> Teller {
        Teller { host: host.to_owned(), place: feed.end(), feed, told: 0 }
    }

    /// What is to be told now, in batches. What is larger than one leaves a hole.
    pub fn take(&mut self) -> Vec<String> {
        let mut batches = Vec::new();
        loop {
            let Ok((items, place)) = self.feed.after(self.place, MOST) else {
                self.place = self.feed.beginning();
                self.told += 1;
                continue;
            };
            if items.is_empty() {
                return batches;
            }
            self.place = place;
            self.batch(&items, &mut batches);
        }
    }

    /// Nobody is there to hear: whoever comes later sees by the number that there was something.
    pub fn pass_over(&mut self) {
        let end = self.feed.end();
        if self.place != end {
            self.place = end;
            self.told += 1;
        }
    }

    fn batch(&mut self, items: &[Arc<Item>], batches: &mut Vec<String>) {
        let (mut news, mut size) = (Vec::new(), 0);
        for item in items.iter().filter(|item| item.is_own) {
            let text = serde_json::to_string(&item.news).expect("news are plain data");
            if text.len() > BATCH {
                self.close(std::mem::take(&mut news), batches);
                self.told += 1;
                size = 0;
                continue;
            }
            if size + text.len() + 1 > BATCH {
                self.close(std::mem::take(&mut news), batches);
                size = 0;
            }
            size += text.len() + 1;
            news.push(text);
        }
        self.close(news, batches);
    }

    fn close(&mut self, news: Vec<String>, batches: &mut Vec<String>) {
        if news.is_empty() {
            return;
        }
        let (host, boot) = (serde_json::json!(self.host), self.feed.boot());
        batches.push(format!("{{\"host\":{host},\"boot\":\"{boot}\",\"from\":{},\"news\":[{}]}}", self.told, news.join(",")));
        self.told += news.len() as u64;
    }
}

/// What this host has heard of the others.
#[derive(Debug, Default)]
pub struct Peers {
    heard: BTreeMap<String, (String, u64)>,
}

impl Peers {
    /// Takes in what another host told. Nothing, if it is this host's own.
    pub fn hear(&mut self, feed: &Feed, text: &str) {
        // A later version may tell of things that this one does not know.
        let Ok(batch) = serde_json::from_str::<Batch>(text) else { return feed.publish([News::Gap], false) };
        if batch.boot == feed.boot() {
            return;
        }
        let expected = match self.heard.get(&batch.host) {
            Some((boot, next)) if *boot == batch.boot => Some(*next),
            // What its life before told last may have been lost with it.
            Some(_) => None,
            None => Some(0),
        };
        let next = batch.from + batch.news.len() as u64;
        self.heard.insert(batch.host, (batch.boot, next));
        let gap = (expected != Some(batch.from)).then_some(News::Gap);
        feed.publish(gap.into_iter().chain(batch.news), false);
    }

    /// Nothing was heard for a while.
    pub fn missed(&mut self, feed: &Feed) {
        self.heard.clear();
        feed.publish([News::Gap], false);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Accepted, RevisionApplied};
    use super::*;

    fn news(revision: i64) -> News {
        News::Revision(RevisionApplied { revision, at: jiff::Timestamp::UNIX_EPOCH })
    }

    fn heard(feed: &Feed) -> Vec<News> {
        feed.after(feed.beginning(), 9_999).expect("it is kept").0.iter().map(|item| item.news.clone()).collect()
    }

    #[test]
    fn what_one_host_tells_another_hears_once_and_whole() {
        let (here, there) = (Arc::new(Feed::default()), Feed::default());
        let mut teller = Teller::new("one", here.clone());
        let mut peers = Peers::default();
        here.publish((0..500).map(news), true);
        // What it heard of others is not its to tell.
        here.publish([news(999)], false);
        let batches = teller.take();
        assert!(batches.len() > 1 && batches.iter().all(|batch| batch.len() < 8_000));
        batches.iter().for_each(|batch| peers.hear(&there, batch));
        assert_eq!(heard(&there), (0..500).map(news).collect::<Vec<_>>());
        assert!(teller.take().is_empty());
        // Its own voice says nothing new.
        batches.iter().for_each(|batch| Peers::default().hear(&here, batch));
        assert_eq!(heard(&here).len(), 501);
    }

    #[test]
    fn a_hole_is_said() {
        let (here, there) = (Arc::new(Feed::default()), Feed::default());
        let mut teller = Teller::new("one", here.clone());
        let mut peers = Peers::default();
        here.publish([news(1)], true);
        drop(teller.take());
        here.publish([news(2)], true);
        teller.take().iter().for_each(|batch| peers.hear(&there, batch));
        assert_eq!(heard(&there), [News::Gap, news(2)]);
        // Nobody listened.
        here.publish([news(3)], true);
        teller.pass_over();
        here.publish([news(4)], true);
        teller.take().iter().for_each(|batch| peers.hear(&there, batch));
        assert_eq!(heard(&there)[2..], [News::Gap, news(4)]);
        // Another life of that host.
        let again = Arc::new(Feed::default());
        let mut teller = Teller::new("one", again.clone());
        again.publish([news(5)], true);
        teller.take().iter().for_each(|batch| peers.hear(&there, batch));
        assert_eq!(heard(&there)[4..], [News::Gap, news(5)]);
    }

    #[test]
    fn what_is_too_large_to_tell_leaves_a_hole() {
        let (here, there) = (Arc::new(Feed::default()), Feed::default());
        let mut teller = Teller::new("one", here.clone());
        let mut peers = Peers::default();
        let large = Accepted {
            eid: "e".into(),
            event_type: "t".into(),
            source: "s".repeat(9_000).into(),
            id: "1".into(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            routes: Vec::new(),
        };
        here.publish([news(1), News::Accepted(large), news(2)], true);
        teller.take().iter().for_each(|batch| peers.hear(&there, batch));
        assert_eq!(heard(&there), [news(1), News::Gap, news(2)]);
    }
}
