//! What a reader may take: time, memory, and no panic.

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// No input may take longer, on a machine that is busy: all of them are at most 2 MB.
pub(super) const TIME: Duration = Duration::from_secs(20);

/// No input may take more memory, in kilobytes: 2 MB of YAML become a tree of small nodes, with places and a message.
pub(super) const MEMORY: u64 = 512 * 1024;

/// Feeds on a thread of its own. Says what was taken too much of: time, memory, or a panic.
pub(super) fn bounded<T: Send + 'static>(feed: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let (tell, told) = channel();
    let before = resident();
    // As large as the runner's main thread has, so that deep recursion is found here and not only there.
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(move || {
        let fed = catch_unwind(AssertUnwindSafe(feed)).map_err(|panic| format!("it panicked: {}", words(&*panic)));
        let _ = tell.send(fed);
    });
    let thread = thread.map_err(|e| format!("no thread: {e}"))?;
    let fed = match told.recv_timeout(TIME) {
        Ok(fed) => fed?,
        Err(RecvTimeoutError::Timeout) => return Err(format!("it hangs: it was not through after {TIME:?}")),
        Err(RecvTimeoutError::Disconnected) => return Err("its thread died".to_owned()),
    };
    let _ = thread.join();
    let taken = resident().saturating_sub(before);
    if taken > MEMORY {
        return Err(format!("it took {} MB", taken / 1024));
    }
    Ok(fed)
}

/// The most memory that this process has had since the last call, in kilobytes; none where the kernel does not say it.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or_default();
    // 5: begin anew (proc(5), clear_refs).
    let _ = fs::write("/proc/self/clear_refs", "5");
    most
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}
