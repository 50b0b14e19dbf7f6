//! `suggest`: what it finds in releases that are known, that its counts are those of a comparison with the pasted YAML, and what it leaves alone.

use serde_json::Value;
use shadowdiff_tests::binary::{self, Run};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use tempfile::TempDir;

const SPEC: &str = "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [id, metric]\n\
                    output: {to: out, judgeable: true, attributes: [plan, \"Land / \\\"Région\\\"\"]}\n";
/// Hostile to YAML, SQL and a terminal.
const REGIONS: [&str; 4] = ["eu", "it's \"x\": {#} ${y}\n- z", "\u{1b}[31m\u{2028}null", "us"];
const PLANS: [&str; 3] = ["trial", "pro", "free"];

fn run(folder: &Path, arguments: &[&str]) -> Run {
    binary::run(folder, arguments).expect("the run ends")
}

fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the file can be written");
}

/// A sequence of numbers that look drawn.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, end: u64) -> u64 {
        shadowdiff_core::mix::next(&mut self.0) % end
    }
}

/// A release that is meant to raise the score of trials by a tenth, to rename a segment in one region, to shift the times of one plan, and to drop
/// rows of another; some names lose their accents, and some scores move by themselves. Gives the lines that the first two explain.
fn release(folder: &Path, seed: u64, accounts: u64) -> [BTreeSet<String>; 2] {
    let mut drawn = Drawn(seed);
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let head = format!("id,metric,plan,{},score,segment,at,name\n", quoted("Land / \"Région\""));
    let (mut live, mut shadow) = (head.clone(), head);
    let (mut raised, mut renamed) = (BTreeSet::new(), BTreeSet::new());
    for account in 0..accounts {
        let (plan, region) = (PLANS[drawn.below(3) as usize], REGIONS[drawn.below(4) as usize]);
        for metric in 0..3 {
            let score = (drawn.below(9000) + 1000) * 10;
            let segment = ["smb", "ent"][drawn.below(2) as usize];
            let (day, hour) = (1 + drawn.below(28), drawn.below(20));
            let row = |score: u64, segment: &str, hour: u64, name: &str, out: &mut String| {
                let at = format!("2026-06-{day:02}T{hour:02}:00:00");
                let region = quoted(region);
                writeln!(out, "a{account:05},{metric},{plan},{region},{score},{segment},{at},{name}").expect("a string takes all");
            };
            row(score, segment, hour, "Ren\u{e9}", &mut live);
            let key = format!("a{account:05},{metric}");
            let noise = drawn.below(100);
            let new_score = match (plan, noise) {
                ("trial", _) => {
                    raised.insert(key.clone());
                    score * 11 / 10
                }
                (_, 0) => score + 1 + drawn.below(score),
                (_, 1) => score - 1 - drawn.below(score / 2),
                _ => score,
            };
            let is_renamed = region == REGIONS[1] && segment == "smb";
            let new_segment = if is_renamed { "small_business" } else { segment };
            if is_renamed {
                renamed.insert(key);
            }
            let new_hour = if plan == "free" { hour + 3 } else { hour };
            let name = if drawn.below(40) == 0 { "Rene\u{301}" } else { "Ren\u{e9}" };
            row(new_score, new_segment, new_hour, name, &mut shadow);
        }
    }
    put(folder, "live.csv", &live);
    put(folder, "shadow.csv", &shadow);
    put(folder, "spec.yaml", SPEC);
    [raised, renamed]
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

fn suggested(folder: &Path, result: &str) -> Value {
    let got = run(folder, &["suggest", result, "--json"]);
    assert_eq!(got.exit, 0, "{}", got.stderr);
    serde_json::from_str(&got.stdout).expect("JSON")
}

/// The suggestion for a pattern.
fn of<'v>(all: &'v Value, column: &str, direction: Option<&str>) -> &'v Value {
    let is_it = |one: &&Value| one["patterns"][0]["column"] == column && one["patterns"][0]["direction"].as_str() == direction;
    let mut found = all["suggestions"].as_array().expect("a list").iter().filter(is_it);
    found.next().unwrap_or_else(|| panic!("nothing for {column}: {all:#}"))
}

