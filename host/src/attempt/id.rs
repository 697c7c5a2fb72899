//! Which attempt it is, and what it may do.

use std::time::Instant;

use super::key_value::KeyLimits;
use crate::config;

/// What identifies an attempt.
#[derive(Debug, Clone)]
pub struct AttemptId {
    /// The run.
    pub run: String,
    /// First run of its line.
    pub root: String,
    /// Lease of the run.
    pub fence: i64,
    /// Step name.
    pub step: String,
    /// Round, from 0.
    pub round: u32,
    /// From 1.
    pub number: u32,
    /// Plugin name: whose key-value space.
    pub plugin: String,
    /// Digest of the component that is called; empty: a step of the host's own.
    pub component: String,
}

/// What one call of a plugin may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abilities {
    /// An action: reads and writes.
    Act,
    /// `poll` and `receive`: reads only.
    ReadOnly,
    /// An action for several runs at once: reads and writes, and no key-value.
    Together,
}

/// Limits that belong to an attempt rather than to the guest's memory and time.
#[derive(Debug, Clone, Copy)]
pub struct AttemptLimits {
    /// Requests.
    pub http_calls: u32,
    /// Bytes of its log.
    pub log_size: usize,
    /// What it may do with key-value.
    pub key_value: KeyLimits,
    /// When the call must have ended.
    pub ends: Instant,
}

impl AttemptLimits {
    /// Those of a plugin, for a call that begins now.
    pub fn new(limits: &config::Limits, now: Instant) -> AttemptLimits {
        let key_value = KeyLimits { calls: limits.key_value_calls, transfer: limits.key_value_transfer, space: limits.key_value_size };
        AttemptLimits { http_calls: limits.http_calls, log_size: limits.log_size, key_value, ends: now + limits.time }
    }
}
