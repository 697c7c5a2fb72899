;; Sends a request with a million headers.
(module
  (import "sangam:connector/http@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32)))
  (memory (export "memory") 300)
  {{realloc}} {{describe}} {{done}}
  (data (i32.const 32) "GEThttp://127.0.0.1:9/")
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $send (i32.const 32) (i32.const 3) (i32.const 35) (i32.const 19) (i32.const 1048576) (i32.const 1000000)
      (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 600))
    (call $done (i32.const 0) (i32.const 0))))
