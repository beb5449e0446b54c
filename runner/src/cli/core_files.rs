//! No core files: keys, tokens and secret settings are in our memory.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets no core file be written of this process, nor of what it starts, etcd too: the limit is inherited.
///
/// Only the soft limit: whoever wants a core file of a process may still raise it (`prlimit --core=unlimited --pid`). A
/// `core_pattern` that pipes to a program is not bound by the limit, see core(5), but is told of it.
pub(super) fn forbid() {
    let limit = Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum };
    // Lowering it is always allowed, see setrlimit(2).
    if let Err(error) = setrlimit(Resource::Core, limit) {
        tracing::warn!(%error, "core files cannot be forbidden");
    }
}
