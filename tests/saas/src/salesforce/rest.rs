//! The REST resources below `/services/data/vNN.0`, as one function from a call to a reply: a composite request makes
//! the same calls that a client does.

use axum::http::StatusCode;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::cursor::Cursors;
use super::id::Id;
use super::org::{Org, Upserted};
use super::refusal::Refusal;
use super::schema::{Field, Key, OBJECTS, Object};
use super::{collection, composite, query};

/// The versions that this org speaks, and their seasons.
pub const VERSIONS: [(&str, &str); 10] = [
    ("59.0", "Winter '24"),
    ("60.0", "Spring '24"),
    ("61.0", "Summer '24"),
    ("62.0", "Winter '25"),
    ("63.0", "Spring '25"),
    ("64.0", "Summer '25"),
    ("65.0", "Winter '26"),
    ("66.0", "Spring '26"),
    ("67.0", "Summer '26"),
    ("68.0", "Winter '27"),
];

/// What calls work on.
pub struct Desk {
    /// The records.
    pub org: Org,
    /// Queries that have more pages.
    pub cursors: Cursors,
}

/// A call, with its path taken apart.
pub struct Call<'a> {
    /// Upper case.
    pub method: &'a str,
    /// `/services/data/vNN.0`.
    pub base: String,
    /// What follows, decoded.
    pub path: Vec<String>,
    /// Query parameters, decoded.
    pub parameters: Vec<(String, String)>,
    /// The body, or why it can't be used; asked for only by calls that need one.
    pub body: Result<Value, Refusal>,
    /// Records in a query's page, where the client asks for a number.
    pub page: Option<usize>,
    /// Whether it is part of a composite request that is done whole or not at all.
    pub all_or_none: bool,
    /// When it came.
    pub now: Timestamp,
}

/// What a call is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// `Location` of a record.
    pub location: Option<String>,
    /// JSON, if there is a body.
    pub body: Option<Value>,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: Value) -> Reply {
        Reply { status: StatusCode::OK, location: None, body: Some(body) }
    }

    fn done() -> Reply {
        Reply { status: StatusCode::NO_CONTENT, location: None, body: None }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Reply {
        Reply { status: refusal.status, location: None, body: Some(refusal.body()) }
    }
}

impl<'a> Call<'a> {
    /// Takes a path with its query apart. `None`: it isn't below `/services/data/`, or names no version.
    pub fn new(method: &'a str, target: &str, body: Result<Value, Refusal>, page: Option<usize>, now: Timestamp) -> Option<Call<'a>> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut segments = path.strip_prefix("/services/data/")?.trim_end_matches('/').split('/');
        let version = segments.next().filter(|version| !version.is_empty())?;
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        Some(Call {
            method,
            base: format!("/services/data/{version}"),
            path: segments.map(decoded).collect(),
            parameters: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            body,
            page,
            all_or_none: false,
            now,
        })
    }

    /// A query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body, which must be an object.
    pub fn fields(&self) -> Result<Map<String, Value>, Refusal> {
        match self.body.clone()? {
            Value::Object(fields) => Ok(fields),
            _ => Err(Refusal::json("Unexpected value where an object was expected at [line:1, column:1]")),
        }
    }

    fn knows_version(&self) -> bool {
        let version = self.base.trim_start_matches("/services/data/v");
        VERSIONS.iter().any(|(known, _)| *known == version)
    }

    /// The link to a record.
    pub fn link(&self, object: &Object, id: &Id) -> String {
        format!("{}/sobjects/{}/{id}", self.base, object.name)
    }
}

/// Answers a call.
pub fn answer(desk: &mut Desk, call: &Call<'_>) -> Result<Reply, Refusal> {
    if !call.knows_version() {
        return Err(Refusal::not_found());
    }
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (call.method, path.as_slice()) {
        ("GET", []) => {
            let link = |name: &str| (name.to_owned(), format!("{}/{name}", call.base).into());
            Ok(Reply::ok(["sobjects", "query", "composite"].map(link).into_iter().collect::<Map<_, _>>().into()))
        }
        ("GET", ["query"]) => desk.query(call, false),
        ("GET", ["queryAll"]) => desk.query(call, true),
        ("GET", ["query", locator]) => desk.cursors.next(locator, &call.base, call.page).map(Reply::ok),
        ("POST", ["composite"]) => composite::answer(desk, call),
        (_, ["composite", "sobjects", rest @ ..]) => collection::answer(&mut desk.org, call, rest),
        ("GET", ["sobjects"]) => {
            let objects: Vec<Value> = OBJECTS.iter().map(Object::summary).collect();
            Ok(Reply::ok(json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects })))
        }
        (_, ["sobjects", name, rest @ ..]) => {
            let object = Object::named(name).ok_or_else(Refusal::not_found)?;
            desk.sobject(call, object, rest)
        }
        (method, [] | ["query" | "queryAll" | "sobjects"] | ["query", _]) => Err(Refusal::method(method, "GET,HEAD")),
        (method, ["composite"]) => Err(Refusal::method(method, "POST")),
        _ => Err(Refusal::not_found()),
    }
}

