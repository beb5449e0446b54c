//! Events for a person who watches: what is done scrolls up, what is under way lives at the bottom.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use jiff::Timestamp;

use super::board::Board;
use super::printer::Style;
use crate::clock;
use crate::event::{Event, EventKind, EventSink};

/// How often the live lines are drawn anew without an event: the spinner's pace.
const TICK: Duration = Duration::from_millis(100);

/// How a terminal is written to.
#[derive(Clone, Copy, Debug)]
pub struct TerminalOptions {
    /// Colour and alphabet.
    pub style: Style,
    /// Whether plugins' debug lines, and notifiers that were told, are shown.
    pub verbose: bool,
}

/// Shows a run on a terminal: finished steps and what was said scroll up, one line per step under way and one per plugin that
/// waits stay at the bottom and change in place.
///
/// Nothing else may write to the terminal meanwhile, except through [`suspend`](Self::suspend). A terminal that is stopped
/// (Ctrl-S) blocks [`emit`](EventSink::emit); put a [`Background`](super::Background) before it.
pub struct Terminal {
    term: Box<dyn TermLike>,
    bar: ProgressBar,
    board: Arc<Mutex<Board>>,
    /// Held while one event is shown, so that the lines of two do not mix.
    turn: Mutex<()>,
    ticks: bool,
}

impl Terminal {
    /// Writes to the process's stderr, which should be a terminal.
    pub fn stderr(options: TerminalOptions) -> Self {
        Self::with_term(Term::buffered_stderr(), options, clock::now, true)
    }

