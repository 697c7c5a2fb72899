//! One operation of the API: what `/openapi.json` says of a way in.
//!
//! What a handler takes and what it answers is read off its types ([`Part`], [`Answers`]), so that the document can't say otherwise; words are
//! given where the way stands in its table. A handler whose types say nothing of its answer ([`Response`]) has it described there, too.

use std::future::Future;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Response, Sse};
use axum::routing::{self, MethodRouter};
use axum::{Extension, Json};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::order::Order;
use super::shown::{Accepted, Created, Shown};
use crate::runtime::Runtime;

/// Makes the schema of a type, or a reference to it.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What the operations are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Events,
    DeadLetters,
    Configuration,
    Sources,
    Webhooks,
    Credentials,
    Access,
    Data,
    Operations,
}

impl Tag {
    pub(super) const ALL: [Tag; 9] = [
        Tag::Events,
        Tag::DeadLetters,
        Tag::Configuration,
        Tag::Sources,
        Tag::Webhooks,
        Tag::Credentials,
        Tag::Access,
        Tag::Data,
        Tag::Operations,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Tag::Events => "events",
            Tag::DeadLetters => "dead-letters",
            Tag::Configuration => "configuration",
            Tag::Sources => "sources",
            Tag::Webhooks => "webhooks",
            Tag::Credentials => "credentials",
            Tag::Access => "access",
            Tag::Data => "data",
            Tag::Operations => "operations",
        }
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Tag::Events => "Events in, looked at, replayed and cancelled.",
            Tag::DeadLetters => "Runs that failed for good, and their replay.",
            Tag::Configuration => "What is configured: routes, plugins, revisions.",
            Tag::Sources => "Where events come from, what they set aside, and webhooks of vendors.",
            Tag::Webhooks => "Endpoints that are told of events.",
            Tag::Credentials => "States of credentials, and consents.",
            Tag::Access => "Who may ask: sessions, tokens, the audit log.",
            Tag::Data => "A person's data: found, exported, erased.",
            Tag::Operations => "Whether the host lives and how it is doing.",
        }
    }
}

/// What an answer may be.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) about: &'static str,
    /// With the schema of the body; none for a body that is text.
    pub(super) body: Option<(&'static str, Option<SchemaOf>)>,
    /// Names and meanings.
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

/// What the types of a handler say.
#[derive(Debug, Default, Clone)]
pub(super) struct Shape {
    pub(super) query: Option<SchemaOf>,
    /// And whether it must be there.
    pub(super) body: Option<(SchemaOf, bool)>,
    pub(super) answers: Vec<Answer>,
}

/// Words on a way in.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) tag: Tag,
    pub(super) summary: &'static str,
    pub(super) about: &'static str,
    /// Names and meanings of what stands in the path, where the usual ones don't fit.
    pub(super) path: Vec<(&'static str, &'static str)>,
    /// Names, meanings and whether they must be there.
    pub(super) headers: Vec<(&'static str, &'static str, bool)>,
    /// Bodies that no type describes: content types, each with its schema and perhaps an example.
    pub(super) takes: Vec<(&'static str, Option<SchemaOf>, Option<&'static str>)>,
    pub(super) answers: Vec<Answer>,
    pub(super) fails: Vec<(StatusCode, &'static str)>,
}

/// An operation: `id` is stable, clients are made from it.
pub(super) fn op(id: &'static str, tag: Tag, summary: &'static str) -> Operation {
    Operation {
        id,
        tag,
        summary,
        about: "",
        path: Vec::new(),
        headers: Vec::new(),
        takes: Vec::new(),
        answers: Vec::new(),
        fails: Vec::new(),
    }
}

/// What is no part of the API: pages and files for people's browsers.
pub(super) fn aside() -> Operation {
    op("", Tag::Operations, "")
}

impl Operation {
    /// Whether the document speaks of it.
    pub(super) fn is_told(&self) -> bool {
        !self.id.is_empty()
    }

    /// More than the summary says.
    pub(super) fn about(mut self, about: &'static str) -> Operation {
        self.about = about;
        self
    }

    /// What a part of the path is.
    pub(super) fn path(mut self, name: &'static str, about: &'static str) -> Operation {
        self.path.push((name, about));
        self
    }

    /// A header that it reads.
    pub(super) fn header(mut self, name: &'static str, about: &'static str) -> Operation {
        self.headers.push((name, about, false));
        self
    }

    /// A body in another form than the handler's types say.
    pub(super) fn takes<T: JsonSchema>(mut self, media: &'static str, example: Option<&'static str>) -> Operation {
        self.takes.push((media, Some(schema_of::<T>), example));
        self
    }

    /// A body that is not JSON.
    pub(super) fn takes_bytes(mut self, media: &'static str) -> Operation {
        self.takes.push((media, None, None));
        self
    }

    /// An answer in JSON, beside or instead of what the handler's types say.
    pub(super) fn answers<T: JsonSchema>(self, status: StatusCode, media: &'static str, about: &'static str) -> Operation {
        self.answer(Answer { status, about, body: Some((media, Some(schema_of::<T>))), headers: Vec::new() })
    }

    /// An answer that is text.
    pub(super) fn answers_text(self, status: StatusCode, media: &'static str, about: &'static str) -> Operation {
        self.answer(Answer { status, about, body: Some((media, None)), headers: Vec::new() })
    }

    /// An answer without a body.
    pub(super) fn answers_nothing(self, status: StatusCode, about: &'static str) -> Operation {
        self.answer(Answer { status, about, body: None, headers: Vec::new() })
    }

    /// A header of the answer described last.
    pub(super) fn with_header(mut self, name: &'static str, about: &'static str) -> Operation {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push((name, about));
        }
        self
    }

    fn answer(mut self, answer: Answer) -> Operation {
        self.answers.push(answer);
        self
    }

    /// A refusal of its own, and when. Those that every way has are not said again: 400 of a query or body, 401, 403, 408, 413, 415, 429, 503.
    pub(super) fn fails(mut self, status: u16, when: &'static str) -> Operation {
        self.fails.push((StatusCode::from_u16(status).expect("a status in the table of ways"), when));
        self
    }
}

