;; Logs a hundred thousand lines without a word in them.
(module
  (import "sangam:connector/log@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
  {{memory}} {{realloc}} {{describe}} {{done}}
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (local $left i32)
    (local.set $left (i32.const 100000))
    (loop $again
      (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (call $done (i32.const 0) (i32.const 0))))
