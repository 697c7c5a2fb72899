//! Frames as people see them, and keys.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

use super::keys::{Act, View};
use super::lines::{self, Look};
use super::screen;
use super::seen::Seen;

const PLAIN: Look = Look { color: false };

/// A host with one plugin that fails, one that works again, and a broken credential.
fn seen() -> Seen {
    let point = |accepted: u64, failed: u64| json!({ "accepted": accepted, "succeeded": accepted, "failed_attempts": failed, "p50_ms": 40, "p99_ms": 1_250 });
    let last =
        |run: &str| json!({ "kind": "rejected", "at": "2026-01-02T03:04:00Z", "eid": "e1", "run": run, "route": "orders", "step": "put" });
    let overview = json!({
        "at": "2026-01-02T03:04:05Z", "window_ms": 900_000, "revision": 7,
        "host": { "id": "1234567890", "version": "0.1.0" },
        "hosts": [{ "alive": true }, { "alive": false }],
        "events": { "accepted": 120, "duplicates": 3 },
        "runs": { "pending": 1, "running": 2, "waiting": 3, "succeeded": 110, "dead": 4, "cancelled": 0 },
        "backlog": 6, "oldest_pending_ms": 61_000, "pressure": null, "dead_letters": 4,
        "series": { "step_ms": 5000, "points": [point(0, 0), point(10, 1), point(40, 0), point(20, 4), point(5, 0)] },
        "failing": [
            { "plugin": "crm", "action": "put", "attempts": 9, "failures": 9, "dead_letters": 4, "since": "2026-01-02T03:00:00Z", "last": last("r1") },
            { "plugin": "mail", "action": "send", "attempts": 30, "failures": 1, "dead_letters": 0, "since": null, "last": last("r2") },
        ],
        "credentials": [{ "name": "hubspot", "state": "broken", "reason": "invalid_grant" }],
    });
    let flow = json!({
        "routes": [{ "name": "orders", "accepted": 120, "running": 2, "waiting": 3, "succeeded": 110, "dead": 4, "steps": [{ "p99_ms": 1250 }] }],
        "plugins": [{ "name": "crm", "calls": 9, "failures": 9, "breaker": "open", "hosts": [{ "host": "crm.example.com", "errors": 9, "requests": 9 }] }],
        "sources": [{ "name": "landing-page", "type": "webhook", "state": null, "accepted": 120, "refused": 1, "set_aside": 0 }],
    });
    let reasons = [("r1", "2026-01-02T03:04:00Z", "the CRM says \u{1b}[31mno\u{1b}[0m\nsucceeded")];
    Seen::of(overview, flow, &reasons)
}

fn frame(seen: &Seen, view: &mut View, columns: u16, rows: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal in memory");
    terminal.draw(|frame| screen::draw(frame, seen, view, PLAIN)).expect("it is drawn");
    let buffer = terminal.backend().buffer();
    (0..rows).map(|row| (0..columns).map(|column| buffer[(column, row)].symbol()).collect::<String>().trim_end().to_owned()).collect()
}

