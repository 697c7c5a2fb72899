//! People who are logged in, and when tokens and sessions were last used.

use jiff::Timestamp;

use crate::audit::Act;
use crate::credentials::Role;

use super::row::Row;
use super::sql::sql;
use super::terms::Terms;
use super::{Store, StoreError, millis, timestamp};

/// Somebody who is logged in, of whose cookie only the digest is kept.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// For `revoke`.
    pub id: String,
    /// SHA-256 of the cookie.
    pub digest: [u8; 32],
    /// Who vouches for them.
    pub issuer: String,
    /// The issuer's name for them.
    pub subject: String,
    /// For people.
    pub name: String,
    /// What they were at the login.
    pub role: Role,
    /// When they logged in.
    pub created_at: Timestamp,
    /// When they were last heard of, to about half a minute.
    pub seen_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
}

impl Store {
    /// Keeps a new session.
    pub async fn session_insert(&self, session: SessionRow) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                let session = session.clone();
                Box::pin(async move {
                    sql("insert into session (id, digest, issuer, subject, name, role, created_at, seen_at, expires_at) \
                         values (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                    .bind(session.id)
                    .bind(session.digest.as_slice())
                    .bind(session.issuer)
                    .bind(session.subject)
                    .bind(session.name)
                    .bind(session.role.as_str())
                    .bind(millis(session.created_at))
                    .bind(millis(session.seen_at))
                    .bind(millis(session.expires_at))
                    .execute(connection)
                    .await
                    .map_err(StoreError::doing("keep a session"))?;
                    Ok(())
                })
            })
            .await
    }

    /// The session with a digest.
    pub async fn session_by_digest(&self, digest: &[u8; 32]) -> Result<Option<SessionRow>, StoreError> {
        let row = sql("select * from session where digest = ?")
            .bind(digest.as_slice())
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("look a session up"))?;
        row.as_ref().map(session_row).transpose()
    }

    /// All sessions.
    pub async fn session_list(&self) -> Result<Vec<SessionRow>, StoreError> {
        let rows =
            sql("select * from session order by created_at").fetch_all(&self.readers).await.map_err(StoreError::doing("list sessions"))?;
        rows.iter().map(session_row).collect()
    }

    /// Ends a session, and puts that on record; says whether there was one.
    pub async fn session_revoke(&self, id: &str, act: Act, now: Timestamp) -> Result<bool, StoreError> {
        self.remove_on_record("delete from session where id = ?", id, act, now).await
    }

    /// Ends all sessions of a person, and puts that on record; says whether there was one.
    pub async fn sessions_revoke_of(&self, subject: &str, act: Act, now: Timestamp) -> Result<bool, StoreError> {
        self.remove_on_record("delete from session where subject = ?", subject, act, now).await
    }

    /// Forgets sessions that were last heard of before a time, or that are over.
    pub async fn sessions_prune(&self, seen_before: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let over = sql("select count(*) from session where seen_at <= ? or expires_at <= ?")
            .bind(millis(seen_before))
            .bind(millis(now))
            .scalar::<i64>(&self.readers)
            .await
            .map_err(StoreError::doing("count sessions that are over"))?;
        if over == 0 {
            return Ok(());
        }
        self.writer
            .write(Terms::none(), move |connection| {
                Box::pin(async move {
                    sql("delete from session where seen_at <= ? or expires_at <= ?")
                        .bind(millis(seen_before))
                        .bind(millis(now))
                        .execute(connection)
                        .await
                        .map_err(StoreError::doing("forget sessions that are over"))?;
                    Ok(())
                })
            })
            .await
    }

    /// Writes down when tokens and sessions were last used. Another host may have seen them later.
    pub async fn used(&self, tokens: Vec<(String, Timestamp)>, sessions: Vec<(String, Timestamp)>) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                let (tokens, sessions) = (tokens.clone(), sessions.clone());
                Box::pin(async move {
                    let doing = || StoreError::doing("write down uses");
                    for (id, at) in tokens {
                        sql("update api_token set used_at = ?2 where id = ?1 and (used_at is null or used_at < ?2)")
                            .bind(id)
                            .bind(millis(at))
                            .execute(&mut *connection)
                            .await
                            .map_err(doing())?;
                    }
                    for (id, at) in sessions {
                        sql("update session set seen_at = ?2 where id = ?1 and seen_at < ?2")
                            .bind(id)
                            .bind(millis(at))
                            .execute(&mut *connection)
                            .await
                            .map_err(doing())?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

fn session_row(row: &Row) -> Result<SessionRow, StoreError> {
    let digest: Vec<u8> = row.get("digest");
    Ok(SessionRow {
        id: row.get("id"),
        digest: digest.try_into().map_err(|_| StoreError::invalid("a session", "its digest is not 32 bytes"))?,
        issuer: row.get("issuer"),
        subject: row.get("subject"),
        name: row.get("name"),
        role: row.get::<String>("role").parse().map_err(|error| StoreError::invalid("a session", error))?,
        created_at: timestamp(row.get("created_at"))?,
        seen_at: timestamp(row.get("seen_at"))?,
        expires_at: timestamp(row.get("expires_at"))?,
    })
}
