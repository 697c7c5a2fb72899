;; Collects timers that it never waits for.
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $sleep (param i64) (result i32)))
  {{memory}} {{realloc}} {{describe}}
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (loop $again
      (drop (call $sleep (i64.const 1000000000)))
      (br $again))
    (unreachable)))
