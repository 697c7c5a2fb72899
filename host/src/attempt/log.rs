//! A plugin's lines, bounded.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

/// Longest line, fields included.
const MAX_LINE: usize = 8 << 10;
/// Bytes of all lines of an attempt.
const MAX_TOTAL: usize = 64 << 10;

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
#[derive(Debug, Clone, Default)]
pub struct LogBuffer(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: u64,
}

impl LogBuffer {
    /// Adds a line; cut or dropped where it is too much.
    pub fn add(&self, level: Level, message: &str, fields: Vec<(String, String)>) {
        let mut lines = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut left = MAX_LINE;
        let message = cut(message, &mut left);
        let mut kept = serde_json::Map::new();
        for (name, value) in fields {
            if left == 0 {
                break;
            }
            let name = cut(&name, &mut left);
            kept.insert(name, serde_json::Value::String(cut(&value, &mut left)));
        }
        let size = MAX_LINE - left;
        if lines.bytes + size > MAX_TOTAL {
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
            let message = format!("{dropped} more lines were dropped: an attempt keeps {MAX_TOTAL} bytes");
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