impl Desk {
    fn query(&mut self, call: &Call<'_>, deleted_too: bool) -> Result<Reply, Refusal> {
        let soql = call.parameter("q").filter(|soql| !soql.trim().is_empty());
        let soql = soql.ok_or_else(|| Refusal::bad("MALFORMED_QUERY", "SOQL statements can't be empty or null"))?;
        let found = query::run(&self.org, soql, &call.base, deleted_too)?;
        Ok(Reply::ok(self.cursors.first(found, &call.base, call.page)))
    }

    /// A call on an object type, or on one record.
    fn sobject(&mut self, call: &Call<'_>, object: &'static Object, rest: &[&str]) -> Result<Reply, Refusal> {
        match (call.method, rest) {
            ("GET", []) => Ok(Reply::ok(json!({ "objectDescribe": object.summary(), "recentItems": [] }))),
            ("POST", []) => {
                let id = self.org.create(object, call.fields()?, call.now)?;
                Ok(created(call, object, &id, json!({ "id": id.as_str(), "success": true, "errors": [] })))
            }
            (method, []) => Err(Refusal::method(method, "GET,HEAD,POST")),
            ("GET", ["describe"]) => Ok(Reply::ok(object.describe())),
            (_, [id]) => self.row(call, object, id),
            (_, [field, value]) => {
                let key = key(object, field)?;
                self.external(call, object, key, value)
            }
            _ => Err(Refusal::not_found()),
        }
    }

    /// A call on the record with an id.
    fn row(&mut self, call: &Call<'_>, object: &'static Object, id: &str) -> Result<Reply, Refusal> {
        let well_formed = Id::parse(id);
        match (call.method, well_formed) {
            ("GET", None) => Err(Refusal::no_external_field(id)),
            ("GET", Some(id)) => self.read(call, object, &id),
            ("PATCH" | "DELETE", None) => Err(Refusal::bad("MALFORMED_ID", format!("malformed id {id}"))),
            ("PATCH", Some(id)) => self.org.update(object, &id, call.fields()?, call.now).map(|()| Reply::done()),
            ("DELETE", Some(id)) => self.org.delete(object, &id, call.now).map(|()| Reply::done()),
            (method, _) => Err(Refusal::method(method, "DELETE,GET,HEAD,PATCH")),
        }
    }

    /// A call on the record that has this value in a field to look up by.
    fn external(&mut self, call: &Call<'_>, object: &'static Object, key: &'static Field, value: &str) -> Result<Reply, Refusal> {
        if call.method == "PATCH" {
            let may_create = call.parameter("updateOnly") != Some("true");
            let upserted = self.org.upsert(object, key, value, call.fields()?, may_create, call.now)?;
            let body = |id: &Id, created: bool| json!({ "id": id.as_str(), "success": true, "errors": [], "created": created });
            return Ok(match upserted {
                Upserted::Created(id) => created(call, object, &id, body(&id, true)),
                Upserted::Updated(id) => Reply::ok(body(&id, false)),
                Upserted::Several(ids) => several(call, object, &ids),
            });
        }
        if !matches!(call.method, "GET" | "DELETE") {
            return Err(Refusal::method(call.method, "DELETE,GET,HEAD,PATCH"));
        }
        match self.org.find(object, key, value).as_slice() {
            [] => Err(Refusal::not_found()),
            [id] if call.method == "GET" => self.read(call, object, id),
            [id] => self.org.delete(object, id, call.now).map(|()| Reply::done()),
            ids => Ok(several(call, object, ids)),
        }
    }

    fn read(&self, call: &Call<'_>, object: &'static Object, id: &Id) -> Result<Reply, Refusal> {
        let record = self.org.get(object, id).ok_or_else(Refusal::not_found)?;
        let mut shown = Map::new();
        shown.insert("attributes".into(), query::attributes(object, id.as_str(), &call.base));
        match call.parameter("fields") {
            None => shown.extend(record.clone()),
            Some(names) => {
                shown.insert("Id".into(), id.as_str().into());
                for name in names.split(',').map(str::trim) {
                    let field = object.field(name).ok_or_else(|| Refusal::no_column(name, object.name))?;
                    shown.insert(field.name.to_owned(), record[field.name].clone());
                }
            }
        }
        Ok(Reply::ok(shown.into()))
    }
}

/// The field to look up by.
pub fn key(object: &'static Object, name: &str) -> Result<&'static Field, Refusal> {
    let key = object.field(name).filter(|field| field.key != Key::None);
    key.ok_or_else(|| Refusal::no_external_field(name))
}

fn created(call: &Call<'_>, object: &Object, id: &Id, body: Value) -> Reply {
    Reply { status: StatusCode::CREATED, location: Some(call.link(object, id)), body: Some(body) }
}

/// Which records there are to choose from.
fn several(call: &Call<'_>, object: &Object, ids: &[Id]) -> Reply {
    let links = ids.iter().map(|id| call.link(object, id)).collect();
    Reply { status: StatusCode::MULTIPLE_CHOICES, location: None, body: Some(links) }
}
