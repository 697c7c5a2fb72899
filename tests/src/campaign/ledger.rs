//! What was accepted, and what therefore must have arrived.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::report::Report;

/// The senders' book.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    accepted: u64,
    tries: u64,
    /// Paths at the sink, each of one write of one event.
    expected: Vec<String>,
    /// Increments by key.
    counters: BTreeMap<String, i64>,
}

/// An event, and what it stands for.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    /// Paths of its writes, each its own.
    pub(super) paths: Vec<String>,
    /// The key that it adds one to.
    pub(super) counter: Option<String>,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event was answered with 202.
    pub(super) fn accept(&self, meaning: Meaning) {
        let mut book = self.lock();
        book.accepted += 1;
        book.expected.extend(meaning.paths);
        if let Some(key) = meaning.counter {
            *book.counters.entry(key).or_default() += 1;
        }
    }

    /// An event was sent, perhaps again.
    pub(super) fn tried(&self) {
        self.lock().tries += 1;
    }

    pub(super) fn accepted(&self) -> u64 {
        self.lock().accepted
    }

    /// Effects still to come, where that many have.
    pub(super) fn outstanding(&self, seen: usize) -> usize {
        self.lock().expected.len().saturating_sub(seen)
    }

    /// Compares with what the sink counted, in the order in which it did, and with the counters' values.
    pub(super) fn compare(&self, seen: &[String], counters: &BTreeMap<String, i64>) -> Report {
        let book = self.lock();
        let mut counts: HashMap<&str, u32> = HashMap::new();
        for path in seen {
            *counts.entry(path).or_default() += 1;
        }
        let mut lost: Vec<String> = book.expected.iter().filter(|path| !counts.contains_key(path.as_str())).cloned().collect();
        let mut doubled: Vec<String> =
            counts.iter().filter(|(_, count)| **count > 1).map(|(path, count)| format!("{path} ({count} times)")).collect();
        let asked: std::collections::HashSet<&str> = book.expected.iter().map(String::as_str).collect();
        let mut unasked: Vec<String> = counts.keys().filter(|path| !asked.contains(*path)).map(|path| (*path).to_owned()).collect();
        lost.sort();
        doubled.sort();
        unasked.sort();
        let wrong = |(key, sum): (&String, &i64)| {
            let found = counters.get(key).copied().unwrap_or(0);
            (found != *sum).then(|| format!("{key} is {found} and not {sum}"))
        };
        Report {
            sent: book.tries,
            accepted: book.accepted,
            expected: book.expected.len(),
            seen: seen.len(),
            lost,
            doubled,
            unasked,
            out_of_order: out_of_order(seen),
            wrong_counters: book.counters.iter().filter_map(wrong).collect(),
            ..Report::default()
        }
    }
}

/// Effects of `/chain/KEY/NUMBER/STEP` that came after one of the same key with a higher number.
fn out_of_order(seen: &[String]) -> Vec<String> {
    let mut highest: HashMap<&str, u64> = HashMap::new();
    let mut found = Vec::new();
    for path in seen {
        let Some((key, rest)) = path.strip_prefix("/chain/").and_then(|rest| rest.split_once('/')) else { continue };
        let Some(number) = rest.split('/').next().and_then(|number| number.parse().ok()) else { continue };
        let before = highest.entry(key).or_insert(number);
        if number < *before {
            found.push(format!("{path} came after number {before}"));
        }
        *before = number.max(*before);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn whatever_differs_is_reported() {
        let ledger = Ledger::default();
        ledger.accept(Meaning { paths: paths(&["/chain/a/0/first", "/chain/a/0/last"]), counter: Some("c".to_owned()) });
        ledger.accept(Meaning { paths: paths(&["/chain/a/1/first", "/chain/a/1/last"]), counter: Some("c".to_owned()) });
        let right = paths(&["/chain/a/0/first", "/chain/a/0/last", "/chain/a/1/first", "/chain/a/1/last"]);
        let counters = BTreeMap::from([("c".to_owned(), 2)]);
        assert!(ledger.compare(&right, &counters).is_right());
        assert_eq!(ledger.compare(&right, &BTreeMap::new()).wrong_counters, ["c is 0 and not 2"]);
        let wrong = paths(&["/chain/a/1/first", "/chain/a/0/first", "/chain/a/0/first", "/chain/a/0/last", "/x"]);
        let report = ledger.compare(&wrong, &counters);
        assert_eq!(report.lost, ["/chain/a/1/last"]);
        assert_eq!(report.doubled, ["/chain/a/0/first (2 times)"]);
        assert_eq!(report.unasked, ["/x"]);
        assert_eq!(report.out_of_order.len(), 3);
        assert!(!report.is_right());
    }
}
