//! What reasons of the same failure have in common: the words, without the numbers, ids and values of one event.

use serde_json::Value;

/// Stands for what differs.
pub const GAP: &str = "…";
/// Longest reason that is looked at, in characters: what differs behind it makes no other cause.
const MOST_TEXT: usize = 400;
/// Most values of an event that are looked for; a failure names those that stand at its top.
const MOST_VALUES: usize = 200;
/// Shorter values are parts of words.
const LEAST_VALUE: usize = 3;
/// Longer ones are not quoted whole.
const MOST_VALUE: usize = 80;
/// Values of more words are sentences: an event may say what failed elsewhere.
const MOST_WORDS: usize = 4;
/// Words before a number of three digits that make it a status, which is no id.
const BEFORE_STATUS: [&str; 9] = ["answered", "status", "http", "code", "with", "returned", "got", "was", "error"];
/// More words than this are a sentence, also in quotes.
const MOST_WORDS_OF_A_VALUE: usize = 2;

/// The pattern of a reason: values of the event, quoted values, and words with digits taken out. A status stays: 404 is not 503.
pub fn of(reason: &str, event: &Value) -> String {
    let mut text: String = reason.chars().take(MOST_TEXT).collect();
    let mut values = Vec::new();
    gather(&event["data"], &mut values);
    values.extend(["id", "subject"].iter().filter_map(|name| event[*name].as_str()));
    values.retain(|value| (LEAST_VALUE..=MOST_VALUE).contains(&value.len()) && value.split_whitespace().count() <= MOST_WORDS);
    // The longest first: "Ann Smith" before "Ann".
    values.sort_by_key(|value| (usize::MAX - value.len(), *value));
    values.dedup();
    for value in values {
        take_out(&mut text, value);
    }
    closed(&words(&text))
}

