//! The host of a session: `sangam up`, as a process of its own, so that it is what it will be in earnest.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::cli::Failure;
use crate::cli::client::Client;

/// Longest time to stop: what is under way may finish.
const GRACE: Duration = Duration::from_secs(30);

/// A running host. Killed when it is dropped.
#[derive(Debug)]
pub(super) struct GuestHost {
    child: Child,
    url: String,
}

impl GuestHost {
    /// Starts it and waits until it is ready. What it logs goes to standard error.
    pub(super) async fn start(config: &Path) -> Result<GuestHost, Failure> {
        let program = std::env::current_exe().map_err(|error| Failure::failed(format!("can't find this very program: {error}")))?;
        let mut child = Command::new(program)
            .arg("up")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::failed(format!("can't start the host: {error}")))?;
        let mut lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
        // No bound: the first start may compile large components, and says so.
        let line = lines.next_line().await.map_err(Failure::failed)?;
        match line.as_deref().and_then(|line| line.strip_prefix("listening on ")) {
            Some(url) => Ok(GuestHost { child, url: url.to_owned() }),
            None => Err(Failure::Failed("the host did not start: see above".to_owned())),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn client(&self) -> Client {
        Client::at(self.url.clone(), None)
    }

    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Lets it finish what is under way.
    pub(super) async fn stop(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            // It may have ended by itself: a terminal tells all programs in it of Ctrl-C.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}
