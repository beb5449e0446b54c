//! Quantities as people read them: durations, bytes, rates, counts.

use std::time::Duration;

/// A duration in two units at most: `0.4 ms`, `350 ms`, `1.2 s`, `2 m 05 s`, `3 h 04 m`, `2 d 03 h`.
pub fn duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    // Compared after rounding, so that 59.97 s is a minute and not "60.0 s".
    let tenths_of_ms = micros.saturating_add(50) / 100;
    let ms = micros.saturating_add(500) / 1_000;
    let tenths = micros.saturating_add(50_000) / 100_000;
    let seconds = micros.saturating_add(500_000) / 1_000_000;
    if tenths_of_ms == 0 {
        "0 ms".to_owned()
    } else if tenths_of_ms < 100 {
        format!("{}.{} ms", tenths_of_ms / 10, tenths_of_ms % 10)
    } else if ms < 1_000 {
        format!("{ms} ms")
    } else if tenths < 600 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else if seconds < 3_600 {
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    } else if seconds < 86_400 {
        format!("{} h {:02} m", seconds / 3_600, seconds / 60 % 60)
    } else {
        format!("{} d {:02} h", seconds / 86_400, seconds / 3_600 % 24)
    }
}

/// Time that is left, rounded up to whole seconds: a countdown with tenths only flickers, and "0 s" is not left.
pub fn left(left: Duration) -> String {
    let seconds = left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0));
    if seconds < 60 { format!("{seconds} s") } else { duration(Duration::from_secs(seconds)) }
}

/// Bytes in binary units with one decimal: `512 B`, `12.3 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    // 1023.95 and more would be shown as "1024.0".
    while unit + 1 < UNITS.len() && value >= if unit == 0 { 1024.0 } else { 1023.95 } {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// "how many of how many" bytes, the unit said once where it is the same: `45.2 of 103.0 MiB`.
pub fn bytes_of(part: u64, whole: u64) -> String {
    let (part, whole) = (bytes(part), bytes(whole));
    match (part.split_once(' '), whole.split_once(' ')) {
        (Some((number, a)), Some((_, b))) if a == b => format!("{number} of {whole}"),
        _ => format!("{part} of {whole}"),
    }
}

/// Bytes a second: `12.3 MiB/s`. What is no number or below zero is shown as zero.
pub fn rate(bytes_per_second: f64) -> String {
    // A float that is too large or not a number becomes the nearest integer or zero.
    format!("{}/s", bytes(bytes_per_second.max(0.0) as u64))
}

/// A count with `separator` between groups of three digits; four digits stay together.
pub fn count(count: u64, separator: &str) -> String {
    let digits = count.to_string();
    if digits.len() <= 4 {
        return digits;
    }
    let mut text = String::with_capacity(digits.len() * 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push_str(separator);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let of = |micros| duration(Duration::from_micros(micros));
        assert_eq!([of(0), of(40), of(850), of(9_949), of(9_950)], ["0 ms", "0 ms", "0.9 ms", "9.9 ms", "10 ms"]);
        assert_eq!([of(350_000), of(999_400), of(999_600)], ["350 ms", "999 ms", "1.0 s"]);
        assert_eq!([of(1_234_000), of(59_940_000), of(59_970_000)], ["1.2 s", "59.9 s", "1 m 00 s"]);
        assert_eq!([of(125_000_000), of(11_070_000_000)], ["2 m 05 s", "3 h 04 m"]);
        assert_eq!(duration(Duration::from_secs(2 * 86_400 + 3 * 3_600)), "2 d 03 h");
        assert!(!duration(Duration::MAX).is_empty());
        assert_eq!(left(Duration::from_millis(4_900)), "5 s");
        assert_eq!(left(Duration::from_secs(288)), "4 m 48 s");
    }

    #[test]
    fn sizes_and_rates() {
        assert_eq!([bytes(0), bytes(1_023), bytes(1_024)], ["0 B", "1023 B", "1.0 KiB"]);
        assert_eq!([bytes(12_897_485), bytes(1_048_570), bytes(u64::MAX)], ["12.3 MiB", "1.0 MiB", "16.0 EiB"]);
        assert_eq!(bytes_of(47_395_635, 108_003_328), "45.2 of 103.0 MiB");
        assert_eq!(bytes_of(900, 108_003_328), "900 B of 103.0 MiB");
        assert_eq!([rate(12_897_485.0), rate(f64::NAN), rate(-3.0)], ["12.3 MiB/s", "0 B/s", "0 B/s"]);
    }

    #[test]
    fn counts() {
        assert_eq!(
            [count(0, ","), count(9_999, ","), count(10_000, ","), count(1_234_567, "\u{202f}")],
            ["0", "9999", "10,000", "1\u{202f}234\u{202f}567"]
        );
    }
}
