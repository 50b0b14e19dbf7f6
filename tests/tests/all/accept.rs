//! Differences that are accepted for a time: what is covered, what counts again, and that it depends on nothing else.

use crate::cluster::wait_for;
use serde_json::Value;
use shadowdiff_tests::binary::{self, Run};
use shadowdiff_tests::cluster::{Cluster, Place};
use std::fmt::Write;
use std::path::Path;
use tempfile::TempDir;

const ROWS: u64 = 600;

/// A release with a score that is a tenth larger in every fifth row, a grade that follows in most of them, and names that were shortened in
/// some. `more` changes a row of shadow: its score, grade and name.
fn folder(more: impl Fn(u64, &mut f64, &mut String, &mut String)) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    put_tables(folder.path(), more);
    put(folder.path(), "spec.yaml", &spec(""));
    folder
}

fn put_tables(folder: &Path, more: impl Fn(u64, &mut f64, &mut String, &mut String)) {
    let mut tables = ["live", "shadow"].map(|_| "id,n,score,grade,name\n".to_owned());
    for row in 1..=ROWS {
        let (mut score, mut grade, mut name) = (100.0 + row as f64, "A".to_owned(), format!("customer {row}"));
        let account = row % 37;
        writeln!(tables[0], "{account},{row},{score},{grade},{name}").expect("a string takes all");
        if row % 5 == 0 {
            score *= 1.1;
            grade = if row % 10 == 0 || row % 3 == 0 { "B".to_owned() } else { grade };
        }
        if row % 97 == 0 {
            name.pop();
        }
        more(row, &mut score, &mut grade, &mut name);
        writeln!(tables[1], "{account},{row},{score},{grade},{name}").expect("a string takes all");
    }
    put(folder, "live.csv", &tables[0]);
    put(folder, "shadow.csv", &tables[1]);
}

fn spec(more: &str) -> String {
    format!(
        "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [n]\nschema: {{score: double}}\nas_of: 2026-06-01\n\
         output: {{to: out, judgeable: true, accounts: all}}\n{more}"
    )
}

fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the file can be written");
}

