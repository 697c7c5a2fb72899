//! What the sink does wrong meanwhile.

use std::time::Duration;

use sangam_saas::{Fault, FaultAct, Stand};

use super::Field;

/// Between two faults, in milliseconds.
const PAUSE: std::ops::Range<u64> = 5..60;

/// Commits faults until it is calm.
pub(super) async fn commit(stand: &Stand, field: &Field, mut rng: fastrand::Rng) {
    loop {
        let pause = Duration::from_millis(rng.u64(PAUSE));
        tokio::select! {
            () = field.calm.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        stand.fault(fault(&mut rng));
    }
}

/// Whatever leaves it open whether the write was done, or says that it was not; all of it is to be tried again.
fn fault(rng: &mut fastrand::Rng) -> Fault {
    let status = |status: u16| FaultAct::Status { status, headers: [].into(), body: String::new() };
    let act = match rng.u8(0..8) {
        0 => status(503),
        1 => status(429),
        2 => FaultAct::Disown { status: 500 },
        3 => FaultAct::Reset,
        4 => FaultAct::LoseAnswer,
        5 => FaultAct::Truncate { bytes: rng.usize(0..12) },
        6 => FaultAct::Delay { ms: rng.u64(1..200) },
        // Refused for good: the run is dead, and a person replays it. Not within a chain: a dead run gives up its place in the order.
        _ => return Fault::once("/frail/*", status(if rng.bool() { 409 } else { 422 })),
    };
    let path = *rng.choice(&["/chain/*", "/count/*", "/child/*", "/frail/*", "*"]).expect("there are some");
    Fault { times: rng.u32(1..4), ..Fault::once(path, act) }
}
