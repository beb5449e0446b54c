//! `runner plugin new` and `runner plugin build`

use std::path::PathBuf;

use crate::authoring::{self, Language, Project};
use crate::cli::{Ended, Frame, Output};
use crate::grants::Capability;
use crate::pipeline::{Failure, Outcome};
use crate::plugins::Role;

/// Arguments of `runner plugin new`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct New {
    /// The plugin's name, in small letters, digits and dashes; also the folder's, unless --dir says otherwise
    name: String,
    /// The language that it is written in
    #[arg(long, value_enum)]
    lang: Language,
    /// A role that it plays: health-check, promotion, notifier; may be given several times
    #[arg(long = "role", value_name = "ROLE", required = true, value_parser = role)]
    roles: Vec<Role>,
    /// A capability that it may use: random, http, kubernetes, probes, etcd, secrets; may be given several times
    #[arg(long = "capability", value_name = "CAPABILITY", value_parser = capability)]
    capabilities: Vec<Capability>,
    /// The folder; it must be empty or not there yet [default: NAME]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Arguments of `runner plugin build`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Build {
    /// The project's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Where to write the component [default: build/NAME.wasm in the project]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Fetch nothing: say what is missing instead of installing it
    #[arg(long)]
    offline: bool,
}

fn role(name: &str) -> Result<Role, String> {
    let all = || Role::ALL.map(Role::name).join(", ");
    Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| format!("expected one of {}", all()))
}

fn capability(name: &str) -> Result<Capability, String> {
    Capability::of_name(name).ok_or_else(|| format!("expected one of {}", Capability::ALL.map(Capability::name).join(", ")))
}

pub(super) fn new(args: New, frame: &Frame) -> Ended {
    let dir = args.dir.unwrap_or_else(|| PathBuf::from(&args.name));
    let (mut roles, mut capabilities) = (args.roles, args.capabilities);
    roles.sort();
    roles.dedup();
    capabilities.sort();
    capabilities.dedup();
    let project = Project { dir, name: args.name, language: args.lang, roles, capabilities };
    let files = authoring::create(&project).map_err(Failure::bad_input)?;
    let dir = project.dir.display();
    match frame.global.output {
        Output::Text => {
            frame.printer.say(&format!("{} in {dir}:", project.name));
            files.iter().for_each(|file| frame.printer.say(&format!("  {}", file.display())));
            frame.printer.say(&format!("next: cd {dir} && runner plugin build && runner plugin test ."));
        }
        Output::Json => {
            let shown = serde_json::json!({ "folder": project.dir, "files": files });
            let _ = frame.printer.data(&shown.to_string());
        }
    }
    Ok(Outcome::Joined)
}

pub(super) fn build(args: &Build, frame: &Frame) -> Ended {
    let project = Project::load(&args.dir).map_err(Failure::bad_input)?;
    let printer = &frame.printer;
    let say = |line: &str| printer.say(line);
    let place = args.to.clone().unwrap_or_else(|| project.component());
    let built = authoring::build(&project, &place, args.offline, frame.defaults.plugin_cache().as_deref(), &say)
        .map_err(Failure::bad_input)?;
    let shown = match frame.global.output {
        Output::Text => built.to_string(),
        Output::Json => serde_json::to_string_pretty(&built).unwrap_or_default(),
    };
    printer.say(&format!(
        "built in {:.1} s, compiled in {:.1} s; the compiled code is kept",
        built.took.as_secs_f64(),
        built.compiled.as_secs_f64()
    ));
    let _ = printer.data(shown.trim_end());
    Ok(Outcome::Joined)
}
