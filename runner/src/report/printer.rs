//! Which stream gets what, in which dress: the one place that knows of colour, width and alphabet.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use console::Term;

use super::text::{sanitize, to_ascii};

/// The user's word on colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// Colour on a terminal, unless the environment says otherwise.
    #[default]
    Auto,
    /// Colour everywhere.
    Always,
    /// No colour anywhere.
    Never,
}

/// How text is dressed for one stream. Everything that it does can be missing without loss of meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Colours and weights may be used.
    pub color: bool,
    /// Characters beyond ASCII may be used.
    pub unicode: bool,
}

/// One output stream.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Whether a person looks at it.
    pub terminal: bool,
    /// How text is dressed for it.
    pub style: Style,
    /// Its width in columns, where it has one.
    pub width: Option<usize>,
}

/// The two streams of the process: data goes to stdout, talk to stderr.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    /// For data: tables, documents, event lines.
    pub stdout: Stream,
    /// For talk: progress, errors, hints.
    pub stderr: Stream,
}

impl Style {
    /// Neither colour nor anything beyond ASCII.
    pub const PLAIN: Self = Self { color: false, unicode: false };

    /// For names and headings.
    pub fn bold(self, text: &str) -> String {
        self.dress(text, console::Style::new().bold())
    }

    /// For what matters less.
    pub fn dim(self, text: &str) -> String {
        self.dress(text, console::Style::new().dim())
    }

    /// For failures.
    pub fn red(self, text: &str) -> String {
        self.dress(text, console::Style::new().red())
    }

    /// For success.
    pub fn green(self, text: &str) -> String {
        self.dress(text, console::Style::new().green())
    }

    /// For warnings and waiting.
    pub fn yellow(self, text: &str) -> String {
        self.dress(text, console::Style::new().yellow())
    }

    /// For what is under way and for hints.
    pub fn cyan(self, text: &str) -> String {
        self.dress(text, console::Style::new().cyan())
    }

    /// For what must not be overlooked.
    pub fn alarm(self, text: &str) -> String {
        self.dress(text, console::Style::new().red().bold())
    }

    /// Text that others wrote, on one line, without anything that a terminal obeys, in this stream's alphabet.
    pub fn clean(self, text: &str) -> String {
        self.letters(&sanitize(text))
    }

    /// Our own text in this stream's alphabet.
    pub fn letters(self, text: &str) -> String {
        if self.unicode || text.is_ascii() { text.to_owned() } else { to_ascii(text) }
    }

    /// One of two spellings of a sign.
    pub fn sign(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }

    /// A count with thin separators (commas in ASCII).
    pub fn count(self, count: u64) -> String {
        // Narrow no-break space: the thin space that no terminal breaks a line at.
        super::human::count(count, self.sign("\u{202f}", ","))
    }

    fn dress(self, text: &str, style: console::Style) -> String {
        if self.color && !text.is_empty() { style.force_styling(true).apply_to(text).to_string() } else { text.to_owned() }
    }
}

impl Printer {
    /// Looks at the process's streams and environment: `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR`, `TERM`, `COLUMNS` is not
    /// read, the locale decides the alphabet.
    pub fn detect(choice: ColorChoice) -> Self {
        let get = |name: &str| env::var_os(name);
        let unicode = unicode(&get);
        let stream = |terminal: bool, term: &Term| Stream {
            terminal,
            style: Style { color: color(choice, &get, terminal), unicode },
            width: if terminal { term.size_checked().map(|(_, columns)| columns.into()) } else { None },
        };
        Self {
            stdout: stream(io::stdout().is_terminal(), &Term::stdout()),
            stderr: stream(io::stderr().is_terminal() && !dumb(&get), &Term::stderr()),
        }
    }

    /// Writes data to stdout, ended by a line break. A reader that went away is not an error: it has seen enough.
    pub fn data(&self, text: &str) -> io::Result<()> {
        line(&mut io::stdout().lock(), text)
    }

    /// Says something on stderr, ended by a line break. Nothing can be done where that fails.
    pub fn say(&self, text: &str) {
        let _ = line(&mut io::stderr().lock(), text);
    }

    /// Says on stderr what went wrong and what to do about it, whatever the output format is.
    pub fn print_error(&self, message: &str, hints: &[String]) {
        self.say(&error(message, hints, self.stderr.style));
    }

