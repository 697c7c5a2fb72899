use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Failure, Inbound, NewEvent, Page, Plugin, Poll, Received, SetAside, SourceContext, descriptor::StreamEntry, input};

/// A plugin that brings events in.
pub trait Source: Plugin {
    /// Declares the streams: `s.stream("leave", "Approved leave").poll(poll_leave).types(&["leave.approved"]);`.
    fn streams(s: &mut Streams<Self>);
}

/// Where a source declares its streams.
#[derive(Debug)]
pub struct Streams<P: Plugin>(Purpose, PhantomData<P>);

#[derive(Debug)]
enum Purpose {
    Describe(Vec<StreamEntry>),
    Poll { stream: String, cursor: Option<String>, limit: u32, context: String, outcome: Option<Result<PageText, Failure>> },
    Receive { stream: String, request: Inbound, context: String, outcome: Option<Result<Received, Failure>> },
}

impl<P: Plugin> Streams<P> {
    /// Declares a stream: its name (lower-case letters, digits, hyphens) and its title. Say next how it is read.
    pub fn stream(&mut self, name: &'static str, title: &'static str) -> Stream<'_, P> {
        if let Purpose::Describe(entries) = &mut self.0 {
            entries.push(StreamEntry { name, title, poll: false, receive: false, types: &[] });
        }
        Stream { name, purpose: &mut self.0, plugin: PhantomData }
    }
}

/// A stream just declared.
#[derive(Debug)]
pub struct Stream<'a, P> {
    name: &'static str,
    purpose: &'a mut Purpose,
    plugin: PhantomData<P>,
}

impl<P: Plugin> Stream<'_, P> {
    /// The function that reads the next page. The cursor is a type of yours, kept as JSON.
    pub fn poll<C: Serialize + DeserializeOwned>(
        self,
        read: impl FnOnce(Poll<C>, &SourceContext<P::Config>) -> Result<Page<C>, Failure>,
    ) -> Self {
        match &mut *self.purpose {
            Purpose::Describe(entries) => entries.last_mut().expect("this stream was declared").poll = true,
            Purpose::Poll { stream, cursor, limit, context, outcome } if outcome.is_none() && stream == self.name => {
                *outcome = Some(page(cursor.as_deref(), *limit, context, read));
            }
            _ => {}
        }
        self
    }

    /// The function that turns a webhook into events. The host has verified the request already.
    pub fn receive(self, read: impl FnOnce(Inbound, &SourceContext<P::Config>) -> Result<Received, Failure>) -> Self {
        match &mut *self.purpose {
            Purpose::Describe(entries) => entries.last_mut().expect("this stream was declared").receive = true,
            Purpose::Receive { stream, request, context, outcome } if outcome.is_none() && stream == self.name => {
                let request = std::mem::take(request);
                *outcome = Some(SourceContext::parse(context).and_then(|context| read(request, &context)));
            }
            _ => {}
        }
        self
    }

    /// The types of the events that it brings in.
    pub fn types(self, types: &'static [&'static str]) -> Self {
        if let Purpose::Describe(entries) = &mut *self.purpose {
            entries.last_mut().expect("this stream was declared").types = types;
        }
        self
    }
}

/// A page as it crosses the boundary.
#[derive(Debug)]
pub(crate) struct PageText {
    pub(crate) events: Vec<String>,
    pub(crate) next_cursor: Option<String>,
    pub(crate) more: bool,
    pub(crate) set_aside: Vec<SetAside>,
}

fn page<C, K>(
    cursor: Option<&str>,
    limit: u32,
    context: &str,
    read: impl FnOnce(Poll<C>, &SourceContext<K>) -> Result<Page<C>, Failure>,
) -> Result<PageText, Failure>
where
    C: Serialize + DeserializeOwned,
    K: DeserializeOwned,
{
    let context = SourceContext::parse(context)?;
    let cursor = cursor.map(|cursor| input::parse(cursor, "cursor")).transpose()?;
    let page = read(Poll { cursor, limit }, &context)?;
    Ok(PageText {
        events: page.events.into_iter().map(NewEvent::into_text).collect(),
        next_cursor: page.next_cursor.map(|cursor| serde_json::to_string(&cursor)).transpose()?,
        more: page.more,
        set_aside: page.set_aside,
    })
}

pub(crate) fn streams<P: Source>() -> Vec<StreamEntry> {
    match declare::<P>(Purpose::Describe(Vec::new())) {
        Purpose::Describe(entries) => entries,
        _ => unreachable!("declaring streams does not change what it is for"),
    }
}

pub(crate) fn poll<P: Source>(stream: String, cursor: Option<String>, limit: u32, context: String) -> Result<PageText, Failure> {
    match declare::<P>(Purpose::Poll { stream, cursor, limit, context, outcome: None }) {
        Purpose::Poll { outcome: Some(outcome), .. } => outcome,
        Purpose::Poll { stream, .. } => Err(Failure::rejected(format!("{} has no stream `{stream}` to poll", P::NAME))),
        _ => unreachable!("declaring streams does not change what it is for"),
    }
}

pub(crate) fn receive<P: Source>(stream: String, request: Inbound, context: String) -> Result<Received, Failure> {
    match declare::<P>(Purpose::Receive { stream, request, context, outcome: None }) {
        Purpose::Receive { outcome: Some(outcome), .. } => outcome,
        Purpose::Receive { stream, .. } => Err(Failure::rejected(format!("{} has no stream `{stream}` to receive", P::NAME))),
        _ => unreachable!("declaring streams does not change what it is for"),
    }
}

fn declare<P: Source>(purpose: Purpose) -> Purpose {
    let mut streams = Streams::<P>(purpose, PhantomData);
    P::streams(&mut streams);
    streams.0
}
