//! The last of what happened, in order, in memory. Readers have a place in it and take what is new: a slow one misses something and is told so.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::News;

/// How much is kept until the configuration says.
const ROOM: usize = 16_384;

/// What happened lately.
#[derive(Debug)]
pub struct Feed {
    /// Of this start of the host: what was before it is not in the feed.
    boot: String,
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Kept {
    items: VecDeque<Arc<Item>>,
    newest: u64,
    room: usize,
}

/// Something in the feed.
#[derive(Debug)]
pub struct Item {
    /// Counts from 1.
    pub number: u64,
    /// What happened.
    pub news: News,
    /// By this host, which tells the others.
    pub is_own: bool,
    data: Mutex<Option<Arc<str>>>,
}

impl Item {
    /// What is told of it: made once for all readers.
    pub fn data(&self) -> Arc<str> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| self.news.data().into()).clone()
    }
}

/// A reader's place: the number of what it read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u64);

/// What comes after a place is not kept any more, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed;

impl Default for Feed {
    fn default() -> Feed {
        Feed {
            boot: uuid::Uuid::new_v4().simple().to_string(),
            kept: Mutex::new(Kept { items: VecDeque::new(), newest: 0, room: ROOM }),
            newest: watch::Sender::new(0),
        }
    }
}

impl Feed {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which start of the host this is.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// Keeps so many from now on.
    pub fn keep(&self, room: usize) {
        let mut kept = self.lock();
        kept.room = room;
        kept.trim();
    }

    /// Adds what happened.
    pub fn publish(&self, news: impl IntoIterator<Item = News>, is_own: bool) {
        let mut kept = self.lock();
        let before = kept.newest;
        for news in news {
            kept.newest += 1;
            let number = kept.newest;
            kept.items.push_back(Arc::new(Item { number, news, is_own, data: Mutex::default() }));
        }
        kept.trim();
        let newest = kept.newest;
        drop(kept);
        if newest > before {
            self.newest.send_replace(newest);
        }
    }

    /// After all there is.
    pub fn end(&self) -> Place {
        Place(self.lock().newest)
    }

    /// Before all that is kept.
    pub fn beginning(&self) -> Place {
        let kept = self.lock();
        Place(kept.items.front().map_or(kept.newest, |item| item.number - 1))
    }

    /// What a reader is told its place by.
    pub fn id(&self, place: Place) -> String {
        format!("{}.{}", self.boot, place.0)
    }

    /// The place that such an id stands for.
    ///
    /// # Errors
    /// [`Missed`]: it is another host's or start's, or too old.
    pub fn place(&self, id: &str) -> Result<Place, Missed> {
        let number = id.strip_prefix(&self.boot).and_then(|rest| rest.strip_prefix('.')).and_then(|number| number.parse().ok());
        let place = Place(number.ok_or(Missed)?);
        if place.0 > self.end().0 || place.0 < self.beginning().0 { Err(Missed) } else { Ok(place) }
    }

    /// What comes after a place, at most so much, and the place after it.
    ///
    /// # Errors
    /// [`Missed`]: some of it is not kept any more.
    pub fn after(&self, place: Place, most: usize) -> Result<(Vec<Arc<Item>>, Place), Missed> {
        let kept = self.lock();
        let first = kept.items.front().map_or(kept.newest + 1, |item| item.number);
        let Some(skip) = (place.0 + 1).checked_sub(first) else { return Err(Missed) };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let items: Vec<Arc<Item>> = kept.items.iter().skip(skip).take(most).cloned().collect();
        let place = items.last().map_or(place, |item| Place(item.number));
        Ok((items, place))
    }

    /// Tells when something is added.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

impl Kept {
    fn trim(&mut self) {
        while self.items.len() > self.room {
            self.items.pop_front();
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("what happened since then is not kept")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(items: &[Arc<Item>]) -> Vec<u64> {
        items.iter().map(|item| item.number).collect()
    }

    #[test]
    fn who_comes_back_gets_what_it_missed_once() {
        let feed = Feed::default();
        feed.publish([News::Duplicate, News::Duplicate, News::Duplicate], true);
        let (items, place) = feed.after(feed.beginning(), 2).expect("it is kept");
        assert_eq!(numbers(&items), [1, 2]);
        let id = feed.id(place);
        feed.publish([News::Duplicate], true);
        let (items, place) = feed.after(feed.place(&id).expect("it is kept"), 9).expect("it is kept");
        assert_eq!(numbers(&items), [3, 4]);
        assert_eq!(feed.after(place, 9).expect("nothing was missed").0.len(), 0);
    }

    #[test]
    fn what_is_not_kept_any_more_is_said_to_be_missed() {
        let feed = Feed::default();
        feed.keep(2);
        let begun = feed.end();
        feed.publish([News::Duplicate, News::Duplicate], true);
        assert_eq!(numbers(&feed.after(begun, 9).expect("all of it is kept").0), [1, 2]);
        feed.publish([News::Duplicate], true);
        assert_eq!(feed.after(begun, 9).expect_err("the first is gone"), Missed);
        assert_eq!(feed.place(&feed.id(begun)), Err(Missed));
        assert_eq!(feed.place("elsewhere.1"), Err(Missed));
        assert_eq!(feed.place(&format!("{}.99", feed.boot())), Err(Missed));
    }
}
