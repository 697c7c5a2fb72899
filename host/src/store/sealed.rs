//! What is sealed in the store: kept in step with its ledger, under the one key that counts, and sealed anew when that key changes.

use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::audit::Note;
use super::sql::{Connection, sql};
use super::terms::{Signal, Terms};
use super::{Store, StoreError};
use crate::audit::Act;
use crate::crash::Point;
use crate::credentials::{Ledger, Purpose, SealingKey};

/// Where the store keeps the fingerprint of the key that sealed what is in it.
pub const FINGERPRINT: &str = "sealing-key-fingerprint";
/// Where it keeps the ledger.
pub(super) const LEDGER: &str = "sealed-ledger";

/// A sealed value as it is in the store, with the ledger of the same moment.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The value.
    pub value: Vec<u8>,
    /// The ledger, sealed too.
    pub ledger: Option<Vec<u8>>,
}

/// The tables of sealed values: how they are read and written. One that does not open when the key is changed stops the change, so that nothing is
/// lost unseen; except what is not in the ledger.
const TABLES: &[Table] = &[
    Table {
        purpose: Purpose::Secret,
        read: "select name, sealed from secret order by name",
        write: "update secret set sealed = ? where name = ?",
        in_ledger: true,
    },
    Table {
        purpose: Purpose::Credential,
        // A row without content has been leased but never saved.
        read: "select name, sealed from credential where length(sealed) > 0 order by name",
        write: "update credential set sealed = ? where name = ?",
        in_ledger: true,
    },
    Table {
        purpose: Purpose::Credential,
        read: "select 'consent/' || id as name, sealed from consent where length(sealed) > 0 order by id",
        write: "update consent set sealed = ? where 'consent/' || id = ?",
        in_ledger: false,
    },
    Table {
        purpose: Purpose::Erasure,
        read: "select id as name, sealed from erasure where sealed is not null order by id",
        write: "update erasure set sealed = ? where id = ?",
        in_ledger: false,
    },
    Table {
        purpose: Purpose::Host,
        read: "select key as name, value as sealed from meta where key in ('random-secret', 'cache-secret') order by key",
        write: "update meta set value = ? where key = ?",
        in_ledger: false,
    },
];

struct Table {
    purpose: Purpose,
    read: &'static str,
    write: &'static str,
    /// What people and vendors gave. The rest is short-lived or made anew.
    in_ledger: bool,
}

/// Writes something sealed.
#[derive(Debug, Clone)]
pub(super) struct Keeper(pub(super) Arc<SealingKey>);

impl Keeper {
    /// Makes a value the present one, in the transaction that writes it; `None`: it was removed. The transaction needs [`Terms::sealed`].
    ///
    /// # Errors
    /// [`StoreError::OtherKey`] when the key was changed: what is sealed with the former one would never open again.
    pub(super) async fn keep(
        &self,
        connection: &mut Connection,
        purpose: Purpose,
        name: &str,
        sealed: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let Keeper(key) = self;
        check_key(connection, &key.fingerprint()).await?;
        // A ledger that somebody damaged vouches for nothing: it begins anew, and what it named has to be set again.
        let mut ledger = Ledger::open(key, meta(connection, LEDGER).await?.as_deref()).unwrap_or_default();
        ledger.put(purpose, name, sealed);
        set_meta(connection, LEDGER, ledger.seal(key)).await
    }
}

/// Whether that is the key of the store.
pub(super) async fn check_key(connection: &mut Connection, fingerprint: &[u8]) -> Result<(), StoreError> {
    match meta(connection, FINGERPRINT).await? {
        Some(known) if known != fingerprint => Err(StoreError::OtherKey),
        _ => Ok(()),
    }
}

async fn meta(connection: &mut Connection, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    sql("select value from meta where key = ?").bind(key).scalar_optional(connection).await.map_err(StoreError::doing("read a value"))
}

async fn set_meta(connection: &mut Connection, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
    sql("insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value")
        .bind(key)
        .bind(value)
        .execute(connection)
        .await
        .map_err(StoreError::doing("keep a value"))?;
    Ok(())
}

impl Store {
    /// A secret, sealed.
    pub async fn secret_get(&self, name: &str) -> Result<Option<Sealed>, StoreError> {
        let row = sql("select sealed, (select value from meta where key = ?) as ledger from secret where name = ?")
            .bind(LEDGER)
            .bind(name)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read a secret"))?;
        Ok(row.map(|row| Sealed { value: row.get("sealed"), ledger: row.get("ledger") }))
    }

    /// The ledger, sealed.
    pub async fn ledger(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.meta_get(LEDGER).await
    }

    /// Seals everything anew with another key, which counts from then on: all of it or nothing, in one transaction, and puts that on record. Gives the
    /// number of values. The other hosts are told.
    ///
    /// # Errors
    /// [`StoreError::OtherKey`] when `former` is not the key any more; [`StoreError::Invalid`] with the name of a value that does not open.
    pub async fn reseal(&self, former: Arc<SealingKey>, present: Arc<SealingKey>, act: Act, now: Timestamp) -> Result<usize, StoreError> {
        self.writer
            .write(Terms::none().sealed().audit().signal(Signal::Credential).point(Point::Rekeying), move |connection| {
                let (former, present, act) = (former.clone(), present.clone(), act.clone());
                Box::pin(async move { reseal(connection, &former, &present, act, now).await })
            })
            .await
    }
}

async fn reseal(
    connection: &mut Connection,
    former: &SealingKey,
    present: &SealingKey,
    act: Act,
    now: Timestamp,
) -> Result<usize, StoreError> {
    check_key(connection, &former.fingerprint()).await?;
    let before = Ledger::open(former, meta(connection, LEDGER).await?.as_deref())
        .map_err(|error| StoreError::invalid("a ledger of sealed values", error))?;
    let mut after = before.clone();
    let mut count = 0;
    for table in TABLES {
        let rows = sql(table.read).fetch_all(&mut *connection).await.map_err(StoreError::doing("read what is sealed"))?;
        for row in rows {
            let (name, sealed): (String, Vec<u8>) = (row.get("name"), row.get("sealed"));
            let opened = former.open(table.purpose, &name, &sealed);
            let value: Zeroizing<Vec<u8>> = match opened {
                Ok(value) if !table.in_ledger || before.has(table.purpose, &name, &sealed) => value,
                Err(_) if !table.in_ledger => continue,
                Ok(_) => return Err(unsealable(table, &name, "it is not the value that was kept last")),
                Err(error) => return Err(unsealable(table, &name, &error.to_string())),
            };
            let sealed = present.seal(table.purpose, &name, &value);
            if table.in_ledger {
                after.put(table.purpose, &name, Some(&sealed));
            }
            sql(table.write).bind(sealed).bind(&name).execute(&mut *connection).await.map_err(StoreError::doing("seal anew"))?;
            count += 1;
        }
    }
    set_meta(connection, LEDGER, after.seal(present)).await?;
    set_meta(connection, FINGERPRINT, present.fingerprint().to_vec()).await?;
    let act = act
        .with("values", count)
        .with("former_key", former.id())
        .with("key", present.id())
        .with("former_audit_key", former.audit_key().public().to_string());
    // Signed with the new key, which so vouches for all that came before.
    Note::new(act, now, present.audit_key()).append(connection).await?;
    Ok(count)
}

fn unsealable(table: &Table, name: &str, why: &str) -> StoreError {
    let what = if table.purpose == Purpose::Secret { "a secret" } else { "a credential's state" };
    StoreError::invalid(what, format!("{name}: {why}; nothing was changed: set it again or remove it first"))
}
