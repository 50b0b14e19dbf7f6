//! The examples of CONTRIBUTING.md are true: what they show of a file stands in it today, and none needs more than three files.

use super::{report, root};

/// An extension that touches more files than this has no home.
const MAX_FILES: usize = 3;

#[test]
fn the_examples_show_lines_that_exist() {
    let page = std::fs::read_to_string(root().join("CONTRIBUTING.md")).expect("the page is there");
    let examples: Vec<&str> = page
        .split("```diff\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(examples.len() >= 5, "the examples were not found");
    report(examples.into_iter().flat_map(broken).collect());
}

/// What is not so, or not any more. Lines that an example adds may be anything, and so may files of added lines alone.
fn broken(example: &str) -> Vec<String> {
    let files: Vec<(&str, &str)> = example.split("+++ ").skip(1).filter_map(|file| file.split_once('\n')).collect();
    let mut broken = Vec::new();
    if files.len() > MAX_FILES {
        broken.push(format!("CONTRIBUTING.md: an example names {} files", files.len()));
    }
    for (path, lines) in files {
        let text = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        let shown = lines
            .lines()
            .filter(|line| !line.starts_with('+'))
            .map(|line| line.get(1..).unwrap_or_default().trim());
        let missing = shown.filter(|line| !text.lines().any(|there| there.trim() == *line));
        broken.extend(missing.map(|line| format!("CONTRIBUTING.md: {path} has no line `{line}`")));
    }
    broken
}
