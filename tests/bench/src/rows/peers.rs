//! The chain beside what people use today for the same: Benthos, and Node-RED.

use super::{About, Row, Running, When, chain};
use crate::peer;
use crate::{Bench, line::Line};

/// The row `chain-benthos`.
pub(super) struct Benthos;
/// The row `chain-node-red`.
pub(super) struct NodeRed;

impl Row for Benthos {
    fn about(&self) -> About {
        About {
            name: "chain-benthos",
            what: "the chain beside Benthos",
            goal: ">= 1.0 of Benthos, not durable",
            reference: "a Go program of Benthos' own parts (its public package), not sandboxed; nothing durable",
            when: When::Always,
        }
    }

    fn prepare(&self) -> anyhow::Result<()> {
        peer::benthos().map(drop)
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(async move { chain::beside(self.about(), bench.effort, peer::benthos()?, 1.0).await })
    }
}

impl Row for NodeRed {
    fn about(&self) -> About {
        About {
            name: "chain-node-red",
            what: "the chain beside Node-RED",
            goal: ">= 10 of Node-RED, not durable",
            reference: "a Node-RED flow of function and request nodes; nothing durable",
            when: When::Always,
        }
    }

    fn prepare(&self) -> anyhow::Result<()> {
        peer::node_red().map(drop)
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(async move {
            let mut lines: Vec<Line> = chain::beside(self.about(), bench.effort, peer::node_red()?, 10.0).await?;
            if let Some(line) = lines.first_mut() {
                line.notes.push("n8n (goal: fifty times) is not run: its licence is none of the open ones".to_owned());
            }
            Ok(lines)
        })
    }
}
