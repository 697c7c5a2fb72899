//! Sealed secrets, credentials' states, API tokens, and the store's own few values. Everything secret comes sealed.

use std::sync::Arc;

use jiff::Timestamp;

use crate::audit::Act;
use crate::credentials::{Purpose, Role, SealingKey};
use crate::live::{CredentialChanged, News};
use crate::router::Pattern;

use super::row::Row;
use super::sealed::{Keeper, LEDGER, Sealed};
use super::sql::sql;
use super::terms::{Signal, Terms};
use super::{Store, StoreError, millis, optional_timestamp, timestamp};

/// A secret's name and age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// When it was set.
    pub updated_at: Timestamp,
}

/// State of a credential.
#[derive(Debug, Clone)]
pub struct CredentialRow {
    /// Raised with every change.
    pub version: i64,
    /// Sealed; empty until it was saved for the first time.
    pub sealed: Sealed,
    /// Somebody is refreshing it until then.
    pub lease_until: Option<Timestamp>,
}

/// An API token, of which only the digest is kept.
#[derive(Debug, Clone)]
pub struct ApiTokenRow {
    /// Short, for `revoke`.
    pub id: String,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// For people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// It sees fields that are marked personal, whatever its role.
    pub personal: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Sources of the events that it may send; none named: all.
    pub sources: Vec<Pattern>,
    /// When it was last used, to about half a minute.
    pub used_at: Option<Timestamp>,
    /// When it was revoked: it opens nothing since.
    pub revoked_at: Option<Timestamp>,
}

impl ApiTokenRow {
    /// `active`, `expired` or `revoked`.
    pub fn state(&self, now: Timestamp) -> &'static str {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(at)) if at <= now => "expired",
            _ => "active",
        }
    }
}

impl Store {
    /// Sets a secret, and puts that on record.
    ///
    /// # Errors
    /// [`StoreError::OtherKey`] when it is sealed with a key that no longer counts.
    pub async fn secret_put(&self, name: &str, sealed: &[u8], key: Arc<SealingKey>, act: Act, now: Timestamp) -> Result<(), StoreError> {
        let (name, sealed, note, keeper) = (name.to_owned(), sealed.to_vec(), self.note(act, now)?, Keeper(key));
        self.writer
            .write(Terms::none().sealed().audit(), move |connection| {
                let (name, sealed, note, keeper) = (name.clone(), sealed.clone(), note.clone(), keeper.clone());
                Box::pin(async move {
                    keeper.keep(connection, Purpose::Secret, &name, Some(&sealed)).await?;
                    sql("insert into secret (name, sealed, updated_at) values (?, ?, ?) \
                         on conflict (name) do update set sealed = excluded.sealed, updated_at = excluded.updated_at")
                    .bind(name)
                    .bind(sealed)
                    .bind(millis(now))
                    .execute(&mut *connection)
                    .await
                    .map_err(StoreError::doing("set a secret"))?;
                    note.append(connection).await
                })
            })
            .await
    }

