//! `[[routes.steps]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::expression::{check_steps_read, expression, template};
use super::item::{Item, Text};
use super::journal;
use super::model::{OnDoubt, OnFailure, Retry, Step};
use super::name;
use super::needs::{self, Needs};
use super::problems::did_you_mean;
use super::quiet::quiet;
use super::reader::Reader;
use super::repeat;
use super::routes::array_of_tables;
use super::section::Section;
use super::units::MAX_DURATION;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);
const DEFAULT_RETRY: Retry =
    Retry { max_attempts: 8, initial: Duration::from_secs(1), factor: 2.0, max: Duration::from_secs(600), jitter: 0.2 };
const MOST_ATTEMPTS: u32 = 1_000;
const MOST_GROWTH: f64 = 100.0;
/// The plugin whose actions are the host's own.
pub(super) const RESERVED_PLUGIN: &str = "sangam";

/// Reads the steps of one route. `None`: one of them is wrong.
pub(super) fn steps(r: &mut Reader<'_>, item: &Item<'_>, plugins: &BTreeSet<String>) -> Option<Vec<Step>> {
    let items = array_of_tables(r, item, "[[routes.steps]]")?;
    if items.is_empty() {
        r.error(&item.span, "this route has no steps, so that it would do nothing");
        return None;
    }
    let mut sections = Vec::new();
    for item in &items {
        sections.push(item.table(r, "[[routes.steps]]")?);
    }
    let mut seen = BTreeMap::new();
    let mut names = Vec::new();
    for section in &mut sections {
        let name = section.required(r, "name", "\"notify\"").and_then(|item| item.text(r));
        if let Some(name) = &name {
            name::check(r, &name.span, "step", name.value);
            name::once(r, &mut seen, &name.span, "step", name.value);
            section.label = format!("step `{}`", name.value);
        }
        names.push(name.map(|name| name.value.to_owned()).unwrap_or_default());
    }
    let needs = needs::needs(r, &mut sections, &names);
    let journals: Vec<Item<'_>> = sections.iter_mut().filter_map(|section| section.get("journal")).collect();
    let mut steps = Vec::new();
    for (index, section) in sections.into_iter().enumerate() {
        steps.push(step(r, section, index, &names, &needs, plugins));
    }
    if steps.iter().flatten().any(|step| step.on_failure == OnFailure::Undo) {
        journal::refuse_with_undo(r, &journals);
    }
    steps.into_iter().collect()
}

fn step(
    r: &mut Reader<'_>,
    mut section: Section<'_>,
    index: usize,
    names: &[String],
    needs: &Needs,
    plugins: &BTreeSet<String>,
) -> Option<Step> {
    let uses = section.required(r, "uses", "\"PLUGIN.ACTION\"").and_then(|item| item.text(r));
    let uses = uses.and_then(|text| uses_of(r, &text, plugins));
    let with_item = section.get("with");
    let with = with_item.as_ref().map(|item| template(r, item));
    let when_item = section.get("when");
    let when = when_item.as_ref().map(|item| expression(r, item));
    for item in [&with_item, &when_item].into_iter().flatten() {
        check_texts(r, item, names, &needs.before[index]);
    }
    if let (Some((plugin, action)), Some(with)) = (&uses, &with_item)
        && (plugin.as_str(), action.as_str()) == (RESERVED_PLUGIN, "wait")
    {
        repeat::awaited_in(r, with);
    }
    let timeout = section.get("timeout").and_then(|item| item.duration(r, Duration::from_millis(1)..=MAX_DURATION));
    let retry = section.get("retry").and_then(|item| retry(r, &item, DEFAULT_RETRY));
    let choices = [("dead-letter", OnFailure::DeadLetter), ("continue", OnFailure::Continue), ("undo", OnFailure::Undo)];
    let on_failure = section.get("on-failure").and_then(|item| item.choice(r, &choices));
    let choices = [("resend", OnDoubt::Resend), ("hold", OnDoubt::Hold)];
    let on_doubt_item = section.get("on-doubt");
    let on_doubt = on_doubt_item.as_ref().and_then(|item| item.choice(r, &choices));
    let quiet = section.get("quiet").map(|item| quiet(r, &item));
    let journal = journal::journal(r, &mut section, on_doubt_item.as_ref().zip(on_doubt));
    let repeat = section.get("repeat").map(|item| repeat::repeat(r, &item, names, index, needs));
    section.finish(r);
    let (plugin, action) = uses?;
    Some(Step {
        name: names[index].clone(),
        plugin,
        action,
        with: with.map_or(Some(None), |with| with.map(Some))?,
        needs: needs.direct[index].clone(),
        when: when.map_or(Some(None), |when| when.map(Some))?,
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        retry: retry.unwrap_or(DEFAULT_RETRY),
        on_failure: on_failure.unwrap_or(OnFailure::DeadLetter),
        on_doubt: on_doubt.unwrap_or(OnDoubt::Resend),
        quiet: quiet.map_or(Some(None), |quiet| quiet.map(Some))?,
        journal,
        repeat: repeat.map_or(Some(None), |repeat| repeat.map(|repeat| Some(Arc::new(repeat))))?,
    })
}

