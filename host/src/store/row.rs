//! A row of either database, and what its columns can be read as.

use rusqlite::types::Value as Stored;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Row as _};

use super::file::FileRow;

/// A row.
#[derive(Debug)]
pub(super) enum Row {
    /// Of a file that is written.
    File(FileRow),
    /// Of a file that is read.
    Sqlite(SqliteRow),
    /// Of a server.
    Postgres(PgRow),
}

impl Row {
    /// A column, by name or by place from 0.
    ///
    /// # Panics
    /// When the statement has no such column or it holds something else: then statement and schema, both ours, don't fit each other.
    pub(super) fn get<T: FromColumn>(&self, column: impl Column) -> T {
        T::from_column(self, column).expect("statements and schema fit each other")
    }
}

impl Row {
    /// A column, if it holds what it should: for tables that are read to find out whether somebody changed them by hand.
    pub(super) fn readable<T: FromColumn>(&self, column: impl Column) -> Option<T> {
        T::from_column(self, column).ok()
    }
}

/// The name or place of a column.
pub(super) trait Column: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + Copy {
    /// Its place in a row, from 0.
    fn place(self, row: &FileRow) -> Result<usize, sqlx::Error>;
}

impl Column for usize {
    fn place(self, _row: &FileRow) -> Result<usize, sqlx::Error> {
        Ok(self)
    }
}

impl Column for &str {
    fn place(self, row: &FileRow) -> Result<usize, sqlx::Error> {
        row.place(self).ok_or_else(|| sqlx::Error::ColumnNotFound(self.to_owned()))
    }
}

/// What a column of a file holds, as what it is wanted as.
fn stored<T>(row: &FileRow, column: impl Column, wanted: impl FnOnce(&Stored) -> Option<T>) -> Result<Option<T>, sqlx::Error> {
    let place = column.place(row)?;
    match row.column(place) {
        None => Err(sqlx::Error::ColumnNotFound(place.to_string())),
        Some(Stored::Null) => Ok(None),
        Some(other) => wanted(other).map(Some).ok_or_else(|| sqlx::Error::ColumnDecode {
            index: place.to_string(),
            source: format!("it holds a value of type {}", other.data_type()).into(),
        }),
    }
}

/// What a column can be read as.
pub(super) trait FromColumn: Sized {
    /// Reads it.
    fn from_column(row: &Row, column: impl Column) -> Result<Self, sqlx::Error>;
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl FromColumn for $integer {
            fn from_column(row: &Row, column: impl Column) -> Result<Self, sqlx::Error> {
                let number = Option::<$integer>::from_column(row, column)?;
                number.ok_or_else(|| sqlx::Error::Decode("null where a number belongs".into()))
            }
        }

        impl FromColumn for Option<$integer> {
            fn from_column(row: &Row, column: impl Column) -> Result<Self, sqlx::Error> {
                integer(row, column)?.map(<$integer>::try_from).transpose().map_err(|error| sqlx::Error::Decode(error.into()))
            }
        }
    )*};
}

integers!(i64, i32, u32, u16);

/// PostgreSQL's literals and `count` have sizes of their own.
fn integer(row: &Row, column: impl Column) -> Result<Option<i64>, sqlx::Error> {
    match row {
        Row::File(row) => stored(row, column, |value| match value {
            Stored::Integer(number) => Some(*number),
            _ => None,
        }),
        Row::Sqlite(row) => row.try_get::<Option<i64>, _>(column),
        Row::Postgres(row) => match row.try_get::<Option<i64>, _>(column) {
            Err(sqlx::Error::ColumnDecode { .. }) => Ok(row.try_get::<Option<i32>, _>(column)?.map(i64::from)),
            other => other,
        },
    }
}

impl FromColumn for bool {
    fn from_column(row: &Row, column: impl Column) -> Result<Self, sqlx::Error> {
        i64::from_column(row, column).map(|flag| flag != 0)
    }
}

impl FromColumn for Option<bool> {
    fn from_column(row: &Row, column: impl Column) -> Result<Self, sqlx::Error> {
        Ok(integer(row, column)?.map(|flag| flag != 0))
    }
}

macro_rules! as_sqlx_does {
    ($($kind:ty => $wanted:expr;)*) => {$(
        impl FromColumn for Option<$kind> {
            fn from_column(row: &Row, column: impl Column) -> Result<Self, sqlx::Error> {
                match row {
                    Row::File(row) => stored(row, column, $wanted),
                    Row::Sqlite(row) => row.try_get(column),
                    Row::Postgres(row) => row.try_get(column),
                }
            }
        }

        impl FromColumn for $kind {
            fn from_column(row: &Row, column: impl Column) -> Result<Self, sqlx::Error> {
                let value = Option::<$kind>::from_column(row, column)?;
                value.ok_or_else(|| sqlx::Error::Decode("null where a value belongs".into()))
            }
        }
    )*};
}

as_sqlx_does! {
    String => |value| match value {
        Stored::Text(text) => Some(text.clone()),
        _ => None,
    };
    Vec<u8> => |value| match value {
        Stored::Blob(bytes) => Some(bytes.clone()),
        Stored::Text(text) => Some(text.clone().into_bytes()),
        _ => None,
    };
}
