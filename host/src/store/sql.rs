//! One way to say a statement to two databases.
//!
//! Statements are written once, in what SQLite and PostgreSQL both understand, with `?` or `?N` for values; PostgreSQL gets them as `$N`.
//! Values are whole numbers (flags are 0 and 1), text and bytes. sqlx's own `Any` driver was looked at: it needs a process-wide registration and
//! gives neither the dialect at hand nor the backend's process id that our notifications need.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgRow};
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, Postgres, Sqlite};
use tokio::time::timeout;

use super::file::{File, FileOptions, FileRow};
use super::row::{FromColumn, Row};
use crate::live::News;

/// Longest read: a whole table of a large store, for those who look after it.
const READ: Duration = Duration::from_secs(60);

/// Statements of a connection that stay prepared: one text for each number of rows.
const PREPARED: usize = 512;

/// Which language a database speaks where the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// One file, one host.
    Sqlite,
    /// Several hosts.
    Postgres,
}

/// Connections for reading.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    /// To a file.
    Sqlite(SqlitePool),
    /// To a server.
    Postgres(PgPool),
}

/// One connection, with what the transaction under way on it changes.
#[derive(Debug)]
pub(super) struct Connection {
    wire: Wire,
    news: Vec<News>,
}

/// What it leads to.
#[derive(Debug)]
enum Wire {
    /// To a file. Its statements run on the thread that asks: not on one of the runtime's.
    Sqlite(Box<File>),
    /// To a server.
    Postgres(Box<PgConnection>),
}

/// Where a statement runs.
pub(super) enum On<'a> {
    /// On that connection.
    Connection(&'a mut Connection),
    /// On any connection of a pool.
    Pool(&'a Pool),
}

impl<'a> From<&'a mut Connection> for On<'a> {
    fn from(connection: &'a mut Connection) -> On<'a> {
        On::Connection(connection)
    }
}

impl<'a> From<&'a Pool> for On<'a> {
    fn from(pool: &'a Pool) -> On<'a> {
        On::Pool(pool)
    }
}

/// A value bound to a statement. Null has a type too: PostgreSQL asks for it.
#[derive(Debug, Clone)]
pub(super) enum Value<'v> {
    /// A whole number, a time in milliseconds, or a flag.
    Integer(Option<i64>),
    /// Text.
    Text(Option<Cow<'v, str>>),
    /// Text that others have too.
    Shared(Arc<str>),
    /// Bytes.
    Blob(Option<Cow<'v, [u8]>>),
}

impl Value<'_> {
    /// The same value, for others to bind.
    pub(super) fn lent(&self) -> Value<'_> {
        match self {
            Value::Integer(value) => Value::Integer(*value),
            Value::Text(value) => Value::Text(value.as_deref().map(Cow::Borrowed)),
            Value::Shared(value) => Value::Text(Some(Cow::Borrowed(value))),
            Value::Blob(value) => Value::Blob(value.as_deref().map(Cow::Borrowed)),
        }
    }

    /// The same value, on its own.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Value::Integer(value) => Value::Integer(value),
            Value::Text(value) => Value::Text(value.map(|text| Cow::Owned(text.into_owned()))),
            Value::Shared(value) => Value::Shared(value),
            Value::Blob(value) => Value::Blob(value.map(|bytes| Cow::Owned(bytes.into_owned()))),
        }
    }

    /// Null, of the same type.
    fn null(&self) -> Value<'static> {
        match self {
            Value::Integer(_) => Value::Integer(None),
            Value::Text(_) | Value::Shared(_) => Value::Text(None),
            Value::Blob(_) => Value::Blob(None),
        }
    }
}

macro_rules! values {
    ($($from:ty => |$value:ident| $variant:ident($into:expr);)*) => {$(
        impl<'v> From<$from> for Value<'v> {
            fn from($value: $from) -> Value<'v> {
                Value::$variant(Some($into))
            }
        }

        impl<'v> From<Option<$from>> for Value<'v> {
            fn from(value: Option<$from>) -> Value<'v> {
                Value::$variant(value.map(|$value| $into))
            }
        }
    )*};
}

