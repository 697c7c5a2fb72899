;; Begins requests with a body of 64 KiB each, thousands of them, and neither sends nor drops one.
(module
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-body.write" (func $stream (param i32 i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
  {{memory}} {{realloc}} {{describe}}
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (loop $again
      (call $body (call $request (call $fields)) (i32.const 600))
      (call $stream (i32.load (i32.const 604)) (i32.const 600))
      (call $write (i32.load (i32.const 604)) (i32.const 65536) (i32.const 65536) (i32.const 600))
      (br $again))
    (unreachable)))