#[test]
fn what_a_release_was_meant_to_do_is_found() {
    for seed in [1, 2, 3] {
        let folder = folder();
        let truth = release(folder.path(), seed, 400);
        assert_eq!(run(folder.path(), &["compare", "spec.yaml"]).exit, 1);
        let all = suggested(folder.path(), "out");
        for ((column, direction, sql), truth) in [
            ("score", Some("up"), "plan = 'trial'"),
            ("segment", None, "\"Land / \"\"Région\"\"\" = 'it''s \"x\": {#} ${y}\n- z'"),
        ]
        .into_iter()
        .zip(&truth)
        {
            let one = of(&all, column, direction);
            assert_eq!(one["accounts"]["sql"], sql, "seed {seed}");
            let lines = covered(folder.path(), one);
            let hits = lines.intersection(truth).count() as f64;
            let (precision, recall) = (hits / lines.len() as f64, hits / truth.len() as f64);
            assert!(
                precision >= 0.99 && recall >= 0.99,
                "seed {seed}, {column}: {precision} and {recall}"
            );
            for held_out in ["precision", "recall"] {
                assert!(one["held_out"][held_out].as_f64().is_some_and(|share| share > 0.95), "{one:#}");
            }
        }
        let shift = of(&all, "at", Some("up"));
        assert!(
            shift["accounts"]["sql"] == "plan = 'free'" && shift["yaml"].to_string().contains("interval '10800 seconds'"),
            "{shift:#}"
        );
        assert_eq!(of(&all, "name", None)["yaml"], "  - columns: [name]\n    text: {normalize: nfc}\n");
    }
}

/// The keys of the lines that the pasted rule covers, after holding all counts against the comparison with it.
fn covered(folder: &Path, one: &Value) -> BTreeSet<String> {
    let (list, yaml) = (one["list"].as_str().expect("a name"), one["yaml"].as_str().expect("a text"));
    put(folder, "pasted.yaml", &format!("{SPEC}{list}:\n{yaml}"));
    let full = run(folder, &["compare", "pasted.yaml", "--output", "pasted", "--overwrite", "--json"]);
    let full: Value = serde_json::from_str(&full.stdout).unwrap_or_else(|_| panic!("{yaml}\n{}", full.stderr));
    for (mine, theirs) in [
        (&one["judged"]["verdict"], &full["verdict"]),
        (&one["judged"]["broken"], &full["broken"]),
        (&one["judged"]["exceptions"], &full["differences"]["exceptions"]),
    ] {
        assert_eq!(mine, theirs, "{yaml}");
    }
    if list == "comparators" {
        return BTreeSet::new();
    }
    assert_eq!(one["covers"]["lines"], full["rules"][0]["lines"], "{yaml}");
    assert!(full["rules"][0]["broken"].as_array().is_some_and(Vec::is_empty), "{full:#}");
    let judged = run(
        folder,
        &["judge", "out", "--spec", "pasted.yaml", "--output", "judged", "--overwrite"],
    );
    assert!(judged.exit < 2, "{}", judged.stderr);
    let read = |place: &str| std::fs::read_to_string(folder.join(place).join("diff.csv")).expect("a table");
    assert_eq!(read("judged"), read("pasted"), "{yaml}");
    let key = |line: &str| line.splitn(3, ',').take(2).collect::<Vec<_>>().join(",");
    let diff = read("pasted");
    diff.lines().filter(|line| line.contains(",expected,")).map(key).collect()
}

