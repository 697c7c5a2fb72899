//! `repeat` of a step, and the event that a step waits for.

use std::time::Duration;

use super::expression::expression;
use super::item::Item;
use super::model::{AwaitedEvent, Repeat};
use super::needs::Needs;
use super::position::within_string;
use super::problems::did_you_mean;
use super::reader::Reader;
use super::steps::check_texts;
use super::units::MAX_DURATION;
use crate::builtin::MAX_TYPES;
use crate::mapping::Expr;

/// Most rounds of a step.
const MOST_ROUNDS: u32 = 1_000;

/// Reads `repeat = { until, every, max, look, event }` of the step at `index`.
pub(super) fn repeat(r: &mut Reader<'_>, item: &Item<'_>, names: &[String], index: usize, needs: &Needs) -> Option<Repeat> {
    let mut section = item.table(r, "`repeat`")?;
    let until_item = section.get("until");
    let until = until_item.as_ref().map(|item| expression(r, item));
    if let Some(item) = &until_item {
        // Named as what it is, so that the text is looked at as an expression.
        check_texts(r, &Item { name: "when".to_owned(), ..item.clone() }, names, &needs.before[index]);
    }
    let event_item = section.get("event");
    let event = event_item.as_ref().map(|item| event(r, item));
    let every = section.required(r, "every", "\"3d\"").and_then(|item| item.duration(r, Duration::from_secs(1)..=MAX_DURATION));
    let max = section.required(r, "max", "5").and_then(|item| item.count(r, 1..=MOST_ROUNDS));
    let mut look = Vec::new();
    for item in section.get("look").and_then(|item| item.items(r)).unwrap_or_default() {
        let Some(text) = item.text(r) else { continue };
        match names.iter().position(|name| name == text.value) {
            Some(step) if needs.direct[index].contains(&step) => look.push(step),
            Some(_) => {
                r.error(&text.span, format!("`look` names a step that this one does not need itself: `{}`", text.value))
                    .help(format!("add \"{}\" to `needs`, so that it has run before", text.value));
            }
            None => {
                let help = did_you_mean(text.value, names.iter().map(String::as_str));
                r.error(&text.span, format!("there is no step `{}` in this route", text.value)).help = help;
            }
        }
    }
    if until_item.is_none() && event_item.is_none() {
        r.error(&item.span, "nothing ends this repetition before its last round")
            .help("say when it is done: `until`, or the `event` that ends it");
    }
    section.finish(r);
    Some(Repeat {
        until: until.map_or(Some(None), |until| until.map(Some))?,
        every: every?,
        max: max?,
        look,
        event: event.map_or(Some(None), |event| event.map(Some))?,
    })
}

/// `event = { type, where }`.
fn event(r: &mut Reader<'_>, item: &Item<'_>) -> Option<AwaitedEvent> {
    let mut section = item.table(r, "`event`")?;
    let kinds = section.required(r, "type", "\"invoice.paid\"").map(|item| item.one_or_more()).unwrap_or_default();
    let mut types = Vec::new();
    for kind in &kinds {
        let Some(text) = kind.text(r) else { continue };
        if text.value.is_empty() || text.value.contains('*') {
            r.error(&text.span, format!("{:?} is no type: types that are waited for are compared exactly", text.value))
                .help("name each type, as a list");
        } else {
            types.push(text.value.to_owned());
        }
    }
    let condition = section.get("where").map(|item| condition(r, &item));
    section.finish(r);
    if kinds.len() > MAX_TYPES {
        r.error(&item.span, format!("one step waits for at most {MAX_TYPES} types, and here are {}", kinds.len()));
        return None;
    }
    let condition = condition.map_or(Some(None), |condition| condition.map(Some))?;
    (types.len() == kinds.len() && !types.is_empty()).then_some(AwaitedEvent { types, condition })
}

/// `where`: the text of an expression that compiles.
fn condition(r: &mut Reader<'_>, item: &Item<'_>) -> Option<String> {
    expression(r, item).map(|expression| expression.source().to_owned())
}

/// Looks at the `where` of a wait's `with`: it is an expression, and stays one until an event arrives.
pub(super) fn awaited_in(r: &mut Reader<'_>, with: &Item<'_>) {
    let find =
        |table: &toml::de::DeTable<'_>, name: &str| table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value.span());
    let Some(table) = with.value.as_table() else { return };
    let Some(event) = table.get("event").and_then(|event| event.get_ref().as_table()) else { return };
    let Some(text) = event.get("where").and_then(|value| value.get_ref().as_str()) else { return };
    let Some(span) = find(event, "where") else { return };
    if text.contains("${") {
        r.error(&span, "`where` is an expression as a whole and needs no ${ … }")
            .help("write it as it is: .event is the event that arrives");
    } else if let Err(error) = Expr::compile(text) {
        let span = within_string(r.source.text(), &span, text, &error.range);
        r.error(&span, format!("this expression does not compile: {}", error.message));
    }
}
