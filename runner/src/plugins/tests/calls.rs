//! One guarded call: what guests may do, and how each misdeed ends.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::*;
use crate::pipeline::FailurePolicy;
use crate::surroundings::Nothing;

const LOOP: &str = "(loop $again (br $again)) (unreachable)";

#[tokio::test]
async fn a_good_plugin_is_asked_and_what_it_used_is_known() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let (result, usage) = call(files.component("good", &plain("(call $ok)")), &seen).await;
    result.unwrap();
    assert_eq!(usage.memory, 64 << 10);
    assert!(usage.bytes_in > 20 && usage.bytes_out == 0, "{usage:?}");
    assert!(usage.cpu > Duration::ZERO && usage.wall >= usage.cpu, "{usage:?}");
}

#[tokio::test]
async fn its_own_error_is_told_with_its_text() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let fault = call(files.component("bad", &plain("(call $err)")), &seen).await.0.unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Error, "it does not work"));
}

#[tokio::test]
async fn a_trap_is_a_fault_with_the_last_log_lines() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let imports = r#"(import "runner:plugin/logging@0.1.0" (instance $logging
        (type $level-in (enum "debug" "info" "warn" "error")) (export "level" (type $level (eq $level-in)))
        (export "log" (func (param "level" $level) (param "message" string)))))
      (alias export $logging "log" (func $log))"#;
    let lowered = r#"(export "log" (func $log-core))"#;
    let imports_and_lower =
        format!("{imports} (core module $m0 (memory (export \"memory\") 1)) (core instance $i0 (instantiate $m0))");
    // The text lies in the memory that the import was lowered with; the guest below only passes an address.
    let with_text = imports_and_lower
        .replace("(memory (export \"memory\") 1)", "(memory (export \"memory\") 1) (data (i32.const 0) \"about to fall\")");
    let imports =
        format!("{with_text} (core func $log-core (canon lower (func $log) (memory (core memory $i0 \"memory\"))))");
    let module = r#"(import "host" "log" (func $log (param i32 i32 i32)))"#;
    let body = "(call $log (i32.const 2) (i32.const 0) (i32.const 13)) (unreachable)";
    let fault = call(files.component("falls", &notifier(&imports, lowered, module, body)), &seen).await.0.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap);
    assert_eq!(fault.message, "trapped: it reached `unreachable`, as a guest does that panics or aborts");
    assert_eq!(fault.log, ["about to fall"]);
    assert_eq!(seen.log(), ["warn: about to fall"]);
}

#[tokio::test]
async fn an_endless_loop_ends_by_its_processor_time_and_others_go_on() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let limits = Limits { cpu: Duration::from_millis(200), wall: Duration::from_secs(600), ..Limits::default() };
    let plugins = Plugins::load(vec![within(files.component("loops", &plain(LOOP)), limits)], None, Arc::new(Nothing), seen);
    plugins.ready().await.unwrap();
    // On this runtime's one thread, another task wants to run every millisecond.
    let turns = Arc::new(AtomicU32::new(0));
    let neighbour = tokio::spawn({
        let turns = turns.clone();
        async move {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                turns.fetch_add(1, Relaxed);
            }
        }
    });
    let started = Instant::now();
    let (result, usage) = notify(&plugins).await.remove(0);
    neighbour.abort();
    let fault = result.unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Cpu, "used more than its 200ms of processor time"));
    assert!(usage.cpu >= Duration::from_millis(200) && usage.cpu < Duration::from_millis(400), "{usage:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    // 200 ms are at least 40 ticks, however busy the machine is, and each of them lets the neighbour in.
    let turns = turns.load(Relaxed);
    assert!(turns >= 10, "{turns} turns");
}

#[tokio::test]
async fn several_are_asked_side_by_side_and_one_that_fails_does_not_touch_the_others() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let limits = Limits { cpu: Duration::from_millis(100), ..Limits::default() };
    let configs = vec![
        within(files.component("loops", &plain(LOOP)), limits),
        files.component("traps", &plain("(unreachable)")),
        files.component("good", &plain("(call $ok)")),
    ];
    let plugins = Plugins::load(configs, None, Arc::new(Nothing), seen);
    for _ in 0..3 {
        let kinds: Vec<_> = notify(&plugins).await.into_iter().map(|(result, _)| result.err().map(|f| f.kind)).collect();
        assert_eq!(kinds, [Some(FaultKind::Cpu), Some(FaultKind::Trap), None]);
    }
}