/// Splits `plugin.action`. Whether the action exists is known only with the plugin at hand.
fn uses_of(r: &mut Reader<'_>, text: &Text<'_>, plugins: &BTreeSet<String>) -> Option<(String, String)> {
    let Some((plugin, action)) = text.value.split_once('.').filter(|(_, action)| name::is_name(action)) else {
        r.error(&text.span, format!("{:?} does not name an action", text.value))
            .help("write plugin and action with a dot between them, such as \"http.request\"");
        return None;
    };
    if plugin == RESERVED_PLUGIN {
        return Some((plugin.to_owned(), action.to_owned()));
    }
    if !plugins.contains(plugin) {
        let message = format!("there is no plugin `{plugin}`");
        let help = did_you_mean(plugin, plugins.iter().map(String::as_str));
        let add = || format!("add it: [plugins.{plugin}] with its `component`");
        r.error(&text.span, message).help(help.unwrap_or_else(add));
        return None;
    }
    Some((plugin.to_owned(), action.to_owned()))
}

/// Looks at every text of a value for steps it reads.
pub(super) fn check_texts(r: &mut Reader<'_>, item: &Item<'_>, names: &[String], before: &[bool]) {
    if let Some(text) = item.value.as_str() {
        // Outside of `${ … }` a text of `with` is no expression.
        if item.name == "when" || text.contains("${") {
            check_steps_read(r, &Text { value: text, span: item.span.clone() }, names, Some(before));
        }
    } else if item.value.is_array() {
        for item in item.one_or_more() {
            check_texts(r, &item, names, before);
        }
    } else if let Some(table) = item.value.as_table() {
        for member in Section::new(table, item.span.clone(), "`with`").members() {
            // A member may be called `when` too.
            check_texts(r, &Item { name: item.name.clone(), ..member }, names, before);
        }
    }
}

/// Reads `retry`; what is not said is as in `d`.
pub(super) fn retry(r: &mut Reader<'_>, item: &Item<'_>, d: Retry) -> Option<Retry> {
    let mut section = item.table(r, "`retry`")?;
    let max_attempts = section.get("max-attempts").and_then(|item| item.count(r, 1..=MOST_ATTEMPTS));
    let retry = delays(r, section, d);
    Some(Retry { max_attempts: max_attempts.unwrap_or(d.max_attempts), ..retry })
}

/// Pauses between tries of which there are as many as it takes.
pub(super) fn pauses(r: &mut Reader<'_>, item: &Item<'_>, default: Retry) -> Option<Retry> {
    let section = item.table(r, "`retry`")?;
    Some(delays(r, section, default))
}

fn delays(r: &mut Reader<'_>, mut section: Section<'_>, d: Retry) -> Retry {
    let delays = Duration::ZERO..=MAX_DURATION;
    let initial = section.get("initial").and_then(|item| item.duration(r, delays.clone())).unwrap_or(d.initial);
    let factor = section.get("factor").and_then(|item| item.number(r, 1.0..=MOST_GROWTH));
    let max_item = section.get("max");
    let max = max_item.as_ref().and_then(|item| item.duration(r, delays));
    let jitter = section.get("jitter").and_then(|item| item.number(r, 0.0..=1.0));
    section.finish(r);
    if let Some((item, max)) = max_item.zip(max).filter(|(_, max)| *max < initial) {
        let (max, initial) = (super::units::duration_text(max), super::units::duration_text(initial));
        r.error(&item.span, format!("the longest delay ({max}) is shorter than the first ({initial})"));
    }
    Retry { initial, factor: factor.unwrap_or(d.factor), max: max.unwrap_or(d.max.max(initial)), jitter: jitter.unwrap_or(d.jitter), ..d }
}
