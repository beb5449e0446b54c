//! A project's own virtual environment, `.venv`: where tools that come as Python packages are installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Job;
use crate::Problem;
use crate::authoring::tools;

/// The virtual environment of a project, there or not.
pub(super) struct Venv {
    dir: PathBuf,
}

impl Venv {
    /// That of the project in this folder.
    pub(super) fn of(project: &Path) -> Self {
        Self { dir: project.canonicalize().unwrap_or_else(|_| project.to_owned()).join(".venv") }
    }

    /// A command of it, where it is there.
    pub(super) fn command(&self, name: &str) -> Option<PathBuf> {
        Some(self.dir.join("bin").join(name)).filter(|file| tools::is_executable(file))
    }

    /// Installs a package, after saying so; makes the environment first where it is not there.
    pub(super) fn install(&self, job: &Job<'_>, package: &str, version: &str, purpose: &str) -> Result<(), Problem> {
        let wanted = format!("{package}=={version}");
        let venv = self.dir.display();
        let by_hand = format!("python3 -m venv {venv} && {venv}/bin/pip install {wanted}");
        if job.offline {
            return Err(Problem::new(format!("{wanted} is not installed ({purpose}), and --offline forbids to fetch it"))
                .hint(by_hand));
        }
        let python = tools::need(
            "python3",
            &format!("{package} is installed with it; {purpose}"),
            &["install Python 3.10 or newer: https://python.org, or `apt-get install python3 python3-venv`", &by_hand],
        )?;
        (job.say)(&format!("installing {wanted} with pip into {venv} ..."));
        let mut pip = self.pip(&python).map_err(|trouble| trouble.hint("apt-get install python3-venv"))?;
        tools::run(pip.args(["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", &wanted]))?;
        Ok(())
    }

    /// Makes the environment where it is not there, and returns the pip that installs into it. Debian's Python comes without the
    /// module that puts pip into an environment; there a pip from outside does as well.
    fn pip(&self, python: &Path) -> Result<Command, Problem> {
        let inside = self.dir.join("bin/python");
        let own = || {
            let mut pip = Command::new(&inside);
            pip.args(["-m", "pip"]);
            pip
        };
        if tools::is_executable(&inside) && tools::run(own().arg("--version")).is_ok() {
            return Ok(own());
        }
        let Err(refused) = tools::run(Command::new(python).args(["-m", "venv"]).arg(&self.dir)) else { return Ok(own()) };
        tools::run(Command::new(python).args(["-m", "venv", "--without-pip"]).arg(&self.dir))?;
        tools::run(Command::new(python).args(["-m", "pip", "--version"])).map_err(|_| refused)?;
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "--python"]).arg(inside);
        Ok(pip)
    }
}
