//! Sizes that many changes of one pattern have: they are a pattern of their own, and so are the others.

use super::Observed;
use serde::Serialize;

/// Changes whose sizes differ by less than this share are of one size.
const ONE_SIZE: f64 = 0.02;
/// Of the changes of a pattern so many must be of one size, and not more: what nearly all have tells nothing apart.
const SHARE: std::ops::RangeInclusive<f64> = 0.3..=0.95;
/// Fewer are chance.
const FEWEST: usize = 5;

/// From one size to another, by the amount of relative deltas or of deltas.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Window {
    pub is_relative: bool,
    pub least: f64,
    pub most: f64,
}

impl Window {
    fn size(is_relative: bool, relative: Option<f64>, delta: Option<f64>) -> Option<f64> {
        let size = if is_relative { relative } else { delta };
        size.map(f64::abs).filter(|size| size.is_finite())
    }

    fn holds(&self, relative: Option<f64>, delta: Option<f64>) -> bool {
        Window::size(self.is_relative, relative, delta).is_some_and(|size| (self.least..=self.most).contains(&size))
    }

    /// The one in which most of the changes lie, if it parts them.
    pub(super) fn of(lines: &[&Observed]) -> Option<Window> {
        let (share, window) = Window::most_frequent(lines)?;
        let count = lines.iter().filter(|line| window.holds(line.relative, line.delta)).count();
        (SHARE.contains(&share) && count >= FEWEST && lines.len() - count >= FEWEST).then_some(window)
    }

    /// The one in which most of the changes lie, with the share of them.
    pub(super) fn most_frequent(lines: &[&Observed]) -> Option<(f64, Window)> {
        let windows = [true, false].into_iter().filter_map(|is_relative| densest(lines, is_relative));
        let (count, window) = windows.max_by_key(|(count, _)| *count)?;
        Some((count as f64 / lines.len() as f64, window))
    }

    /// Of the changes, how many lie in it.
    pub(super) fn share(&self, lines: &[&Observed]) -> f64 {
        let held = lines.iter().filter(|line| self.holds(line.relative, line.delta)).count();
        held as f64 / lines.len().max(1) as f64
    }
}

/// The window of one size with the most changes, the first of several.
fn densest(lines: &[&Observed], is_relative: bool) -> Option<(usize, Window)> {
    let size = |line: &&Observed| Window::size(is_relative, line.relative, line.delta);
    let mut sizes: Vec<f64> = lines.iter().filter_map(size).filter(|size| *size > 0.0).collect();
    sizes.sort_by(f64::total_cmp);
    let (mut from, mut best) = (0, None);
    for to in 0..sizes.len() {
        while sizes[to] > sizes[from] * (1.0 + ONE_SIZE) {
            from += 1;
        }
        let count = to + 1 - from;
        if best.is_none_or(|(most, _, _)| count > most) {
            best = Some((count, from, to));
        }
    }
    best.map(|(count, from, to)| {
        let (least, most) = (sizes[from], sizes[to]);
        (count, Window { is_relative, least, most })
    })
}

/// Which changes of a pattern are meant: of one size, and of none of others.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Sizes {
    pub within: Option<Window>,
    pub outside: Vec<Window>,
}

impl Sizes {
    pub fn hold(&self, relative: Option<f64>, delta: Option<f64>) -> bool {
        self.within.is_none_or(|window| window.holds(relative, delta)) && !self.outside.iter().any(|window| window.holds(relative, delta))
    }

    /// Whether all sizes are meant.
    pub fn are_all(&self) -> bool {
        self.within.is_none() && self.outside.is_empty()
    }
}
