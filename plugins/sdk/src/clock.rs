//! The time, as a fact that runner gives and records.

/// Milliseconds since 1970 (UTC). On other targets than WebAssembly it is what
/// [`fake::set_now_ms`](crate::fake::set_now_ms) has set.
pub fn now_ms() -> u64 {
    #[cfg(target_family = "wasm")]
    return crate::guest::now_ms();
    #[cfg(not(target_family = "wasm"))]
    return crate::fake::now_ms();
}
