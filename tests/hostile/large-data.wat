;; Wants its memory at once, for data that it brings along.
(module
  (memory (export "memory") 2000)
  {{realloc}} {{describe}} {{done}}
  (data (i32.const 131071000) "far away")
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $done (i32.const 0) (i32.const 0))))
