//! `runner plugin new` and `runner plugin build`, as an author calls them: with the languages' own tools, without a network.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use runner_harness::{compiled_cache, runner_bin, target_dir};
use tempfile::TempDir;

/// A place for one test's projects.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `runner plugin …` here, with the tools of the set-up before those of the system.
    fn runner(&self, arguments: &[&str]) -> Output {
        let tools = target_dir().join("tools");
        let ours = [tools.join("node/node_modules/.bin"), tools.join("python/bin")];
        let system = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(ours.into_iter().chain(env::split_paths(&system))).unwrap();
        self.command(arguments).env("PATH", path).output().unwrap()
    }

    /// The same on a machine without any tool.
    fn runner_without_tools(&self, arguments: &[&str]) -> Output {
        let empty = self.path("no-tools");
        fs::create_dir_all(&empty).unwrap();
        self.command(arguments).env("PATH", empty).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(runner_bin());
        command.arg("plugin").args(arguments).current_dir(self.0.path());
        // What was built for one test serves the next: cargo's dependencies, compiled plugins.
        command.env("CARGO_TARGET_DIR", target_dir().join("examples"));
        command.env("RUNNER_CACHE_DIR", compiled_cache());
        command
    }

    fn new_project(&self, name: &str, language: &str, roles: &[&str]) {
        let mut arguments = vec!["new", name, "--lang", language];
        roles.iter().for_each(|role| arguments.extend(["--role", *role]));
        done(&self.runner(&arguments));
    }

    fn build(&self, name: &str) -> Output {
        self.runner(&["build", name, "--offline"])
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// It ended well; returns what it said.
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    said(output)
}

/// It refused its input; returns what it said.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", said(output));
    said(output)
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from:?} is not in {}", file.display());
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

/// A new project of every role builds at once, and its component has these roles and no capability.
fn new_and_build(language: &str) {
    let place = Place::new();
    place.new_project("many", language, &["promotion", "health-check", "notifier"]);
    let words = done(&place.build("many"));
    for expected in ["digest    sha256:", "promotion: ", "health-check: ", "notifier: ", "This runner can use it."] {
        assert!(words.contains(expected), "{language}: no {expected:?} in\n{words}");
    }
    assert!(!words.contains("runner:plugin/http") && !words.contains("wasi:"), "{words}");
    assert!(place.path("many/build/many.wasm").is_file());
}

#[test]
fn a_javascript_project_builds_at_once() {
    new_and_build("js");
}

#[test]
fn a_typescript_project_builds_at_once() {
    new_and_build("ts");
}

#[test]
fn a_python_project_builds_at_once() {
    new_and_build("python");
}

#[test]
fn a_rust_project_builds_at_once() {
    new_and_build("rust");
}

#[test]
fn a_c_project_builds_at_once() {
    new_and_build("c");
}

#[test]
fn a_folder_that_is_not_empty_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.path("mine")).unwrap();
    fs::write(place.path("mine/notes.txt"), "mine").unwrap();
    let words = refused(&place.runner(&["new", "mine", "--lang", "js", "--role", "promotion"]));
    assert!(words.contains("mine is there already, and not empty"), "{words}");
    assert_eq!(fs::read_dir(place.path("mine")).unwrap().count(), 1);
    let words = refused(&place.runner(&["new", "../escape", "--lang", "js", "--role", "promotion"]));
    assert!(words.contains("cannot be a plugin's name"), "{words}");
}

#[test]
fn a_missing_tool_is_named_with_the_way_to_get_it() {
    let ways = [
        ("js", "there is no `npm` on the PATH", "componentize-qjs@0.4.5"),
        ("ts", "there is no `npm` on the PATH", "esbuild@0.28.2"),
        ("python", "there is no `python3` on the PATH", "componentize-py==0.25.1"),
        ("c", "there is no `python3` on the PATH", "ziglang==0.17.1"),
        ("rust", "there is no `cargo` on the PATH", "rustup target add wasm32-unknown-unknown"),
    ];
    let place = Place::new();
    for (language, missing, way) in ways {
        place.new_project(language, language, &["promotion"]);
        let words = refused(&place.runner_without_tools(&["build", language]));
        assert!(words.contains(missing) && words.contains(way), "{language}: {words}");
        assert!(!place.path(language).join("build").join(format!("{language}.wasm")).exists());
    }
    for language in ["js", "python", "c"] {
        let words = refused(&place.runner_without_tools(&["build", language, "--offline"]));
        assert!(words.contains("--offline forbids to fetch"), "{language}: {words}");
    }
}

