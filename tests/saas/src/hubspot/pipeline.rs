//! Pipelines and their stages: one for tickets, one for deals.

use serde_json::{Value, json};

use super::kind::Kind;

/// A stage of a pipeline.
pub(super) struct Stage {
    pub(super) id: &'static str,
    label: &'static str,
    /// Whether an object in this stage is done with.
    pub(super) closed: bool,
    /// Chance that a deal in this stage is won; tickets have none.
    probability: Option<&'static str>,
}

/// A pipeline.
pub(super) struct Pipeline {
    pub(super) id: &'static str,
    label: &'static str,
    pub(super) stages: &'static [Stage],
}

const fn ticket(id: &'static str, label: &'static str, closed: bool) -> Stage {
    Stage { id, label, closed, probability: None }
}

const fn deal(id: &'static str, label: &'static str, closed: bool, probability: &'static str) -> Stage {
    Stage { id, label, closed, probability: Some(probability) }
}

const SUPPORT: Pipeline = Pipeline {
    id: "0",
    label: "Support Pipeline",
    stages: &[
        ticket("1", "New", false),
        ticket("2", "Waiting on contact", false),
        ticket("3", "Waiting on us", false),
        ticket("4", "Closed", true),
    ],
};

const SALES: Pipeline = Pipeline {
    id: "default",
    label: "Sales Pipeline",
    stages: &[
        deal("appointmentscheduled", "Appointment Scheduled", false, "0.2"),
        deal("contractsent", "Contract Sent", false, "0.9"),
        deal("closedwon", "Closed Won", true, "1.0"),
        deal("closedlost", "Closed Lost", true, "0.0"),
    ],
};

/// The pipeline of a type that has one. This portal has one pipeline each.
pub(super) fn of(kind: Kind) -> Option<&'static Pipeline> {
    match kind {
        Kind::Ticket => Some(&SUPPORT),
        Kind::Deal => Some(&SALES),
        _ => None,
    }
}

/// The properties that hold pipeline and stage.
pub(super) fn properties(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::Ticket => Some(("hs_pipeline", "hs_pipeline_stage")),
        Kind::Deal => Some(("pipeline", "dealstage")),
        _ => None,
    }
}

impl Pipeline {
    /// As the API shows it.
    pub(super) fn public(&self) -> Value {
        let stages: Vec<Value> = self.stages.iter().zip(0u32..).map(|(stage, order)| stage.public(order)).collect();
        json!({
            "id": self.id,
            "label": self.label,
            "displayOrder": 0,
            "stages": stages,
            "createdAt": "1970-01-01T00:00:00Z",
            "updatedAt": "1970-01-01T00:00:00Z",
            "archived": false,
        })
    }

    /// The stages as the API shows them.
    pub(super) fn public_stages(&self) -> Value {
        self.public()["stages"].take()
    }

    pub(super) fn stage(&self, id: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == id)
    }
}

impl Stage {
    fn public(&self, order: u32) -> Value {
        // HubSpot writes booleans in `metadata` as texts.
        let metadata = match self.probability {
            Some(probability) => {
                json!({ "isClosed": self.closed.to_string(), "probability": probability })
            }
            None => json!({
                "isClosed": self.closed.to_string(),
                "ticketState": if self.closed { "CLOSED" } else { "OPEN" },
            }),
        };
        json!({
            "id": self.id,
            "label": self.label,
            "displayOrder": order,
            "metadata": metadata,
            "createdAt": "1970-01-01T00:00:00Z",
            "updatedAt": "1970-01-01T00:00:00Z",
            "archived": false,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        })
    }
}
