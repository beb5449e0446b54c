//! Obtains what the builds, the demo and the tests need, side by side, and says what lacks and what to type then.
//!
//! Every step looks first and is quiet where all is there. Work that a killed run left half done is removed and done
//! again; two set-ups at a time wait for each other.

pub(crate) mod debian;
pub(crate) mod etcd;
mod etcd_debian;
mod etcd_go;
pub(crate) mod go;
pub(crate) mod node;
pub(crate) mod protoc;
pub(crate) mod python;
mod registry;
pub(crate) mod wasm_target;

use std::{process::Command, thread, time::Duration};

use anyhow::{Result, anyhow, bail};

use crate::{context::Context, lock::Held, process, say, scratch};

/// Who cannot do without it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Need {
    /// Everything, the demo included.
    Demo,
    /// The full test run.
    Tests,
    /// Nobody: where it is there, more is tested.
    Optional,
}

/// Whether it is there.
pub(crate) enum State {
    /// It is; what or which.
    Here(String),
    /// It is not.
    Lacks {
        /// What went wrong, in one line or with the end of a log.
        why: String,
        /// The command that fixes it.
        fix: String,
    },
}

/// One thing of the set-up.
pub(crate) struct Item {
    /// For the table.
    pub(crate) name: String,
    /// Who cannot do without it.
    pub(crate) need: Need,
    /// Whether it is there.
    pub(crate) state: State,
}

/// What a set-up came to.
pub(crate) struct Outcome(Vec<Item>);

impl State {
    /// Not there, because of an error.
    pub(crate) fn lacks(error: &anyhow::Error, fix: String) -> Self {
        Self::Lacks { why: format!("{error:#}"), fix }
    }
}

impl Item {
    /// One thing of the set-up.
    pub(crate) fn new(name: &str, need: Need, state: State) -> Self {
        Self { name: name.to_owned(), need, state }
    }
}

impl Outcome {
    /// Prints the table. Errors where the full test run lacks something; the table says what to type.
    pub(crate) fn require_all(&self) -> Result<()> {
        say::plain(&self.table());
        let lacking: Vec<&str> =
            self.0.iter().filter(|item| item.is_needed_and_lacks()).map(|item| item.name.as_str()).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        bail!("lacking for the full run: {}; the table above says why and what to type", lacking.join(", "))
    }

    fn table(&self) -> String {
        let width = self.0.iter().map(|item| item.name.len()).max().unwrap_or(0);
        let row = |item: &Item| {
            let indent = " ".repeat(width + 11);
            match &item.state {
                State::Here(what) => format!("  {:width$}  there    {what}", item.name),
                State::Lacks { why, fix } => {
                    let word = if item.need == Need::Optional { "optional" } else { "LACKING " };
                    let why = why.replace('\n', &format!("\n{indent}"));
                    format!("  {:width$}  {word} {why}\n{indent}  fix: {fix}", item.name)
                }
            }
        };
        self.0.iter().map(row).collect::<Vec<_>>().join("\n")
    }
}

impl Item {
    fn is_needed_and_lacks(&self) -> bool {
        self.need != Need::Optional && matches!(self.state, State::Lacks { .. })
    }
}

/// Everything that the tests need. Errors only where the set-up itself cannot work; what lacks is in the outcome.
pub(crate) fn everything(context: &Context) -> Result<Outcome> {
    let _held = begin(context)?;
    let items = thread::scope(|scope| {
        let crates = scope.spawn(|| fetch_crates(context));
        let node = scope.spawn(|| node::install(context));
        let python = scope.spawn(|| python::install(context));
        // rustup locks nothing: its two steps go one after the other.
        let rust = scope.spawn(|| [wasm_target::guest_target(context), wasm_target::wasi_target(context)]);
        let servers = etcd::obtain_all(context)?;
        // After etcd's packages: both read the lists of the same release.
        let registry = registry::obtain(context);
        let died = |_| anyhow!("a set-up step panicked");
        let mut items = vec![protoc_item(context)];
        items.extend(rust.join().map_err(died)?);
        items.extend(servers);
        items.push(registry);
        items.push(node.join().map_err(died)?);
        items.push(python.join().map_err(died)?);
        crates.join().map_err(died)?;
        anyhow::Ok(items)
    })?;
    Ok(Outcome(items))
}

/// What the demo needs: the guest target and one etcd, the newest at hand.
pub(crate) fn for_demo(context: &Context) -> Result<etcd::Server> {
    let _held = begin(context)?;
    if let State::Lacks { why, fix } = wasm_target::guest_target(context).state {
        bail!("{why}\nhint: {fix}");
    }
    etcd::newest(context)
}

/// What the measurements need: the guest target and an etcd of every release line, as far as they can be had here; those at hand
/// are measured.
pub(crate) fn for_bench(context: &Context) -> Result<()> {
    let _held = begin(context)?;
    if let State::Lacks { why, fix } = wasm_target::guest_target(context).state {
        bail!("{why}\nhint: {fix}");
    }
    let servers = Outcome(etcd::obtain_all(context)?);
    say::plain(&servers.table());
    if servers.0.iter().all(Item::is_needed_and_lacks) {
        bail!("there is no etcd to measure; the table above says why and what to type");
    }
    Ok(())
}

/// Takes the lock and removes what killed runs left.
fn begin(context: &Context) -> Result<Held<'_>> {
    let held = context.lock.hold()?;
    scratch::sweep(&context.tools)?;
    scratch::sweep(&context.tools.join("etcd"))?;
    Ok(held)
}

fn protoc_item(context: &Context) -> Item {
    let state = match process::output(Command::new(&context.protoc).arg("--version")) {
        Ok(version) => State::Here(format!("{} ({})", version.trim(), context.protoc.display())),
        Err(error) => State::lacks(&error, "apt-get install protobuf-compiler   # or set PROTOC".to_owned()),
    };
    Item::new("protoc", Need::Demo, state)
}

/// Downloads the crates while the cores are at something else. Where it fails, the build says why.
fn fetch_crates(context: &Context) {
    let _ = context.quiet("cargo-fetch", &mut context.cargo(&["fetch", "--quiet"]), Duration::from_secs(600));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_lacks_and_what_to_type() {
        let lacks = |why: &str, fix: &str| State::Lacks { why: why.to_owned(), fix: fix.to_owned() };
        let outcome = Outcome(vec![
            Item::new("etcd 3.5", Need::Tests, State::Here("3.5.16, 3.5.35".to_owned())),
            Item::new("Node tools", Need::Tests, lacks("there is no node on the PATH", "apt-get install nodejs npm")),
            Item::new("Rust WASI target", Need::Optional, lacks("offline", "rustup target add wasm32-wasip2")),
        ]);
        assert_eq!(
            outcome.table(),
            "  etcd 3.5          there    3.5.16, 3.5.35\n\
             \x20 Node tools        LACKING  there is no node on the PATH\n\
             \x20                            fix: apt-get install nodejs npm\n\
             \x20 Rust WASI target  optional offline\n\
             \x20                            fix: rustup target add wasm32-wasip2"
        );
        let error = outcome.require_all().unwrap_err().to_string();
        assert!(error.starts_with("lacking for the full run: Node tools;"), "{error}");
    }
}
