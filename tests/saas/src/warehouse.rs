//! A warehouse: stock of items at locations, and the movements that change it.
//!
//! | request | answer |
//! |---|---|
//! | `GET /api/items/{sku}` | 200 `{sku, name, unit, stock: {LOCATION: n}}`, 404 |
//! | `POST /api/stock-movements` `{sku, quantity, location?, reference}` | 201 `{id, sku, location, quantity, on_hand}`; 200 with `Idempotent-Replayed: true` for a known `Idempotency-Key` |
//! | `GET /api/stock-movements?reference` | 200 `{items}` |
//!
//! A negative quantity takes out. 404 `unknown-item`, 409 `insufficient-stock` (with `on_hand`) and `key-reused` (the key came with another body), 422
//! `invalid` (with `field`), 423 `location-locked` during stocktaking. Quantities are decimal numbers with at most three digits after the point.
//!
//! Settings: `lock` (a location or null), `stock` (`{"sku", "location", "on_hand"}`).

#![expect(clippy::result_large_err, reason = "a refusal is the answer itself, made once and moved once")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};

use crate::system::System;

/// Bearer token that is taken.
pub const TOKEN: &str = "warehouse-token";
/// The location that stands where none is named.
pub const MAIN: &str = "main";
/// Items: number, name, unit, stock of the main location in thousandths.
const ITEMS: &[(&str, &str, &str, i64)] = &[
    ("PUMP-15-60", "Pump", "piece", 12_000),
    ("R290", "Refrigerant, kg", "kg", 20_000),
    ("RELAY-24V", "Relay", "piece", 60_000),
    ("TB-4", "Terminal block", "piece", 200_000),
    ("FILTER-G4", "Filter", "piece", 25_000),
    ("PIPE-22", "Pipe, m", "m", 80_000),
    ("FIT-22", "Fitting", "piece", 120_000),
    ("GASKET-SET", "Gasket set", "piece", 8_000),
];

/// The warehouse.
pub struct Warehouse(Mutex<Inner>);

struct Inner {
    /// Thousandths by item and location.
    stock: BTreeMap<&'static str, BTreeMap<String, i64>>,
    movements: Vec<Movement>,
    /// By key: the body, and which movement it made.
    keys: HashMap<String, (Value, usize)>,
    repeated: u64,
    locked: Option<String>,
}

#[derive(Clone, Serialize)]
struct Movement {
    id: String,
    sku: &'static str,
    location: String,
    quantity: Value,
    reference: String,
    on_hand: Value,
}

impl Inner {
    fn new() -> Inner {
        let stock = ITEMS.iter().map(|(sku, _, _, stock)| (*sku, BTreeMap::from([(MAIN.to_owned(), *stock)]))).collect();
        Inner { stock, movements: Vec::new(), keys: HashMap::new(), repeated: 0, locked: None }
    }
}

impl Warehouse {
    /// With the seeded stock.
    #[expect(clippy::new_without_default, reason = "all stand-ins are made with `new`")]
    pub fn new() -> Warehouse {
        Warehouse(Mutex::new(Inner::new()))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl System for Warehouse {
    fn name(&self) -> &'static str {
        "warehouse"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/api/items/{sku}", get(item))
            .route("/api/stock-movements", get(list).post(book))
            .fallback(async || refusal(StatusCode::NOT_FOUND, "unknown-path", json!({})))
            .with_state(self)
    }

    fn state(&self) -> Value {
        let inner = self.lock();
        let stock: BTreeMap<_, BTreeMap<_, _>> = inner
            .stock
            .iter()
            .map(|(sku, places)| (*sku, places.iter().map(|(place, stock)| (place, decimal(*stock))).collect()))
            .collect();
        json!({ "stock": stock, "movements": inner.movements, "repeated": inner.repeated })
    }

    fn reset(&self) {
        *self.lock() = Inner::new();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let mut inner = self.lock();
        match setting {
            "lock" => inner.locked = value.as_str().map(str::to_owned),
            "stock" => {
                let wrong = "`stock` takes {\"sku\", \"location\", \"on_hand\"} of a known item";
                let on_hand = thousandths(&value["on_hand"]).ok_or(wrong)?;
                let location = value["location"].as_str().unwrap_or(MAIN).to_owned();
                let places = value["sku"].as_str().and_then(|sku| inner.stock.get_mut(sku)).ok_or(wrong)?;
                places.insert(location, on_hand);
            }
            _ => return Err(format!("the warehouse has no setting `{setting}`; it has lock, stock")),
        }
        Ok(())
    }
}

fn refusal(status: StatusCode, code: &str, more: Value) -> Response {
    let mut body = json!({ "error": code });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    (status, Json(body)).into_response()
}

/// A JSON number in thousandths; none if it is no number or has more digits.
fn thousandths(value: &Value) -> Option<i64> {
    let text = value.as_number()?.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = part.trim_end_matches('0');
    if part.len() > 3 {
        return None;
    }
    let number = format!("{whole}{part:0<3}").parse::<i64>().ok()?;
    Some(sign * number)
}

/// A number of thousandths as JSON, without superfluous digits.
fn decimal(thousandths: i64) -> Value {
    let sign = if thousandths < 0 { "-" } else { "" };
    let (whole, part) = (thousandths.unsigned_abs() / 1000, thousandths.unsigned_abs() % 1000);
    let text = format!("{sign}{whole}.{part:03}");
    serde_json::from_str(text.trim_end_matches('0').trim_end_matches('.')).unwrap_or_default()
}

fn admit(headers: &HeaderMap) -> Result<(), Response> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    if given == Some(TOKEN) { Ok(()) } else { Err(refusal(StatusCode::UNAUTHORIZED, "unauthorized", json!({}))) }
}

