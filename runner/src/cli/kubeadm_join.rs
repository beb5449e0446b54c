//! `runner kubeadm-join`

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::check::{Whom, check};
use super::cluster_args::Trust;
use super::defaults::Defaults;
use super::execution::execute_run;
use super::join::{JoinArgs, Prepared, warn_insecure};
use super::kubeadm_args::{IMAGE_REPOSITORY, Unread, layered, of_cluster};
use super::state_dir::MemberState;
use super::{Ended, Frame, Output, bad_input, reset, resume, signals};
use crate::config::kubeadm::{ClusterDocument, Documents, NodeKind};
use crate::kubeadm::{DO_NOT_RESET, Done, Driver, Folder, Line, Makings, Part, Plan, Program, shell};
use crate::kubernetes::Api;
use crate::pipeline::{Failure, JournalState, Operation, Outcome};
use crate::terms::LauncherKind;

/// Where kubeadm writes: built into it.
const KUBERNETES: &str = "/etc/kubernetes";

/// Arguments of `runner kubeadm-join`: those of a join, and kubeadm itself.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    join: JoinArgs,
    /// The kubeadm program: a path, or a name to be looked up on the PATH
    #[arg(long, value_name = "FILE", default_value = "kubeadm", help_heading = "kubeadm")]
    kubeadm: PathBuf,
    /// Print the same as three commands, and run none of them
    #[arg(long, visible_alias = "dry-run", help_heading = "kubeadm")]
    print: bool,
}

/// Everything that is known before anything is run.
struct Journey<'a> {
    join: &'a JoinArgs,
    documents: Documents,
    program: Program,
    folder: Folder,
    state: MemberState,
    /// kubeadm's files were there when the command began.
    prepared_before: bool,
    frame: Frame,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let Some(config) = &args.join.kubeadm.config else {
        return Err(bad_input("--config is missing: kubeadm's configuration of this node")
            .hint("a file with a JoinConfiguration that has a section `controlPlane`"));
    };
    let Some(documents) = args.join.kubeadm.documents(NodeKind::Join)? else { return Err(bad_input("--config is missing")) };
    let Some(node) = &documents.node else {
        return Err(bad_input(format!("{} has no JoinConfiguration", config.display())).hint("kubeadm join needs one"));
    };
    let program = Program::ask(&args.kubeadm).await?;
    let name = program.path.display().to_string();
    let file = config.display().to_string();
    let mut defaults = frame.defaults.clone();
    defaults.launcher = LauncherKind::StaticPod;
    let mut own = own_arguments(std::env::args());
    // Where neither the file says it nor etcd is to be found by its pods. Else the cluster tells it when the member joins: kubeadm's own choice
    // may be another than all others run.
    let by_endpoints = args.join.cluster.endpoints.iter().any(|e| !e.trim().is_empty());
    let untold = documents.cluster.is_some() || by_endpoints;
    let named = args.join.launcher.image_given() || args.join.launcher.kind(&defaults) != LauncherKind::StaticPod;
    if args.print && untold && !named {
        own.extend(image(&program, documents.cluster.as_ref()).await?.map(|image| format!("--image={image}")));
    }
    let makings =
        Makings { program: &name, known: program.known, config: &file, skipped_by_file: &node.skip_phases, runner: &own };
    if args.print {
        return print(&Plan::documented(&makings), frame);
    }
    signals::begin();
    warn_insecure(&args.join, frame);
    let named = layered_name(&args.join, &defaults, &documents)?;
    let state = args.join.state.member(&defaults, &named)?;
    let folder = Folder { kubernetes: PathBuf::from(KUBERNETES), record: state.kubeadm_record() };
    let done = folder.done();
    let has = |file: &str| folder.kubernetes.join(file).exists();
    let finds = !args.join.cluster.endpoints.is_empty() || has("admin.conf");
    // Before kubeadm begins, where a node is made from an image or was here before.
    let trusted = trust(&args.join, &defaults, &documents).lost().is_none();
    let can_check = trusted && has("manifests") && finds;
    let plan = Plan::driven(&makings, &done, can_check);
    let frame = Frame { global: frame.global, printer: frame.printer, defaults };
    let mut journey = Journey { join: &args.join, documents, program, folder, state, prepared_before: done.prepared, frame };
    journey.tell(&done);
    journey.go(&plan).await
}