/// What a handler takes.
pub(super) trait Part {
    fn describe(_: &mut Shape) {}
}

impl<S> Part for State<S> {}
impl<T> Part for Extension<T> {}
impl<T> Part for Path<T> {}
impl Part for HeaderMap {}
impl Part for Uri {}
impl Part for Bytes {}
impl Part for Request {}
impl<T: JsonSchema> Part for Query<T> {
    fn describe(shape: &mut Shape) {
        shape.query = Some(schema_of::<T>);
    }
}
impl<T: JsonSchema> Part for Json<T> {
    fn describe(shape: &mut Shape) {
        shape.body = Some((schema_of::<T>, true));
    }
}
impl<T: JsonSchema> Part for Order<T> {
    fn describe(shape: &mut Shape) {
        shape.body = Some((schema_of::<T>, false));
    }
}

/// What a handler answers.
pub(super) trait Answers {
    fn describe(shape: &mut Shape);
}

fn json<T: JsonSchema>(shape: &mut Shape, status: StatusCode) {
    shape.answers.push(Answer { status, about: "Done.", body: Some(("application/json", Some(schema_of::<T>))), headers: Vec::new() });
}

impl Answers for Response {
    fn describe(_: &mut Shape) {}
}
impl Answers for &'static str {
    fn describe(shape: &mut Shape) {
        shape.answers.push(Answer { status: StatusCode::OK, about: "Yes.", body: Some(("text/plain", None)), headers: Vec::new() });
    }
}
impl<T: JsonSchema> Answers for Json<T> {
    fn describe(shape: &mut Shape) {
        json::<T>(shape, StatusCode::OK);
    }
}
impl<T: JsonSchema> Answers for Shown<T> {
    fn describe(shape: &mut Shape) {
        json::<T>(shape, StatusCode::OK);
    }
}
impl<T: JsonSchema> Answers for Accepted<T> {
    fn describe(shape: &mut Shape) {
        json::<T>(shape, StatusCode::ACCEPTED);
    }
}
impl<T: JsonSchema> Answers for Created<T> {
    fn describe(shape: &mut Shape) {
        json::<T>(shape, StatusCode::CREATED);
    }
}
impl<S> Answers for Sse<S> {
    fn describe(shape: &mut Shape) {
        let body = Some(("text/event-stream", None));
        shape.answers.push(Answer { status: StatusCode::OK, about: "Server-sent events, without end.", body, headers: Vec::new() });
    }
}
impl<A: Answers, E> Answers for Result<A, E> {
    fn describe(shape: &mut Shape) {
        A::describe(shape);
    }
}

/// A handler whose types can be read. `D` is what it takes.
pub(super) trait Described<D> {
    fn shape() -> Shape;
}

macro_rules! described {
    ($($part:ident),*) => {
        impl<F, Fut, $($part),*> Described<($($part,)*)> for F
        where
            F: Fn($($part),*) -> Fut,
            Fut: Future,
            Fut::Output: Answers,
            $($part: Part,)*
        {
            fn shape() -> Shape {
                let mut shape = Shape::default();
                $($part::describe(&mut shape);)*
                Fut::Output::describe(&mut shape);
                shape
            }
        }
    };
}

described!();
described!(A);
described!(A, B);
described!(A, B, C);
described!(A, B, C, D);
described!(A, B, C, D, E);
described!(A, B, C, D, E, G);
described!(A, B, C, D, E, G, H);

/// A handler with what its types say.
pub(super) struct Handled {
    pub(super) method: Method,
    pub(super) handler: MethodRouter<Arc<Runtime>>,
    pub(super) shape: Shape,
}

/// What a way answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    /// Whatever the configuration says.
    Any,
}

/// Answers GET, and so HEAD.
pub(super) fn get<H, T, D>(handler: H) -> Handled
where
    H: Handler<T, Arc<Runtime>> + Described<D>,
    T: 'static,
{
    Handled { method: Method::Get, handler: routing::get(handler), shape: H::shape() }
}

/// Answers POST.
pub(super) fn post<H, T, D>(handler: H) -> Handled
where
    H: Handler<T, Arc<Runtime>> + Described<D>,
    T: 'static,
{
    Handled { method: Method::Post, handler: routing::post(handler), shape: H::shape() }
}

/// Answers whatever is asked.
pub(super) fn any<H, T, D>(handler: H) -> Handled
where
    H: Handler<T, Arc<Runtime>> + Described<D>,
    T: 'static,
{
    Handled { method: Method::Any, handler: routing::any(handler), shape: H::shape() }
}
