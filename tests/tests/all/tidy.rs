//! Rules over the source tree that no compiler keeps.

#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/examples.rs"]
mod examples;
#[path = "tidy/invariants.rs"]
mod invariants;
#[path = "tidy/modules.rs"]
mod modules;

use std::path::{Path, PathBuf};

/// What a function may not exceed, in lines.
const MAX_FUNCTION_LINES: usize = 70;

/// Functions that do; an entry that is no longer needed must go.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

/// Folders of data, and of what builds leave behind.
const SKIPPED: &[&str] = &["target", "out", "cases", ".git"];

/// What core must not know: the world, chance, and orders that nobody wrote down.
const BANNED_IN_CORE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::time",
    "std::thread",
    "std::env",
    "rand::",
    "tokio",
    "object_store",
    "datafusion",
    "HashMap",
    "HashSet",
];

/// A text file of the tree.
struct Source {
    /// From the root of the workspace.
    path: String,
    text: String,
}

impl Source {
    /// The part of a Rust file that is not a test. Tests are data, and their tables may be long.
    fn product_text(&self) -> &str {
        let is_test = self.path.ends_with("tests.rs") || self.path.contains("/tests/");
        if is_test {
            ""
        } else {
            self.text.split("\n#[cfg(test)]").next().unwrap_or_default()
        }
    }

    /// The same by line, without comments.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.product_text().lines().enumerate();
        lines.map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
        .to_owned()
}

fn sources(extension: &str) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), extension, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no .{extension} files below {}", root().display());
    found
}

fn walk(folder: &Path, extension: &str, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).expect("the tree can be listed") {
        let path = entry.expect("the tree can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(&path, extension, found);
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
            found.push(Source {
                path: path.strip_prefix(root()).expect("it lies below the root").display().to_string(),
                text,
            });
        }
    }
}

fn report(broken: Vec<String>) {
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_tells_its_job() {
    report(
        sources("rs")
            .iter()
            .filter(|s| !s.text.starts_with("//! "))
            .map(|s| format!("{} does not begin with `//! `", s.path))
            .collect(),
    );
}

#[test]
fn core_is_pure() {
    let mut broken = Vec::new();
    for source in sources("rs").iter().filter(|s| s.path.starts_with("core/")) {
        for (number, line) in source.product_lines() {
            let words = BANNED_IN_CORE.iter().filter(|word| line.contains(**word));
            broken.extend(words.map(|word| format!("{}:{number}: core must not use {word}", source.path)));
        }
    }
    broken.extend(dependencies(
        "core",
        &["tokio", "tonic", "object_store", "datafusion", "rand", "reqwest"],
    ));
    report(broken);
}

#[test]
fn datafusion_stays_where_it_is_used() {
    const PLACES: [&str; 4] = [
        "common/src/sql.rs",
        "common/src/sql/",
        "worker/src/rows.rs",
        "worker/src/compare.rs",
    ];
    let mut broken = Vec::new();
    for source in sources("rs")
        .iter()
        .filter(|s| !PLACES.iter().any(|place| s.path.starts_with(place)) && !s.path.starts_with("tests/"))
    {
        let used = source.product_lines().filter(|(_, line)| line.contains("datafusion_"));
        broken.extend(used.map(|(number, _)| format!("{}:{number}: uses DataFusion", source.path)));
    }
    report(broken);
}

#[test]
fn coordinator_and_worker_do_not_know_each_other() {
    report(
        [
            dependencies("coordinator", &["shadowdiff-worker"]),
            dependencies("worker", &["shadowdiff-coordinator"]),
        ]
        .concat(),
    );
}

/// The names among `banned` that the crate depends on.
fn dependencies(name: &str, banned: &[&str]) -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join(name).join("Cargo.toml")).expect("every crate has a manifest");
    let first_words = manifest.lines().map(|line| line.split(['.', ' ', '=']).next().unwrap_or_default());
    first_words
        .filter(|word| {
            banned
                .iter()
                .any(|name| word == name || (word.starts_with(name) && *name == "datafusion"))
        })
        .map(|word| format!("{name}/Cargo.toml: {name} must not depend on {word}"))
        .collect()
}

#[test]
fn functions_fit_a_screen() {
    let mut long = Vec::new();
    for source in sources("rs") {
        long.extend(
            functions(source.product_text())
                .into_iter()
                .filter(|f| f.1 > MAX_FUNCTION_LINES)
                .map(|f| (source.path.clone(), f.0, f.1)),
        );
    }
    let is_listed = |path: &str, name: &str| LONG_FUNCTIONS.contains(&(path, name));
    let mut broken: Vec<String> = long
        .iter()
        .filter(|(path, name, _)| !is_listed(path, name))
        .map(|(path, name, lines)| format!("{path}: {name} has {lines} lines, {MAX_FUNCTION_LINES} are allowed"))
        .collect();
    let is_long = |entry: &&(&str, &str)| long.iter().any(|(path, name, _)| (path.as_str(), name.as_str()) == **entry);
    broken.extend(
        LONG_FUNCTIONS
            .iter()
            .filter(|e| !is_long(e))
            .map(|(path, name)| format!("{path}: {name} is short now; take it off the list")),
    );
    report(broken);
}

/// Name and length of every function, by the indentation of its closing brace.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let closes = |l: &&str| indent(l) == indent(line) && l.trim_start().starts_with('}');
        if let (false, Some(length)) = (line.ends_with([';', '}']), lines[at + 1..].iter().position(closes)) {
            found.push((name.to_owned(), length + 2));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let words = ["", "pub", "pub(crate)", "pub(super)", "const", "async", "extern", "\"C\""];
    let is_head = before.split_whitespace().all(|word| words.contains(&word));
    let name = rest.split(['(', '<']).next()?;
    (is_head && !name.is_empty()).then_some(name)
}

#[test]
fn nothing_is_left_undone() {
    // Written apart, so that this file passes its own rule.
    let words = [
        concat!("to", "do!"),
        concat!("unimple", "mented!"),
        concat!("db", "g!"),
        concat!("FIX", "ME"),
    ];
    let mut broken = Vec::new();
    for source in sources("rs") {
        for (at, line) in source.text.lines().enumerate() {
            broken.extend(
                words
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{}:{}: {word}", source.path, at + 1)),
            );
        }
    }
    report(broken);
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    let mut broken = Vec::new();
    for source in sources("rs") {
        let lines = source.product_lines().filter(|(_, line)| line.contains(".unwrap()"));
        broken.extend(lines.map(|(number, _)| format!("{}:{number}: say in an expect why it cannot fail", source.path)));
    }
    report(broken);
}

#[test]
fn every_document_has_one_title() {
    let mut broken = Vec::new();
    // Not the forms of an issue host, which give each text its title.
    for source in sources("md").iter().filter(|s| !s.path.starts_with(".github/")) {
        let mut in_code = false;
        let mut titles = 0;
        for line in source.text.lines() {
            in_code ^= line.trim_start().starts_with("```");
            titles += usize::from(!in_code && line.starts_with("# "));
        }
        if titles != 1 {
            broken.push(format!("{} has {titles} titles", source.path));
        }
    }
    report(broken);
}
