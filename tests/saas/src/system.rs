//! What a stand-in is, seen from the stand that serves it.

use std::sync::Arc;

use axum::Router;
use serde_json::Value;

/// A business system held in memory. It owns its data behind its own lock; recording and faults are the stand's work.
pub trait System: Send + Sync + 'static {
    /// Name in the binary's answer and in error texts: `salesforce`, `hubspot`, …
    fn name(&self) -> &'static str;

    /// The vendor's paths. A path that the vendor doesn't have is answered as the vendor answers it: set a fallback.
    fn router(self: Arc<Self>) -> Router;

    /// Everything that tests may read back. No secret but the stand-in's own published test tokens.
    fn state(&self) -> Value;

    /// Back to the seeded data and the default settings; tokens issued so far end.
    fn reset(&self);

    /// Changes a setting. `Err` says which settings exist or what is wrong with the value; it is answered with 400.
    fn set(&self, setting: &str, value: Value) -> Result<(), String>;

    /// Told once, before the first request: the origin it is reached at, `http://127.0.0.1:PORT`, for links in answers.
    fn located(&self, _url: &str) {}
}
