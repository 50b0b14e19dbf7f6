//! Matches paths against globs: `*`, `?`, `[a-z]`, `[!a]`, `{x,y}` within a name, `**` for any number of directories.

/// Alternatives of a pattern after its braces are written out; more than this is a mistake.
const MAX_ALTERNATIVES: usize = 1024;

/// A glob below its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    /// One list of path segments an alternative.
    alternatives: Vec<Vec<Vec<char>>>,
}

/// Root and pattern of a text with wildcards: `s3://b/x` and `d=*/a.csv` of `s3://b/x/d=*/a.csv`. `None`: no wildcard.
pub(super) fn split_root(text: &str) -> Option<(&str, &str)> {
    let after_scheme = text.find("://").map_or(0, |at| at + 3);
    let wildcard = after_scheme + text[after_scheme..].find(['*', '?', '[', '{'])?;
    match text[..wildcard].rfind('/') {
        None => Some(("", text)),
        Some(0) => Some(("/", &text[1..])),
        // No key but a wildcard in the bucket's name: the root then has none, and is refused as a place.
        Some(slash) => Some((&text[..slash], &text[slash + 1..])),
    }
}

impl Glob {
    pub(super) fn parse(pattern: &str) -> Result<Glob, String> {
        let mut alternatives = Vec::new();
        for alternative in expand(pattern)? {
            let segments = alternative.split('/').filter(|segment| !segment.is_empty() && *segment != ".");
            alternatives.push(segments.map(|segment| segment.chars().collect()).collect());
        }
        Ok(Glob { alternatives })
    }

    /// Whether the glob takes a file: by its path, or by a directory above it.
    pub(super) fn takes(&self, path: &[&str]) -> bool {
        (1..=path.len()).any(|n| self.alternatives.iter().any(|segments| matches(segments, &path[..n])))
    }

    /// Whether something below this directory may be taken.
    pub(super) fn may_take_below(&self, directory: &[&str]) -> bool {
        self.takes(directory) || self.alternatives.iter().any(|segments| may_match_below(segments, directory))
    }

    /// Whether a hidden name at this depth is asked for by a segment that begins like it.
    pub(super) fn names_hidden(&self, depth: usize, name: &str) -> bool {
        let first = name.chars().next();
        self.alternatives
            .iter()
            .any(|segments| segments.get(depth).is_some_and(|segment| segment.first().copied() == first))
    }
}

/// All texts that the braces of a pattern stand for.
fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_string()];
    while let Some(next) = open.pop() {
        if done.len() + open.len() > MAX_ALTERNATIVES {
            return Err(format!("the braces stand for more than {MAX_ALTERNATIVES} names"));
        }
        match next.find('{') {
            None => done.push(next),
            Some(start) => {
                let (parts, end) = brace_parts(&next, start).ok_or("a '{' has no '}'")?;
                open.extend(parts.iter().map(|part| format!("{}{part}{}", &next[..start], &next[end..])));
            }
        }
    }
    Ok(done)
}

/// The comma-separated parts of the brace at `start`, and where the text goes on.
fn brace_parts(text: &str, start: usize) -> Option<(Vec<&str>, usize)> {
    let (mut depth, mut from, mut parts) = (0usize, start + 1, Vec::new());
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < start) {
        match c {
            '{' => depth += 1,
            ',' if depth == 1 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            '}' if depth == 1 => {
                parts.push(&text[from..at]);
                return Some((parts, at + 1));
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn is_any_depth(segment: &[char]) -> bool {
    segment == ['*', '*']
}

fn matches(segments: &[Vec<char>], path: &[&str]) -> bool {
    match segments.split_first() {
        None => path.is_empty(),
        Some((first, rest)) if is_any_depth(first) => (0..=path.len()).any(|n| matches(rest, &path[n..])),
        Some((first, rest)) => path
            .split_first()
            .is_some_and(|(name, below)| fits(first, name) && matches(rest, below)),
    }
}

fn may_match_below(segments: &[Vec<char>], directory: &[&str]) -> bool {
    match (segments.split_first(), directory.split_first()) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some((first, _)), Some(_)) if is_any_depth(first) => true,
        (Some((first, rest)), Some((name, below))) => fits(first, name) && may_match_below(rest, below),
    }
}

/// Whether a name fits one segment; stars are tried with one step back.
fn fits(segment: &[char], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut s, mut n, mut back) = (0, 0, None);
    while n < name.len() {
        if segment.get(s) == Some(&'*') {
            back = Some((s + 1, n));
            s += 1;
        } else if let Some(length) = fits_one(&segment[s..], name[n]) {
            s += length;
            n += 1;
        } else if let Some((after_star, from)) = back {
            back = Some((after_star, from + 1));
            s = after_star;
            n = from + 1;
        } else {
            return false;
        }
    }
    segment[s..].iter().all(|c| *c == '*')
}

