//! Files that are written by SQLite itself and read by sqlx.

use std::path::Path;

use crate::store::file::FileOptions;
use crate::store::row::Row;
use crate::store::sql::{Connection, sql};
use crate::store::terms::Terms;
use crate::store::{Store, StoreError};

async fn numbers(connection: &mut Connection) -> Vec<i64> {
    sql("select n from number order by n").scalars(connection).await.expect("the table is there")
}

async fn made(path: &Path) -> Connection {
    let mut connection = Connection::to_file(&FileOptions::at(path).pragma("journal_mode", "wal")).expect("it is made");
    sql("create table number (n integer primary key, word text, bytes blob)").execute(&mut connection).await.expect("it is new");
    connection
}

#[tokio::test]
async fn who_reads_a_file_and_who_writes_it_are_told_the_same_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open_beside(&format!("sqlite://{}", folder.path().join("s.db").display())).await.expect("it opens");
    let pragmas = [
        "pragma auto_vacuum",
        "pragma journal_mode",
        "pragma foreign_keys",
        "pragma synchronous",
        "pragma journal_size_limit",
        "pragma temp_store",
        "pragma secure_delete",
        "pragma wal_autocheckpoint",
        "pragma busy_timeout",
    ];
    let shown = |row: Row| (row.readable::<i64>(0), row.readable::<String>(0));
    for pragma in pragmas {
        let read = sql(pragma).fetch_one(&store.readers).await.expect("it answers");
        let written = store.writer.write(Terms::none(), move |connection| {
            Box::pin(async move { sql(pragma).fetch_one(connection).await.map_err(StoreError::doing("ask")) })
        });
        assert_eq!(shown(written.await.expect("it answers")), shown(read), "{pragma}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_file_has_any_name_and_is_read_without_a_log_where_nobody_writes_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a%20 b?immutable=0#c.db");
    let mut connection = made(&path).await;
    sql("insert into number (n) values (?), (?)").bind(1).bind(2).execute(&mut connection).await.expect("it is written");
    connection.close().await;
    let names =
        || std::fs::read_dir(folder.path()).expect("the folder").map(|entry| entry.expect("a file").file_name()).collect::<Vec<_>>();
    assert_eq!(names(), [path.file_name().expect("it has one")]);
    let mut looking = Connection::to_file(&FileOptions::at(&path).read_only().immutable()).expect("it is there");
    assert_eq!(numbers(&mut looking).await, [1, 2]);
    let refused = sql("delete from number").execute(&mut looking).await.expect_err("it is read only");
    assert_eq!(refused.to_string(), "error returned from database: (code: 8) attempt to write a readonly database");
    assert_eq!(names(), [path.file_name().expect("it has one")]);
}

#[tokio::test]
async fn what_is_written_is_read_as_it_was_and_a_mistake_in_a_statement_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut connection = made(&folder.path().join("s.db")).await;
    let put = sql("insert into number (n, word, bytes) values (?, ?, ?), (?, null, null)");
    let put = put.bind(i64::MIN).bind("a\0é").bind(vec![0u8, 255]).bind(7).execute(&mut connection).await;
    assert_eq!(put.expect("it is written"), 2);
    let rows =
        sql("select n, word, bytes from number where n <> ? order by n").bind(0).fetch_all(&mut connection).await.expect("it is read");
    let read: Vec<(i64, Option<String>, Option<Vec<u8>>)> = rows.iter().map(|row| (row.get("n"), row.get("word"), row.get(2))).collect();
    assert_eq!(read, [(i64::MIN, Some("a\0é".to_owned()), Some(vec![0, 255])), (7, None, None)]);
    assert_eq!((rows[1].readable::<String>("word"), rows[0].readable::<i64>("word"), rows[0].readable::<i64>("other")), (None, None, None));
    let refused = sql("insert into number (n) values (?)").bind(7).execute(&mut connection).await.expect_err("it is there");
    assert_eq!(refused.to_string(), "error returned from database: (code: 1555) UNIQUE constraint failed: number.n");
    let refused = sql("select n from number where n = ?").fetch_all(&mut connection).await.expect_err("a value is missing");
    assert!(refused.to_string().contains("0 values for: select n from number"), "{refused}");
    let refused = sql("select m from number").fetch_all(&mut connection).await.expect_err("there is no such column");
    assert!(refused.to_string().contains("no such column: m"), "{refused}");
}
