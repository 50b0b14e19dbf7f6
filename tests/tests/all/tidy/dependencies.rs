//! What a manifest declares is used: what is not costs every first build its time.

use super::{report, root, sources};

#[test]
fn every_dependency_is_used() {
    let code = sources("rs");
    let mut broken = Vec::new();
    // Not proto: its code is made by its compiler, and names what no file here does.
    for name in ["core", "common", "coordinator", "worker", "cli", "tests"] {
        let manifest = manifest(&format!("{name}/Cargo.toml"));
        let folder = format!("{name}/");
        let unused = declared(&manifest, "dependencies]").filter(|dependency| {
            let word = dependency.replace('-', "_");
            !code.iter().filter(|s| s.path.starts_with(&folder)).any(|s| names(&s.text, &word))
        });
        broken.extend(unused.map(|dependency| format!("{name}/Cargo.toml: {dependency} is not used")));
    }
    report(broken);
}

#[test]
fn every_dependency_of_the_workspace_is_some_crates() {
    let workspace = manifest("Cargo.toml");
    let crates: String = sources("toml")
        .into_iter()
        .filter(|s| s.path.ends_with("/Cargo.toml"))
        .map(|s| s.text)
        .collect();
    let used: Vec<&str> = crates.lines().map(first_word).collect();
    let unused = declared(&workspace, "workspace.dependencies]").filter(|dependency| !used.contains(dependency));
    report(unused.map(|dependency| format!("Cargo.toml: no crate uses {dependency}")).collect());
}

fn manifest(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("every crate has a manifest")
}

/// The names that the sections whose title ends so declare.
fn declared<'a>(manifest: &'a str, title: &'a str) -> impl Iterator<Item = &'a str> {
    let mut inside = false;
    let lines = manifest.lines().filter(move |line| {
        if line.starts_with('[') {
            inside = line.ends_with(title);
        }
        inside
    });
    // Lines that go on a list begin with blanks.
    lines
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .map(first_word)
}

fn first_word(line: &str) -> &str {
    line.split(['.', ' ', '=']).next().unwrap_or_default()
}

/// Whether the text has the word as a word of its own.
fn names(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}
