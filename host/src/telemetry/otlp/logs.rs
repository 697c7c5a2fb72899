//! Lines of the log on their way to the collector. The log starts before the configuration is read: until somebody says where they go, none is made.

use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::Severity;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

use super::queue::Queue;

/// Where lines go; the same for the log and for whoever says so.
#[derive(Debug, Clone, Default)]
pub struct LogSink(Arc<RwLock<Option<Queue<LogLine>>>>);

/// One line.
pub(super) type LogLine = (SdkLogRecord, InstrumentationScope);

impl LogSink {
    /// From now on lines go there; `None`: nowhere any more.
    pub(super) fn lead(&self, to: Option<Queue<LogLine>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

impl LogProcessor for LogSink {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if let Some(queue) = &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            queue.put((record.clone(), scope.clone()));
        }
    }

    fn event_enabled(&self, _: Severity, target: &str, _: Option<&str>) -> bool {
        // What the way to the collector says of itself would go there, too, and say more.
        let is_own = ["hyper", "reqwest", "rustls", "h2", "opentelemetry", "tower"].iter().any(|krate| target.starts_with(krate));
        !is_own && self.0.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: std::time::Duration) -> OTelSdkResult {
        self.lead(None);
        Ok(())
    }
}
