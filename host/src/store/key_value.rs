//! The plugins' key-value spaces, and the claims that make read-compute-write safe.

use std::collections::BTreeMap;

use super::row::Row;
use super::sql::{Connection, Pool, sql};
use super::terms::Terms;
use super::{Store, StoreError};

/// What a key takes in the store beside itself and its value: row, index, version.
const KEY: u64 = 64;
/// Space of the host itself: `sangam` is no plugin's name. It has the sizes of the others, so that nobody has to count them: a plugin that fills
/// its space with tiny keys would make each of its settlements dear.
const OWN_SPACE: &str = "sangam";
/// What its keys of sizes begin with.
const SPACE: &str = "space/";

/// Bytes of a plugin's space that a key takes.
pub fn key_size(key: usize, value: usize) -> u64 {
    KEY + (key + value) as u64
}

/// Where the size of a plugin's space is kept.
fn size_key(plugin: &str) -> String {
    format!("{SPACE}{plugin}")
}

/// What a step has read: a key, or all keys with a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Key or prefix.
    pub key: String,
    /// It is a prefix.
    pub prefix: bool,
}

/// What was there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenValue {
    /// No such key.
    Absent,
    /// The value and its version.
    Value(#[serde(with = "bytes")] Vec<u8>, i64),
    /// Keys with their versions.
    Keys(Vec<(String, i64)>),
}

mod bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A present value, for a read.
pub type KeyRead = Option<(Vec<u8>, i64)>;

/// Key-value writes that take effect with a step.
#[derive(Debug, Clone)]
pub struct KeySettlement {
    /// Whose space.
    pub plugin: String,
    /// First run of the line.
    pub root: String,
    /// The step.
    pub step: String,
    /// What was read and not claimed yet: compared now.
    pub unclaimed: Vec<(Claim, SeenValue)>,
    /// New values, `None` for a removal. Empty where the step's writes took effect before.
    pub writes: Vec<(String, Option<Vec<u8>>)>,
    /// The version that the written values get: random, so that no two writes share one.
    pub version: i64,
    /// Bytes that the plugin's space may have.
    pub space: u64,
}

impl Store {
    /// The value of a key.
    pub async fn key_get(&self, plugin: &str, key: &str) -> Result<KeyRead, StoreError> {
        let row = sql("select value, version from key_value where plugin = ? and key = ?")
            .bind(plugin)
            .bind(key)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read a key"))?;
        Ok(row.map(|row| (row.get(0), row.get(1))))
    }

