//! A plugin's lines, bounded.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

/// Longest line, fields included.
const MAX_LINE: usize = 8 << 10;
/// What a line takes beside its text: an empty one is not free.
const LINE: usize = 32;
/// What a field takes beside its name and value.
const FIELD: usize = 8;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Finest.
    Trace,
    /// For developers.
    Debug,
    /// What happened.
    Info,
    /// Something to look at.
    Warn,
    /// Something went wrong.
    Error,
}

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogLine {
    /// How grave.
    pub level: Level,
    /// In words.
    pub message: String,
    /// In data.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// Collects lines. Cheap to clone; clones share the lines.
#[derive(Debug, Clone)]
pub struct LogBuffer(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    lines: Vec<LogLine>,
    most: usize,
    bytes: usize,
    dropped: u64,
}

impl LogBuffer {
    /// Keeps at most so many bytes.
    pub fn new(most: usize) -> LogBuffer {
        LogBuffer(Arc::new(Mutex::new(Lines { lines: Vec::new(), most, bytes: 0, dropped: 0 })))
    }

    /// Adds a line; cut or dropped where it is too much.
    pub fn add(&self, level: Level, message: &str, fields: Vec<(String, String)>) {
        let mut lines = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if lines.bytes + LINE > lines.most {
            // Full: the line is not even looked at.
            lines.dropped += 1;
            return;
        }
        let mut left = MAX_LINE;
        let message = cut(message, &mut left);
        let mut kept = serde_json::Map::new();
        for (name, value) in fields {
            if left <= FIELD {
                break;
            }
            left -= FIELD;
            let name = cut(&name, &mut left);
            kept.insert(name, serde_json::Value::String(cut(&value, &mut left)));
        }
        let size = LINE + MAX_LINE - left;
        if lines.bytes + size > lines.most {
            lines.dropped += 1;
            return;
        }
        lines.bytes += size;
        lines.lines.push(LogLine { level, message, fields: kept });
    }

    /// Takes all lines; says at the end how many were dropped.
    pub fn take(&self) -> Vec<LogLine> {
        let mut lines = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let dropped = std::mem::take(&mut lines.dropped);
        let mut taken = std::mem::take(&mut lines.lines);
        if dropped > 0 {
            let most = lines.most;
            let message = format!("{dropped} more lines were dropped: an attempt keeps {most} bytes (limits.log-size)");
            taken.push(LogLine { level: Level::Warn, message, fields: serde_json::Map::new() });
        }
        taken
    }
}

fn cut(text: &str, left: &mut usize) -> String {
    let end = text.floor_char_boundary((*left).min(text.len()));
    *left -= end;
    text[..end].to_owned()
}
