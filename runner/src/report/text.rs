//! Text that others wrote, made fit for a terminal; and width, wrapping and likeness of text.

use console::measure_text_width;

use crate::text::one_line;

/// No single message is shown longer than this many characters; the event stream has it whole.
const LONGEST: usize = 2_000;

/// One line of harmless text, see [`one_line`]; cut where no message is worth more.
pub fn sanitize(text: &str) -> String {
    one_line(text, LONGEST)
}

/// Harmless text, line by line: for messages that are meant to have several. Empty lines at the end are dropped, and at most
/// `most` lines are kept.
pub fn sanitize_lines(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = text.trim_end().split('\n').take(most.saturating_add(1)).map(sanitize).collect();
    if lines.len() > most {
        lines.truncate(most);
        lines.push("…".to_owned());
    }
    lines
}

/// The text in ASCII alone, for terminals that know no other: what has an equal is replaced by it, the rest by `?`.
pub fn to_ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => ascii.push(c),
            '…' => ascii.push_str("..."),
            '–' | '—' | '‑' | '−' | '·' => ascii.push('-'),
            '“' | '”' | '„' => ascii.push('"'),
            '‘' | '’' => ascii.push('\''),
            '×' => ascii.push('x'),
            'µ' | 'μ' => ascii.push('u'),
            '≥' => ascii.push_str(">="),
            '≤' => ascii.push_str("<="),
            '→' => ascii.push_str("->"),
            '\u{a0}' | '\u{2009}' | '\u{202f}' => ascii.push(' '),
            _ => ascii.push('?'),
        }
    }
    ascii
}

/// The text broken at spaces into lines of at most `width` columns. A word that is wider than that is broken where it must be.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = vec![String::new()];
    let mut column = 0;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let wide = measure_text_width(word);
        if column > 0 && column + 1 + wide > width {
            lines.push(String::new());
            column = 0;
        }
        if column > 0 {
            push(&mut lines, " ");
            column += 1;
        }
        if wide <= width {
            push(&mut lines, word);
            column += wide;
            continue;
        }
        for c in word.chars() {
            let mut buffer = [0; 4];
            let c = c.encode_utf8(&mut buffer);
            let wide = measure_text_width(c);
            if column + wide > width {
                lines.push(String::new());
                column = 0;
            }
            push(&mut lines, c);
            column += wide;
        }
    }
    lines
}

/// The items joined by commas and broken into lines between items, or within one only where it is wider than a line.
pub fn wrap_items(items: &[String], width: usize) -> Vec<String> {
    // Spaces within an item become ones that do not break, until the lines are made.
    let glued: Vec<String> = items.iter().map(|item| item.replace(' ', "\u{a0}")).collect();
    wrap(&glued.join(", "), width).iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

/// What stays the same of a message that is repeated with other numbers: "lag is 12 entries" and "lag is 9 entries" are alike.
///
/// Every word with a digit becomes `#`, a unit after it is dropped, and neighbours become one.
pub fn shape(text: &str) -> String {
    const UNITS: &[&str] = &[
        "ns", "us", "µs", "ms", "s", "m", "h", "d", "B", "KiB", "MiB", "GiB", "TiB", "KiB/s", "MiB/s", "GiB/s", "B/s", "%",
    ];
    let mut words: Vec<&str> = Vec::new();
    for word in text.split_whitespace().take(64) {
        let unit = UNITS.contains(&word.trim_end_matches([',', '.', ';', ':', ')']));
        if word.chars().any(|c| c.is_ascii_digit()) || (unit && words.last() == Some(&"#")) {
            if words.last() != Some(&"#") {
                words.push("#");
            }
        } else {
            words.push(word);
        }
    }
    words.join(" ")
}

/// The text padded with spaces to `width` columns, escape sequences not counted.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(measure_text_width(text))))
}

/// The text padded on the left.
pub fn pad_left(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(measure_text_width(text))))
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        for (given, shown) in [
            ("plain", "plain"),
            ("\u{1b}[2J\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("a\u{1b}]0;a new title\u{7}b", "ab"),
            ("a\u{1b}]52;c;c2VjcmV0\u{1b}\\b", "ab"),
            ("a\u{1b}]8;;https://example.org\u{1b}\\link\u{1b}]8;;\u{1b}\\b", "alinkb"),
            ("a\u{1b}]0;no end\nnext line", "a next line"),
            ("a\u{1b}P1;2|dcs\u{1b}\\b\u{1b}(Bc\u{1b}7d\u{1b}", "abcd"),
            ("a\u{9b}31mb\u{9d}0;title\u{9c}c", "abc"),
            ("one\r\ntwo\tthree\u{8}\u{0}\u{7f}", "one  two three"),
            ("safe\u{202e}txt.exe\u{200b}", "safetxt.exe"),
            ("\u{1b}[31\u{1b}[32mgreen", "green"),
            ("größer ✓ 表", "größer ✓ 表"),
        ] {
            assert_eq!(sanitize(given), shown, "{given:?}");
        }
    }

    #[test]
    fn what_is_very_long_is_cut() {
        assert_eq!(sanitize(&"x".repeat(2_000)).chars().count(), 2_000);
        assert_eq!(sanitize(&"x".repeat(1_000_000)).chars().count(), 2_001);
        assert_eq!(sanitize_lines("a\nb\n\u{1b}[1mc\n\n", 5), ["a", "b", "c"]);
        assert_eq!(sanitize_lines("a\nb\nc", 2), ["a", "b", "…"]);
    }

    #[test]
    fn alike_is_what_differs_in_numbers_only() {
        assert_eq!(shape("lag is 123, must be below 10"), shape("lag is 4, must be below 10"));
        assert_eq!(shape("stable for 350 ms of 2 s"), shape("stable for 1.2 s of 2 s"));
        assert_eq!(shape("held for 2 m 05 s"), shape("held for 59 s"));
        assert_ne!(shape("the leader changed"), shape("lag is 3"));
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_break_anywhere() {
        assert_eq!(wrap("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("abcdefghijkl mn", 8), ["abcdefgh", "ijkl mn"]);
        assert_eq!(wrap("", 20), [""]);
        assert_eq!(wrap_items(&["a b".to_owned(), "c d".to_owned(), "e f".to_owned()], 9), ["a b, c d,", "e f"]);
        assert_eq!(wrap("表表表表表", 8), ["表表表表", "表"]);
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_is_left(text in "(\\PC|[\\x00-\\x1f\\x7f-\\x9f\\[\\];mP\\\\]){0,40}") {
            let clean = sanitize(&text);
            prop_assert!(!clean.chars().any(char::is_control), "{clean:?}");
            prop_assert_eq!(sanitize(&clean), clean.clone());
            prop_assert!(to_ascii(&clean).is_ascii());
        }

        #[test]
        fn wrapped_lines_fit(text in "[a-z表 ]{0,80}", width in 8usize..40) {
            for line in wrap(&text, width) {
                prop_assert!(measure_text_width(&line) <= width);
            }
        }
    }
}
