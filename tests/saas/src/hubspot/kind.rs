//! The object types of the CRM.

/// A type of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Contact,
    Company,
    Deal,
    Ticket,
    Note,
    Task,
}

impl Kind {
    pub(super) const ALL: [Kind; 6] = [Kind::Contact, Kind::Company, Kind::Deal, Kind::Ticket, Kind::Note, Kind::Task];

    /// Reads a path segment: plural, singular or type id.
    pub(super) fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| text == kind.plural() || text == kind.singular() || text == kind.type_id())
    }

    pub(super) fn plural(self) -> &'static str {
        match self {
            Kind::Contact => "contacts",
            Kind::Company => "companies",
            Kind::Deal => "deals",
            Kind::Ticket => "tickets",
            Kind::Note => "notes",
            Kind::Task => "tasks",
        }
    }

    pub(super) fn singular(self) -> &'static str {
        match self {
            Kind::Contact => "contact",
            Kind::Company => "company",
            Kind::Deal => "deal",
            Kind::Ticket => "ticket",
            Kind::Note => "note",
            Kind::Task => "task",
        }
    }

    /// As error messages write it.
    pub(super) fn shouted(self) -> String {
        self.singular().to_uppercase()
    }

    pub(super) fn type_id(self) -> &'static str {
        match self {
            Kind::Contact => "0-1",
            Kind::Company => "0-2",
            Kind::Deal => "0-3",
            Kind::Ticket => "0-5",
            Kind::Note => "0-46",
            Kind::Task => "0-27",
        }
    }

    /// The property that holds the time of creation.
    pub(super) fn created(self) -> &'static str {
        match self {
            Kind::Note | Kind::Task => "hs_createdate",
            _ => "createdate",
        }
    }

    /// The property that holds the time of the last change.
    pub(super) fn modified(self) -> &'static str {
        match self {
            Kind::Contact => "lastmodifieddate",
            _ => "hs_lastmodifieddate",
        }
    }

    /// What an answer shows besides id and times when the request names no properties.
    pub(super) fn shown(self) -> &'static [&'static str] {
        match self {
            Kind::Contact => &["email", "firstname", "lastname"],
            Kind::Company => &["name", "domain"],
            Kind::Deal => &["dealname", "amount", "closedate", "pipeline", "dealstage"],
            Kind::Ticket => &["subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_category", "hs_ticket_priority"],
            Kind::Note | Kind::Task => &[],
        }
    }

    /// Properties without which creation is refused.
    pub(super) fn required(self) -> &'static [&'static str] {
        match self {
            Kind::Contact | Kind::Company => &[],
            Kind::Deal => &["dealname", "dealstage"],
            Kind::Ticket => &["hs_pipeline_stage"],
            Kind::Note | Kind::Task => &["hs_timestamp"],
        }
    }

    /// Properties of which creation wants at least one.
    pub(super) fn one_of(self) -> &'static [&'static str] {
        match self {
            Kind::Contact => &["email", "firstname", "lastname"],
            Kind::Company => &["domain", "name"],
            _ => &[],
        }
    }
}
