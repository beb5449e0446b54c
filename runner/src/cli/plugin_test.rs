//! `runner plugin test`: a plugin against scenario files, without a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Ended, Frame, Output, bad_input};
use crate::authoring::{self, Project};
use crate::pipeline::{Failure, Outcome};
use crate::plugins::Specimen;
use crate::scenario::{self, Report, Scenario};

/// After a change, so long without another one: editors and builds write several files.
const QUIET: Duration = Duration::from_millis(200);

/// Folders that builds write into: what changes there is no reason to build again.
const BUILT: [&str; 6] = ["build", "dist", "node_modules", "target", "vendor", "__pycache__"];

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The plugin: a `.wasm` component, or a project folder, which is built first
    #[arg(value_name = "COMPONENT|PROJECT")]
    plugin: PathBuf,
    /// Scenario files and folders of them [default: the folder `scenarios` of the project, or of the current folder]
    scenarios: Vec<PathBuf>,
    /// Only the scenarios with this text in their name
    #[arg(short = 'k', long, value_name = "TEXT")]
    only: Option<String>,
    /// Test again whenever the plugin, its sources or the scenarios change; Ctrl-C ends
    #[arg(long, short)]
    watch: bool,
    /// Fetch nothing while building
    #[arg(long)]
    offline: bool,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    if !args.watch {
        return args.once(frame).await;
    }
    let mut changes = Changes::watch(&args)?;
    loop {
        if let Err(failure) = args.once(frame).await {
            frame.printer.print_error(&failure.message, &failure.hints);
        }
        frame.printer.say("waiting for changes; Ctrl-C ends");
        tokio::select! {
            () = changes.next() => {}
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Joined),
        }
    }
}

impl Args {
    async fn once(&self, frame: &Frame) -> Ended {
        let files = self.files()?;
        let mut found = Vec::new();
        for file in &files {
            let shown = file.display().to_string();
            found.extend(scenario::read(file).map_err(bad_input)?.into_iter().map(|s| (shown.clone(), s)));
        }
        if let Some(text) = &self.only {
            found.retain(|(_, scenario)| scenario.name.contains(text.as_str()));
            if found.is_empty() {
                return Err(bad_input(format!("no scenario has {text:?} in its name")));
            }
        }
        let specimen = self.specimen(frame).await?;
        let mut reports = Vec::new();
        for (file, scenario) in &found {
            reports.push(play(scenario, file, &specimen, frame).await);
        }
        finish(&reports, frame);
        Ok(if reports.iter().all(|r| r.passed) { Outcome::Joined } else { Outcome::Differs })
    }

    /// The scenario files, sorted within each folder.
    fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let given = if self.scenarios.is_empty() { vec![self.folder()] } else { self.scenarios.clone() };
        let mut files = Vec::new();
        for path in given {
            if !path.is_dir() {
                if self.scenarios.is_empty() {
                    return Err(bad_input(format!("there are no scenarios: {} is not there", path.display()))
                        .hint("name scenario files after the plugin, or put them into that folder"));
                }
                files.push(path);
                continue;
            }
            let entries = std::fs::read_dir(&path).map_err(|e| bad_input(format!("cannot read {}: {e}", path.display())))?;
            let yaml = |p: &PathBuf| p.extension().is_some_and(|e| e == "yaml" || e == "yml");
            let mut inside: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(yaml).collect();
            if inside.is_empty() {
                return Err(bad_input(format!("the folder {} has no scenario (*.yaml) in it", path.display())));
            }
            inside.sort();
            files.extend(inside);
        }
        Ok(files)
    }

    fn folder(&self) -> PathBuf {
        if self.plugin.is_dir() { self.plugin.join("scenarios") } else { PathBuf::from("scenarios") }
    }

    /// The component, built first where a project was given.
    async fn specimen(&self, frame: &Frame) -> Result<Specimen, Failure> {
        let (plugin, offline) = (self.plugin.clone(), self.offline);
        let (printer, cache) = (frame.printer, frame.defaults.plugin_cache());
        let loading = tokio::task::spawn_blocking(move || {
            let component = match plugin.is_dir() {
                true => {
                    let project = Project::load(&plugin).map_err(Failure::bad_input)?;
                    authoring::build(&project, &project.component(), offline, cache.as_deref(), &|line| printer.say(line))
                        .map_err(Failure::bad_input)?;
                    project.component()
                }
                false => plugin,
            };
            Specimen::load(&component, None, cache.as_deref()).map_err(Failure::bad_input)
        });
        loading.await.map_err(|e| bad_input(format!("the plugin could not be loaded: {e}")))?
    }
}

async fn play(scenario: &Scenario, file: &str, specimen: &Specimen, frame: &Frame) -> Report {
    let mut report = scenario::play(scenario, file, specimen).await;
    if frame.global.verbose == 0 && report.passed {
        report.log.clear();
    }
    if frame.global.output == Output::Text {
        let style = frame.printer.stdout.style;
        for (n, line) in report.to_string().lines().enumerate() {
            // What the plugin said is in it.
            let line = style.clean(line);
            let _ = frame.printer.data(&match (n, report.passed) {
                (0, true) => style.green(&line),
                (0, false) => style.red(&line),
                _ => line,
            });
        }
        for line in report.log.iter().filter(|_| report.passed) {
            let _ = frame.printer.data(&style.dim(&style.clean(&format!("      it logged {line}"))));
        }
    }
    report
}

