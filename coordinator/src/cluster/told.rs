//! What a worker says, as it may be kept and shown: not too long, and without characters that move a terminal.

/// The longest name of a worker, in characters.
pub(super) const MAX_NAME_CHARS: usize = 200;
/// The longest error of an attempt, in characters.
pub(super) const MAX_ERROR_CHARS: usize = 4_000;

/// The text in no more characters than this; line ends stay, other control characters go.
pub(super) fn readable(text: &str, max_chars: usize) -> String {
    let plain = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    let mut kept: String = text.chars().take(max_chars).map(plain).collect();
    if text.chars().nth(max_chars).is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_and_moves_no_terminal() {
        assert_eq!(readable("a\u{1b}[31mb\nc", 100), "a [31mb\nc");
        assert_eq!(readable("äöü", 3), "äöü");
        assert_eq!(readable("äöü", 2), "äö…");
    }
}
