//! Suites: every task is compared or named, whatever becomes of the others, and nothing that was not compared passes.

use crate::cluster::wait_for;
use serde_json::Value;
use shadowdiff_tests::binary::{self, Run};
use shadowdiff_tests::cluster::{Cluster, Place};
use shadowdiff_tests::hook::Hook;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use tempfile::TempDir;

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
    std::fs::write(path, text).expect("the file can be written");
}

fn run(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

/// Rows of one task, of which `changed` differ from what live has.
fn rows(changed: u64) -> String {
    let mut text = "id,amount\n".to_owned();
    for row in 1..=40 {
        let amount = row * 10 + u64::from(row <= changed);
        writeln!(text, "{row},{amount}").expect("a string takes all");
    }
    text
}

/// Tasks with so many changed rows each.
fn folder(tasks: &[(&str, u64)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (task, changed) in tasks {
        put(folder.path(), &format!("prod/{task}/part-0.csv"), &rows(0));
        put(folder.path(), &format!("new/{task}/part-0.csv"), &rows(*changed));
    }
    folder
}

const FOUND: &str = "folders: {live: \"prod/{task}/\", shadow: \"new/{task}/\", skip: tmp_*}\n\
                     defaults: {account: id, as_of: 2026-11-01}\n";

fn suite(folder: &Path, arguments: &str, exit: i32) -> Value {
    let got = run(folder, &format!("suite suite.yaml --json --overwrite {arguments}"));
    assert_eq!(got.exit, exit, "{}{}", got.stdout, got.stderr);
    serde_json::from_str(&got.stdout).expect("--json prints the summary")
}

/// The states of the members by name.
fn states(summary: &Value) -> BTreeMap<&str, &str> {
    let tasks = summary["tasks"].as_array().expect("tasks").iter();
    tasks.filter_map(|of| Some((of["name"].as_str()?, of["state"].as_str()?))).collect()
}

#[test]
fn all_tasks_pass_and_each_has_the_result_of_its_own_comparison() {
    let folder = folder(&[("a", 0), ("b", 3)]);
    let rule = "expected: [{name: more, columns: [amount]}]";
    put(
        folder.path(),
        "suite.yaml",
        &format!("{FOUND}tasks: [{{name: b, spec: {{{rule}}}, after: a}}]\n"),
    );
    let summary = suite(folder.path(), "--html r.html --markdown r.md --junit r.xml", 0);
    assert_eq!(
        (&summary["verdict"], &summary["broken"]),
        (&"pass".into(), &Value::Array(Vec::new()))
    );
    let stored = std::fs::read_to_string(folder.path().join("shadowdiff-suite/suite.json")).expect("it is stored");
    assert_eq!(serde_json::from_str::<Value>(&stored).expect("JSON"), summary);
    let alone = format!("live: prod/b/\nshadow: new/b/\naccount: id\nas_of: 2026-11-01\n{rule}\n");
    put(folder.path(), "b.yaml", &alone);
    assert_eq!(run(folder.path(), "compare b.yaml --output alone").exit, 0);
    for file in ["diff.csv", "accounts.csv"] {
        let read = |place: &str| std::fs::read(folder.path().join(place).join(file)).expect("a result");
        assert_eq!(read("alone"), read("shadowdiff-suite/b"), "{file}");
    }
    let cases = std::fs::read_to_string(folder.path().join("r.xml")).expect("test cases");
    assert!(
        cases.contains("<testsuite name=\"a\"") && cases.contains("name=\"more\""),
        "{cases}"
    );
    let again = run(folder.path(), "suite suite.yaml");
    assert!(
        again.exit == 2 && again.stderr.contains("holds the results of a suite"),
        "{}",
        again.stderr
    );
}

#[test]
fn it_goes_on_whatever_fails_and_says_what_stands_behind() {
    let folder = folder(&[("a", 2), ("b", 0), ("broken", 0), ("c", 0), ("tmp_x", 5)]);
    put(folder.path(), "new/broken/part-0.csv", "id,amount\n1\n");
    put(folder.path(), "prod/gone/part-0.csv", &rows(0));
    put(folder.path(), "new/born/part-0.csv", &rows(0));
    put(
        folder.path(),
        "suite.yaml",
        &format!("{FOUND}tasks: [{{name: b, after: [a, gone]}}, {{name: c, after: broken}}]\n"),
    );
    let summary = suite(folder.path(), "", 2);
    let expected = [
        ("a", "fail"),
        ("b", "pass"),
        ("born", "only_in_shadow"),
        ("broken", "error"),
        ("c", "pass"),
        ("gone", "only_in_live"),
    ];
    assert_eq!(states(&summary), BTreeMap::from(expected));
    assert_eq!(summary["verdict"], "fail");
    assert_eq!(summary["skipped"], serde_json::json!(["tmp_x"]));
    let task = |name: &str| {
        summary["tasks"]
            .as_array()
            .expect("tasks")
            .iter()
            .find(|of| of["name"] == name)
            .expect("it is there")
    };
    assert_eq!(task("b")["behind"], serde_json::json!(["a", "gone"]));
    assert!(
        task("broken")["broken"][0].as_str().is_some_and(|why| why.contains("part-0.csv")),
        "{}",
        task("broken")
    );
    std::fs::remove_dir_all(folder.path().join("prod/broken")).expect("removed");
    std::fs::remove_dir_all(folder.path().join("new/broken")).expect("removed");
    put(folder.path(), "suite.yaml", FOUND);
    assert_eq!(suite(folder.path(), "", 1)["verdict"], "fail");
    let told = run(folder.path(), "suite suite.yaml --overwrite");
    assert!(
        told.stdout
            .starts_with("FAIL: of 5 tasks 2 pass, 1 fails, 1 is only in live, 1 is only in shadow\n"),
        "{}",
        told.stdout
    );
}

#[test]
fn what_both_sides_read_must_be_the_same() {
    let folder = folder(&[("a", 0)]);
    let inputs = "same_inputs: [{name: raw, live: raw/, shadow: copy/, account: id}]\n";
    put(folder.path(), "suite.yaml", &format!("{FOUND}{inputs}"));
    put(folder.path(), "raw/x.csv", &rows(0));
    let mut turned: Vec<String> = rows(0).lines().skip(1).map(|line| format!("{line}\n")).collect();
    turned.reverse();
    for (copy, exit) in [
        (rows(0), 0),
        (format!("id,amount\n{}", turned.concat()), 0),
        (rows(1), 1),
        (rows(0) + "1,10\n", 1),
        (rows(0).replace("id,amount", "id,amount,more").replace("0\n", "0,\n"), 1),
    ] {
        put(folder.path(), "copy/x.csv", &copy);
        let summary = suite(folder.path(), "", exit);
        assert_eq!(summary["tasks"][0]["kind"], "same_inputs", "they come first");
        assert_eq!(states(&summary)["raw"], if exit == 0 { "pass" } else { "fail" }, "{copy}");
    }
    // Nothing on both sides proves nothing.
    put(folder.path(), "raw/x.csv", "id,amount\n");
    put(folder.path(), "copy/x.csv", "id,amount\n");
    suite(folder.path(), "", 1);
}

#[test]
fn a_mistake_stops_it_before_anything_runs() {
    let folder = folder(&[("a", 0), ("b", 0)]);
    put(
        folder.path(),
        "specs/b.yaml",
        "live: ../prod/b\nshadow: ../new/b\naccount: id\nkeys: [id]\n",
    );
    put(folder.path(), "taken/a/notes.txt", "mine");
    let listed = "tasks: [{name: a, spec: {live: prod/a, shadow: new/a, account: id}}, {name: b, spec: \"specs/{task}.yaml\"}]\n";
    for (text, arguments, expected) in [
        (listed.to_owned(), "", "specs/b.yaml:4:1: keys: unknown field; did you mean `key`?"),
        (FOUND.replace("new/", "nothing/"), "", "nothing/{task}/ does not exist"),
        (
            FOUND.replace("new/{task}", "new/x-{task}"),
            "",
            "suite.yaml:1:10: folders.shadow: no task is found: nothing is called like `new/x-{task}/`",
        ),
        (
            format!("{FOUND}tasks: [{{name: a, after: b}}, {{name: b, after: a}}]\n"),
            "",
            "in a circle: a, b, a",
        ),
        (
            format!("{FOUND}tasks: [{{name: a, afer: b}}]\n"),
            "",
            "unknown field; did you mean `after`?",
        ),
        (FOUND.to_owned(), "--output taken", "holds `notes.txt`"),
        (FOUND.to_owned(), "--output prod", "touches prod/a/, which is read"),
        (FOUND.to_owned(), "--output .", "which is read"),
        (FOUND.to_owned(), "--set day=1", "--set day is not used"),
        (
            "defaults: {account: id, live: prod/a, shadow: new/a}\ntasks: [{name: x, spec: {noise: {live_again: prod/b}}}, x-noise]\n"
                .to_owned(),
            "",
            "`x` and `x-noise` would write into shadowdiff-suite/x-noise",
        ),
    ] {
        put(folder.path(), "suite.yaml", &text);
        let got = run(folder.path(), &format!("suite suite.yaml --overwrite {arguments}"));
        assert!(
            got.exit == 2 && got.stderr.contains(expected),
            "{expected}:\n{}{}",
            got.stdout,
            got.stderr
        );
        assert!(!folder.path().join("shadowdiff-suite").exists() && !folder.path().join("taken/suite.json").exists());
    }
}

/// A suite has no flags for datasets and accounts, and what its tasks are given stands in its file.
#[test]
fn advice_names_what_a_suite_can_do() {
    let folder = folder(&[("a", 0)]);
    put(folder.path(), "x.yaml", "shadow: new/${t}\n");
    let task = |rest: &str| format!("tasks: [{{name: x, spec: x.yaml{rest}}}]\n");
    for (text, expected) in [
        (
            FOUND.replace("account: id, ", ""),
            "has no `account`; add the column or columns that name a customer\n",
        ),
        (task(""), "has no `account`; add the column or columns that name a customer\n"),
        (task(""), "has no `live`; add the live dataset's directory, glob or files\n"),
        (task(""), "${t} has no value; give it in the task's `set`: {t: VALUE}\n"),
        (
            task(", set: {t: a, u: b}"),
            "x.yaml:1:1: `u` in the task's `set` is not used: the spec has no ${u}",
        ),
    ] {
        put(folder.path(), "suite.yaml", &text);
        let got = run(folder.path(), "suite suite.yaml");
        assert!(got.exit == 2 && got.stderr.contains(expected), "{expected}: {}", got.stderr);
        assert!(!got.stderr.contains("--"), "{}", got.stderr);
    }
    let alone = run(folder.path(), "compare x.yaml --set t=a").stderr;
    assert!(alone.contains("or give --account") && alone.contains("or give --live"), "{alone}");
}

#[test]
fn a_suite_is_shown_again_from_its_summary() {
    let folder = folder(&[("a", 0), ("b", 3)]);
    put(folder.path(), "suite.yaml", FOUND);
    let forms = "--html r.html --markdown r.md --junit r.xml";
    let got = run(folder.path(), &format!("suite suite.yaml --quiet {forms}"));
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect("it is written");
    let files = ["r.html", "r.md", "r.xml"];
    let first = files.map(read);
    let place = "shadowdiff-suite";
    let again = run(folder.path(), &format!("report {place} {forms}"));
    assert_eq!(again.exit, 1, "{}", again.stderr);
    assert!(again.stdout.starts_with("FAIL: of 2 tasks 1 passes, 1 fails\n"), "{}", again.stdout);
    assert!(again.stdout.ends_with("\nResults: shadowdiff-suite\n"), "{}", again.stdout);
    assert!(files.map(read) == first, "the same summary gives the same files");
    let printed = run(folder.path(), &format!("report {place} --json"));
    assert_eq!(
        (printed.exit, printed.stdout.as_bytes()),
        (1, read("shadowdiff-suite/suite.json").as_slice())
    );
    assert_eq!(
        run(folder.path(), "report shadowdiff-suite/a").exit,
        0,
        "a task is a result of its own"
    );
    // What could not be compared is no pass, and no fail either.
    std::fs::write(folder.path().join("new/b/part-0.csv"), "id\n").expect("the file can be written");
    assert_eq!(
        run(folder.path(), "suite suite.yaml --quiet --overwrite").exit,
        run(folder.path(), "report shadowdiff-suite").exit
    );
    put(folder.path(), "shadowdiff-suite/suite.json", "{\"version\": 1, \"name\": \"x\"}");
    let other = run(folder.path(), "report shadowdiff-suite");
    assert!(
        other.exit == 2 && other.stderr.contains("suite.json is not one of this version of shadowdiff"),
        "{}",
        other.stderr
    );
    let none = run(folder.path(), "report new");
    assert!(
        none.exit == 2 && none.stderr.contains("name the directory or URL"),
        "{}",
        none.stderr
    );
}

#[test]
fn the_end_of_a_suite_is_told_once() {
    let folder = folder(&[("a", 0), ("b", 3)]);
    put(folder.path(), "suite.yaml", FOUND);
    let hook = Hook::start(&[204]);
    let url = format!("http://127.0.0.1:{}/t0ken", hook.port);
    for (more, exit, outcome) in [("", 1, "fail"), ("--output prod", 2, "failed")] {
        let got = run(
            folder.path(),
            &format!("suite suite.yaml --quiet --overwrite --notify {url} {more}"),
        );
        assert_eq!(got.exit, exit, "{}", got.stderr);
        let event: Value = serde_json::from_str(&hook.next().expect("it is told").body).expect("JSON");
        assert_eq!(
            (&event["type"], &event["data"]["outcome"]),
            (&"dev.shadowdiff.suite.ended".into(), &outcome.into())
        );
        if outcome == "fail" {
            let data = &event["data"];
            assert_eq!((&data["suite"], &data["result"]), (&"suite".into(), &"shadowdiff-suite".into()));
            assert_eq!((&data["tasks"]["pass"], &data["tasks"]["fail"]), (&1.into(), &1.into()));
            assert_eq!(
                (&data["counts"]["exceptions"], data["broken"].as_array().map(Vec::len)),
                (&3.into(), Some(1))
            );
        }
    }
    assert_eq!(hook.rest(), 0);
    let wrong = run(folder.path(), "suite suite.yaml --overwrite --notify ftp://x");
    assert!(wrong.exit == 2 && wrong.stderr.contains("--notify"), "{}", wrong.stderr);
}

#[test]
fn a_spec_file_is_what_compare_reads() {
    let folder = folder(&[("a", 0)]);
    put(
        folder.path(),
        "specs/x.yaml",
        "live: ../prod/${t}\nshadow: ../new/${t}\naccount: id\noutput: {to: elsewhere, parquet: true}\n",
    );
    put(
        folder.path(),
        "suite.yaml",
        "output: out/${day}\ntasks: [{name: x, spec: specs/x.yaml, set: {t: a}}]\n",
    );
    assert_eq!(suite(folder.path(), "--set day=1", 0)["suite"], "suite");
    let here = folder.path().join("out/1");
    assert!(here.join("x/differences.parquet").exists() && here.join("suite.json").exists());
    assert!(!folder.path().join("specs/elsewhere").exists());
}

#[test]
fn the_summary_depends_on_the_data_alone() {
    let folder = folder(&[("a", 2), ("b", 0), ("c", 7)]);
    put(folder.path(), "suite.yaml", FOUND);
    let runs = ["--threads 1", "--threads 3 --shards 5", "--exchange fingerprints --disable window"];
    let bytes: Vec<Vec<u8>> = runs
        .iter()
        .map(|settings| {
            suite(folder.path(), &format!("--html r.html {settings}"), 1);
            let read = |name: &str| std::fs::read(folder.path().join(name)).expect("it is written");
            [read("shadowdiff-suite/suite.json"), read("r.html")].concat()
        })
        .collect();
    assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_cluster_gives_the_summary_of_one_process_and_jobs_with_labels() {
    let folder = folder(&[("a", 2), ("b", 0), ("broken", 0)]);
    put(folder.path(), "new/broken/part-0.csv", "id,amount\n1\n");
    put(folder.path(), "suite.yaml", &format!("name: nightly\n{FOUND}"));
    let here = suite(folder.path(), "--output here", 2);
    let cluster = Cluster::start(folder.path(), Place::directory(&folder.path().join("state")), 2);
    let got = cluster.client(&[
        "suite",
        "suite.yaml",
        "--json",
        "--output",
        "there",
        "--coordinator",
        &cluster.url(),
    ]);
    assert_eq!(got.exit, 2, "{}\n{}", got.stderr, cluster.logs());
    let there: Value = serde_json::from_str(&got.stdout).expect("JSON");
    assert_eq!(states(&there), states(&here));
    for at in [0, 1] {
        assert_eq!(there["tasks"][at], here["tasks"][at]);
    }
    let read = |place: &str| std::fs::read(folder.path().join(place).join("a/diff.csv")).expect("a result");
    assert_eq!(read("here"), read("there"));
    wait_for("all jobs in the list", || {
        let listed = cluster.client(&["list", "--json", "--label", "suite=nightly"]);
        serde_json::from_str::<Value>(&listed.stdout).is_ok_and(|jobs| jobs.as_array().is_some_and(|jobs| jobs.len() == 3))
    });
    let listed = cluster
        .client(&["list", "--json", "--label", "suite=nightly", "--label", "task=a"])
        .stdout;
    let jobs: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(jobs[0]["labels"], serde_json::json!({"suite": "nightly", "task": "a"}));
    assert_eq!(jobs.as_array().map(Vec::len), Some(1));
    let refused = cluster.client(&["list", "--label", "suite=a b"]);
    assert!(
        refused.exit == 2 && refused.stderr.contains("cannot be a label"),
        "{}",
        refused.stderr
    );
}

#[test]
fn the_page_shows_what_its_command_prints() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the repository");
    let example = repository.join("examples/suite.yaml");
    let got = run(folder.path(), &format!("suite {} --output out/examples", example.display()));
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let page = std::fs::read_to_string(repository.join("docs/suites.md")).expect("the page");
    let shown = page
        .split("<!-- suite -->\n```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    assert_eq!(shown, Some(got.stdout.as_str()));
}
