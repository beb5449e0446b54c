//! How the demo went, in a few lines.

use std::time::Duration;

use serde_json::{Value, json};

use super::record::Record;
use super::writer::Tally;
use crate::cluster::MemberList;
use crate::report::text::{pad, pad_left};
use crate::report::{Style, changes, human};

/// Room for a phase's name and for each join's column.
const NAME: usize = 15;
const COLUMN: usize = 12;

/// One join, and what the client saw meanwhile.
pub(super) struct Join {
    pub(super) name: String,
    pub(super) record: Record,
    pub(super) writes: Tally,
}

/// All of it.
pub(super) struct Summary {
    pub(super) megabytes: u64,
    pub(super) before: MemberList,
    pub(super) after: MemberList,
    /// In order; the last is the one that was refused.
    pub(super) joins: Vec<Join>,
    /// The client's writes, from the first to the last.
    pub(super) writes: Tally,
    /// How many of them the member that joined last has.
    pub(super) found: u64,
}

impl Summary {
    /// What is not as it should be, a sentence each.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let Tally { acknowledged, failed, first_failure, .. } = &self.writes;
        if *failed > 0 {
            let first = first_failure.as_deref().unwrap_or_default();
            problems.push(format!("{failed} of {} client writes failed, the first: {first}", acknowledged + failed));
        }
        if *acknowledged == 0 {
            problems.push("the client wrote nothing".to_owned());
        }
        if self.found < *acknowledged {
            let lost = acknowledged - self.found;
            problems.push(format!("{lost} of {acknowledged} acknowledged client writes are not there"));
        }
        let (voters, due) = (self.after.voters().count(), self.before.voters().count() + self.joins.len().saturating_sub(1));
        if voters != due {
            problems.push(format!("the cluster does not have {due} voters at the end, but {voters}"));
        }
        problems
    }

    /// For people.
    pub(super) fn text(&self, style: Style) -> String {
        let mut lines = vec![style.dim(&row("", self.joins.iter().map(|j| j.name.clone())))];
        let steps = self.joins.first().map(|j| j.record.steps.iter().map(|s| s.name.clone()).collect::<Vec<_>>());
        for step in steps.unwrap_or_default() {
            lines.push(row(&step, self.joins.iter().map(|j| maybe(j.record.step(&step)))));
        }
        let undo = |j: &Join| Some(j.record.undo()).filter(|_| j.record.refused_by().is_some());
        lines.push(row("undo", self.joins.iter().map(|j| maybe(undo(j)))));
        lines.push(style.bold(&row("in all", self.joins.iter().map(|j| human::duration(j.record.duration())))));
        lines.push(row("client writes", self.joins.iter().map(|j| style.count(j.writes.acknowledged))));
        lines.push(row("  failed", self.joins.iter().map(|j| style.count(j.writes.failed))));
        lines.push(row("  longest pause", self.joins.iter().map(|j| human::duration(j.writes.longest_pause))));
        lines.push(String::new());
        lines.push(changes::text(&self.before, &self.after, style));
        lines.push(String::new());
        for join in &self.joins {
            let (took, refused) = (human::duration(join.record.duration()), join.record.refused_by());
            lines.push(match refused {
                None => format!("{}: joined in {took}, with {} MB to copy", join.name, self.megabytes),
                Some(plugin) => {
                    let undo = human::duration(join.record.undo());
                    format!("{}: refused by {plugin}, rolled back in {undo}, nothing left of it", join.name)
                }
            });
        }
        let Tally { acknowledged, failed, longest_pause, .. } = &self.writes;
        let pause = human::duration(*longest_pause);
        let line =
            format!("client: {} writes, {} failed, longest pause {pause}", style.count(*acknowledged), style.count(*failed));
        lines.push(if *failed == 0 { style.green(&line) } else { style.alarm(&line) });
        lines.join("\n")
    }

    /// For machines: one document on one line, an event like those of the joins.
    pub(super) fn json(&self, ok: bool) -> Value {
        let joins: Vec<Value> = self
            .joins
            .iter()
            .map(|j| {
                let step =
                    |s: &super::record::Step| (s.name.clone(), json!(j.record.step(&s.name).map(|d| d.as_millis() as u64)));
                json!({
                    "member": j.name,
                    "durationMs": j.record.duration().as_millis() as u64,
                    "stepsMs": j.record.steps.iter().map(step).collect::<serde_json::Map<_, _>>(),
                    "undoMs": j.record.undo().as_millis() as u64,
                    "refusedBy": j.record.refused_by(),
                    "writes": tally(&j.writes),
                })
            })
            .collect();
        json!({
            "at": crate::clock::now(),
            "kind": "demo-finished",
            "ok": ok,
            "megabytes": self.megabytes,
            "before": self.before.members,
            "after": self.after.members,
            "joins": joins,
            "writes": tally(&self.writes),
            "readBack": self.found,
        })
    }
}

