//! A file's log, which is copied into it beside the writer.

use std::path::Path;
use std::time::Duration;

use super::{House, NewEvent, event, house, start};

/// Bytes of a file.
fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

#[tokio::test]
async fn what_is_written_gets_into_the_file_beside_the_writer_and_the_log_begins_anew() {
    const MIB: u64 = 1 << 20;
    let House { store, _folder: folder } = house().await;
    let (file, log) = (folder.path().join("s.db"), folder.path().join("s.db-wal"));
    let body = "x".repeat(64 << 10);
    let mut number = 0;
    for round in 1..=8 {
        // Less than 16 MiB may be left in the log: what is copied in the middle of a round leaves little for its end.
        let wanted = round * 20 * MIB - 16 * MIB;
        for _ in 0..20 {
            let events = (0..16).map(|_| {
                number += 1;
                NewEvent { body: body.as_str().into(), runs: Vec::new(), ..event(number, None, start()) }
            });
            store.accept(events.collect()).await.expect("the store works");
        }
        for wait in 0.. {
            if size(&file) >= wanted {
                break;
            }
            assert!(wait < 1000, "round {round}: {wanted} bytes are wanted in the file, and {} are there", size(&file));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(size(&log) < 100 * MIB, "160 MiB were written, and the log never began anew: it has {} MiB", size(&log) / MIB);
    store.close().await;
    assert_eq!(size(&log), 0, "nothing is left in the log of a store that was closed");
}
