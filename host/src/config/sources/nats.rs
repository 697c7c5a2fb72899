//! A source of `type = "nats"`.

use super::shape::Shaped;
use crate::config::model::Nats;
use crate::config::reader::{Reader, not_yet};
use crate::config::section::Section;

/// Reads what only NATS sources have.
pub(super) fn nats(r: &mut Reader<'_>, section: &mut Section<'_>, shape: &Shaped) -> Option<Nats> {
    let servers = section.required(r, "servers", "[\"nats://127.0.0.1:4222\"]").map(|item| item.texts(r));
    let servers = servers.map(|texts| texts.iter().map(|text| text.value.to_owned()).collect());
    let stream = section.required(r, "stream", "\"EVENTS\"").and_then(|item| item.text(r)).map(|text| text.value.to_owned());
    let consumer = section.required(r, "consumer", "\"sangam\"").and_then(|item| item.text(r)).map(|text| text.value.to_owned());
    shape.require_type(r, section, "");
    not_yet(r, &section.span, "a source of type `nats`", "let a small program post what arrives to /v1/events");
    Some(Nats { servers: servers?, stream: stream?, consumer: consumer? })
}