    /// Says a warning on stderr.
    pub fn print_warning(&self, message: &str) {
        let style = self.stderr.style;
        self.say(&format!("{} {}", style.yellow("warning:"), style.clean(message)));
    }
}

/// `error: …` with a `hint: …` line for each hint, without a line break at the end.
pub fn error(message: &str, hints: &[String], style: Style) -> String {
    let mut text = format!("{} {}", style.alarm("error:"), style.clean(message));
    for hint in hints {
        text.push('\n');
        text.push_str(&self::hint(hint, style));
    }
    text
}

/// One `hint: …` line, without a line break at the end.
pub fn hint(hint: &str, style: Style) -> String {
    format!("{} {}", style.cyan("hint:"), style.clean(hint))
}

/// Writes a line; a closed pipe counts as success.
fn line(stream: &mut impl Write, text: &str) -> io::Result<()> {
    let result = stream.write_all(text.as_bytes()).and_then(|()| stream.write_all(b"\n")).and_then(|()| stream.flush());
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// The flag decides; then `NO_COLOR` (no-color.org), then `CLICOLOR_FORCE` and `CLICOLOR` (bixense.com/clicolors), then whether
/// it is a terminal that can.
fn color(choice: ColorChoice, get: &dyn Fn(&str) -> Option<OsString>, terminal: bool) -> bool {
    let set = |name: &str| get(name).is_some_and(|value| !value.is_empty());
    let zero = |name: &str| get(name).is_some_and(|value| value == "0");
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE") && !zero("CLICOLOR_FORCE") => true,
        ColorChoice::Auto => terminal && !zero("CLICOLOR") && !dumb(get),
    }
}

/// A terminal that knows no cursor movement.
fn dumb(get: &dyn Fn(&str) -> Option<OsString>) -> bool {
    get("TERM").is_some_and(|term| term == "dumb")
}

/// Whether the locale is UTF-8, by POSIX's order of variables. The Linux console claims it and lacks the characters.
fn unicode(get: &dyn Fn(&str) -> Option<OsString>) -> bool {
    if get("TERM").is_some_and(|term| term == "linux") {
        return false;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| get(name).filter(|value| !value.is_empty()));
    let name = locale.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.contains("utf-8") || name.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
    }

    #[test]
    fn the_flag_beats_the_environment_and_no_color_beats_force() {
        let auto = |pairs: &[(&str, &str)], terminal| color(ColorChoice::Auto, &env(pairs), terminal);
        assert!(auto(&[], true));
        assert!(!auto(&[], false));
        assert!(!auto(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true));
        assert!(auto(&[("NO_COLOR", "")], true), "an empty NO_COLOR does not count");
        assert!(auto(&[("CLICOLOR_FORCE", "1")], false));
        assert!(!auto(&[("CLICOLOR_FORCE", "0")], false));
        assert!(!auto(&[("CLICOLOR", "0")], true));
        assert!(!auto(&[("TERM", "dumb")], true));
        assert!(color(ColorChoice::Always, &env(&[("NO_COLOR", "1")]), false));
        assert!(!color(ColorChoice::Never, &env(&[("CLICOLOR_FORCE", "1")]), true));
    }

    #[test]
    fn the_locale_decides_the_alphabet() {
        assert!(unicode(&env(&[("LANG", "de_DE.UTF-8")])));
        assert!(unicode(&env(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")])));
        assert!(!unicode(&env(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")])));
        assert!(!unicode(&env(&[])));
        assert!(!unicode(&env(&[("LANG", "en_US.UTF-8"), ("TERM", "linux")])));
    }

    #[test]
    fn an_error_and_its_hints() {
        let hints = ["give the CA with --cacert".to_owned(), "or use --insecure".to_owned()];
        let plain = error("cannot reach \u{1b}[31mthe cluster…", &hints, Style::PLAIN);
        insta::assert_snapshot!(plain, @r"
        error: cannot reach the cluster...
        hint: give the CA with --cacert
        hint: or use --insecure
        ");
        let colored = error("no", &[], Style { color: true, unicode: true });
        assert_eq!(colored, "\u{1b}[31m\u{1b}[1merror:\u{1b}[0m no");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(line(&mut Closed, "data").is_ok());
    }
}
