//! A copy of a store's file, made while the host works.

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::SqlitePoolOptions;

use super::file::FileOptions;
use super::sql::{Dialect, Pool, sql};
use super::writer::{Target, Writer};
use super::{Store, StoreError};
use crate::crash::Crash;
use crate::live::Feed;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A server has tools of its own.
    #[error("this store is a PostgreSQL database")]
    Server,
    /// Nothing is overwritten.
    #[error("{0} is there already")]
    Exists(String),
    /// The file can't be written.
    #[error("the copy can't be written")]
    File(#[from] std::io::Error),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Writes a compact copy of the store as it is at one moment to a new file, flushed to disk. Readers and writers go on meanwhile.
    pub async fn backup(&self, to: &Path) -> Result<u64, BackupError> {
        if self.dialect() == Dialect::Postgres {
            return Err(BackupError::Server);
        }
        if to.exists() {
            return Err(BackupError::Exists(to.display().to_string()));
        }
        let mut unfinished = to.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = Path::new(&unfinished);
        match std::fs::remove_file(unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        super::private_file(unfinished)?;
        let copied = sql("vacuum into ?")
            .bind(unfinished.to_string_lossy().into_owned())
            .execute(&self.readers)
            .await
            .map_err(StoreError::doing("copy itself"));
        if let Err(error) = copied {
            // What was begun is of no use; that it can't be removed is less news than why it failed.
            let _ = std::fs::remove_file(unfinished);
            return Err(error.into());
        }
        let file = std::fs::File::open(unfinished)?;
        file.sync_all()?;
        std::fs::rename(unfinished, to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(folder)?.sync_all()?;
        Ok(file.metadata()?.len())
    }

    /// Opens a copy for reading only: to verify it.
    pub async fn open_copy(path: &Path) -> Result<Store, StoreError> {
        let url = format!("sqlite://{}", path.display());
        let open = |source| StoreError::Open { url: url.clone(), source };
        let options = FileOptions::at(path).read_only();
        let feed: Arc<Feed> = Arc::default();
        let writer = Writer::start(Target::Sqlite(options.clone()), None, Crash::default(), feed.clone()).await.map_err(open)?;
        let readers = SqlitePoolOptions::new().max_connections(1).connect_with(options.sqlx()).await.map_err(open)?;
        let (signer, arrived) = (super::audit::Signer::default(), Arc::default());
        Ok(Store { readers: Pool::Sqlite(readers), writer, signer, arrived, feed, voice: None })
    }
}
