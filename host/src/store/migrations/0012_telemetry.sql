-- Where in a trace an event's sender stands (W3C Trace Context): `traceparent`, and after a space `tracestate`. Null: it did not say.
alter table event add column trace text;
