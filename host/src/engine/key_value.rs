//! Import `key-value`.

use super::bindings::key_value::{Error, Host, Keys};
use super::state::HostState;
use crate::attempt::KeyError;

impl Host for HostState {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.attempt()?.key_get(&key).await.map_err(shown))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.attempt()?.key_set(&key, value).await.map_err(shown))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.attempt()?.key_delete(&key).await.map_err(shown))
    }

    async fn increment(&mut self, key: String, delta: i64) -> wasmtime::Result<Result<i64, Error>> {
        Ok(self.attempt()?.key_increment(&key, delta).await.map_err(shown))
    }

    async fn compare_and_swap(&mut self, key: String, expected: Option<Vec<u8>>, value: Vec<u8>) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self.attempt()?.key_compare_and_swap(&key, expected, value).await.map_err(shown))
    }

    async fn list(&mut self, prefix: String, cursor: Option<String>, limit: u32) -> wasmtime::Result<Result<Keys, Error>> {
        let page = self.attempt()?.key_list(&prefix, cursor, limit).await;
        Ok(page.map(|(keys, next_cursor)| Keys { keys, next_cursor }).map_err(shown))
    }
}

fn shown(error: KeyError) -> Error {
    match error {
        KeyError::NotClaimed(_) => Error::NotClaimed(error.to_string()),
        KeyError::TooLarge(why) => Error::TooLarge(why),
        KeyError::Full { .. } => Error::Full(error.to_string()),
        KeyError::Invalid(why) => Error::Invalid(why),
        KeyError::Unavailable(why) => Error::Unavailable(why),
    }
}
