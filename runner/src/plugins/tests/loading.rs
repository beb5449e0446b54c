//! Which files are loaded, which are refused, and in which words.

use super::*;
use crate::plugins::{Role, inspect};
use crate::surroundings::Nothing;

/// Imports a function that this runner has and one that it lacks, of a later patch version.
const CLOCK_0_1_1: &str = r#"(import "runner:plugin/clock@0.1.1" (instance $clock
    (export "now-ms" (func (result u64))) (export "later" (func (result u64)))))
  (alias export $clock "later" (func $later)) (core func $later-core (canon lower (func $later)))"#;
const LATER: &str = r#"(export "later" (func $later-core))"#;
const LATER_IN: &str = r#"(import "host" "later" (func $later (result i64)))"#;

/// The error with which a file of these bytes is refused.
async fn refusal(bytes: &[u8]) -> Problem {
    let files = Files::new();
    let config = PluginConfig::new(PluginSource { path: files.write("p.wasm", bytes), name: None });
    Plugins::load(vec![config], None, Arc::new(Nothing), Arc::new(Seen::default())).ready().await.unwrap_err()
}

fn good() -> String {
    plain("(call $ok)")
}

#[tokio::test]
async fn each_refusal_is_one_sentence_with_a_way_out() {
    let component = |text: &str| wat::parse_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let whole = component(&good());
    let imports =
        |what: &str| component(&good().replacen("(component", &format!("(component (import \"{what}\" (instance))"), 1));
    let cases: [(Vec<u8>, &str); 12] = [
        (b"".to_vec(), "plugin `p` is an empty file"),
        (b"\x7fELF\x02\x01\x01\0 and so on".to_vec(), "plugin `p` is not WebAssembly"),
        (good().into_bytes(), "plugin `p` is WebAssembly in its text form"),
        (component("(module)"), "plugin `p` is a core module, not a component"),
        (whole[..whole.len() / 2].to_vec(), "plugin `p` is a truncated component: the file ends too early"),
        (whole[..whole.len() - 1].to_vec(), "plugin `p` is a truncated component: the file ends too early"),
        (component("(component)"), "plugin `p` has none of the roles that runner asks for (it exports nothing)"),
        (imports("runner:plugin/facts@0.2.0"), "plugin `p` was built for runner:plugin 0.2.0, this runner speaks 0.1"),
        (imports("wasi:http/types@0.2.0"), "plugin `p` imports what it was not granted: wasi:http/types@0.2.0"),
        (component(&good().replace("at-ms\" u64", "at-ms\" u32")), "plugin `p` does not fit the contract: "),
        (
            component(&good().replace("\"notify\" (func $f)", "\"tell\" (func $f)")),
            "plugin `p` does not fit the contract: instance export `runner:plugin/notifier@0.1.1` does not have export `notify`",
        ),
        (
            component(&notifier("", "", "(start $go) (func $go (unreachable))", "(call $ok)")),
            "plugin `p` cannot be started: it could not be instantiated: it reached `unreachable`",
        ),
    ];
    for (bytes, expected) in cases {
        let error = refusal(&bytes).await;
        assert!(error.message.starts_with(expected), "{}\nexpected: {expected}", error.message);
        assert!(!error.message.contains('\n'), "{}", error.message);
        let by_the_guest = error.message.contains("cannot be started");
        assert!(by_the_guest || !error.hints.is_empty(), "no hint: {}", error.message);
    }
}

#[tokio::test]
async fn a_precompiled_file_is_never_loaded() {
    let compiled = wasmtime::Engine::default().precompile_component(&wat::parse_str(good()).unwrap()).unwrap();
    let message = refusal(&compiled).await.message;
    assert_eq!(message, "plugin `p` is compiled code (.cwasm), which could do anything with this machine");
}

