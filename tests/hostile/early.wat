;; Reads a clock before anybody calls it.
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $sleep (param i64) (result i32)))
  {{memory}} {{realloc}} {{describe}} {{done}}
  (func $early (drop (call $sleep (i64.const 1))))
  (start $early)
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $done (i32.const 0) (i32.const 0))))
