;; Asks the host for random numbers whenever the host asks it for memory to put random numbers into.
(module
  (import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
  {{memory}} {{describe}} {{done}}
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $random (i64.const 8) (i32.const 600))
    (i32.const 65536))
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $random (i64.const 8) (i32.const 600))
    (call $done (i32.const 0) (i32.const 0))))
