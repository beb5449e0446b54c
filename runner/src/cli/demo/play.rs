//! The story: one member, data, a client, two joins, and one that is refused.

use std::ffi::OsString;
use std::path::PathBuf;

use tokio::time::Instant;

use super::super::{Ended, Frame, Output};
use super::child::Children;
use super::fill::fill;
use super::record::Record;
use super::stage::{Node, Stage};
use super::summary::{Join, Summary};
use super::unless_interrupted;
use super::writer::{self, Writer};
use crate::cluster::View;
use crate::pipeline::{Failure, Interrupt, Outcome};
use crate::report::{human, status};

/// Settings with which steady-sync refuses whatever it sees: 600 samples take half a minute, and it gives up after one second.
/// A refusal at the promotion, not at the checks: then there is a started learner to take away again.
const REFUSING: &str = r#"steady-sync={"samples": 600, "forMs": 1, "rejectAfterMs": 1000}"#;

/// The demo under way.
pub(super) struct Play<'a> {
    frame: &'a Frame,
    stage: Stage,
    plugins: Vec<PathBuf>,
    children: Children,
    interrupt: Interrupt,
    writer: Option<Writer>,
}

impl<'a> Play<'a> {
    /// Nothing is started yet.
    pub(super) fn new(frame: &'a Frame, stage: Stage, plugins: Vec<PathBuf>, interrupt: Interrupt) -> Result<Self, Failure> {
        let children = Children::new(frame, stage.folder().join("cache"), interrupt.clone())?;
        Ok(Self { frame, stage, plugins, children, interrupt, writer: None })
    }

    /// Plays it all, and says on stdout how it went. An error where anything was not as it should be.
    pub(super) async fn all(&mut self, megabytes: u64) -> Ended {
        self.init().await?;
        self.fill(megabytes).await?;
        let before = self.view().await?;
        let mut joins = vec![self.join_well().await?, self.join_well().await?];
        let (refused, mut problems) = self.join_refused().await?;
        joins.push(refused);
        let after = self.view().await?;
        let writes = match self.writer.take() {
            Some(writer) => writer.stop().await,
            None => Default::default(),
        };
        let found = self.read_back().await?;
        let summary = Summary { megabytes, before: before.list(), after: after.list(), joins, writes, found };
        problems.extend(summary.problems());
        let printer = self.frame.printer;
        printer.say("");
        let text = match self.frame.global.output {
            Output::Text => summary.text(printer.stdout.style),
            Output::Json => summary.json(problems.is_empty()).to_string(),
        };
        let _ = printer.data(&text);
        if problems.is_empty() { Ok(Outcome::Joined) } else { Err(Failure::new(Outcome::RolledBack, problems.join("; "))) }
    }

    /// Ends the client, and hands back what has to be cleaned up.
    pub(super) async fn over(self) -> Stage {
        if let Some(writer) = self.writer {
            writer.stop().await;
        }
        self.stage
    }

    async fn init(&mut self) -> Result<(), Failure> {
        self.heading("a cluster of one member: runner init");
        let node = self.stage.add_node()?;
        let mut args: Vec<OsString> = vec!["init".into()];
        args.extend(self.stage.member_args(&node));
        match self.children.run(args, false).await? {
            Some(0) => Ok(()),
            status => Err(ended("init", status)),
        }
    }

    async fn fill(&mut self, megabytes: u64) -> Result<(), Failure> {
        self.heading(&format!("{megabytes} MB of data, and a client that writes from now on"));
        let client = self.stage.client(&self.stage.nodes[0]).await?;
        let began = Instant::now();
        unless_interrupted(&self.interrupt.undo, fill(&client, megabytes, &self.frame.printer)).await?;
        let took = began.elapsed();
        let rate = human::rate(megabytes as f64 * 1e6 / took.as_secs_f64());
        self.frame.printer.say(&format!("wrote {megabytes} MB in {}: {rate}", human::duration(took)));
        self.writer = Some(Writer::start(&client));
        Ok(())
    }

