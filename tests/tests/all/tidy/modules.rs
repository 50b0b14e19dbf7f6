//! Modules that lie side by side use each other in one direction: a circle of them can only be read, tested and changed as a whole.

use super::{Source, report, sources};
use std::collections::{BTreeMap, BTreeSet};

/// The uses among modules of one folder: who uses whom.
type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let mut folders: BTreeMap<String, Uses> = BTreeMap::new();
    for source in &sources("rs") {
        let Some(module) = module_path(&source.path) else { continue };
        for used in references(source, &module) {
            let common = module.iter().zip(&used).take_while(|(a, b)| a == b).count();
            if let (Some(user), Some(used)) = (module.get(common), used.get(common)) {
                let uses = folders.entry(module[..common].join("::")).or_default();
                uses.entry(user.clone()).or_default().insert(used.clone());
            }
        }
    }
    let circles = folders.iter().filter_map(|(folder, uses)| {
        let circle = circle(uses)?;
        Some(format!("modules of {folder} use each other in a circle: {}", circle.join(" -> ")))
    });
    report(circles.collect());
}

/// The crate, then the modules down to that of the file; `None` for what is not a module of a crate's library.
fn module_path(path: &str) -> Option<Vec<String>> {
    let (name, rest) = path.split_once("/src/")?;
    let mut module: Vec<String> = vec![name.to_owned()];
    module.extend(rest.strip_suffix(".rs")?.split('/').map(str::to_owned));
    if matches!(module.last().map(String::as_str), Some("lib" | "main")) {
        module.pop();
    }
    Some(module)
}

/// What the product part of a file names by `crate::` or `super::`, as paths from the crate on.
fn references(source: &Source, module: &[String]) -> Vec<Vec<String>> {
    let text: String = source.product_lines().flat_map(|(_, line)| [line, "\n"]).collect();
    let mut found = Vec::new();
    for (at, _) in text.match_indices("::") {
        let first = text[..at]
            .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default();
        let is_inner = text[..at - first.len()].ends_with("::");
        let (base, mut rest) = match first {
            "crate" => (1, &text[at + 2..]),
            "super" if !is_inner => (module.len() - 1, &text[at + 2..]),
            _ => continue,
        };
        let mut depth = base;
        while let Some(further) = rest.strip_prefix("super::") {
            (depth, rest) = (depth.saturating_sub(1), further);
        }
        let paths = heads(rest).into_iter();
        found.extend(paths.map(|path| module[..depth.max(1)].iter().cloned().chain(path).collect()));
    }
    found
}

/// The paths that stand here: one, or those of a group in braces.
fn heads(text: &str) -> Vec<Vec<String>> {
    if let Some(group) = text.strip_prefix('{') {
        return parts(group).into_iter().flat_map(heads).collect();
    }
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    match text[word.len()..].strip_prefix("::") {
        Some(rest) if !word.is_empty() => {
            let inner = heads(rest).into_iter();
            inner.map(|path| [word.clone()].into_iter().chain(path).collect()).collect()
        }
        _ => vec![vec![word]],
    }
}

/// The parts of a group in braces, up to its closing brace.
fn parts(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.push(group[from..at].trim());
                from = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

/// A circle, if there is one, its first module again at its end.
fn circle(uses: &Uses) -> Option<Vec<String>> {
    // What is used by nobody that is left, or uses nobody that is left, is in no circle.
    let mut left: BTreeSet<&String> = uses.keys().collect();
    loop {
        let before = left.len();
        let ends = |name: &&String| uses[*name].iter().any(|used| left.contains(used));
        let next: BTreeSet<&String> = left.iter().copied().filter(|name| ends(name)).collect();
        left = next;
        if left.len() == before {
            break;
        }
    }
    let mut walk = vec![*left.first()?];
    loop {
        let next = uses[walk[walk.len() - 1]].iter().find(|used| left.contains(used))?;
        if let Some(start) = walk.iter().position(|name| *name == next) {
            return Some(walk[start..].iter().map(|name| (*name).clone()).chain([next.clone()]).collect());
        }
        walk.push(next);
    }
}

#[test]
fn a_circle_is_found_and_a_line_is_none() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses = Uses::new();
        for (user, used) in pairs {
            uses.entry((*user).to_owned()).or_default().insert((*used).to_owned());
        }
        uses
    };
    assert_eq!(circle(&uses(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    assert_eq!(
        circle(&uses(&[("a", "b"), ("b", "c"), ("c", "b")])),
        Some(vec!["b".into(), "c".into(), "b".into()])
    );
}

#[test]
fn groups_of_uses_are_taken_apart() {
    let source = Source {
        path: "core/src/value/parse.rs".into(),
        text: "//! x\nuse super::{convert::{A, b::C}, exact};\nuse crate::spec::Day;\nuse super::super::row;\n".into(),
    };
    let module = module_path(&source.path).expect("a module");
    let found: Vec<String> = references(&source, &module).iter().map(|path| path.join("::")).collect();
    for expected in [
        "core::value::convert::A",
        "core::value::convert::b::C",
        "core::value::exact",
        "core::spec::Day",
        "core::row",
    ] {
        assert!(found.iter().any(|path| path == expected), "{expected} in {found:?}");
    }
}
