//! Erasures under way: each is brought to its end by one host at a time, however often hosts are killed in between.
//!
//! Of a person's events those whose runs have not ended are left whole, and erased when they end. An event goes with all that came of it, the last
//! first and itself at the end, so that whoever begins anew still finds what is left. Keys that hold its values go before it for the same reason.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::personal::key_values;
use super::{How, Member, Runtime};
use crate::audit::{Action, By};
use crate::clock::later;
use crate::crash::Point;
use crate::personal::{FieldPath, Hit, Mask, Sought, Values, forms};
use crate::store::{Erasure, KeyRow, Rewritten, Scan, StoreError};
use crate::telemetry;

/// How long an erasure belongs to a host without a sign of life of it. Two that are at one do the same twice, which is harmless.
const LEASE: Duration = Duration::from_secs(10);
/// How long one that waits for somebody is left alone.
const REST: Duration = Duration::from_secs(2);
/// A SQLite file up to that size is written anew when an erasure ends: it takes a second or two.
const REBUILD: u64 = 256 << 20;
/// How often the end of an erasure waits for readers to let go of the log.
const CHECKPOINTS: u32 = 20;

/// What an erasure is to erase. Sealed in the store while it is under way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// Identifiers of the person.
    pub subjects: Vec<String>,
    /// Only where they stand at this path.
    pub field: Option<String>,
    /// Exact type of the events.
    pub event_type: Option<String>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// One event, whoever's it is.
    pub eid: Option<String>,
    /// Events of that person lose all that came from outside, not only marked fields.
    pub whole: bool,
    /// Runs that have not ended are cancelled.
    pub cancel: bool,
}

impl Wanted {
    /// Whose data it is about.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn sought(&self) -> Result<Sought, String> {
        let field = self.field.as_deref().map(FieldPath::parse).transpose()?;
        Sought::new(self.subjects.clone(), field)
    }

    /// Whether no events are chosen: then what belongs to no event is meant too.
    fn is_about_everything(&self) -> bool {
        self.eid.is_none() && self.field.is_none() && self.event_type.is_none() && self.since.is_none() && self.until.is_none()
    }
}

/// What became of an event.
enum Done {
    /// So many events and places were erased, and keys.
    Erased(u64, u64, u64),
    /// Runs of it, or of one that came of it, have not ended, or a key is in use; or this run waits for a batch that one of it is in.
    Waits(Option<String>),
}

