//! The org's records, and what holds between them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::id::Id;
use super::refusal::Refusal;
use super::schema::{Access, Field, Key, Kind, OBJECTS, Object, OnDelete};
use super::value;

/// A record: its fields, all of them present, by API name.
pub type Record = Map<String, Value>;

/// The user that the integration runs as.
pub const USER_ID: &str = "005Sg0000000001AAA";
/// A person who works in the org: the setting `edit` writes as this user.
pub const PERSON_ID: &str = "005Sg0000000002AAA";

/// All records of the org.
#[derive(Debug, Clone)]
pub struct Org {
    records: BTreeMap<Id, Record>,
    /// Deleted records, which stay in the recycle bin.
    deleted: BTreeMap<Id, Record>,
    /// Whose writes these are.
    pub user: &'static str,
    /// Objects and ids of records written since somebody took note.
    pub changes: Vec<(&'static str, Id)>,
    /// Records numbered so far, by object.
    numbered: BTreeMap<&'static str, u64>,
    /// Whether an external id may stand in one record only.
    pub unique_external_ids: bool,
    /// Records that some other transaction holds.
    pub locked: BTreeSet<Id>,
}

/// What an upsert came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upserted {
    /// There was none.
    Created(Id),
    /// There was one.
    Updated(Id),
    /// There are several; nothing was written.
    Several(Vec<Id>),
}

impl Org {
    /// Without records.
    pub fn new() -> Org {
        Org {
            records: BTreeMap::new(),
            deleted: BTreeMap::new(),
            user: USER_ID,
            changes: Vec::new(),
            numbered: BTreeMap::new(),
            unique_external_ids: true,
            locked: BTreeSet::new(),
        }
    }

    /// The records of an object, by id.
    pub fn all(&self, object: &Object) -> impl Iterator<Item = (&Id, &Record)> {
        let prefix = object.prefix;
        self.records.iter().filter(move |(id, _)| id.prefix() == prefix)
    }

    /// The records of an object, by id, with those in the recycle bin.
    pub fn all_with_deleted(&self, object: &Object) -> impl Iterator<Item = (&Id, &Record)> {
        let prefix = object.prefix;
        self.all(object).chain(self.deleted.iter().filter(move |(id, _)| id.prefix() == prefix))
    }

    /// A record.
    pub fn get(&self, object: &Object, id: &Id) -> Option<&Record> {
        self.records.get(id).filter(|_| id.prefix() == object.prefix)
    }

    /// The records whose field has this value, compared without regard to case.
    pub fn find(&self, object: &Object, field: &Field, text: &str) -> Vec<Id> {
        let same = |record: &Record| record[field.name].as_str().is_some_and(|own| own.eq_ignore_ascii_case(text));
        self.all(object).filter(|(_, record)| same(record)).map(|(id, _)| id.clone()).collect()
    }

    /// Creates a record from what a client sent.
    pub fn create(&mut self, object: &'static Object, sent: Map<String, Value>, now: Timestamp) -> Result<Id, Refusal> {
        if !object.writable {
            let message = format!("entity type cannot be inserted: {}", object.label);
            return Err(Refusal::bad("INVALID_TYPE_FOR_OPERATION", message));
        }
        let taken = self.taken(object, sent, None)?;
        let mut record = blank(object);
        record.extend(taken);
        required(object, &record)?;
        Ok(self.insert(object, record, now))
    }

    /// Creates a record as the system does, without checks; fields not given are empty.
    pub fn seed(&mut self, object: &'static Object, fields: Value, now: Timestamp) -> Id {
        let mut record = blank(object);
        if let Value::Object(fields) = fields {
            record.extend(fields);
        }
        self.insert(object, record, now)
    }

    fn insert(&mut self, object: &'static Object, mut record: Record, now: Timestamp) -> Id {
        let number = self.numbered.entry(object.name).or_default();
        *number += 1;
        let id = Id::new(object.prefix, *number);
        for name in ["CaseNumber", "ContractNumber"] {
            if record.contains_key(name) {
                record.insert(name.to_owned(), format!("{:08}", 1000 + *number).into());
            }
        }
        record.insert("Id".into(), id.as_str().into());
        record.insert("CreatedDate".into(), value::written(now).into());
        record.insert("CreatedById".into(), self.user.into());
        self.derive(object, &mut record, now);
        self.records.insert(id.clone(), record);
        self.changes.push((object.name, id.clone()));
        id
    }