fn run(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

fn summary(folder: &Path, arguments: &str, exit: i32) -> Value {
    let got = run(folder, &format!("{arguments} --overwrite --json"));
    assert_eq!(got.exit, exit, "{}{}", got.stdout, got.stderr);
    serde_json::from_str(&got.stdout).expect("--json prints the summary")
}

/// Compares, and accepts all patterns of the result with their lines and some more, until a day.
fn accept_all(folder: &Path, until: &str, room: u64) -> Value {
    let found = summary(folder, "compare spec.yaml", 1);
    let rows = &found["row_patterns"];
    let patterns = ["listed", "listed_alone"].map(|list| rows[list].as_array().expect("patterns"));
    for pattern in patterns.into_iter().flatten() {
        let (fingerprint, lines) = (
            pattern["fingerprint"].as_str().expect("a text"),
            pattern["exceptions"].as_u64().expect("a count"),
        );
        let max = lines + room;
        let got = run(
            folder,
            &format!("accept out --pattern {fingerprint} --by Ann --reason known --until {until} --max {max}"),
        );
        assert_eq!(got.exit, 0, "{}", got.stderr);
    }
    put(folder, "accepted-spec.yaml", &spec("accepted: accepted.yaml\n"));
    found
}

fn counts(summary: &Value) -> [u64; 2] {
    ["accepted", "exceptions"].map(|name| summary["differences"][name].as_u64().expect("a count"))
}

#[test]
fn what_was_looked_at_is_accepted_and_the_same_in_every_way() {
    let folder = folder(|_, _, _, _| {});
    let before = accept_all(folder.path(), "2026-12-31", 0);
    let found = summary(folder.path(), "compare accepted-spec.yaml --threads 1", 0);
    assert_eq!(counts(&found), [counts(&before)[1], 0]);
    assert_eq!(found["row_patterns"]["exceptions"], 0);
    let read = |place: &str, name: &str| std::fs::read_to_string(folder.path().join(place).join(name)).expect("a file");
    assert!(!read("out", "diff.csv").contains(",exception,") && !read("out", "accounts.csv").contains(",hold,"));
    for (place, command) in [
        ("many", "compare accepted-spec.yaml --threads 3 --shards 7 --exchange fingerprints"),
        ("judged", "judge out --spec accepted-spec.yaml"),
    ] {
        let again = summary(folder.path(), &format!("{command} --output {place}"), 0);
        for field in ["accepted", "differences", "row_patterns", "broken", "patterns"] {
            assert_eq!(again[field], found[field], "{command}: {field}");
        }
        for name in ["diff.csv", "accounts.csv"] {
            assert_eq!(read(place, name), read("out", name), "{command}: {name}");
        }
    }
}

#[test]
fn what_nobody_has_looked_at_is_not_hidden() {
    let accepted = |more: fn(u64, &mut f64, &mut String, &mut String), exit: i32| {
        let folder = folder(|_, _, _, _| {});
        let before = accept_all(folder.path(), "2026-12-31", 3);
        put_tables(folder.path(), more);
        let found = summary(folder.path(), "compare accepted-spec.yaml", exit);
        (counts(&before)[1], counts(&found), found)
    };
    // A larger change in one row, another column beside it, the other way: of these rows nothing is accepted.
    for (more, lines) in [
        (
            (|row, score, _, _| *score *= if row == 5 { 1.5 } else { 1.0 }) as fn(u64, &mut f64, &mut String, &mut String),
            1,
        ),
        (
            |row, _, _, name| {
                if row == 5 {
                    name.push('!')
                }
            },
            2,
        ),
        (|row, score, _, _| *score *= if row == 5 { 0.5 } else { 1.0 }, 1),
        (
            |row, _, grade, _| {
                if row == 1 {
                    grade.push('!')
                }
            },
            1,
        ),
    ] {
        let (all, [accepted, exceptions], _) = accepted(more, 1);
        assert_eq!(exceptions, lines);
        assert!(accepted == all || accepted + 1 == all, "{accepted} of {all}");
    }
    // A few more rows of the same are accepted; too many open the whole pattern.
    let (all, found, _) = accepted(|row, score, _, _| *score *= if row % 5 == 1 && row < 10 { 1.1 } else { 1.0 }, 0);
    assert_eq!(found, [all + 2, 0]);
    let (_, [_, exceptions], summary) = accepted(|row, score, _, _| *score *= if row % 5 == 1 { 1.1 } else { 1.0 }, 1);
    let broken: Vec<&str> = summary["broken"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(broken.iter().any(|broken| broken.contains("more than its max")), "{broken:?}");
    assert!(exceptions > 200, "{exceptions}");
}

#[test]
fn a_day_ends_an_acceptance_and_a_file_must_be_whole() {
    let folder = folder(|_, _, _, _| {});
    let before = accept_all(folder.path(), "2026-06-01", 0);
    assert_eq!(counts(&summary(folder.path(), "compare accepted-spec.yaml", 0))[1], 0);
    let later = spec("accepted: accepted.yaml\n").replace("2026-06-01", "2026-06-02");
    put(folder.path(), "later.yaml", &later);
    let found = summary(folder.path(), "compare later.yaml", 1);
    assert_eq!(counts(&found), [0, counts(&before)[1]]);
    assert!(
        found["broken"].to_string().contains("is over as of 2026-06-02"),
        "{}",
        found["broken"]
    );
    assert_eq!(found["row_patterns"], before["row_patterns"]);
    let text = std::fs::read_to_string(folder.path().join("accepted.yaml")).expect("a file");
    for (altered, wrong) in [
        (
            text.replace("direction: up", "direction: down"),
            "is not the fingerprint of its changes",
        ),
        (text.replace("by: \"Ann\"", "bye: \"Ann\""), "unknown field"),
    ] {
        put(folder.path(), "accepted.yaml", &altered);
        let got = run(folder.path(), "compare accepted-spec.yaml --overwrite");
        assert!(got.exit == 2 && got.stderr.contains(wrong), "{}", got.stderr);
    }
    std::fs::remove_file(folder.path().join("accepted.yaml")).expect("it is there");
    let got = run(folder.path(), "compare accepted-spec.yaml --overwrite");
    assert!(got.exit == 2 && got.stderr.contains("accepted"), "{}", got.stderr);
}

/// A result without what differs from run to run, a text for each part: `comparison.bin` has the spec with the place of the output.
fn result(folder: &Path, place: &str) -> Vec<String> {
    let read = |name: &str| std::fs::read_to_string(folder.join(place).join(name)).unwrap_or_else(|e| panic!("{place}/{name}: {e}"));
    let mut summary: Value = serde_json::from_str(&read("summary.json")).expect("JSON");
    for field in ["timings", "spec"] {
        summary[field].take();
    }
    summary["files"]["comparison.bin"].take();
    let summary = serde_json::to_string_pretty(&summary).expect("JSON");
    vec![read("diff.csv"), read("accounts.csv"), summary]
}

/// Holds two results equal, and tells the first lines that differ.
fn assert_same(folder: &Path, one: &str, other: &str) {
    for (one, other) in result(folder, one).iter().zip(&result(folder, other)) {
        let differ = one.lines().zip(other.lines()).find(|(one, other)| one != other);
        assert!(one == other, "{differ:?}");
    }
}

/// Exactly at its `max` an acceptance covers, one line above it covers nothing; the workers know neither, the coordinator that merges does.
#[test]
fn a_cluster_accepts_what_one_process_does() {
    let folder = folder(|_, _, _, _| {});
    accept_all(folder.path(), "2026-12-31", 0);
    for (exchange, one_more) in [("rows", false), ("fingerprints", false), ("fingerprints", true)] {
        if one_more {
            put_tables(folder.path(), |row, score, _, _| *score *= if row == 1 { 1.1 } else { 1.0 });
        }
        let exit = i32::from(one_more);
        let here = summary(folder.path(), "compare accepted-spec.yaml --output here", exit);
        assert_eq!(counts(&here)[1] > 0, one_more);
        let state = folder.path().join(format!("state-{exchange}-{one_more}"));
        let cluster = Cluster::start(folder.path(), Place::directory(&state).with("SHADOWDIFF_EXCHANGE", exchange), 2);
        let url = cluster.url();
        let arguments = [
            "compare",
            "accepted-spec.yaml",
            "--output",
            "there",
            "--overwrite",
            "--quiet",
            "--coordinator",
            &url,
        ];
        let got = cluster.client(&arguments);
        assert_eq!(got.exit, exit, "{}\n{}", got.stderr, cluster.logs());
        assert_eq!(
            result(folder.path(), "there"),
            result(folder.path(), "here"),
            "{exchange} {one_more}"
        );
    }
}

/// What was accepted when a job was planned is part of its plan: neither a change of the file nor another coordinator makes it pass or fail.
#[test]
fn a_planned_job_keeps_to_what_was_accepted() {
    let folder = folder(|_, _, _, _| {});
    accept_all(folder.path(), "2026-12-31", 0);
    summary(folder.path(), "compare accepted-spec.yaml --output here", 0);
    put(
        folder.path(),
        "remote-spec.yaml",
        &spec("accepted: accepted.yaml\n").replace("to: out, ", ""),
    );
    let mut cluster = Cluster::start(folder.path(), Place::directory(&folder.path().join("state")), 0);
    let submitted = cluster.client(&["submit", "remote-spec.yaml"]);
    assert_eq!(submitted.exit, 0, "{}", submitted.stderr);
    let job = submitted.stdout.trim().to_owned();
    wait_for("the plan", || cluster.client(&["status", &job]).stdout.contains(": queued"));
    std::fs::remove_file(folder.path().join("accepted.yaml")).expect("it is there");
    cluster.restart_coordinator(None);
    cluster.add_worker(&[], None);
    let watched = cluster.client(&["watch", &job]);
    assert_eq!(watched.exit, 0, "{}{}\n{}", watched.stdout, watched.stderr, cluster.logs());
    assert_eq!(cluster.client(&["results", &job, "--output", "there"]).exit, 0);
    assert_same(folder.path(), "there", "here");
}
