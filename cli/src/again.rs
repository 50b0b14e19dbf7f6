//! The command line that was given, with flags added, as a shell takes it.

/// The command of this process with `flags` behind it.
pub(crate) fn again(flags: &[String]) -> String {
    let given = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    written(given.chain(flags.iter().cloned()))
}

fn written(words: impl Iterator<Item = String>) -> String {
    words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
}

/// As it is where no shell reads anything into it, else in single quotes.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, expected) in [
            ("live.csv", "live.csv"),
            ("delimiter=;", "'delimiter=;'"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("*_amount=5%", "'*_amount=5%'"),
            ("", "''"),
            ("größe", "größe"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