/// The certificates by which etcd is asked, in the folder that the cluster's document names.
fn trust(join: &JoinArgs, defaults: &Defaults, documents: &Documents) -> Trust {
    join.cluster.trust.trust(&layered(defaults, documents))
}

/// The member's name, which is the node's.
fn layered_name(join: &JoinArgs, defaults: &Defaults, documents: &Documents) -> Result<String, Failure> {
    let mut defaults = defaults.clone();
    if let Some(node) = &documents.node {
        (defaults.node.name, defaults.node.advertise_address) = (node.name.clone(), node.advertise_address);
    }
    Ok(join.member.planned(&defaults, join.cluster.trust.insecure)?.name)
}

impl Journey<'_> {
    /// Which kubeadm it is, and what is left out because it is done.
    fn tell(&self, done: &Done) {
        let printer = self.frame.printer;
        printer.say(&format!("{} is kubeadm {}", self.program.path.display(), self.program.version));
        let cluster = self.documents.cluster.as_ref();
        if let Some(notice) = cluster.and_then(|c| c.learner_gate_notice(&self.documents.path, self.program.version.minor)) {
            printer.print_warning(&notice.to_string());
        }
        let local = self.program.known.local_mode(cluster.and_then(|c| c.kubelet_local_mode));
        printer.say(match local {
            true => "its kubelet registers the node through this node's own API server: after etcd has joined",
            false => "its kubelet registers the node before etcd joins",
        });
        if done.begun {
            let seen = done.seen.join(", ");
            printer.say(&format!(
                "kubeadm has begun on this node before ({seen}), and its preflight would refuse that: it is left out"
            ));
        }
        if done.prepared {
            printer.say("certificates, kubeconfigs and manifests are written: kubeadm does not write them again");
        }
        if done.kubelet_started {
            printer.say("the kubelet is started: kubeadm does not start it again");
        }
    }

    async fn go(&mut self, plan: &Plan) -> Ended {
        let all = plan.lines.len();
        for (i, line) in plan.lines.iter().enumerate() {
            signals::between()?;
            self.frame.printer.say(&format!("[{}/{all}] {}", i + 1, line.part.title()));
            match line.part {
                Part::Prepare | Part::Kubelet | Part::Finish => self.kubeadm(line).await?,
                Part::Check => match self.check().await? {
                    Outcome::Accepted => {}
                    refused => return Ok(refused),
                },
                Part::Member => match self.member().await? {
                    Outcome::Joined => {}
                    other => {
                        self.say_how_kubeadm_stands();
                        return Ok(other);
                    }
                },
            }
            if let Err(error) = self.folder.finished(line.part) {
                let path = self.folder.record.display();
                self.frame
                    .printer
                    .print_warning(&format!("{path} cannot be written ({error}): another run goes by files alone"));
            }
        }
        self.folder.forget();
        self.frame.printer.say("the node has joined the control plane, and its etcd member votes");
        Ok(Outcome::Joined)
    }

    /// One of kubeadm's parts.
    async fn kubeadm(&self, line: &Line) -> Result<(), Failure> {
        let printer = self.frame.printer;
        let interrupt = CancellationToken::new();
        let listener = tokio::spawn(listen(interrupt.clone(), printer));
        let tell = move |words: &str| printer.say(&format!("kubeadm: {words}"));
        let ended = Driver { tell: &tell, interrupt }.run(line).await;
        listener.abort();
        let again = format!("runner kubeadm-join {}", shell(&given(std::env::args()).collect::<Vec<_>>()));
        ended.map_err(|quit| quit.failure(line, &again, self.etcd_is_here()))
    }

    async fn check(&mut self) -> Ended {
        self.choose_image().await?;
        signals::between()?;
        // A vote is never taken away here: the check says what is to be done about a voter without its data.
        if self.state.peek()?.is_some_and(|seen| !seen.state.promoted) {
            self.undo_what_was_reset().await?;
        }
        let checked = check(self.join, Whom::ControlPlane, &self.frame).await;
        signals::over();
        checked
    }

    /// Joins the member, or goes on with a join that was interrupted.
    async fn member(&mut self) -> Ended {
        let joined = self.joined().await;
        signals::over();
        joined
    }

    async fn joined(&mut self) -> Ended {
        self.choose_image().await?;
        let Prepared { plan, setup, state } = self.join.prepare(true, &self.frame).await?;
        signals::between()?;
        self.undo_what_was_reset().await?;
        let journal = state.journal()?;
        if journal.state().unfinished() {
            self.frame.printer.say("an earlier join of this member has not come to its end: going on with it");
            let (plan, setup) = resume::read(&journal)?;
            return execute_run(Operation::Resume, plan, &setup, journal, &state, &self.frame).await;
        }
        drop(journal);
        let journal = state.fresh_journal()?;
        execute_run(Operation::Join, plan, &setup, journal, &state, &self.frame).await
    }

    /// Has kubeadm itself say which image of etcd it would take, where nobody else does: its choice changes with every patch.
    async fn choose_image(&mut self) -> Result<(), Failure> {
        let given = self.join.launcher.image_given() || self.frame.defaults.node.image.is_some();
        if given || self.join.launcher.kind(&self.frame.defaults) != LauncherKind::StaticPod {
            return Ok(());
        }
        let cluster = match self.documents.cluster.clone() {
            Some(cluster) => Some(cluster),
            None => self.of_cluster().await?,
        };
        self.frame.defaults.node.image = image(&self.program, cluster.as_ref()).await?;
        Ok(())
    }

    async fn of_cluster(&self) -> Result<Option<ClusterDocument>, Failure> {
        match of_cluster(&Api::new(self.frame.defaults.kubeconfig())).await {
            Ok((cluster, _)) => Ok(Some(cluster)),
            // Said where the arguments are layered.
            Err(Unread::Away(_)) => Ok(None),
            Err(Unread::Mistake(failure)) => Err(failure),
        }
    }

    /// Undoes an earlier run, where kubeadm had to write its files again: they went with the manifest and the data. One whose member was
    /// promoted has had data for certain, so that nobody can go on with it without; whether it still votes, the check has looked.
    async fn undo_what_was_reset(&self) -> Result<(), Failure> {
        let promoted = self.state.peek()?.is_some_and(|seen| seen.state.promoted);
        if self.prepared_before && !promoted {
            return Ok(());
        }
        reset::undo(&self.state, self.trust(), &self.frame).await?;
        signals::over_undisturbed()
    }

    /// The certificates, as kubeadm has laid them out by now.
    fn trust(&self) -> Trust {
        trust(self.join, &self.frame.defaults, &self.documents)
    }

    /// Whether the node has an etcd's manifest or data, whoever made them.
    fn etcd_is_here(&self) -> bool {
        let data = self.join.member.data_dir(&layered(&self.frame.defaults, &self.documents)).join("member");
        let manifest = self.folder.kubernetes.join("manifests/etcd.yaml");
        [data, manifest].iter().any(|path| path.symlink_metadata().is_ok())
    }

    fn say_how_kubeadm_stands(&self) {
        let printer = self.frame.printer;
        let again = shell(&given(std::env::args()).collect::<Vec<_>>());
        let goes_on = format!("`runner kubeadm-join {again}` goes on from here");
        let peeked = self.state.peek().ok().flatten();
        let state = peeked.map(|seen| seen.state).filter(JournalState::unfinished);
        // kubeadm removes a member only from a node that is registered; its certificates and its data it always takes away.
        if state.as_ref().is_some_and(|state| state.promoted || state.promote_intended) {
            printer.say(&format!(
                "{goes_on}; do not `kubeadm reset` this node: its etcd member votes, or may, and the cluster counts on it"
            ));
            return;
        }
        if state.is_some() {
            printer.say(&format!(
                "{goes_on}; `runner rollback` undoes the join, and once it has done so `kubeadm reset` takes kubeadm's part back"
            ));
        } else if self.etcd_is_here() {
            printer.say(&format!("{goes_on}; {DO_NOT_RESET}"));
        } else {
            printer.say("kubeadm's part is as it was: the kubelet runs, and waits for an etcd on this node");
            printer.say(&format!("{goes_on}; `kubeadm reset` takes kubeadm's part back"));
        }
    }
}

