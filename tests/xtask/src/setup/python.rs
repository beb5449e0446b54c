//! Python's tool: `componentize-py`, pinned, in a virtual environment at `target/tools/python`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{Item, Need, State};
use crate::{context::Context, process, say, scratch};

/// In the environment's folder: the requirements that were installed, written last.
const DONE: &str = "installed.txt";
const LIMIT: Duration = Duration::from_secs(600);

/// Makes the environment where it is not there or has other requirements.
pub(crate) fn install(context: &Context) -> Item {
    let state = match ensure(context) {
        Ok(()) => State::Here("componentize-py for Python guests".to_owned()),
        Err(error) => State::lacks(&error, "apt-get install python3 python3-venv   # Python 3.10 or newer".to_owned()),
    };
    Item::new("Python tools", Need::Tests, state)
}

/// The guest compiler.
pub(crate) fn componentize(context: &Context) -> Command {
    Command::new(place(context).join("bin/componentize-py"))
}

fn place(context: &Context) -> PathBuf {
    context.tools.join("python")
}

fn ensure(context: &Context) -> Result<()> {
    let requirements = context.source("tests/tools/python/requirements.txt");
    let wanted = fs::read(&requirements).with_context(|| format!("failed to read {}", requirements.display()))?;
    let folder = place(context);
    let usable = || process::output(componentize(context).arg("--version")).is_ok();
    if fs::read(folder.join(DONE)).is_ok_and(|there| there == wanted) && usable() {
        return Ok(());
    }
    let Some(python) = process::on_path("python3") else { bail!("there is no python3 on the PATH") };
    say::timed("Python tools: pip install (componentize-py)", || {
        // Made in place, because its scripts name their interpreter by path: the file written last says that it is whole.
        scratch::remove(&folder)?;
        let mut pip = environment(context, &python, &folder)?;
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r"]).arg(&requirements);
        context.quiet("pip", &mut pip, LIMIT)?;
        process::output(componentize(context).arg("--version"))?;
        fs::write(folder.join(DONE), &wanted).with_context(|| format!("failed to write into {}", folder.display()))
    })
}

/// Creates the environment and returns the pip that installs into it. Debian's Python comes without the module that puts
/// pip into an environment; there a pip from outside does as well.
fn environment(context: &Context, python: &Path, folder: &Path) -> Result<Command> {
    let inside = folder.join("bin/python");
    let whole = context.quiet("venv", Command::new(python).args(["-m", "venv"]).arg(folder), LIMIT);
    let Err(refused) = whole else {
        let mut pip = Command::new(inside);
        pip.args(["-m", "pip"]);
        return Ok(pip);
    };
    scratch::remove(folder)?;
    let mut bare = Command::new(python);
    bare.args(["-m", "venv", "--without-pip"]).arg(folder);
    let outside = context
        .quiet("venv", &mut bare, LIMIT)
        .and_then(|()| process::output(Command::new(python).args(["-m", "pip", "--version"])));
    match outside {
        Ok(_) => {
            let mut pip = Command::new(python);
            pip.args(["-m", "pip", "--python"]).arg(inside);
            Ok(pip)
        }
        Err(_) => Err(refused),
    }
}
