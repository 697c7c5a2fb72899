//! What is not counted but looked up when somebody asks for the metrics.

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Whole name, one of [`GAUGES`] or [`COUNTERS`].
    pub name: &'static str,
    /// Labels with their values.
    pub labels: Vec<(&'static str, String)>,
    /// In the unit of its name.
    pub value: f64,
}

impl Sample {
    /// Without labels.
    pub fn new(name: &'static str, value: f64) -> Sample {
        Sample { name, labels: Vec::new(), value }
    }

    /// With one label more.
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Sample {
        self.labels.push((label, value.into()));
        self
    }
}

/// Names and descriptions of what may go up and down.
pub(super) const GAUGES: &[(&str, &str)] = &[
    ("sangam_queue_depth", "Runs that have not ended and do not wait by design"),
    ("sangam_runs_asleep", "Runs that wait for a time or an event"),
    ("sangam_oldest_pending_seconds", "Age of the oldest due run that waits for a worker"),
    ("sangam_dead_letters", "Runs that are dead and that nobody has replayed or given up"),
    ("sangam_build_info", "1, with the version of this host"),
    ("sangam_configuration_revision", "Number of the configuration that new events run on"),
    ("sangam_store_size_bytes", "Size of the store"),
    ("sangam_store_disk_free_bytes", "Room on the disk of the store, where that is a file"),
    ("sangam_store_queue_depth", "Writes that wait for the store"),
    ("sangam_plugin_calls", "Calls of a plugin under way"),
    ("sangam_plugin_calls_limit", "Most calls of a plugin at the same time (concurrency)"),
    ("sangam_plugin_breakers_open", "Systems that a plugin leaves alone for now (breaker)"),
    ("sangam_source_lag_seconds", "Age of the newest event that a source has brought"),
    ("sangam_source_failures", "Turns of a source that failed since the last that went well"),
    ("sangam_source_last_success_timestamp_seconds", "When a turn of a source last went well"),
    ("sangam_credential_up", "1 where a credential can be used, 0 where only a person can help"),
    ("sangam_credential_expiry_timestamp_seconds", "When the present token of a credential ends"),
    ("sangam_webhook_up", "1 where deliveries go to an endpoint, 0 where it is disabled"),
    ("sangam_webhook_failures", "Deliveries to an endpoint that failed since the last that went well"),
    ("sangam_certificate_expiry_timestamp_seconds", "When the certificate of the listener ends"),
    ("process_resident_memory_bytes", "Memory in use"),
    ("process_open_fds", "Open files and sockets"),
    ("process_max_fds", "Most open files and sockets"),
    ("process_threads", "Threads of the operating system"),
    ("process_start_time_seconds", "When this process began"),
];

/// Names and descriptions of what only grows, and is counted elsewhere.
pub(super) const COUNTERS: &[(&str, &str)] = &[
    ("sangam_credential_refreshes_total", "Refreshes of credentials"),
    ("sangam_telemetry_exported_total", "Spans and log lines that the collector has taken, and times it has taken the metrics"),
    ("sangam_telemetry_failed_total", "The same, that it did not take"),
    ("sangam_telemetry_dropped_total", "Spans and log lines for which the queue to the collector had no room"),
    ("process_cpu_seconds_total", "Processor time used"),
];
