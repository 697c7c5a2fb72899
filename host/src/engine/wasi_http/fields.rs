//! Resource `fields`: headers, in the order in which they were added.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use wasmtime::component::Resource;

use super::room::{Held, Room, TooMuchHeld};
use crate::engine::bindings::wasi_http::wasi::http::types::{HeaderError, HostFields};
use crate::engine::state::HostState;

/// What a header costs the host beside its name and value.
const EACH: usize = 64;
/// They belong to the connection, which is the host's. What else a plugin can't set is refused when the request is sent, with a reason.
const FORBIDDEN: &[&str] = &[
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// Headers. A clone costs nothing until one of the two is changed.
#[derive(Debug, Clone)]
pub struct Fields {
    entries: Arc<Entries>,
    frozen: bool,
}

#[derive(Debug)]
struct Entries {
    list: Vec<(String, Vec<u8>)>,
    held: Held,
}

impl Fields {
    pub(super) fn new(room: &Room) -> Result<Fields, TooMuchHeld> {
        Ok(Fields { entries: Arc::new(Entries { list: Vec::new(), held: room.hold(EACH)? }), frozen: false })
    }

    /// Of an answer. `held` is what they take.
    pub(super) fn of(list: Vec<(String, Vec<u8>)>, held: Held) -> Fields {
        Fields { entries: Arc::new(Entries { list, held }), frozen: true }
    }

    /// The same, which can't be changed any more.
    pub(super) fn frozen(&self) -> Fields {
        Fields { entries: self.entries.clone(), frozen: true }
    }

    pub(super) fn list(&self) -> &[(String, Vec<u8>)] {
        &self.entries.list
    }

    /// Bytes that these take.
    pub(super) fn size(list: &[(String, Vec<u8>)]) -> usize {
        list.iter().map(|(name, value)| EACH + name.len() + value.len()).sum()
    }

    /// The entries, to be changed.
    fn entries(&mut self) -> Result<&mut Entries, TooMuchHeld> {
        if Arc::get_mut(&mut self.entries).is_none() {
            let held = self.entries.held.room().hold(EACH + Fields::size(&self.entries.list))?;
            self.entries = Arc::new(Entries { list: self.entries.list.clone(), held });
        }
        Ok(Arc::get_mut(&mut self.entries).expect("nobody else has what was just made"))
    }

    fn append(&mut self, name: String, value: Vec<u8>) -> Result<(), TooMuchHeld> {
        let entries = self.entries()?;
        entries.held.grow(EACH + name.len() + value.len())?;
        entries.list.push((name, value));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), TooMuchHeld> {
        if self.list().iter().any(|(known, _)| known == name) {
            let entries = self.entries()?;
            entries.list.retain(|(known, _)| known != name);
            let left = EACH + Fields::size(&entries.list);
            let kept = entries.held.split(left);
            entries.held = kept;
        }
        Ok(())
    }
}

/// A name in lower case, if a guest may set it.
fn name(name: &str) -> Result<String, HeaderError> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::InvalidSyntax)?;
    if FORBIDDEN.contains(&name.as_str()) { Err(HeaderError::Forbidden) } else { Ok(name.as_str().to_owned()) }
}

fn is_value(value: &[u8]) -> bool {
    HeaderValue::from_bytes(value).is_ok()
}

impl HostState {
    fn fields(&mut self, fields: &Resource<Fields>) -> wasmtime::Result<&mut Fields> {
        Ok(self.table().get_mut(fields)?)
    }

    /// The fields, if they can be changed.
    fn open_fields(&mut self, fields: &Resource<Fields>) -> wasmtime::Result<Option<&mut Fields>> {
        Ok(Some(self.fields(fields)?).filter(|fields| !fields.frozen))
    }
}

impl HostFields for HostState {
    fn new(&mut self) -> wasmtime::Result<Resource<Fields>> {
        let fields = Fields::new(&self.room)?;
        Ok(self.table().push(fields)?)
    }

    fn from_list(&mut self, list: Vec<(String, Vec<u8>)>) -> wasmtime::Result<Result<Resource<Fields>, HeaderError>> {
        let mut fields = Fields::new(&self.room)?;
        for (given, value) in list {
            match name(&given) {
                Ok(name) if is_value(&value) => fields.append(name, value)?,
                Ok(_) => return Ok(Err(HeaderError::InvalidSyntax)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(self.table().push(fields)?))
    }

    fn get(&mut self, fields: Resource<Fields>, name: String) -> wasmtime::Result<Vec<Vec<u8>>> {
        let list = self.fields(&fields)?.list();
        Ok(list.iter().filter(|(known, _)| known.eq_ignore_ascii_case(&name)).map(|(_, value)| value.clone()).collect())
    }

    fn has(&mut self, fields: Resource<Fields>, name: String) -> wasmtime::Result<bool> {
        Ok(self.fields(&fields)?.list().iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)))
    }

    fn set(&mut self, fields: Resource<Fields>, given: String, values: Vec<Vec<u8>>) -> wasmtime::Result<Result<(), HeaderError>> {
        let Some(fields) = self.open_fields(&fields)? else { return Ok(Err(HeaderError::Immutable)) };
        let name = match name(&given) {
            Ok(name) if values.iter().all(|value| is_value(value)) => name,
            Ok(_) => return Ok(Err(HeaderError::InvalidSyntax)),
            Err(error) => return Ok(Err(error)),
        };
        fields.remove(&name)?;
        for value in values {
            fields.append(name.clone(), value)?;
        }
        Ok(Ok(()))
    }

    fn delete(&mut self, fields: Resource<Fields>, given: String) -> wasmtime::Result<Result<(), HeaderError>> {
        let Some(fields) = self.open_fields(&fields)? else { return Ok(Err(HeaderError::Immutable)) };
        match name(&given) {
            Ok(name) => Ok(Ok(fields.remove(&name)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn append(&mut self, fields: Resource<Fields>, given: String, value: Vec<u8>) -> wasmtime::Result<Result<(), HeaderError>> {
        let Some(fields) = self.open_fields(&fields)? else { return Ok(Err(HeaderError::Immutable)) };
        match name(&given) {
            Ok(name) if is_value(&value) => Ok(Ok(fields.append(name, value)?)),
            Ok(_) => Ok(Err(HeaderError::InvalidSyntax)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn entries(&mut self, fields: Resource<Fields>) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        Ok(self.fields(&fields)?.list().to_vec())
    }

    fn clone(&mut self, fields: Resource<Fields>) -> wasmtime::Result<Resource<Fields>> {
        let copy = Fields { entries: self.fields(&fields)?.entries.clone(), frozen: false };
        Ok(self.table().push(copy)?)
    }

    fn drop(&mut self, fields: Resource<Fields>) -> wasmtime::Result<()> {
        self.table().delete(fields)?;
        Ok(())
    }
}
