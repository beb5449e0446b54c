//! Go: `wit-bindgen-go`'s output as packages of the SDK's module, on the SDK's own run-time packages.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use wit_bindgen_core::{Files, wit_parser::Resolve};
use wit_bindgen_go::{Format, Opts};

use super::Generated;

/// Where they are committed. Nothing else lies there.
pub(super) const FOLDER: &str = "plugins/sdk-go/internal/wit";

/// The SDK's packages that are for itself.
const INTERNAL: &str = "runner.dev/plugin/internal";

/// Everything that a plugin may import, in one world; and a world for each interface that it may export, so that each export lies
/// in a package of its own: Go's linker drops imports that nobody calls, but never an export.
const WORLDS: &str = "
    package runner:sdk-go;
    world imports {
        import runner:plugin/facts@0.1.1;
        import runner:plugin/logging@0.1.1;
        import runner:plugin/clock@0.1.1;
        import runner:plugin/settings@0.1.1;
        import runner:plugin/random@0.1.1;
        import runner:plugin/http@0.1.1;
        import runner:plugin/kubernetes@0.1.1;
        import runner:plugin/probes@0.1.1;
        import runner:plugin/etcd@0.1.1;
        import runner:plugin/secrets@0.1.1;
    }
    world configuration { export runner:plugin/configuration@0.1.1; }
    world health-check { export runner:plugin/health-check@0.1.1; }
    world promotion { export runner:plugin/promotion@0.1.1; }
    world notifier { export runner:plugin/notifier@0.1.1; }
";

const WORLD_NAMES: [&str; 5] = ["imports", "configuration", "health-check", "promotion", "notifier"];

/// How many places of the bindings are guarded: a generator that writes them in another way is noticed.
const EXPECTED: Guarded = Guarded { calls: 57, drops: 10, holds: 43 };

/// Places of generated text that are guarded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Guarded {
    /// Calls to the host.
    calls: usize,
    /// Drops of a handle.
    drops: usize,
    /// Calls that hand over or take memory.
    holds: usize,
}

impl Guarded {
    fn add(&mut self, more: Self) {
        self.calls += more.calls;
        self.drops += more.drops;
        self.holds += more.holds;
    }
}

/// All bindings.
pub(super) fn generate(root: &Path) -> Result<Generated> {
    let (mut generated, mut guarded) = (Generated::new(), Guarded::default());
    for world in WORLD_NAMES {
        for (name, text) in generate_world(root, world)? {
            let Some((name, text)) = place(world, &name, text) else { continue };
            let mut found = Guarded::default();
            let text = guard(&text, &mut found);
            if world == "imports" {
                guarded.add(found);
            }
            // The facts come with every role's world, and are the same everywhere.
            let bytes = gofmt(&text)?;
            if generated.insert(Path::new(FOLDER).join(&name), bytes.clone()).is_some_and(|other| other != bytes) {
                bail!("{name} is not the same in all worlds");
            }
        }
    }
    ensure!(guarded == EXPECTED, "the generator writes calls in another way than this knows: {guarded:?}, not {EXPECTED:?}");
    Ok(generated)
}

fn generate_world(root: &Path, world: &str) -> Result<Vec<(String, String)>> {
    let mut resolve = Resolve::default();
    resolve.push_path(root.join("wit")).context("failed to read the contract")?;
    let package = resolve.push_str("worlds.wit", WORLDS)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let opts = Opts { pkg_name: Some(format!("{INTERNAL}/wit")), format: Format::False, ..Opts::default() };
    let mut files = Files::default();
    opts.build().generate(&mut resolve, world, &mut files)?;
    files.iter().map(|(name, text)| Ok((name.to_owned(), String::from_utf8(text.to_vec())?))).collect()
}

