//! What takes long is said: from two seconds on, and then every few.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// Up to two seconds nobody wonders; then every five there is a word.
const PACE: Pace = Pace { soon: Duration::from_secs(2), again: Duration::from_secs(5) };

struct Pace {
    soon: Duration,
    again: Duration,
}

/// Where an engine says what takes long: a line for people.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// Does work, and says from time to time that it is still being done: `WHAT … 7 s`, and in the end `WHAT … done after 9 s`.
pub(super) async fn telling<T>(progress: &Progress, what: &str, work: impl Future<Output = T>) -> T {
    paced(&PACE, progress, what, work).await
}

async fn paced<T>(pace: &Pace, progress: &Progress, what: &str, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let mut work = std::pin::pin!(work);
    let mut next = pace.soon;
    let mut said = false;
    loop {
        let done = tokio::time::timeout(next, &mut work).await;
        let seconds = started.elapsed().as_secs();
        match done {
            Ok(done) => {
                if said {
                    progress(&format!("{what} … done after {seconds} s"));
                }
                return done;
            }
            Err(_) => progress(&format!("{what} … {seconds} s")),
        }
        said = true;
        next = pace.again;
    }
}

/// A component's name for people, with its size: `slack (12.4 MB)`.
pub(super) fn named(name: &str, bytes: usize) -> String {
    format!("{} ({:.1} MB)", name.escape_debug(), bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn only_what_takes_long_is_said() {
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = said.clone();
        let progress: Progress = Arc::new(move |line: &str| lines.lock().expect("no test panics with it").push(line.to_owned()));
        paced(&Pace { soon: Duration::from_secs(60), again: Duration::ZERO }, &progress, "compiling a", tokio::task::yield_now()).await;
        assert_eq!(said.lock().expect("no test panics with it").len(), 0);
        let pace = Pace { soon: Duration::from_millis(10), again: Duration::from_millis(10) };
        paced(&pace, &progress, "compiling b", tokio::time::sleep(Duration::from_millis(100))).await;
        let said = said.lock().expect("no test panics with it").clone();
        let (last, before) = said.split_last().expect("it took long");
        assert!(before.len() > 1 && before.iter().all(|line| line == "compiling b … 0 s"), "{said:?}");
        assert_eq!(last, "compiling b … done after 0 s");
        assert_eq!(named("slack", 12_400_000), "slack (12.4 MB)");
    }
}