values! {
    i64 => |value| Integer(value);
    i32 => |value| Integer(value.into());
    u32 => |value| Integer(value.into());
    u16 => |value| Integer(value.into());
    bool => |value| Integer(value.into());
    String => |value| Text(Cow::Owned(value));
    &'v str => |value| Text(Cow::Borrowed(value));
    &'v String => |value| Text(Cow::Borrowed(value.as_str()));
    Vec<u8> => |value| Blob(Cow::Owned(value));
    &'v [u8] => |value| Blob(Cow::Borrowed(value));
    &'v Vec<u8> => |value| Blob(Cow::Borrowed(value.as_slice()));
}

impl From<&Arc<str>> for Value<'_> {
    fn from(value: &Arc<str>) -> Self {
        Value::Shared(value.clone())
    }
}

impl<'v> From<&'v Option<String>> for Value<'v> {
    fn from(value: &'v Option<String>) -> Value<'v> {
        value.as_deref().into()
    }
}

impl<'v> From<&'v Option<Vec<u8>>> for Value<'v> {
    fn from(value: &'v Option<Vec<u8>>) -> Value<'v> {
        value.as_deref().into()
    }
}

/// A statement with its values.
#[derive(Debug)]
pub(super) struct Statement<'v> {
    text: Cow<'static, str>,
    values: Vec<Value<'v>>,
}

/// A statement.
pub(super) fn sql<'v>(text: &'static str) -> Statement<'v> {
    Statement { text: Cow::Borrowed(text), values: Vec::new() }
}