#[tokio::test]
async fn all_bad_plugins_are_named_at_once() {
    let files = Files::new();
    let configs =
        vec![files.component("a", "(component)"), files.component("b", &good()), files.component("c", "(component)")];
    let message =
        Plugins::load(configs, None, Arc::new(Nothing), Arc::new(Seen::default())).ready().await.unwrap_err().message;
    assert!(message.contains("plugin `a` has none") && message.contains("plugin `c` has none"), "{message}");
    let twice = vec![files.component("b", &good()), files.component("b", &good())];
    let message =
        Plugins::load(twice, None, Arc::new(Nothing), Arc::new(Seen::default())).ready().await.unwrap_err().message;
    assert_eq!(message, "plugin `b` shares its name with another plugin");
}

#[tokio::test]
async fn a_question_to_plugins_that_were_not_loaded_is_a_fault_of_each() {
    let files = Files::new();
    let configs = vec![files.component("a", "(component)"), files.component("b", &good())];
    let plugins = Plugins::load(configs, None, Arc::new(Nothing), Arc::new(Seen::default()));
    let answers = plugins.notify(&[]).await;
    let named: Vec<_> = answers.iter().map(|a| (a.plugin.as_str(), a.result.as_ref().unwrap_err().kind)).collect();
    assert_eq!(named, [("a", FaultKind::Instantiate), ("b", FaultKind::Instantiate)]);
}

#[tokio::test]
async fn settings_must_be_an_object() {
    let files = Files::new();
    let config = PluginConfig { settings: serde_json::json!([1]), ..files.component("p", &good()) };
    let message =
        Plugins::load(vec![config], None, Arc::new(Nothing), Arc::new(Seen::default())).ready().await.unwrap_err().message;
    assert_eq!(message, "plugin `p` has settings that are not a JSON object");
}

#[tokio::test]
async fn what_is_newer_than_this_runner_is_said_and_fails_by_name_when_it_is_called() {
    let (files, seen) = (Files::new(), Arc::new(Seen::default()));
    let unused = files.component("unused", &notifier(CLOCK_0_1_1, LATER, LATER_IN, "(call $ok)"));
    call(unused, &seen).await.0.unwrap();
    let expected = "imports what is newer than this runner, and fails if it calls it: runner:plugin/clock@0.1.1#later";
    assert_eq!(seen.notes(), [expected]);

    let used = files.component("used", &notifier(CLOCK_0_1_1, LATER, LATER_IN, "(drop (call $later)) (call $ok)"));
    let fault = call(used, &seen).await.0.unwrap_err();
    let expected = "trapped: this runner has no runner:plugin/clock@0.1.1#later";
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Trap, expected));
}

#[tokio::test]
async fn newer_methods_and_resources_are_filled_too() {
    let files = Files::new();
    let imports = r#"(import "runner:plugin/facts@0.1.7" (instance
      (export "member" (type $member (sub resource)))
      (export "[method]member.name" (func (param "self" (borrow $member)) (result string)))
      (export "[method]member.colour" (func (param "self" (borrow $member)) (result string)))
      (export "region" (type (sub resource)))))"#;
    let config = files.component("newer", &notifier(imports, "", "", "(call $ok)"));
    let mut description = inspect(&config.path).unwrap();
    description.missing.sort();
    let newer = ["runner:plugin/facts@0.1.7#[method]member.colour", "runner:plugin/facts@0.1.7#region"];
    assert_eq!(description.missing, newer);
    assert_eq!(description.contract.as_deref(), Some("0.1.7"));
    call(config, &Arc::new(Seen::default())).await.0.unwrap();
}

#[tokio::test]
async fn inspect_describes_what_it_can_and_refuses_the_rest() {
    let files = Files::new();
    // From inside a runtime: it must not mind.
    let good = inspect(files.component("good", &good()).path).unwrap();
    assert_eq!((good.roles.as_slice(), good.refusals.as_slice()), (&[Role::Notifier][..], &[][..]));
    assert!(good.to_string().ends_with("This runner can use it.\n"), "{good}");

    let none = inspect(files.component("none", "(component)").path).unwrap();
    assert_eq!(none.refusals.len(), 1);
    assert!(none.to_string().contains("This runner refuses it: the plugin has none of the roles"), "{none}");

    let error = inspect(files.write("core.wasm", &wat::parse_str("(module)").unwrap())).unwrap_err();
    assert_eq!(error.message, "plugin `core` is a core module, not a component");
}
