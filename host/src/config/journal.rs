//! What is kept of a step's requests: `journal`, `on-unrepeated`, `record-reads`.

use std::time::Duration;

use super::item::Item;
use super::model::OnDoubt;
use super::reader::Reader;
use super::section::Section;
use super::units::MAX_DURATION;

/// Shortest time for which reads are kept: below it nobody could still ask for them.
const SHORTEST_RECORD: Duration = Duration::from_secs(1);

/// What is kept of a step's requests, and what is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalPolicy {
    /// `journal`: writes are journalled. Otherwise nothing is answered from the journal, and a crash repeats them all.
    pub kept: bool,
    /// `on-unrepeated`
    pub on_unrepeated: OnUnrepeated,
    /// `record-reads`: how long answers to reads are kept for dry runs; `None`: they are not.
    pub record_reads: Option<Duration>,
}

/// `on-unrepeated`: an attempt succeeds without asking for a write that an earlier one had done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnrepeated {
    /// The write is shown with the attempt.
    Show,
    /// The run is dead as `diverged`.
    Stop,
}

impl Default for JournalPolicy {
    fn default() -> JournalPolicy {
        JournalPolicy { kept: true, on_unrepeated: OnUnrepeated::Show, record_reads: None }
    }
}

/// Refuses `journal = false` beside a step that undoes: what a step has written is known from its journal alone.
pub(super) fn refuse_with_undo(r: &mut Reader<'_>, journals: &[Item<'_>]) {
    for item in journals.iter().filter(|item| item.value.as_bool() == Some(false)) {
        r.error(&item.span, "`journal = false` leaves an undo nothing to go by, and a step of this route has `on-failure = \"undo\"`")
            .help("take `journal = false` away, or choose another `on-failure`: an undo would end as done and have undone nothing");
    }
}

/// Reads the three keys. `on_doubt` is what the step says about writes in doubt, with its place.
pub(super) fn journal(r: &mut Reader<'_>, section: &mut Section<'_>, on_doubt: Option<(&Item<'_>, OnDoubt)>) -> JournalPolicy {
    let kept = section.get("journal").and_then(|item| item.boolean(r)).unwrap_or(true);
    let choices = [("show", OnUnrepeated::Show), ("stop", OnUnrepeated::Stop)];
    let item = section.get("on-unrepeated");
    let on_unrepeated = item.as_ref().and_then(|item| item.choice(r, &choices)).unwrap_or(OnUnrepeated::Show);
    let record_reads = section.get("record-reads").and_then(|item| item.duration(r, SHORTEST_RECORD..=MAX_DURATION));
    if !kept {
        if let Some((item, OnDoubt::Hold)) = on_doubt {
            r.error(&item.span, "`on-doubt = \"hold\"` needs the journal, which this step has switched off")
                .help("take `journal = false` away: without it nobody knows after a crash which write is in doubt");
        }
        if let Some(item) = item.filter(|_| on_unrepeated == OnUnrepeated::Stop) {
            r.error(&item.span, "`on-unrepeated = \"stop\"` needs the journal, which this step has switched off")
                .help("take `journal = false` away: without it nobody knows what an earlier attempt has written");
        }
    }
    JournalPolicy { kept, on_unrepeated, record_reads }
}
