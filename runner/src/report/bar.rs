//! The progress bar of a sync, as text.

use super::phrases;
use super::printer::Style;
use super::text::wrap_items;
use crate::event::Progress;

/// A bar and the figures, on one line where they fit, else below.
pub(super) fn sync_lines(progress: &Progress, room: usize, style: Style) -> Vec<String> {
    const WIDE: usize = 24;
    const NARROW: usize = 12;
    let items = phrases::figures(progress, style);
    let figures = items.join("  ");
    let fraction = phrases::fraction(progress);
    let percent = format!("{:>3.0} %", (fraction * 100.0).floor());
    let left = room.saturating_sub(percent.len() + figures.chars().count() + 4);
    if left >= NARROW {
        return vec![format!("{}  {percent}  {figures}", bar(fraction, left.min(WIDE), style))];
    }
    let mut lines =
        vec![format!("{}  {percent}", bar(fraction, room.saturating_sub(percent.len() + 2).min(2 * WIDE), style))];
    lines.extend(wrap_items(&items, room));
    lines
}

/// A bar of `width` columns.
fn bar(fraction: f64, width: usize, style: Style) -> String {
    let full = ((fraction * width as f64).floor() as usize).min(width);
    if style.unicode {
        let half = usize::from(full < width && fraction * width as f64 - full as f64 >= 0.5);
        let done = "━".repeat(full) + &"╸".repeat(half);
        format!("{}{}", style.green(&done), style.dim(&"─".repeat(width - full - half)))
    } else {
        let inner = width.saturating_sub(2);
        let full = full.min(inner);
        format!("[{}{}]", "=".repeat(full), " ".repeat(inner - full))
    }
}