    /// Changes a record by what a client sent.
    pub fn update(&mut self, object: &'static Object, id: &Id, sent: Map<String, Value>, now: Timestamp) -> Result<(), Refusal> {
        let mut record = self.present(object, id)?.clone();
        if !object.writable {
            let message = format!("entity type cannot be updated: {}", object.label);
            return Err(Refusal::bad("INVALID_TYPE_FOR_OPERATION", message));
        }
        record.extend(self.taken(object, sent, Some(id))?);
        required(object, &record)?;
        self.unlocked(id)?;
        self.derive(object, &mut record, now);
        self.records.insert(id.clone(), record);
        self.changes.push((object.name, id.clone()));
        Ok(())
    }

    /// Deletes a record, and those that can't be without it.
    pub fn delete(&mut self, object: &'static Object, id: &Id, now: Timestamp) -> Result<(), Refusal> {
        self.present(object, id)?;
        if !object.writable {
            let message = format!("entity type cannot be deleted: {}", object.label);
            return Err(Refusal::bad("INVALID_TYPE_FOR_OPERATION", message));
        }
        self.unlocked(id)?;
        let mut gone = vec![id.clone()];
        let mut cleared = Vec::new();
        let mut next = 0;
        while let Some(parent) = gone.get(next).cloned() {
            next += 1;
            for (child, field, on_delete) in self.referring(&parent) {
                match on_delete {
                    OnDelete::Cascade if !gone.contains(&child) => gone.push(child),
                    OnDelete::Cascade => {}
                    OnDelete::Clear => cleared.push((child, field)),
                    OnDelete::Restrict => {
                        let message = format!(
                            "Your attempt to delete {parent} could not be completed because it is associated with \
                             the following records: {child}"
                        );
                        return Err(Refusal::bad("DELETE_FAILED", message));
                    }
                }
            }
        }
        for (child, field) in cleared {
            if let Some(record) = self.records.get_mut(&child) {
                record.insert(field.to_owned(), Value::Null);
            }
        }
        for id in gone {
            if let Some(mut record) = self.records.remove(&id) {
                record.insert("IsDeleted".into(), true.into());
                record.insert("SystemModstamp".into(), value::written(now).into());
                record.insert("LastModifiedById".into(), self.user.into());
                self.deleted.insert(id, record);
            }
        }
        Ok(())
    }

    /// Updates the one record with this external id, or creates it where that is allowed.
    pub fn upsert(
        &mut self,
        object: &'static Object,
        key: &'static Field,
        text: &str,
        mut sent: Map<String, Value>,
        may_create: bool,
        now: Timestamp,
    ) -> Result<Upserted, Refusal> {
        if let Some(name) = sent.keys().find(|name| ["id", &key.name.to_lowercase()].contains(&&*name.to_lowercase())) {
            let message = format!("The {name} field should not be specified in the sobject data.");
            return Err(Refusal::bad("INVALID_FIELD", message));
        }
        match self.find(object, key, text).as_slice() {
            [] if may_create => {
                sent.insert(key.name.to_owned(), text.into());
                self.create(object, sent, now).map(Upserted::Created)
            }
            [] => Err(Refusal::not_found()),
            [id] => self.update(object, id, sent, now).map(|()| Upserted::Updated(id.clone())),
            several => Ok(Upserted::Several(several.to_vec())),
        }
    }

    /// Replaces the case statuses, the first one being what a new case has.
    pub fn set_case_statuses(&mut self, statuses: &[(String, bool)], now: Timestamp) {
        let Some(object) = Object::named("CaseStatus") else {
            return;
        };
        self.records.retain(|id, _| id.prefix() != object.prefix);
        for (order, (name, closed)) in (1_u64..).zip(statuses) {
            let fields = json!({
                "MasterLabel": name, "ApiName": name, "SortOrder": order, "IsClosed": closed, "IsDefault": order == 1,
            });
            self.seed(object, fields, now);
        }
    }

