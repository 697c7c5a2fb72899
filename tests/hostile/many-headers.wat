;; Sends a request with a hundred thousand headers, and trusts that it is refused as malformed.
(module
  (import "sangam:connector/http@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32)))
  (memory (export "memory") 100)
  {{realloc}} {{describe}} {{done}}
  (data (i32.const 32) "GEThttp://127.0.0.1:9/")
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $send (i32.const 32) (i32.const 3) (i32.const 35) (i32.const 19) (i32.const 1048576) (i32.const 100000)
      (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 600))
    (if (i32.ne (i32.load8_u (i32.const 600)) (i32.const 1)) (then (unreachable)))
    (if (i32.ne (i32.load8_u (i32.const 608)) (i32.const 1)) (then (unreachable)))
    (call $done (i32.const 0) (i32.const 0))))
