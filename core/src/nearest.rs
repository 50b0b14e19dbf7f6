//! The nearest known name to a misspelt word.

use strsim::osa_distance;

/// Words longer than this are no misspelling of a name of ours, and are not worth the quadratic search.
const MAX_WORD: usize = 64;

/// The known name that a person most likely meant by `word`, if one is near enough: a third of its letters may be wrong.
///
/// Case and `-` against `_` do not count. Of two equally near names the first one wins.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word);
    let letters = word.chars().count();
    if letters > MAX_WORD {
        return None;
    }
    known
        .into_iter()
        .filter_map(|name| {
            let (folded_name, name_letters) = (folded(name), name.chars().count());
            let allowed = (letters.max(name_letters) / 3).max(1);
            let edits = osa_distance(&word, &folded_name);
            (edits <= allowed && edits < name_letters).then_some((edits, name))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// What to say of a name that is not known, if a known one is near enough.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{near}`?"))
}

fn folded(word: &str) -> String {
    word.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names() {
        const KNOWN: [&str; 7] = ["max_exceptions", "max_exception_accounts", "min", "max", "relative", "live", "text"];
        for (word, meant) in [
            ("max_exeptions", Some("max_exceptions")),
            ("maxExceptions", Some("max_exceptions")),
            ("max-exceptions", Some("max_exceptions")),
            ("realtive", Some("relative")),
            ("Live", Some("live")),
            ("mx", Some("max")),
            ("txet", Some("text")),
            ("unlike", None),
            ("", None),
            ("relative", Some("relative")),
            (&"x".repeat(10_000), None),
        ] {
            assert_eq!(nearest(word, KNOWN), meant, "{word}");
        }
    }
}
