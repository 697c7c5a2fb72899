//! The books of one company: records by entity, the names and numbers in use, and the e-mails that went out.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::entity::Entity;
use super::field::Fields;
use super::money;

/// Id of a record. Most are numbers, tax codes also words; shorter ones come first, so that numbers are in order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Id(String);

impl Ord for Id {
    fn cmp(&self, other: &Id) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Id) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An e-mail that left the company.
pub(super) struct Email {
    /// Id of the invoice in it.
    pub(super) invoice: String,
    /// Its address or addresses.
    pub(super) to: String,
}

/// The company.
pub(super) struct Company {
    tables: BTreeMap<Entity, BTreeMap<Id, Fields>>,
    next_id: BTreeMap<Entity, u64>,
    /// Names in use, in lower case: of customers, vendors and employees together, and of items.
    names: HashMap<(Entity, String), (Entity, String)>,
    /// Invoice numbers in use, in lower case, with their invoices.
    numbers: HashMap<String, String>,
    /// The next number for an invoice that comes without one.
    next_number: u64,
    pub(super) emails: Vec<Email>,
    /// Payments received: whole, as the API shows them.
    pub(super) payments: Vec<Value>,
    /// Deleted records and when: change data capture tells them.
    pub(super) deleted: Vec<(Entity, String, String)>,
    /// What happened since somebody took note: entity, id, `created`, `updated`, `deleted`, `voided` or `emailed`.
    pub(super) changes: Vec<(&'static str, String, &'static str)>,
}

