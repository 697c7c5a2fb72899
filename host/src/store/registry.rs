//! Revisions of the configuration, and the components they need by digest.

use jiff::Timestamp;

use super::row::Row;
use super::sql::sql;
use super::terms::{Signal, Terms};
use super::{Store, StoreError, millis, timestamp};
use crate::audit::Act;
use crate::crash::Point;
use crate::live::{News, RevisionApplied};

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
    /// Kind and name of who did it, as in the audit log; `None`: an earlier version of the program wrote it.
    pub applied_by: Option<(String, String)>,
}

impl Store {
    /// The latest revision, or that of a number.
    pub async fn revision(&self, number: Option<i64>) -> Result<Option<RevisionRow>, StoreError> {
        let row = sql("select * from revision where ?1 is null or number = ?1 order by number desc limit 1")
            .bind(number)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read a revision"))?;
        row.as_ref().map(revision_row).transpose()
    }

    /// Revisions, the latest first, from before a number; at most so many.
    pub async fn revisions(&self, before: Option<i64>, most: u32) -> Result<Vec<RevisionRow>, StoreError> {
        let rows = sql("select * from revision where ?1 is null or number < ?1 order by number desc limit ?2")
            .bind(before)
            .bind(most)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("list revisions"))?;
        rows.iter().map(revision_row).collect()
    }

    /// The number of the latest revision; 0: there is none.
    pub async fn latest_revision(&self) -> Result<i64, StoreError> {
        sql("select coalesce(max(number), 0) from revision").scalar(&self.readers).await.map_err(StoreError::doing("look for revisions"))
    }

    /// The number of an earlier revision with that digest, if there was one.
    pub async fn revision_with(&self, digest: &str) -> Result<Option<i64>, StoreError> {
        sql("select max(number) from revision where digest = ?")
            .bind(digest)
            .scalar(&self.readers)
            .await
            .map_err(StoreError::doing("look for a revision"))
    }

    /// Applies a configuration: the next number, with the components it needs. Puts it on record, unless another host has just applied the same.
    pub async fn revise(
        &self,
        content: String,
        digest: String,
        components: String,
        bytes: Vec<(String, std::sync::Arc<Vec<u8>>)>,
        act: Act,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let by = (
            act.by.actor.kind(),
            match act.by.actor.name() {
                "" => act.by.actor.id().to_owned(),
                name => name.to_owned(),
            },
        );
        let note = self.note(act, now)?;
        self.writer
            .write(Terms::none().revisions().audit().signal(Signal::Revision).point(Point::Revising), move |connection| {
                let (content, digest, components, bytes) = (content.clone(), digest.clone(), components.clone(), bytes.clone());
                let (note, by) = (note.clone(), by.clone());
                Box::pin(async move {
                    let doing = || StoreError::doing("apply a configuration");
                    for (digest, bytes) in bytes {
                        sql("insert into component (digest, bytes) values (?, ?) on conflict do nothing")
                            .bind(digest)
                            .bind(bytes.as_slice())
                            .execute(&mut *connection)
                            .await
                            .map_err(doing())?;
                    }
                    // Hosts that start together apply the same file: the first one's number is everybody's.
                    let latest = sql("select number, digest from revision order by number desc limit 1")
                        .fetch_optional(&mut *connection)
                        .await
                        .map_err(doing())?;
                    if let Some(latest) = latest.filter(|latest| latest.get::<String>("digest") == digest) {
                        return Ok(latest.get("number"));
                    }
                    let number: i64 =
                        sql("insert into revision (number, content, digest, components, applied_at, applied_by_kind, applied_by_name) \
                         values ((select coalesce(max(number), 0) + 1 from revision), ?, ?, ?, ?, ?, ?) returning number")
                        .bind(content)
                        .bind(&digest)
                        .bind(components)
                        .bind(millis(now))
                        .bind(by.0)
                        .bind(by.1)
                        .scalar(&mut *connection)
                        .await
                        .map_err(doing())?;
                    note.with("revision", number).with("digest", digest).append(connection).await?;
                    connection.tell(News::Revision(RevisionApplied { revision: number, at: now }));
                    Ok(number)
                })
            })
            .await
    }

    /// A component's bytes.
    pub async fn component(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        sql("select bytes from component where digest = ?")
            .bind(digest)
            .scalar_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read a component"))
    }
}

fn revision_row(row: &Row) -> Result<RevisionRow, StoreError> {
    let by: (Option<String>, Option<String>) = (row.get("applied_by_kind"), row.get("applied_by_name"));
    Ok(RevisionRow {
        number: row.get("number"),
        content: row.get("content"),
        digest: row.get("digest"),
        components: row.get("components"),
        applied_at: timestamp(row.get("applied_at"))?,
        applied_by: by.0.zip(by.1),
    })
}
