;; Calls itself for ever.
(module
  {{memory}} {{realloc}} {{describe}}
  (func $deeper (param i64) (result i64) (i64.add (call $deeper (i64.add (local.get 0) (i64.const 1))) (local.get 0)))
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (drop (call $deeper (i64.const 0)))
    (unreachable)))
