//! Messages for the person who reads the run.
//!
//! Runner shows them with the plugin's name, and drops and counts what exceeds the plugin's budget.

/// How important a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For whoever writes plugins.
    Debug,
    /// Good to know.
    Info,
    /// Worth a look.
    Warn,
    /// Something is wrong.
    Error,
}

/// Logs one message. On other targets than WebAssembly it is kept for [`fake::take_log`](crate::fake::take_log).
pub fn log(level: Level, message: impl Into<String>) {
    #[cfg(target_family = "wasm")]
    crate::guest::log(level, &message.into());
    #[cfg(not(target_family = "wasm"))]
    crate::fake::keep_log(level, message.into());
}

/// Logs a message for whoever writes plugins.
pub fn debug(message: impl Into<String>) {
    log(Level::Debug, message);
}

/// Logs a message that is good to know.
pub fn info(message: impl Into<String>) {
    log(Level::Info, message);
}

/// Logs a message that is worth a look.
pub fn warn(message: impl Into<String>) {
    log(Level::Warn, message);
}

/// Logs that something is wrong.
pub fn error(message: impl Into<String>) {
    log(Level::Error, message);
}
