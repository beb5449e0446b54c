//! Text that others wrote (guests, etcd, members' names), made fit for a terminal and a log: nobody must be able to move the
//! cursor, hide text or fake a line of ours.

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// One line of harmless text: escape sequences and control characters are gone, line breaks and tabs are spaces, and what is
/// very long is cut.
///
/// Also removes what reorders or hides text on screen (bidirectional overrides, zero-width characters). Does not judge
/// look-alike letters.
pub fn one_line(text: &str, most: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(most));
    let mut chars = text.chars().peekable();
    let mut taken = 0;
    while let Some(c) = chars.next() {
        let kept = match c {
            '\u{1b}' => {
                skip_escape(&mut chars);
                continue;
            }
            '\u{9b}' => {
                skip_control_sequence(&mut chars);
                continue;
            }
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => {
                skip_string(&mut chars);
                continue;
            }
            '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() || invisible(c) => continue,
            c => c,
        };
        if taken == most {
            clean.truncate(clean.trim_end().len());
            clean.push('…');
            return clean;
        }
        clean.push(kept);
        taken += 1;
    }
    clean.truncate(clean.trim_end().len());
    clean
}

/// What follows an escape character (ECMA-48, 5.3 and 5.4).
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.peek().copied() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        Some(' '..='/') => {
            while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
            chars.next_if(|c| ('0'..='~').contains(c));
        }
        Some('0'..='~') => {
            chars.next();
        }
        _ => {}
    }
}

/// Parameters and intermediates up to the final byte. Anything that cannot be part of one ends it and is looked at again.
fn skip_control_sequence(chars: &mut Chars<'_>) {
    while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
    chars.next_if(|c| ('@'..='~').contains(c));
}

/// A command string (title, clipboard, …): to its terminator, or to the end of the line where it has none.
fn skip_string(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next_if(|c| *c != '\n' && *c != '\u{1b}') {
        if c == '\u{7}' || c == '\u{9c}' {
            return;
        }
    }
    // The terminator is ESC \; another sequence that begins here is left for the caller.
    let mut ahead = chars.clone();
    if ahead.next() == Some('\u{1b}') && ahead.next() == Some('\\') {
        chars.next();
        chars.next();
    }
}

/// Characters without a width of their own that hide or reorder others (Unicode's bidirectional controls, zero-width and tag
/// characters).
fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
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
}
