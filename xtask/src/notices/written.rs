//! The file of notices, as people read it.

use std::collections::BTreeMap;

use super::Part;

const HEAD: &str = "\
What the program sangam and its connectors hold that others wrote, with the notices of those who did.

First each part with its terms, its home and the numbers of its texts: packages in Rust as their
registry names them, then what serves browsers, and Rust's standard library. Then the texts, each
once. A text has the path that it has in its part's sources. Sources hold more than is compiled, so a
text may be of something that is not in here, such as SQLCipher, which lies beside SQLite. Where terms
leave a choice (OR), the texts of all are here; what is chosen is never one of GNU's.

Not in this list is what connectors hold of C's library for WebAssembly (wasi-libc) and, where they
are written in other languages than Rust, of those languages' own libraries.
";

/// The whole file: what parts there are, then their texts.
pub(super) fn written(parts: &[Part]) -> String {
    // By their words: lines are broken elsewhere in one copy, and end otherwise in another.
    let mut numbers: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    let mut texts: Vec<(&str, Vec<&str>)> = Vec::new();
    let rule = "-".repeat(100);
    let mut file = HEAD.to_owned();
    for part in parts {
        file += &format!("\n{}\n", part.name);
        let terms = [part.terms.as_str(), part.repository.as_str()];
        file += &wrapped(terms.into_iter().filter(|word| !word.is_empty()), ", ");
        let mut files = Vec::new();
        for (path, text) in &part.texts {
            let number = *numbers.entry(text.split_whitespace().collect()).or_insert_with(|| {
                texts.push((text, Vec::new()));
                texts.len()
            });
            let (_, of) = &mut texts[number - 1];
            if of.last() != Some(&part.name.as_str()) {
                of.push(&part.name);
            }
            files.push(format!("{path} [{number}]"));
        }
        match &part.lender {
            Some(lender) => file += &format!("    The package carries no text. This is that of {lender}:\n"),
            None if part.texts.is_empty() => {
                let by = if part.authors.is_empty() { String::new() } else { format!(" It is by {}.", part.authors) };
                file += &format!("    The package carries no text, and no other of its repository does.{by}\n");
            }
            None => {}
        }
        file += &wrapped(files.iter().map(String::as_str), ", ");
    }
    for (number, (text, of)) in (1..).zip(&texts) {
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        file += &format!("\n{rule}\n[{number}]\n{}{rule}\n\n{}\n", wrapped(of.iter().copied(), ", "), lines.join("\n").trim_matches('\n'));
    }
    file
}

/// Words in lines of about a hundred characters, or nothing of none.
fn wrapped<'a>(words: impl Iterator<Item = &'a str>, between: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < 98 => *line += &format!("{between}{word}"),
            last => {
                if let Some(line) = last {
                    *line += between.trim_end();
                }
                lines.push(format!("    {word}"));
            }
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Part, written};

    fn part(name: &str, texts: &[(&str, &str)]) -> Part {
        let texts = texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Part { name: name.into(), terms: "MIT".into(), texts, ..Part::default() }
    }

    #[test]
    fn a_text_that_several_have_is_written_once_and_names_them() {
        let one = part("one 1.0.0", &[("LICENSE", "Permission is\r\nhereby granted\r\n"), ("c/COPYING", "Redistribution")]);
        let lent = Part { lender: Some("one 1.0.0".into()), ..part("other 2.0.0", &[("LICENSE", "\nPermission is hereby\ngranted")]) };
        let none = Part { authors: "Ana Ruiz".into(), ..part("third 3.0.0", &[]) };
        let file = written(&[one, lent, none]);
        let (_, file) = file.split_once("\n\none").expect("the parts follow the head");
        let rule = "-".repeat(100);
        let expected = format!(
            " 1.0.0
    MIT
    LICENSE [1], c/COPYING [2]

other 2.0.0
    MIT
    The package carries no text. This is that of one 1.0.0:
    LICENSE [1]

third 3.0.0
    MIT
    The package carries no text, and no other of its repository does. It is by Ana Ruiz.

{rule}
[1]
    one 1.0.0, other 2.0.0
{rule}

Permission is
hereby granted

{rule}
[2]
    one 1.0.0
{rule}

Redistribution
"
        );
        assert_eq!(file, expected);
    }
}