    /// A join that must succeed.
    async fn join_well(&mut self) -> Result<Join, Failure> {
        let node = self.stage.add_node()?;
        self.heading(&format!("{} joins: runner join, judged by {} plugins", node.name, self.plugins.len()));
        match self.join(&node, None).await? {
            (Some(0), join) => Ok(join),
            (status, _) => Err(ended(&format!("join of {}", node.name), status)),
        }
    }

    /// A join that must be refused, and what was not as it should be.
    async fn join_refused(&mut self) -> Result<(Join, Vec<String>), Failure> {
        let node = self.stage.add_node()?;
        self.heading(&format!("{} wants to join, and a plugin that cannot be pleased refuses", node.name));
        let before = self.view().await?;
        self.show("before:", &before);
        let (status, join) = self.join(&node, Some(REFUSING)).await?;
        let after = self.view().await?;
        self.frame.printer.say("");
        self.show("after:", &after);
        let mut problems = Vec::new();
        if status != Some(Outcome::PluginRefused.exit_status()) {
            problems.push(ended(&format!("join of {}, which was to be refused,", node.name), status).problem.message);
        }
        if before.list() != after.list() {
            problems.push(format!("the member list is not what it was before {} wanted to join", node.name));
        }
        if node.data_dir().exists() {
            problems.push(format!("{} is still there", node.data_dir().display()));
        }
        Ok((join, problems))
    }

    async fn join(&mut self, node: &Node, settings: Option<&str>) -> Result<(Option<u8>, Join), Failure> {
        let mut args: Vec<OsString> = vec!["join".into()];
        args.extend(self.stage.member_args(node));
        let others = self.stage.nodes.iter().filter(|n| n.name != node.name);
        args.extend(["--endpoints".into(), others.map(Node::client_url).collect::<Vec<_>>().join(",").into()]);
        // A node's own Kubernetes is none of the demo's.
        args.extend(["--kubernetes".into(), "off".into()]);
        if let Some(settings) = settings {
            args.extend(["--plugin-settings".into(), settings.into()]);
        }
        args.push("--plugins".into());
        args.extend(self.plugins.iter().map(|path| path.clone().into_os_string()));
        // What was counted until now belongs to nobody's join.
        self.writer.as_ref().map(Writer::stretch);
        let status = self.children.run(args, self.frame.global.output == Output::Json).await?;
        let writes = self.writer.as_ref().map(Writer::stretch).unwrap_or_default();
        // Without a record (bad input, a crash) there is nothing to tell of it, and the status says so.
        let record = Record::of(&node.run_dir()).unwrap_or_default();
        Ok((status, Join { name: node.name.clone(), record, writes }))
    }

    async fn view(&self) -> Result<View, Failure> {
        let endpoints: Vec<String> =
            self.stage.nodes.iter().filter(|n| n.data_dir().exists()).map(Node::client_url).collect();
        let cluster = self.stage.cluster()?;
        View::observe(&cluster, &endpoints).await.map_err(|e| Failure::cluster("cannot read the cluster", &e))
    }

    /// Counts the client's writes through the member that joined last.
    async fn read_back(&self) -> Result<u64, Failure> {
        let failed = |e: etcd_client::Error| Failure::new(Outcome::RolledBack, format!("cannot read the writes back: {e}"));
        let Some(last) = self.stage.nodes.iter().rfind(|n| n.data_dir().exists()) else { return Ok(0) };
        let mut client = self.stage.client(last).await?;
        writer::found(&mut client).await.map_err(failed)
    }

    fn heading(&self, text: &str) {
        let printer = self.frame.printer;
        printer.say(&format!("\n{}", printer.stderr.style.bold(text)));
    }

    fn show(&self, title: &str, view: &View) {
        let printer = self.frame.printer;
        let table = status::text(view, printer.stderr.style, printer.stderr.width);
        printer.say(&format!("{title}\n{table}\n"));
    }
}

fn ended(what: &str, status: Option<u8>) -> Failure {
    let how = status.map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with exit status {code}"));
    let outcome = if status == Some(Outcome::BadInput.exit_status()) { Outcome::BadInput } else { Outcome::RolledBack };
    Failure::new(outcome, format!("the {what} {how}")).hint("with --keep everything stays, to be looked at")
}
