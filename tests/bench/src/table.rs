//! The figures for people.

use crate::goals::Goal;
use crate::plugin::Decisions;
use crate::plugin::crowd::Crowd;
use crate::report::{Report, Rows};
use crate::stats::Spread;

const NAME: usize = 52;

/// The whole report.
pub(crate) fn render(report: &Report) -> String {
    let mut lines = vec![report.machine.line(&report.versions), format!("command: {}", report.command), String::new()];
    for rows in &report.joins {
        joins(rows, &mut lines);
    }
    decisions(&report.decisions, &mut lines);
    crowds(&report.crowds, &mut lines);
    lines.push("goals (by medians; memory by the most)".to_owned());
    lines.extend(report.goals.iter().map(Goal::line));
    lines.join("\n")
}

fn joins(rows: &Rows, lines: &mut Vec<String>) {
    let stall = if rows.stalls { "; here etcd itself may stall for 7 s after a snapshot" } else { "" };
    lines
        .push(format!("etcd {}, one voter to two, TLS, {} MB, {} rounds{stall}", rows.version, rows.megabytes, rows.rounds));
    lines.push(format!("  {:NAME$} {:>28}   {:>21}", "", "min / median / max in ms", "by the floor"));
    for row in &rows.rows {
        let ratio = row.by_floor.map(|r| format!("{:.2} / {:.2} / {:.2}", r.min, r.median, r.max)).unwrap_or_default();
        lines.push(format!("  {:NAME$} {:>28}   {ratio:>21}", row.name, spread(row.ms, 0)));
    }
    if !rows.steps.is_empty() {
        let steps: Vec<_> = rows.steps.iter().map(|(name, ms)| format!("{name} {:.0}", ms.median)).collect();
        lines.push(format!("  runner's steps, medians in ms: {}", steps.join(", ")));
    }
    for (name, mib) in &rows.resident_mib {
        lines.push(format!("  {:NAME$} {:>28}", format!("{name}: peak resident, MiB"), spread(*mib, 1)));
    }
    lines.push(String::new());
}

fn decisions(decisions: &Decisions, lines: &mut Vec<String>) {
    lines.push(format!("one promotion decision, {} rounds", decisions.plugin.count));
    lines.push(format!("  {:NAME$} {:>28}   {:>21}", "", "min / median / max in us", "by the plugin call"));
    lines.push(format!("  {:NAME$} {:>28}", "plugin call, fresh instance, every limit on", spread(decisions.plugin, 0)));
    let r = decisions.hook_by_plugin;
    let ratio = format!("{:.1} / {:.1} / {:.1}", r.min, r.median, r.max);
    lines.push(format!("  {:NAME$} {:>28}   {ratio:>21}", "exec hook, compiled, JSON on stdin", spread(decisions.hook, 0)));
    if let Some(python) = decisions.python {
        let ratio = format!("{:.0}", python.median / decisions.plugin.median);
        lines.push(format!("  {:NAME$} {:>28}   {ratio:>21}", "exec hook, python3", spread(python, 0)));
    }
    lines.push(String::new());
}

fn crowds(crowds: &[Crowd], lines: &mut Vec<String>) {
    lines.push("many plugins, compiled code kept, min / median / max in us".to_owned());
    lines.push(format!("  {:>8} {:>27} {:>9} {:>27} {:>9} {:>9}", "plugins", "load", "each", "one sample", "each", "KiB"));
    for crowd in crowds {
        lines.push(format!(
            "  {:>8} {:>27} {:>9.0} {:>27} {:>9.0} {:>9}",
            crowd.plugins,
            spread(crowd.load, 0),
            crowd.load_each(),
            spread(crowd.sample, 0),
            crowd.sample_each(),
            crowd.grown_kib,
        ));
    }
    lines.push(String::new());
}

fn spread(s: Spread, digits: usize) -> String {
    format!("{:.digits$} / {:.digits$} / {:.digits$}", s.min, s.median, s.max)
}
