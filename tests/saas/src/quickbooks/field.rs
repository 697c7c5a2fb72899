//! Reading the fields of a request.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::company::Company;
use super::entity::Entity;
use super::fault::Fault;
use super::money;

/// The fields of an entity, or of a part of one.
pub(super) type Fields = Map<String, Value>;

/// The largest figure that QuickBooks takes has ten digits before the point.
const MAX_FIGURE: Decimal = Decimal::from_parts(1_410_065_408, 2, 0, false, 0);

/// Refuses fields that are not in the list.
pub(super) fn only(fields: &Fields, allowed: impl Fn(&str) -> bool, at: &str) -> Result<(), Fault> {
    let unknown = fields.keys().find(|name| !allowed(name));
    match unknown {
        None => Ok(()),
        Some(name) => Err(Fault::unsupported(&format!("{at}{name}"), "specified is unsupported or invalid")),
    }
}

/// A text, or none where it is missing, null or empty.
///
/// # Errors
/// When it is too long or no text.
pub(super) fn text<'a>(fields: &'a Fields, name: &str, max: usize) -> Result<Option<&'a str>, Fault> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            let length = text.chars().count();
            if length > max { Err(Fault::too_long(name, max, length)) } else { Ok(Some(text.as_str()).filter(|text| !text.is_empty())) }
        }
        Some(_) => Err(Fault::unsupported(name, "is not a text")),
    }
}

/// A number of at most so many decimals.
pub(super) fn figure(fields: &Fields, name: &str, decimals: u32) -> Result<Option<Decimal>, Fault> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let figure = money::read(value).ok_or_else(|| Fault::unsupported(name, "is not a number"))?;
            if figure.abs() >= MAX_FIGURE || figure.normalize().scale() > decimals {
                return Err(Fault::invalid_number(name, &value.to_string()));
            }
            Ok(Some(figure))
        }
    }
}

/// A day, `YYYY-MM-DD` with an optional zone.
pub(super) fn day(fields: &Fields, name: &str) -> Result<Option<Date>, Fault> {
    let Some(text) = text(fields, name, 32)? else {
        return Ok(None);
    };
    let day = text.get(..10).and_then(|day| day.parse().ok());
    day.map(Some).ok_or_else(|| Fault::unsupported(name, "is not a date: YYYY-MM-DD"))
}

/// The id in a reference such as `CustomerRef`.
pub(super) fn reference(fields: &Fields, name: &str) -> Result<Option<String>, Fault> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(reference)) => match reference.get("value") {
            Some(Value::String(id)) if !id.is_empty() => Ok(Some(id.clone())),
            Some(Value::Number(id)) => Ok(Some(id.to_string())),
            _ => Err(Fault::missing(&format!("{name}.value"))),
        },
        Some(_) => Err(Fault::unsupported(name, "is not a reference")),
    }
}

/// Checks a reference and writes the name of what it names into it.
///
/// # Errors
/// When what it names isn't there or isn't active.
pub(super) fn refer(company: &Company, fields: &mut Fields, name: &str, entity: Entity) -> Result<Option<String>, Fault> {
    let Some(id) = reference(fields, name)? else {
        return Ok(None);
    };
    let record = company.active(entity, &id).ok_or_else(|| Fault::bad_reference(entity, &id))?;
    let called = record.get("DisplayName").or_else(|| record.get("Name")).cloned().unwrap_or_default();
    let reference = serde_json::json!({ "value": id, "name": called });
    fields.insert(name.to_owned(), reference);
    Ok(Some(id))
}

/// An e-mail address in an object such as `BillEmail`. Several are separated by commas.
pub(super) fn email(fields: &Fields, name: &str) -> Result<Option<String>, Fault> {
    let Some(holder) = fields.get(name).and_then(Value::as_object) else {
        return Ok(None);
    };
    let Some(address) = text(holder, "Address", 100)? else {
        return Ok(None);
    };
    if is_email(address) { Ok(Some(address.to_owned())) } else { Err(Fault::invalid_email(name)) }
}

/// Whether a text is an address, or several separated by commas.
pub(super) fn is_email(text: &str) -> bool {
    text.split(',').map(str::trim).all(|address| {
        !address.contains(char::is_whitespace)
            && address.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'))
    })
}