impl Company {
    pub(super) fn new() -> Company {
        Company {
            tables: BTreeMap::new(),
            next_id: BTreeMap::from([(Entity::Customer, 58), (Entity::Invoice, 130), (Entity::Item, 21)]),
            names: HashMap::new(),
            numbers: HashMap::new(),
            next_number: 1038,
            emails: Vec::new(),
            payments: Vec::new(),
            deleted: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// A record, active or not.
    pub(super) fn get(&self, entity: Entity, id: &str) -> Option<&Fields> {
        self.tables.get(&entity)?.get(&Id(id.to_owned()))
    }

    /// A record that may be referred to.
    pub(super) fn active(&self, entity: Entity, id: &str) -> Option<&Fields> {
        self.get(entity, id).filter(|record| record.get("Active") != Some(&Value::Bool(false)))
    }

    /// All records of an entity by id.
    pub(super) fn all(&self, entity: Entity) -> impl Iterator<Item = &Fields> {
        self.tables.get(&entity).into_iter().flat_map(BTreeMap::values)
    }

    /// Id for a new record.
    pub(super) fn fresh_id(&mut self, entity: Entity) -> String {
        let next = self.next_id.entry(entity.sequence()).or_insert(1);
        *next += 1;
        (*next - 1).to_string()
    }

    /// Who has a name.
    pub(super) fn named(&self, entity: Entity, name: &str) -> Option<&(Entity, String)> {
        self.names.get(&(entity.sequence(), name.to_lowercase()))
    }

    /// The invoice that has a number.
    pub(super) fn numbered(&self, number: &str) -> Option<&str> {
        self.numbers.get(&number.to_lowercase()).map(String::as_str)
    }

    /// The next free invoice number.
    pub(super) fn next_number(&self) -> String {
        let mut number = self.next_number;
        while self.numbered(&number.to_string()).is_some() {
            number += 1;
        }
        number.to_string()
    }

    /// Writes a record, and what follows from it elsewhere: names, numbers, balances, billed time.
    pub(super) fn put(&mut self, entity: Entity, id: &str, record: Fields) {
        let old = self.take(entity, id);
        let void = |fields: &Fields| fields.get("PrivateNote").and_then(Value::as_str).is_some_and(|note| note.starts_with("Voided"));
        let emailed = |fields: &Fields| fields.get("EmailStatus") == Some(&json!("EmailSent"));
        let happened = match &old {
            None => "created",
            Some(old) if entity == Entity::Invoice && void(&record) && !void(old) => "voided",
            Some(old) if entity == Entity::Invoice && emailed(&record) && !emailed(old) => "emailed",
            Some(_) => "updated",
        };
        self.changes.push((entity.name(), id.to_owned(), happened));
        self.index(entity, id, &record, true);
        self.follow(entity, old.as_ref(), Some(&record));
        self.tables.entry(entity).or_default().insert(Id(id.to_owned()), record);
    }

    /// Deletes a record, and undoes what followed from it.
    pub(super) fn remove(&mut self, entity: Entity, id: &str) {
        let old = self.take(entity, id);
        self.follow(entity, old.as_ref(), None);
        self.deleted.push((entity, id.to_owned(), super::answer::moment()));
        self.changes.push((entity.name(), id.to_owned(), "deleted"));
    }

    fn take(&mut self, entity: Entity, id: &str) -> Option<Fields> {
        let old = self.tables.get_mut(&entity)?.remove(&Id(id.to_owned()))?;
        self.index(entity, id, &old, false);
        Some(old)
    }

    fn index(&mut self, entity: Entity, id: &str, record: &Fields, add: bool) {
        let name = record.get(if entity == Entity::Item { "Name" } else { "DisplayName" }).and_then(Value::as_str);
        if let Some(name) = name {
            let key = (entity.sequence(), name.to_lowercase());
            if add {
                self.names.insert(key, (entity, id.to_owned()));
            } else {
                self.names.remove(&key);
            }
        }
        let number = record.get("DocNumber").and_then(Value::as_str).map(str::to_lowercase);
        if let Some(number) = number {
            if add {
                if number == self.next_number() {
                    self.next_number = number.parse::<u64>().unwrap_or(self.next_number) + 1;
                }
                self.numbers.insert(number, id.to_owned());
            } else {
                self.numbers.remove(&number);
            }
        }
    }

    fn follow(&mut self, entity: Entity, old: Option<&Fields>, new: Option<&Fields>) {
        if entity != Entity::Invoice {
            return;
        }
        for (invoice, sign) in [(old, Decimal::NEGATIVE_ONE), (new, Decimal::ONE)] {
            let Some(invoice) = invoice else { continue };
            let balance = invoice.get("Balance").and_then(money::read).unwrap_or_default();
            let customer = invoice.get("CustomerRef").and_then(|customer| customer["value"].as_str());
            self.owe(customer.unwrap_or_default(), balance * sign);
            let status = if sign == Decimal::ONE { "HasBeenBilled" } else { "Billable" };
            for time in linked_time(invoice) {
                let table = self.tables.get_mut(&Entity::TimeActivity);
                if let Some(time) = table.and_then(|table| table.get_mut(&Id(time))) {
                    time.insert("BillableStatus".to_owned(), json!(status));
                }
            }
        }
    }

    fn owe(&mut self, customer: &str, change: Decimal) {
        let table = self.tables.get_mut(&Entity::Customer);
        let Some(customer) = table.and_then(|table| table.get_mut(&Id(customer.to_owned()))) else {
            return;
        };
        let balance = customer.get("Balance").and_then(money::read).unwrap_or_default() + change;
        customer.insert("Balance".to_owned(), money::amount(balance));
        customer.insert("BalanceWithJobs".to_owned(), money::amount(balance));
    }

    /// Everything, for tests.
    pub(super) fn state(&self) -> Value {
        let list = |entity| self.all(entity).collect::<Vec<_>>();
        let emails: Vec<Value> = self.emails.iter().map(|email| json!({ "invoice": email.invoice, "to": email.to })).collect();
        json!({
            "realm": super::REALM,
            "customers": list(Entity::Customer),
            "vendors": list(Entity::Vendor),
            "employees": list(Entity::Employee),
            "items": list(Entity::Item),
            "invoices": list(Entity::Invoice),
            "time_activities": list(Entity::TimeActivity),
            "tax_codes": list(Entity::TaxCode),
            "emails_sent": emails,
            "payments": self.payments,
        })
    }
}

/// Ids of the time activities that an invoice bills, by its own links and those of its lines.
pub(super) fn linked_time(invoice: &Map<String, Value>) -> Vec<String> {
    let own = invoice.get("LinkedTxn").and_then(Value::as_array).into_iter().flatten();
    let lines = invoice.get("Line").and_then(Value::as_array).into_iter().flatten();
    let of_lines = lines.filter_map(|line| line["LinkedTxn"].as_array()).flatten();
    own.chain(of_lines)
        .filter(|link| link["TxnType"] == "TimeActivity")
        .filter_map(|link| link["TxnId"].as_str().map(str::to_owned))
        .collect()
}