impl Runtime {
    /// Asks for an erasure; gives its id.
    pub async fn ask_erasure(&self, wanted: &Wanted) -> Result<String, StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        let text = serde_json::to_vec(wanted).expect("what is wanted is plain data");
        let subject = match &wanted.eid {
            Some(eid) => format!("event {eid}"),
            None => self.vault.digest(&wanted.subjects.join("\n")),
        };
        self.store.erasure_add(&id, &subject, self.vault.seal_erasure(&id, &text), Vec::new(), self.clock.now()).await?;
        self.erasing.notify_one();
        Ok(id)
    }

    /// Goes on with erasures that can go on.
    pub async fn erase(&self) -> Result<(), StoreError> {
        while !self.stopping.is_cancelled() {
            let now = self.clock.now();
            let Some(erasure) = self.store.erasure_claim(&self.identity.name, now, later(now, LEASE)).await? else { return Ok(()) };
            self.go_on(erasure).await?;
        }
        Ok(())
    }

    async fn go_on(&self, mut erasure: Erasure) -> Result<(), StoreError> {
        let opened = erasure.sealed.as_ref().map(|sealed| self.vault.open_erasure(&erasure.id, sealed));
        let wanted: Option<Wanted> = opened.and_then(Result::ok).and_then(|text| serde_json::from_slice(&text).ok());
        let Some(wanted) = wanted else {
            tracing::error!(erasure = erasure.id, "what this erasure is to erase does not open with this host's key: ask for it again");
            erasure.note = Some("what it was to erase was sealed with another key: ask for it again".to_owned());
            return self.finish(erasure).await;
        };
        if erasure.state == "looking" {
            self.look(&mut erasure, &wanted).await?;
        }
        if erasure.state == "looking" {
            return Ok(()); // The host is stopping.
        }
        let mut left = false;
        let mut awaited = None;
        for eid in self.store.erasure_waits(&erasure.id).await? {
            match self.erase_event(&eid, &wanted).await? {
                Done::Erased(events, places, keys) => {
                    erasure.figures.events += events;
                    erasure.figures.places += places;
                    erasure.figures.key_values += keys;
                    self.keep(&erasure, Vec::new(), vec![eid]).await?;
                }
                Done::Waits(run) => {
                    left = true;
                    awaited = awaited.or(run);
                }
            }
        }
        if let Ok(sought) = wanted.sought()
            && wanted.is_about_everything()
        {
            erasure.figures.set_aside += self.erase_set_aside(&sought, erasure.requested_at).await?;
            let (gone, run) = self.erase_batches(&sought, erasure.requested_at).await?;
            erasure.figures.places += gone;
            left |= run.is_some();
            awaited = awaited.or(run);
        }
        if let Ok(sought) = wanted.sought()
            && wanted.is_about_everything()
            && !left
        {
            let (keys, all) = self.erase_keys(&sought.words()).await?;
            erasure.figures.key_values += keys;
            erasure.figures.identities = self.identities_of(&sought).await?.len() as u64;
            left = !all;
        }
        if left {
            erasure.note = awaited.map(|run| {
                format!("run {run} waits for the result of a batch that some of the data stands in: it is erased when that run ends")
            });
            return self.store.erasure_progress(&erasure, Vec::new(), Vec::new(), later(self.clock.now(), REST)).await;
        }
        erasure.note = self.let_go(&erasure).await?;
        self.finish(erasure).await
    }

    async fn look(&self, erasure: &mut Erasure, wanted: &Wanted) -> Result<(), StoreError> {
        if let Some(eid) = &wanted.eid {
            erasure.figures.scanned = 1;
            erasure.state = "waiting".to_owned();
            return self.keep(erasure, vec![eid.clone()], Vec::new()).await;
        }
        // What came later is not meant: whoever asks has seen what there was.
        let end = later(erasure.requested_at, Duration::from_millis(1));
        let scan = Scan {
            needles: wanted.subjects.iter().flat_map(|text| forms(text)).collect(),
            event_type: wanted.event_type.clone(),
            since: wanted.since,
            until: Some(wanted.until.map_or(end, |until| until.min(end))),
        };
        while !self.stopping.is_cancelled() {
            let window = self.store.scan(&scan, erasure.place.clone()).await?;
            let mut waits = Vec::new();
            for eid in window.hits {
                match self.erase_event(&eid, wanted).await? {
                    Done::Erased(events, places, keys) => {
                        erasure.figures.events += events;
                        erasure.figures.places += places;
                        erasure.figures.key_values += keys;
                    }
                    Done::Waits(_) => waits.push(eid),
                }
            }
            erasure.figures.scanned += window.scanned;
            let is_last = window.next.is_none();
            erasure.place = window.next.or(erasure.place.take());
            if is_last {
                erasure.state = "waiting".to_owned();
            }
            self.keep(erasure, waits, Vec::new()).await?;
            if is_last {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn keep(&self, erasure: &Erasure, waits: Vec<String>, over: Vec<String>) -> Result<(), StoreError> {
        self.store.erasure_progress(erasure, waits, over, later(self.clock.now(), LEASE)).await
    }

    async fn finish(&self, mut erasure: Erasure) -> Result<(), StoreError> {
        erasure.state = "done".to_owned();
        erasure.finished_at = Some(self.clock.now());
        let over = self.store.erasure_waits(&erasure.id).await?;
        self.keep(&erasure, Vec::new(), over).await?;
        let figures = erasure.figures;
        tracing::info!(erasure = erasure.id, events = figures.events, places = figures.places, keys = figures.key_values, "erased");
        Ok(())
    }

    /// Erases in an event, and in what came of it.
    async fn erase_event(&self, eid: &str, wanted: &Wanted) -> Result<Done, StoreError> {
        let members = match (&wanted.eid, wanted.sought()) {
            (None, Ok(sought)) => self.family(eid, &sought).await?,
            _ => self.alone(eid).await?,
        };
        for member in members.iter().filter(|member| !member.over) {
            if !wanted.cancel {
                return Ok(Done::Waits(None));
            }
            // Who asked for the erasure is on record; this is the host doing it.
            let act = By::host(&self.identity.name).did(Action::EventCancelled, member.eid.as_str()).with("for", "an erasure");
            let cancelled = self.store.cancel(&member.eid, act, self.clock.now()).await?;
            for (_, route) in &cancelled.runs {
                self.metrics.run_ended(route, "cancelled");
            }
            self.ended.send_modify(|count| *count += 1);
            self.due.notify_one();
        }
        let mut keys = 0;
        if let (true, Ok(sought)) = (members.first().is_some_and(|first| first.how == How::Own), wanted.sought()) {
            let (erased, all) = self.erase_keys(&key_values(&sought, &members)).await?;
            keys = erased;
            if !all {
                return Ok(Done::Waits(None));
            }
        }
        let (mut events, mut places) = (0, 0);
        for member in members.iter().rev() {
            let Some((before, _)) = self.group(&member.eid).await? else { continue };
            let mut after = before.clone();
            let erased = after.erase(&member.hit, wanted.whole && member.hit.own);
            if erased.count == 0 {
                continue;
            }
            match self.store.rewrite(before, after, self.clock.now()).await? {
                Rewritten::Done => {}
                Rewritten::NotOver => return Ok(Done::Waits(None)),
                Rewritten::Awaited(run) => return Ok(Done::Waits(Some(run))),
            }
            self.store.crash().at(Point::Erased);
            events += 1;
            places += erased.count as u64;
        }
        Ok(Done::Erased(events, places, keys))
    }

    /// An event that is to be erased whole, whoever's it is.
    async fn alone(&self, eid: &str) -> Result<Vec<Member>, StoreError> {
        let Some((group, _)) = self.group(eid).await? else { return Ok(Vec::new()) };
        let hit = Hit { own: true, values: Values::default(), fields: Vec::new() };
        Ok(vec![super::personal::member(&group, hit, How::Mention)])
    }

    /// Erases values of keys, and keys that are named so; how many, and whether none was in use.
    async fn erase_keys(&self, values: &Values) -> Result<(u64, bool), StoreError> {
        let (mut erased, mut all) = (0, true);
        for row in self.keys_of(values).await? {
            if self.erase_key(row, values).await? {
                erased += 1;
            } else {
                all = false;
            }
        }
        Ok((erased, all))
    }

    /// What was set aside and names the person goes whole: with `[erased]` in it, it would come in as an event of nobody once it is tried again. What
    /// came first after the erasure was asked for is not meant.
    async fn erase_set_aside(&self, sought: &Sought, asked_at: Timestamp) -> Result<u64, StoreError> {
        let mut gone = 0;
        for row in self.set_aside_of(sought).await?.into_iter().filter(|row| row.first_at <= asked_at) {
            gone += u64::from(self.store.set_aside_erased(&row.id).await?);
        }
        Ok(gone)
    }

    /// Batches keep what their members were given, also of an event that retention has removed. Gives how many are gone, and a run that waits for one
    /// which stays until it ends.
    async fn erase_batches(&self, sought: &Sought, asked_at: Timestamp) -> Result<(u64, Option<String>), StoreError> {
        let values = sought.words();
        // What a member was given is JSON as a text within JSON.
        let needles: Vec<String> = sought.identifiers().iter().flat_map(|text| forms(text)).flat_map(|text| forms(&text)).collect();
        let (mut gone, mut awaited) = (0, None);
        for id in self.store.scan_batches(&needles, asked_at).await? {
            let contents = self.store.batch_contents(&id).await?;
            if !contents.iter().any(|bytes| values.is_in(bytes) || values.mask_body(bytes, Mask::Erased).is_some()) {
                continue;
            }
            match self.store.batch_erased(&id).await? {
                None => gone += 1,
                run => awaited = awaited.or(run),
            }
        }
        Ok((gone, awaited))
    }

    async fn erase_key(&self, row: KeyRow, values: &Values) -> Result<bool, StoreError> {
        // A key is a name that the plugin asks by: another one in its place would never be asked for.
        let value = match values.is_in(row.key.as_bytes()) {
            true => None,
            false => values.mask_body(&row.value, Mask::Erased).map(|(value, _)| value),
        };
        let version = i64::try_from(uuid::Uuid::new_v4().as_u128() & 0x7fff_ffff_ffff_ffff).expect("63 bits");
        self.store.rewrite_key(row, value, version).await
    }

    /// Sees to it that the database does not keep what was written over; gives what an administrator must know.
    async fn let_go(&self, erasure: &Erasure) -> Result<Option<String>, StoreError> {
        let figures = &erasure.figures;
        if figures.events + figures.places + figures.key_values + figures.set_aside == 0 {
            return Ok(None);
        }
        if self.store.is_shared() {
            self.store.scrub().await?;
            let note = "PostgreSQL keeps what was overwritten in its files until it writes over it, and in its log; `vacuum full` writes tables anew";
            return Ok(Some(note.to_owned()));
        }
        let is_small = self.store.file_size().await? <= REBUILD;
        let mut rebuilt = !is_small;
        for _ in 0..CHECKPOINTS {
            let done = if rebuilt { self.store.scrub().await } else { self.store.rebuild().await };
            match done {
                Ok(true) if is_small => return Ok(None),
                Ok(true) => {
                    let note = "the file is too large to be written anew while the host works; `sangam store backup` writes a compact copy, to be \
                                put in its place";
                    return Ok(Some(note.to_owned()));
                }
                // It is anew; its log is not empty yet.
                Ok(false) => rebuilt = true,
                Err(error) if error.is_passing() => tracing::warn!(error = telemetry::chain(&error), "the file is in use"),
                Err(error) => return Err(error),
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Ok(Some("somebody reads the file all the time, so that its log was not emptied: restart the host".to_owned()))
    }
}