/// How many characters of the segment stand for `c`, if its first item does.
fn fits_one(segment: &[char], c: char) -> Option<usize> {
    match segment.first()? {
        '?' => Some(1),
        '[' => match class_end(segment) {
            Some(end) => in_class(&segment[1..end], c).then_some(end + 1),
            None => (c == '[').then_some(1),
        },
        same => (*same == c).then_some(1),
    }
}

/// Where the `]` of a class is; one that comes first belongs to the class.
fn class_end(segment: &[char]) -> Option<usize> {
    let first = if segment.get(1) == Some(&'!') { 3 } else { 2 };
    (first..segment.len()).find(|at| segment[*at] == ']')
}

fn in_class(class: &[char], c: char) -> bool {
    let (negated, mut class) = match class.split_first() {
        Some(('!', rest)) => (true, rest),
        Some(_) | None => (false, class),
    };
    let mut found = false;
    while let Some((from, rest)) = class.split_first() {
        if let ['-', to, after @ ..] = rest {
            found |= (*from..=*to).contains(&c);
            class = after;
        } else {
            found |= *from == c;
            class = rest;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let cases = [
            ("part-*.csv", "part-0.csv", true),
            ("part-*.csv", "old.csv", false),
            ("part-*.csv", "a/part-0.csv", false),
            ("**/*.csv", "part-0.csv", true),
            ("**/*.csv", "a/b/part-0.csv", true),
            ("d=2026-*", "d=2026-01/x/part-0.csv", true),
            ("{a,b{c,d}}.csv", "bd.csv", true),
            ("{a,b{c,d}}.csv", "b.csv", false),
            ("[a-c]?[!0-9].csv", "bxx.csv", true),
            ("[a-c]?[!0-9].csv", "bx1.csv", false),
            ("[]x].csv", "].csv", true),
            ("*a*b*", "xxaxxbxx", true),
            ("ü?", "üß", true),
        ];
        for (pattern, path, expected) in cases {
            let path: Vec<&str> = path.split('/').collect();
            assert_eq!(Glob::parse(pattern).expect(pattern).takes(&path), expected, "{pattern} {path:?}");
        }
    }

    #[test]
    fn roots() {
        assert_eq!(split_root("shadow/part-*.csv"), Some(("shadow", "part-*.csv")));
        assert_eq!(split_root("*.csv"), Some(("", "*.csv")));
        assert_eq!(split_root("/*.csv"), Some(("/", "*.csv")));
        assert_eq!(split_root("s3://b/x/d=*/a.csv"), Some(("s3://b/x", "d=*/a.csv")));
        assert_eq!(split_root("s3://b/*.csv"), Some(("s3://b", "*.csv")));
        assert_eq!(split_root("a/b c#.csv"), None);
    }

    #[test]
    fn directories_that_cannot_match_are_not_entered() {
        let glob = Glob::parse("d=*/x/*.csv").expect("parses");
        assert!(glob.may_take_below(&["d=1"]) && glob.may_take_below(&["d=1", "x"]));
        assert!(!glob.may_take_below(&["e=1"]) && !glob.may_take_below(&["d=1", "y"]));
        assert!(Glob::parse("{a").is_err());
    }
}
