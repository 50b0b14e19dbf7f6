//! `power`: what a spec would catch of planted changes, and who swallows the rest.

use serde_json::Value;
use shadowdiff_tests::binary::{self, Run};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use tempfile::TempDir;

const ROWS: usize = 120;

fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the file can be written");
}

/// Two datasets and a spec that ends in `rest`. The shadow has other names for two columns.
fn folder(rest: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut rows = String::new();
    for row in 0..ROWS {
        let (account, value, day) = (row % 10, row as f64 * 1.37 + 0.25, row % 28 + 1);
        writeln!(rows, "a{account},{row},{value},Plan {account} é,2026-01-{day:02}T10:00:00Z").expect("a string takes all");
    }
    put(folder.path(), "live.csv", &format!("account,n,v,plan,at\n{rows}"));
    put(folder.path(), "shadow.csv", &format!("account,n,amount,tariff,at\n{rows}"));
    let spec = format!(
        "live: live.csv\nshadow: shadow.csv\naccount: account\nkey: [account, n]\noutput: out\n\
         columns:\n  rename: {{amount: v, tariff: plan}}\n{rest}"
    );
    put(folder.path(), "spec.yaml", &spec);
    folder
}

fn run(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

fn power(rest: &str) -> (i32, Value) {
    let folder = folder(rest);
    let run = run(folder.path(), "power spec.yaml --json");
    assert!(run.exit < 2, "{}", run.stderr);
    (run.exit, serde_json::from_str(&run.stdout).expect("JSON"))
}

/// Who swallowed something of a column; of rows where it is none.
fn swallowers(power: &Value, column: Option<&str>) -> BTreeSet<String> {
    let outcomes = power["planted"].as_array().expect("a list").iter();
    let of_column = outcomes.filter(|outcome| outcome["column"].as_str() == column);
    let by = of_column.flat_map(|outcome| outcome["swallowed_by"].as_object().expect("a mapping").keys().cloned());
    by.collect()
}

#[test]
fn a_spec_that_expects_nothing_catches_all() {
    let (exit, power) = power("");
    assert_eq!((exit, &power["blind"]), (0, &Value::Array(Vec::new())));
    for outcome in power["planted"].as_array().expect("a list") {
        assert_eq!(
            (&outcome["caught"], &outcome["planted"]),
            (&Value::from(3), &Value::from(3)),
            "{outcome}"
        );
    }
    let changes = power["columns"].as_array().expect("a list").iter();
    let changes: Vec<(&str, bool)> = changes
        .map(|outcome| (outcome["column"].as_str().expect("a name"), outcome["caught"] == true))
        .collect();
    assert_eq!(changes, [("v", true), ("at", true)]);
    // What could not be planted is not counted, but said.
    let left_out = power["left_out"].as_array().expect("a list").iter();
    let left_out: BTreeSet<&str> = left_out.map(|left_out| left_out["change"].as_str().expect("a name")).collect();
    assert_eq!(
        left_out,
        BTreeSet::from(["date_off_by_one", "flipped_boolean", "leading_zeros", "null_vanished"])
    );
}

#[test]
fn who_swallows_a_change_is_named() {
    for (rest, column, by, is_blind) in [
        ("expected: [{name: any, columns: [v]}]\n", Some("v"), "rule `any`", true),
        (
            "expected: [{name: some, columns: [plan], accounts: {list: [a1, a2, a3, a4, a5]}}]\n",
            Some("plan"),
            "rule `some`",
            false,
        ),
        ("expected: [{name: rows, kinds: [missing_in_live]}]\n", None, "rule `rows`", true),
        (
            "comparators: [{columns: [v], absolute: 0.5}]\n",
            Some("v"),
            "comparator `absolute: 0.5` of `v`",
            false,
        ),
        (
            "comparators: [{columns: [v], absolute: 1000000}]\n",
            Some("v"),
            "comparator `absolute: 1000000` of `v`",
            false,
        ),
        (
            "comparators: [{columns: [plan], sql: 'true'}]\n",
            Some("plan"),
            "comparator `sql: true` of `plan`",
            true,
        ),
        ("where: n < 120\n", None, "`where`", true),
        ("  derive: {plan: 'lower(plan)'}\n", Some("plan"), "`columns.derive`", false),
    ] {
        let (exit, power) = power(rest);
        assert!(swallowers(&power, column).contains(by), "{rest}: {:?}", swallowers(&power, column));
        let blind = power["blind"].as_array().expect("a list").iter().filter_map(Value::as_str);
        let blind: Vec<&str> = blind.collect();
        let name = column.unwrap_or("missing_in_live");
        assert_eq!((blind.contains(&name), exit), (is_blind, i32::from(is_blind)), "{rest}: {blind:?}");
    }
}

#[test]
fn a_column_that_passes_whole_names_its_rule_or_threshold() {
    for (rest, by) in [
        ("expected: [{name: any, columns: [v]}]\n", "rule `any`"),
        ("verdict: {max_exceptions: 100%}\n", "the thresholds of `verdict`"),
    ] {
        let (_, power) = power(rest);
        let changes = power["columns"].as_array().expect("a list").iter();
        let mut of_v = changes.filter(|outcome| outcome["column"] == "v");
        let of_v = of_v.next().expect("it was changed");
        assert_eq!(
            (of_v["caught"].as_bool(), of_v["swallowed_by"][0].as_str()),
            (Some(false), Some(by))
        );
    }
}

#[test]
fn the_same_seed_says_the_same_and_inputs_are_only_read() {
    let folder = folder("expected: [{name: some, columns: [plan], accounts: {list: [a1]}}]\n");
    std::fs::create_dir(folder.path().join("scratch")).expect("it is new");
    let listed = || {
        let entries = std::fs::read_dir(folder.path()).expect("it is there");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.collect::<BTreeSet<String>>()
    };
    let (before, live) = (listed(), std::fs::read(folder.path().join("live.csv")).expect("it is there"));
    let said = ["--threads 1", "--threads 3", "--threads 1 --shards 7", "--exchange fingerprints"].map(|setting| {
        let run = run(folder.path(), &format!("power spec.yaml --scratch scratch {setting}"));
        assert_eq!(run.exit, 0, "{}", run.stderr);
        run.stdout
    });
    assert!(said.iter().all(|one| *one == said[0]));
    let other = run(folder.path(), "power spec.yaml --seed 2");
    assert_eq!(other.exit, 0, "{}", other.stderr);
    assert_eq!(listed(), before);
    assert_eq!(std::fs::read(folder.path().join("live.csv")).expect("it is there"), live);
    let left = std::fs::read_dir(folder.path().join("scratch")).expect("it is there").count();
    assert_eq!(left, 0, "the copies are gone");
}

#[test]
fn what_cannot_be_tried_is_said() {
    let (_, power) = power("where: {shadow: \"tariff <> 'x'\"}\n");
    // The name in the files is not that of the comparison: a mistake of the spec itself shows in `check`.
    assert!(
        power["notes"][0]
            .as_str()
            .is_some_and(|note| note.contains("where (shadow) reads `tariff`")),
        "{power}"
    );
    for (rest, why) in [
        ("where: n < 0\n", "none of the 120 rows that were looked at passes it"),
        ("expected: [{name: r, columns: [nothing]}]\n", "is not a compared column"),
    ] {
        let folder = folder(rest);
        let run = run(folder.path(), "power spec.yaml");
        assert_eq!(run.exit, 2);
        assert!(run.stderr.contains(why), "{}", run.stderr);
    }
    let folder = folder("");
    put(folder.path(), "live.csv", "account,n,v,plan,at\n");
    let run = run(folder.path(), "power spec.yaml");
    assert!(run.stderr.contains("no rows to plant changes into"), "{}", run.stderr);
}

#[test]
fn the_documentation_shows_what_the_command_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/output.md")).expect("the page is there");
    let section = page.split("## What a spec would catch").nth(1).expect("the section is there");
    let shown = section.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let run = run(&root, "power examples/cities/compare.yaml");
    assert_eq!(run.exit, 1, "{}", run.stderr);
    for line in shown.expect("an example").lines().filter(|line| *line != "…") {
        assert!(run.stdout.lines().any(|printed| printed == line), "{line}");
    }
}
