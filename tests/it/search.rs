//! The search for secrets: distinctive values are put wherever a secret can be, everything is made to fail that can, and then whatever the host has written,
//! printed or answered is searched for them, in every usual spelling.
//!
//! What is searched for is in `needle.rs`, what is searched in `haystack.rs`; each other file puts secrets somewhere.

mod everywhere;
mod haystack;
mod keys;
mod needle;
mod scene;
mod session;
mod ways_out;
