//! What a worker says, as it may be kept and shown: not too long, and without characters that move a terminal.

use shadowdiff_core::error::Error;
use shadowdiff_core::shorten::shortened;

/// The longest name of a worker, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 200;
/// The longest error of an attempt, in bytes.
const MAX_ATTEMPT_ERROR_BYTES: usize = 4_000;

/// The text in about this many bytes; line ends stay, other control characters go.
pub(super) fn readable(text: &str, most_bytes: usize) -> String {
    shortened(&plain(text), most_bytes)
}

/// The error of an attempt in about `MAX_ATTEMPT_ERROR_BYTES`.
pub(super) fn readable_error(error: Error) -> Error {
    error.map_texts(&plain).shortened(MAX_ATTEMPT_ERROR_BYTES)
}

fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_and_moves_no_terminal() {
        assert_eq!(readable("a\u{1b}[31mb\nc", 100), "a [31mb\nc");
        assert_eq!(readable("äöü", 6), "äöü");
        assert_eq!(readable("äöü", 4), "äö … (2 more bytes)");
        let error = Error::input("a\u{1b}b")
            .file("\u{7}c")
            .advice("d\u{1b}")
            .and(Error::input("e\u{8}"));
        assert_eq!(readable_error(error).to_string(), " c: a b; d \ne ");
        let long = Error::input("a").file("c".repeat(5_000)).shortened(MAX_ATTEMPT_ERROR_BYTES);
        assert!(long.to_string().len() < MAX_ATTEMPT_ERROR_BYTES + 100);
    }
}