fn tally(tally: &Tally) -> Value {
    json!({
        "acknowledged": tally.acknowledged,
        "failed": tally.failed,
        "longestPauseMs": tally.longest_pause.as_millis() as u64,
    })
}

fn maybe(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "-".to_owned(), human::duration)
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> String {
    cells.fold(pad(name, NAME), |line, cell| line + &pad_left(&cell, COLUMN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Member, MemberId};

    fn list(names: &[&str]) -> MemberList {
        let member = |(n, name): (usize, &&str)| Member {
            id: MemberId(n as u64 + 1),
            name: (*name).to_owned(),
            peer_urls: Vec::new(),
            client_urls: Vec::new(),
            learner: false,
        };
        MemberList { cluster_id: 1, members: names.iter().enumerate().map(member).collect() }
    }

    fn summary(failed: u64) -> Summary {
        let ms = Duration::from_millis;
        let writes =
            |acknowledged, failed, longest_pause| Tally { acknowledged, failed, longest_pause, first_failure: None };
        let record = |json: &str| serde_json::from_str::<Record>(json).unwrap();
        let joined = record(
            r#"{"recordVersion": 1, "durationMs": 1830, "steps": [{"name": "discover", "durationMs": 4}, {"name": "sync", "durationMs": 1500},
                {"name": "promote", "durationMs": 12}], "undo": [], "plugins": {"steady-sync": {"verdicts": [{"verdict": "approve"}]}}}"#,
        );
        let refused = record(
            r#"{"durationMs": 2100, "steps": [{"name": "discover", "durationMs": 5}, {"name": "sync", "durationMs": 2000}],
                "undo": [{"step": "start-member", "durationMs": 60}, {"step": "add-learner", "durationMs": 12}],
                "plugins": {"steady-sync": {"verdicts": [{"verdict": "wait"}, {"verdict": "reject"}]}}}"#,
        );
        Summary {
            megabytes: 100,
            before: list(&["cp-1"]),
            after: list(&["cp-1", "cp-2"]),
            joins: vec![
                Join { name: "cp-2".to_owned(), record: joined, writes: writes(700, failed, ms(31)) },
                Join { name: "cp-3".to_owned(), record: refused, writes: writes(800, 0, ms(18)) },
            ],
            writes: writes(12_345, failed, ms(31)),
            found: 12_345,
        }
    }

    #[test]
    fn it_fits_a_narrow_terminal() {
        let text = summary(0).text(Style::PLAIN);
        assert!(text.lines().all(|line| line.len() < 80));
        insta::assert_snapshot!(text, @r"
                               cp-2        cp-3
        discover             4.0 ms      5.0 ms
        sync                  1.5 s       2.0 s
        promote               12 ms           -
        undo                      -       72 ms
        in all                1.8 s       2.1 s
        client writes           700         800
          failed                  0           0
          longest pause       31 ms       18 ms

          cp-1  1  voter
        + cp-2  2  voter    added

        cp-2: joined in 1.8 s, with 100 MB to copy
        cp-3: refused by steady-sync, rolled back in 72 ms, nothing left of it
        client: 12,345 writes, 0 failed, longest pause 31 ms
        ");
        assert_eq!(summary(0).problems(), [""; 0]);
    }

    #[test]
    fn nothing_is_glossed_over() {
        let mut bad = summary(2);
        bad.writes.first_failure = Some("no leader".to_owned());
        bad.found = 12_000;
        bad.after = list(&["cp-1"]);
        insta::assert_snapshot!(bad.problems().join("\n"), @r"
        2 of 12347 client writes failed, the first: no leader
        345 of 12345 acknowledged client writes are not there
        the cluster does not have 2 voters at the end, but 1
        ");
    }
}
