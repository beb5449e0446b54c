//! The exec hook that a plugin call is measured against: the same decision as `steady-sync`'s, as a program that reads JSON and
//! writes JSON. Compiled, and with nothing else in it, so that the comparison is with exec hooks at their best.
#![allow(clippy::print_stdout, reason = "its answer is its output")]

use std::io::Read;

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    settings: Settings,
    window: Vec<Sample>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    max_lag: u64,
    samples: usize,
    for_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    at_ms: u64,
    leader_index: u64,
    applied_index: u64,
    leader: Option<String>,
    term: u64,
    reachable: bool,
}

#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
enum Verdict {
    Approve,
    Wait { reason: String },
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let question: Question = serde_json::from_str(&text)?;
    println!("{}", serde_json::to_string(&judge(&question))?);
    Ok(())
}

fn judge(question: &Question) -> Verdict {
    let (settings, wait) = (&question.settings, |reason: &str| Verdict::Wait { reason: reason.to_owned() });
    let Some(last) = question.window.last() else { return wait("no sample yet") };
    let steady = question.window.iter().rev().take_while(|s| {
        s.reachable
            && s.leader.is_some()
            && s.leader == last.leader
            && s.term == last.term
            && s.leader_index.saturating_sub(s.applied_index) <= settings.max_lag
    });
    let mut count = 0;
    for sample in steady {
        count += 1;
        if count >= settings.samples && last.at_ms.saturating_sub(sample.at_ms) >= settings.for_ms {
            return Verdict::Approve;
        }
    }
    wait("not steady for long enough")
}
