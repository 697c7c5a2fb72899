//! Endpoints of webhooks that are disabled or enabled: events of the host's own, as of credentials. Routes match them like others, so that the
//! people who can help hear of it.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Intake, Runtime};
use crate::config::WEBHOOK_SOURCE;
use crate::event::{Data, Event, Json};
use crate::store::{StoreError, SubscriberRow};

/// Type of the event when an endpoint is disabled.
const DISABLED: &str = "sangam.webhook.disabled";
/// … and when it is enabled again.
const ENABLED: &str = "sangam.webhook.enabled";

impl Runtime {
    /// Takes in an event for each turn of an endpoint that is not told yet.
    ///
    /// # Errors
    /// When the store does not answer. To be called again.
    pub async fn tell_of_subscribers(&self) -> Result<(), StoreError> {
        for row in self.store.subscribers().await?.iter().filter(|row| row.told < row.number) {
            self.tell_of_subscriber(row).await?;
        }
        Ok(())
    }

    /// Takes in the event of an endpoint's last turn.
    ///
    /// # Errors
    /// When the store does not answer. It is told later then.
    pub async fn tell_of_subscriber(&self, row: &SubscriberRow) -> Result<(), StoreError> {
        let event = event(row);
        // An event of nobody's has no hops to have too many of.
        if let Ok(new) = Intake::new(self).prepare(&event, None).await {
            let came = self.came(std::slice::from_ref(&new));
            let accepted = self.take_in(vec![new]).await?;
            self.took_in(&came, &accepted, None);
            let duplicate = accepted.first().is_some_and(|accepted| accepted.duplicate);
            self.metrics.accepted(&event.source, duplicate);
        }
        self.store.subscriber_told(&row.name, row.number).await?;
        tracing::info!(webhook = row.name, disabled = row.disabled_at.is_some(), "a webhook turned, and routes were told");
        Ok(())
    }
}

fn event(row: &SubscriberRow) -> Event {
    let mut data = json!({ "webhook": row.name });
    if let Some(reason) = &row.reason {
        data["reason"] = json!(reason);
    }
    if let Some(since) = row.failing_since {
        data["failing_since"] = json!(since.to_string());
    }
    Event {
        // The time keeps it apart from one of the same number before a restored backup.
        id: format!("{}-{}", row.number, row.turned_at.as_millisecond()),
        source: format!("{WEBHOOK_SOURCE}{}", row.name),
        event_type: if row.disabled_at.is_some() { DISABLED } else { ENABLED }.to_owned(),
        subject: Some(row.name.clone()),
        time: Some(row.turned_at.to_string()),
        datacontenttype: Some("application/json".to_owned()),
        dataschema: None,
        extensions: BTreeMap::new(),
        data: Data::Json(Json::try_from(&data).expect("its members are the host's own")),
    }
}
