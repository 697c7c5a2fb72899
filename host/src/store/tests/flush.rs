//! A file's log, which is flushed beside the writer.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;

use super::{Hands, House, event, house, start};
use crate::crash::Crash;
use crate::store::StoreError;
use crate::store::file::FileOptions;
use crate::store::flush::Flush;
use crate::store::job::Pending;
use crate::store::sql::{Connection, sql};
use crate::store::terms::Terms;
use crate::store::writer::{Target, Writer};

fn options(folder: &Path) -> FileOptions {
    FileOptions::at(&folder.join("s.db")).pragma("journal_mode", "wal").busy_timeout(Duration::from_millis(50))
}

async fn writer(folder: &Path, flush: Flush) -> Writer {
    let options = options(folder);
    let mut connection = Connection::to_file(&options).expect("it is made");
    sql("create table number (n integer primary key)").execute(&mut connection).await.expect("it is new");
    connection.close().await;
    Writer::start(Target::Flushed(options, flush), None, Crash::default(), Arc::default()).await.expect("it starts")
}

async fn put(writer: &Writer, number: i64) -> Pending<()> {
    let put = writer.queue(Terms::none(), move |connection| {
        let put = sql("insert into number (n) values (?)").bind(number).execute(connection);
        Box::pin(async move { put.await.map(drop).map_err(StoreError::doing("put a number")) })
    });
    put.await.expect("the writer works")
}

/// A disk that can be gone, and whether it is.
fn disk(is_gone: bool) -> (Arc<AtomicBool>, Flush) {
    let fails = Arc::new(AtomicBool::new(is_gone));
    let is_gone = fails.clone();
    let flush = Flush::by(move |log: &File| match is_gone.load(Ordering::Relaxed) {
        true => Err(io::Error::other("the disk is gone")),
        false => log.sync_data(),
    });
    (fails, flush)
}

/// What a reader sees.
async fn numbers(folder: &Path) -> Vec<i64> {
    let mut connection = Connection::to_file(&options(folder)).expect("it is there");
    let numbers = sql("select n from number order by n").scalars(&mut connection).await.expect("it is read");
    connection.close().await;
    numbers
}