    fn with_term<T>(term: T, options: TerminalOptions, now: fn() -> Timestamp, ticks: bool) -> Self
    where
        T: TermLike + Clone + Send + Sync + 'static,
    {
        let board = Arc::new(Mutex::new(Board::new(options.style, options.verbose)));
        let (shown, measured) = (board.clone(), term.clone());
        // Called by indicatif for every drawing, also by its ticker's thread. It must not touch the bar.
        let live = move |_: &ProgressState, w: &mut dyn fmt::Write| {
            let _ = w.write_str(&locked(&shown).live(now(), measured.width().into()).join("\n"));
        };
        // The template is constant and valid; without it there would be no live lines, which is no reason to fail.
        let style = ProgressStyle::with_template("{live}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::term_like(Box::new(term.clone())));
        bar.set_style(style.with_key("live", live));
        Self { term: Box::new(term), bar, board, turn: Mutex::new(()), ticks }
    }

    /// Takes the live lines away while `f` writes to the terminal itself.
    pub fn suspend<T>(&self, f: impl FnOnce() -> T) -> T {
        self.bar.suspend(f)
    }

    fn print(&self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        // Not indicatif's own println: it pads every line to the full width, which is a nuisance to copy from.
        self.suspend(|| {
            for line in lines {
                let _ = self.term.write_line(line);
            }
            let _ = self.term.flush();
        });
    }
}

impl EventSink for Terminal {
    fn emit(&self, event: Event) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(event.kind, EventKind::RunStarted { .. }) {
            // A terminal may show several runs, one after the other.
            self.bar.reset();
            if self.ticks {
                self.bar.enable_steady_tick(TICK);
            }
        }
        let lines = locked(&self.board).take(&event, self.term.width().into());
        self.print(&lines);
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            self.bar.finish_and_clear();
        } else {
            self.bar.tick();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn locked(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::super::fixture;
    use super::*;

    /// The screen after each of the events, the last one last.
    fn screens(events: Vec<Event>, style: Style, width: u16) -> Vec<String> {
        thread_local!(static NOW: std::cell::Cell<Timestamp> = const { std::cell::Cell::new(Timestamp::UNIX_EPOCH) });
        let term = InMemoryTerm::new(100, width);
        let options = TerminalOptions { style, verbose: false };
        let terminal = Terminal::with_term(term.clone(), options, || NOW.get(), false);
        let show = |event: Event| {
            NOW.set(event.at);
            terminal.emit(event);
            // Past indicatif's limit of drawings a second.
            terminal.bar.force_draw();
            term.contents()
        };
        events.into_iter().map(show).collect()
    }

    const UNICODE: Style = Style { color: false, unicode: true };

    fn last(events: Vec<Event>, style: Style, width: u16) -> String {
        screens(events, style, width).pop().unwrap()
    }

    #[test]
    fn a_join_that_ends_well() {
        insta::assert_snapshot!(last(fixture::joined(), UNICODE, 100), @r#"
        join cp-3  run 0195936e-7c1c-7000-8000-0a1b2c3d4e5f
          · plugin version-window (health-check) sha256:9f86d081884c
          · plugin run-summary (notifier) sha256:9f86d081884c
          · plugin steady-sync (promotion) sha256:9f86d081884c
            note: built for 0.1.3: `candidate.zone` is not in this runner and fails when called
        ✓ discover        12 ms  2 members, leader cp-1, etcd 3.6.4
        ✓ check           40 ms  16 checks, 1 warning
          · while cp-3 is a learner the cluster can lose no voter (member cp-2) [fault-tolerance]
          ! version-window: cp-2 runs etcd 3.6.1, three patches behind the others [patch-skew]
            remedy: upgrade cp-2 to 3.6.4 when the join is done
          ✓ version-window: passes
        ✓ lock            4.0 s  ours after 4.0 s
          · waited: behind the run of cp-4, which has held the lock for 74 s; 1 before us
        ✓ add-learner     14 ms  8e9e05c52164694d
        ✓ start-member   640 ms  etcd 3.6.4, process 4711
        ✓ sync           11.6 s  103.0 MiB, steady for 2.0 s
          · steady-sync: not yet, because it is 33 entries behind, at most 10 are allowed (×12)
          · steady-sync: not yet, because it has been within 10 entries for 400 ms of 2 s (×6)
          ✓ steady-sync: approves
        ✓ promote         14 ms  voter in term 7
        ✓ verify          45 ms  3 of 3 members agree, read through cp-3
        ✓ announce       3.0 ms  1 notifier told
          · run-summary says: cp-3 joined the cluster
            3 members, quorum 2

        joined after 16.4 s: cp-3 is a voter of the cluster
        time: sync 11.6 s (71 %), lock 4.0 s (25 %), start-member 640 ms (4 %), 6 more 128 ms
        "#);
    }

    #[test]
    fn a_join_that_is_refused() {
        insta::assert_snapshot!(last(fixture::refused(), UNICODE, 100), @r#"
        join cp-3  run 0195936e-7c1c-7000-8000-0a1b2c3d4e5f
          · plugin version-window (health-check) sha256:9f86d081884c
        ✓ discover        12 ms  2 members, leader cp-1, etcd 3.6.4
        ✗ check           40 ms  1 of 16 checks found an error
          ✗ the database of cp-2 has reached its quota (alarm NOSPACE) [alarm-nospace]
            remedy: compact and defragment, then `etcdctl alarm disarm`
          ✓ version-window: passes

        check-refused after 52 ms: the join was refused before anything was changed
        time: check 40 ms (77 %), discover 12 ms (23 %)
        hint: fix what the checks found, then join again
        "#);
    }

    #[test]
    fn a_join_that_is_rolled_back_on_a_narrow_terminal() {
        insta::assert_snapshot!(last(fixture::rolled_back(), UNICODE, 60), @r#"
        join cp-3  run 0195936e-7c1c-7000-8000-0a1b2c3d4e5f
          · plugin version-window (health-check) sha256:9f86d081884c
          · plugin run-summary (notifier) sha256:9f86d081884c
          · plugin steady-sync (promotion) sha256:9f86d081884c
            note: built for 0.1.3: `candidate.zone` is not in this
            runner and fails when called
        ✓ discover        12 ms  2 members, leader cp-1, etcd 3.6.4
        ✓ check           40 ms  16 checks, 1 warning
          · while cp-3 is a learner the cluster can lose no voter
            (member cp-2) [fault-tolerance]
          ! version-window: cp-2 runs etcd 3.6.1, three patches
            behind the others [patch-skew]
            remedy: upgrade cp-2 to 3.6.4 when the join is done
          ✓ version-window: passes
        ✓ lock            4.0 s  ours after 4.0 s
          · waited: behind the run of cp-4, which has held the lock
            for 74 s; 1 before us
        ✓ add-learner     14 ms  8e9e05c52164694d
        ✓ start-member   640 ms  etcd 3.6.4, process 4711
        ✗ sync           11.2 s  steady-sync refuses the promotion
          · steady-sync: not yet, because it is 33 entries behind,
            at most 10 are allowed (×12)
          · steady-sync: not yet, because it has been within 10
            entries for 400 ms of 2 s (×6)
          ✗ steady-sync says: panicked at src/lib.rs:12: no zone
            note: run with RUST_BACKTRACE=1
          ✗ steady-sync: refuses, because cp-3 is in zone b, which
            has two members already
        ↩ start-member   310 ms  stopped etcd, removed /var/lib/etcd
        ↩ add-learner     12 ms  removed member 8e9e05c52164694d
        ↩ lock           4.0 ms  released

        plugin-refused after 16.3 s: steady-sync refused cp-3;
        everything was undone and the cluster is as it was
        time: sync 11.2 s (69 %), lock 4.0 s (25 %),
              start-member 640 ms (4 %), 3 more 66 ms
        hint: ask whoever owns the plugin steady-sync, or join a
        node of another zone
        "#);
    }

    #[test]
    fn a_join_that_is_stuck_in_ascii() {
        let screen = last(fixture::stuck(), Style::PLAIN, 100);
        assert!(screen.is_ascii(), "{screen}");
        insta::assert_snapshot!(screen, @r#"
        join cp-3  run 0195936e-7c1c-7000-8000-0a1b2c3d4e5f
          -  plugin version-window (health-check) sha256:9f86d081884c
          -  plugin run-summary (notifier) sha256:9f86d081884c
          -  plugin steady-sync (promotion) sha256:9f86d081884c
             note: built for 0.1.3: `candidate.zone` is not in this runner and fails when called
        ok discover        12 ms  2 members, leader cp-1, etcd 3.6.4
        ok check           40 ms  16 checks, 1 warning
          -  while cp-3 is a learner the cluster can lose no voter (member cp-2) [fault-tolerance]
          !  version-window: cp-2 runs etcd 3.6.1, three patches behind the others [patch-skew]
             remedy: upgrade cp-2 to 3.6.4 when the join is done
          ok version-window: passes
        ok lock            4.0 s  ours after 4.0 s
          -  waited: behind the run of cp-4, which has held the lock for 74 s; 1 before us
        ok add-learner     14 ms  8e9e05c52164694d
        ok start-member   640 ms  etcd 3.6.4, process 4711
        !! sync         1 m 01 s  no progress for 60 s
        <- start-member   310 ms  stopped etcd, removed /var/lib/etcd
        !! add-learner     5.0 s  could not be undone: etcdserver: no leader (at https://10.0.0.1:2379)
            do this: bring back a quorum, then `etcdctl member remove 8e9e05c52164694d`

        stuck after 1 m 11 s: the learner 8e9e05c52164694d is still in the member list
        time: sync 1 m 01 s (86 %), lock 4.0 s (6 %), 4 more 706 ms
        hint: when the cluster has a leader again: `runner rollback`
        "#);
    }

    #[test]
    fn what_is_under_way_stands_at_the_bottom() {
        let all = screens(fixture::joined(), UNICODE, 100);
        let waiting = all.iter().rfind(|s| s.contains(" left)")).unwrap();
        insta::assert_snapshot!(waiting.lines().skip_while(|l| !l.contains("lock")).collect::<Vec<_>>().join("\n"), @r#"
        ⠋ lock            3.0 s  behind the run of cp-4, which has held the lock for 74 s; 1 before us
                                 (4 m 57 s left)
        "#);
        let syncing = all.iter().find(|s| s.contains(" 44 %")).unwrap();
        insta::assert_snapshot!(syncing.lines().skip_while(|l| !l.contains("start-member")).collect::<Vec<_>>().join("\n"), @r#"
        ✓ start-member   640 ms  etcd 3.6.4, process 4711
        ⠦ sync            5.6 s  ━━━━━━━━━━━━━━━━━━━━━╸──────────────────────────   44 %
                                 46.3 of 103.0 MiB, lag 161 803, ETA 5 s, 12.3 MiB/s, snapshot
          · steady-sync: not yet, because it is 161776 entries behind, at most 10 are allowed (×6)
        "#);
    }

    #[test]
    fn a_wide_terminal_has_it_on_one_line() {
        let all = screens(fixture::joined(), UNICODE, 132);
        let syncing = all.iter().find(|s| s.contains(" 44 %")).unwrap();
        insta::assert_snapshot!(syncing.lines().find(|l| l.contains(" 44 %")).unwrap(), @"⠦ sync            5.6 s  ━━━━━━━━━━╸─────────────   44 %  46.3 of 103.0 MiB  lag 161 803  ETA 5 s  12.3 MiB/s  snapshot");
    }

    #[test]
    fn what_is_under_way_fits_a_narrow_terminal() {
        let all = screens(fixture::joined(), Style::PLAIN, 60);
        let syncing = all.iter().find(|s| s.contains(" 44 %")).unwrap();
        insta::assert_snapshot!(syncing.lines().skip_while(|l| !l.contains("start-member")).collect::<Vec<_>>().join("\n"), @r#"
        ok start-member   640 ms  etcd 3.6.4, process 4711
        |  sync            5.6 s  [============             ]   44 %
                                  46.3 of 103.0 MiB, lag 161,803,
                                  ETA 5 s, 12.3 MiB/s, snapshot
          -  steady-sync: not yet, because it is 161776 entries
             behind, at most 10 are allowed (x6)
        "#);
    }

    #[test]
    fn the_live_lines_are_gone_in_the_end_and_the_next_run_has_its_own() {
        let mut events = fixture::joined();
        events.extend(fixture::refused());
        let screen = last(events, UNICODE, 100);
        assert_eq!(screen.matches("✓ discover").count(), 2, "{screen}");
        assert!(screen.ends_with("hint: fix what the checks found, then join again"), "{screen}");
    }
}
