//! Whose data an event holds: the rules that are about it, and the search for one person's data through the whole store.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{MAX_HOPS, Runtime};
use crate::builtin;
use crate::personal::{Group, Hit, Places, Rules, Sought, Values, forms};
use crate::store::{Identity, KeyRow, RunRow, Scan, ScanPlace, SetAsideRow, StoreError};

/// Texts shorter than that, other than the identifiers asked for, are not looked for in key-value spaces: they belong to no event, and so to anybody.
const TELLING: usize = 6;
/// Texts that the database looks for at once.
const NEEDLES: usize = 60;

/// What somebody has to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is that person's: a field that says so names them.
    Own,
    /// It came of such a one.
    Caused,
    /// It only names them.
    Mention,
}

impl How {
    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            How::Own => "own",
            How::Caused => "caused",
            How::Mention => "mention",
        }
    }
}

/// An event that somebody has to do with.
#[derive(Debug, Clone)]
pub struct Member {
    /// The event.
    pub eid: String,
    /// Its type.
    pub event_type: String,
    /// Its source.
    pub source: String,
    /// When it came.
    pub received_at: Timestamp,
    /// Its runs have ended, and none keeps its order key.
    pub over: bool,
    /// What somebody has to do with it.
    pub how: How,
    /// What of it is personal.
    pub hit: Hit,
    /// Where.
    pub places: Places,
}

/// What one step of a search gives.
#[derive(Debug)]
pub enum Step {
    /// An event.
    Event(Box<Member>),
    /// A key of a plugin.
    Key(KeyRow),
    /// An identity that is remembered.
    Identity(Identity),
    /// Something that could not be made into an event.
    SetAside(SetAsideRow),
    /// It has looked at so many events, up to this time.
    Progress(u64, Option<Timestamp>),
}

/// A search for one person's data, window by window.
#[derive(Debug)]
pub struct Search {
    sought: Sought,
    scan: Scan,
    place: Option<ScanPlace>,
    scanned: u64,
    /// Events that were given, with those that came of others'.
    given: HashSet<String>,
    keys: HashSet<(String, String)>,
    over: bool,
}

impl Runtime {
    /// What marks the fields of an event and of its steps: as configured now, and as it was for its runs.
    pub async fn personal_rules(&self, event: &Value, runs: &[RunRow]) -> Rules {
        let attribute = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut rules = Rules::default();
        let mut revisions = vec![self.present().revision.clone()];
        for run in runs {
            let Ok(revision) = self.revision(run.revision).await else { continue };
            for step in revision.route(&run.route).iter().flat_map(|route| &route.steps) {
                if step.plugin == builtin::NAME && step.action == builtin::WAIT {
                    let all = revisions[0].config.events.iter().chain(&revision.config.events);
                    let marking: Vec<_> = all.filter(|rule| rule.has_marks()).cloned().collect();
                    if !marking.is_empty() {
                        rules.waits.insert((run.id.clone(), step.name.clone()), marking);
                    }
                }
                let action = revision.plugins.get(&step.plugin).and_then(|plugin| plugin.actions.get(&step.action));
                let Some(action) = action else { continue };
                let input = Some(action.input.clone()).filter(|schema| schema.has_marks());
                if input.is_some() || action.output.is_some() {
                    rules.steps.insert((run.id.clone(), step.name.clone()), [input, action.output.clone()]);
                }
            }
            if revisions.iter().all(|known| known.number != revision.number) {
                revisions.push(revision);
            }
        }
        let about = revisions.iter().flat_map(|revision| &revision.config.events);
        let about = about.filter(|rule| rule.has_marks() && rule.is_about(attribute("type"), attribute("source")));
        rules.events = about.cloned().collect();
        rules
    }

