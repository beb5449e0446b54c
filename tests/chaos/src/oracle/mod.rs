//! The oracle held against real etcd: over a grid of sizes, losses and changes, what it says is what etcd answers.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use runner_harness::{EtcdBinary, every_minor};

use crate::tally::Tally;
use cell::{Cell, Last};

pub mod cell;

/// So many clusters at once: they mostly wait for etcd's 5 s.
const AT_ONCE: usize = 6;

/// The largest cluster of the grid.
pub const LARGEST: usize = 7;

/// Goes through the grid of every version at hand until the time is up or, where `runs` is given, after so many cells, beginning with
/// the cell of this number.
pub fn run(until: Instant, runs: Option<u64>, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
    let grid = grid(&runner_harness::etcd_versions(), LARGEST);
    let first = seed as usize % grid.len();
    let count = runs.map_or(grid.len(), |runs| (runs as usize).min(grid.len()));
    let cells = grid.iter().cycle().skip(first).take(count).cloned().collect();
    ask(cells, until, tally)
}

/// Every size up to `largest`, with every number of dead voters up to the loss of the quorum, and every last change.
pub fn grid(versions: &[EtcdBinary], largest: usize) -> Vec<Cell> {
    let mut cells = Vec::new();
    for binary in versions {
        for voters in 1..=largest {
            for dead in 0..=(voters - 1) / 2 {
                let lasts: &[Last] = if dead == 0 { &[Last::Promote, Last::RemoveLiving] } else { &Last::ALL };
                for last in lasts {
                    cells.push(Cell { number: cells.len() as u64, binary: binary.clone(), voters, dead, last: *last });
                }
            }
        }
    }
    cells
}

/// One cluster for each version and size, which loses its voters one by one to the last that it can spare. The last change differs from
/// one to the next.
pub fn sample(largest: usize) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (row, binary) in every_minor().into_iter().enumerate() {
        for voters in 1..=largest {
            let dead = (voters - 1) / 2;
            let last = Last::ALL[if dead == 0 { (row + voters) % 2 } else { (row + voters) % 3 }];
            cells.push(Cell { number: cells.len() as u64, binary: binary.clone(), voters, dead, last });
        }
    }
    cells
}

/// Asks the cells' clusters, several at once.
pub fn ask(cells: Vec<Cell>, until: Instant, tally: &mut Tally) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let asked = stream::iter(cells).take_while(|_| std::future::ready(Instant::now() < until));
        let mut asked = asked.map(|cell| async move { (cell.clone(), cell.ask().await) }).buffer_unordered(AT_ONCE);
        while let Some((cell, questions)) = asked.next().await {
            tally.ended(format!("etcd {}", cell.binary.version));
            for question in questions {
                tally.fault(question.kind());
                tally.look("the predicted answer is the real one", cell.number, question.agree(&cell));
            }
        }
    });
    Ok(())
}

/// What an election takes at most, and a lost leader to step down.
const ELECTION: Duration = Duration::from_secs(3);
