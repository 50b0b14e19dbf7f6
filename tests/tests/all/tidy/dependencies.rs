//! What a manifest declares is used, as what is not costs every first build its time, and drawn in ARCHITECTURE.md.

use super::{report, root, sources};
use std::collections::BTreeSet;

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

#[test]
fn the_picture_of_the_crates_is_that_of_their_manifests() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let mut drawn: Vec<(String, BTreeSet<String>)> = page.lines().filter_map(arrows).collect();
    drawn.sort();
    let of = |folder: &str| {
        let manifest = manifest(&format!("{folder}/Cargo.toml"));
        let ours = |name: &&str| name.starts_with("shadowdiff");
        let used = declared(&manifest, "dependencies]")
            .filter(ours)
            .map(|name| name.trim_start_matches("shadowdiff-").to_owned());
        let name = if folder == "cli" { "shadowdiff" } else { folder };
        (name.to_owned(), used.collect())
    };
    let mut there: Vec<(String, BTreeSet<String>)> = ["bench", "common", "coordinator", "core", "proto", "cli", "tests", "worker"]
        .map(of)
        .into();
    there.sort();
    assert_eq!(drawn, there, "ARCHITECTURE.md draws other arrows than the manifests");
}

/// A line such as `worker ──► common, core`.
fn arrows(line: &str) -> Option<(String, BTreeSet<String>)> {
    let (from, to) = line.split_once(" ─")?;
    let to = to.trim_start_matches('─').strip_prefix("► ")?;
    // What is far to the right is a remark.
    let to = to.split("   ").next()?.split(", ").filter(|name| *name != "nothing");
    let is_name = !from.is_empty() && from.bytes().all(|b| b.is_ascii_lowercase()) && from != "submit";
    is_name.then(|| (from.to_owned(), to.map(str::to_owned).collect()))
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
