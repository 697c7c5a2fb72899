//! A file, opened for writing: its statements run on the thread that asks for them.
//!
//! sqlx keeps each connection to a file on a thread of its own and hands it every statement, which wakes two threads for each. Whoever writes has a thread
//! for that already ([`writer`](super::writer), [`checkpoint`](super::checkpoint)), and runs SQLite there. Reading, where many connections stand beside each
//! other, and bringing the schema up to date are sqlx's.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::{ToSql, ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{CachedStatement, OpenFlags};
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::sqlite::SqliteConnectOptions;

use super::sql::Value;

/// Statements of a connection that stay prepared: one text for each number of rows.
const PREPARED: usize = 512;

/// Where a file is, and how it is opened.
#[derive(Debug, Clone)]
pub(super) struct FileOptions {
    path: PathBuf,
    read_only: bool,
    immutable: bool,
    busy_timeout: Duration,
    pragmas: Vec<(&'static str, &'static str)>,
}

impl FileOptions {
    /// That of a URL (`sqlite://PATH`).
    pub(super) fn of_url(url: &str) -> Result<FileOptions, sqlx::Error> {
        Ok(FileOptions::at(SqliteConnectOptions::from_str(url)?.get_filename()))
    }

    /// That at a path.
    pub(super) fn at(path: &Path) -> FileOptions {
        FileOptions { path: path.to_owned(), read_only: false, immutable: false, busy_timeout: Duration::from_secs(5), pragmas: Vec::new() }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// It is read only, and not made where there is none.
    pub(super) fn read_only(mut self) -> FileOptions {
        self.read_only = true;
        self
    }

    /// Nobody writes to it meanwhile: it is read without locks, and without a log beside it.
    pub(super) fn immutable(mut self) -> FileOptions {
        self.immutable = true;
        self
    }

    /// How long a connection waits for another that writes.
    pub(super) fn busy_timeout(mut self, timeout: Duration) -> FileOptions {
        self.busy_timeout = timeout;
        self
    }

    /// What SQLite is told when it is opened (sqlite.org/pragma.html), in this order; of two about the same the later one counts.
    pub(super) fn pragma(mut self, name: &'static str, value: &'static str) -> FileOptions {
        self.pragmas.push((name, value));
        self
    }

    /// The same for connections that read.
    pub(super) fn sqlx(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new().filename(&self.path).read_only(self.read_only).immutable(self.immutable);
        let options = options.busy_timeout(self.busy_timeout);
        self.pragmas.iter().fold(options, |options, (name, value)| options.pragma(*name, *value))
    }
}

/// A connection to a file.
#[derive(Debug)]
pub(super) struct File(rusqlite::Connection);

impl File {
    /// Opens it.
    pub(super) fn open(options: &FileOptions) -> Result<File, sqlx::Error> {
        let mode = match options.read_only {
            true => OpenFlags::SQLITE_OPEN_READ_ONLY,
            false => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        let mode = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match options.immutable {
            // Only a URL can say so (sqlite.org/uri.html).
            true => rusqlite::Connection::open_with_flags(immutable(&options.path)?, mode | OpenFlags::SQLITE_OPEN_URI),
            false => rusqlite::Connection::open_with_flags(&options.path, mode),
        };
        let connection = connection.map_err(told)?;
        connection.busy_timeout(options.busy_timeout).map_err(told)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        let pragmas = options.pragmas.iter().map(|(name, value)| format!("pragma {name} = {value};"));
        connection.execute_batch(&pragmas.collect::<String>()).map_err(told)?;
        Ok(File(connection))
    }

    /// Runs a statement; gives the number of rows it changed.
    pub(super) fn run(&self, text: &str, values: &[Value<'_>]) -> Result<u64, sqlx::Error> {
        let mut statement = self.bound(text, values)?;
        let mut rows = statement.raw_query();
        while rows.next().map_err(told)?.is_some() {}
        Ok(self.0.changes())
    }

    /// The first rows of a statement.
    pub(super) fn rows(&self, text: &str, values: &[Value<'_>], most: usize) -> Result<Vec<FileRow>, sqlx::Error> {
        let mut statement = self.bound(text, values)?;
        let names: Arc<[String]> = statement.column_names().into_iter().map(str::to_owned).collect();
        let (mut rows, mut read) = (statement.raw_query(), Vec::new());
        while read.len() < most
            && let Some(row) = rows.next().map_err(told)?
        {
            let columns = (0..names.len()).map(|place| row.get(place)).collect::<Result<_, _>>().map_err(told)?;
            read.push(FileRow { names: names.clone(), columns });
        }
        Ok(read)
    }

    fn bound(&self, text: &str, values: &[Value<'_>]) -> Result<CachedStatement<'_>, sqlx::Error> {
        let mut statement = self.0.prepare_cached(text).map_err(told)?;
        if statement.parameter_count() != values.len() {
            return Err(sqlx::Error::Protocol(format!("{} values for: {text}", values.len())));
        }
        for (place, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(place + 1, value).map_err(told)?;
        }
        Ok(statement)
    }

    /// Closes it.
    pub(super) fn close(self) -> Result<(), sqlx::Error> {
        self.0.close().map_err(|(_, error)| told(error))
    }
}

fn immutable(path: &Path) -> Result<String, sqlx::Error> {
    let path = std::path::absolute(path).map_err(sqlx::Error::Io)?;
    let mut url = url::Url::from_file_path(path).map_err(|()| sqlx::Error::Protocol("its path is not absolute".to_owned()))?;
    url.set_query(Some("immutable=1"));
    Ok(url.into())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Value::Integer(Some(value)) => ValueRef::Integer(*value),
            Value::Text(Some(value)) => ValueRef::Text(value.as_bytes()),
            Value::Shared(value) => ValueRef::Text(value.as_bytes()),
            Value::Blob(Some(value)) => ValueRef::Blob(value),
            Value::Integer(None) | Value::Text(None) | Value::Blob(None) => ValueRef::Null,
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// A row of a file.
#[derive(Debug)]
pub(super) struct FileRow {
    names: Arc<[String]>,
    columns: Box<[Stored]>,
}

impl FileRow {
    /// The place of a column, from 0.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|one| one == name)
    }

    /// What stands at a place.
    pub(super) fn column(&self, place: usize) -> Option<&Stored> {
        self.columns.get(place)
    }
}

/// What SQLite says, with its extended result code (sqlite.org/rescode.html).
#[derive(Debug)]
struct FileError {
    code: i32,
    message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl Error for FileError {}

impl DatabaseError for FileError {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// As sqlx would tell it.
fn told(error: rusqlite::Error) -> sqlx::Error {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            let message = message.unwrap_or_else(|| failure.to_string());
            sqlx::Error::Database(Box::new(FileError { code: failure.extended_code, message }))
        }
        other => sqlx::Error::Protocol(other.to_string()),
    }
}
