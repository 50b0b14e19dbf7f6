//! `diff` and `history`: what has changed from run to run, and what cannot be known.

use shadowdiff_tests::binary::{self, Run};
use std::path::Path;
use tempfile::TempDir;

const HARM: &str = "<script>alert(1)</script>\u{1b}[31m";

/// Four runs in a folder: `one` and `two` list accounts that differ, `all/one` and `all/two` list all.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("the file can be written");
    put("live.csv", &format!("id,v,w\n1,1,1\n2,1,1\n3,1,1\n10,1,1\n{HARM},1,1\n"));
    put("one.csv", &format!("id,v,w\n1,2,1\n2,2,1\n3,2,1\n10,1,2\n{HARM},1,1\n"));
    put("two.csv", &format!("id,v,w\n1,2,2\n2,2,1\n3,1,1\n10,2,1\n{HARM},2,1\n"));
    for (shadow, output) in [("one", "one"), ("two", "two"), ("one", "all/one"), ("two", "all/two")] {
        let accounts = if output.starts_with("all") { "all" } else { "differing" };
        let rules = if output == "one" {
            "expected: [{name: w, columns: [w], max: 1}]"
        } else {
            "expected: [{name: w, columns: [w]}]"
        };
        put(
            "spec.yaml",
            &format!("live: live.csv\nshadow: {shadow}.csv\naccount: id\noutput: {{to: {output}, accounts: {accounts}}}\n{rules}\n"),
        );
        assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    }
    folder
}

fn run(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

fn counts(folder: &Path, arguments: &str) -> (i32, String) {
    let got = run(folder, &format!("diff {arguments} --json"));
    let found: serde_json::Value = serde_json::from_str(&got.stdout).unwrap_or_else(|e| panic!("{e}: {}", got.stderr));
    let accounts = found["accounts"].as_object().expect("accounts by change");
    let of = |(change, of): (&String, &serde_json::Value)| format!("{change} {}", of["accounts"]);
    let counts: Vec<String> = accounts.iter().map(of).filter(|text| !text.ends_with(" 0")).collect();
    (got.exit, counts.join(", "))
}

#[test]
fn what_is_not_listed_any_more_is_fixed_only_where_it_was_compared_again() {
    let folder = folder();
    let of = |arguments: &str| counts(folder.path(), arguments);
    // Account 10 flips in `one`, so it is known to have been compared.
    assert_eq!(of("one two"), (1, "new 1, regressed 1, persisting 2, unknown 1".to_owned()));
    assert_eq!(of("all/one all/two"), (1, "regressed 2, persisting 2, fixed 1".to_owned()));
    assert_eq!(of("one all/two"), (1, "new 1, regressed 1, persisting 2, fixed 1".to_owned()));
    assert_eq!(of("two two"), (0, "persisting 4".to_owned()));
}

#[test]
fn a_person_reads_what_needs_work_first_and_no_account_moves_the_cursor() {
    let folder = folder();
    let got = run(folder.path(), "diff all/one all/two");
    assert_eq!(got.exit, 1, "{}", got.stderr);
    assert!(got.stdout.starts_with("FAIL -> FAIL: 3 -> 4 exceptions\n"), "{}", got.stdout);
    for part in [
        "2 regressed: held now, clear before",
        "1 fixed: held before; compared again, and clear",
        "Before: all/one\nAfter:  all/two\n",
    ] {
        assert!(got.stdout.contains(part), "{part} is not in\n{}", got.stdout);
    }
    assert!(!got.stdout.contains('\u{1b}'), "{}", got.stdout);
    assert!(got.stdout.lines().all(|line| line.chars().count() <= 80), "{}", got.stdout);
}

#[test]
fn what_cannot_be_held_against_each_other_is_refused() {
    let folder = folder();
    let accounts = folder.path().join("two/accounts.csv");
    let text = std::fs::read_to_string(&accounts).expect("it is there");
    std::fs::write(&accounts, text.replace("hold", "flip")).expect("it can be written");
    for (arguments, said) in [
        ("one none", "does not exist"),
        ("one two", "is not the one that summary.json names"),
    ] {
        let got = run(folder.path(), &format!("diff {arguments}"));
        assert_eq!(got.exit, 2, "{arguments}");
        assert!(got.stderr.contains(said), "{arguments}: {}", got.stderr);
    }
}

#[test]
fn all_results_below_a_place_are_listed_by_name_and_nothing_else_is() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("foreign")).expect("a folder");
    std::fs::write(at("foreign/summary.json"), "{}").expect("written");
    std::fs::create_dir(at(".shadowdiff-left")).expect("a folder");
    std::fs::copy(at("one/summary.json"), at(".shadowdiff-left/summary.json")).expect("copied");
    let got = run(folder.path(), "history . --html history.html");
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let names: Vec<&str> = got.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names[1..5], ["all/one", "all/two", "one", "two"], "{}", got.stdout);
    assert!(
        got.stdout
            .contains("Not read: foreign: summary.json is not a summary of shadowdiff"),
        "{}",
        got.stdout
    );
    let page = std::fs::read_to_string(at("history.html")).expect("a page");
    assert!(page.contains("made by shadowdiff") && page.contains("all/two") && !page.contains(".shadowdiff-left"));
    let json: serde_json::Value = serde_json::from_str(&run(folder.path(), "history all --json").stdout).expect("JSON");
    let exceptions: Vec<Option<u64>> = [0, 1].map(|at| json["runs"][at]["exceptions"].as_u64()).to_vec();
    assert_eq!(exceptions, [Some(3), Some(4)]);
    let none = run(folder.path(), "history foreign/none");
    assert_eq!(none.exit, 2);
}

#[test]
fn patterns_are_told_by_what_has_become_of_them() {
    let folder = folder();
    let of = |arguments: &str| {
        let got = run(folder.path(), &format!("diff {arguments} --json"));
        let found: serde_json::Value = serde_json::from_str(&got.stdout).unwrap_or_else(|e| panic!("{e}: {}", got.stderr));
        let patterns = found["patterns"].as_object().expect("patterns by change").clone();
        let of = |(change, of): (&String, &serde_json::Value)| format!("{change} {}", of[0]["description"].as_str().unwrap_or_default());
        patterns.iter().map(of).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(of("all/one all/two"), "grown v: up, +100 %");
    assert_eq!(of("all/two all/one"), "persisting v: up, +100 %");
}