    /// Puts these keys in place of a plugin's whole space: what a rehearsal begins with.
    pub async fn key_replace(&self, plugin: &str, values: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        let plugin = plugin.to_owned();
        self.writer
            .write(Terms::none(), move |connection| {
                let (plugin, values) = (plugin.clone(), values.clone());
                Box::pin(async move {
                    let doing = || StoreError::doing("replace a key-value space");
                    // Its size is counted anew.
                    let size = sql("delete from key_value where plugin = ? and key = ?").bind(OWN_SPACE).bind(size_key(&plugin));
                    size.execute(&mut *connection).await.map_err(doing())?;
                    sql("delete from key_value where plugin = ?").bind(&plugin).execute(&mut *connection).await.map_err(doing())?;
                    sql("delete from key_claim where plugin = ?").bind(&plugin).execute(&mut *connection).await.map_err(doing())?;
                    for (key, value) in values {
                        sql("insert into key_value (plugin, key, value, version) values (?, ?, ?, 1)")
                            .bind(&plugin)
                            .bind(key)
                            .bind(value)
                            .execute(&mut *connection)
                            .await
                            .map_err(doing())?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Keys with a prefix, in byte order, with their versions: the first `most`.
    pub async fn key_list(&self, plugin: &str, prefix: &str, most: u32) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sql("select key, version from key_value where plugin = ? and key >= ? and substr(key, 1, length(?)) = ? \
             order by key limit ?")
        .bind(plugin)
        .bind(prefix)
        .bind(prefix)
        .bind(prefix)
        .bind(i64::from(most))
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::doing("list keys"))?;
        Ok(rows.into_iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Bytes that a plugin's space takes.
    pub async fn key_space(&self, plugin: &str) -> Result<u64, StoreError> {
        let kept: Option<i64> = sql(KEPT_SIZE)
            .bind(OWN_SPACE)
            .bind(size_key(plugin))
            .scalar_optional(&self.readers)
            .await
            .map_err(StoreError::doing("measure a key-value space"))?;
        let size = match kept {
            Some(kept) => Some(kept),
            // Nothing was written since sizes are kept.
            None => sql(COUNTED_SIZE)
                .bind(KEY as i64)
                .bind(plugin)
                .scalar(&self.readers)
                .await
                .map_err(StoreError::doing("measure a key-value space"))?,
        };
        Ok(size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
    }

    /// Bytes that a key takes; 0 where there is none.
    pub async fn key_size(&self, plugin: &str, key: &str) -> Result<u64, StoreError> {
        let value: Option<i64> =
            sql(VALUE_SIZE).bind(plugin).bind(key).scalar_optional(&self.readers).await.map_err(StoreError::doing("measure a key"))?;
        Ok(value.map_or(0, |value| key_size(key.len(), usize::try_from(value).unwrap_or(0))))
    }
}

/// The size of a space as it is kept: the version of a key without a value, since a version is a number.
const KEPT_SIZE: &str = "select version from key_value where plugin = ? and key = ?";
const COUNTED_SIZE: &str = "select cast(sum(? + octet_length(key) + octet_length(value)) as bigint) from key_value where plugin = ?";
const VALUE_SIZE: &str = "select cast(octet_length(value) as bigint) from key_value where plugin = ? and key = ?";

/// Bytes that a plugin's space will take with these writes; `None` where nothing is written. Checked before anything is.
///
/// # Errors
/// [`StoreError::KeySpaceFull`]: it grows, and beyond what it may.
pub(super) async fn room(connection: &mut Connection, settlement: &KeySettlement) -> Result<Option<u64>, StoreError> {
    if settlement.writes.is_empty() {
        return Ok(None);
    }
    let doing = || StoreError::doing("measure a key-value space");
    let kept: Option<i64> =
        sql(KEPT_SIZE).bind(OWN_SPACE).bind(size_key(&settlement.plugin)).scalar_optional(&mut *connection).await.map_err(doing())?;
    let before: Option<i64> = match kept {
        Some(kept) => Some(kept),
        None => sql(COUNTED_SIZE).bind(KEY as i64).bind(&settlement.plugin).scalar(&mut *connection).await.map_err(doing())?,
    };
    let before = before.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
    let (mut freed, mut taken) = (0, 0);
    for (key, value) in &settlement.writes {
        let present: Option<i64> =
            sql(VALUE_SIZE).bind(&settlement.plugin).bind(key).scalar_optional(&mut *connection).await.map_err(doing())?;
        freed += present.map_or(0, |size| key_size(key.len(), usize::try_from(size).unwrap_or(0)));
        taken += value.as_ref().map_or(0, |value| key_size(key.len(), value.len()));
    }
    let after = (before + taken).saturating_sub(freed);
    // What was full before, perhaps since the limit was lowered, may still shrink.
    if taken > freed && after > settlement.space {
        return Err(StoreError::KeySpaceFull { plugin: settlement.plugin.clone(), would: after, most: settlement.space });
    }
    Ok(Some(after))
}

impl Store {
    /// Bytes that the spaces of plugins take, as they are counted against `limits.key-value-size`. Spaces of plugins that have written nothing on this
    /// version are not among them.
    pub async fn key_spaces(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let rows = sql("select key, version from key_value where plugin = ?")
            .bind(OWN_SPACE)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read the sizes of key-value spaces"))?;
        let of = |row: &Row| Some((row.get::<String>(0).strip_prefix(SPACE)?.to_owned(), u64::try_from(row.get::<i64>(1)).unwrap_or(0)));
        Ok(rows.iter().filter_map(of).collect())
    }
}

/// Claims that a step holds, with what it saw.
pub(super) async fn claims_of(pool: &Pool, root: &str, step: &str, plugin: &str) -> Result<Vec<(Claim, SeenValue)>, StoreError> {
    let rows = sql("select key, prefix, seen from key_claim where root = ? and step = ? and plugin = ?")
        .bind(root)
        .bind(step)
        .bind(plugin)
        .fetch_all(pool)
        .await
        .map_err(StoreError::doing("read claims"))?;
    rows.into_iter()
        .map(|row| {
            let seen = serde_json::from_str(&row.get::<String>(2)).map_err(|error| StoreError::invalid("a claim", error))?;
            Ok((Claim { key: row.get(0), prefix: row.get(1) }, seen))
        })
        .collect()
}

/// Whether everything read is still as it was read, and claimed by nobody else.
pub(super) async fn check(
    connection: &mut Connection,
    plugin: &str,
    root: &str,
    step: &str,
    reads: &[(Claim, SeenValue)],
) -> Result<(), StoreError> {
    for (claim, seen) in reads {
        let elsewhere: Option<String> = sql("select key from key_claim where plugin = ?1 and not (root = ?2 and step = ?3) and ( \
             (prefix = 0 and ?5 = 0 and key = ?4) or (prefix = 1 and ?5 = 0 and substr(?4, 1, length(key)) = key) \
             or (?5 = 1 and (substr(key, 1, length(?4)) = ?4 or (prefix = 1 and substr(?4, 1, length(key)) = key)))) limit 1")
        .bind(plugin)
        .bind(root)
        .bind(step)
        .bind(&claim.key)
        .bind(claim.prefix)
        .scalar_optional(&mut *connection)
        .await
        .map_err(StoreError::doing("check claims"))?;
        if let Some(key) = elsewhere {
            return Err(StoreError::KeyConflict(key));
        }
        let same = if claim.prefix {
            let rows =
                sql("select key, version from key_value where plugin = ? and key >= ? and substr(key, 1, length(?)) = ? order by key")
                    .bind(plugin)
                    .bind(&claim.key)
                    .bind(&claim.key)
                    .bind(&claim.key)
                    .fetch_all(&mut *connection)
                    .await
                    .map_err(StoreError::doing("check claims"))?;
            let present: Vec<(String, i64)> = rows.into_iter().map(|row| (row.get(0), row.get(1))).collect();
            *seen == SeenValue::Keys(present)
        } else {
            let version: Option<i64> = sql("select version from key_value where plugin = ? and key = ?")
                .bind(plugin)
                .bind(&claim.key)
                .scalar_optional(&mut *connection)
                .await
                .map_err(StoreError::doing("check claims"))?;
            match seen {
                SeenValue::Absent => version.is_none(),
                SeenValue::Value(_, seen) => version == Some(*seen),
                SeenValue::Keys(_) => false,
            }
        };
        if !same {
            return Err(StoreError::KeyConflict(claim.key.clone()));
        }
    }
    Ok(())
}

/// Claims what was checked.
pub(super) async fn claim(
    connection: &mut Connection,
    plugin: &str,
    root: &str,
    step: &str,
    run: &str,
    reads: &[(Claim, SeenValue)],
) -> Result<(), StoreError> {
    for (claim, seen) in reads {
        let seen = serde_json::to_string(seen).expect("a seen value is plain data");
        sql("insert into key_claim (plugin, key, prefix, root, step, run, seen) values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing")
            .bind(plugin)
            .bind(&claim.key)
            .bind(claim.prefix)
            .bind(root)
            .bind(step)
            .bind(run)
            .bind(seen)
            .execute(&mut *connection)
            .await
            .map_err(StoreError::doing("claim keys"))?;
    }
    Ok(())
}

/// Applies the writes of a step that succeeded. What was read is checked by the caller before, and so is the room: `space` is what the plugin's
/// space takes afterwards.
pub(super) async fn apply(connection: &mut Connection, settlement: &KeySettlement, space: Option<u64>) -> Result<(), StoreError> {
    if let Some(space) = space {
        sql("insert into key_value (plugin, key, value, version) values (?, ?, ?, ?) \
             on conflict (plugin, key) do update set version = excluded.version")
        .bind(OWN_SPACE)
        .bind(size_key(&settlement.plugin))
        .bind(Vec::<u8>::new())
        .bind(i64::try_from(space).unwrap_or(i64::MAX))
        .execute(&mut *connection)
        .await
        .map_err(StoreError::doing("keep the size of a key-value space"))?;
    }
    for (key, value) in &settlement.writes {
        let query = match value {
            Some(value) => sql("insert into key_value (plugin, key, value, version) values (?, ?, ?, ?) \
                 on conflict (plugin, key) do update set value = excluded.value, version = excluded.version")
            .bind(&settlement.plugin)
            .bind(key)
            .bind(value)
            .bind(settlement.version),
            None => sql("delete from key_value where plugin = ? and key = ?").bind(&settlement.plugin).bind(key),
        };
        query.execute(&mut *connection).await.map_err(StoreError::doing("write keys"))?;
    }
    Ok(())
}

/// Somebody else than a step has written or removed values: the next settlement counts the space anew.
pub(super) async fn forget_size(connection: &mut Connection, plugin: &str) -> Result<(), StoreError> {
    sql("delete from key_value where plugin = ? and key = ?")
        .bind(OWN_SPACE)
        .bind(size_key(plugin))
        .execute(connection)
        .await
        .map_err(StoreError::doing("measure a key-value space"))?;
    Ok(())
}

/// Ends the claims of a step that settled, or of all steps of a run that ended.
pub(super) async fn release(connection: &mut Connection, run: &str, step: Option<&str>) -> Result<(), StoreError> {
    sql("delete from key_claim where run = ?1 and (?2 is null or step = ?2)")
        .bind(run)
        .bind(step)
        .execute(connection)
        .await
        .map_err(StoreError::doing("release claims"))?;
    Ok(())
}
