;; Copies and fills all of its memory, again and again: single instructions that take milliseconds each.
(module
  (memory (export "memory") 1000)
  {{realloc}} {{describe}}
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (loop $again
      (memory.copy (i32.const 2097152) (i32.const 1048576) (i32.const 60000000))
      (memory.fill (i32.const 1048576) (i32.const 7) (i32.const 60000000))
      (br $again))
    (unreachable)))
