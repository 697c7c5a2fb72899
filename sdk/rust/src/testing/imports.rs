//! The host's functions in a native test. As in a component they are plain functions, so the host of the call that
//! runs on this thread is in a thread-local.

use std::{cell::RefCell, mem};

use super::{Host, Line};
use crate::bindings::{
    http::{self, Request, Response},
    key_value::{Error, Keys},
    log::Level,
};

thread_local! {
    static PRESENT: RefCell<Option<Host>> = const { RefCell::new(None) };
}

/// Runs a call with that host.
pub(super) fn with<T>(host: &mut Host, run: impl FnOnce() -> T) -> T {
    let lent = mem::replace(host, Host::new(|_| http::Error::Other("the host is lent to the call".into())));
    PRESENT.set(Some(lent));
    let outcome = run();
    *host = PRESENT.take().expect("the call does not take the host away");
    outcome
}

fn host<T>(f: impl FnOnce(&mut Host) -> T) -> T {
    PRESENT.with_borrow_mut(|host| f(host.as_mut().expect("outside of a component, actions run through sangam_sdk::testing")))
}

pub(crate) fn send(request: &Request) -> Result<Response, http::Error> {
    host(|host| host.send(request))
}

pub(crate) fn key(name: &str) -> String {
    super::key(name)
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    host(|host| Ok(host.store.get(key).cloned()))
}

pub(crate) fn kv_set(key: &str, value: &[u8]) -> Result<(), Error> {
    host(|host| host.store.insert(key.to_owned(), value.to_owned()));
    Ok(())
}

pub(crate) fn kv_delete(key: &str) -> Result<(), Error> {
    host(|host| host.store.remove(key));
    Ok(())
}

pub(crate) fn kv_increment(key: &str, delta: i64) -> Result<i64, Error> {
    host(|host| host.increment(key, delta))
}

pub(crate) fn kv_compare_and_swap(key: &str, expected: Option<&[u8]>, value: &[u8]) -> Result<bool, Error> {
    let same = host(|host| host.store.get(key).map(Vec::as_slice) == expected);
    if same {
        kv_set(key, value)?;
    }
    Ok(same)
}

pub(crate) fn kv_list(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Keys, Error> {
    host(|host| Ok(host.list(prefix, cursor, limit)))
}

pub(crate) fn log(level: Level, message: &str, fields: &[(String, String)]) {
    host(|host| host.lines.push(Line { level, message: message.to_owned(), fields: fields.to_owned() }));
}
