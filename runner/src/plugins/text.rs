//! How the host words sizes, and how much text it takes from a guest.

/// Longest reason, message or remedy that is taken from a guest, in characters. A terminal page; more is never read there.
pub(super) const MAX_TEXT: usize = 2000;

/// Longest code or member id that is taken over, in characters.
pub(super) const MAX_NAME: usize = 80;

/// Longest path into settings that is taken over, in characters.
pub(super) const MAX_PATH: usize = 200;

/// Bytes as people read them: `16 MiB`, `1.5 KiB`.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut unit = 0;
    let mut value = n as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if unit == 0 || value.fract() < 0.05 { 0 } else { 1 };
    format!("{value:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable() {
        assert_eq!(["0 B", "1 KiB", "1.5 KiB", "16 MiB"].map(str::to_owned), [0, 1024, 1536, 16 << 20].map(bytes));
    }
}
