//! `runner plan`

use super::cluster_args::ClusterArgs;
use super::{Ended, Frame, Output, bad_input};
use crate::cluster::oracle::{Change, Forecast, NEWCOMER, Situation};
use crate::cluster::{MemberId, View};
use crate::pipeline::{Failure, Outcome};
use crate::report::plan;

/// Arguments of `runner plan`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Remove this member, by name or id
    #[arg(long, value_name = "MEMBER")]
    remove: Vec<String>,
    /// Promote this learner, by name or id
    #[arg(long, value_name = "MEMBER")]
    promote: Vec<String>,
    /// Add a learner and promote it, after the changes before; done where no change is given
    #[arg(long)]
    join: bool,
    /// What if this member were down, by name or id
    #[arg(long, value_name = "MEMBER")]
    down: Vec<String>,
    /// A peer URL of the member that joins
    #[arg(long, value_name = "URL", default_value = "https://new-member:2380")]
    peer_url: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

const EXAMPLES: &str = "\
Examples:
  runner plan                          can a member join now, and what does the cluster survive then?
  runner plan --down cp-2              and if cp-2 were down?
  runner plan --remove cp-2 --join     replace cp-2: is that the right order?

Exit status: 0 where etcd does all of it, 10 where it refuses something.";

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let settings = args.cluster.kubernetes.settings(&frame.defaults, "", false)?;
    let endpoints = args.cluster.found(settings.as_ref()).await?.endpoints;
    let cluster = args.cluster.trust.trust(&frame.defaults).cluster()?;
    let view = View::observe(&*cluster, &endpoints)
        .await
        .map_err(|error| Failure { outcome: Outcome::Unreachable, ..Failure::cluster("cannot read the cluster", &error) })?;
    let down = args.down.iter().map(|who| member(&view, who)).collect::<Result<Vec<_>, _>>()?;
    let forecasts = forecasts(Situation::of(&view).without(&down), &args.changes(&view)?);
    let shown = match frame.global.output {
        Output::Text => plan::text(&forecasts, frame.printer.stdout.style),
        Output::Json => format!("{:#}", plan::json(&forecasts)),
    };
    // A reader that went away is no error of ours.
    let _ = frame.printer.data(&shown);
    Ok(if forecasts.iter().all(Forecast::accepted) { Outcome::Joined } else { Outcome::CheckRefused })
}

impl Args {
    /// What is asked about, in the order in which it is safe: out, then in.
    fn changes(&self, view: &View) -> Result<Vec<Change>, Failure> {
        let removes = self.remove.iter().map(|who| member(view, who).map(Change::Remove));
        let promotes = self.promote.iter().map(|who| member(view, who).map(Change::Promote));
        let mut changes = removes.chain(promotes).collect::<Result<Vec<_>, _>>()?;
        if self.join || changes.is_empty() {
            changes.extend([Change::AddLearner(self.peer_url.clone()), Change::Promote(NEWCOMER)]);
        }
        Ok(changes)
    }
}

/// Each change in the situation that the one before leaves; after a refusal there is none to speak of.
fn forecasts(mut situation: Situation, changes: &[Change]) -> Vec<Forecast> {
    let mut told = Vec::new();
    for change in changes {
        let forecast = Forecast::of(&situation, change);
        let accepted = forecast.accepted();
        told.push(forecast);
        if !accepted {
            break;
        }
        situation = situation.after(change);
    }
    told
}

/// The member of this name or id.
fn member(view: &View, who: &str) -> Result<MemberId, Failure> {
    let id = who.parse().ok().filter(|id| view.get(*id).is_some());
    let named = || view.members.iter().find(|m| m.member.name == who).map(|m| m.member.id);
    id.or_else(named).ok_or_else(|| {
        let there: Vec<_> = view.members.iter().map(|m| format!("{} ({})", m.member.label(), m.member.id)).collect();
        bad_input(format!("no member has the name or id {who:?}")).hint(format!("there are {}", there.join(", ")))
    })
}
