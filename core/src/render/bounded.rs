//! A text that keeps within a limit, whatever is put into it: a piece that does not fit is left out whole, so that nothing is cut within
//! a tag or an escape.

use super::grouped;

#[derive(Debug)]
pub(super) struct Bounded {
    text: String,
    most_bytes: usize,
}

impl Bounded {
    pub(super) fn new(most_bytes: usize) -> Self {
        Bounded {
            text: String::new(),
            most_bytes,
        }
    }

    /// Appends the piece if it fits.
    pub(super) fn add(&mut self, piece: &str) -> bool {
        let fits = self.text.len() + piece.len() <= self.most_bytes;
        if fits {
            self.text.push_str(piece);
        }
        fits
    }

    /// Appends the pieces in turn up to the first that does not fit; gives how many were appended.
    pub(super) fn add_all(&mut self, pieces: impl IntoIterator<Item = String>) -> usize {
        pieces.into_iter().take_while(|piece| self.add(piece)).count()
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// Those of the pieces that fit; and that there are more, `around` which stands what the markup asks for.
pub(super) fn listed(most_bytes: usize, pieces: impl IntoIterator<Item = String>, all: usize, around: [&str; 2]) -> [String; 2] {
    let mut out = Bounded::new(most_bytes);
    let shown = out.add_all(pieces);
    [out.into_text(), more(all, shown, around)]
}

/// `… and 3 more`; nothing where all are shown.
pub(super) fn more(all: usize, shown: usize, [before, after]: [&str; 2]) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        left => format!("{before}… and {} more{after}", grouped(left as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let mut bounded = Bounded::new(5);
        assert!(bounded.add("abc"));
        assert!(!bounded.add("def"));
        assert_eq!(bounded.add_all(["d", "e", "f", "g"].map(String::from)), 2);
        assert_eq!(bounded.into_text(), "abcde");
    }
}