    /// Whether fields of events are hidden from anybody, by this configuration or one that events were accepted on.
    pub async fn hides_fields(&self) -> Result<bool, StoreError> {
        let present = self.present();
        let config = &present.revision.config;
        let marks = |schema: &Arc<crate::schema::Schema>| schema.has_marks();
        let actions = present.revision.plugins.values().flat_map(|plugin| plugin.actions.values());
        let by_plugins = actions.into_iter().any(|action| marks(&action.input) || action.output.is_some());
        let now =
            by_plugins || config.events.iter().any(|rule| rule.has_marks()) || config.routes.iter().any(|route| !route.redact.is_empty());
        if now { Ok(true) } else { self.store.hides_fields().await }
    }

    /// An event that somebody has to do with, and, if it is their own, all that came of it. Empty: they have nothing to do with it.
    pub async fn family(&self, eid: &str, sought: &Sought) -> Result<Vec<Member>, StoreError> {
        let Some((group, rules)) = self.group(eid).await? else { return Ok(Vec::new()) };
        let Some(hit) = group.hit(&rules, sought) else { return Ok(Vec::new()) };
        let how = if hit.own { How::Own } else { How::Mention };
        let mut members = vec![member(&group, hit, how)];
        let mut open = VecDeque::from(if how == How::Own { vec![(0, 0)] } else { Vec::new() });
        let mut known = HashSet::from([eid.to_owned()]);
        while let Some((parent, hops)) = open.pop_front() {
            let mut after = String::new();
            loop {
                let caused = self.store.caused_by(&members[parent].eid, &after).await?;
                let Some(last) = caused.last() else { break };
                after.clone_from(last);
                for child in caused {
                    if hops >= MAX_HOPS || !known.insert(child.clone()) {
                        continue;
                    }
                    let Some((group, rules)) = self.group(&child).await? else { continue };
                    let hit = group.inherited(&rules, sought, &members[parent].hit);
                    members.push(member(&group, hit, How::Caused));
                    open.push_back((members.len() - 1, hops + 1));
                }
            }
        }
        Ok(members)
    }

    /// An event with what marks its fields.
    pub async fn group(&self, eid: &str) -> Result<Option<(Group, Rules)>, StoreError> {
        let Some(group) = self.store.group(eid).await? else { return Ok(None) };
        let rules = self.personal_rules(&group.json(), &group.runs).await;
        Ok(Some((group, rules)))
    }

    /// Keys of plugins that hold one of these values, or are named so.
    pub async fn keys_of(&self, values: &Values) -> Result<Vec<KeyRow>, StoreError> {
        let needles: Vec<String> = values.plain().iter().flat_map(|text| forms(text)).collect();
        let mut found: HashMap<(String, String), KeyRow> = HashMap::new();
        for needles in needles.chunks(NEEDLES) {
            let mut after = None;
            loop {
                let rows = self.store.scan_keys(needles, after).await?;
                let Some(last) = rows.last() else { break };
                after = Some((last.plugin.clone(), last.key.clone()));
                // The database has looked for the letters alone.
                let held = rows.into_iter().filter(|row| values.is_in(row.key.as_bytes()) || holds(values, &row.value));
                found.extend(held.map(|row| ((row.plugin.clone(), row.key.clone()), row)));
            }
        }
        Ok(found.into_values().collect())
    }
}

fn holds(values: &Values, body: &[u8]) -> bool {
    values.mask_body(body, crate::personal::Mask::Erased).is_some()
}

/// What is looked for in key-value spaces: the identifiers, and personal values that are long enough to mean that person.
pub(super) fn key_values(sought: &Sought, members: &[Member]) -> Values {
    let mut values = sought.words();
    members.iter().filter(|member| member.hit.own).for_each(|member| values.extend(&member.hit.values.telling(TELLING)));
    values
}

pub(super) fn member(group: &Group, hit: Hit, how: How) -> Member {
    let event = group.json();
    let attribute = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Member {
        eid: group.event.eid.clone(),
        event_type: attribute("type"),
        source: attribute("source"),
        received_at: group.event.received_at,
        over: group.is_over(),
        how,
        places: group.places(&hit.values),
        hit,
    }
}

