//! `cargo xtask test`: everything that the tests need, then the tests.

use anyhow::Result;

use crate::{bindings, context::Context, go_tests, guests, process, say, setup};

/// At least so many tests of one program at once, unless `RUST_TEST_THREADS` says otherwise: most of them wait (for etcd's elections, for
/// limits of time), and with one a core the machine would wait with them. On 2 cores the 106 tests of `engine` take 344 s with two at once and 133 s with eight.
const THREADS: usize = 8;

/// Sets up, builds, and runs `cargo test`: the whole workspace, unless `arguments` name packages.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result<()> {
    setup::everything(context)?.require_all()?;
    bindings::check(context)?;
    go_tests::run(context)?;
    guests::everything(context)?;
    // One red test program is no reason not to hear of the others.
    let mut cargo = context.cargo(&["test", "--no-fail-fast"]);
    if !names_packages(arguments) {
        cargo.arg("--workspace");
    }
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cargo.env("RUST_TEST_THREADS", cores.max(THREADS).to_string());
    }
    // Apart from `--`, which is the test programs' own, what follows is cargo's.
    cargo.args(arguments);
    say::timed("cargo test", || process::stream(&mut cargo))
}

fn names_packages(arguments: &[String]) -> bool {
    let cargos = arguments.iter().take_while(|argument| *argument != "--");
    cargos
        .into_iter()
        .any(|argument| argument == "--package" || argument.starts_with("--package=") || argument.starts_with("-p"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cargos_own_package_flags_count() {
        let named = |line: &str| names_packages(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(named("-p runner --lib") && named("-prunner") && named("--package=runner"));
        assert!(!named("--lib journal") && !named("-- -p runner"));
    }
}
