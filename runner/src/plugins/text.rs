//! Text from guests, made fit for a terminal. A guest must not be able to move the cursor, hide text or fake a line of ours.

/// Longest reason, message or remedy that is taken from a guest, in characters. A terminal page; more is never read there.
pub(super) const MAX_TEXT: usize = 2000;

/// `text` on one line: without escape sequences, control characters and marks that reorder text; at most `max` characters, and
/// `…` where it was cut.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    let mut kept = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match c {
            '\u{1b}' => {
                skip_escape(&mut chars);
                continue;
            }
            '\u{9b}' => {
                skip_control_sequence(&mut chars);
                continue;
            }
            '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() || reorders(c) => continue,
            c => c,
        };
        if kept == max {
            out.push('…');
            break;
        }
        out.push(c);
        kept += 1;
    }
    out.truncate(out.trim_end().len());
    out
}

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

/// Skips what follows an escape character: a control sequence (`[` … final byte), a string (`]`, `P`, `_`, `^`, `X` … end), or
/// one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => skip_control_sequence(chars),
        Some(']' | 'P' | '_' | '^' | 'X') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || c == '\u{9c}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        _ => {}
    }
}

fn skip_control_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    for c in chars.by_ref() {
        if ('\u{40}'..='\u{7e}').contains(&c) {
            break;
        }
    }
}

/// Marks that change the direction of text, or have no width at all.
fn reorders(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_go_and_their_text_does_not_stay() {
        assert_eq!(one_line("a\u{1b}[31mred\u{1b}[0m b", 99), "ared b");
        assert_eq!(one_line("\u{1b}]0;title\u{7}x\u{1b}]8;;http://h\u{1b}\\y", 99), "xy");
        assert_eq!(one_line("\u{9b}2Kx\u{8}\u{0}\u{7f}", 99), "x");
        assert_eq!(one_line("ends in \u{1b}", 99), "ends in");
        assert_eq!(one_line("ends in \u{1b}[12", 99), "ends in");
    }

    #[test]
    fn it_stays_on_one_line_in_one_direction() {
        assert_eq!(one_line("a\r\nrunner: approved\u{2028}b", 99), "a  runner: approved b");
        assert_eq!(one_line("abc\u{202e}def", 99), "abcdef");
        assert_eq!(one_line("grüße 🧭", 99), "grüße 🧭");
    }

    #[test]
    fn it_is_cut_by_characters() {
        assert_eq!(one_line("äöü", 3), "äöü");
        assert_eq!(one_line("äöüß", 3), "äöü…");
    }

    #[test]
    fn bytes_are_readable() {
        assert_eq!(["0 B", "1 KiB", "1.5 KiB", "16 MiB"].map(str::to_owned), [0, 1024, 1536, 16 << 20].map(bytes));
    }
}
