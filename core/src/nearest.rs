//! The nearest known name to a misspelt word.

/// Words longer than this are no misspelling of a name of ours, and are not worth the quadratic search.
const MAX_WORD: usize = 64;

/// The known name that a person most likely meant by `word`, if one is near enough: a third of its letters may be wrong.
///
/// Case and `-` against `_` do not count. Of two equally near names the first one wins.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word);
    if word.len() > MAX_WORD {
        return None;
    }
    known
        .into_iter()
        .filter_map(|name| {
            let folded_name = folded(name);
            let allowed = (word.len().max(folded_name.len()) / 3).max(1);
            let edits = edits(&word, &folded_name);
            (edits <= allowed && edits < folded_name.len()).then_some((edits, name))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// What to say of a name that is not known, if a known one is near enough.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{near}`?"))
}

fn folded(word: &str) -> Vec<char> {
    word.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`, no letter edited twice.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
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
