//! Draws what is in sight.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};

use super::keys::View;
use super::lines::{self, Look, cut};
use super::seen::Seen;

/// Draws one frame.
pub(super) fn draw(frame: &mut Frame<'_>, seen: &Seen, view: &mut View, look: Look) {
    let area = frame.area();
    let height = usize::from(area.height);
    if height == 0 {
        return;
    }
    let body = Rect { height: area.height - 1, ..area };
    let foot = Rect { y: area.y + area.height - 1, height: 1, ..area };
    let text: Vec<Line<'static>> = match &mut view.opened {
        None => lines::all(seen, area.width, Some(height - 1), look, Some(view.selected.min(view.rows.saturating_sub(1)))),
        Some(opened) => {
            // The last line may come up to the top, and no further.
            opened.top = opened.top.min(opened.lines.len().saturating_sub(1));
            opened.lines.iter().skip(opened.top).map(|line| Line::from(cut(line, usize::from(area.width)))).collect()
        }
    };
    frame.render_widget(Text::from(text), body);
    let keys = match &view.opened {
        Some(opened) if opened.asked => format!("replay {}? y yes, any other key no", opened.eid),
        Some(_) => "esc back   ↑↓ scroll   r replay   ctrl-c quit".to_owned(),
        None if view.rows > 0 => "q quit   ↑↓ choose   enter show the failing event".to_owned(),
        None => "q quit".to_owned(),
    };
    let told = view.trouble.as_ref().map(|why| format!("OLD: {why}")).or(view.said.clone());
    let foot_text = match told {
        // The question is never hidden.
        Some(told) if view.opened.as_ref().is_none_or(|opened| !opened.asked) => format!("{told}   {keys}"),
        _ => keys,
    };
    let style = Style::new().add_modifier(Modifier::REVERSED);
    frame.render_widget(Line::from(cut(&foot_text, usize::from(area.width))).style(style), foot);
}
