//! Text of plugins, senders and systems, made safe for a terminal and for those who read it: what does not show as itself is shown by its number.

/// Whether a character is obeyed rather than shown (control characters, C0 and C1), changes the order of what is shown (bidirectional controls), or
/// can't be seen at all and so makes two names look alike.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// On one line.
pub fn plain(text: &str) -> String {
    shown(text, is_hidden)
}

/// With its line ends.
pub fn plain_lines(text: &str) -> String {
    shown(text, |character| character != '\n' && is_hidden(character))
}

/// JSON text, with what is hidden spelled out: to a program it says the same.
pub fn plain_json(text: &str) -> String {
    let mut units = [0; 2];
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && is_hidden(character) {
            character.encode_utf16(&mut units).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        } else {
            safe.push(character);
        }
    }
    safe
}

fn shown(text: &str, hidden: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if hidden(character) { safe.extend(character.escape_default()) } else { safe.push(character) }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, expected) in [
            ("plain, öäü 日本 🙂", "plain, öäü 日本 🙂"),
            ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            // A link that says one thing and leads elsewhere (OSC 8), and a title of the window.
            ("\u{1b}]8;;https://evil.example\u{7}bank\u{1b}]8;;\u{7}", "\\u{1b}]8;;https://evil.example\\u{7}bank\\u{1b}]8;;\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\0b\rc\td\u{8}e\u{7f}", "a\\u{0}b\\rc\\td\\u{8}e\\u{7f}"),
            ("one\nsucceeded  2026-01-01", "one\\nsucceeded  2026-01-01"),
            // Shown from right to left, and put back: `exe.pdf` for `fdp.exe`.
            ("\u{202e}fdp.exe\u{202c}", "\\u{202e}fdp.exe\\u{202c}"),
            ("\u{2066}a\u{2069}\u{200f}", "\\u{2066}a\\u{2069}\\u{200f}"),
            ("adm\u{200b}in", "adm\\u{200b}in"),
            ("line\u{2028}end", "line\\u{2028}end"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
        ] {
            assert_eq!(plain(text), expected);
            assert_eq!(plain_lines(text).replace('\n', "\\n"), expected);
            let value = serde_json::Value::String(text.to_owned());
            let json = plain_json(&value.to_string());
            assert!(!json.chars().any(is_hidden), "{json}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&json).ok(), Some(value), "to a program it says the same");
        }
    }
}
