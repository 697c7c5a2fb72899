;; Loops when the host asks it for memory, before its function is called.
(module
  {{memory}} {{describe}} {{done}}
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (loop $again (br $again)) (unreachable))
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $done (i32.const 0) (i32.const 0))))
