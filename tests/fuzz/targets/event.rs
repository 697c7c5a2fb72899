//! Events as senders write them, in the three content modes. What is taken can be written and read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sangam::event::Event;

fuzz_target!(|input: &[u8]| {
    let Some((&mode, body)) = input.split_first() else { return };
    if mode.is_ascii_lowercase() {
        // Binary mode: header lines, an empty line, the body.
        let (head, body) = split(body, b"\n\n");
        let headers = head.split(|&byte| byte == b'\n').filter_map(|line| {
            let (name, value) = split(line, b":");
            std::str::from_utf8(name).ok().map(|name| (name, value))
        });
        if let Ok(event) = Event::from_binary(headers, body) {
            again(&event);
        }
        return;
    }
    if let Ok(event) = Event::read(body) {
        again(&event);
    }
    if let Ok(events) = Event::read_batch(body) {
        events.iter().for_each(again);
    }
});

fn again(event: &Event) {
    let read = Event::from_structured(event.to_structured()).expect("what was taken is an event");
    assert_eq!(&read, event, "written and read again it is another event");
    assert_eq!(&Event::read(event.to_text().as_bytes()).expect("and its text"), event, "read from its text it is another event");
    assert_eq!(read.digest(), event.digest(), "and has another digest");
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let found = bytes.windows(at.len()).position(|window| window == at);
    found.map_or((bytes, &[]), |index| (&bytes[..index], &bytes[index + at.len()..]))
}
