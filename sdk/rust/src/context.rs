use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{Event, Failure, Request, Write, imports, input};

/// What an action knows of its call, and its way outside.
///
/// The same call may come again after a crash or a failure. Then the input is the same, clocks and random numbers come
/// out the same, writes that succeeded are answered from the journal, and reads are live.
#[derive(Debug)]
#[non_exhaustive]
pub struct Context<C> {
    /// The event that the run handles.
    pub event: Event,
    /// The run.
    pub run: Run,
    /// The step of its route.
    pub step: Step,
    /// From 1. Where a system has no idempotency keys, look for your own marker before writing on attempts after the first.
    pub attempt: u32,
    /// A UUID, the same on every attempt of the step. Keys of single writes: [`Context::key`].
    pub idempotency_key: String,
    /// RFC 3339, on the clock that the plugin sees.
    pub deadline: String,
    /// W3C Trace Context, where there is one.
    pub traceparent: Option<String>,
    /// The plugin's configuration.
    pub config: C,
}

/// The run that a call belongs to.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Run {
    /// UUIDv7.
    pub id: String,
    /// The first run of its line; its own id where it is no replay.
    #[serde(default)]
    pub root: String,
    /// Name of the route.
    #[serde(default)]
    pub route: String,
}

/// The step that a call belongs to.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// Its name in the route.
    pub name: String,
    /// `plugin.action`.
    #[serde(default)]
    pub uses: String,
    /// Of a step with `repeat`.
    #[serde(default)]
    pub round: u32,
}

impl<C> Context<C> {
    /// Whether nothing of this step can have been written before: a replay counts attempts from 1 again, but shares the
    /// journal, and the doubts, of the runs before it.
    pub fn first_attempt(&self) -> bool {
        let first_of_line = self.run.root.is_empty() || self.run.root == self.run.id;
        self.attempt <= 1 && first_of_line
    }

    /// The idempotency key of the write of that name, before it is sent: a UUID of 36 ASCII characters, for systems that want it
    /// in the URL or the body. Others get it as the header `Idempotency-Key` without asking.
    pub fn key(&self, name: &str) -> String {
        imports::key(name)
    }

    /// A `GET`.
    pub fn get(&self, url: impl Into<String>) -> Request {
        Request::get(url)
    }

    /// A `POST`; say next what it is called.
    pub fn post(&self, url: impl Into<String>) -> Write {
        Write::new("POST", url)
    }

    /// A `PUT`; say next what it is called.
    pub fn put(&self, url: impl Into<String>) -> Write {
        Write::new("PUT", url)
    }

    /// A `PATCH`; say next what it is called.
    pub fn patch(&self, url: impl Into<String>) -> Write {
        Write::new("PATCH", url)
    }

    /// A `DELETE`; say next what it is called.
    pub fn delete(&self, url: impl Into<String>) -> Write {
        Write::new("DELETE", url)
    }
}

impl<C: DeserializeOwned> Context<C> {
    #[inline(never)] // one copy, not one in each action
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            event: Event,
            run: Run,
            step: Step,
            attempt: u32,
            idempotency_key: String,
            deadline: String,
            traceparent: Option<String>,
            #[serde(borrow)]
            configuration: &'a RawValue,
        }
        let wire: Wire<'_> = input::parse(text, "context")?;
        Ok(Self {
            event: wire.event,
            run: wire.run,
            step: wire.step,
            attempt: wire.attempt,
            idempotency_key: wire.idempotency_key,
            deadline: wire.deadline,
            traceparent: wire.traceparent,
            config: input::parse(wire.configuration.get(), "configuration")?,
        })
    }
}

/// What a stream knows of its call, and its way outside. Streams may only read.
#[derive(Debug)]
#[non_exhaustive]
pub struct SourceContext<C> {
    /// Name of the source.
    pub source: String,
    /// Where the first poll starts, RFC 3339.
    pub since: Option<String>,
    /// RFC 3339.
    pub deadline: String,
    /// W3C Trace Context, where there is one.
    pub traceparent: Option<String>,
    /// The plugin's configuration.
    pub config: C,
}

impl<C> SourceContext<C> {
    /// A `GET`.
    pub fn get(&self, url: impl Into<String>) -> Request {
        Request::get(url)
    }

    /// A `POST` that only reads, such as a search. The administrator has to agree: list it in [`Plugin::READ_ONLY`](crate::Plugin::READ_ONLY).
    pub fn post(&self, url: impl Into<String>) -> Request {
        Write::new("POST", url).read_only()
    }
}

impl<C: DeserializeOwned> SourceContext<C> {
    #[inline(never)] // one copy, not one in each action
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            source: String,
            since: Option<String>,
            deadline: String,
            traceparent: Option<String>,
            #[serde(borrow)]
            configuration: &'a RawValue,
        }
        let wire: Wire<'_> = input::parse(text, "context")?;
        Ok(Self {
            source: wire.source,
            since: wire.since,
            deadline: wire.deadline,
            traceparent: wire.traceparent,
            config: input::parse(wire.configuration.get(), "configuration")?,
        })
    }
}
