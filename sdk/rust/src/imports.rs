//! The functions of the host: the real ones in a component, those of [`testing`](crate::testing) in a native test.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::{
    http::{key, send},
    key_value::{
        compare_and_swap as kv_compare_and_swap, delete as kv_delete, get as kv_get, increment as kv_increment, list as kv_list,
        set as kv_set,
    },
    log::log,
};

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::imports::*;