impl<'v> Statement<'v> {
    /// The value of the next `?`.
    pub(super) fn bind(mut self, value: impl Into<Value<'v>>) -> Statement<'v> {
        self.values.push(value.into());
        self
    }

    /// Adds text.
    pub(super) fn push(&mut self, text: &'static str) -> &mut Statement<'v> {
        self.text.to_mut().push_str(text);
        self
    }

    /// Adds a value.
    pub(super) fn push_bind(&mut self, value: impl Into<Value<'v>>) -> &mut Statement<'v> {
        self.values.push(value.into());
        self.push("?")
    }

    /// Adds values in parentheses, separated by commas.
    pub(super) fn push_list<V: Into<Value<'v>>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Statement<'v> {
        self.push("(");
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.push_bind(value);
        }
        self.push(")")
    }

    /// Adds `(values (…), (…))`: a table with columns `column1`, `column2` and so on. Its rows are a power of two, so that statements are few and
    /// stay prepared: those beyond the items are null.
    ///
    /// # Panics
    /// Without an item: its values say of which types the nulls are.
    pub(super) fn push_table<T: Copy, const N: usize>(&mut self, items: &[T], row: impl Fn(T) -> [Value<'v>; N]) -> &mut Statement<'v> {
        let rows = items.len().next_power_of_two();
        self.values.reserve(rows * N);
        items.iter().for_each(|item| self.values.extend(row(*item)));
        let last: Vec<Value<'static>> = self.values[self.values.len() - N..].iter().map(Value::null).collect();
        (items.len()..rows).for_each(|_| self.values.extend_from_slice(&last));
        let text = self.text.to_mut();
        let one = format!("({})", ["?"; N].join(", "));
        text.reserve(rows * (one.len() + 2) + 256);
        text.push_str("(values ");
        text.push_str(&one);
        (1..rows).for_each(|_| text.extend([", ", &one]));
        text.push(')');
        self
    }

    /// Runs it; gives the number of rows it changed.
    pub(super) async fn execute(self, on: impl Into<On<'_>>) -> Result<u64, sqlx::Error> {
        match on.into() {
            On::Connection(Connection { wire: Wire::Sqlite(file), .. }) => file.run(&self.text, &self.values),
            On::Connection(Connection { wire: Wire::Postgres(connection), .. }) => {
                Ok(self.postgres().execute(&mut **connection).await?.rows_affected())
            }
            On::Pool(Pool::Sqlite(pool)) => Ok(self.sqlite().execute(pool).await?.rows_affected()),
            On::Pool(Pool::Postgres(pool)) => Ok(answered(self.postgres().execute(pool)).await?.rows_affected()),
        }
    }

    /// All its rows.
    pub(super) async fn fetch_all(self, on: impl Into<On<'_>>) -> Result<Vec<Row>, sqlx::Error> {
        let file = |rows: Vec<FileRow>| rows.into_iter().map(Row::File).collect();
        let sqlite = |rows: Vec<SqliteRow>| rows.into_iter().map(Row::Sqlite).collect();
        let postgres = |rows: Vec<PgRow>| rows.into_iter().map(Row::Postgres).collect();
        match on.into() {
            On::Connection(Connection { wire: Wire::Sqlite(wire), .. }) => wire.rows(&self.text, &self.values, usize::MAX).map(file),
            On::Connection(Connection { wire: Wire::Postgres(connection), .. }) => {
                self.postgres().fetch_all(&mut **connection).await.map(postgres)
            }
            On::Pool(Pool::Sqlite(pool)) => self.sqlite().fetch_all(pool).await.map(sqlite),
            On::Pool(Pool::Postgres(pool)) => answered(self.postgres().fetch_all(pool)).await.map(postgres),
        }
    }

    /// Its first row, if it has one.
    pub(super) async fn fetch_optional(self, on: impl Into<On<'_>>) -> Result<Option<Row>, sqlx::Error> {
        match on.into() {
            On::Connection(Connection { wire: Wire::Sqlite(file), .. }) => Ok(file.rows(&self.text, &self.values, 1)?.pop().map(Row::File)),
            On::Connection(Connection { wire: Wire::Postgres(connection), .. }) => {
                self.postgres().fetch_optional(&mut **connection).await.map(|row| row.map(Row::Postgres))
            }
            On::Pool(Pool::Sqlite(pool)) => self.sqlite().fetch_optional(pool).await.map(|row| row.map(Row::Sqlite)),
            On::Pool(Pool::Postgres(pool)) => answered(self.postgres().fetch_optional(pool)).await.map(|row| row.map(Row::Postgres)),
        }
    }

    /// Its first row.
    pub(super) async fn fetch_one(self, on: impl Into<On<'_>>) -> Result<Row, sqlx::Error> {
        self.fetch_optional(on).await?.ok_or(sqlx::Error::RowNotFound)
    }

    /// The first column of its first row.
    pub(super) async fn scalar<T: FromColumn>(self, on: impl Into<On<'_>>) -> Result<T, sqlx::Error> {
        self.fetch_one(on).await.map(|row| row.get(0))
    }

    /// The first column of its first row, if it has one.
    pub(super) async fn scalar_optional<T: FromColumn>(self, on: impl Into<On<'_>>) -> Result<Option<T>, sqlx::Error> {
        Ok(self.fetch_optional(on).await?.map(|row| row.get(0)))
    }

    /// The first column of all its rows.
    pub(super) async fn scalars<T: FromColumn>(self, on: impl Into<On<'_>>) -> Result<Vec<T>, sqlx::Error> {
        Ok(self.fetch_all(on).await?.iter().map(|row| row.get(0)).collect())
    }

    fn sqlite(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(self.values.len(), 0);
        for value in self.values {
            match value {
                Value::Integer(value) => arguments.add(value),
                Value::Text(value) => arguments.add(value.map(Cow::into_owned)),
                Value::Shared(value) => arguments.add(value),
                Value::Blob(value) => arguments.add(value.map(Cow::into_owned)),
            }
            .expect("numbers, texts and bytes have an encoding");
        }
        match self.text {
            Cow::Borrowed(text) => sqlx::query_with(text, arguments),
            // Built of static texts only.
            Cow::Owned(text) => sqlx::query_with(AssertSqlSafe(text), arguments),
        }
    }

    fn postgres(self) -> sqlx::query::Query<'static, Postgres, PgArguments> {
        let query = sqlx::query::<Postgres>(AssertSqlSafe(numbered(&self.text)));
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Integer(value) => query.bind(value),
            Value::Text(value) => query.bind(value.map(|text| without_nul(text).into_owned())),
            Value::Shared(value) => query.bind(without_nul(Cow::Borrowed(&value)).into_owned()),
            Value::Blob(value) => query.bind(value.map(Cow::into_owned)),
        })
    }
}

/// Statements that run one after another. Those that follow one that fails don't run.
#[derive(Debug, Default)]
pub(super) struct Script<'v> {
    statements: Vec<Statement<'v>>,
}