impl Search {
    /// For these identifiers, in events that the scan chooses.
    pub fn new(sought: Sought, event_type: Option<String>, since: Option<Timestamp>, until: Option<Timestamp>) -> Search {
        let needles = sought.identifiers().iter().flat_map(|text| forms(text)).collect();
        Search {
            scan: Scan { needles, event_type, since, until },
            sought,
            place: None,
            scanned: 0,
            given: HashSet::new(),
            keys: HashSet::new(),
            over: false,
        }
    }

    /// What is asked for.
    pub fn sought(&self) -> &Sought {
        &self.sought
    }

    /// Looks through the next window; `None`: there is no more.
    pub async fn next(&mut self, runtime: &Runtime) -> Result<Option<Vec<Step>>, StoreError> {
        if self.over {
            return Ok(None);
        }
        let mut steps = Vec::new();
        let window = runtime.store.scan(&self.scan, self.place.take()).await?;
        self.scanned += window.scanned;
        for eid in window.hits {
            if self.given.contains(&eid) {
                continue;
            }
            let members = runtime.family(&eid, &self.sought).await?;
            if members.first().is_some_and(|first| first.hit.own) {
                self.look_at_keys(runtime, &members, &mut steps).await?;
            }
            for member in members {
                if self.given.insert(member.eid.clone()) {
                    steps.push(Step::Event(Box::new(member)));
                }
            }
        }
        steps.push(Step::Progress(self.scanned, window.next.as_ref().map(|(time, _)| *time)));
        self.place = window.next;
        if self.place.is_none() {
            self.over = true;
            // Where events are chosen, only they are meant.
            let Scan { event_type, since, until, .. } = &self.scan;
            if self.sought.field.is_none() && event_type.is_none() && since.is_none() && until.is_none() {
                self.look_at_keys(runtime, &[], &mut steps).await?;
                steps.extend(runtime.identities_of(&self.sought).await?.into_iter().map(Step::Identity));
                steps.extend(runtime.set_aside_of(&self.sought).await?.into_iter().map(Step::SetAside));
            }
        }
        Ok(Some(steps))
    }

    async fn look_at_keys(&mut self, runtime: &Runtime, members: &[Member], steps: &mut Vec<Step>) -> Result<(), StoreError> {
        for row in runtime.keys_of(&key_values(&self.sought, members)).await? {
            if self.keys.insert((row.plugin.clone(), row.key.clone())) {
                steps.push(Step::Key(row));
            }
        }
        Ok(())
    }
}

impl Runtime {
    /// What was set aside and names somebody: in what came, in what came with it, or in what was said of it.
    pub(super) async fn set_aside_of(&self, sought: &Sought) -> Result<Vec<SetAsideRow>, StoreError> {
        let values = sought.words();
        let needles: Vec<String> = sought.identifiers().iter().flat_map(|text| forms(text)).collect();
        let names = |text: &str| values.is_in(text.as_bytes()) || holds(&values, text.as_bytes());
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let rows = self.store.scan_set_aside(&needles, &after).await?;
            let Some(last) = rows.last() else { return Ok(found) };
            after.clone_from(&last.id);
            found.extend(rows.into_iter().filter(|row| {
                let in_data = values.is_in(&row.data) || holds(&values, &row.data);
                in_data || names(&row.reason) || names(&row.source) || row.context.as_deref().is_some_and(names)
            }));
        }
    }

    /// Identities that name somebody.
    pub(super) async fn identities_of(&self, sought: &Sought) -> Result<Vec<Identity>, StoreError> {
        let values = sought.words();
        let needles: Vec<String> = sought.identifiers().to_vec();
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let rows = self.store.scan_identities(&needles, after).await?;
            let Some(last) = rows.last() else { return Ok(found) };
            after = Some((last.source.clone(), last.id.clone()));
            found.extend(rows.into_iter().filter(|row| values.is_in(row.source.as_bytes()) || values.is_in(row.id.as_bytes())));
        }
    }
}