#[tokio::test]
async fn memory_is_limited_and_its_peak_told() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let limits = Limits { memory: 10 << 20, ..Limits::default() };
    // A page at a time until it is refused; then it gives up, or goes on.
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
    let gives_up = within(files.component("hog", &plain(&format!("{grow} (unreachable)"))), limits.clone());
    let (result, usage) = call(gives_up, &seen).await;
    let fault = result.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Memory);
    assert!(fault.message.starts_with("wanted 10.1 MiB of memory and may have 10 MiB; then it ended:"), "{}", fault.message);
    assert_eq!(usage.memory, 10 << 20);

    let goes_on = within(files.component("modest", &plain(&format!("{grow} (call $ok)"))), limits);
    call(goes_on, &seen).await.0.unwrap();
}

#[tokio::test]
async fn a_memory_of_64_bits_is_refused_when_it_is_loaded() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let module = "(memory $large i64 1)";
    let config = files.component("large", &notifier("", "", module, "(call $ok)"));
    let error = Plugins::load(vec![config], None, Arc::new(Nothing), seen).ready().await.unwrap_err();
    assert!(error.message.contains("memory64"), "{}", error.message);
}

#[tokio::test]
async fn many_memories_share_one_limit() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let limits = Limits { memory: 10 << 20, ..Limits::default() };
    // Nineteen that want 100 pages each, and then absurdly many: whatever is refused stays refused.
    let module: String = (0..19).map(|n| format!("(memory $m{n} 1)")).collect();
    let grow = |n| format!("(drop (memory.grow $m{n} (i32.const 100))) (drop (memory.grow $m{n} (i32.const 0xffff)))");
    let body: String = (0..19).map(grow).collect();
    let config = files.component("many", &notifier("", "", &module, &format!("{body} (call $ok)")));
    let (result, usage) = call(within(config, limits), &seen).await;
    result.unwrap();
    assert!(usage.memory <= 10 << 20, "{usage:?}");
}

#[tokio::test]
async fn deep_recursion_is_a_trap() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let module =
        "(func $deep (param i32) (result i32) (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    let config = files.component("deep", &notifier("", "", module, "(drop (call $deep (i32.const 0))) (call $ok)"));
    let fault = call(config, &seen).await.0.unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Trap, "trapped: its call stack is exhausted"));
}

#[tokio::test]
async fn a_huge_answer_is_refused_before_it_is_copied() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let body = "(drop (memory.grow (i32.const 400)))
      (i32.store (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 16)) (i32.store (i32.const 8) (i32.const 20000000))
      (i32.const 0)";
    let fault = call(files.component("huge", &plain(body)), &seen).await.0.unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Bytes, "moved more than its 16 MiB to and from the host"));
}

#[tokio::test]
async fn handles_of_its_own_making_are_limited_too() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let imports = "(type $thing (resource (rep i32))) (core func $new-core (canon resource.new $thing))";
    let lowered = r#"(export "new" (func $new-core))"#;
    let module = r#"(import "host" "new" (func $new (param i32) (result i32)))"#;
    let body = "(loop $again (drop (call $new (i32.const 1))) (br $again)) (unreachable)";
    let fault = call(files.component("hoards", &notifier(imports, lowered, module, body)), &seen).await.0.unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Handles, "kept more than its 10000 handles"));
}

#[tokio::test]
async fn each_call_has_a_fresh_instance() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    // Fails from the second call on, if the instance were the same.
    let module = "(global $calls (mut i32) (i32.const 0))";
    let body = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (if (result i32) (i32.eq (global.get $calls) (i32.const 1)) (then (call $ok)) (else (call $err)))";
    let plugins =
        Plugins::load(vec![files.component("counts", &notifier("", "", module, body))], None, Arc::new(Nothing), seen);
    for _ in 0..3 {
        notify(&plugins).await.remove(0).0.unwrap();
    }
}

#[tokio::test]
async fn notifiers_never_block_unless_told_so() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let quiet = files.component("quiet", &plain("(unreachable)"));
    let strict =
        PluginConfig { failure_policy: Some(FailurePolicy::Fail), ..files.component("strict", &plain("(unreachable)")) };
    let plugins = Plugins::load(vec![quiet, strict], None, Arc::new(Nothing), seen);
    let policies: Vec<_> = plugins.notify(&[]).await.into_iter().map(|a| a.failure_policy).collect();
    assert_eq!(policies, [FailurePolicy::Ignore, FailurePolicy::Fail]);
}

#[tokio::test]
async fn dropping_the_answer_ends_the_call() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let limits = Limits { cpu: Duration::from_secs(600), wall: Duration::from_secs(600), ..Limits::default() };
    let plugins = Plugins::load(vec![within(files.component("loops", &plain(LOOP)), limits)], None, Arc::new(Nothing), seen);
    plugins.ready().await.unwrap();
    let started = Instant::now();
    assert!(tokio::time::timeout(Duration::from_millis(50), notify(&plugins)).await.is_err());
    drop(plugins);
    // The one thread of this runtime is free again: nothing else would let this pass.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
