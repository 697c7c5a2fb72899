;; Waits for no time at all, again and again.
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $sleep (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop (param i32)))
  {{memory}} {{realloc}} {{describe}}
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (local $p i32)
    (loop $again
      (local.set $p (call $sleep (i64.const 0)))
      (call $block (local.get $p))
      (call $drop (local.get $p))
      (br $again))
    (unreachable)))