    /// Names of all secrets.
    pub async fn secret_names(&self) -> Result<Vec<SecretInfo>, StoreError> {
        let rows = sql("select name, updated_at from secret order by name")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("list secrets"))?;
        rows.iter().map(|row| Ok(SecretInfo { name: row.get(0), updated_at: timestamp(row.get(1))? })).collect()
    }

    /// Removes a secret, and puts that on record; says whether there was one.
    ///
    /// # Errors
    /// [`StoreError::OtherKey`] when `key` no longer counts.
    pub async fn secret_remove(&self, name: &str, key: Arc<SealingKey>, act: Act, now: Timestamp) -> Result<bool, StoreError> {
        let (name, note, keeper) = (name.to_owned(), self.note(act, now)?, Keeper(key));
        self.writer
            .write(Terms::none().sealed().audit(), move |connection| {
                let (name, note, keeper) = (name.clone(), note.clone(), keeper.clone());
                Box::pin(async move {
                    let statement = sql("delete from secret where name = ?").bind(&name);
                    let done = statement.execute(&mut *connection).await.map_err(StoreError::doing("remove a secret"))?;
                    if done > 0 {
                        keeper.keep(connection, Purpose::Secret, &name, None).await?;
                        note.append(connection).await?;
                    }
                    Ok(done > 0)
                })
            })
            .await
    }

    /// Names of all credentials that have a state.
    pub async fn credential_names(&self) -> Result<Vec<String>, StoreError> {
        sql("select name from credential order by name").scalars(&self.readers).await.map_err(StoreError::doing("list credentials"))
    }

    /// State of a credential.
    pub async fn credential_state(&self, name: &str) -> Result<Option<CredentialRow>, StoreError> {
        let row =
            sql("select version, sealed, lease_until, (select value from meta where key = ?) as ledger from credential where name = ?")
                .bind(LEDGER)
                .bind(name)
                .fetch_optional(&self.readers)
                .await
                .map_err(StoreError::doing("read a credential"))?;
        row.map(|row| {
            let sealed = Sealed { value: row.get("sealed"), ledger: row.get("ledger") };
            Ok(CredentialRow { version: row.get("version"), sealed, lease_until: optional_timestamp(row.get("lease_until"))? })
        })
        .transpose()
    }

    /// Takes the right to refresh a credential, if its version is still that and nobody else has it. Version 0: no state yet.
    pub async fn credential_lease(
        &self,
        name: &str,
        version: i64,
        holder: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.writer
            .write(Terms::none(), move |connection| {
                let (name, holder) = (name.clone(), holder.clone());
                Box::pin(async move {
                    let done = sql(
                        "insert into credential (name, version, sealed, lease_holder, lease_until) select ?1, 0, ?6, ?3, ?4 where ?2 = 0 \
                         on conflict (name) do update set lease_holder = excluded.lease_holder, lease_until = excluded.lease_until \
                         where credential.version = ?2 and (credential.lease_until is null or credential.lease_until <= ?5 or credential.lease_holder = ?3)",
                    )
                    .bind(&name)
                    .bind(version)
                    .bind(&holder)
                    .bind(millis(until))
                    .bind(millis(now))
                    .bind(Vec::new())
                    .execute(&mut *connection)
                    .await
                    .map_err(StoreError::doing("lease a credential"))?;
                    if done > 0 || version == 0 {
                        return Ok(done > 0);
                    }
                    let done = sql(
                        "update credential set lease_holder = ?3, lease_until = ?4 where name = ?1 and version = ?2 \
                         and (lease_until is null or lease_until <= ?5 or lease_holder = ?3)",
                    )
                    .bind(&name)
                    .bind(version)
                    .bind(&holder)
                    .bind(millis(until))
                    .bind(millis(now))
                    .execute(&mut *connection)
                    .await
                    .map_err(StoreError::doing("lease a credential"))?;
                    Ok(done > 0)
                })
            })
            .await
    }

    /// Keeps a new state of a credential if its version is still the expected one; ends the lease.
    ///
    /// # Errors
    /// [`StoreError::OtherKey`] when it is sealed with a key that no longer counts.
    pub async fn credential_save(
        &self,
        name: &str,
        expected_version: i64,
        holder: &str,
        sealed: &[u8],
        key: Arc<SealingKey>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, holder, sealed, keeper) = (name.to_owned(), holder.to_owned(), sealed.to_vec(), Keeper(key));
        self.writer
            .write(Terms::none().sealed().signal(Signal::Credential), move |connection| {
                let (name, holder, sealed, keeper) = (name.clone(), holder.clone(), sealed.clone(), keeper.clone());
                Box::pin(async move {
                    let done = sql("update credential set version = version + 1, sealed = ?, lease_holder = null, lease_until = null \
                         where name = ? and version = ? and (lease_holder is null or lease_holder = ?)")
                    .bind(&sealed)
                    .bind(&name)
                    .bind(expected_version)
                    .bind(holder)
                    .execute(&mut *connection)
                    .await
                    .map_err(StoreError::doing("keep a credential"))?;
                    if done > 0 {
                        keeper.keep(&mut *connection, Purpose::Credential, &name, Some(&sealed)).await?;
                        connection.tell(News::Credential(CredentialChanged { name, state: "changed".to_owned(), at: now }));
                    }
                    Ok(done > 0)
                })
            })
            .await
    }

    /// Ends the leases of a host that refreshes nothing any more, by the first part of their holders; of all hosts without one.
    pub async fn credential_release(&self, host: Option<&str>) -> Result<(), StoreError> {
        let holders = host.map(|host| format!("{host}/")).unwrap_or_default();
        self.writer
            .write(Terms::none().signal(Signal::Credential), move |connection| {
                let holders = holders.clone();
                Box::pin(async move {
                    sql("update credential set lease_holder = null, lease_until = null \
                         where lease_holder is not null and substr(lease_holder, 1, length(?1)) = ?1")
                    .bind(holders)
                    .execute(connection)
                    .await
                    .map_err(StoreError::doing("end the leases of credentials"))?;
                    Ok(())
                })
            })
            .await
    }

    /// Keeps a new API token, and puts that on record.
    pub async fn token_insert(&self, token: ApiTokenRow, act: Act) -> Result<(), StoreError> {
        let note = self.note(act, token.created_at)?;
        self.writer
            .write(Terms::none().audit(), move |connection| {
                let (token, note) = (token.clone(), note.clone());
                Box::pin(async move {
                    sql("insert into api_token (id, digest, name, role, personal, created_at, expires_at, sources) values (?, ?, ?, ?, ?, ?, ?, ?)")
                        .bind(token.id)
                        .bind(token.digest.as_slice())
                        .bind(token.name)
                        .bind(token.role.as_str())
                        .bind(token.personal)
                        .bind(millis(token.created_at))
                        .bind(token.expires_at.map(millis))
                        .bind(sources_json(&token.sources))
                        .execute(&mut *connection)
                        .await
                        .map_err(StoreError::doing("keep a token"))?;
                    note.append(connection).await
                })
            })
            .await
    }

    /// The token with a digest, unless it was revoked.
    pub async fn token_by_digest(&self, digest: &[u8; 32]) -> Result<Option<ApiTokenRow>, StoreError> {
        let row = sql("select * from api_token where digest = ? and revoked_at is null")
            .bind(digest.as_slice())
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("look a token up"))?;
        row.as_ref().map(token_row).transpose()
    }

    /// All tokens, and those that were revoked lately.
    pub async fn token_list(&self) -> Result<Vec<ApiTokenRow>, StoreError> {
        let rows =
            sql("select * from api_token order by created_at").fetch_all(&self.readers).await.map_err(StoreError::doing("list tokens"))?;
        rows.iter().map(token_row).collect()
    }

    /// A token.
    pub async fn token(&self, id: &str) -> Result<Option<ApiTokenRow>, StoreError> {
        let row = sql("select * from api_token where id = ?")
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("look a token up"))?;
        row.as_ref().map(token_row).transpose()
    }

    /// Ends a token, and puts that on record; says whether there was one that was not revoked yet. It stays on the list until
    /// [`Store::tokens_prune`].
    pub async fn token_revoke(&self, id: &str, act: Act, now: Timestamp) -> Result<bool, StoreError> {
        let (id, note) = (id.to_owned(), self.note(act, now)?);
        self.writer
            .write(Terms::none().audit(), move |connection| {
                let (id, note) = (id.clone(), note.clone());
                Box::pin(async move {
                    let done = sql("update api_token set revoked_at = ? where id = ? and revoked_at is null")
                        .bind(millis(now))
                        .bind(id)
                        .execute(&mut *connection)
                        .await
                        .map_err(StoreError::doing("revoke a token"))?;
                    if done > 0 {
                        note.append(connection).await?;
                    }
                    Ok(done > 0)
                })
            })
            .await
    }

    /// Forgets tokens that were revoked before a time; the audit log knows them on.
    pub async fn tokens_prune(&self, revoked_before: Timestamp) -> Result<(), StoreError> {
        let look = sql("select count(*) from api_token where revoked_at < ?").bind(millis(revoked_before));
        if look.scalar::<i64>(&self.readers).await.map_err(StoreError::doing("count tokens that were revoked"))? == 0 {
            return Ok(());
        }
        self.writer
            .write(Terms::none(), move |connection| {
                Box::pin(async move {
                    let forget = sql("delete from api_token where revoked_at < ?").bind(millis(revoked_before));
                    forget.execute(connection).await.map_err(StoreError::doing("forget tokens that were revoked"))?;
                    Ok(())
                })
            })
            .await
    }

    /// One of the store's own values.
    pub async fn meta_get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        sql("select value from meta where key = ?")
            .bind(key)
            .scalar_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read a value"))
    }

    /// One of the store's own values; the given one, if there was none. Hosts that start together get the same.
    pub async fn meta_once(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (key, value) = (key.to_owned(), value.to_vec());
        self.writer
            .write(Terms::none(), move |connection| {
                let (key, value) = (key.clone(), value.clone());
                Box::pin(async move {
                    let doing = || StoreError::doing("keep a value");
                    sql("insert into meta (key, value) values (?, ?) on conflict (key) do nothing")
                        .bind(&key)
                        .bind(value)
                        .execute(&mut *connection)
                        .await
                        .map_err(doing())?;
                    sql("select value from meta where key = ?").bind(&key).scalar(connection).await.map_err(doing())
                })
            })
            .await
    }

    /// Sets one of the store's own values.
    pub async fn meta_put(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.to_vec());
        self.writer
            .write(Terms::none(), move |connection| {
                let (key, value) = (key.clone(), value.clone());
                Box::pin(async move {
                    sql("insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value")
                        .bind(key)
                        .bind(value)
                        .execute(connection)
                        .await
                        .map_err(StoreError::doing("keep a value"))?;
                    Ok(())
                })
            })
            .await
    }

    pub(super) async fn remove_on_record(&self, statement: &'static str, key: &str, act: Act, now: Timestamp) -> Result<bool, StoreError> {
        let (key, note) = (key.to_owned(), self.note(act, now)?);
        self.writer
            .write(Terms::none().audit(), move |connection| {
                let (key, note) = (key.clone(), note.clone());
                Box::pin(async move {
                    let done = sql(statement).bind(key).execute(&mut *connection).await.map_err(StoreError::doing("remove a row"))?;
                    if done > 0 {
                        note.append(connection).await?;
                    }
                    Ok(done > 0)
                })
            })
            .await
    }
}