/// Where a generated file goes; none where it is not needed. The packages of types and imports are shared by all worlds.
fn place(world: &str, name: &str, text: String) -> Option<(String, String)> {
    // Without WebAssembly the SDK has other files, for tests; these are left out there.
    if name.ends_with(".s") || (world == "imports" && name.starts_with("wit_exports/")) {
        return None;
    }
    let Some(name) = name.strip_prefix("wit_exports/") else { return Some((name.to_owned(), text)) };
    let package = format!("export_runner_plugin_{}", world.replace('-', "_"));
    let (generated, own) = (format!("\"{INTERNAL}/wit/{package}\""), format!("{INTERNAL}/roles/{}", world.replace('-', "")));
    Some((format!("exports/{}/{name}", world.replace('-', "")), text.replace(&generated, &format!("{package} \"{own}\""))))
}

/// Lets the bindings use the SDK's run-time packages, and puts the guards around what is called of the host.
fn guard(text: &str, guarded: &mut Guarded) -> String {
    let text = text.replace("go.bytecodealliance.org/pkg/wit/", &format!("{INTERNAL}/"));
    let mut code = String::new();
    for line in text.lines() {
        let statement = line.trim_start();
        let indent = &line[..line.len() - statement.len()];
        let is_call = statement.starts_with("wasm_import_") || statement.contains(":= wasm_import_");
        let is_drop = statement.starts_with("resourceDrop");
        guarded.calls += usize::from(is_call);
        guarded.drops += usize::from(is_drop);
        if is_call || is_drop {
            // One call at a time: while the host writes its answer other goroutines may run, and must not call it then.
            code += &format!("{indent}witRuntime.Lock()\n{line}\n{indent}witRuntime.Unlock()\n");
            continue;
        }
        code += &format!("{line}\n");
        if statement == "defer pinner.Unpin()" {
            // What the host writes into the guest is kept until the answer has been read.
            guarded.holds += 1;
            code += &format!("{indent}defer witRuntime.Hold()()\n");
        }
    }
    if code.contains("witRuntime.") && !code.contains("witRuntime \"") {
        let import = format!("\twitRuntime \"{INTERNAL}/runtime\"\n");
        code = match code.contains("import ()") {
            true => code.replacen("import ()", &format!("import (\n{import})"), 1),
            false => code.replacen("import (\n", &format!("import (\n{import}"), 1),
        };
    }
    format!("//go:build wasm\n\n{code}")
}

/// What `gofmt` makes of it. Generated text is a few ten KiB, which a pipe's other end may take its time to read.
fn gofmt(text: &str) -> Result<Vec<u8>> {
    let mut child =
        Command::new("gofmt").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("failed to start gofmt")?;
    let mut input = child.stdin.take().context("gofmt has an input")?;
    let output = thread::scope(|scope| {
        let writing = scope.spawn(move || input.write_all(text.as_bytes()));
        let output = child.wait_with_output();
        writing.join().map_err(|_| anyhow!("writing to gofmt panicked"))??;
        anyhow::Ok(output?)
    })?;
    ensure!(output.status.success(), "gofmt refuses what was generated");
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_guarded_and_counted() {
        let mut guarded = Guarded::default();
        let text = "package p\n\nimport ()\n\nfunc F() {\n\tdefer pinner.Unpin()\n\tresult := wasm_import_f()\n}\n\
                    func (self *T) Drop() {\n\t\tresourceDropT(handle)\n}\n//go:wasmimport m f\nfunc wasm_import_f() int32\n";
        let text = guard(text, &mut guarded);
        assert_eq!(guarded, Guarded { calls: 1, drops: 1, holds: 1 });
        assert!(text.starts_with(
            "//go:build wasm\n\npackage p\n\nimport (\n\twitRuntime \"runner.dev/plugin/internal/runtime\"\n)\n"
        ));
        let guards = "\twitRuntime.Lock()\n\tresult := wasm_import_f()\n\twitRuntime.Unlock()\n";
        assert!(text.contains(guards) && text.contains("\t\twitRuntime.Lock()\n\t\tresourceDropT"), "{text}");
        assert!(text.contains("defer pinner.Unpin()\n\tdefer witRuntime.Hold()()\n"), "{text}");
    }
}
