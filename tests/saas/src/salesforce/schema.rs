//! The objects of the org and their fields.

use serde_json::{Value, json};

/// An object type.
#[derive(Debug)]
pub struct Object {
    /// API name.
    pub name: &'static str,
    /// As error texts name it.
    pub label: &'static str,
    /// First three characters of its ids.
    pub prefix: &'static str,
    /// Whether records can be created, changed and deleted through the API.
    pub writable: bool,
    /// Its own fields; [`SYSTEM`] holds those that all objects have.
    pub fields: &'static [Field],
}

/// A field.
#[derive(Debug)]
pub struct Field {
    /// API name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Who writes it.
    pub access: Access,
    /// May not be empty.
    pub required: bool,
    /// Whether records can be addressed by it.
    pub key: Key,
    /// Value of a new record that doesn't give one.
    pub default: Option<&'static str>,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A record's own id.
    Id,
    /// Text of so many characters at most.
    Text(usize),
    /// The same, but queries can't filter by it.
    LongText(usize),
    /// Text in the form of a mail address.
    Email,
    /// `true` or `false`, never null.
    Boolean,
    /// A number.
    Number,
    /// A calendar day.
    Date,
    /// An instant.
    DateTime,
    /// One of these values.
    Picklist(&'static [&'static str]),
    /// One of the values that `CaseStatus` records name.
    CaseStatus,
    /// Another record's id.
    Reference {
        /// The objects that it may be of.
        to: &'static [&'static str],
        /// Name of the relationship in queries; for fields `…Id` the name without it.
        relation: &'static str,
        /// What happens to this record when the other is deleted.
        on_delete: OnDelete,
    },
}

/// What happens to a record when one that it refers to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// It is deleted too.
    Cascade,
    /// The other can't be deleted.
    Restrict,
    /// It loses the reference.
    Clear,
}

/// Who writes a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Clients.
    Write,
    /// Clients, once.
    Create,
    /// The system.
    Read,
}

/// Whether records can be addressed by a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// No.
    None,
    /// Yes: a standard field for looking up (`idLookup`), never unique.
    Lookup,
    /// Yes: an external id, unique unless the org says otherwise.
    External,
}

impl Object {
    /// The object of this name in any case.
    pub fn named(name: &str) -> Option<&'static Object> {
        OBJECTS.iter().find(|object| object.name.eq_ignore_ascii_case(name))
    }

    /// The object whose ids have this prefix.
    pub fn of_prefix(prefix: &str) -> Option<&'static Object> {
        OBJECTS.iter().find(|object| object.prefix == prefix)
    }

    /// All fields.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> {
        SYSTEM.iter().chain(self.fields)
    }

    /// The field of this name in any case.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.all_fields().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The reference field whose relationship has this name in any case.
    pub fn relation(&self, name: &str) -> Option<&'static Field> {
        self.all_fields().find(|field| matches!(field.kind, Kind::Reference { relation, .. } if relation.eq_ignore_ascii_case(name)))
    }

    /// A trimmed answer to `describe`.
    pub fn describe(&self) -> Value {
        let fields: Vec<Value> = self.all_fields().map(Field::describe).collect();
        let mut described = self.summary();
        described["fields"] = Value::Array(fields);
        described
    }

    /// Its entry in the list of objects.
    pub fn summary(&self) -> Value {
        json!({
            "name": self.name,
            "label": self.label,
            "keyPrefix": self.prefix,
            "createable": self.writable,
            "updateable": self.writable,
            "deletable": self.writable,
            "queryable": true,
            "retrieveable": true,
        })
    }
}

impl Field {
    const fn new(name: &'static str, kind: Kind) -> Field {
        Field { name, kind, access: Access::Write, required: false, key: Key::None, default: None }
    }

    const fn required(self) -> Field {
        Field { required: true, ..self }
    }

    const fn read(self) -> Field {
        Field { access: Access::Read, ..self }
    }

