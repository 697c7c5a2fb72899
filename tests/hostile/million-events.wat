;; Brings in two million events that take no room in its own memory: all of them are the same empty one.
(module
  (memory (export "memory") 300)
  {{realloc}} {{describe}} {{done}}
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $done (i32.const 1048576) (i32.const 2000000))))
