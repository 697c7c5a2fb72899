//! A delivery that a plugin made something of: its events, what of it was set aside, and its key-value writes, in one transaction.

use super::accept::{self, Accepted, NewEvent};
use super::effect::refusal;
use super::key_value::{self, KeySettlement};
use super::set_aside::{self, NewSetAside};
use super::terms::Terms;
use super::{Store, StoreError};

impl Store {
    /// Makes all of it durable, or nothing. Answered after the flush to disk.
    ///
    /// # Errors
    /// [`StoreError::KeyConflict`]: what the plugin read has changed: it is to be called again. [`StoreError::KeySpaceFull`]: its space is full.
    pub async fn receive(
        &self,
        events: Vec<NewEvent>,
        set_aside: Vec<NewSetAside>,
        keys: Option<KeySettlement>,
    ) -> Result<Vec<Accepted>, StoreError> {
        let mut terms = Terms::none().events(&events);
        if let Some(keys) = &keys {
            terms = terms.keys(&keys.plugin);
        }
        let accepted = self
            .writer
            .write(terms, move |connection| {
                let (events, set_aside, keys) = (events.clone(), set_aside.clone(), keys.clone());
                Box::pin(async move {
                    // Checked first: after a refusal nothing was written.
                    let mut space = None;
                    if let Some(keys) = &keys {
                        let KeySettlement { plugin, root, step, unclaimed, .. } = keys;
                        if let Err(refused) = key_value::check(connection, plugin, root, step, unclaimed).await {
                            return refusal(Err(refused));
                        }
                        match key_value::room(connection, keys).await {
                            Ok(room) => space = room,
                            Err(refused) => return refusal(Err(refused)),
                        }
                    }
                    let accepted = accept::insert(connection, &events).await?;
                    if let Some(keys) = &keys {
                        key_value::apply(connection, keys, space).await?;
                    }
                    set_aside::keep(connection, &set_aside).await?;
                    Ok(Ok(accepted))
                })
            })
            .await?;
        self.arrived_among(accepted.as_deref().unwrap_or(&[]), false);
        accepted
    }
}
