;; Writes two megabytes of empty lines to standard output at once, without asking how much may be written.
(module
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
  (memory (export "memory") 100)
  {{realloc}} {{describe}} {{done}}
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (memory.fill (i32.const 1048576) (i32.const 10) (i32.const 2000000))
    (call $write (call $stdout) (i32.const 1048576) (i32.const 2000000) (i32.const 600))
    (call $done (i32.const 0) (i32.const 0))))
