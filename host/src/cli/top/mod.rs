//! `sangam top`: how a host is doing, live in a terminal.

mod keys;
mod lines;
mod screen;
mod seen;
#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::time::Duration;

use ratatui::backend::Backend as _;
use ratatui::crossterm::event::{Event, KeyEvent, KeyEventKind};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::keys::{Act, View};
use self::lines::Look;
use self::seen::Seen;
use super::client::Client;
use super::{Failure, plain, timeline};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a key is waited for before it is asked whether to go on.
const KEY: Duration = Duration::from_millis(100);
/// Columns of `--once` where nobody says how many there are.
const COLUMNS: u16 = 100;

/// Watch a running host: rates, latency, backlog, what fails and why
#[derive(Debug, clap::Args)]
pub(super) struct Top {
    #[command(flatten)]
    client: Client,
    /// How far to look back, from 1m to 24h
    #[arg(long, default_value = "15m", value_name = "DURATION")]
    window: String,
    /// Print one frame as text, and end
    #[arg(long)]
    once: bool,
    /// Print the figures as JSON, and end
    #[arg(long, conflicts_with = "once")]
    json: bool,
}

impl Top {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut seen = Seen::new(self.client.clone(), &self.window);
        seen.look().await?;
        if self.json {
            super::events::print_json(&json!({ "overview": seen.overview, "flow": seen.flow, "failing": seen.reasons() }));
            return Ok(());
        }
        let is_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        let look = Look { color: is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) };
        if self.once || !is_terminal {
            let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(COLUMNS);
            for line in lines::all(&seen, columns, None, look, None) {
                println!("{}", line.to_string().trim_end());
            }
            return Ok(());
        }
        watch(seen, look).await
    }
}

/// Until somebody has seen enough. The terminal is as before then, however it ends.
async fn watch(mut seen: Seen, look: Look) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::failed)?;
    // Also after a panic.
    let mut terminal = ratatui::try_init().map_err(Failure::failed)?;
    let _restored = Restored;
    let stop = CancellationToken::new();
    let (tell, mut told) = mpsc::channel(16);
    let keyboard = {
        let stop = stop.clone();
        tokio::task::spawn_blocking(move || listen(&tell, &stop))
    };
    let mut view = View::default();
    let mut timer = tokio::time::interval(LOOK);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut mode = view.mode();
    let done = loop {
        view.rows = seen.failing().len();
        if view.mode() != mode {
            mode = view.mode();
            // Another page: nothing of the one before is to be taken for its own.
            // `Terminal::clear` would ask the terminal where its cursor is, and take the answer from the keys.
            if let Err(error) = terminal.backend_mut().clear() {
                break Err(Failure::failed(error));
            }
            terminal.swap_buffers();
        }
        if let Err(error) = terminal.draw(|frame| screen::draw(frame, &seen, &mut view, look)) {
            break Err(Failure::failed(error));
        }
        let act = tokio::select! {
            _ = terminate.recv() => Act::Quit,
            _ = hangup.recv() => Act::Quit,
            event = told.recv() => match event {
                Some(Event::Key(key)) => view.key(key),
                // Another size: it is drawn anew.
                Some(_) => Act::Nothing,
                None => Act::Quit,
            },
            _ = timer.tick() => Act::Look,
        };
        match act {
            Act::Quit => break Ok(()),
            Act::Nothing => {}
            Act::Look => {
                // What was seen last stays in sight, with why it is old.
                view.trouble = seen.look().await.err().map(|failure| plain(&failure.to_string()));
            }
            Act::Open(index) => match seen.event(index).await {
                Ok(Some(event)) => {
                    let text = anstream::adapter::strip_str(&timeline::draw(&event)).to_string();
                    view.open(event["eid"].as_str().unwrap_or_default(), &text);
                }
                Ok(None) => {}
                Err(failure) => view.said = Some(plain(&failure.to_string())),
            },
            Act::Replay(eid) => {
                view.said = Some(match seen.replay(&eid).await {
                    Ok(said) => said,
                    Err(failure) => plain(&failure.to_string()),
                });
            }
        }
    };
    stop.cancel();
    drop(told);
    keyboard.await.map_err(Failure::failed)?;
    done
}

/// Gives the terminal back.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Hears keys and new sizes until it is told to stop.
fn listen(tell: &mpsc::Sender<Event>, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match ratatui::crossterm::event::poll(KEY) {
            Ok(false) => {}
            Ok(true) => match ratatui::crossterm::event::read() {
                Ok(Event::Key(KeyEvent { kind: KeyEventKind::Release, .. })) => {}
                Ok(event) => {
                    if tell.blocking_send(event).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            },
            // The terminal is gone.
            Err(_) => return,
        }
    }
}
