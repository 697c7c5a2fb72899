;; The adapter between Go's runtime and the host: what Go asks of WASI preview 1, answered by WASI 0.2.
;;
;; The general adapter of the Bytecode Alliance does not do. It keeps a page of state, and takes it either from the
;; module's `cabi_realloc`, which Go can't run before its runtime has started, or by growing the memory, which Go's
;; runtime believes to be the only one to do: the heap would then lie over that page. This adapter needs 40 bytes, at
;; address 8192, within the 8 KiB that Go's linker leaves free below the data on every wasm target (`wasmMinDataAddr` in
;; cmd/link/internal/ld/data.go; only a browser's wasm_exec.js writes there): 32 for the results of its own calls, then
;; the handles of standard output and error, plus one, once they are open. They stay open: the host ends a line of the log
;; with the stream, and a panic is printed piece by piece.
;;
;; There are no files, sockets, arguments or environment: the answers are 8 (badf), 52 (nosys) and zeros. What is asked
;; of the host: both clocks, sleeping, random bytes, and standard output and error.
(module
  (import "env" "memory" (memory 0))
  (import "wasi:clocks/wall-clock@0.2.0" "now" (func $wall (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $monotonic (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-instant" (func $at (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop-pollable (param i32)))
  (import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $stderr (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))

  ;; clock 0 is the wall clock, all others the monotonic one.
  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $result i32) (result i32)
    (if (local.get $clock)
      (then (i64.store (local.get $result) (call $monotonic)))
      (else
        (call $wall (i32.const 8192))
        (i64.store (local.get $result)
          (i64.add
            (i64.mul (i64.load (i32.const 8192)) (i64.const 1000000000))
            (i64.extend_i32_u (i32.load (i32.const 8200)))))))
    (i32.const 0))

  (func (export "random_get") (param $to i32) (param $length i32) (result i32)
    (local $bits i64) (local $left i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        ;; one call for up to eight bytes
        (local.set $bits (call $random))
        (local.set $left (i32.const 8))
        (loop $byte
          (i64.store8 (local.get $to) (local.get $bits))
          (local.set $bits (i64.shr_u (local.get $bits) (i64.const 8)))
          (local.set $to (i32.add (local.get $to) (i32.const 1)))
          (local.set $length (i32.sub (local.get $length) (i32.const 1)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $byte (i32.and
            (i32.ne (local.get $left) (i32.const 0))
            (i32.ne (local.get $length) (i32.const 0)))))
        (br $next)))
    (i32.const 0))

  ;; Files 1 and 2, at most 4096 bytes a call, as the host takes them.
  (func (export "fd_write") (param $file i32) (param $vectors i32) (param $count i32) (param $written i32) (result i32)
    (local $stream i32) (local $from i32) (local $length i32) (local $part i32) (local $sum i32) (local $kept i32)
    (if (i32.and (i32.ne (local.get $file) (i32.const 1)) (i32.ne (local.get $file) (i32.const 2)))
      (then (return (i32.const 8))))
    ;; 8228 for file 1, 8232 for file 2
    (local.set $kept (i32.add (i32.const 8224) (i32.shl (local.get $file) (i32.const 2))))
    (if (i32.eqz (i32.load (local.get $kept)))
      (then (i32.store (local.get $kept)
        (i32.add (i32.const 1)
          (if (result i32) (i32.eq (local.get $file) (i32.const 1)) (then (call $stdout)) (else (call $stderr)))))))
    (local.set $stream (i32.sub (i32.load (local.get $kept)) (i32.const 1)))
    (block $done
      (loop $vector
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $from (i32.load (local.get $vectors)))
        (local.set $length (i32.load offset=4 (local.get $vectors)))
        (local.set $sum (i32.add (local.get $sum) (local.get $length)))
        (block $empty
          (loop $chunk
            (br_if $empty (i32.eqz (local.get $length)))
            (local.set $part (local.get $length))
            (if (i32.gt_u (local.get $part) (i32.const 4096)) (then (local.set $part (i32.const 4096))))
            (call $write (local.get $stream) (local.get $from) (local.get $part) (i32.const 8192))
            (local.set $from (i32.add (local.get $from) (local.get $part)))
            (local.set $length (i32.sub (local.get $length) (local.get $part)))
            (br $chunk)))
        (local.set $vectors (i32.add (local.get $vectors) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $vector)))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))

  ;; Sleeps until the first clock among the subscriptions; nothing else can be waited for.
  (func (export "poll_oneoff") (param $in i32) (param $out i32) (param $count i32) (param $events i32) (result i32)
    (local $pollable i32)
    (loop $next
      (if (i32.eqz (local.get $count)) (then (return (i32.const 58))))
      (if (i32.load8_u offset=8 (local.get $in))
        (then
          (local.set $in (i32.add (local.get $in) (i32.const 48)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next))))
    (local.set $pollable
      (if (result i32) (i32.and (i32.load16_u offset=40 (local.get $in)) (i32.const 1))
        (then (call $at (i64.load offset=24 (local.get $in))))
        (else (call $after (i64.load offset=24 (local.get $in))))))
    (call $block (local.get $pollable))
    (call $drop-pollable (local.get $pollable))
    (i64.store (local.get $out) (i64.load (local.get $in)))
    (i64.store offset=8 (local.get $out) (i64.const 0))
    (i64.store offset=16 (local.get $out) (i64.const 0))
    (i64.store offset=24 (local.get $out) (i64.const 0))
    (i32.store (local.get $events) (i32.const 1))
    (i32.const 0))

  (func (export "sched_yield") (result i32) (i32.const 0))
  ;; os.Exit and the end of a panic, whose message is on standard error already.
  (func (export "proc_exit") (param i32) (unreachable))

  (func $no-counts (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $size) (i32.const 0))
    (i32.const 0))
  (export "args_sizes_get" (func $no-counts))
  (export "environ_sizes_get" (func $no-counts))
  (func $nothing (param i32 i32) (result i32) (i32.const 0))
  (export "args_get" (func $nothing))
  (export "environ_get" (func $nothing))

  ;; Standard input, output and error are there, as character devices; no other file is.
  (func (export "fd_fdstat_get") (param $file i32) (param $result i32) (result i32)
    (if (i32.gt_u (local.get $file) (i32.const 2)) (then (return (i32.const 8))))
    (i64.store (local.get $result) (i64.const 2))
    (i64.store offset=8 (local.get $result) (i64.const -1))
    (i64.store offset=16 (local.get $result) (i64.const 0))
    (i32.const 0))
  (func $bad-2 (param i32 i32) (result i32) (i32.const 8))
  (func $bad-3 (param i32 i32 i32) (result i32) (i32.const 8))
  (func $bad-4 (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (export "fd_fdstat_set_flags" (func $bad-2))
  (export "fd_filestat_get" (func $bad-2))
  (export "fd_prestat_get" (func $bad-2))
  (export "fd_prestat_dir_name" (func $bad-3))
  (export "fd_read" (func $bad-4))
  (func (export "fd_close") (param i32) (result i32) (i32.const 0))
  (func (export "fd_sync") (param i32) (result i32) (i32.const 0))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))

  (func $no-3 (param i32 i32 i32) (result i32) (i32.const 52))
  (func $no-5 (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func $no-6 (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (export "path_create_directory" (func $no-3))
  (export "path_remove_directory" (func $no-3))
  (export "path_unlink_file" (func $no-3))
  (export "path_filestat_get" (func $no-5))
  (export "path_symlink" (func $no-5))
  (export "path_readlink" (func $no-6))
  (export "path_rename" (func $no-6))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 52))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 52))
  (export "sock_accept" (func $no-3))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 52))
)
