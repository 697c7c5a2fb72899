//! What an undo stands on, and what it leaves: steps of a line with effects, and their journal started anew.

use std::collections::BTreeSet;

use super::effect::{EffectRow, effect_row};
use super::sql::{Connection, sql};
use super::{Store, StoreError, key_value, wait};

/// What a step did in its line since it was last undone.
#[derive(Debug, Clone, Default)]
pub struct UndoMaterial {
    /// Its input, JSON.
    pub input: Option<String>,
    /// Its output, JSON, if it succeeded: only then its key-value writes took effect.
    pub output: Option<String>,
    /// Its writes, in order.
    pub effects: Vec<EffectRow>,
}

impl Store {
    /// The steps of a line that have a write done or in doubt and not undone, or key-value writes in effect. Without undos.
    pub async fn steps_with_effects(&self, root: &str) -> Result<BTreeSet<String>, StoreError> {
        let mut steps: BTreeSet<String> = self.steps_with_writes(root).await?.into_iter().collect();
        let keys: Vec<String> = sql("select step from line_step where root = ? and wrote_keys = 1 and step not like '%/undo'")
            .bind(root)
            .scalars(&self.readers)
            .await
            .map_err(StoreError::doing("read what a line has done"))?;
        steps.extend(keys);
        Ok(steps)
    }

    /// The steps of a line that have a write done or in doubt and not undone. Without undos: each stands for a step that is here itself.
    pub async fn steps_with_writes(&self, root: &str) -> Result<Vec<String>, StoreError> {
        sql("select distinct effect.step from effect join line_step on line_step.root = effect.root and line_step.step = effect.step \
             and line_step.round = effect.round and line_step.undos = effect.undos \
             where effect.root = ? and effect.state <> 'failed' and effect.step not like '%/undo'")
        .bind(root)
        .scalars(&self.readers)
        .await
        .map_err(StoreError::doing("read effects"))
    }

    /// The steps of a line whose undo has a write done or in doubt, and is not complete.
    pub async fn undos_begun(&self, root: &str) -> Result<BTreeSet<String>, StoreError> {
        let names: Vec<String> = sql("select distinct effect.step from effect join line_step on line_step.root = effect.root \
             and line_step.step = effect.step and line_step.round = effect.round and line_step.undos = effect.undos \
             where effect.root = ? and effect.state <> 'failed' and effect.step like '%/undo'")
        .bind(root)
        .scalars(&self.readers)
        .await
        .map_err(StoreError::doing("read effects"))?;
        Ok(names.iter().filter_map(|name| name.strip_suffix("/undo").map(str::to_owned)).collect())
    }

    /// What an undo of a step is given.
    pub async fn undo_material(&self, root: &str, step: &str) -> Result<UndoMaterial, StoreError> {
        let doing = || StoreError::doing("read what a step has done");
        let mut material = UndoMaterial::default();
        let rows = sql("select effect.* from effect join line_step on line_step.root = effect.root and line_step.step = effect.step \
             and line_step.round = effect.round and line_step.undos = effect.undos \
             where effect.root = ? and effect.step = ? order by effect.round, effect.started_at, effect.seq, effect.generation")
        .bind(root)
        .bind(step)
        .fetch_all(&self.readers)
        .await
        .map_err(doing())?;
        material.effects = rows.iter().map(effect_row).collect::<Result<_, _>>()?;
        let applied: Option<i64> = sql("select 1 from line_step where root = ? and step = ? and applied = 1 limit 1")
            .bind(root)
            .bind(step)
            .scalar_optional(&self.readers)
            .await
            .map_err(doing())?;
        // A step that succeeded and was tried again by a replay from the start is still done: its last success counts.
        let mut row = sql("select step.input, step.output from step join run on run.id = step.run where run.root = ? and step.name = ?");
        row = row.bind(root).bind(step);
        if applied.is_some() {
            row.push(" and step.output is not null");
        }
        row.push(" order by run.seq desc limit 1");
        if let Some(row) = row.fetch_optional(&self.readers).await.map_err(doing())? {
            material.input = row.get(0);
            material.output = row.get(1);
        }
        Ok(material)
    }
}

/// A run turns back: no step of it goes on, so what they have claimed is free for the undos. Those of an earlier undo in the run are over.
pub(super) async fn begin(connection: &mut Connection, run: &str) -> Result<(), StoreError> {
    key_value::release(connection, run, None).await?;
    wait::end(connection, run, None).await?;
    sql("delete from step where run = ? and name like '%/undo'")
        .bind(run)
        .execute(connection)
        .await
        .map_err(StoreError::doing("begin an undo"))?;
    Ok(())
}

/// What was undone is no longer done: journal, keys and clock of the step, and of its undo, start anew.
pub(super) async fn done(connection: &mut Connection, run: &str, step: &str) -> Result<(), StoreError> {
    sql("update line_step set undos = undos + 1, applied = 0, wrote_keys = 0, fresh = 1 \
         where root = (select root from run where id = ?) and step in (?, ?)")
    .bind(run)
    .bind(step)
    .bind(format!("{step}/undo"))
    .execute(connection)
    .await
    .map_err(StoreError::doing("undo a step"))?;
    Ok(())
}
