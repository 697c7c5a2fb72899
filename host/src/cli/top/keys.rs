//! What is in sight, and what a key does to it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Lines that a page key moves by.
const PAGE: usize = 10;

/// What is in sight.
#[derive(Debug, Default)]
pub(super) struct View {
    /// Among what fails.
    pub(super) selected: usize,
    /// How many there are to select from.
    pub(super) rows: usize,
    /// An event's timeline.
    pub(super) opened: Option<Opened>,
    /// The last answer.
    pub(super) said: Option<String>,
    /// Why what is shown is old.
    pub(super) trouble: Option<String>,
}

/// An event's timeline.
#[derive(Debug)]
pub(super) struct Opened {
    /// The event.
    pub(super) eid: String,
    /// Its lines.
    pub(super) lines: Vec<String>,
    /// The first one shown.
    pub(super) top: usize,
    /// It was asked whether to replay it.
    pub(super) asked: bool,
}

/// What is to be done after a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// End.
    Quit,
    /// Draw.
    Nothing,
    /// Ask the host.
    Look,
    /// Show the event of what fails at that place.
    Open(usize),
    /// Replay that event.
    Replay(String),
}

impl View {
    /// Which page and question is in sight, and what was said last.
    pub(super) fn mode(&self) -> (Option<bool>, Option<String>) {
        (self.opened.as_ref().map(|opened| opened.asked), self.said.clone())
    }

    /// Shows an event.
    pub(super) fn open(&mut self, eid: &str, text: &str) {
        self.opened = Some(Opened { eid: eid.to_owned(), lines: text.lines().map(str::to_owned).collect(), top: 0, asked: false });
        self.said = None;
    }

    /// Takes a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Act {
        if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Act::Quit;
        }
        match &mut self.opened {
            None => self.key_of_list(key.code),
            Some(opened) => {
                if opened.asked {
                    opened.asked = false;
                    return match key.code {
                        KeyCode::Char('y' | 'Y') => Act::Replay(opened.eid.clone()),
                        _ => Act::Nothing,
                    };
                }
                let last = opened.lines.len().saturating_sub(1);
                match key.code {
                    KeyCode::Esc | KeyCode::Backspace | KeyCode::Left | KeyCode::Char('q' | 'h') => {
                        self.opened = None;
                        self.said = None;
                    }
                    KeyCode::Char('r') => opened.asked = true,
                    KeyCode::Up | KeyCode::Char('k') => opened.top = opened.top.saturating_sub(1),
                    KeyCode::Down | KeyCode::Char('j') => opened.top = (opened.top + 1).min(last),
                    KeyCode::PageUp => opened.top = opened.top.saturating_sub(PAGE),
                    KeyCode::PageDown | KeyCode::Char(' ') => opened.top = (opened.top + PAGE).min(last),
                    KeyCode::Home => opened.top = 0,
                    KeyCode::End => opened.top = last,
                    _ => {}
                }
                Act::Nothing
            }
        }
    }

    fn key_of_list(&mut self, code: KeyCode) -> Act {
        let last = self.rows.saturating_sub(1);
        self.selected = match code {
            KeyCode::Esc | KeyCode::Char('q') => return Act::Quit,
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') if self.rows > 0 => return Act::Open(self.selected.min(last)),
            KeyCode::Up | KeyCode::Char('k') => self.selected.min(last).saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => (self.selected + 1).min(last),
            KeyCode::Home => 0,
            KeyCode::End => last,
            _ => self.selected.min(last),
        };
        Act::Nothing
    }
}
