;; Looks for what an earlier call left in its memory, and leaves something everywhere: below and above what a host makes anew by hand, and over its own data.
(module
  {{memory}} {{realloc}} {{describe}} {{done}}
  (data (i32.const 4096) "as given")
  (func $clean (param $from i32) (param $to i32)
    (loop $next
      (if (i64.ne (i64.load (local.get $from)) (i64.const 0)) (then unreachable))
      (local.set $from (i32.add (local.get $from) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $from) (local.get $to)))))
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    ;; "as given"
    (if (i64.ne (i64.load (i32.const 4096)) (i64.const 0x6e65766967207361)) (then unreachable))
    ;; What the call is given lies from 65536 on.
    (call $clean (i32.const 4104) (i32.const 65536))
    (call $clean (i32.const 131072) (i32.const 262144))
    ;; 25 MiB more.
    (if (i32.eq (memory.grow (i32.const 400)) (i32.const -1)) (then unreachable))
    (call $clean (i32.const 262144) (i32.const 26476544))
    (memory.fill (i32.const 4096) (i32.const 0xaa) (i32.const 61440))
    (memory.fill (i32.const 131072) (i32.const 0xaa) (i32.const 26345472))
    (call $done (i32.const 0) (i32.const 0))))
