//! What `sangam init` writes: a configuration that works as it is, and an event to try it with.

/// The files, by path within the new folder, with their contents.
pub fn files() -> [(&'static str, &'static str); 2] {
    [("sangam.toml", include_str!("init/sangam.toml")), ("events/job-completed.json", include_str!("init/job-completed.json"))]
}