fn finish(reports: &[Report], frame: &Frame) {
    let failed = reports.iter().filter(|r| !r.passed).count();
    let _ = match frame.global.output {
        Output::Json => {
            let all = serde_json::json!({ "passed": reports.len() - failed, "failed": failed, "scenarios": reports });
            frame.printer.data(&format!("{all:#}"))
        }
        Output::Text => {
            let took: Duration = reports.iter().map(|r| r.took).sum();
            let scenarios = if reports.len() == 1 { "scenario" } else { "scenarios" };
            let passed = reports.len() - failed;
            let ms = took.as_millis();
            frame.printer.data(&format!("{} {scenarios}: {passed} passed, {failed} failed ({ms} ms)", reports.len()))
        }
    };
}

/// What changes on disk.
struct Changes {
    told: mpsc::Receiver<()>,
    /// Watches while it lives.
    _watcher: RecommendedWatcher,
}

impl Changes {
    fn watch(args: &Args) -> Result<Self, Failure> {
        let unwatchable = |e: notify::Error| bad_input(format!("cannot watch for changes: {e}"));
        let (tell, told) = mpsc::channel(1);
        let root = args.plugin.canonicalize().unwrap_or_else(|_| args.plugin.clone());
        let inside = root.clone();
        let changed = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| matters(&event, &inside)) {
                // Full: it is told already.
                let _ = tell.try_send(());
            }
        };
        let mut watcher = notify::recommended_watcher(changed).map_err(unwatchable)?;
        let mut places =
            vec![(folder_of(&root), if root.is_dir() { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive })];
        let scenarios = if args.scenarios.is_empty() { vec![args.folder()] } else { args.scenarios.clone() };
        places.extend(scenarios.iter().map(|path| (folder_of(path), RecursiveMode::NonRecursive)));
        for (place, mode) in places {
            watcher.watch(&place, mode).map_err(unwatchable)?;
        }
        Ok(Self { told, _watcher: watcher })
    }

    /// Waits for a change, and until no further one follows.
    async fn next(&mut self) {
        if self.told.recv().await.is_none() {
            return std::future::pending().await;
        }
        while timeout(QUIET, self.told.recv()).await.is_ok_and(|told| told.is_some()) {}
    }
}

/// The folder to be watched: files are replaced by editors, so that the file itself is soon another one.
fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Whether a change may come from a person: not that a file was read, and nothing that a build of this project writes.
fn matters(event: &notify::Event, root: &Path) -> bool {
    use notify::EventKind;
    use notify::event::ModifyKind;
    let written = match event.kind {
        EventKind::Create(_) | EventKind::Remove(_) => true,
        EventKind::Modify(kind) => !matches!(kind, ModifyKind::Metadata(_)),
        _ => false,
    };
    written && event.paths.iter().any(|path| watched(path, root))
}

/// Whether this is a scenario, the component, or a source of the project: not what else lies beside them.
fn watched(path: &Path, root: &Path) -> bool {
    let scenario = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    path == root || path.strip_prefix(root).map_or(scenario, |inside| !built(inside))
}

/// Whether a path inside of a project is written by its build, or by an editor for itself.
fn built(inside: &Path) -> bool {
    let name = |part: std::path::Component<'_>| part.as_os_str().to_string_lossy().into_owned();
    // A project of one's own may lie in a folder named `build`: only what is inside counts.
    inside.components().map(name).any(|name| {
        BUILT.contains(&name.as_str())
            || (name.starts_with('.') && name != ".")
            || name.ends_with('~')
            || name == PROJECT_LOCK
    })
}

/// Written by package managers, not by people.
const PROJECT_LOCK: &str = "package-lock.json";

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind, DataChange, ModifyKind};
    use notify::{Event, EventKind};

    use super::*;
    use crate::authoring::PROJECT_FILE;

    #[test]
    fn only_what_people_write_starts_a_test() {
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let modified = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let root = Path::new("/home/p/build/mine");
        assert!(matters(&event(modified, "/home/p/build/mine/src/main.go"), root));
        assert!(matters(&event(EventKind::Create(CreateKind::File), "/elsewhere/scenarios/a.yaml"), root));
        assert!(matters(&event(modified, &format!("/home/p/build/mine/{PROJECT_FILE}")), root));
        for path in ["build/mine.wasm", ".runner/x", "node_modules/a/b.js", "src/.main.go.swp", "src/main.go~"] {
            assert!(!matters(&event(modified, &format!("/home/p/build/mine/{path}")), root), "{path}");
        }
        assert!(!matters(&event(EventKind::Access(AccessKind::Any), "/home/p/build/mine/src/main.go"), root));
        assert!(matters(&event(modified, "/x/p.wasm"), Path::new("/x/p.wasm")), "the component itself");
        assert!(!matters(&event(modified, "/x/test.log"), Path::new("/x/p.wasm")), "what lies beside it");
    }
}
