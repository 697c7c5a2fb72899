//! Consents that an administrator has asked a vendor for, until the vendor's answer comes.

use jiff::Timestamp;

use super::sql::sql;
use super::terms::Terms;
use super::{Store, StoreError, millis, timestamp};

/// One consent that was asked for.
#[derive(Debug, Clone)]
pub struct ConsentRow {
    /// Given by the host, for who asked.
    pub id: String,
    /// SHA-256 of the state that the vendor's answer has to bring.
    pub state: [u8; 32],
    /// Which credential.
    pub credential: String,
    /// What proves at the token endpoint who asked; sealed.
    pub sealed: Vec<u8>,
    /// Where the vendor's answer goes.
    pub redirect_uri: String,
    /// Until when it may come.
    pub expires_at: Timestamp,
}

impl Store {
    /// Keeps one; forgets those that are over since `gone_before`.
    pub async fn consent_ask(&self, consent: ConsentRow, gone_before: Timestamp) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                let consent = consent.clone();
                Box::pin(async move {
                    let doing = || StoreError::doing("keep what is asked of a vendor");
                    sql("delete from consent where expires_at < ?")
                        .bind(millis(gone_before))
                        .execute(&mut *connection)
                        .await
                        .map_err(doing())?;
                    sql("insert into consent (id, state, credential, sealed, redirect_uri, expires_at, answered) values (?, ?, ?, ?, ?, ?, 0)")
                        .bind(consent.id)
                        .bind(consent.state.as_slice())
                        .bind(consent.credential)
                        .bind(consent.sealed)
                        .bind(consent.redirect_uri)
                        .bind(millis(consent.expires_at))
                        .execute(connection)
                        .await
                        .map_err(doing())?;
                    Ok(())
                })
            })
            .await
    }

    /// Takes the one with that state, once: whoever comes second, or too late, gets none.
    pub async fn consent_take(&self, state: &[u8; 32], now: Timestamp) -> Result<Option<ConsentRow>, StoreError> {
        let state = *state;
        self.writer
            .write(Terms::none(), move |connection| {
                Box::pin(async move {
                    let row = sql("update consent set answered = 1 where state = ? and answered = 0 and expires_at > ? \
                         returning id, credential, sealed, redirect_uri, expires_at")
                    .bind(state.as_slice())
                    .bind(millis(now))
                    .fetch_optional(connection)
                    .await
                    .map_err(StoreError::doing("look up what a vendor answers to"))?;
                    let Some(row) = row else { return Ok(None) };
                    Ok(Some(ConsentRow {
                        id: row.get(0),
                        state,
                        credential: row.get(1),
                        sealed: row.get(2),
                        redirect_uri: row.get(3),
                        expires_at: timestamp(row.get(4))?,
                    }))
                })
            })
            .await
    }

    /// How it ended, as JSON; what it was sealed with is forgotten.
    pub async fn consent_end(&self, id: &str, outcome: &str) -> Result<(), StoreError> {
        let (id, outcome) = (id.to_owned(), outcome.to_owned());
        self.writer
            .write(Terms::none(), move |connection| {
                let (id, outcome) = (id.clone(), outcome.clone());
                Box::pin(async move {
                    sql("update consent set outcome = ?, sealed = ? where id = ?")
                        .bind(outcome)
                        .bind(Vec::new())
                        .bind(id)
                        .execute(connection)
                        .await
                        .map_err(StoreError::doing("keep how a consent ended"))?;
                    Ok(())
                })
            })
            .await
    }

    /// How the one of that credential ended: `None` if there is none, `Some(None)` while it has not ended.
    pub async fn consent_outcome(&self, credential: &str, id: &str) -> Result<Option<Option<String>>, StoreError> {
        let row = sql("select outcome from consent where id = ? and credential = ?")
            .bind(id)
            .bind(credential)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read how a consent ended"))?;
        Ok(row.map(|row| row.get(0)))
    }
}
