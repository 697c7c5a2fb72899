//! Events of the host's own: a credential broke, a credential works again. Routes match them like others, so that the
//! people who can help hear of it.
//!
//! The hosts on a store agree on each turn by one row: whoever writes it tells it, and so does whoever finds it untold,
//! under the same `id`. A turn needs something that happened after the last one, so that a host which knows of nothing
//! newer turns nothing back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::{Intake, Runtime};
use crate::credentials::{State, Status};
use crate::event::{Data, Event, Json};
use crate::store::{HealthRow, StoreError, Turn};
use crate::telemetry;

/// Type of the event when a credential breaks.
const BROKEN: &str = "sangam.credential.broken";
/// … and when it works again.
const HEALED: &str = "sangam.credential.healed";
/// What all sources of the host's own begin with.
const SOURCE: &str = "/sangam/credentials/";

impl Runtime {
    /// Takes in an event for each credential that turned, as this host sees it, and for each turn that a host left untold.
    ///
    /// # Errors
    /// When the store does not answer. To be called again.
    pub async fn tell_of_credentials(&self) -> Result<(), StoreError> {
        let mut known = BTreeMap::new();
        for row in self.store.credential_health().await? {
            if row.told < row.number {
                self.tell(&row).await?;
            }
            known.insert(row.name.clone(), row);
        }
        for status in self.broker.status() {
            let Some(turn) = turn(&status, known.get(&status.name)) else { continue };
            if let Some(row) = self.store.credential_turned(turn).await? {
                self.tell(&row).await?;
            }
        }
        Ok(())
    }

    async fn tell(&self, row: &HealthRow) -> Result<(), StoreError> {
        let event = event(row);
        // An event of nobody's has no hops to have too many of.
        if let Ok(row) = Intake::new(self).prepare(&event, None).await {
            let came = self.came(std::slice::from_ref(&row));
            let accepted = self.take_in(vec![row]).await?;
            self.took_in(&came, &accepted, None);
            let duplicate = accepted.first().is_some_and(|accepted| accepted.duplicate);
            self.metrics.accepted(&event.source, duplicate);
        }
        self.store.credential_told(&row.name, row.number).await?;
        tracing::info!(credential = row.name, broken = row.broken, "a credential turned, and routes were told");
        Ok(())
    }
}

/// Whether a credential has turned since what is known of it.
fn turn(status: &Status, known: Option<&HealthRow>) -> Option<Turn> {
    let newer = |at: Timestamp| known.is_none_or(|known| known.changed_at.as_millisecond() < at.as_millisecond());
    let is_broken = known.is_some_and(|known| known.broken);
    let made = |broken, at, reason| Turn { name: status.name.clone(), broken, at, kind: status.kind.to_owned(), reason };
    match status.state {
        State::Broken | State::NotConnected if !is_broken => {
            status.broken_at.filter(|&at| newer(at)).map(|at| made(true, at, status.last_error.clone()))
        }
        State::Ok if is_broken => status.works_at.filter(|&at| newer(at)).map(|at| made(false, at, None)),
        _ => None,
    }
}

fn event(row: &HealthRow) -> Event {
    let mut data = json!({ "credential": row.name, "type": row.kind });
    if let Some(reason) = &row.reason {
        data["reason"] = json!(reason);
    }
    Event {
        // The time keeps it apart from one of the same number before a restored backup.
        id: format!("{}-{}", row.number, row.changed_at.as_millisecond()),
        source: format!("{SOURCE}{}", row.name),
        event_type: if row.broken { BROKEN } else { HEALED }.to_owned(),
        subject: Some(row.name.clone()),
        time: Some(row.changed_at.to_string()),
        datacontenttype: Some("application/json".to_owned()),
        dataschema: None,
        extensions: BTreeMap::new(),
        data: Data::Json(Json::try_from(&data).expect("its members are the host's own")),
    }
}

/// Logs what can't be told now; it is tried again.
pub async fn tell(runtime: &Runtime) {
    if let Err(error) = runtime.tell_of_credentials().await {
        tracing::warn!(error = telemetry::chain(&error), "how credentials are doing could not be told; this host tries again");
    }
    if let Err(error) = runtime.tell_of_subscribers().await {
        tracing::warn!(error = telemetry::chain(&error), "which webhooks turned could not be told; this host tries again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn status(state: State, broken_at: Option<i64>, works_at: Option<i64>) -> Status {
        Status {
            name: "crm".into(),
            kind: "bearer",
            state,
            expires_at: None,
            retry_at: None,
            broken_at: broken_at.map(at),
            works_at: works_at.map(at),
            last_error: Some("gone".into()),
            refreshes: 0,
            failures: 0,
        }
    }

    fn known(broken: bool, changed_at: i64) -> HealthRow {
        HealthRow { name: "crm".into(), broken, number: 3, changed_at: at(changed_at), kind: "bearer".into(), reason: None, told: 3 }
    }

    #[test]
    fn a_turn_needs_something_newer_than_the_last_one() {
        let broken = |at| status(State::Broken, Some(at), None);
        let well = |at| status(State::Ok, None, Some(at));
        for (status, known, expected) in [
            (broken(5), None, Some(true)),
            (broken(5), Some(known(true, 5)), None),
            (broken(5), Some(known(false, 4)), Some(true)),
            (broken(5), Some(known(false, 6)), None), // mended elsewhere, and this host has not heard of it
            (well(5), None, None),
            (well(5), Some(known(false, 4)), None),
            (well(5), Some(known(true, 4)), Some(false)),
            (well(5), Some(known(true, 6)), None), // its token is from before
            (status(State::Unused, None, None), Some(known(true, 4)), None),
            (status(State::Refreshing, None, Some(9)), Some(known(true, 4)), None),
        ] {
            assert_eq!(turn(&status, known.as_ref()).map(|turn| turn.broken), expected, "{status:?} {known:?}");
        }
    }

    #[test]
    fn the_event_names_the_credential_and_nothing_of_it() {
        let row = HealthRow { reason: Some("the vendor refused it".into()), ..known(true, 5) };
        let event = event(&row).to_structured();
        assert_eq!(
            event,
            json!({
                "specversion": "1.0", "id": "3-5000", "source": "/sangam/credentials/crm", "type": "sangam.credential.broken",
                "subject": "crm", "time": "1970-01-01T00:00:05Z", "datacontenttype": "application/json",
                "data": { "credential": "crm", "type": "bearer", "reason": "the vendor refused it" },
            })
        );
    }
}
