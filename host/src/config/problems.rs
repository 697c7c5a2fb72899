//! What is wrong with a file, and how it is shown: `FILE:LINE:COLUMN: error: …`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::model::ComponentSource;

use crate::telemetry::{is_hidden, plain};

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file can't be used.
    Error,
    /// The file can be used, but probably does not do what was meant.
    Warning,
}

/// One mistake, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Characters to underline on that line, at least 1.
    pub length: usize,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// How bad it is.
    pub severity: Severity,
}

impl Problem {
    /// A problem at the byte range `span` of `source`.
    pub(super) fn at(source: &FileText, span: &Range<usize>, severity: Severity, message: impl Into<String>) -> Self {
        let (line, column) = source.position(span.start);
        let length = source.length_on_line(span);
        Self { line, column, length, message: printable(&message.into()), help: None, severity }
    }

    /// Says what to do about it.
    pub(super) fn help(&mut self, text: impl Into<String>) {
        self.help = Some(printable(&text.into()));
    }
}

/// All mistakes of one file, in the order of the file. `Display` prints them for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file's name as it was given.
    pub file: String,
    /// Sorted by line and column.
    pub list: Vec<Problem>,
    /// Components that the file names, each with a problem at its place to be filled in: they can be looked at even if the file has mistakes.
    pub components: Vec<(ComponentSource, Problem)>,
    text: Arc<str>,
}

impl Problems {
    /// Sorts the mistakes and drops exact repetitions. `text` is the file's, to show lines from.
    pub fn new(file: impl Into<String>, text: Arc<str>, mut list: Vec<Problem>) -> Self {
        list.sort_by(|a, b| (a.line, a.column, a.severity, &a.message).cmp(&(b.line, b.column, b.severity, &b.message)));
        list.dedup();
        Self { file: file.into(), list, components: Vec::new(), text }
    }

    /// The same with more mistakes.
    pub fn and(mut self, more: Vec<Problem>) -> Self {
        self.list.extend(more);
        let components = std::mem::take(&mut self.components);
        let mut all = Self::new(self.file, self.text, self.list);
        all.components = components;
        all
    }

    /// Whether any of them is an error rather than a warning.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            let severity = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let Problem { line, column, length, message, .. } = problem;
            writeln!(f, "{}:{line}:{column}: {severity}: {message}", self.file)?;
            if let Some(text) = self.text.lines().nth(line - 1).filter(|text| !text.trim().is_empty()) {
                let number = line.to_string();
                let (shown, before) = excerpt(text, column - 1);
                let carets = (*length).min(shown.chars().count().saturating_sub(before)).max(1);
                writeln!(f, " {number} | {shown}")?;
                writeln!(f, " {} | {}{}", " ".repeat(number.len()), " ".repeat(before), "^".repeat(carets))?;
            }
            if let Some(help) = &problem.help {
                writeln!(f, "   help: {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Most characters of a source line that are shown.
const MAX_SHOWN: usize = 160;

/// The part of a line to show, one character for one, and how many characters of it stand before `column`.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    // A tab would move the carets, a control character could rule the terminal.
    let clean = line.chars().map(|c| if is_hidden(c) { ' ' } else { c });
    let start = if column < MAX_SHOWN { 0 } else { column - MAX_SHOWN / 4 };
    let shown: String = clean.skip(start).take(MAX_SHOWN).collect();
    (shown.trim_end().to_owned(), column - start)
}

/// Text from files and plugins with control characters escaped, and those that mislead.
pub(super) fn printable(text: &str) -> String {
    plain(text)
}

/// Characters that are not seen, or that turn the order of others round (Unicode TR 36): what is read is not what is there.
pub fn misleads(character: char) -> bool {
    is_hidden(character) && !character.is_control()
}

/// A file's text with its lines found.
#[derive(Debug, Clone)]
pub(super) struct FileText {
    text: Arc<str>,
    line_starts: Vec<usize>,
}

impl FileText {
    pub(super) fn new(text: Arc<str>) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Self { text, line_starts }
    }

    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Line and column of a byte offset, both from 1, the column in characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        let column = self.text[start..].char_indices().take_while(|(at, _)| start + at < offset).count();
        (line, column + 1)
    }

    /// Characters of `span` that stand on its first line, at least 1.
    fn length_on_line(&self, span: &Range<usize>) -> usize {
        let text = self.text.get(span.clone()).unwrap_or_default();
        text.lines().next().unwrap_or_default().chars().count().max(1)
    }
}

/// The candidate that `word` was probably meant to be.
pub(super) fn near<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A third of the letters may be wrong: `componnt` finds `component`, `x` finds nothing.
    let tolerance = (word.chars().count() / 3).max(1);
    let (word, mut best) = (word.to_lowercase(), None);
    for candidate in candidates {
        let distance = strsim::osa_distance(&word, &candidate.to_lowercase());
        let close = distance <= tolerance && distance < candidate.chars().count();
        if close && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Help for a name that is not known: the near one, else all there are.
pub(super) fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    /// More names than this help nobody.
    const MAX_LISTED: usize = 24;
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(name) = near(word, candidates.iter().copied()) {
        return Some(format!("did you mean `{name}`?"));
    }
    if candidates.is_empty() || candidates.len() > MAX_LISTED {
        return None;
    }
    let names: Vec<String> = candidates.iter().map(|name| format!("`{name}`")).collect();
    Some(format!("known here: {}", names.join(", ")))
}