    const fn create(self) -> Field {
        Field { access: Access::Create, ..self }
    }

    const fn key(self, key: Key) -> Field {
        Field { key, ..self }
    }

    const fn default(self, value: &'static str) -> Field {
        Field { default: Some(value), ..self }
    }

    /// Whether queries may filter and sort by it.
    pub fn filterable(&self) -> bool {
        !matches!(self.kind, Kind::LongText(_))
    }

    fn describe(&self) -> Value {
        let (kind, length) = match self.kind {
            Kind::Id => ("id", 18),
            Kind::Text(length) => ("string", length),
            Kind::LongText(length) => ("textarea", length),
            Kind::Email => ("email", 80),
            Kind::Boolean => ("boolean", 0),
            Kind::Number => ("double", 0),
            Kind::Date => ("date", 0),
            Kind::DateTime => ("datetime", 0),
            Kind::Picklist(_) | Kind::CaseStatus => ("picklist", 255),
            Kind::Reference { .. } => ("reference", 18),
        };
        let (to, relation) = match self.kind {
            Kind::Reference { to, relation, .. } => (to, Some(relation)),
            _ => (&[] as &[&str], None),
        };
        json!({
            "name": self.name,
            "type": kind,
            "length": length,
            "nillable": !self.required && self.kind != Kind::Boolean,
            "createable": self.access != Access::Read,
            "updateable": self.access == Access::Write,
            "filterable": self.filterable(),
            "externalId": self.key == Key::External,
            "idLookup": self.key != Key::None || self.kind == Kind::Id,
            "custom": self.name.ends_with("__c"),
            "referenceTo": to,
            "relationshipName": relation,
        })
    }
}

const fn text(name: &'static str, length: usize) -> Field {
    Field::new(name, Kind::Text(length))
}

const fn long(name: &'static str, length: usize) -> Field {
    Field::new(name, Kind::LongText(length))
}

const fn flag(name: &'static str) -> Field {
    Field::new(name, Kind::Boolean)
}

const fn instant(name: &'static str) -> Field {
    Field::new(name, Kind::DateTime)
}

const fn choice(name: &'static str, of: &'static [&'static str]) -> Field {
    Field::new(name, Kind::Picklist(of))
}

const fn reference(name: &'static str, relation: &'static str, to: &'static [&'static str], on_delete: OnDelete) -> Field {
    Field::new(name, Kind::Reference { to, relation, on_delete })
}

/// Fields of every object, all written by the system.
pub static SYSTEM: [Field; 7] = [
    Field::new("Id", Kind::Id).read(),
    flag("IsDeleted").read(),
    instant("CreatedDate").read(),
    text("CreatedById", 18).read(),
    instant("LastModifiedDate").read(),
    text("LastModifiedById", 18).read(),
    instant("SystemModstamp").read(),
];

