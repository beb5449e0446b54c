//! Guests that import WASI 0.2: an empty world.

use std::time::{Duration, Instant};

use super::*;

const POLL: &str = r#"(import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource))) (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (alias export $poll "[method]pollable.block" (func $block)) (core func $block-core (canon lower (func $block)))
  (alias export $clock "subscribe-duration" (func $after)) (core func $after-core (canon lower (func $after)))"#;
const POLL_LOWERED: &str = r#"(export "block" (func $block-core)) (export "after" (func $after-core))"#;
const POLL_IN: &str =
    r#"(import "host" "block" (func $block (param i32))) (import "host" "after" (func $after (param i64) (result i32)))"#;

/// A notifier that sleeps for so long.
fn sleeper(nanos: u64) -> String {
    notifier(POLL, POLL_LOWERED, POLL_IN, &format!("(call $block (call $after (i64.const {nanos}))) (call $ok)"))
}

#[tokio::test]
async fn a_short_sleep_is_granted_and_costs_no_processor_time() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let (result, usage) = call(files.component("naps", &sleeper(50_000_000)), &seen).await;
    result.unwrap();
    assert!(usage.wall >= Duration::from_millis(50) && usage.cpu < Duration::from_millis(40), "{usage:?}");
    assert_eq!(seen.notes(), ["imports WASI, and gets it in an empty world: no files, no sockets, no environment"]);
}

#[tokio::test]
async fn sleeping_in_a_host_call_ends_with_the_timeout() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let limits = Limits { wall: Duration::from_millis(100), ..Limits::default() };
    let started = Instant::now();
    let fault = call(within(files.component("sleeps", &sleeper(3_600_000_000_000)), limits), &seen).await.0.unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Timeout, "did not answer within 100ms"));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn under_a_virtual_clock_an_hour_of_sleep_is_virtual() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let limits = Limits { wall: Duration::from_secs(7200), ..Limits::default() };
    let started = Instant::now();
    let (result, usage) = call(within(files.component("sleeps", &sleeper(3_600_000_000_000)), limits), &seen).await;
    result.unwrap();
    assert!(usage.wall >= Duration::from_secs(3600), "{usage:?}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

/// Writes 10 bytes `times` over to stdout, and one unfinished line to stderr.
fn writer(times: u32) -> String {
    let streams = r#"(import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
      (alias export $error "error" (type $error-type))
      (import "wasi:io/streams@0.2.0" (instance $streams
        (export "output-stream" (type $s (sub resource)))
        (alias outer 1 $error-type (type $e-in))
        (export "error" (type $e (eq $e-in)))
        (type $stream-error-in (variant (case "last-operation-failed" (own $e)) (case "closed")))
        (export "stream-error" (type $stream-error (eq $stream-error-in)))
        (export "[method]output-stream.blocking-write-and-flush"
          (func (param "self" (borrow $s)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
      (alias export $streams "output-stream" (type $stream))
      (import "wasi:cli/stdout@0.2.0" (instance $stdout (export "get-stdout" (func (result (own $stream))))))
      (import "wasi:cli/stderr@0.2.0" (instance $stderr (export "get-stderr" (func (result (own $stream))))))
      (core module $text (memory (export "memory") 1) (data (i32.const 0) "ten bytes\0aand no end"))
      (core instance $text (instantiate $text))
      (alias export $streams "[method]output-stream.blocking-write-and-flush" (func $write))
      (core func $write-core (canon lower (func $write) (memory (core memory $text "memory"))))
      (alias export $stdout "get-stdout" (func $out)) (core func $out-core (canon lower (func $out)))
      (alias export $stderr "get-stderr" (func $err)) (core func $err-core (canon lower (func $err)))"#;
    let lowered = r#"(export "write" (func $write-core)) (export "out" (func $out-core)) (export "err" (func $err-core))"#;
    let module = r#"(import "host" "write" (func $write (param i32 i32 i32 i32)))
      (import "host" "out" (func $out (result i32))) (import "host" "err" (func $stderr (result i32)))"#;
    let body = format!(
        "(local $i i32) (local $out i32) (local.set $out (call $out))
        (call $write (call $stderr) (i32.const 10) (i32.const 10) (i32.const 100))
        (loop $again
          (call $write (local.get $out) (i32.const 0) (i32.const 10) (i32.const 100))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $i) (i32.const {times}))))
        (call $ok)"
    );
    notifier(streams, lowered, module, &body)
}

#[tokio::test]
async fn stdout_and_stderr_are_the_plugins_log() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let (result, usage) = call(files.component("writes", &writer(2)), &seen).await;
    result.unwrap();
    assert_eq!(seen.log(), ["info: ten bytes", "info: ten bytes", "warn: and no end"]);
    assert_eq!(usage.bytes_out, 30);
}

#[tokio::test]
async fn what_is_written_counts_as_bytes_across_the_boundary() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let limits = Limits { bytes: 10_000, ..Limits::default() };
    let fault = call(within(files.component("floods", &writer(100_000)), limits), &seen).await.0.unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Bytes, "moved more than its 9.8 KiB to and from the host"));
    assert!(seen.log().len() <= 201, "{}", seen.log().len());
    assert!(seen.log().last().unwrap().ends_with("over the plugin's log budget"));
}
