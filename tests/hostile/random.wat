;; Wants four gigabytes of random numbers.
(module
  (import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
  {{memory}} {{realloc}} {{describe}} {{done}}
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $random (i64.const 4294967296) (i32.const 600))
    (call $done (i32.const 0) (i32.const 0))))