/// The objects of this org.
pub static OBJECTS: [Object; 8] = [
    Object {
        name: "Account",
        label: "Account",
        prefix: "001",
        writable: true,
        fields: &[
            text("Name", 255).required(),
            text("AccountNumber", 40),
            text("Type", 40),
            text("Industry", 40),
            text("Phone", 40),
            text("Website", 255),
            text("BillingStreet", 255),
            text("BillingCity", 40),
            text("BillingState", 80),
            text("BillingPostalCode", 20),
            text("BillingCountry", 80),
            long("Description", 32_000),
            text("External_Id__c", 255).key(Key::External),
        ],
    },
    Object {
        name: "Contact",
        label: "Contact",
        prefix: "003",
        writable: true,
        fields: &[
            reference("AccountId", "Account", &["Account"], OnDelete::Cascade),
            text("FirstName", 40),
            text("LastName", 80).required(),
            text("Name", 121).read(),
            Field::new("Email", Kind::Email).key(Key::Lookup),
            text("Phone", 40),
            text("MobilePhone", 40),
            text("Title", 128),
            text("MailingStreet", 255),
            text("MailingCity", 40),
            text("MailingState", 80),
            text("MailingPostalCode", 20),
            text("MailingCountry", 80),
            flag("DoNotCall"),
            flag("HasOptedOutOfEmail"),
            long("Description", 32_000),
            choice("Preferred_Channel__c", &["Email", "Phone", "SMS"]),
            text("Preferred_Language__c", 10),
            text("Preferred_Technician__c", 120),
            text("External_Id__c", 255).key(Key::External),
        ],
    },
    Object {
        name: "Case",
        label: "Case",
        prefix: "500",
        writable: true,
        fields: &[
            text("CaseNumber", 30).read(),
            reference("AccountId", "Account", &["Account"], OnDelete::Restrict),
            reference("ContactId", "Contact", &["Contact"], OnDelete::Clear),
            text("Subject", 255),
            long("Description", 32_000),
            Field::new("Status", Kind::CaseStatus).default("New"),
            choice("Priority", &["High", "Medium", "Low"]).default("Medium"),
            choice("Origin", &["Phone", "Email", "Web"]),
            text("Type", 40),
            text("Reason", 40),
            flag("IsClosed").read(),
            instant("ClosedDate").read(),
            long("Resolution__c", 32_000),
            text("Job_Id__c", 255).key(Key::External),
        ],
    },
    Object {
        name: "CaseComment",
        label: "Case Comment",
        prefix: "00a",
        writable: true,
        fields: &[
            reference("ParentId", "Parent", &["Case"], OnDelete::Cascade).create().required(),
            long("CommentBody", 4_000),
            flag("IsPublished"),
        ],
    },
    Object {
        name: "CaseStatus",
        label: "Case Status Value",
        prefix: "01J",
        writable: false,
        fields: &[
            text("MasterLabel", 255).read(),
            text("ApiName", 255).read(),
            Field::new("SortOrder", Kind::Number).read(),
            flag("IsClosed").read(),
            flag("IsDefault").read(),
        ],
    },
    Object {
        name: "Task",
        label: "Task",
        prefix: "00T",
        writable: true,
        fields: &[
            reference("WhoId", "Who", &["Contact"], OnDelete::Clear),
            reference("WhatId", "What", &["Account", "Case", "Contract"], OnDelete::Clear),
            text("Subject", 255),
            choice("Status", &["Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred"]).default("Not Started"),
            choice("Priority", &["High", "Normal", "Low"]).default("Normal"),
            Field::new("ActivityDate", Kind::Date),
            long("Description", 32_000),
            choice("TaskSubtype", &["Task", "Email", "Call"]).create().default("Task"),
            flag("IsClosed").read(),
            text("External_Id__c", 255).key(Key::External),
        ],
    },
    Object {
        name: "FeedItem",
        label: "Feed Item",
        prefix: "0D5",
        writable: true,
        fields: &[
            reference("ParentId", "Parent", &["Account", "Case", "Contact", "Contract"], OnDelete::Cascade).create().required(),
            long("Body", 10_000).required(),
            choice("Type", &["TextPost", "LinkPost"]).create().default("TextPost"),
            text("Title", 255).create(),
            text("LinkUrl", 1_000).create(),
        ],
    },
    Object {
        name: "Contract",
        label: "Contract",
        prefix: "800",
        writable: true,
        fields: &[
            text("ContractNumber", 30).read(),
            reference("AccountId", "Account", &["Account"], OnDelete::Restrict).required(),
            choice("Status", &["Draft", "In Approval Process", "Activated"]).default("Draft"),
            Field::new("StartDate", Kind::Date),
            Field::new("EndDate", Kind::Date).read(),
            Field::new("ContractTerm", Kind::Number),
            long("Description", 32_000),
            long("SpecialTerms", 4_000),
            Field::new("Hourly_Rate__c", Kind::Number),
            Field::new("Response_Hours__c", Kind::Number),
            text("External_Id__c", 255).key(Key::External),
        ],
    },
];
