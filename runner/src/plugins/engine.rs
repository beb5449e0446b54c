//! The wasmtime engine and the thread that ticks its epoch.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Config;

/// How often a running guest is looked at: its processor time is checked and it makes room for other tasks. 5 ms: a guest that
/// computes delays its neighbours by no more, and the check (under a microsecond) is not to be seen.
const TICK: Duration = Duration::from_millis(5);

/// One engine for all plugins of a run.
pub(super) struct Engine {
    wasmtime: wasmtime::Engine,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// While it lives, the epoch moves.
pub(super) struct Ticking<'a>(&'a Shared);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    calls: usize,
    stop: bool,
}

impl Engine {
    /// An engine, and its thread, which sleeps while no call is under way and ends with the engine.
    pub(super) fn new() -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model(true).epoch_interruption(true);
        // The component model's own interface knows 32-bit memories only, and no toolchain for it makes others.
        config.wasm_memory64(false);
        // Stripped guests have no names to show; a trap's kind and the plugin's last log lines tell more.
        config.wasm_backtrace_max_frames(None);
        let wasmtime = wasmtime::Engine::new(&config)?;
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let thread = std::thread::Builder::new().name("plugin-epoch".into()).spawn({
            let (engine, shared) = (wasmtime.clone(), shared.clone());
            move || shared.tick(&engine)
        })?;
        Ok(Self { wasmtime, shared, thread: Some(thread) })
    }

    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// Makes the epoch move until the result is dropped.
    pub(super) fn ticking(&self) -> Ticking<'_> {
        self.shared.update(|state| state.calls += 1);
        Ticking(&self.shared)
    }
}

impl Shared {
    fn tick(&self, engine: &wasmtime::Engine) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.stop {
            if state.calls == 0 {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                state = self.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
                engine.increment_epoch();
            }
        }
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = state.calls == 0;
        change(&mut state);
        if idle || state.stop {
            self.changed.notify_one();
        }
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.update(|state| state.calls -= 1);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.update(|state| state.stop = true);
        if let Some(thread) = self.thread.take() {
            // It only fails where the thread panicked, and then it is gone as well.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_ends_with_the_engine_busy_or_not() {
        let engine = Engine::new().unwrap();
        let shared = engine.shared.clone();
        drop(engine.ticking());
        drop(engine);
        assert_eq!(Arc::strong_count(&shared), 1);

        let engine = Engine::new().unwrap();
        let shared = engine.shared.clone();
        std::mem::forget(engine.ticking());
        std::thread::sleep(3 * TICK);
        drop(engine);
        assert_eq!(Arc::strong_count(&shared), 1);
    }
}
