//! A list of records that only grows, read page by page: `GET /feed?cursor=N&limit=M&since=TIME`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::system::System;

/// The feed. Setting `add`: a record, or a list of them; `replace`: `[POSITION, record]`.
#[derive(Default)]
pub struct Feed(Mutex<Vec<Value>>);

impl Feed {
    /// Without records.
    pub fn new() -> Feed {
        Feed::default()
    }

    /// One more record.
    pub fn add(&self, record: Value) {
        self.lock().push(record);
    }

    /// Another record in its place.
    pub fn replace(&self, position: usize, record: Value) {
        if let Some(place) = self.lock().get_mut(position) {
            *place = record;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl System for Feed {
    fn name(&self) -> &'static str {
        "feed"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new().route("/feed", get(page)).with_state(self)
    }

    fn state(&self) -> Value {
        json!({ "records": *self.lock() })
    }

    fn reset(&self) {
        self.lock().clear();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        match (setting, value) {
            ("add", Value::Array(records)) => records.into_iter().for_each(|record| self.add(record)),
            ("add", record @ Value::Object(_)) => self.add(record),
            ("replace", Value::Array(pair)) => match <[Value; 2]>::try_from(pair) {
                Ok([position, record]) => {
                    self.replace(position.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX), record)
                }
                Err(_) => return Err("`replace` takes a position and a record".to_owned()),
            },
            _ => {
                return Err(
                    "the feed has the settings `add`: a record, or a list of them; and `replace`: a position and a record".to_owned()
                );
            }
        }
        Ok(())
    }
}

/// A page: without a cursor from the first record on that is not older than `since`.
async fn page(State(feed): State<Arc<Feed>>, Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").unwrap_or(100);
    let records = feed.lock();
    let begins = || match query.get("since") {
        Some(since) => {
            records.iter().position(|record| record["time"].as_str().is_none_or(|time| time >= since.as_str())).unwrap_or(records.len())
        }
        None => 0,
    };
    let from = number("cursor").unwrap_or_else(begins).min(records.len());
    let to = (from + limit).min(records.len());
    Json(json!({ "records": records[from..to], "next": to, "more": to < records.len() }))
}
