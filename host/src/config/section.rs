//! A TOML table that knows which of its keys mean something.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeString, DeTable, DeValue};

use super::item::Item;
use super::reader::Reader;

/// A table that knows which keys were asked for, so that the others can be reported.
pub(super) struct Section<'t> {
    pub(super) table: &'t DeTable<'t>,
    pub(super) span: Range<usize>,
    /// How messages call it: `[server]`, `step "case"`.
    pub(super) label: String,
    known: BTreeSet<&'static str>,
}

impl<'t> Section<'t> {
    pub(super) fn new(table: &'t DeTable<'t>, span: Range<usize>, label: impl Into<String>) -> Self {
        Self { table, span, label: label.into(), known: BTreeSet::new() }
    }

    /// The value of a key, which is known from now on.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Item<'t>> {
        self.known.insert(key);
        self.find(key)
    }

    /// Like [`Section::get`]; its absence is a mistake.
    pub(super) fn required(&mut self, r: &mut Reader<'_>, key: &'static str, example: &str) -> Option<Item<'t>> {
        let item = self.get(key);
        if item.is_none() {
            r.error(&self.span, format!("`{key}` is missing in {}", self.label)).help(format!("add {key} = {example}"));
        }
        item
    }

    /// Every member, in the order of the file.
    pub(super) fn members(&self) -> Vec<Item<'t>> {
        let item = |(key, value): (&'t toml::Spanned<DeString<'t>>, &'t toml::Spanned<DeValue<'t>>)| Item {
            name: key.get_ref().clone().into_owned(),
            key: key.span(),
            span: value.span(),
            value: value.get_ref(),
        };
        let mut members: Vec<Item<'t>> = self.table.iter().map(item).collect();
        members.sort_by_key(|member| member.key.start);
        members
    }

    /// Reports the keys nobody asked for.
    pub(super) fn finish(self, r: &mut Reader<'_>) {
        let names: Vec<&str> = self.known.iter().copied().collect();
        for member in self.members() {
            let name = member.name.as_str();
            if !self.known.contains(name) {
                r.unknown(&member.key, format!("unknown key `{name}` in {}", self.label), name, names.iter().copied());
            }
        }
    }

    fn find(&self, key: &str) -> Option<Item<'t>> {
        let (key, value) = self.table.get_key_value(key)?;
        let name = key.get_ref().clone().into_owned();
        Some(Item { name, key: key.span(), span: value.span(), value: value.get_ref() })
    }
}