fn token_row(row: &Row) -> Result<ApiTokenRow, StoreError> {
    let digest: Vec<u8> = row.get("digest");
    Ok(ApiTokenRow {
        id: row.get("id"),
        digest: digest.try_into().map_err(|_| StoreError::invalid("a token", "its digest is not 32 bytes"))?,
        name: row.get("name"),
        role: row.get::<String>("role").parse().map_err(|error| StoreError::invalid("a token", error))?,
        personal: row.get("personal"),
        created_at: timestamp(row.get("created_at"))?,
        expires_at: optional_timestamp(row.get("expires_at"))?,
        sources: sources(row.get("sources"))?,
        used_at: optional_timestamp(row.get("used_at"))?,
        revoked_at: optional_timestamp(row.get("revoked_at"))?,
    })
}

fn sources_json(sources: &[Pattern]) -> Option<String> {
    let texts: Vec<String> = sources.iter().map(Pattern::to_string).collect();
    (!texts.is_empty()).then(|| serde_json::to_string(&texts).expect("a list of texts is JSON"))
}

/// A list that can't be read must not become one that allows everything.
fn sources(json: Option<String>) -> Result<Vec<Pattern>, StoreError> {
    let Some(json) = json else { return Ok(Vec::new()) };
    let invalid = |why: &dyn std::fmt::Display| StoreError::invalid("a token", format!("its sources: {why}"));
    let texts: Vec<String> = serde_json::from_str(&json).map_err(|error| invalid(&error))?;
    let sources: Vec<Pattern> = texts.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>().map_err(|error| invalid(&error))?;
    if sources.is_empty() {
        return Err(invalid(&"none is named"));
    }
    Ok(sources)
}