impl<'v> Script<'v> {
    /// Adds a statement. Rows that it gives are not looked at.
    pub(super) fn add(&mut self, statement: Statement<'v>) {
        self.statements.push(statement);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.statements.len()
    }

    /// Runs them in their order; gives the number of rows that the last one changed.
    pub(super) async fn run(self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        Ok(self.counts(connection).await?.pop().unwrap_or(0))
    }

    /// Runs them in their order; gives the numbers of rows that they changed.
    pub(super) async fn counts(self, connection: &mut Connection) -> Result<Vec<u64>, sqlx::Error> {
        let mut counts = Vec::with_capacity(self.statements.len());
        for statement in self.statements {
            counts.push(statement.execute(&mut *connection).await?);
        }
        Ok(counts)
    }
}

/// A server that went away without a word never answers, and the connection says nothing of it.
async fn answered<T>(read: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let silent = |_| sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database did not answer within 60 s"));
    timeout(READ, read).await.map_err(silent)?
}

/// `?` and `?N` as `$N`. No statement of ours has a question mark in a literal.
fn numbered(text: &str) -> String {
    let mut numbered = String::with_capacity(text.len() + 16);
    let mut next = 0;
    let mut rest = text;
    while let Some(at) = rest.find('?') {
        numbered.push_str(&rest[..at]);
        numbered.push('$');
        rest = &rest[at + 1..];
        if !rest.starts_with(|character: char| character.is_ascii_digit()) {
            next += 1;
            numbered.push_str(&next.to_string());
        }
    }
    numbered.push_str(rest);
    numbered
}

/// PostgreSQL's text holds no NUL. What identifies something never has one (keys, names and order keys are checked where they come in); in what people
/// read the symbol for NUL stands in its place.
fn without_nul(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{2400}")) } else { text }
}

impl Connection {
    /// To a file.
    pub(super) fn to_file(options: &FileOptions) -> Result<Connection, sqlx::Error> {
        Ok(Connection { wire: Wire::Sqlite(Box::new(File::open(options)?)), news: Vec::new() })
    }

    /// To a server.
    pub(super) async fn to_server(options: &PgConnectOptions) -> Result<Connection, sqlx::Error> {
        let connection = options.clone().statement_cache_capacity(PREPARED).connect().await?;
        Ok(Connection { wire: Wire::Postgres(Box::new(connection)), news: Vec::new() })
    }

    /// Its dialect.
    pub(super) fn dialect(&self) -> Dialect {
        match self.wire {
            Wire::Sqlite(_) => Dialect::Sqlite,
            Wire::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Says what the transaction changes: nobody hears of it before it is durable.
    pub(super) fn tell(&mut self, news: News) {
        self.news.push(news);
    }

    /// What the transaction that is durable now has changed.
    pub(super) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Begins a transaction that will write; on a file it takes the lock now rather than with the first write, where it could no longer wait for it.
    pub(super) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        // Of one that was given up.
        self.news.clear();
        let begin = match self.wire {
            Wire::Sqlite(_) => "begin immediate",
            Wire::Postgres(_) => "begin",
        };
        sql(begin).execute(self).await.map(drop)
    }

    /// Makes it durable.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        sql("commit").execute(self).await.map(drop)
    }

    /// Undoes it. What can't be undone is undone by the database when the connection goes.
    pub(super) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        sql("rollback").execute(self).await.map(drop)
    }

    /// Closes it.
    pub(super) async fn close(self) {
        // What was committed is durable: a connection that closes badly loses nothing.
        let _ = match self.wire {
            Wire::Sqlite(file) => file.close(),
            Wire::Postgres(connection) => connection.close().await,
        };
    }
}

impl Pool {
    /// Its dialect.
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Pool::Sqlite(_) => Dialect::Sqlite,
            Pool::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Closes all its connections.
    pub(super) async fn close(&self) {
        match self {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_become_numbers() {
        assert_eq!(numbered("select ? where a = ? and b = ?2"), "select $1 where a = $2 and b = $2");
        assert_eq!(numbered("select 1"), "select 1");
    }

    #[test]
    fn a_nul_does_not_reach_a_database_that_has_none() {
        assert_eq!(without_nul("a\0b".into()), "a\u{2400}b");
    }
}
