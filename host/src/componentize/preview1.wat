;; WASI preview 1 on preview 2, for programs that have no files, no arguments and no network: an adapter for wit-component.
;;
;; It keeps nothing but the time: no stack, no heap. So it may be called before the program's own run time is set up, and it
;; never grows the program's memory behind its back. (Go's run time takes for granted that nobody else does; the adapter
;; that comes with wasmtime allocates its stack and state there.)
;;
;; The clock is its own, since a program may ask for the time while its arguments are being placed (Go does where it then
;; collects garbage), and a component may call nothing outside at that moment.
;;
;; Error numbers: 0 success, 8 no such descriptor, 28 invalid argument, 52 not supported, 70 not seekable.
(module
  (import "env" "memory" (memory 0))
  (import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $stderr (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $drop_stream (param i32)))
  (import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))

  ;; Arguments and environment are empty: none, and no bytes of them.

  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (export "args_sizes_get" (func $none))
  (export "environ_sizes_get" (func $none))
  (func $nothing_to_get (param i32 i32) (result i32) (i32.const 0))
  (export "args_get" (func $nothing_to_get))
  (export "environ_get" (func $nothing_to_get))

  (func (export "random_get") (param $at i32) (param $bytes i32) (result i32)
    (local $drawn i64)
    (local $left i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $bytes)))
        ;; Eight bytes of each draw, one after the other.
        (if (i32.eqz (local.get $left))
          (then
            (local.set $drawn (call $random))
            (local.set $left (i32.const 8))))
        (i64.store8 (local.get $at) (local.get $drawn))
        (local.set $drawn (i64.shr_u (local.get $drawn) (i64.const 8)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $bytes (i32.sub (local.get $bytes) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; Clocks: 0 is the date in nanoseconds since 1970, 1 the time since some moment. They stand still but for what is slept.

  ;; Not 0 at the start: Go's run time refuses a clock that shows 0.
  (global $passed (mut i64) (i64.const 1000000000))

  (func $now (param $clock i32) (result i64)
    (i64.add
      (global.get $passed)
      ;; One second before 2000-01-01T00:00:00Z.
      (select (i64.const 0) (i64.const 946684799000000000) (local.get $clock))))

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $at i32) (result i32)
    (if (i32.gt_u (local.get $clock) (i32.const 1)) (then (return (i32.const 28))))
    (i64.store (local.get $at) (call $now (local.get $clock)))
    (i32.const 0))

  (func (export "clock_res_get") (param $clock i32) (param $at i32) (result i32)
    (if (i32.gt_u (local.get $clock) (i32.const 1)) (then (return (i32.const 28))))
    (i64.store (local.get $at) (i64.const 1))
    (i32.const 0))

  ;; Moves the clock to the first of several subscriptions and reports that one. A clock's is due at its time, all others now.
  ;; A subscription has 48 bytes: 0 user data, 8 kind (0 is a clock), 16 clock, 24 time, 40 whether the time is absolute.
  ;; An event has 32 bytes: 0 user data, 8 error, 10 kind.
  (func (export "poll_oneoff") (param $at i32) (param $event i32) (param $count i32) (param $events i32) (result i32)
    (local $first i32)
    (local $delay i64)
    (local $delay_min i64)
    (local $now i64)
    (if (i32.eqz (local.get $count)) (then (return (i32.const 28))))
    (local.set $delay_min (i64.const -1))
    (loop $next
      (local.set $delay (i64.const 0))
      (if (i32.eqz (i32.load8_u offset=8 (local.get $at)))
        (then
          (if (i32.gt_u (i32.load offset=16 (local.get $at)) (i32.const 1)) (then (return (i32.const 28))))
          (local.set $delay (i64.load offset=24 (local.get $at)))
          (if (i32.and (i32.load16_u offset=40 (local.get $at)) (i32.const 1))
            (then
              (local.set $now (call $now (i32.load offset=16 (local.get $at))))
              (local.set $delay (select
                (i64.sub (local.get $delay) (local.get $now))
                (i64.const 0)
                (i64.gt_u (local.get $delay) (local.get $now))))))))
      ;; As unsigned numbers, -1 is the largest.
      (if (i32.or (i64.lt_u (local.get $delay) (local.get $delay_min)) (i32.eqz (local.get $first)))
        (then
          (local.set $delay_min (local.get $delay))
          (local.set $first (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 48)))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (global.set $passed (i64.add (global.get $passed) (local.get $delay_min)))
    (memory.fill (local.get $event) (i32.const 0) (i32.const 32))
    (i64.store (local.get $event) (i64.load (local.get $first)))
    (i32.store8 offset=10 (local.get $event) (i32.load8_u offset=8 (local.get $first)))
    (i32.store (local.get $events) (i32.const 1))
    (i32.const 0))

  (func (export "sched_yield") (result i32) (i32.const 0))
  ;; Preview 2 knows success (0) and failure (1) only.
  (func (export "proc_exit") (param $code i32)
    (call $exit (i32.ne (local.get $code) (i32.const 0)))
    unreachable)

  ;; Descriptors: 0 standard input, at its end; 1 and 2 standard output and error. There are no others.

  (func $is_open (param $descriptor i32) (result i32) (i32.le_u (local.get $descriptor) (i32.const 2)))

  ;; Writes a list of pieces, each an address and a length.
  (func (export "fd_write") (param $descriptor i32) (param $piece i32) (param $pieces i32) (param $written i32) (result i32)
    (local $stream i32)
    (local $total i32)
    (local $kept_low i64)
    (local $kept_high i64)
    (if (i32.gt_u (i32.sub (local.get $descriptor) (i32.const 1)) (i32.const 1)) (then (return (i32.const 8))))
    (local.set $stream (if (result i32) (i32.eq (local.get $descriptor) (i32.const 1))
      (then (call $stdout))
      (else (call $stderr))))
    ;; The answer to a write is a tag and an error, 12 bytes. It borrows the first ones of the memory, and what was there is
    ;; put back; a failed write is as good as one that nobody reads.
    (local.set $kept_low (i64.load (i32.const 0)))
    (local.set $kept_high (i64.load (i32.const 8)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $pieces)))
        (call $write
          (local.get $stream)
          (i32.load (local.get $piece))
          (i32.load offset=4 (local.get $piece))
          (i32.const 0))
        (local.set $total (i32.add (local.get $total) (i32.load offset=4 (local.get $piece))))
        (local.set $piece (i32.add (local.get $piece) (i32.const 8)))
        (local.set $pieces (i32.sub (local.get $pieces) (i32.const 1)))
        (br $next)))
    (i64.store (i32.const 0) (local.get $kept_low))
    (i64.store (i32.const 8) (local.get $kept_high))
    (call $drop_stream (local.get $stream))
    (i32.store (local.get $written) (local.get $total))
    (i32.const 0))

  (func (export "fd_read") (param $descriptor i32) (param i32 i32) (param $read i32) (result i32)
    (if (local.get $descriptor) (then (return (i32.const 8))))
    (i32.store (local.get $read) (i32.const 0))
    (i32.const 0))

  ;; 24 bytes: 0 kind (2 is a character device), 2 flags, 8 rights, 16 rights of what is opened through it.
  (func (export "fd_fdstat_get") (param $descriptor i32) (param $at i32) (result i32)
    (if (i32.eqz (call $is_open (local.get $descriptor))) (then (return (i32.const 8))))
    (memory.fill (local.get $at) (i32.const 0) (i32.const 24))
    (i32.store8 (local.get $at) (i32.const 2))
    ;; To read (2) or to write (64).
    (i64.store offset=8 (local.get $at) (select (i64.const 64) (i64.const 2) (local.get $descriptor)))
    (i32.const 0))

  ;; 64 bytes: 16 kind.
  (func (export "fd_filestat_get") (param $descriptor i32) (param $at i32) (result i32)
    (if (i32.eqz (call $is_open (local.get $descriptor))) (then (return (i32.const 8))))
    (memory.fill (local.get $at) (i32.const 0) (i32.const 64))
    (i32.store8 offset=16 (local.get $at) (i32.const 2))
    (i32.const 0))

  (func $not_seekable (param $descriptor i32) (result i32)
    (select (i32.const 70) (i32.const 8) (call $is_open (local.get $descriptor))))
  (func (export "fd_seek") (param $descriptor i32) (param i64 i32 i32) (result i32)
    (call $not_seekable (local.get $descriptor)))
  (func (export "fd_tell") (param $descriptor i32) (param i32) (result i32)
    (call $not_seekable (local.get $descriptor)))

  (func $done_if_open (param $descriptor i32) (result i32)
    (select (i32.const 0) (i32.const 8) (call $is_open (local.get $descriptor))))
  (export "fd_close" (func $done_if_open))
  (export "fd_sync" (func $done_if_open))
  (export "fd_datasync" (func $done_if_open))
  (func (export "fd_fdstat_set_flags") (param $descriptor i32) (param i32) (result i32)
    (call $done_if_open (local.get $descriptor)))

  ;; What needs a file or a folder finds none, and there are no signals and no network.

  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_renumber") (param i32 i32) (result i32) (i32.const 8))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "proc_raise") (param i32) (result i32) (i32.const 52))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 8)))
