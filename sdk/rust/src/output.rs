use schemars::JsonSchema;
use serde::Serialize;

use crate::{Failure, NewEvent};

/// What an action leaves behind when it also brings in events.
///
/// ```
/// # use sangam_sdk::prelude::*;
/// # fn f() -> Result<Output<u32>, Failure> {
/// Ok(Output::new(3).emit(NewEvent::new("invoice.created", json!({ "id": "42" }))?))
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Output<T> {
    /// The action's output; later steps read it as `.steps.NAME.output`.
    pub data: T,
    /// Accepted together with the step's success, or not at all. Their types must be granted with `emits`.
    pub events: Vec<NewEvent>,
}

impl<T> Output<T> {
    /// That data and no events.
    pub fn new(data: T) -> Self {
        Self { data, events: Vec::new() }
    }

    /// Adds an event.
    #[must_use]
    pub fn emit(mut self, event: NewEvent) -> Self {
        self.events.push(event);
        self
    }
}

/// What an action may return: data of any serializable type, or an [`Output`] of it.
pub trait Returns {
    /// The type that the output schema is made of.
    type Data: Serialize + JsonSchema;
    /// Data and events.
    fn into_output(self) -> Output<Self::Data>;
}

impl<T: Serialize + JsonSchema> Returns for T {
    type Data = T;
    fn into_output(self) -> Output<T> {
        Output::new(self)
    }
}

impl<T: Serialize + JsonSchema> Returns for Output<T> {
    type Data = T;
    fn into_output(self) -> Self {
        self
    }
}

/// An output as it crosses the boundary: JSON texts.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) data: String,
    pub(crate) events: Vec<String>,
}

impl<T: Serialize> TryFrom<Output<T>> for Outcome {
    type Error = Failure;
    fn try_from(output: Output<T>) -> Result<Self, Failure> {
        Ok(Self { data: serde_json::to_string(&output.data)?, events: output.events.into_iter().map(NewEvent::into_text).collect() })
    }
}
