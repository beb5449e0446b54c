//! `runner init`

use std::sync::Arc;
use std::time::Duration;

use super::cluster_args::{TrustArgs, pki_failure};
use super::kubeadm_args::KubeadmArgs;
use super::launcher_args::LauncherArgs;
use super::limit_args::LimitArgs;
use super::member_args::MemberArgs;
use super::setup::Setup;
use super::state_dir::{MemberState, StateArgs};
use super::{Ended, Frame, Output, bad_input, join, signals, start};
use crate::Problem;
use crate::cluster::remedy::{Only, Remedy};
use crate::cluster::{Cluster, ClusterError, MemberId, MemberList};
use crate::config::kubeadm::NodeKind;
use crate::pipeline::{
    DataDir, Discard, Failure, Guarded, Identity, Interrupt, JoinPlan, Launcher, MemberSpec, Outcome, Record, Running,
    Started,
};
use crate::report::human;

/// Arguments of `runner init`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    kubeadm: KubeadmArgs,
    #[command(flatten)]
    member: MemberArgs,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    launcher: LauncherArgs,
    /// Time for the member to serve its first read
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1m", help_heading = "Limits")]
    start_timeout: Duration,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let say = |text: &str| frame.printer.say(text);
    if args.launcher.external(&frame.defaults) {
        return Err(
            bad_input("the first member of a cluster has nobody to wait for it").hint("leave --launcher external away")
        );
    }
    let defaults = args.kubeadm.on_top_of(&frame.defaults, NodeKind::Init, None, frame).await?;
    let planned = args.member.planned(&defaults, args.trust.insecure)?;
    if args.trust.insecure {
        frame
            .printer
            .print_warning("--insecure: no TLS; everybody on the network can read and write everything in this cluster");
    }
    let state = args.state.member(&defaults, &planned.name)?;
    if state.peek()?.is_some_and(|seen| seen.state.unfinished()) {
        return Err(bad_input(format!("a join of {} has not come to its end on this node", planned.name))
            .hint("`runner resume` goes on with it, `runner rollback` undoes it"));
    }
    let pki = (!args.trust.insecure).then(|| args.trust.pki(&defaults));
    let chosen = args.launcher.chosen(&defaults, &args.member, &planned, pki.as_ref(), state.log_file())?;
    if let Some(pki) = &pki {
        if pki.ensure_ca().map_err(|e| pki_failure(&e))? {
            say(&format!("made a private CA: {}", pki.ca_cert().display()));
        }
        for made in pki.issue_node(&planned.node_names()).map_err(|e| pki_failure(&e))? {
            say(&format!("made {}", made.display()));
        }
    }
    let cluster = args.trust.trust(&defaults).cluster()?;
    let launcher = chosen.build(|_| {});
    let launcher = launcher.as_ref();
    let before = launcher.data_dir().await.map_err(Failure::launch)?;
    if let DataDir::Foreign { what } = &before {
        let path = launcher.data_dir_path();
        let aside = Remedy::move_aside(&path.display().to_string(), Only::NotInUse);
        return Err(
            bad_input(format!("{} holds {what}", path.display())).hint(format!("give another --data-dir; or, {aside}"))
        );
    }
    launcher.preflight().await.map_err(|e| e.ends(Outcome::BadInput))?;
    let has_data = matches!(before, DataDir::Member { .. });
    let spec = MemberSpec {
        identity: None,
        started: false,
        name: planned.name.clone(),
        peer_urls: planned.peer_urls.clone(),
        client_urls: planned.client_urls.clone(),
        initial_cluster: planned.peer_urls.iter().map(|url| (planned.name.clone(), url.clone())).collect(),
        existing: false,
    };
    let interrupt = signals::listen(frame.printer);
    let began = tokio::time::Instant::now();
    let rules = LimitArgs::default().rules(&defaults, None, false, &mut Vec::new());
    let plan = join::plan(planned.clone(), planned.client_urls.clone(), rules);
    let started = match has_data {
        false => launcher.start(&spec).await.map_err(Failure::launch)?,
        // As `runner start` does it: this member may be one of several by now, and its place given to another.
        true => {
            let known = state.peek()?.map(|seen| seen.state).unwrap_or_default();
            match start::from_data(launcher, &*cluster, &plan, &known).await? {
                true => Started::Now,
                false => Started::Already,
            }
        }
    };
    let client = planned.client_urls.first().cloned().unwrap_or_default();
    if let Err(failure) = serving(launcher, cluster.clone(), &client, args.start_timeout, &interrupt).await {
        return Err(if has_data || started == Started::Already {
            runs_on(&planned.name, failure)
        } else {
            undo(launcher, &before, failure).await
        });
    }
    say(&format!("{} serves at {client} after {}", planned.name, human::duration(began.elapsed())));
    let list = cluster.member_list(&client).await;
    let known = match list {
        Ok(list) => match launcher.data_dir().await {
            Ok(dir) => remember(plan, Setup::of(args.trust.trust(&defaults), chosen.clone()), &state, list, dir),
            Err(error) => Err(Failure::launch(error)),
        },
        Err(error) => Err(Failure::cluster("cannot read the member list", &error)),
    };
    if let Err(failure) = known {
        frame.printer.print_warning(&format!("`runner start` will not know this member: {}", failure.message));
    }
    let data = match frame.global.output {
        Output::Text => client,
        Output::Json => {
            serde_json::json!({ "name": planned.name, "clientUrls": planned.client_urls, "peerUrls": planned.peer_urls })
                .to_string()
        }
    };
    let _ = frame.printer.data(&data);
    Ok(Outcome::Joined)
}

