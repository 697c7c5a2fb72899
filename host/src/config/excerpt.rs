//! The lines of the file that made each route, with the comments that belong to them.

use std::collections::BTreeMap;

use super::problems::FileText;
use super::{Loaded, masked};

/// A route as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Its lines, with their comments; secrets in clear text are stars.
    pub text: String,
    /// The line of the file that its text begins with, from 1.
    pub line: usize,
    /// All lines of the file that are its own.
    lines: Vec<usize>,
}

impl Excerpt {
    /// Whether a line of the file is one of its own.
    pub fn has_line(&self, line: usize) -> bool {
        self.lines.binary_search(&line).is_ok()
    }
}

impl Loaded {
    /// The text of every route that stands in the file, by its name.
    pub fn excerpts(&self) -> BTreeMap<String, Excerpt> {
        let shown = masked(&self.text, &self.hidden);
        let lines: Vec<&str> = shown.lines().collect();
        let owners = self.owners(&lines);
        let mut excerpts = BTreeMap::new();
        for (index, route) in self.config.routes.iter().enumerate() {
            // Those that the host makes for subscribers stand in no file.
            if self.positions.get(&format!("routes[{index}]")).is_none() {
                continue;
            }
            let mut own: Vec<usize> = (0..lines.len()).filter(|line| owners[*line] == Some(index)).collect();
            let is_blank = |line: &usize| lines[*line].trim().is_empty();
            while own.last().is_some_and(is_blank) {
                own.pop();
            }
            let Some(first) = own.first().copied() else { continue };
            let text = own.iter().map(|line| format!("{}\n", lines[*line])).collect();
            let lines = own.into_iter().map(|line| line + 1).collect();
            excerpts.insert(route.name.clone(), Excerpt { text, line: first + 1, lines });
        }
        excerpts
    }

    /// The route that each line belongs to. A line belongs to what was named last; a comment right above a table belongs to the table.
    fn owners(&self, lines: &[&str]) -> Vec<Option<usize>> {
        let text = FileText::new(self.text.clone());
        let mut named: BTreeMap<usize, (usize, Option<usize>)> = BTreeMap::new();
        for (path, position) in self.positions.iter().filter(|(path, _)| *path != "routes") {
            let start = position.key.start;
            let (line, _) = text.position(start);
            // Of several on one line the first says whose it is.
            let first = named.entry(line - 1).or_insert((start, owner(path)));
            if start < first.0 {
                *first = (start, owner(path));
            }
        }
        let mut owners = vec![None; lines.len()];
        let mut present = None;
        for line in 0..lines.len() {
            if let Some((_, owner)) = named.get(&line) {
                if *owner != present {
                    let comments = (0..line).rev().take_while(|above| lines[*above].trim_start().starts_with('#'));
                    comments.for_each(|above| owners[above] = *owner);
                }
                present = *owner;
            }
            owners[line] = present;
        }
        owners
    }
}

/// `0` of `routes[0].steps[1].with`.
fn owner(path: &str) -> Option<usize> {
    path.strip_prefix("routes[")?.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Outside, parse};

    const FILE: &str = r#"# The host.
[server]
listen = "127.0.0.1:0"

# Jobs that are done.
[[routes]]
name = "done" # said once
on = { type = "job" }

# The first step.
[[routes.steps]]
name = "a"
uses = "sangam.emit"
with = { type = "x", data = """
# no comment
""" }

# Of the relay.
[nats.n]
servers = ["nats://127.0.0.1:4222"]

[[routes.steps]]
name = "b"
uses = "sangam.emit"
with = { type = "x" }


# Another one.
[[routes]]
name = "other"
on = { type = "job" }
[[routes.steps]]
name = "c"
uses = "sangam.emit"
with = { type = "y" }
"#;

    #[test]
    fn a_route_is_cut_out_with_its_comments_and_without_its_neighbours() {
        let outside = Outside { env: &|_| None, file: &|_| Err(std::io::ErrorKind::NotFound.into()) };
        let loaded = parse(FILE, "sangam.toml", Path::new("/"), &outside).unwrap_or_else(|problems| panic!("{problems}"));
        let excerpts = loaded.excerpts();
        let done = &excerpts["done"];
        assert_eq!(done.line, 5);
        assert!(done.text.starts_with("# Jobs that are done.\n[[routes]]\nname = \"done\" # said once\n"), "{}", done.text);
        assert!(done.text.contains("# The first step.\n") && done.text.contains("# no comment\n"), "{}", done.text);
        assert!(done.text.ends_with("name = \"b\"\nuses = \"sangam.emit\"\nwith = { type = \"x\" }\n"), "{}", done.text);
        assert!(!done.text.contains("relay") && !done.text.contains("nats"), "{}", done.text);
        assert!(done.has_line(6) && !done.has_line(20) && done.has_line(22));
        assert!(excerpts["other"].text.starts_with("# Another one.\n[[routes]]\n"), "{}", excerpts["other"].text);
    }
}
