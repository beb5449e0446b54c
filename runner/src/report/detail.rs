//! One thing said during a step, and the sign before it, as text.

use super::printer::Style;
use super::text::wrap;

/// Something said during a step: shown below it. All text in it is clean.
pub(super) struct Detail {
    pub(super) mark: Mark,
    pub(super) text: String,
    pub(super) more: Vec<String>,
    /// Who said it and how it is worded, where saying it again replaces it.
    pub(super) repeats: Option<(String, String)>,
    /// The plugin whose own words these are.
    pub(super) speaker: Option<String>,
    pub(super) times: u64,
    pub(super) touched: u64,
}

/// How a line begins.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Mark {
    Note,
    Good,
    Warning,
    Bad,
    Undo,
}

impl Detail {
    pub(super) fn new(mark: Mark, text: String) -> Self {
        Self { mark, text, more: Vec::new(), repeats: None, speaker: None, times: 1, touched: 0 }
    }

    pub(super) fn lines(&self, style: Style, width: usize) -> Vec<String> {
        let mark = self.mark.dressed(style);
        let indent = 3 + self.mark.sign(style).chars().count();
        let room = width.saturating_sub(indent);
        let text = match self.times {
            1 => self.text.clone(),
            times => format!("{} ({}{times})", self.text, style.sign("×", "x")),
        };
        let mut lines = Vec::new();
        for (i, line) in wrap(&text, room).into_iter().enumerate() {
            let line = match self.mark {
                Mark::Bad => style.red(&line),
                Mark::Warning => style.yellow(&line),
                _ => line,
            };
            lines.push(if i == 0 { format!("  {mark} {line}") } else { format!("{}{line}", " ".repeat(indent)) });
        }
        for more in &self.more {
            lines.extend(wrap(more, room).iter().map(|line| format!("{}{line}", " ".repeat(indent))));
        }
        lines
    }
}

impl Mark {
    /// One column in Unicode, two in ASCII.
    pub(super) fn sign(self, style: Style) -> &'static str {
        match self {
            Self::Note => style.sign("·", "- "),
            Self::Good => style.sign("✓", "ok"),
            Self::Warning => style.sign("!", "! "),
            Self::Bad => style.sign("✗", "!!"),
            Self::Undo => style.sign("↩", "<-"),
        }
    }

    pub(super) fn dressed(self, style: Style) -> String {
        let sign = self.sign(style);
        match self {
            Self::Note => style.dim(sign),
            Self::Good => style.green(sign),
            Self::Warning | Self::Undo => style.yellow(sign),
            Self::Bad => style.red(sign),
        }
    }
}
