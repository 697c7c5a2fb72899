//! One TOML value with its place, read as what it must be.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::de::{DeArray, DeValue};

use super::reader::Reader;
use super::section::Section;
use super::units;

/// One value with the name it goes by in messages.
#[derive(Clone)]
pub(super) struct Item<'t> {
    /// Name of the key; for an item of an array that of the array.
    pub(super) name: String,
    pub(super) key: Range<usize>,
    pub(super) span: Range<usize>,
    pub(super) value: &'t DeValue<'t>,
}

/// A string with its place.
#[derive(Debug, Clone)]
pub(super) struct Text<'t> {
    pub(super) value: &'t str,
    pub(super) span: Range<usize>,
}

impl<'t> Item<'t> {
    pub(super) fn text(&self, r: &mut Reader<'_>) -> Option<Text<'t>> {
        match self.value {
            DeValue::String(value) => Some(Text { value, span: self.span.clone() }),
            _ => self.wrong_type(r, "a string"),
        }
    }

    /// A string that `parse` understands; what it answers otherwise is the message.
    pub(super) fn parsed<T>(&self, r: &mut Reader<'_>, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(r)?;
        parse(text.value).map_err(|message| r.error(&text.span, message).help = None).ok()
    }

    pub(super) fn duration(&self, r: &mut Reader<'_>, range: RangeInclusive<Duration>) -> Option<Duration> {
        if self.value.is_integer() {
            return self.without_unit(r, "a duration", "s");
        }
        let value = self.parsed(r, units::duration)?;
        self.within(r, value, range, units::duration_text)
    }

    pub(super) fn size(&self, r: &mut Reader<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        if self.value.is_integer() {
            return self.without_unit(r, "a size", "B");
        }
        let value = self.parsed(r, units::size)?;
        self.within(r, value, range, units::size_text)
    }

    pub(super) fn integer(&self, r: &mut Reader<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        let DeValue::Integer(number) = self.value else {
            return self.wrong_type(r, "a whole number");
        };
        match i64::from_str_radix(number.as_str(), number.radix()).ok().and_then(|value| u64::try_from(value).ok()) {
            Some(value) => self.within(r, value, range, |value| value.to_string()),
            None => self.out_of_range(r, number, range.start(), range.end()),
        }
    }

    /// An integer of 32 bits; see [`Item::integer`].
    pub(super) fn count(&self, r: &mut Reader<'_>, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.integer(r, u64::from(*range.start())..=u64::from(*range.end()))?;
        u32::try_from(value).ok()
    }

    pub(super) fn number(&self, r: &mut Reader<'_>, range: RangeInclusive<f64>) -> Option<f64> {
        let text = match self.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return self.wrong_type(r, "a number"),
        };
        let value = text.parse().unwrap_or(f64::NAN);
        self.within(r, value, range, |value| value.to_string())
    }

    pub(super) fn boolean(&self, r: &mut Reader<'_>) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => self.wrong_type(r, "true or false"),
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, r: &mut Reader<'_>, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(r)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let message = format!("`{}` can't be {:?}", self.name, text.value);
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        r.error(&text.span, message).help(format!("write {}", words.join(" or ")));
        None
    }

    pub(super) fn table(&self, r: &mut Reader<'_>, label: impl Into<String>) -> Option<Section<'t>> {
        match self.value {
            DeValue::Table(table) => Some(Section::new(table, self.span.clone(), label)),
            _ => self.wrong_type(r, "a table"),
        }
    }

    /// The items of an array.
    pub(super) fn items(&self, r: &mut Reader<'_>) -> Option<Vec<Item<'t>>> {
        match self.value {
            DeValue::Array(array) => Some(self.of_array(array)),
            _ => self.wrong_type(r, "a list"),
        }
    }

    /// The items of an array, or the one value that is no array.
    pub(super) fn one_or_more(&self) -> Vec<Item<'t>> {
        match self.value {
            DeValue::Array(array) => self.of_array(array),
            _ => vec![self.clone()],
        }
    }

    /// The strings of a list of strings. Those that are none are reported and left out.
    pub(super) fn texts(&self, r: &mut Reader<'_>) -> Vec<Text<'t>> {
        let items = self.items(r).unwrap_or_default();
        items.into_iter().filter_map(|item| item.text(r)).collect()
    }

    /// Says that the value is of another type than `wanted`.
    pub(super) fn wrong_type<T>(&self, r: &mut Reader<'_>, wanted: &str) -> Option<T> {
        r.error(&self.span, format!("`{}` must be {wanted}, but this is {}", self.name, kind(self.value)));
        None
    }

    fn of_array(&self, array: &'t DeArray<'t>) -> Vec<Item<'t>> {
        let item = |value: &'t toml::Spanned<DeValue<'t>>| Item {
            name: self.name.clone(),
            key: value.span(),
            span: value.span(),
            value: value.get_ref(),
        };
        array.iter().map(item).collect()
    }

    fn without_unit<T>(&self, r: &mut Reader<'_>, what: &str, unit: &str) -> Option<T> {
        let number = r.source.text().get(self.span.clone()).unwrap_or_default().to_owned();
        r.error(&self.span, format!("`{}` is {what} and needs a unit", self.name))
            .help(format!("write it as a string, such as \"{number}{unit}\""));
        None
    }

    fn within<T: PartialOrd + Copy>(
        &self,
        r: &mut Reader<'_>,
        value: T,
        range: RangeInclusive<T>,
        text: impl Fn(T) -> String,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        self.out_of_range(r, text(value), text(*range.start()), text(*range.end()))
    }

    fn out_of_range<T>(
        &self,
        r: &mut Reader<'_>,
        value: impl std::fmt::Display,
        least: impl std::fmt::Display,
        most: impl std::fmt::Display,
    ) -> Option<T> {
        r.error(&self.span, format!("`{}` is {value}, but must be from {least} to {most}", self.name));
        None
    }
}

/// What a value is, for people.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A key that may be absent: the outer `Option`; and may be wrong: the inner one.
pub(super) fn given<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(value) => value.map(Some),
        None => Some(None),
    }
}