async fn item(State(warehouse): State<Arc<Warehouse>>, Path(sku): Path<String>, headers: HeaderMap) -> Response {
    if let Err(refused) = admit(&headers) {
        return refused;
    }
    let inner = warehouse.lock();
    let Some((sku, name, unit, _)) = ITEMS.iter().find(|(known, ..)| *known == sku) else {
        return refusal(StatusCode::NOT_FOUND, "unknown-item", json!({ "sku": sku }));
    };
    let stock: BTreeMap<_, _> = inner.stock[sku].iter().map(|(place, stock)| (place, decimal(*stock))).collect();
    Json(json!({ "sku": sku, "name": name, "unit": unit, "stock": stock })).into_response()
}

async fn list(State(warehouse): State<Arc<Warehouse>>, Query(asked): Query<BTreeMap<String, String>>, headers: HeaderMap) -> Response {
    if let Err(refused) = admit(&headers) {
        return refused;
    }
    let inner = warehouse.lock();
    let wanted = asked.get("reference");
    let items: Vec<&Movement> =
        inner.movements.iter().filter(|movement| wanted.is_none_or(|wanted| *wanted == movement.reference)).collect();
    Json(json!({ "items": items })).into_response()
}

async fn book(State(warehouse): State<Arc<Warehouse>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = admit(&headers) {
        return refused;
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid", json!({ "field": null, "detail": "the body is no JSON" }));
    };
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    warehouse.lock().book(key, &body).unwrap_or_else(|refused| refused)
}

impl Inner {
    fn book(&mut self, key: Option<String>, body: &Value) -> Result<Response, Response> {
        let invalid =
            |field: &str, detail: &str| refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid", json!({ "field": field, "detail": detail }));
        if let Some((known, at)) = key.as_ref().and_then(|key| self.keys.get(key)) {
            if known != body {
                return Err(refusal(StatusCode::CONFLICT, "key-reused", json!({})));
            }
            self.repeated += 1;
            return Ok(([("idempotent-replayed", "true")], Json(json!(self.movements[*at]))).into_response());
        }
        let given = body["sku"].as_str().ok_or_else(|| invalid("sku", "a text"))?;
        let sku = ITEMS.iter().map(|(sku, ..)| *sku).find(|sku| *sku == given);
        let sku = sku.ok_or_else(|| refusal(StatusCode::NOT_FOUND, "unknown-item", json!({ "sku": given })))?;
        let quantity = thousandths(&body["quantity"]).filter(|quantity| *quantity != 0);
        let quantity = quantity.ok_or_else(|| invalid("quantity", "a number other than 0 with at most three digits after the point"))?;
        let reference = body["reference"].as_str().filter(|reference| !reference.is_empty() && reference.len() <= 100);
        let reference = reference.ok_or_else(|| invalid("reference", "a text of at most 100 characters"))?.to_owned();
        let location = match &body["location"] {
            Value::Null => MAIN.to_owned(),
            Value::String(location) => location.clone(),
            _ => return Err(invalid("location", "a text")),
        };
        if self.locked.as_ref() == Some(&location) {
            return Err(refusal(StatusCode::LOCKED, "location-locked", json!({ "location": location })));
        }
        let stock = self.stock.entry(sku).or_default().entry(location.clone()).or_default();
        if *stock + quantity < 0 {
            return Err(refusal(
                StatusCode::CONFLICT,
                "insufficient-stock",
                json!({ "sku": sku, "location": location, "on_hand": decimal(*stock) }),
            ));
        }
        *stock += quantity;
        let (id, on_hand) = (format!("mv-{}", self.movements.len() + 1), decimal(*stock));
        let movement = Movement { id, sku, location, quantity: decimal(quantity), reference, on_hand };
        self.movements.push(movement.clone());
        if let Some(key) = key {
            self.keys.insert(key, (body.clone(), self.movements.len() - 1));
        }
        Ok((StatusCode::CREATED, Json(json!(movement))).into_response())
    }
}
