//! What the connector author's book shows (`docs/book`), compiled and tested. A connector of one's own is one of these modules with
//! `sangam_sdk::export!(…)` as its last line.

pub mod batching;
pub mod helpdesk;
pub mod pagination;
pub mod together;
pub mod webhook;
