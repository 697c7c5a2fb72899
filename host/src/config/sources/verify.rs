//! `verify`: how a webhook proves where it comes from.

use crate::config::item::Item;
use crate::config::model::Verify;
use crate::config::reader::{Reader, not_yet};

/// Reads `verify`: `"none"`, or a table with a `scheme`.
pub(super) fn verify(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Verify> {
    if item.value.is_table() {
        not_yet(r, &item.span, "`verify` with a scheme", "write verify = \"none\" and let a proxy in front verify what comes");
        return None;
    }
    item.choice(r, &[("none", ())])?;
    r.warn(&item.span, "nobody verifies what comes in here: whoever reaches this host can send events through this source")
        .help("write verify = { scheme = \"…\", secret = \"${secret:NAME}\" } as soon as the sender can sign");
    Some(Verify::Nothing)
}
