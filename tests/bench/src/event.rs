//! The events that are sent.

/// Content type of one event.
pub(crate) const STRUCTURED: &str = "application/cloudevents+json";
/// Content type of several.
pub(crate) const BATCH: &str = "application/cloudevents-batch+json";

/// Fills an event up to some 600 bytes, the row size of the measured facts.
const NOTES: &str = "Replaced the compressor of the cold room on the second floor, filled in 3.2 kg of refrigerant, checked the \
    door seals and the defrost timer. The customer was present and signed. Spare part ordered for the evaporator fan, which \
    runs loud; come back within two weeks.";

/// A structured CloudEvent of some 600 bytes. `serial` is its id.
pub(crate) fn structured(kind: &str, serial: u64) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{serial}","source":"/bench","type":"{kind}","time":"2026-11-02T08:00:00Z","datacontenttype":"application/json","data":{{"job_id":"J-{serial}","status":"completed","customer":{{"id":"C-1207","name":"Northwind Cold Storage"}},"hours":"2.5","notes":"{NOTES}"}}}}"#
    )
}

/// A batch of such events with consecutive ids.
pub(crate) fn batch(kind: &str, first: u64, count: u64) -> String {
    let events: Vec<String> = (first..first + count).map(|serial| structured(kind, serial)).collect();
    format!("[{}]", events.join(","))
}

/// The same with some 300 bytes.
pub(crate) fn small(serial: u64) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{serial}","source":"/bench","type":"bench.call","time":"2026-11-02T08:00:00Z","datacontenttype":"application/json","data":{{"job_id":"J-{serial}","status":"completed","customer":{{"id":"C-1207","name":"Northwind Cold Storage"}},"hours":"2.5","notes":"Replaced the compressor."}}}}"#
    )
}
