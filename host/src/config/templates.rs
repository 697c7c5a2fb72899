//! `[templates.NAME]`: the words of mails, in the file or in files beside it, in several languages.

use std::sync::Arc;

use serde_json::Value;

use super::expression::template;
use super::item::Item;
use super::model::{MailTemplate, Texts};
use super::reader::Reader;
use super::section::Section;
use crate::mapping::Template;

const KEYS: [&str; 3] = ["subject", "text", "html"];

/// Reads one template.
pub(super) fn mail_template(r: &mut Reader<'_>, item: &Item<'_>) -> Option<MailTemplate> {
    let mut section = item.table(r, format!("[templates.{}]", item.name))?;
    let own = texts(r, &mut section);
    let mut read = MailTemplate { texts: own, languages: Default::default() };
    let mut whole = true;
    for member in section.members() {
        if KEYS.contains(&member.name.as_str()) {
            continue;
        }
        if !member.value.is_table() || !is_tag(&member.name) {
            let message = format!("unknown key `{}` in [templates.{}]", member.name, item.name);
            r.error(&member.key, message)
                .help("the keys are `subject`, `text` and `html`; another language has a table of its own, such as [templates.NAME.de-AT]");
            whole = false;
            continue;
        }
        if let Some(mut section) = member.table(r, format!("[templates.{}.{}]", item.name, member.name)) {
            let texts = texts(r, &mut section);
            section.finish(r);
            read.languages.insert(member.name.to_ascii_lowercase(), texts);
        }
    }
    let says_something =
        std::iter::once(&read.texts).chain(read.languages.values()).any(|texts| texts.text.is_some() || texts.html.is_some());
    if whole && !says_something && !item.value.as_table().is_some_and(|table| KEYS[1..].iter().any(|key| table.contains_key(*key))) {
        r.error(&item.key, format!("template `{}` says nothing", item.name))
            .help("give it `text` or `html`, each a string or { file = \"…\" }");
        return None;
    }
    whole.then_some(read)
}

fn texts(r: &mut Reader<'_>, section: &mut Section<'_>) -> Texts {
    let [subject, text, html] = KEYS.map(|key| section.get(key).and_then(|item| text(r, &item)));
    Texts { subject, text, html }
}

/// A string, or `{ file = "…" }`.
fn text(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Arc<Template>> {
    if !item.value.is_table() {
        item.text(r)?;
        return template(r, item);
    }
    let mut section = item.table(r, format!("`{}`", item.name))?;
    let file = section.required(r, "file", "\"templates/reminder.txt\"").and_then(|item| item.text(r));
    section.finish(r);
    let file = file?;
    let path = r.absolute(file.value);
    let text = match (r.outside.file)(&path) {
        Ok(text) => text,
        Err(error) => {
            r.error(&file.span, format!("can't read the template {}: {error}", path.display()))
                .help("paths are relative to the folder of this file");
            return None;
        }
    };
    // The line end that editors put behind the last line belongs to the file.
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    let compiled = Template::compile(&Value::String(text.clone()));
    r.templates.insert(file.value.to_owned(), text.clone());
    match compiled {
        Ok(template) => Some(Arc::new(template)),
        Err(errors) => {
            for error in errors {
                let before = &text[..text.floor_char_boundary(error.range.start)];
                let (line, column) = (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
                let place = format!("{}:{line}:{column}", path.display());
                r.error(&file.span, format!("an expression at {place} does not compile: {}", error.message));
            }
            None
        }
    }
}

/// A language tag (RFC 5646), as far as people write them: `de`, `de-AT`, `zh-Hant-TW`.
fn is_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    language && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// A revision holds its templates: their files may change or go.
pub(super) fn with_texts(templates: &mut Value, read: &std::collections::BTreeMap<String, String>) {
    let put = |texts: &mut Value| {
        for key in KEYS {
            let file = texts.get(key).and_then(|text| text.get("file")).and_then(Value::as_str);
            if let Some(text) = file.and_then(|file| read.get(file)) {
                texts[key] = Value::from(text.clone());
            }
        }
    };
    for template in templates.as_object_mut().into_iter().flat_map(|templates| templates.values_mut()) {
        put(template);
        for (key, language) in template.as_object_mut().into_iter().flatten() {
            if !KEYS.contains(&key.as_str()) {
                put(language);
            }
        }
    }
}
