//! The standard library for WebAssembly guests: there already, else from rustup, else built from Debian's `rust-src`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{Item, Need, State, debian::PrivateApt};
use crate::{context::Context, process, say};

/// What plugins and Rust test guests are built for: a component without WASI imports.
pub(crate) const GUEST: &str = "wasm32-unknown-unknown";
/// What a Rust user builds for out of habit; for the test guest that imports WASI.
pub(crate) const WASI: &str = "wasm32-wasip2";

/// Set to leave rustup out, for trying the fallback.
const NO_RUSTUP_VARIABLE: &str = "WASM_TARGET_NO_RUSTUP";
/// Where `rust-src` of a recent rustc is found, best first. Its version must be rustc's own, exactly.
const SUITES: [&str; 2] = ["trixie-backports", "trixie"];

/// Makes `cargo build --target wasm32-unknown-unknown` work.
pub(crate) fn guest_target(context: &Context) -> Item {
    let state = match ensure(context) {
        Ok(()) => State::Here(GUEST.to_owned()),
        Err(error) => State::lacks(&error, format!("rustup target add {GUEST}")),
    };
    Item::new("Rust guest target", Need::Demo, state)
}

/// Tries to get the WASI target; runner's own guests do without.
pub(crate) fn wasi_target(context: &Context) -> Item {
    let state = match installed(WASI).and_then(|there| if there { Ok(()) } else { rustup(context, WASI) }) {
        Ok(()) => State::Here(WASI.to_owned()),
        Err(error) => State::lacks(&error, format!("rustup target add {WASI}")),
    };
    Item::new("Rust WASI target", Need::Optional, state)
}

/// Whether the toolchain has a standard library for that target.
pub(crate) fn installed(target: &str) -> Result<bool> {
    let folder = library_folder(target)?;
    let Ok(entries) = fs::read_dir(folder) else { return Ok(false) };
    Ok(entries.flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    }))
}

fn ensure(context: &Context) -> Result<()> {
    if installed(GUEST)? {
        return Ok(());
    }
    let from_rustup = if std::env::var_os(NO_RUSTUP_VARIABLE).is_some() {
        Err(anyhow::anyhow!("{NO_RUSTUP_VARIABLE} is set"))
    } else {
        rustup(context, GUEST)
    };
    let Err(refused) = from_rustup else { return Ok(()) };
    say::timed(&format!("{GUEST}: rustup did not provide it, building it from Debian's rust-src"), || {
        build_from_source(context)
    })
    .with_context(|| format!("rustup: {refused:#}"))
}

fn rustup(context: &Context, target: &str) -> Result<()> {
    let Some(rustup) = process::on_path("rustup") else { bail!("there is no rustup on the PATH") };
    say::timed(&format!("{target}: rustup target add"), || {
        let mut add = Command::new(rustup);
        context.quiet(&format!("rustup-{target}"), add.args(["target", "add", target]), Duration::from_secs(180))
    })?;
    if !installed(target)? {
        bail!("rustup added {target} to another toolchain than the one that cargo uses");
    }
    Ok(())
}

fn build_from_source(context: &Context) -> Result<()> {
    let version = rustc_version()?;
    let mut misses = Vec::new();
    for suite in SUITES {
        let attempt = PrivateApt::open(context, suite).and_then(|apt| {
            // 1.95.0+dfsg-1~bpo13+1: rustc's version up to the plus sign.
            let ours = |candidate: &&String| candidate.split('+').next() == Some(version.as_str());
            match apt.versions("rust-src")?.iter().find(ours) {
                Some(package) => build_with(context, &apt, package),
                None => bail!("no rust-src {version}"),
            }
        });
        match attempt {
            Ok(()) => return Ok(()),
            Err(error) => misses.push(format!("Debian {suite}: {error:#}")),
        }
    }
    bail!("{}", misses.join("; "))
}

/// Builds the library in an empty project and puts it where rustup would have.
fn build_with(context: &Context, apt: &PrivateApt<'_>, version: &str) -> Result<()> {
    let unpacked = apt.unpack(&[&format!("rust-src={version}")])?;
    let sources = fs::read_dir(unpacked.join("usr/src"))?
        .flatten()
        .map(|entry| entry.path().join("library"))
        .find(|folder| folder.is_dir())
        .context("the package rust-src holds no library")?
        .canonicalize()?;
    let project = apt.scratch().path().join("project");
    fs::create_dir_all(project.join("src"))?;
    fs::write(project.join("src/lib.rs"), "")?;
    fs::write(project.join("Cargo.toml"), "[package]\nname = \"probe\"\nedition = \"2021\"\n[workspace]\n")?;
    let mut cargo = context.cargo(&["build", "--quiet", "--release", "-Zbuild-std=std,panic_abort", "--target", GUEST]);
    cargo
        .current_dir(&project)
        // Stable's own build-std: the flag and the source's place are meant for cargo's tests, but this is what they do.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("__CARGO_TESTS_ONLY_SRC_ROOT", &sources)
        // The plugins' `lto = true` needs the library's bitcode.
        .env("RUSTFLAGS", format!("-Cembed-bitcode=yes --remap-path-prefix={}=/rustc-src", sources.display()))
        .env("CARGO_TARGET_DIR", project.join("target"))
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    context.quiet("build-std", &mut cargo, Duration::from_secs(900))?;
    install(&project.join("target").join(GUEST).join("release/deps"), &library_folder(GUEST)?)
}

fn install(built: &Path, library: &Path) -> Result<()> {
    fs::create_dir_all(library).with_context(|| format!("failed to create {}", library.display()))?;
    let mut files: Vec<PathBuf> = fs::read_dir(built)?.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension() == Some(OsStr::new("rlib")) && !file_name(file).starts_with("libprobe"));
    // `libstd-*` says that all is there: it comes last, and by a rename.
    files.sort_by_key(|file| file_name(file).starts_with("libstd-"));
    for file in files {
        let unfinished = library.join("unfinished");
        let place = library.join(file_name(&file));
        fs::copy(&file, &unfinished).with_context(|| format!("failed to write into {}", library.display()))?;
        fs::rename(&unfinished, &place).with_context(|| format!("failed to write {}", place.display()))?;
    }
    Ok(())
}

fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn rustc_version() -> Result<String> {
    let text = process::output(rustc().arg("--version"))?;
    text.split_whitespace().nth(1).map(str::to_owned).context("`rustc --version` names no version")
}

fn library_folder(target: &str) -> Result<PathBuf> {
    Ok(PathBuf::from(process::output(rustc().args(["--print", "target-libdir", "--target", target]))?.trim()))
}