fn key(view: &mut View, code: KeyCode) -> Act {
    view.key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn a_frame_says_first_what_fails_and_why() {
    let lines: Vec<String> =
        lines::all(&seen(), 120, None, PLAIN, None).iter().map(|line| line.to_string().trim_end().to_owned()).collect();
    let wanted = r"sangam 0.1.0  host 12345678  1 of 2 hosts up  revision 7  last 15 min  03:04:05
in         4.0/s   120 events, 3 known already
out        4.0/s   110 succeeded, 4 dead, 0 cancelled   half within 40 ms, 99 of 100 within 1.2 s
backlog    6   1 pending, 2 running, 3 waiting, the oldest waits 1 min
dead       4 dead letters
events      ▂█▄▁
failures    ▂ █

  FAILING    FAILED  DEAD  FOR          KIND      WHY
  crm.put    9/9     4     4 min        rejected  the CRM says \u{1b}[31mno\u{1b}[0m\nsucceeded
  mail.send  1/30    0     works again  rejected

  CREDENTIALS  STATE   WHY
  hubspot      broken  invalid_grant

  ROUTES  IN   RUNNING  WAITING  DONE  DEAD  SLOWEST STEP
  orders  120  2        3        110   4     1.2 s

  PLUGINS  CALLS  FAILED  BREAKER  ERRORS/REQUESTS
  crm      9      9       open     crm.example.com 9/9

  SOURCES       TYPE     STATE  IN   REFUSED  SET ASIDE
  landing-page  webhook         120  1        0";
    assert_eq!(lines, wanted.lines().collect::<Vec<_>>());
}

#[test]
fn a_frame_fits_into_any_terminal() {
    let seen = seen();
    for (columns, rows) in [(120, 40), (80, 24), (40, 12), (20, 5), (1, 1)] {
        let mut view = View { rows: 2, ..View::default() };
        let shown = frame(&seen, &mut view, columns, rows);
        assert_eq!(shown.len(), usize::from(rows));
        if rows >= 12 {
            assert!(shown.iter().any(|line| line.contains("> crm.put")), "{columns}x{rows}: {shown:#?}");
        }
    }
    let mut view = View { rows: 2, ..View::default() };
    let narrow = frame(&seen, &mut view, 40, 40);
    assert!(narrow.iter().any(|line| line.starts_with("in ") && line.ends_with('…')), "{narrow:#?}");
    // Nothing of a sender's or plugin's reaches the terminal as more than text.
    assert!(frame(&seen, &mut view, 200, 40).iter().all(|line| !line.contains('\u{1b}')));
}

#[test]
fn nothing_that_fails_is_said_too() {
    let seen = Seen::of(json!({ "failing": [] }), Value::Null, &[]);
    let shown = frame(&seen, &mut View::default(), 80, 24);
    assert!(shown.iter().any(|line| line == "FAILING  nothing"), "{shown:#?}");
    assert_eq!(shown.last().map(String::as_str), Some("q quit"));
}

#[test]
fn what_fails_is_chosen_opened_and_replayed_by_keys_after_a_question() {
    let seen = seen();
    let mut view = View { rows: 2, ..View::default() };
    assert_eq!(key(&mut view, KeyCode::Down), Act::Nothing);
    assert_eq!(key(&mut view, KeyCode::Down), Act::Nothing);
    assert_eq!(view.selected, 1, "there is no third");
    key(&mut view, KeyCode::Up);
    assert_eq!(key(&mut view, KeyCode::Enter), Act::Open(0));
    view.open("e1", &(0..60).map(|line| format!("line {line}\n")).collect::<String>());
    let shown = frame(&seen, &mut view, 80, 10);
    assert_eq!((shown[0].as_str(), shown[8].as_str()), ("line 0", "line 8"));
    key(&mut view, KeyCode::PageDown);
    assert_eq!(frame(&seen, &mut view, 80, 10)[0], "line 10");
    assert_eq!(key(&mut view, KeyCode::Char('r')), Act::Nothing, "it is asked first");
    assert_eq!(frame(&seen, &mut view, 80, 10)[9], "replay e1? y yes, any other key no");
    assert_eq!(key(&mut view, KeyCode::Enter), Act::Nothing);
    key(&mut view, KeyCode::Char('r'));
    assert_eq!(key(&mut view, KeyCode::Char('y')), Act::Replay("e1".to_owned()));
    assert_eq!(key(&mut view, KeyCode::Char('q')), Act::Nothing, "back to the list");
    assert!(view.opened.is_none());
    assert_eq!(key(&mut view, KeyCode::Char('q')), Act::Quit);
    assert_eq!(view.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Act::Quit);
}

#[test]
fn what_is_old_says_so() {
    let mut view = View { trouble: Some("no host answers".to_owned()), ..View::default() };
    let shown = frame(&seen(), &mut view, 80, 24);
    assert!(shown[23].starts_with("OLD: no host answers"), "{shown:#?}");
}
