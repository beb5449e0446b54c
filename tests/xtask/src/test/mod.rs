//! `cargo xtask test`: everything that the tests need, then the tests.

mod building;
mod lanes;
mod program;

use anyhow::Result;

use self::{
    building::Building,
    program::{Built, Program},
};
use crate::{bindings, context::Context, go_tests, guests, node, process, say, setup};

/// At least so many tests of one program at once, unless `RUST_TEST_THREADS` says otherwise: most of them wait (for etcd's elections, for
/// limits of time), and with one a core the machine would wait with them. On 2 cores the 106 tests of `engine` take 344 s with two at once and 133 s with eight.
const THREADS: usize = 8;

/// The same for each of the programs that run side by side: on 2 cores all tests take 5 min 32 s.
const SIDE_BY_SIDE: usize = 5;

/// Sets up, builds and tests: the whole workspace, or what `arguments`, which are `cargo test`'s, choose.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result<()> {
    if arguments.is_empty() { everything(context) } else { chosen(context, arguments) }
}

/// The whole workspace, side by side what need not wait for one another.
fn everything(context: &Context) -> Result<()> {
    let mut building = Building::start(context)?;
    setup::everything(context)?.require_all()?;
    building.check()?;
    bindings::check(context)?;
    go_tests::run(context)?;
    building.check()?;
    guests::without_runner(context)?;
    let mut built = building.finish()?;
    built.programs.push(Program::documentation());
    let left_out = real_nodes(context, &mut built);
    let out = &mut std::io::stdout();
    let ended = lanes::run(context, built, &threads(SIDE_BY_SIDE), out, |runner| guests::by_runner(context, runner));
    if let Some(why) = left_out {
        say::line(&format!(
            "LEFT OUT: joins of real nodes by kubeadm, kubelet and containerd: {why}; `cargo xtask node` as root runs them"
        ));
    }
    ended
}

/// Chooses the quick ones among the tests of real nodes where their parts are built already; else takes all of them out, and says why.
fn real_nodes(context: &Context, built: &mut Built) -> Option<&'static str> {
    let why = node::lacking(context);
    match (built.programs.iter_mut().find(|program| program.choice == node::PROGRAM), why) {
        (Some(program), None) => program.choose(&node::QUICK),
        _ => built.programs.retain(|program| program.choice != node::PROGRAM),
    }
    why
}

/// What the arguments choose, as cargo runs it.
fn chosen(context: &Context, arguments: &[String]) -> Result<()> {
    setup::everything(context)?.require_all()?;
    bindings::check(context)?;
    guests::everything(context)?;
    // One red test program is no reason not to hear of the others.
    let mut cargo = context.cargo(&["test", "--no-fail-fast"]);
    if !names_packages(arguments) {
        cargo.arg("--workspace");
    }
    // Apart from `--`, which is the test programs' own, what follows is cargo's.
    cargo.args(arguments).env("RUST_TEST_THREADS", threads(THREADS));
    say::timed("cargo test", || process::stream(&mut cargo))
}

/// For `RUST_TEST_THREADS`: what it says already, else one a core, and at least so many.
fn threads(at_least: usize) -> String {
    std::env::var("RUST_TEST_THREADS").unwrap_or_else(|_| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cores.max(at_least).to_string()
    })
}

fn names_packages(arguments: &[String]) -> bool {
    let cargos = arguments.iter().take_while(|argument| *argument != "--");
    cargos.into_iter().any(|argument| {
        argument == "--package"
            || argument.starts_with("--package=")
            || argument.starts_with("-p")
            || argument == "--workspace"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cargos_own_package_flags_count() {
        let named = |line: &str| names_packages(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(named("--workspace --doc"));
        assert!(named("-p runner --lib") && named("-prunner") && named("--package=runner"));
        assert!(!named("--lib journal") && !named("-- -p runner"));
    }
}
