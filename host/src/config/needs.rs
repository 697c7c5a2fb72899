//! `needs`: which step waits for which.

use super::problems::did_you_mean;
use super::reader::Reader;
use super::section::Section;

/// The order among the steps of one route.
pub(super) struct Needs {
    /// For each step the indexes of those it waits for.
    pub(super) direct: Vec<Vec<usize>>,
    /// For each step and each other whether the other has ended before it starts.
    pub(super) before: Vec<Vec<bool>>,
}

/// Reads `needs` of all steps and reports cycles.
pub(super) fn needs(r: &mut Reader<'_>, sections: &mut [Section<'_>], names: &[String]) -> Needs {
    let mut direct = Vec::with_capacity(sections.len());
    for (index, section) in sections.iter_mut().enumerate() {
        direct.push(match section.get("needs") {
            Some(item) => {
                let mut indexes = Vec::new();
                for text in item.texts(r) {
                    match names.iter().position(|name| name == text.value) {
                        Some(found) if !indexes.contains(&found) => indexes.push(found),
                        Some(_) => {}
                        None => {
                            let known = names.iter().map(String::as_str).filter(|name| !name.is_empty());
                            let help = did_you_mean(text.value, known);
                            r.error(&text.span, format!("there is no step `{}` in this route", text.value)).help = help;
                        }
                    }
                }
                indexes
            }
            None => index.checked_sub(1).into_iter().collect(),
        });
    }
    report_cycles(r, sections, names, &direct);
    let before = (0..direct.len()).map(|step| reachable(&direct, step)).collect();
    Needs { direct, before }
}

/// Which steps are needed by `start`, directly or through others.
fn reachable(direct: &[Vec<usize>], start: usize) -> Vec<bool> {
    let mut found = vec![false; direct.len()];
    let mut open = direct[start].clone();
    while let Some(step) = open.pop() {
        if !found[step] {
            found[step] = true;
            open.extend(&direct[step]);
        }
    }
    found
}

fn report_cycles(r: &mut Reader<'_>, sections: &mut [Section<'_>], names: &[String], direct: &[Vec<usize>]) {
    let mut reported = vec![false; direct.len()];
    for start in 0..direct.len() {
        if reported[start] || !reachable(direct, start)[start] {
            continue;
        }
        let cycle = cycle(direct, start);
        for step in &cycle {
            reported[*step] = true;
        }
        let path: Vec<String> = cycle.iter().chain([&start]).map(|step| format!("`{}`", names[*step])).collect();
        let own = cycle.iter().find_map(|step| sections[*step].get("needs"));
        let span = own.map_or_else(|| sections[start].span.clone(), |item| item.span);
        r.error(&span, format!("these steps wait for each other for ever: {}", path.join(" needs ")))
            .help("take one of them out of `needs`; without `needs` a step waits for the one above it, `needs = []` for none");
    }
}

/// The shortest way from `start` back to itself, which is known to exist.
fn cycle(direct: &[Vec<usize>], start: usize) -> Vec<usize> {
    let mut came_from = vec![None; direct.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(step) = queue.pop_front() {
        for next in &direct[step] {
            if *next == start {
                let mut path = vec![step];
                while let Some(previous) = came_from[path[path.len() - 1]] {
                    path.push(previous);
                }
                path.reverse();
                return path;
            }
            if came_from[*next].is_none() {
                came_from[*next] = Some(step);
                queue.push_back(*next);
            }
        }
    }
    vec![start]
}
