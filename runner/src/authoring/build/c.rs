//! C: bindings by the `wit-bindgen-c` library, a core module by zig (or clang with a WASI sysroot), a component by `wit-component`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::Job;
use super::venv::Venv;
use crate::Problem;
use crate::authoring::{Project, contract, files, tools};

/// Zig, which is a C compiler with a C library for WebAssembly, as a Python package.
const PACKAGE: (&str, &str) = ("ziglang", "0.17.1");

/// Builds the project into `job.output`.
pub(super) fn build(job: &Job<'_>) -> Result<(), Problem> {
    let project = job.project;
    let mut sources = Vec::new();
    for role in &project.roles {
        sources.push(super::source_of(project, &format!("src/{}.c", role.name().replace('-', "_")))?);
    }
    let mut compiler = find_or_install(job)?;
    let work = project.work();
    contract::write(project, &work.join("wit"))?;
    files::renew(&work.join("sdk"), files::SDK_C)?;
    bindings(project, &work)?;

    let core = work.join("core.wasm");
    compiler.args(["-mexec-model=reactor", "-std=c11", "-Os", "-s", "-Wall", "-Wextra", "-Wno-unused-parameter"]);
    compiler.arg("-I").arg(work.join("sdk")).arg("-I").arg(work.join("bindings")).arg("-o").arg(&core);
    for role in &project.roles {
        compiler.arg(format!("-DRUNNER_{}", role.name().replace('-', "_").to_ascii_uppercase()));
    }
    compiler.args(&sources).arg(work.join("sdk/runner_plugin.c")).arg(work.join("bindings/plugin.c"));
    tools::run(&mut compiler).map_err(|trouble| explained(project, trouble))?;
    let bytes = std::fs::read(&core).map_err(|e| files::problem("read", &core, &e))?;
    let component = componentize(project, bytes)?;
    std::fs::write(&job.output, component).map_err(|e| files::problem("write", &job.output, &e))
}

/// Writes `plugin.h` and `plugin.c` for the project's world.
fn bindings(project: &Project, work: &Path) -> Result<(), Problem> {
    let bug = |e: &dyn std::fmt::Display| Problem::new(format!("the C bindings cannot be made (a bug in runner): {e}"));
    let mut resolve = wit_bindgen_core::wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(work.join("wit")).map_err(|e| bug(&e))?;
    let world = resolve.select_world(&[package], Some(contract::WORLD)).map_err(|e| bug(&e))?;
    let mut made = wit_bindgen_core::Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    wit_bindgen_core::WorldGenerator::generate(&mut *generator, &mut resolve, world, &mut made)
        .map_err(|e| bug(&format!("{} of {}: {e}", contract::WORLD, project.name)))?;
    for (name, bytes) in made.iter().filter(|(name, _)| !name.ends_with(".o")) {
        files::write(&work.join("bindings").join(name), &String::from_utf8_lossy(bytes))?;
    }
    Ok(())
}

/// A component of a core module.
fn componentize(project: &Project, mut core: Vec<u8>) -> Result<Vec<u8>, Problem> {
    let (resolve, world) = contract::resolve(project)?;
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8)
        .and_then(|()| ComponentEncoder::default().validate(true).module(&core)?.encode())
        .map_err(|e| Problem::new(format!("the module that was built cannot become a component: {e:#}")))
}

/// Zig on the `PATH`, zig as a Python package of the project or of the `PATH`'s Python, clang with a sysroot; else the package is
/// installed into the project.
fn find_or_install(job: &Job<'_>) -> Result<Command, Problem> {
    let cc = |program: &Path, first: &[&str]| {
        let mut command = Command::new(program);
        command.args(first).args(["cc", "-target", "wasm32-wasi"]);
        // Its library for WebAssembly is built once, and kept there.
        command.env("ZIG_GLOBAL_CACHE_DIR", zig_cache(job.project));
        command
    };
    if let Some(zig) = tools::on_path("zig") {
        return Ok(cc(&zig, &[]));
    }
    let venv = Venv::of(&job.project.dir);
    let pythons = venv.command("python").into_iter().chain(tools::on_path("python3"));
    for python in pythons {
        if tools::run(Command::new(&python).args(["-m", "ziglang", "version"])).is_ok() {
            return Ok(cc(&python, &["-m", "ziglang"]));
        }
    }
    if let Some(clang) = clang() {
        return Ok(clang);
    }
    venv.install(job, PACKAGE.0, PACKAGE.1, "it compiles C for WebAssembly")?;
    let python =
        venv.command("python").ok_or_else(|| Problem::new("pip installed ziglang, and there is no python in .venv"))?;
    Ok(cc(&python, &["-m", "ziglang"]))
}

/// Where zig keeps what it built once: for all projects of this user, or with the project.
fn zig_cache(project: &Project) -> OsString {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/zig"));
    let given = std::env::var_os("ZIG_GLOBAL_CACHE_DIR");
    given.or_else(|| home().map(PathBuf::into_os_string)).unwrap_or_else(|| project.work().join("zig").into_os_string())
}

/// Debian's clang with its WASI packages: `apt-get install clang lld wasi-libc libclang-rt-dev-wasm32`.
fn clang() -> Option<Command> {
    let headers = Path::new("/usr/include/wasm32-wasi");
    let clang = tools::on_path("clang").filter(|_| headers.is_dir())?;
    let mut command = Command::new(clang);
    command.args(["--target=wasm32-wasi", "--sysroot=/usr", "-isystem"]).arg(headers);
    Some(command)
}

/// What the compiler says of an interface that the project does not declare.
fn explained(project: &Project, trouble: Problem) -> Problem {
    let missing =
        super::capabilities_named(&trouble.message, |name| format!("'runner_plugin_{name}_|\"runner_plugin_{name}_"));
    let missing: Vec<_> = missing.into_iter().filter(|c| !project.capabilities.contains(c)).collect();
    if missing.is_empty() { trouble } else { super::undeclared(project, &missing) }
}