/// Texts of an event, down to a number of them.
fn gather<'v>(value: &'v Value, values: &mut Vec<&'v str>) {
    if values.len() >= MOST_VALUES {
        return;
    }
    match value {
        Value::String(text) => values.push(text),
        Value::Array(items) => items.iter().for_each(|item| gather(item, values)),
        Value::Object(members) => members.values().for_each(|member| gather(member, values)),
        // Words with digits go in any case.
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Takes a value out where it stands as a word, or several.
fn take_out(text: &mut String, value: &str) {
    let mut from = 0;
    while let Some(at) = text[from..].find(value).map(|at| from + at) {
        let end = at + value.len();
        let apart = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
        if apart(text[..at].chars().next_back()) && apart(text[end..].chars().next()) {
            text.replace_range(at..end, GAP);
            from = at + GAP.len();
        } else {
            from = end;
        }
    }
}

/// The text with a gap for each word that has a digit, and for each short text in quotes.
fn words(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((inside, after)) = quoted(rest, kept.chars().next_back()) {
            let quote = first;
            kept.push(quote);
            kept.push_str(&of_quotes(inside, after));
            kept.push(closing(quote));
            rest = after;
        } else if is_of_word(first) {
            let end = rest.find(|character| !is_of_word(character)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            // A full stop ends a sentence, a colon what is said.
            let bare = word.trim_end_matches(['.', ':', '-']);
            let differs = bare.chars().any(|character| character.is_ascii_digit() || character == '@') && !is_status(bare, &kept);
            kept.push_str(if differs { GAP } else { bare });
            kept.push_str(&word[bare.len()..]);
            rest = after;
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    kept
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || ['.', ':', '-', '_', '@', '+', '%', '~', '$'].contains(&character)
}

/// What stands in quotes at the beginning, and what comes behind. An apostrophe within a word opens nothing.
fn quoted(text: &str, before: Option<char>) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|quote| ['"', '\'', '`', '“', '‘', '«'].contains(quote))?;
    if quote == '\'' && before.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let inside = &text[quote.len_utf8()..];
    let close = closing(quote);
    let end = inside.find(close)?;
    let after = &inside[end + close.len_utf8()..];
    if quote == '\'' && after.chars().next().is_some_and(char::is_alphanumeric) {
        return None;
    }
    Some((&inside[..end], after))
}

fn closing(quote: char) -> char {
    match quote {
        '“' => '”',
        '‘' => '’',
        '«' => '»',
        same => same,
    }
}

/// What is left of a text in quotes: names of JSON members and codes of errors are the same for all, sentences lose what words do, and anything else is
/// a value.
fn of_quotes(inside: &str, after: &str) -> String {
    let is_member = after.trim_start().starts_with(':');
    let is_code = inside.len() > 2 && inside.chars().all(|character| character.is_ascii_uppercase() || character == '_');
    match inside.split_whitespace().count() {
        _ if is_code || (is_member && !inside.contains(|character: char| character.is_ascii_digit())) => inside.to_owned(),
        0..=MOST_WORDS_OF_A_VALUE => GAP.to_owned(),
        _ => words(inside),
    }
}

/// Whether three digits after that text are a status rather than an id.
fn is_status(word: &str, before: &str) -> bool {
    let is_number = word.len() == 3 && word.parse().is_ok_and(|status: u16| (100..600).contains(&status));
    let last =
        before.trim_end_matches([' ', ':', '=', '(']).rsplit(|character: char| !character.is_alphanumeric()).next().unwrap_or_default();
    is_number && BEFORE_STATUS.contains(&last.to_ascii_lowercase().as_str())
}

/// Several gaps in a row are one: lists of one failure differ in length.
fn closed(text: &str) -> String {
    let mut text = text.to_owned();
    for (several, one) in [("… …", "…"), ("…, …", "…"), ("……", "…"), ("\"…\", \"…\"", "\"…\""), ("\"…\",\"…\"", "\"…\""), ("…/…", "…")]
    {
        while text.contains(several) {
            text = text.replace(several, one);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_ids_and_values_are_gone_and_words_and_statuses_stay() {
        for (reason, pattern) in [
            (
                "Salesforce answered 404: case 5008E00000abcd is not there (NOT_FOUND)",
                "Salesforce answered 404: case … is not there (NOT_FOUND)",
            ),
            ("the request took 30001 ms, over 30000 ms", "the request took … ms, over … ms"),
            ("it was answered 503", "it was answered 503"),
            ("HTTP status 422: order 503 is paid", "HTTP status 422: order … is paid"),
            ("no contact \"Ann Smith\" in 'west'", "no contact \"…\" in '…'"),
            (
                "plugin can't reach https://crm.example:8443/cases/17?q=a1: it isn't there",
                "plugin can't reach https://…/cases/…?q=…: it isn't there",
            ),
            ("mail to ann@acme.example is refused.", "mail to … is refused."),
            (
                "rejected 400: {\"code\":\"INVALID_FIELD\",\"message\":\"the field email has no value\",\"id\":\"a\"}",
                "rejected …: {\"code\":\"INVALID_FIELD\",\"message\":\"the field email has no value\",\"id\":\"…\"}",
            ),
            ("records 1, 2, 3 and 4 differ", "records … and … differ"),
            ("trace 0190a5f2-7a6e-7bbb-8888-1234567890ab at 2026-11-28T22:00:01.123Z", "trace … at …"),
            ("\"unclosed 'quotes", "\"unclosed 'quotes"),
            ("", ""),
        ] {
            assert_eq!(of(reason, &Value::Null), pattern, "{reason}");
        }
    }

    #[test]
    fn what_the_event_says_is_gone_where_the_reason_says_it_again() {
        let event =
            json!({ "id": "order-a", "type": "order", "data": { "customer": { "name": "Ann", "full": "Ann Smith" }, "note": "is" } });
        assert_eq!(of("Ann Smith of order-a is late; Annual review by Ann", &event), "… of … is late; Annual review by …");
    }

    #[test]
    fn long_reasons_and_large_events_are_looked_at_in_part() {
        let event = json!({ "data": (0..100_000).map(|number| format!("value-{number}")).collect::<Vec<_>>() });
        let long = "word ".repeat(10_000);
        assert_eq!(of(&long, &event).chars().count(), MOST_TEXT);
    }

    #[test]
    fn a_pattern_has_itself_as_its_pattern() {
        for reason in ["a 1 b 'c' \"d e\" f", "…", "x … y", "answered 404: 'a b c 4'", "ä “ö 1” 'é"] {
            let once = of(reason, &Value::Null);
            assert_eq!(of(&once, &Value::Null), once, "{reason}");
        }
    }
}
