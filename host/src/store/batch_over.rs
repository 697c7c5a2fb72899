//! What a batch keeps of its members goes when they do: of one that retention removes, of one that is erased, of a person who is to be forgotten.
//!
//! One that a run which has not ended waits for stays until then, with all that its members were given: nobody could do it without.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::batch::{BatchMember, KIND, OPEN, remove};
use super::effect::EffectRow;
use super::retention::BITE;
use super::row::Row;
use super::sql::{Connection, Dialect, On, sql};
use super::terms::Terms;
use super::{Store, StoreError, millis};
use crate::crash::Point;

impl Store {
    /// Removes batches that are over, or that hold what was given to runs that are gone, unless somebody waits for them.
    pub async fn prune_batches(&self) -> Result<(), StoreError> {
        for batches in over(&self.readers, self.dialect(), None).await?.chunks(BITE as usize) {
            let batches = batches.to_vec();
            self.writer
                .write(Terms::none().point(Point::Pruning), move |connection| {
                    let batches = batches.clone();
                    Box::pin(async move {
                        hold(connection, &batches).await?;
                        prune(connection, &batches).await
                    })
                })
                .await?;
        }
        Ok(())
    }

    /// Batches from before a time, in which a needle stands.
    pub async fn scan_batches(&self, needles: &[String], until: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut look = sql("select id from batch where created_at <= ? and (1 = 0").bind(millis(until));
        self.push_any(&mut look, needles, &["members"], &[]);
        look.push(") union select batch.id from batch join effect on effect.root = batch.id where batch.created_at <= ");
        look.push_bind(millis(until)).push(" and (1 = 0");
        let texts = ["effect.name", "effect.url", "effect.request_headers", "effect.response_headers"];
        self.push_any(&mut look, needles, &texts, &["effect.request_body", "effect.response_body"]);
        look.push(")");
        look.scalars(&self.readers).await.map_err(StoreError::doing("look through batches"))
    }

    /// All that stands in a batch: what its members were given, and what its own journal has.
    pub async fn batch_contents(&self, id: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        let doing = || StoreError::doing("read a batch");
        let members: Option<String> =
            sql("select members from batch where id = ?").bind(id).scalar_optional(&self.readers).await.map_err(doing())?;
        let members: Vec<BatchMember> = serde_json::from_str(members.as_deref().unwrap_or("[]"))
            .map_err(|error| StoreError::Invalid { what: "the members of a batch", why: error.to_string() })?;
        let mut contents: Vec<Vec<u8>> =
            members.into_iter().flat_map(|member| [member.input.into_bytes(), member.context.into_bytes()]).collect();
        let journal = sql("select name, url, request_headers, response_headers, request_body, response_body from effect where root = ?")
            .bind(id)
            .fetch_all(&self.readers)
            .await
            .map_err(doing())?;
        let texts = |row: &Row| (0..4).filter_map(|at| row.get::<Option<String>>(at)).map(String::into_bytes).collect::<Vec<_>>();
        let bytes = |row: &Row| (4..6).filter_map(|at| row.get::<Option<Vec<u8>>>(at)).collect::<Vec<_>>();
        contents.extend(journal.iter().flat_map(|row| texts(row).into_iter().chain(bytes(row))));
        Ok(contents)
    }

    /// Forgets a batch, for an erasure. Gives the run that still waits for its result, if there is one: then nothing was done.
    pub async fn batch_erased(&self, id: &str) -> Result<Option<String>, StoreError> {
        let id = id.to_owned();
        self.writer
            .write(Terms::none().point(Point::Erasing), move |connection| {
                let id = id.clone();
                Box::pin(async move { let_go(connection, &[id]).await })
            })
            .await
    }
}

/// Batches of which all members have their results, or a member is gone; of these only, where it says which. Members are long: they are not read where
/// the answer is known without them.
async fn over(on: impl Into<On<'_>>, dialect: Dialect, among: Option<&[String]>) -> Result<Vec<String>, StoreError> {
    let mut look = sql("select id from batch where case when not exists (select 1 from effect where effect.name = batch.id and ");
    look.push(OPEN);
    look.push(
        ") then true when exists (select 1 from run where ended_at is null and root in (select root from effect where effect.name = batch.id and ",
    );
    look.push(OPEN);
    look.push(")) then false else (select count(*) from effect where effect.name = batch.id and kind = 'batch') < ");
    look.push(match dialect {
        Dialect::Sqlite => "json_array_length(members) end",
        Dialect::Postgres => "json_array_length(members::json) end",
    });
    if let Some(among) = among {
        look.push(" and id in ").push_list(among);
    }
    look.scalars(on).await.map_err(StoreError::doing("look for batches that are over"))
}

/// Batches that runs of these events are members of. Nobody else takes one of them up, or ends it, before the commit.
pub(super) async fn of_events(connection: &mut Connection, eids: &[String]) -> Result<Vec<String>, StoreError> {
    let mut look = sql(
        "select id from batch where id in (select name from effect where kind = 'batch' and root in (select root from run where eid in ",
    );
    look.push_list(eids).push(")) order by id");
    if connection.dialect() == Dialect::Postgres {
        look.push(" for update");
    }
    look.scalars(connection).await.map_err(StoreError::doing("look for batches that events are in"))
}

/// Nobody else takes one of these up, or ends it, before the commit. Whoever does takes the batch first and its members' writes later: so must we.
async fn hold(connection: &mut Connection, batches: &[String]) -> Result<(), StoreError> {
    if connection.dialect() == Dialect::Postgres && !batches.is_empty() {
        let mut hold = sql("select id from batch where id in ");
        hold.push_list(batches).push(" order by id for update");
        hold.fetch_all(connection).await.map_err(StoreError::doing("take batches that may be over"))?;
    }
    Ok(())
}

/// Removes those of them that are over. They are held: nobody can have taken one up since the question.
pub(super) async fn prune(connection: &mut Connection, batches: &[String]) -> Result<(), StoreError> {
    if batches.is_empty() {
        return Ok(());
    }
    let dialect = connection.dialect();
    for id in over(&mut *connection, dialect, Some(batches)).await? {
        remove(connection, &id).await?;
    }
    Ok(())
}

/// The batches that runs with these effects are in, or were in.
pub(super) fn named(effects: &[EffectRow]) -> Vec<String> {
    let names: BTreeSet<&String> = effects.iter().filter(|effect| effect.kind == KIND).filter_map(|effect| effect.name.as_ref()).collect();
    names.into_iter().cloned().collect()
}

/// What runs in these batches were given is about to be erased, and batches that have not ended have it too. Gives a run that has not ended and still
/// waits for the result of one: nobody can do that one without it. Else they are forgotten; a replay of a run in one is told so.
pub(super) async fn let_go(connection: &mut Connection, batches: &[String]) -> Result<Option<String>, StoreError> {
    hold(connection, batches).await?;
    for id in batches {
        let mut waits = sql("select id from run where ended_at is null and root in (select root from effect where name = ? and ").bind(id);
        waits.push(OPEN).push(") limit 1");
        let waits: Option<String> =
            waits.scalar_optional(&mut *connection).await.map_err(StoreError::doing("look who waits for a batch"))?;
        if waits.is_some() {
            return Ok(waits);
        }
    }
    for id in batches {
        remove(connection, id).await?;
    }
    Ok(None)
}
