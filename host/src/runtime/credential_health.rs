//! How credentials are doing, as all hosts on the store know it: each host meets the requests that it sends itself, and one whose requests carried a
//! credential lately knows more of it than one that has not asked for it since it was started.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Runtime;
use crate::credentials::{State, Status};
use crate::store::{HealthRow, StoreError};

/// A credential with what is known of it.
#[derive(Debug)]
pub struct KnownCredential {
    /// How it is doing.
    pub status: Status,
    /// Who found that.
    pub met_by: MetBy,
}

/// Who met the state of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MetBy {
    /// This host, with its own requests.
    ThisHost,
    /// Another host on the store, or this one before it was started anew.
    Store,
}

impl Runtime {
    /// All credentials of the present configuration, by name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn credentials(&self) -> Result<Vec<KnownCredential>, StoreError> {
        let mut rows: BTreeMap<String, HealthRow> =
            self.store.credential_health().await?.into_iter().map(|row| (row.name.clone(), row)).collect();
        Ok(self.broker.status().into_iter().map(|status| known(rows.remove(&status.name), status)).collect())
    }
}

/// What the store knows counts where it is worse than what this host has met, and not older.
fn known(row: Option<HealthRow>, own: Status) -> KnownCredential {
    let is_worse = !matches!(own.state, State::Broken | State::NotConnected);
    let seen = own.works_at.map(|at| at.as_millisecond());
    match row.filter(|row| row.broken && is_worse && seen.is_none_or(|seen| seen <= row.changed_at.as_millisecond())) {
        Some(row) => {
            let status = Status { state: State::Broken, broken_at: Some(row.changed_at), retry_at: None, last_error: row.reason, ..own };
            KnownCredential { status, met_by: MetBy::Store }
        }
        None => KnownCredential { status: own, met_by: MetBy::ThisHost },
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn own(state: State, works_at: Option<i64>) -> Status {
        Status {
            name: "crm".into(),
            kind: "bearer",
            state,
            expires_at: None,
            retry_at: None,
            broken_at: (state == State::Broken).then(|| at(1)),
            works_at: works_at.map(at),
            last_error: None,
            refreshes: 0,
            failures: 0,
        }
    }

    fn row(broken: bool, changed_at: i64) -> HealthRow {
        let reason = Some("refused".into());
        HealthRow { name: "crm".into(), broken, number: 1, changed_at: at(changed_at), kind: "bearer".into(), reason, told: 1 }
    }

    #[test]
    fn what_another_host_met_counts_unless_this_one_has_met_something_newer() {
        for (state, works_at, row, expected) in [
            (State::Unused, None, None, (State::Unused, MetBy::ThisHost)),
            (State::Unused, None, Some(row(true, 5)), (State::Broken, MetBy::Store)),
            (State::Unused, None, Some(row(false, 5)), (State::Unused, MetBy::ThisHost)),
            (State::Ok, Some(4), Some(row(true, 5)), (State::Broken, MetBy::Store)),
            (State::Ok, Some(6), Some(row(true, 5)), (State::Ok, MetBy::ThisHost)),
            (State::CoolingDown, None, Some(row(true, 5)), (State::Broken, MetBy::Store)),
            (State::Broken, None, Some(row(true, 5)), (State::Broken, MetBy::ThisHost)),
            // Mended elsewhere; this host's own requests are refused until it finds the new value.
            (State::Broken, None, Some(row(false, 5)), (State::Broken, MetBy::ThisHost)),
            (State::NotConnected, None, Some(row(true, 5)), (State::NotConnected, MetBy::ThisHost)),
        ] {
            let found = known(row.clone(), own(state, works_at));
            assert_eq!((found.status.state, found.met_by), expected, "{state:?} {works_at:?} {row:?}");
        }
    }

    #[test]
    fn what_the_store_knows_comes_with_its_time_and_reason() {
        let found = known(Some(row(true, 5)), own(State::Unused, None)).status;
        assert_eq!((found.broken_at, found.last_error.as_deref()), (Some(at(5)), Some("refused")));
    }
}