/// etcd's image as kubeadm itself would choose it for this cluster; none where the cluster's document names one.
async fn image(program: &Program, cluster: Option<&ClusterDocument>) -> Result<Option<String>, Failure> {
    if cluster.is_some_and(|cluster| cluster.etcd_image_tag.is_some()) {
        return Ok(None);
    }
    let numbered = cluster.and_then(|c| c.kubernetes_version.as_ref()).filter(|version| version.minor.is_some());
    let version = numbered.map_or(&program.version.text, |version| &version.text);
    let repository = cluster.and_then(|c| c.etcd_image_repository.as_deref().or(c.image_repository.as_deref()));
    program.etcd_image(version, repository.unwrap_or(IMAGE_REPOSITORY)).await.map(Some)
}

/// Cancels at the first interrupt, and says so.
async fn listen(interrupt: CancellationToken, printer: crate::report::Printer) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
    }
    printer.say("interrupted: ending kubeadm");
    interrupt.cancel();
}

/// The three commands, for a person.
fn print(plan: &Plan, frame: &Frame) -> Ended {
    let text = match frame.global.output {
        Output::Text => text(plan),
        Output::Json => serde_json::json!({
            "commands": plan.lines.iter().map(|line| &line.words).collect::<Vec<_>>(),
        })
        .to_string(),
    };
    let _ = frame.printer.data(&text);
    Ok(Outcome::Joined)
}