    /// All records, by object: what tests read back.
    pub fn state(&self) -> Value {
        OBJECTS
            .iter()
            .map(|object| {
                let records = self.all(object).map(|(_, record)| Value::Object(record.clone())).collect();
                (object.name.to_owned(), Value::Array(records))
            })
            .collect::<Map<_, _>>()
            .into()
    }

    fn present(&self, object: &Object, id: &Id) -> Result<&Record, Refusal> {
        if id.prefix() != object.prefix {
            return Err(Refusal::not_found());
        }
        self.records.get(id).ok_or_else(|| match self.deleted.contains_key(id) {
            true => Refusal::deleted(),
            false => Refusal::not_found(),
        })
    }

    fn unlocked(&self, id: &Id) -> Result<(), Refusal> {
        if self.locked.contains(id) {
            let message = format!("unable to obtain exclusive access to this record or 1 records: {id}");
            return Err(Refusal::bad("UNABLE_TO_LOCK_ROW", message));
        }
        Ok(())
    }

    /// The records that refer to one, by which field.
    fn referring(&self, to: &Id) -> Vec<(Id, &'static str, OnDelete)> {
        let mut referring = Vec::new();
        for object in &OBJECTS {
            for field in object.fields {
                let Kind::Reference { on_delete, .. } = field.kind else {
                    continue;
                };
                let refers = |record: &Record| record[field.name].as_str() == Some(to.as_str());
                let children = self.all(object).filter(|(_, record)| refers(record));
                referring.extend(children.map(|(id, _)| (id.clone(), field.name, on_delete)));
            }
        }
        referring
    }

    /// Checks what a client sent for a new record or for one that exists.
    fn taken(&self, object: &'static Object, sent: Map<String, Value>, of: Option<&Id>) -> Result<Record, Refusal> {
        let mut taken = Record::new();
        let mut unwritable = Vec::new();
        for (name, sent) in sent {
            if name == "attributes" {
                continue;
            }
            if let (Some(field), Value::Object(foreign)) = (object.relation(&name), &sent) {
                taken.insert(field.name.to_owned(), self.foreign(field, foreign)?);
                continue;
            }
            let Some(field) = object.field(&name) else {
                return Err(Refusal::no_column(&name, object.name));
            };
            if field.kind == Kind::Id {
                let message = format!("The {name} field should not be specified in the sobject data.");
                return Err(Refusal::bad("INVALID_FIELD", message));
            }
            if field.access == Access::Read || (field.access == Access::Create && of.is_some()) {
                unwritable.push(field.name.to_owned());
                continue;
            }
            let value = value::taken(object, field, sent)?;
            self.fits(object, field, &value, of)?;
            taken.insert(field.name.to_owned(), value);
        }
        if unwritable.is_empty() {
            return Ok(taken);
        }
        let message = format!(
            "Unable to create/update fields: {}. Please check the security settings of this field and verify that it \
             is read/write for your profile or permission set.",
            unwritable.join(", ")
        );
        let refusal = Refusal::bad("INVALID_FIELD_FOR_INSERT_UPDATE", message);
        Err(Refusal { fields: Some(unwritable), ..refusal })
    }

    /// The id of the record that is named by an external id, as in `"Account": {"External_Id__c": "17"}`.
    fn foreign(&self, field: &Field, named: &Map<String, Value>) -> Result<Value, Refusal> {
        let Kind::Reference { to, .. } = field.kind else {
            return Ok(Value::Null);
        };
        let given = named.get("attributes").and_then(|attributes| attributes["type"].as_str()).or(to.first().copied());
        let object = given.and_then(Object::named).filter(|object| to.contains(&object.name));
        let object =
            object.ok_or_else(|| Refusal::bad("INVALID_FIELD", format!("{} can't refer to {}", field.name, given.unwrap_or("that"))))?;
        let mut keys = named.iter().filter(|(name, _)| *name != "attributes");
        let (Some((name, Value::String(text))), None) = (keys.next(), keys.next()) else {
            let message = format!("{} must be named by one external ID field", field.name);
            return Err(Refusal::bad("INVALID_FIELD", message));
        };
        let key = object.field(name).filter(|key| key.key != Key::None);
        let key = key.ok_or_else(|| Refusal::no_external_field(name))?;
        match self.find(object, key, text).as_slice() {
            [id] => Ok(id.as_str().into()),
            found => {
                let found = if found.is_empty() { "not found" } else { "matches several records" };
                let (key, object) = (key.name, object.name);
                let message = format!("Foreign key external ID: {text} {found} for field {key} in entity {object}");
                Err(Refusal::bad("INVALID_FIELD", message))
            }
        }
    }

