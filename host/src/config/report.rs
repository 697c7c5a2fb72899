//! Problems of a valid file, put where the file says what they are about.

use std::ops::Range;

use super::Loaded;
use super::problems::{FileText, Problem, Severity};

/// What was found so far.
pub(super) struct Report<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) problems: Vec<Problem>,
    source: FileText,
}

impl<'a> Report<'a> {
    pub(super) fn new(loaded: &'a Loaded) -> Self {
        Self { loaded, problems: Vec::new(), source: FileText::new(loaded.text.clone()) }
    }

    pub(super) fn place(&self, path: &str, pointer: &str) -> Range<usize> {
        let position = self.loaded.positions.locate(path, pointer);
        // A value may span lines; the key is what people look for, and an item of a list is its own key.
        position.map(|position| position.key.clone()).unwrap_or(0..0)
    }

    /// The place of a key of a table, or of the table where it lacks the key.
    pub(super) fn place_or(&self, table: &str, key: &str) -> Range<usize> {
        let path = format!("{table}.{key}");
        self.place(if self.loaded.positions.get(&path).is_some() { &path } else { table }, "")
    }

    pub(super) fn add(&mut self, place: &Range<usize>, severity: Severity, message: String, help: Option<String>) {
        let mut problem = Problem::at(&self.source, place, severity, message);
        if let Some(help) = help {
            problem.help(help);
        }
        self.problems.push(problem);
    }
}