/// Writes a journal for `runner start`, of a run that is at its end.
fn remember(
    plan: JoinPlan,
    setup: Setup,
    state: &MemberState,
    before: MemberList,
    data_dir: DataDir,
) -> Result<(), Failure> {
    let DataDir::Member { member_id: id, .. } = data_dir else { return Err(bad_input("its data cannot be seen")) };
    if state.peek()?.is_some_and(|seen| seen.state.member() == Some(id)) {
        return Ok(());
    }
    let setup = serde_json::to_value(setup).map_err(|e| bad_input(e.to_string()))?;
    let mut journal = state.fresh_journal()?;
    let records = [
        Record::Begun { plan: Box::new(plan), setup },
        Record::AddIntended { before, data_dir },
        Record::Adopted { id },
        Record::Finished { outcome: Outcome::Joined },
    ];
    for record in records {
        journal.write(record).map_err(|error| bad_input(error.to_string()))?;
    }
    Ok(())
}

/// Waits until the member serves a linearizable read.
pub(super) async fn serving(
    launcher: &dyn Launcher,
    cluster: Arc<dyn Cluster>,
    endpoint: &str,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        let error: ClusterError = match cluster.linearizable_read(endpoint).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if let Running::No { log } = launcher.running().await {
            let last = log.last().map_or("it logged nothing", String::as_str);
            return Err(Failure::new(Outcome::RolledBack, format!("etcd has stopped: {last}")));
        }
        if tokio::time::Instant::now() >= deadline {
            let limit = humantime::format_duration(limit);
            let text = format!("the member does not serve after {limit}: {error}");
            return Err(Problem { message: text, hints: launcher.where_to_look().await }.ends(Outcome::TimedOut));
        }
        tokio::select! {
            () = interrupt.undo.cancelled() => return Err(Failure::interrupted()),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
}

fn identity(dir: &DataDir) -> Option<Identity> {
    match dir {
        DataDir::Member { cluster_id, member_id } => Some(Identity { cluster_id: *cluster_id, member_id: *member_id }),
        _ => None,
    }
}

/// A member that has data, or ran before, is never stopped: the others may need its vote, and it may wait for theirs.
fn runs_on(name: &str, mut failure: Failure) -> Failure {
    failure.message.push_str("; it was not stopped");
    failure.hints.insert(0, format!("{name} has a cluster's data: it serves once most of that cluster's members run"));
    failure
}

/// Stops what was started, and removes its data, which were none before.
async fn undo(launcher: &dyn Launcher, before: &DataDir, mut failure: Failure) -> Failure {
    // Before it has a log it has no ids either, and those that nobody has stand for it.
    let nobody = Identity { cluster_id: 0, member_id: MemberId(0) };
    let how = Discard { folder: *before == DataDir::Absent, keep: false };
    let undone = async {
        let whose = identity(&launcher.data_dir().await?).unwrap_or(nobody);
        match launcher.stop(&whose).await? {
            Guarded::Done(()) => launcher.discard_data(&whose, how).await,
            Guarded::NotOurs(theirs) => Ok(Guarded::NotOurs(theirs)),
        }
    };
    match undone.await {
        Ok(Guarded::Done(aside)) => {
            failure.message.push_str("; undone");
            failure.hints.extend(aside.map(|aside| format!("its data was moved to {}", aside.display())));
        }
        Ok(Guarded::NotOurs(theirs)) => {
            failure.outcome = Outcome::Stuck;
            failure.hints.push(format!("left as it is: {theirs}"));
        }
        Err(error) => {
            failure.outcome = Outcome::Stuck;
            failure.hints.push(format!("the undo failed, too: {}", error.message));
            failure.hints.extend(error.hints);
        }
    }
    failure
}