#[tokio::test]
async fn who_waits_is_answered_after_the_flush_and_the_next_transaction_is_written_meanwhile() {
    let door = Arc::new((Mutex::new(false), Condvar::new()));
    let flushes = Arc::new(AtomicU32::new(0));
    let (count, closed) = (flushes.clone(), door.clone());
    let flush = Flush::by(move |log: &File| {
        count.fetch_add(1, Ordering::Relaxed);
        let is_open = closed.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _open = closed.1.wait_while(is_open, |open| !*open).unwrap_or_else(PoisonError::into_inner);
        log.sync_data()
    });
    let folder = tempfile::tempdir().expect("a folder");
    let writer = writer(folder.path(), flush).await;
    let mut waiting = Vec::new();
    for number in 1..=4 {
        waiting.push(tokio::spawn(put(&writer, number).await.durable()));
        // The first two are transactions of their own; the others wait for a place, and nobody sees them.
        for look in 0..5000 {
            if numbers(folder.path()).await.contains(&number) || number > 2 && look == 20 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    assert_eq!(numbers(folder.path()).await, [1, 2], "one is being flushed, and one is written; the others wait for more to share theirs");
    assert!(waiting.iter().all(|one| !one.is_finished()), "nothing is durable yet");
    *door.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    door.1.notify_all();
    for one in waiting {
        one.await.expect("it does not panic").expect("it is durable");
    }
    assert_eq!(numbers(folder.path()).await, [1, 2, 3, 4]);
    assert!(flushes.load(Ordering::Relaxed) <= 3, "the last two shared a transaction");
    writer.close().await;
}

#[tokio::test]
async fn a_run_that_is_leased_with_its_acceptance_is_handed_over_beside_the_flush_and_learns_what_became_of_that() {
    let House { store, _folder: folder } = house().await;
    store.close().await;
    let hands = Arc::new(Hands::default());
    for (number, fails) in [(1, false), (2, true)] {
        let door = Arc::new((Mutex::new(false), Condvar::new()));
        let closed = door.clone();
        let flush = Flush::by(move |log: &File| {
            let is_open = closed.0.lock().unwrap_or_else(PoisonError::into_inner);
            let _open = closed.1.wait_while(is_open, |open| !*open).unwrap_or_else(PoisonError::into_inner);
            if fails { Err(io::Error::other("the disk is gone")) } else { log.sync_data() }
        });
        let target = Target::Flushed(options(folder.path()), flush);
        let writer = Writer::start(target, None, Crash::default(), Arc::default()).await.expect("it starts");
        let (asking, leased) = (writer.clone(), hands.lease(event(number, None, start())));
        let answer = tokio::spawn(async move { asking.accept(vec![leased]).await });
        let handed = async {
            while hands.ids().is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), handed).await.expect("it is handed over");
        let behind = hands.first().1.expect("it is not durable yet");
        assert!(behind.clone().now_or_never().is_none() && !answer.is_finished(), "it is still on its way");
        *door.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        door.1.notify_all();
        assert_eq!(answer.await.expect("it does not panic").is_err(), fails);
        assert_eq!(behind.await.is_err(), fails);
        writer.close().await;
    }
}

#[tokio::test]
async fn after_a_flush_that_failed_nothing_counts_as_durable_before_all_of_the_log_was_written_again() {
    let (fails, flush) = disk(true);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("s.db-wal");
    let writer = writer(folder.path(), flush).await;
    let refused = put(&writer, 1).await.durable().await.expect_err("its flush fails");
    assert!(matches!(&refused, StoreError::Unavailable(why) if why.contains("the disk is gone")), "{refused}");
    assert_eq!(numbers(folder.path()).await, [1], "it is there, for all that is known");
    fails.store(false, Ordering::Relaxed);
    put(&writer, 2).await.durable().await.expect("the log was written again");
    fails.store(true, Ordering::Relaxed);
    put(&writer, 3).await.durable().await.expect_err("its flush fails");
    fails.store(false, Ordering::Relaxed);
    // What the system has given up: the last byte of the log, which is in the frame of the last page.
    let frames = std::fs::metadata(&log).expect("it has a log").len();
    let file = File::options().read(true).write(true).open(&log).expect("it is there");
    let mut last = [0];
    file.read_exact_at(&mut last, frames - 1).expect("it is read");
    file.write_all_at(&[!last[0]], frames - 1).expect("it is written");
    for _ in 0..2 {
        let refused = put(&writer, 4).await.durable().await.expect_err("the log has a gap");
        let why = crate::telemetry::chain(&refused);
        assert!(why.contains("of the database's log is not as it was written") && why.contains("restore a backup"), "{why}");
    }
    file.write_all_at(&last, frames - 1).expect("it is written");
    put(&writer, 5).await.durable().await.expect("it is whole again");
    assert_eq!(numbers(folder.path()).await, [1, 2, 3, 5]);
    writer.close().await;
}

#[tokio::test]
async fn a_log_that_the_disk_has_lost_part_of_is_not_copied_when_the_host_stops() {
    let (fails, flush) = disk(false);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("s.db-wal");
    let writer = writer(folder.path(), flush).await;
    put(&writer, 1).await.durable().await.expect("it is durable");
    fails.store(true, Ordering::Relaxed);
    put(&writer, 2).await.durable().await.expect_err("its flush fails");
    let frames = std::fs::metadata(&log).expect("it has a log").len();
    let file = File::options().write(true).open(&log).expect("it is there");
    file.write_all_at(&[0xff; 64], frames - 64).expect("it is written");
    writer.close().await;
    // The host is gone, and with it what it knew of the log.
    let after = tempfile::tempdir().expect("a folder");
    for name in ["s.db", "s.db-wal"] {
        std::fs::copy(folder.path().join(name), after.path().join(name)).expect("it is there still");
    }
    assert_eq!(numbers(after.path()).await, [1]);
    let mut connection = Connection::to_file(&options(after.path())).expect("it is there");
    let said: Vec<String> = sql("pragma integrity_check").scalars(&mut connection).await.expect("it is looked through");
    assert_eq!(said, ["ok"]);
    connection.close().await;
}

#[tokio::test]
async fn a_file_is_opened_by_a_link_and_its_log_is_beside_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("there")).expect("it is made");
    let there = folder.path().join("there/s.db");
    std::fs::write(&there, []).expect("it is made");
    std::os::unix::fs::symlink(&there, folder.path().join("s.db")).expect("it is made");
    let writer = writer(folder.path(), Flush::by(File::sync_data)).await;
    put(&writer, 1).await.durable().await.expect("it is durable");
    assert_eq!(numbers(folder.path()).await, [1]);
    assert!(folder.path().join("there/s.db-wal").exists());
    writer.close().await;
}

#[tokio::test]
async fn what_was_answered_survives_a_power_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    // What the disk has for certain: the log as it was when it was flushed last. A commit may have been on its way into it.
    let on_disk = Arc::new(Mutex::new(Vec::new()));
    let (path, flushed) = (folder.path().join("s.db-wal"), on_disk.clone());
    let flush = Flush::by(move |log: &File| {
        let bytes = std::fs::read(&path)?;
        log.sync_data()?;
        *flushed.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        Ok(())
    });
    let writer = writer(folder.path(), flush).await;
    let mut number = 0;
    for _ in 0..20 {
        let mut waiting = Vec::new();
        for _ in 0..4 {
            number += 1;
            waiting.push((number, put(&writer, number).await));
        }
        for (number, one) in waiting {
            one.durable().await.expect("the writer works");
            let log: Vec<u8> = on_disk.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let after = tempfile::tempdir().expect("a folder");
            std::fs::copy(folder.path().join("s.db"), after.path().join("s.db")).expect("it is copied");
            std::fs::write(after.path().join("s.db-wal"), log).expect("it is written");
            assert!(numbers(after.path()).await.contains(&number), "{number} was answered, and is gone");
        }
    }
    writer.close().await;
}
