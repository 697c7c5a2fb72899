//! Revisions of the configuration, and the components they need by digest.

use jiff::Timestamp;
use sqlx::Row;

use super::{Store, StoreError, millis, timestamp};

/// An applied configuration.
#[derive(Debug, Clone)]
pub struct RevisionRow {
    /// From 1.
    pub number: i64,
    /// The file's text without what is the host's own.
    pub content: String,
    /// SHA-256 of content and components.
    pub digest: String,
    /// JSON `{plugin: component digest}`.
    pub components: String,
    /// When.
    pub applied_at: Timestamp,
}

impl Store {
    /// The latest revision, or that of a number.
    pub async fn revision(&self, number: Option<i64>) -> Result<Option<RevisionRow>, StoreError> {
        let row = sqlx::query("select * from revision where ?1 is null or number = ?1 order by number desc limit 1")
            .bind(number)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read a revision"))?;
        row.map(|row| {
            Ok(RevisionRow {
                number: row.get("number"),
                content: row.get("content"),
                digest: row.get("digest"),
                components: row.get("components"),
                applied_at: timestamp(row.get("applied_at"))?,
            })
        })
        .transpose()
    }

    /// The number of an earlier revision with that digest, if there was one.
    pub async fn revision_with(&self, digest: &str) -> Result<Option<i64>, StoreError> {
        sqlx::query_scalar("select max(number) from revision where digest = ?")
            .bind(digest)
            .fetch_one(&self.readers)
            .await
            .map_err(StoreError::doing("look for a revision"))
    }

    /// Applies a configuration: the next number, with the components it needs.
    pub async fn revise(
        &self,
        content: String,
        digest: String,
        components: String,
        bytes: Vec<(String, std::sync::Arc<Vec<u8>>)>,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        self.writer
            .write(move |connection| {
                let (content, digest, components, bytes) = (content.clone(), digest.clone(), components.clone(), bytes.clone());
                Box::pin(async move {
                    let doing = || StoreError::doing("apply a configuration");
                    for (digest, bytes) in bytes {
                        sqlx::query("insert into component (digest, bytes) values (?, ?) on conflict do nothing")
                            .bind(digest)
                            .bind(bytes.as_slice())
                            .execute(&mut *connection)
                            .await
                            .map_err(doing())?;
                    }
                    sqlx::query_scalar(
                        "insert into revision (number, content, digest, components, applied_at) \
                         values ((select coalesce(max(number), 0) + 1 from revision), ?, ?, ?, ?) returning number",
                    )
                    .bind(content)
                    .bind(digest)
                    .bind(components)
                    .bind(millis(now))
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(doing())
                })
            })
            .await
    }

    /// A component's bytes.
    pub async fn component(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        sqlx::query_scalar("select bytes from component where digest = ?")
            .bind(digest)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read a component"))
    }
}
