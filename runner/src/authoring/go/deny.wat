;; What a Go program finds where it expects WASI (preview 1): nothing. No files, no arguments, no environment, no sockets. Its
;; clock is a virtual one that starts at the same moment in each instance, moves a microsecond with each reading and jumps over
;; sleeps. What it prints becomes lines of the plugin's log. Random bytes are refused, or those of the contract's `random`.
;;
;; `cargo xtask bindings` makes `deny.wasm` and `deny-random.wasm` of it: the same text, with `random_get` as the one or the other.
;; wit-component keeps of it what the program calls.
(module
  (import "env" "memory" (memory 0))
  (import "runner:plugin/logging@0.1.1" "log" (func $log (param i32 i32 i32)))
  (import "runner:plugin/random@0.1.1" "bytes" (func $bytes (param i32 i32)))

  (global $now (mut i64) (i64.const 0))
  ;; What the SDK lends, once it has started; 0 before. At 0: not 0 while nothing may be called but the program itself (during a
  ;; call to the host, and between the calls to the plugin). At 8: a list's address and length. At 16: 1024 random bytes. Then:
  ;; the line that is being printed.
  (global $lent (mut i32) (i32.const 0))
  (global $line (mut i32) (i32.const 0))
  (global $room (mut i32) (i32.const 0))
  (global $used (mut i32) (i32.const 0))
  (func (export "runner_lend") (param $at i32) (param $len i32)
    (global.set $lent (local.get $at))
    (global.set $line (i32.add (local.get $at) (i32.const 1040)))
    (global.set $room (i32.sub (local.get $len) (i32.const 1040))))

  ;; Which roles and which source of randomness a program registers can be seen from what it imports.
  (func (export "runner_health_check") (export "runner_promotion") (export "runner_notifier") (export "runner_random"))

  (func $forbidden (result i32)
    (if (result i32) (global.get $lent) (then (i32.load (global.get $lent))) (else (i32.const 0))))

  ;; The length of the UTF-8 sequence at `p`, which may have `left` bytes; 0 where it is none.
  (func $sequence (param $p i32) (param $left i32) (result i32)
    (local $first i32) (local $second i32) (local $len i32) (local $low i32) (local $high i32)
    (local.set $first (i32.load8_u (local.get $p)))
    (if (i32.lt_u (local.get $first) (i32.const 0x80)) (then (return (i32.const 1))))
    (if (i32.or (i32.lt_u (local.get $first) (i32.const 0xc2)) (i32.gt_u (local.get $first) (i32.const 0xf4)))
      (then (return (i32.const 0))))
    (local.set $len (i32.add (i32.const 2) (i32.add
      (i32.ge_u (local.get $first) (i32.const 0xe0)) (i32.ge_u (local.get $first) (i32.const 0xf0)))))
    (if (i32.gt_u (local.get $len) (local.get $left)) (then (return (i32.const 0))))
    (local.set $low (i32.const 0x80))
    (local.set $high (i32.const 0xbf))
    (if (i32.eq (local.get $first) (i32.const 0xe0)) (then (local.set $low (i32.const 0xa0))))
    (if (i32.eq (local.get $first) (i32.const 0xed)) (then (local.set $high (i32.const 0x9f))))
    (if (i32.eq (local.get $first) (i32.const 0xf0)) (then (local.set $low (i32.const 0x90))))
    (if (i32.eq (local.get $first) (i32.const 0xf4)) (then (local.set $high (i32.const 0x8f))))
    (local.set $second (i32.load8_u offset=1 (local.get $p)))
    (if (i32.or (i32.lt_u (local.get $second) (local.get $low)) (i32.gt_u (local.get $second) (local.get $high)))
      (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $len) (i32.const 2)) (then
      (if (i32.ne (i32.and (i32.load8_u offset=2 (local.get $p)) (i32.const 0xc0)) (i32.const 0x80))
        (then (return (i32.const 0))))))
    (if (i32.gt_u (local.get $len) (i32.const 3)) (then
      (if (i32.ne (i32.and (i32.load8_u offset=3 (local.get $p)) (i32.const 0xc0)) (i32.const 0x80))
        (then (return (i32.const 0))))))
    (local.get $len))

  ;; A program may print anything, the contract's text is UTF-8: every byte that is none becomes a question mark.
  (func $clean (local $p i32) (local $end i32) (local $len i32)
    (local.set $p (global.get $line))
    (local.set $end (i32.add (local.get $p) (global.get $used)))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
      (local.set $len (call $sequence (local.get $p) (i32.sub (local.get $end) (local.get $p))))
      (if (i32.eqz (local.get $len)) (then
        (i32.store8 (local.get $p) (i32.const 63))
        (local.set $len (i32.const 1))))
      (local.set $p (i32.add (local.get $p) (local.get $len)))
      (br $next))))

  ;; Hands the line over; while that is forbidden it stays.
  (func $flush (param $level i32) (local $len i32)
    (if (call $forbidden) (then (return)))
    (call $clean)
    (local.set $len (global.get $used))
    (global.set $used (i32.const 0))
    (if (local.get $len) (then (call $log (local.get $level) (global.get $line) (local.get $len)))))

  ;; Adds to the line, and ends it where the text does. What has no room while nothing may be handed over is lost.
  (func $put (param $level i32) (param $p i32) (param $n i32) (local $some i32) (local $end i32)
    (if (i32.eqz (local.get $n)) (then (return)))
    (if (i32.eqz (global.get $lent)) (then (call $log (local.get $level) (local.get $p) (local.get $n)) (return)))
    (local.set $end (i32.eq (i32.load8_u (i32.sub (i32.add (local.get $p) (local.get $n)) (i32.const 1))) (i32.const 10)))
    (local.set $n (i32.sub (local.get $n) (local.get $end)))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $n)))
      (if (i32.eq (global.get $used) (global.get $room)) (then
        (call $flush (local.get $level))
        (if (global.get $used) (then (return)))))
      (local.set $some (i32.sub (global.get $room) (global.get $used)))
      (if (i32.gt_u (local.get $some) (local.get $n)) (then (local.set $some (local.get $n))))
      (memory.copy (i32.add (global.get $line) (global.get $used)) (local.get $p) (local.get $some))
      (global.set $used (i32.add (global.get $used) (local.get $some)))
      (local.set $p (i32.add (local.get $p) (local.get $some)))
      (local.set $n (i32.sub (local.get $n) (local.get $some)))
      (br $next)))
    (if (local.get $end) (then (call $flush (local.get $level)))))

  (func (export "fd_write") (param $fd i32) (param $pieces i32) (param $count i32) (param $written i32) (result i32)
    (local $level i32) (local $sum i32) (local $len i32)
    (if (i32.or (i32.lt_u (local.get $fd) (i32.const 1)) (i32.gt_u (local.get $fd) (i32.const 2)))
      (then (return (i32.const 8))))
    ;; Standard output: info. Standard error: warn.
    (local.set $level (local.get $fd))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $count)))
      (local.set $len (i32.load offset=4 (local.get $pieces)))
      (call $put (local.get $level) (i32.load (local.get $pieces)) (local.get $len))
      (local.set $sum (i32.add (local.get $sum) (local.get $len)))
      (local.set $pieces (i32.add (local.get $pieces) (i32.const 8)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next)))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))

  (func (export "proc_exit") (param $status i32)
    (call $flush (i32.const 2))
    (unreachable))

  ;; Libraries read the program's name: "plugin".
  (func (export "args_sizes_get") (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 1))
    (i32.store (local.get $size) (i32.const 7))
    (i32.const 0))
  (func (export "args_get") (param $list i32) (param $text i32) (result i32)
    (i32.store (local.get $list) (local.get $text))
    (i32.store align=1 (local.get $text) (i32.const 0x67756c70))
    (i32.store16 offset=4 align=1 (local.get $text) (i32.const 0x6e69))
    (i32.store8 offset=6 (local.get $text) (i32.const 0))
    (i32.const 0))
  (func (export "environ_sizes_get") (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $size) (i32.const 0))
    (i32.const 0))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; The wall clock (0) begins at 2026-01-01T00:00:00Z, all others at 0.
  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $time i32) (result i32)
    (global.set $now (i64.add (global.get $now) (i64.const 1000)))
    (i64.store (local.get $time) (i64.add (global.get $now)
      (select (i64.const 0) (i64.const 1767225600000000000) (local.get $clock))))
    (i32.const 0))
  (func (export "clock_res_get") (param $clock i32) (param $resolution i32) (result i32)
    (i64.store (local.get $resolution) (i64.const 1000))
    (i32.const 0))

  ;; Every subscription is answered at once: to a clock, with the clock moved on; to anything else, with "bad descriptor".
  (func (export "poll_oneoff") (param $in i32) (param $out i32) (param $count i32) (param $events i32) (result i32)
    (local $done i32) (local $until i64)
    (i32.store (local.get $events) (local.get $count))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $done) (local.get $count)))
      (i64.store (local.get $out) (i64.load (local.get $in)))
      (i64.store offset=8 (local.get $out) (i64.const 0))
      (i64.store offset=16 (local.get $out) (i64.const 0))
      (i64.store offset=24 (local.get $out) (i64.const 0))
      (if (i32.eqz (i32.load8_u offset=8 (local.get $in)))
        (then
          (local.set $until (i64.load offset=24 (local.get $in)))
          (if (i32.eqz (i32.and (i32.load16_u offset=40 (local.get $in)) (i32.const 1)))
            (then (local.set $until (i64.add (global.get $now) (local.get $until)))))
          (if (i64.gt_u (local.get $until) (global.get $now)) (then (global.set $now (local.get $until)))))
        (else
          (i32.store16 offset=8 (local.get $out) (i32.const 8))
          (i32.store8 offset=10 (local.get $out) (i32.load8_u offset=8 (local.get $in)))))
      (local.set $in (i32.add (local.get $in) (i32.const 48)))
      (local.set $out (i32.add (local.get $out) (i32.const 32)))
      (local.set $done (i32.add (local.get $done) (i32.const 1)))
      (br $next)))
    (i32.const 0))

  ;; Never false randomness: "not supported", at which Go seeds its maps from the clock and `crypto/rand` ends the program.
  (func (export "random_get_denied") (param i32 i32) (result i32) (i32.const 52))
  (func (export "random_get_granted") (param $to i32) (param $n i32) (result i32) (local $some i32)
    ;; What Go asks for while it starts, before the SDK is there, is for its maps only.
    (if (i32.eqz (global.get $lent)) (then (return (i32.const 52))))
    (if (call $forbidden) (then (return (i32.const 6))))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $n)))
      (local.set $some (select (local.get $n) (i32.const 1024) (i32.lt_u (local.get $n) (i32.const 1024))))
      (call $bytes (local.get $some) (i32.add (global.get $lent) (i32.const 8)))
      (memory.copy (local.get $to) (i32.load offset=8 (global.get $lent)) (local.get $some))
      (local.set $to (i32.add (local.get $to) (local.get $some)))
      (local.set $n (i32.sub (local.get $n) (local.get $some)))
      (br $next)))
    (i32.const 0))
  ;; Where the host puts those bytes.
  (func (export "cabi_import_realloc") (param i32 i32 i32 i32) (result i32) (i32.add (global.get $lent) (i32.const 16)))

  ;; 8: bad descriptor. 76: not capable. 52: not supported.
  (func (export "fd_close") (export "fd_datasync") (export "fd_sync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_get") (export "fd_fdstat_set_flags") (export "fd_filestat_get") (export "fd_prestat_get")
    (export "fd_renumber") (export "fd_tell") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (export "fd_pwrite") (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_advise") (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_allocate") (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "path_create_directory") (export "path_remove_directory") (export "path_unlink_file") (param i32 i32 i32)
    (result i32) (i32.const 76))
  (func (export "path_filestat_get") (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 76))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 76))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 76))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 76))
  (func (export "path_readlink") (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 76))
  (func (export "proc_raise") (param i32) (result i32) (i32.const 52))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 52)))
