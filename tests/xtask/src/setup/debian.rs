//! Debian packages, unpacked privately: an apt of our own with its own lists, cache and state. Nothing is installed, no
//! service is started, root is not needed. Index signatures are checked with Debian's keyring, as the system's apt does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{context::Context, process, scratch::Scratch};

/// Names another mirror than the one that the machine's apt is configured with.
const MIRROR_VARIABLE: &str = "RUNNER_DEBIAN_MIRROR";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const LIMIT: Duration = Duration::from_secs(300);

/// An apt with one suite, in a folder that goes away with it.
pub(crate) struct PrivateApt<'a> {
    context: &'a Context,
    scratch: Scratch,
    configuration: PathBuf,
    /// The step's name, for the log.
    step: String,
}

impl<'a> PrivateApt<'a> {
    /// Reads the package lists of `suite`. Errors where the machine has no apt, knows no Debian mirror, or cannot reach it.
    pub(crate) fn open(context: &'a Context, suite: &str) -> Result<Self> {
        for tool in ["apt-get", "apt-cache", "dpkg-deb"] {
            if process::on_path(tool).is_none() {
                bail!("this machine has no {tool}, which Debian's packages need");
            }
        }
        let mirror = mirror()?;
        let scratch = Scratch::new(&context.tools, &format!("apt-{suite}"))?;
        let root = scratch.path().canonicalize()?;
        for folder in ["state/lists/partial", "cache/archives/partial", "debs", "unpacked"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let signed = if Path::new(KEYRING).is_file() { format!(" signed-by={KEYRING}") } else { String::new() };
        fs::write(root.join("sources.list"), format!("deb [target=Packages lang=none{signed}] {mirror} {suite} main\n"))?;
        fs::write(root.join("state/status"), "")?;
        let configuration = root.join("apt.conf");
        fs::write(&configuration, configuration_text(&root))?;
        let apt = Self { context, scratch, configuration, step: format!("apt-{suite}") };
        apt.quiet(apt.command("apt-get").args(["update", "-o", "APT::Update::Error-Mode=any"]))
            .with_context(|| format!("failed to read the package lists of Debian {suite}"))?;
        Ok(apt)
    }

    /// The versions of a package that the suite has.
    pub(crate) fn versions(&self, package: &str) -> Result<Vec<String>> {
        let table = process::output(self.command("apt-cache").args(["madison", package]))?;
        Ok(table.lines().filter_map(|line| line.split('|').nth(1)).map(|version| version.trim().to_owned()).collect())
    }

    /// Downloads packages (`name` or `name=version`) and unpacks them together; returns the folder that stands for `/`.
    pub(crate) fn unpack(&self, packages: &[&str]) -> Result<PathBuf> {
        let debs = self.scratch.path().join("debs");
        let unpacked = self.scratch.path().join("unpacked");
        self.quiet(self.command("apt-get").arg("download").args(packages).current_dir(&debs))?;
        for deb in fs::read_dir(&debs)? {
            self.quiet(Command::new("dpkg-deb").arg("-x").arg(deb?.path()).arg(&unpacked))?;
        }
        Ok(unpacked)
    }

    /// What is unpacked can be moved out with this folder's own `publish`.
    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    fn quiet(&self, command: &mut Command) -> Result<()> {
        self.context.quiet(&self.step, command, LIMIT)
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.arg("-c").arg(&self.configuration).env("LC_ALL", "C");
        command
    }
}

/// On top of the machine's own configuration, so that its proxy and certificates stay in force.
fn configuration_text(root: &Path) -> String {
    let root = root.display();
    format!(
        r#"Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{root}/state";
Dir::State::lists "{root}/state/lists";
Dir::State::status "{root}/state/status";
Dir::Cache "{root}/cache";
Dir::Cache::archives "{root}/cache/archives";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Acquire::Languages "none";
APT::Sandbox::User "root";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
"#
    )
}

/// The mirror that the machine's apt is configured with: no host is named in this repository.
fn mirror() -> Result<String> {
    if let Ok(mirror) = std::env::var(MIRROR_VARIABLE) {
        return Ok(mirror);
    }
    let targets = process::output(Command::new("apt-get").args([
        "indextargets",
        "--no-release-info",
        "--format",
        "$(REPO_URI) $(RELEASE)",
    ]))?;
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    match debian_mirror(&targets, &system) {
        Some(mirror) => Ok(mirror),
        None => bail!("this machine's apt names no Debian mirror; hint: set {MIRROR_VARIABLE} to the URL of one"),
    }
}

/// Picks from lines of `URL RELEASE`: what this Debian itself comes from, else what looks like a Debian mirror.
fn debian_mirror(targets: &str, os_release: &str) -> Option<String> {
    let field = |key: &str| {
        os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(|v| v.trim_matches('"'))
    };
    let codename = field("VERSION_CODENAME").filter(|_| field("ID") == Some("debian"));
    let pairs: Vec<(&str, &str)> = targets.lines().filter_map(|line| line.split_once(' ')).collect();
    let own = pairs.iter().find(|(url, release)| Some(*release) == codename && url.contains("debian"));
    let any = || pairs.iter().find(|(url, _)| url.trim_end_matches('/').ends_with("/debian"));
    own.or_else(any).map(|(url, _)| (*url).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKWORM: &str = "ID=debian\nVERSION_CODENAME=bookworm\n";

    #[test]
    fn the_systems_own_mirror_is_taken() {
        let targets = "http://third.example/apt bookworm\nhttp://m.example/debian-security/ bookworm-security\n\
                       http://m.example/mirrors/debian-remote bookworm\nhttp://m.example/debian sid\n";
        assert_eq!(debian_mirror(targets, BOOKWORM).as_deref(), Some("http://m.example/mirrors/debian-remote"));
    }

    #[test]
    fn elsewhere_only_what_looks_like_debian_is_taken() {
        let ubuntu = "ID=ubuntu\nVERSION_CODENAME=noble\n";
        assert_eq!(debian_mirror("http://m.example/ubuntu/ noble\n", ubuntu), None);
        assert_eq!(debian_mirror("http://m.example/debian/ sid\n", ubuntu).as_deref(), Some("http://m.example/debian/"));
        assert_eq!(debian_mirror("", BOOKWORM), None);
    }
}
