//! What the pages name exists: the tests behind the invariants of ARCHITECTURE.md, the golden files and modules of docs/formats.md.

use super::{report, root, sources};
use std::collections::BTreeSet;

#[test]
fn every_invariant_names_tests_that_exist() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let code = sources("rs");
    let tests: BTreeSet<&str> = code.iter().flat_map(|source| tests_of(&source.text)).collect();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| I-")).collect();
    assert!(rows.len() >= 16, "the table of invariants was not found");
    let mut broken = Vec::new();
    for row in rows {
        let invariant = row.split('|').nth(1).unwrap_or_default().trim();
        let named: Vec<&str> = row.split('*').skip(1).step_by(2).collect();
        if named.is_empty() {
            broken.push(format!("ARCHITECTURE.md: {invariant} names no test"));
        }
        let unknown = named.into_iter().filter(|name| !tests.contains(name));
        broken.extend(unknown.map(|name| format!("ARCHITECTURE.md: {invariant} names the test {name}, which does not exist")));
    }
    report(broken);
}

/// The functions below `#[test]` and its kin.
fn tests_of(text: &str) -> impl Iterator<Item = &str> {
    let after = ["#[test]", "#[tokio::test"].into_iter().flat_map(|mark| text.split(mark).skip(1));
    after.filter_map(|after| {
        let head = after.lines().skip(1).find(|line| !line.trim_start().starts_with("#["))?;
        head.split_once("fn ")?.1.split('(').next()
    })
}

#[test]
fn the_page_of_formats_names_every_golden_file_and_no_other() {
    let page = std::fs::read_to_string(root().join("docs/formats.md")).expect("the page is there");
    let named: BTreeSet<&str> = page.split('`').filter(|word| word.contains("/golden/")).collect();
    let mut there = BTreeSet::new();
    for name in ["core", "common", "coordinator", "worker", "cli", "tests"] {
        let folder = format!("{name}/tests/golden");
        let Ok(entries) = std::fs::read_dir(root().join(&folder)) else {
            continue;
        };
        there.extend(entries.map(|entry| format!("{folder}/{}", entry.expect("listed").file_name().to_string_lossy())));
    }
    let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    let mut broken: Vec<String> = there
        .difference(&named)
        .map(|path| format!("docs/formats.md: {path} is missing"))
        .collect();
    broken.extend(
        named
            .difference(&there)
            .map(|path| format!("docs/formats.md: {path} does not exist")),
    );
    let files = page.split('`').filter(|word| word.ends_with(".rs") && word.contains('/'));
    broken.extend(
        files
            .filter(|path| !root().join(path).is_file())
            .map(|path| format!("docs/formats.md: {path} does not exist")),
    );
    report(broken);
}

#[test]
fn the_pictures_name_files_that_exist() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let drawn: Vec<&str> = page.split("```").skip(1).step_by(2).flat_map(str::split_whitespace).collect();
    let files: Vec<&str> = drawn
        .iter()
        .map(|word| word.trim_end_matches(','))
        .filter(|word| word.contains("/src/"))
        .collect();
    assert!(files.len() >= 10, "the pictures were not found");
    let missing = files.into_iter().filter(|file| !root().join(file).exists());
    report(missing.map(|file| format!("ARCHITECTURE.md: {file} does not exist")).collect());
}