    /// Checks a value against the other records.
    fn fits(&self, object: &Object, field: &Field, value: &Value, of: Option<&Id>) -> Result<(), Refusal> {
        let Some(text) = value.as_str() else {
            return Ok(());
        };
        match field.kind {
            Kind::Reference { .. } => match Id::parse(text) {
                Some(id) if self.records.contains_key(&id) => Ok(()),
                Some(id) if self.deleted.contains_key(&id) => {
                    Err(Refusal { fields: Some(Vec::new()), ..Refusal::bad("ENTITY_IS_DELETED", "entity is deleted") })
                }
                _ => Err(Refusal { fields: Some(Vec::new()), ..Refusal::bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id") }),
            },
            Kind::CaseStatus if self.case_status(text).is_none() => Err(value::no_choice(field, text)),
            _ if field.key == Key::External && self.unique_external_ids => {
                match self.find(object, field, text).iter().find(|id| Some(*id) != of) {
                    Some(id) => {
                        let message = format!("duplicate value found: {} duplicates value on record with id: {id}", field.name);
                        Err(Refusal { fields: Some(Vec::new()), ..Refusal::bad("DUPLICATE_VALUE", message) })
                    }
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn case_status(&self, name: &str) -> Option<&Record> {
        let object = Object::named("CaseStatus")?;
        self.all(object).map(|(_, record)| record).find(|record| record["ApiName"] == name)
    }

    /// Fills the fields that the system computes.
    fn derive(&self, object: &Object, record: &mut Record, now: Timestamp) {
        let text = |record: &Record, field: &str| record[field].as_str().unwrap_or_default().to_owned();
        match object.name {
            "Contact" => {
                let name = format!("{} {}", text(record, "FirstName"), text(record, "LastName"));
                record.insert("Name".into(), name.trim().into());
            }
            "Case" => {
                let status = self.case_status(&text(record, "Status"));
                let closed = status.is_some_and(|status| status["IsClosed"] == true);
                let closed_at = match (closed, record["ClosedDate"].as_str()) {
                    (false, _) => Value::Null,
                    (true, Some(before)) => before.into(),
                    (true, None) => value::written(now).into(),
                };
                record.insert("IsClosed".into(), closed.into());
                record.insert("ClosedDate".into(), closed_at);
            }
            "Task" => {
                let closed = record["Status"] == "Completed";
                record.insert("IsClosed".into(), closed.into());
            }
            "Contract" => {
                let start = record["StartDate"].as_str().and_then(|day| day.parse::<jiff::civil::Date>().ok());
                let term = record["ContractTerm"].as_i64().and_then(|months| i32::try_from(months).ok());
                let end = start.zip(term).and_then(|(start, months)| {
                    let span = jiff::Span::new().try_months(months).ok()?;
                    start.checked_add(span).ok()?.yesterday().ok()
                });
                record.insert("EndDate".into(), end.map_or(Value::Null, |end| end.to_string().into()));
            }
            _ => {}
        }
        record.insert("LastModifiedDate".into(), value::written(now).into());
        record.insert("LastModifiedById".into(), self.user.into());
        record.insert("SystemModstamp".into(), value::written(now).into());
    }
}

/// All fields of an object, empty or with their defaults.
fn blank(object: &Object) -> Record {
    let value = |field: &Field| match (field.default, field.kind) {
        (Some(default), _) => default.into(),
        (None, Kind::Boolean) => Value::Bool(false),
        (None, _) => Value::Null,
    };
    object.all_fields().map(|field| (field.name.to_owned(), value(field))).collect()
}

fn required(object: &Object, record: &Record) -> Result<(), Refusal> {
    let missing: Vec<String> =
        object.all_fields().filter(|field| field.required && record[field.name].is_null()).map(|field| field.name.to_owned()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    Err(Refusal { fields: Some(missing), ..Refusal::bad("REQUIRED_FIELD_MISSING", message) })
}