/// Each is pasted alone, and all of them together; what is said of them is what a comparison says.
#[test]
fn a_comparison_with_what_is_pasted_counts_what_was_said() {
    let folder = folder();
    release(folder.path(), 7, 700);
    assert_eq!(run(folder.path(), &["compare", "spec.yaml"]).exit, 1);
    let all = suggested(folder.path(), "out");
    let suggestions = all["suggestions"].as_array().expect("a list");
    assert!(suggestions.len() >= 5, "{all:#}");
    suggestions.iter().for_each(|one| {
        covered(folder.path(), one);
    });
    let mut together = SPEC.to_owned();
    for list in ["expected", "comparators"] {
        together += &format!("{list}:\n");
        let of_list = suggestions.iter().filter(|one| one["list"] == list);
        of_list.for_each(|one| together += one["yaml"].as_str().expect("a text"));
    }
    put(folder.path(), "together.yaml", &together);
    let full = run(folder.path(), &["compare", "together.yaml", "--output", "together", "--json"]);
    let full: Value = serde_json::from_str(&full.stdout).unwrap_or_else(|_| panic!("{together}\n{}", full.stderr));
    assert_eq!(all["together"]["exceptions"], full["differences"]["exceptions"]);
    assert_eq!(all["together"]["broken"], full["broken"]);
    // Whatever the order of rows and the number of threads, the same is suggested.
    let shadow = std::fs::read_to_string(folder.path().join("live.csv")).expect("it is there");
    assert!(shadow.starts_with("id,metric"));
    let again = run(
        folder.path(),
        &["compare", "spec.yaml", "--overwrite", "--threads", "3", "--shards", "5"],
    );
    assert_eq!(again.exit, 1, "{}", again.stderr);
    assert_eq!(suggested(folder.path(), "out"), all);
}

/// What is printed can be pasted as it stands, and moves no cursor.
#[test]
fn a_terminal_shows_what_can_be_pasted() {
    let folder = folder();
    release(folder.path(), 5, 200);
    assert_eq!(run(folder.path(), &["compare", "spec.yaml"]).exit, 1);
    let got = run(folder.path(), &["suggest", "out"]);
    assert_eq!(got.exit, 0, "{}", got.stderr);
    assert!(!got.stdout.contains('\u{1b}'), "{}", got.stdout);
    let all = suggested(folder.path(), "out");
    for one in all["suggestions"].as_array().expect("a list") {
        let pasted = format!(
            "{}:\n{}",
            one["list"].as_str().expect("a name"),
            one["yaml"].as_str().expect("a text")
        );
        assert!(got.stdout.contains(&pasted), "{pasted}\n{}", got.stdout);
    }
}

#[test]
fn where_nothing_is_left_nothing_is_suggested() {
    let folder = folder();
    for name in ["live.csv", "shadow.csv"] {
        put(folder.path(), name, "id,metric,plan,v\na,1,x,1\nb,1,x,2\n");
    }
    let spec = "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [id, metric]\n";
    put(folder.path(), "spec.yaml", &format!("{spec}output: {{to: out, judgeable: true}}\n"));
    assert_eq!(run(folder.path(), &["compare", "spec.yaml"]).exit, 0);
    let all = suggested(folder.path(), "out");
    assert!(
        all["suggestions"].as_array().is_some_and(Vec::is_empty) && all["together"].is_null(),
        "{all:#}"
    );
    // Three accounts show nothing.
    put(folder.path(), "shadow.csv", "id,metric,plan,v\na,1,x,3\nb,1,x,4\nc,1,x,1\n");
    assert_eq!(run(folder.path(), &["compare", "spec.yaml", "--overwrite"]).exit, 1);
    let got = run(folder.path(), &["suggest", "out"]);
    assert!(
        got.stdout.contains("Nothing to suggest") && got.stdout.contains("too few lines"),
        "{}",
        got.stdout
    );
    // A list beside the spec is somewhere that the result does not know.
    put(folder.path(), "list.csv", "id\nz\n");
    let rules = "expected: [{name: r, accounts: {file: list.csv}, columns: [v]}]\n";
    put(
        folder.path(),
        "listed.yaml",
        &format!("{spec}{rules}output: {{to: out, judgeable: true}}\n"),
    );
    assert_eq!(run(folder.path(), &["compare", "listed.yaml", "--overwrite"]).exit, 1);
    let got = run(folder.path(), &["suggest", "out"]);
    assert!(got.exit == 2 && got.stderr.contains("--spec"), "{}", got.stderr);
    assert_eq!(run(folder.path(), &["suggest", "out", "--spec", "listed.yaml"]).exit, 0);
    put(folder.path(), "plain.yaml", spec);
    assert_eq!(run(folder.path(), &["compare", "plain.yaml", "--output", "plain"]).exit, 1);
    let got = run(folder.path(), &["suggest", "plain"]);
    assert!(got.exit == 2 && got.stderr.contains("judgeable: true"), "{}", got.stderr);
}
