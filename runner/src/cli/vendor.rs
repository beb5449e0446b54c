//! The profile in force: which one it is, what it makes of the defaults, and the flags that it bans.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::bad_input;
use super::cluster_args::absolute;
use super::defaults::Defaults;
use super::policy_args::mistaken;
use crate::config::profile::ProfileFile;
use crate::distribution::Distribution;
use crate::pipeline::Failure;

/// The profile of a machine.
pub(super) const MACHINE_PROFILE: &str = "/etc/runner/profile.toml";

/// The defaults of this program here: built in, and the profile's on top. `named` is what `--profile` says.
pub(super) fn defaults(distribution: &Distribution, named: Option<PathBuf>) -> Result<Defaults, Failure> {
    let profile = in_force(distribution, named, Path::new(MACHINE_PROFILE))?;
    let defaults = Defaults { distribution: distribution.clone(), ..Defaults::built_in() };
    match profile {
        Some(profile) => Ok(defaults.with_profile(Arc::new(profile))),
        None => Ok(defaults),
    }
}

/// The profile that holds: the named one, else the program's own, else the machine's, else none.
fn in_force(distribution: &Distribution, named: Option<PathBuf>, machine: &Path) -> Result<Option<ProfileFile>, Failure> {
    match (named, distribution.own_profile()) {
        (Some(named), Some(_)) if !distribution.may_replace_profile() => {
            let text =
                format!("--profile {}: {} has a profile of its own, which stays", named.display(), distribution.title());
            Err(bad_input(text).hint("leave --profile and RUNNER_PROFILE away; `profile show` says what is in force"))
        }
        (Some(named), _) => ProfileFile::read(&absolute(named)).map(Some).map_err(mistaken),
        (None, Some(text)) => {
            let name = format!("the profile in {}", distribution.title());
            ProfileFile::of_bytes(Path::new(&name), text.as_bytes()).map(Some).map_err(mistaken)
        }
        (None, None) if machine.exists() => ProfileFile::read(machine).map(Some).map_err(mistaken),
        (None, None) => Ok(None),
    }
}

/// Refuses a flag that the profile bans, whether it was typed or stands in the environment.
///
/// # Errors
///
/// It was given; or the profile bans a flag that there is not, and so would not do what it says.
pub(super) fn refuse_banned(profile: &ProfileFile, command: &Command, matches: &ArgMatches) -> Result<(), Failure> {
    for (i, banned) in profile.profile.banned.iter().enumerate() {
        let name = banned.flag.0.trim_start_matches("--");
        if !knows(command, name) {
            let mistake =
                profile.mistake(&["banned", &i.to_string(), "flag"], format!("there is no flag {}", banned.flag.0));
            return Err(mistaken(mistake).hint("see the flags that there are with `--help`"));
        }
        if let Some(how) = given(command, matches, name) {
            let title = profile.title();
            return Err(bad_input(format!("{how} is banned by the profile {title}: {}", banned.reason.0))
                .hint("leave it away; the profile is the distribution's to change"));
        }
    }
    Ok(())
}

/// Whether a command or one of its subcommands has this flag.
fn knows(command: &Command, name: &str) -> bool {
    let own = command.get_arguments().any(|arg| is(arg, name));
    own || command.get_subcommands().any(|inner| knows(inner, name))
}

fn is(arg: &clap::Arg, name: &str) -> bool {
    arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
}

/// How the flag was given; none where it was not.
fn given(command: &Command, matches: &ArgMatches, name: &str) -> Option<String> {
    for arg in command.get_arguments().filter(|arg| is(arg, name)) {
        match matches.try_contains_id(arg.get_id().as_str()).ok().and_then(|_| matches.value_source(arg.get_id().as_str())) {
            Some(ValueSource::CommandLine) => return Some(format!("--{name}")),
            Some(ValueSource::EnvVariable) => {
                let variable = arg.get_env().map(|v| v.to_string_lossy().into_owned()).unwrap_or_default();
                return Some(format!("{variable} (for --{name})"));
            }
            _ => {}
        }
    }
    let (inner, matches) = matches.subcommand()?;
    given(command.find_subcommand(inner)?, matches, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    const HEAD: &str = "apiVersion = \"runner.dev/v1alpha1\"\nname = \"acme\"\n";

    fn profile(rest: &str) -> ProfileFile {
        ProfileFile::of_bytes(Path::new("acme.toml"), format!("{HEAD}{rest}").as_bytes()).unwrap()
    }

    fn banned(flag: &str, args: &[&str]) -> String {
        let profile = profile(&format!("[[banned]]\nflag = \"{flag}\"\nreason = \"acme says so\"\n"));
        let mut command = Cli::command();
        let matches = command.try_get_matches_from_mut(["runner"].iter().chain(args)).unwrap();
        refuse_banned(&profile, &command, &matches).map_or_else(|f| f.problem.message, |()| "accepted".to_owned())
    }

    #[test]
    fn a_banned_flag_is_refused_wherever_it_stands() {
        let join = ["join", "--endpoints", "a:1", "--advertise-address", "10.0.0.1"];
        let with = |more: &[&'static str]| [&join[..], more].concat();
        insta::assert_snapshot!(banned("--insecure", &with(&["--insecure"])), @"--insecure is banned by the profile acme (acme.toml): acme says so");
        assert_eq!(banned("--insecure", &join), "accepted");
        insta::assert_snapshot!(banned("--verbose", &with(&["-vv"])), @"--verbose is banned by the profile acme (acme.toml): acme says so");
        insta::assert_snapshot!(banned("--plugin-store", &["plugin", "list", "--store", "/x"]), @"--plugin-store is banned by the profile acme (acme.toml): acme says so");
        insta::assert_snapshot!(banned("--unsafe", &join), @"acme.toml:4:8: banned[0].flag: there is no flag --unsafe");
    }

    #[test]
    fn the_named_profile_comes_before_the_programs_and_that_before_the_machines() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(format!("{name}.toml"));
            std::fs::write(&path, HEAD.replace("acme", name)).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            path
        };
        let (named, machine) = (write("named"), write("machine"));
        let bare = Distribution::new("acme-join", "1.2");
        let own = bare.clone().profile("apiVersion = \"runner.dev/v1alpha1\"\nname = \"own\"\n");
        let name = |d: &Distribution, given: Option<&Path>, machine: &Path| {
            in_force(d, given.map(Path::to_owned), machine)
                .map(|p| p.map(|p| p.profile.name.0))
                .map_err(|f| f.problem.message)
        };
        assert_eq!(name(&bare, Some(&named), &machine), Ok(Some("named".to_owned())));
        assert_eq!(name(&bare, None, &machine), Ok(Some("machine".to_owned())));
        assert_eq!(name(&bare, None, Path::new("/no/such/file")), Ok(None));
        assert_eq!(name(&own, None, &machine), Ok(Some("own".to_owned())));
        insta::assert_snapshot!(name(&own, Some(Path::new("x.toml")), &machine).unwrap_err(), @"--profile x.toml: acme-join 1.2 has a profile of its own, which stays");
        assert_eq!(name(&own.replaceable(), Some(&named), &machine), Ok(Some("named".to_owned())));
    }
}
