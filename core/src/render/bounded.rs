//! A text that keeps within a limit, whatever is put into it: a piece that does not fit is left out whole, so that nothing is cut within
//! a tag or an escape.

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