fn text(plan: &Plan) -> String {
    const WHAT: [&str; 3] = ["kubeadm, up to etcd", "etcd's member", "kubeadm's rest"];
    let commands = plan.lines.iter().zip(WHAT).enumerate();
    commands.map(|(i, (line, what))| format!("# {}. {what}\n{}", i + 1, shell(&line.words))).collect::<Vec<_>>().join("\n")
}

/// The arguments after the subcommand.
fn given(all: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    all.skip_while(|argument| argument != "kubeadm-join").skip(1)
}

/// The arguments after the subcommand that are a join's own, with the launcher that is the default here.
fn own_arguments(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut own = Vec::new();
    let mut arguments = given(all);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--print" | "--dry-run" => {}
            "--kubeadm" => drop(arguments.next()),
            other if other.starts_with("--kubeadm=") => {}
            _ => own.push(argument),
        }
    }
    if !own.iter().any(|argument| argument == "--launcher" || argument.starts_with("--launcher=")) {
        own.push("--launcher=static-pod".to_owned());
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubeadm::Known;

    #[test]
    fn the_three_commands() {
        let given = "/bin/runner -v kubeadm-join --kubeadm /k --config join.yaml --print --endpoints https://10.0.0.1:2379";
        let own = own_arguments(given.split(' ').map(str::to_owned));
        let known = Known::minor(33).unwrap();
        let makings =
            Makings { program: "/k", known, config: "join.yaml", skipped_by_file: &["preflight".to_owned()], runner: &own };
        insta::assert_snapshot!(text(&Plan::documented(&makings)), @r"
        # 1. kubeadm, up to etcd
        /k join --config=join.yaml --skip-phases=check-etcd,etcd-join,kubelet-wait-bootstrap,control-plane-join,wait-control-plane,preflight
        # 2. etcd's member
        runner join --config join.yaml --endpoints https://10.0.0.1:2379 --launcher=static-pod
        # 3. kubeadm's rest
        /k join --config=join.yaml --skip-phases=preflight,control-plane-prepare,check-etcd,kubelet-start,etcd-join,control-plane-join/etcd
        ");
    }
}
