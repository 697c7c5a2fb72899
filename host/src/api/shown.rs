//! An answer as somebody sees it: made of a type, then with what is hidden from them masked.

use std::marker::PhantomData;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// JSON in the form of `T`. Masking puts texts in the place of others, and in what is anything, and so keeps the form.
#[derive(Debug)]
pub(super) struct Shown<T> {
    json: Value,
    form: PhantomData<fn() -> T>,
}

impl<T> Shown<T> {
    /// JSON that is in that form already.
    pub(super) fn as_form(json: Value) -> Shown<T> {
        Shown { json, form: PhantomData }
    }
}

impl<T> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        Json(self.json).into_response()
    }
}

/// JSON with 202: it is being done.
#[derive(Debug)]
pub(super) struct Accepted<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

/// JSON with 201: it is made.
#[derive(Debug)]
pub(super) struct Created<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

/// A time, as RFC 3339 writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(Timestamp);

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Time {
        Time(time)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// Part of an answer that is JSON in the form of `T` already: kept by the store, perhaps written by an earlier version or with what it held erased; or made
/// of a `T`, then with what is hidden from somebody masked.
#[derive(Debug)]
pub(super) struct Stored<T> {
    json: Value,
    form: PhantomData<fn() -> T>,
}

impl<T> Stored<T> {
    pub(super) fn new(json: Value) -> Stored<T> {
        Stored { json, form: PhantomData }
    }
}

impl<T> Serialize for Stored<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Stored<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
