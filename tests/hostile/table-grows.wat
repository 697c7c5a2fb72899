;; Grows its table until that is refused.
(module
  {{memory}}
  (table $t 10 funcref)
  {{realloc}} {{describe}}
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (loop $again
      (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 10000)) (i32.const -1))))
    (unreachable)))