#[test]
fn a_component_must_keep_the_project_files_promises() {
    let place = Place::new();
    place.new_project("guard", "js", &["promotion"]);
    done(&place.build("guard"));
    let before = fs::read(place.path("guard/build/guard.wasm")).unwrap();

    // A role that nobody wrote.
    let file = place.path("guard/runner-plugin.toml");
    edit(&file, "roles = [\"promotion\"]", "roles = [\"promotion\", \"notifier\"]");
    let words = refused(&place.build("guard"));
    assert!(words.contains("src/notifier.js is missing"), "{words}");
    fs::write(place.path("guard/src/notifier.js"), "export const other = 1;\n").unwrap();
    let words = refused(&place.build("guard"));
    assert!(words.contains("notifier"), "{words}");
    edit(&file, "roles = [\"promotion\", \"notifier\"]", "roles = [\"promotion\"]");

    // A capability that is used and not declared.
    let source = place.path("guard/src/promotion.js");
    edit(&source, "import {", "import { bytes } from 'runner:plugin/random@0.1.1';\nimport {");
    edit(&source, "return approve();", "return bytes(1).length === 1 ? approve() : reject('no dice');");
    let words = refused(&place.build("guard"));
    assert!(words.contains("guard imports random, which guard/runner-plugin.toml does not declare"), "{words}");
    assert!(words.contains("write `capabilities = [\"random\"]` there"), "{words}");
    assert_eq!(fs::read(place.path("guard/build/guard.wasm")).unwrap(), before, "the good component stays");
    edit(&file, "capabilities = []", "capabilities = [\"random\"]");
    assert!(done(&place.build("guard")).contains("random"));

    // A key that nobody knows.
    edit(&file, "capabilities", "capabilites");
    let words = refused(&place.build("guard"));
    assert!(
        words.contains("runner-plugin.toml:6:1: unknown key \"capabilites\", did you mean \"capabilities\"?"),
        "{words}"
    );
}

#[test]
fn a_rust_component_that_exports_less_than_promised_is_refused() {
    let place = Place::new();
    place.new_project("less", "rust", &["promotion"]);
    edit(&place.path("less/runner-plugin.toml"), "roles = [\"promotion\"]", "roles = [\"promotion\", \"health-check\"]");
    let words = refused(&place.build("less"));
    assert!(
        words.contains("promises the roles promotion, health-check; the component that was built exports promotion"),
        "{words}"
    );
    assert!(words.contains("export health-check too, or take it out of `roles`"), "{words}");
}

#[test]
fn a_mistake_in_the_source_is_told_in_the_tools_words() {
    let place = Place::new();
    place.new_project("typo", "js", &["promotion"]);
    edit(&place.path("typo/src/promotion.js"), "export function promotion", "export function promotoin");
    let words = refused(&place.build("typo"));
    assert!(
        words.contains("esbuild failed") && words.contains("No matching export in \"typo/src/promotion.js\""),
        "{words}"
    );
}

/// The examples are what `new` writes: there is one text of each, and this keeps it so.
/// `RUNNER_BLESS=1` writes them anew.
#[test]
fn the_examples_are_new_projects() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/examples");
    let place = Place::new();
    for language in ["rust", "js", "ts", "python", "c"] {
        let dir = place.path(language);
        let arguments = ["new", "caught-up", "--lang", language, "--role", "promotion", "--dir", dir.to_str().unwrap()];
        done(&place.runner(&arguments));
        let _ = fs::remove_dir_all(dir.join(".runner"));
        let example = examples.join(format!("{language}-caught-up"));
        for file in files(&dir) {
            let (wanted, there) = (fs::read_to_string(dir.join(&file)).unwrap(), example.join(&file));
            if env::var_os("RUNNER_BLESS").is_some() {
                fs::create_dir_all(there.parent().unwrap()).unwrap();
                fs::write(&there, &wanted).unwrap();
            }
            let text = fs::read_to_string(&there).unwrap_or_default();
            assert_eq!(text, wanted, "{}: run this test with RUNNER_BLESS=1", there.display());
        }
    }
}

/// Every file under a folder, by its path from there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found
}
