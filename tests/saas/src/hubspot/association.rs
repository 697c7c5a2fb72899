//! Associations: which pairs of types can be linked, and under which type ids.

use serde_json::{Value, json};

use super::kind::Kind;

/// The unlabelled association from one type to another, and HubSpot's id for it.
const TYPES: [(Kind, Kind, u32); 30] = [
    (Kind::Contact, Kind::Company, 279),
    (Kind::Company, Kind::Contact, 280),
    (Kind::Contact, Kind::Ticket, 15),
    (Kind::Ticket, Kind::Contact, 16),
    (Kind::Contact, Kind::Deal, 4),
    (Kind::Deal, Kind::Contact, 3),
    (Kind::Contact, Kind::Note, 201),
    (Kind::Note, Kind::Contact, 202),
    (Kind::Contact, Kind::Task, 203),
    (Kind::Task, Kind::Contact, 204),
    (Kind::Company, Kind::Ticket, 340),
    (Kind::Ticket, Kind::Company, 339),
    (Kind::Company, Kind::Deal, 342),
    (Kind::Deal, Kind::Company, 341),
    (Kind::Company, Kind::Note, 189),
    (Kind::Note, Kind::Company, 190),
    (Kind::Company, Kind::Task, 191),
    (Kind::Task, Kind::Company, 192),
    (Kind::Deal, Kind::Note, 213),
    (Kind::Note, Kind::Deal, 214),
    (Kind::Deal, Kind::Task, 215),
    (Kind::Task, Kind::Deal, 216),
    (Kind::Deal, Kind::Ticket, 27),
    (Kind::Ticket, Kind::Deal, 28),
    (Kind::Ticket, Kind::Note, 227),
    (Kind::Note, Kind::Ticket, 228),
    (Kind::Ticket, Kind::Task, 229),
    (Kind::Task, Kind::Ticket, 230),
    (Kind::Contact, Kind::Contact, 449),
    (Kind::Company, Kind::Company, 450),
];

/// Associations labelled "Primary", with the id of the other direction: (from, to, id, id back).
const PRIMARY: [(Kind, Kind, u32, u32); 4] = [
    (Kind::Contact, Kind::Company, 1, 2),
    (Kind::Company, Kind::Contact, 2, 1),
    (Kind::Ticket, Kind::Company, 26, 25),
    (Kind::Company, Kind::Ticket, 25, 26),
];

/// The unlabelled type id from one type to another.
pub(super) fn default_type(from: Kind, to: Kind) -> Option<u32> {
    TYPES.iter().find(|row| row.0 == from && row.1 == to).map(|row| row.2)
}

/// The id of the other direction, if `id` is a type from `from` to `to`.
pub(super) fn back(from: Kind, to: Kind, id: u32) -> Option<u32> {
    if default_type(from, to) == Some(id) {
        return default_type(to, from);
    }
    PRIMARY.iter().find(|row| row.0 == from && row.1 == to && row.2 == id).map(|row| row.3)
}

/// The type to which an id leads, from the given type.
pub(super) fn target(from: Kind, id: u32) -> Option<Kind> {
    Kind::ALL.into_iter().find(|to| back(from, *to, id).is_some())
}

/// Name of a type id as v3 writes it: `note_to_contact`, or `ticket_to_company_unlabeled` where a primary one exists.
pub(super) fn name(from: Kind, to: Kind, id: u32) -> String {
    let labelled = PRIMARY.iter().any(|row| row.0 == from && row.1 == to);
    let suffix = if labelled && default_type(from, to) == Some(id) { "_unlabeled" } else { "" };
    format!("{}_to_{}{suffix}", from.singular(), to.singular())
}

/// Reads a v3 name or a number.
pub(super) fn parse(from: Kind, to: Kind, text: &str) -> Option<u32> {
    let named = |id: &u32| name(from, to, *id) == text || id.to_string() == text;
    ids(from, to).into_iter().find(named)
}

fn ids(from: Kind, to: Kind) -> Vec<u32> {
    let primary = PRIMARY.iter().filter(|row| row.0 == from && row.1 == to).map(|row| row.2);
    primary.chain(default_type(from, to)).collect()
}

/// A type as v4 shows it.
pub(super) fn spec(from: Kind, to: Kind, id: u32) -> Value {
    let label = (default_type(from, to) != Some(id)).then_some("Primary");
    json!({ "category": "HUBSPOT_DEFINED", "typeId": id, "label": label })
}

/// Every type from one object type to another, as v4 lists them.
pub(super) fn labels(from: Kind, to: Kind) -> Vec<Value> {
    ids(from, to).into_iter().map(|id| spec(from, to, id)).collect()
}

/// Every type from one object type to another, as v3 lists them.
pub(super) fn names(from: Kind, to: Kind) -> Vec<Value> {
    ids(from, to).into_iter().map(|id| json!({ "id": id.to_string(), "name": name(from, to, id) })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_association_has_its_way_back() {
        for (from, to, id) in TYPES {
            let back_id = back(from, to, id).expect("a way back");
            assert_eq!(back(to, from, back_id), Some(id), "{from:?} to {to:?}");
        }
    }
}
