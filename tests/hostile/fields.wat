;; Doubles headers: each clone of them gets one header more, of 32 KiB.
(module
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.0" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]fields.clone" (func $clone (param i32) (result i32)))
  {{memory}} {{realloc}} {{describe}}
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (call $fields))
    (memory.fill (i32.const 65536) (i32.const 97) (i32.const 32768))
    (loop $again
      (local.set $at (call $clone (local.get $at)))
      (call $append (local.get $at) (i32.const 65536) (i32.const 4) (i32.const 65536) (i32.const 32768) (i32.const 600))
      (br $again))
    (unreachable)))
