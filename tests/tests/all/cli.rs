//! The command line: exit codes, what goes to which stream, and errors for input that nobody planned for.

use shadowdiff_tests::binary::{self, Run};
use shadowdiff_tests::cell::{Cell, Table, Type};
use shadowdiff_tests::rungs;
use shadowdiff_tests::write::Layout;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder with two small datasets, `same.csv` equal to `live.csv`, `other.csv` not.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, text) in [
        ("live.csv", "id,v\n1,2\n2,3\n"),
        ("same.csv", "v,id\n3,2\n2,1\n"),
        ("other.csv", "id,v\n1,2\n2,4\n"),
    ] {
        put(folder.path(), name, text);
    }
    folder
}

fn put(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), bytes).expect("the file can be written");
}

fn run(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

const SPEC: &str = "live: live.csv\nshadow: other.csv\naccount: id\noutput: out\n";

#[test]
fn exit_codes_follow_diff() {
    for (shadow, exit) in [("same.csv", 0), ("other.csv", 1), ("nowhere.csv", 2)] {
        let folder = folder();
        let got = run(
            folder.path(),
            &format!("compare --live live.csv --shadow {shadow} --key id --output out"),
        );
        assert_eq!(got.exit, exit, "{}", got.stderr);
    }
}

#[test]
fn a_result_is_three_files() {
    let folder = folder();
    put(folder.path(), "spec.yaml", SPEC);
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    let diff = std::fs::read_to_string(folder.path().join("out/diff.csv")).expect("diff.csv is there");
    assert_eq!(
        diff,
        "id,kind,column,live,shadow,delta,relative_delta,comparator,rule,verdict,diagnosis\n2,changed,v,3,4,1,0.3333333333333333,exact,,exception,\n"
    );
    let accounts = std::fs::read_to_string(folder.path().join("out/accounts.csv")).expect("accounts.csv is there");
    assert_eq!(accounts, "id,rows,expected,exceptions,decision\n2,1,0,1,hold\n");
    {
        let name = "summary.json";
        assert!(folder.path().join("out").join(name).is_file(), "{name} is missing");
    }
}

#[test]
fn only_the_result_goes_to_stdout() {
    let folder = folder();
    let arguments = "compare --live live.csv --shadow other.csv --key id --output out --overwrite";
    let plain = run(folder.path(), arguments);
    assert!(!plain.stdout.trim().is_empty(), "the result is shown");
    assert!(
        !plain.stdout.contains('\u{1b}') && !plain.stderr.contains('\u{1b}'),
        "no colours where there is no terminal"
    );
    let json = run(folder.path(), &format!("{arguments} --json"));
    let summary: serde_json::Value = serde_json::from_str(&json.stdout).expect("--json prints one JSON document");
    assert_eq!(summary["verdict"], "fail");
    assert_eq!(summary["rows"]["changed"], 1);
    let quiet = run(folder.path(), &format!("{arguments} --quiet"));
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_profile_goes_to_stderr_and_stands_in_the_summary() {
    let folder = folder();
    let arguments = "compare --live live.csv --shadow other.csv --key id --output out";
    let got = run(folder.path(), &format!("{arguments} --quiet --profile"));
    assert_eq!((got.exit, got.stdout.as_str()), (1, ""));
    for table in [got.stderr, run(folder.path(), "report out --profile").stderr] {
        let line = table.lines().find(|line| line.starts_with("same-position "));
        assert!(table.starts_with("Profile: ") && line.is_some(), "{table}");
    }
    let text = std::fs::read_to_string(folder.path().join("out/summary.json")).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(&text).expect("json");
    rungs::check(&summary).expect("every row ends on one rung");
    assert_eq!(
        summary["timings"]["rungs"]["same_position"]["rows"], 4,
        "equal rows end in step, and so does the one that has changed"
    );
}

/// Runs that must fail with exit 2, nothing on stdout, one clear error, and no output folder. `x|y` is either.
#[test]
fn bad_input_gets_a_clear_error() {
    let without_spec = "compare --live live.csv --shadow other.csv --output out";
    for (name, arguments, mentions) in [
        ("no such spec", "compare nowhere.yaml --output out".into(), &["nowhere.yaml"][..]),
        ("a directory as spec", "compare sub --output out".into(), &["sub", "directory|file"]),
        ("an empty spec", "compare empty.yaml --output out".into(), &["empty.yaml", "live"]),
        (
            "a spec that is not YAML",
            "compare broken.yaml --output out".into(),
            &["broken.yaml"],
        ),
        (
            "a spec that is not text",
            "compare bytes.yaml --output out".into(),
            &["bytes.yaml", "utf-8"],
        ),
        (
            "an unknown field",
            "compare unknown.yaml --output out".into(),
            &["unknown.yaml:5", "comparater", "comparators"],
        ),
        ("a column that nobody has", format!("{without_spec} --key user"), &["user", "id"]),
        (
            "a format that nobody reads",
            "compare --live notes.doc --shadow live.csv --key id --output out".into(),
            &["notes.doc"],
        ),
        (
            "an output below a file",
            "compare --live live.csv --shadow other.csv --key id --output live.csv/out".into(),
            &["live.csv"],
        ),
        ("an unknown flag", format!("{without_spec} --key id --thread 3"), &["--thread"]),
        ("a --set of nothing", "compare spec.yaml --set day=1 --output out".into(), &["day"]),
        ("a key without a name", without_spec.into(), &["key|account"]),
        ("only one side", "compare --live live.csv --key id --output out".into(), &["shadow"]),
        (
            "a size that is none",
            format!("{without_spec} --key id --memory lots"),
            &["memory", "lots"],
        ),
        (
            "a CSV with bytes that are no text",
            "compare --live live.csv --shadow rot.csv --key id --output out".into(),
            &["rot.csv", "3"],
        ),
        (
            "a CSV with a row too long",
            "compare --live live.csv --shadow long.csv --key id --output out".into(),
            &["long.csv", "3"],
        ),
        (
            "a CSV with an open quote",
            "compare --live live.csv --shadow open.csv --key id --output out".into(),
            &["open.csv"],
        ),
        (
            "an empty CSV",
            "compare --live live.csv --shadow nothing.csv --key id --output out".into(),
            &["nothing.csv"],
        ),
        (
            "a Parquet file that is none",
            "compare --live live.csv --shadow fake.parquet --key id --output out".into(),
            &["fake.parquet"],
        ),
        (
            "a Parquet file cut short",
            "compare --live whole.parquet --shadow cut.parquet --key id --output out".into(),
            &["cut.parquet"],
        ),
        (
            "a Parquet file with rot in its pages",
            "compare --live whole.parquet --shadow rot.parquet --key id --output out".into(),
            &["rot.parquet"],
        ),
        (
            "an empty directory",
            "compare --live live.csv --shadow sub --key id --output out".into(),
            &["sub", "shadow"],
        ),
        (
            "a glob that matches nothing",
            "compare --live live.csv --shadow no*.parquet --key id --output out".into(),
            &["no*.parquet"],
        ),
    ] {
        let folder = folder();
        put_bad_input(folder.path());
        let got = run(folder.path(), &arguments);
        let problem = problem(&got, mentions, folder.path());
        assert!(
            problem.is_none(),
            "{name}: {}: exit {}, stdout {:?}, stderr {:?}",
            problem.unwrap_or_default(),
            got.exit,
            got.stdout,
            got.stderr
        );
    }
}

fn problem(got: &Run, mentions: &[&str], folder: &Path) -> Option<String> {
    let error = got.stderr.to_lowercase();
    let missing = mentions
        .iter()
        .find(|m| !m.split('|').any(|word| error.contains(&word.to_lowercase())));
    match missing {
        _ if got.exit != 2 => Some("want exit 2".into()),
        _ if error.contains("panicked") => Some("it panicked".into()),
        _ if !got.stdout.is_empty() => Some("stdout is not empty".into()),
        _ if folder.join("out").exists() => Some("the output folder exists".into()),
        Some(word) => Some(format!("the error does not mention {word:?}")),
        None => None,
    }
}

fn put_bad_input(folder: &Path) {
    std::fs::create_dir(folder.join("sub")).expect("the folder can be made");
    put(folder, "spec.yaml", SPEC);
    put(folder, "empty.yaml", "");
    put(folder, "broken.yaml", "live: [a\nshadow: }\n");
    put(folder, "bytes.yaml", b"live: \xff\xfe\n");
    put(folder, "unknown.yaml", format!("{SPEC}comparaters: []\n"));
    put(folder, "notes.doc", "id,v\n1,2\n");
    put(folder, "rot.csv", b"id,v\n1,2\n2,\xff\n");
    put(folder, "long.csv", "id,v\n1,2\n2,3,4\n");
    put(folder, "open.csv", "id,v\n1,2\n2,\"3\n");
    put(folder, "nothing.csv", "");
    put(folder, "fake.parquet", "PAR1 but for the rest");
    let rows = (0..500)
        .map(|n| vec![Cell::Int(n), Cell::Text(format!("value {}", n * 7))])
        .collect();
    let table = Table {
        columns: vec![("id".into(), Type::Int { bits: 64, signed: true }), ("v".into(), Type::Text)],
        rows,
    };
    Layout::plain(&table).write(&table, &folder.join("made"));
    let whole = std::fs::read(folder.join("made/part-0.parquet")).expect("the file was written");
    put(folder, "whole.parquet", &whole);
    put(folder, "cut.parquet", &whole[..whole.len() / 2]);
    let mut rotten = whole.clone();
    // The header of the first page.
    rotten[4..12].fill(0xff);
    put(folder, "rot.parquet", &rotten);
}

#[test]
fn a_spec_with_five_mistakes_gets_five_lines() {
    let folder = folder();
    let mistakes = [
        "key: [id, kind]\n",
        "baseline: both\n",
        "comparators:\n  - columns: [v]\n    absolute: -1\n",
        "as_of: 2026-02-30\n",
        "verdict:\n  max_exception: 0\n",
    ];
    put(folder.path(), "spec.yaml", format!("{SPEC}{}", mistakes.concat()));
    let got = run(folder.path(), "compare spec.yaml");
    assert_eq!(got.exit, 2);
    assert_eq!(got.stderr.lines().filter(|l| l.contains("spec.yaml:")).count(), 5, "{}", got.stderr);
}

#[test]
fn an_older_result_stays_unless_asked() {
    let folder = folder();
    put(folder.path(), "spec.yaml", SPEC);
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    let diff = || std::fs::read(folder.path().join("out/diff.csv")).expect("diff.csv is there");
    let before = diff();
    let again = run(folder.path(), "compare spec.yaml --shadow same.csv");
    assert_eq!((again.exit, diff() == before), (2, true), "{}", again.stderr);
    assert!(again.stderr.contains("--overwrite"), "{}", again.stderr);
    assert_eq!(run(folder.path(), "compare spec.yaml --shadow same.csv --overwrite").exit, 0);
    assert_ne!(diff(), before);
    let broken = run(folder.path(), "compare spec.yaml --shadow nowhere.csv --overwrite");
    assert_eq!(broken.exit, 2);
    assert!(folder.path().join("out/diff.csv").is_file(), "a failed run takes nothing away");
}

#[test]
fn inputs_are_only_read_and_nothing_else_is_left() {
    let folder = folder();
    put(folder.path(), "spec.yaml", SPEC);
    let before = names(folder.path());
    run(folder.path(), "compare spec.yaml");
    let mut after = names(folder.path());
    after.retain(|name| name != "out");
    assert_eq!(before, after);
    assert_eq!(
        std::fs::read(folder.path().join("live.csv")).expect("it is still there"),
        b"id,v\n1,2\n2,3\n"
    );
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder can be listed");
    let mut names: Vec<String> = entries
        .map(|e| e.expect("the folder can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    for signal in ["-INT", "-HUP"] {
        interrupt_with(signal);
    }
}

fn interrupt_with(signal: &str) {
    let folder = folder();
    for (name, step) in [("big_live.csv", 1), ("big_shadow.csv", 3)] {
        let mut text = "id,a,b,c\n".to_owned();
        for row in 0..800_000_u64 {
            let _ = writeln!(text, "{},{},text {},{}.5", row * 7919 % 800_011, row * step, row % 97, row);
        }
        put(folder.path(), name, text);
    }
    let before = names(folder.path());
    let arguments = [
        "compare",
        "--live",
        "big_live.csv",
        "--shadow",
        "big_shadow.csv",
        "--key",
        "id",
        "--output",
        "out",
    ];
    let child = binary::command(folder.path(), &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    std::thread::sleep(std::time::Duration::from_millis(250));
    let killed = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .expect("kill can be run");
    assert!(killed.success(), "the run was over before it could be interrupted");
    let run = binary::finish(child).expect("the run ends");
    assert_eq!(run.exit, 130, "{signal}: {}", run.stderr);
    assert_eq!(names(folder.path()), before);
}

/// What the help says is part of the product: `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn help_is_as_in_the_golden_file() {
    let folder = folder();
    let mut now = String::new();
    for command in ["", "compare ", "check ", "init ", "report "] {
        let got = run(folder.path(), &format!("{command}--help"));
        assert_eq!(got.exit, 0, "{command}");
        now += &format!("$ shadowdiff {command}--help\n{}\n", got.stdout);
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/help.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &now).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(path).expect("the golden file");
    assert_eq!(golden, now, "run with UPDATE_GOLDEN=1 if the change is meant");
}

/// Long and wide names, a NULL account, an empty one, and SQL that a line does not hold.
fn wide_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (long, wide) = ("customer_lifetime_value_".repeat(6), "列".repeat(50));
    let head = format!("id,{long}eur,{long}usd,{wide},note,when\n");
    let rows = |note: &str, shift: u8| {
        format!(
            "{head},1,2,3,{note},2026-11-01T10:00:00\n\"\",1,2,3,NULL,2026-11-01T10:00:00\na,{shift},{shift},x{shift},{shift}{},2026-11-01T1{shift}:00:00\n",
            "語 ".repeat(80)
        )
    };
    put(folder.path(), "live.csv", rows("same", 1));
    put(folder.path(), "shadow.csv", rows("", 3) + "b,1,1,1,new,2026-11-01T10:00:00\n");
    let condition = format!(
        "live_row.\"{wide}\" is null or length(shadow_row.\"{wide}\") < {}1",
        "0 + ".repeat(40)
    );
    put(
        folder.path(),
        "wide.yaml",
        format!(
            "live: live.csv\nshadow: shadow.csv\naccount: id\noutput: out\ncomparators: [{{columns: [note], sql: \"live = shadow or {}1 = 2\"}}]\nexpected: [{{name: {}, columns: [{long}eur], where: '{condition}', min: 7}}]\n",
            "1 = 2 or ".repeat(30),
            "long-rule-".repeat(12)
        ),
    );
    folder
}

/// How many columns of a terminal a line of the tests takes.
fn columns(line: &str) -> usize {
    line.chars().map(|c| if c >= '\u{2e80}' { 2 } else { 1 }).sum()
}

#[test]
fn the_summary_fits_80_columns_and_tells_null_from_empty() {
    let folder = wide_folder();
    let got = run(folder.path(), "compare wide.yaml");
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let wide: Vec<&str> = got.stdout.lines().filter(|line| columns(line) > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}\n{}", got.stdout);
    for shown in [
        "FAIL: 7 exceptions, 0 expected differences",
        "Columns: 5 compared, 5 differ",
        "1 in 1 row  NULL",
        "NULL: same -> NULL",
        "missing in live",
        "delta 2h",
    ] {
        assert!(got.stdout.contains(shown), "no {shown:?} in\n{}", got.stdout);
    }
    // Names that differ at their end only are still told apart.
    let words: String = got.stdout.split_whitespace().collect();
    for end in ["eur", "usd"] {
        assert!(words.contains(&format!("{}{end}", "customer_lifetime_value_".repeat(6))), "{end}");
    }
    assert_eq!(run(folder.path(), "report out").stdout, got.stdout);
}

#[test]
fn colours_are_an_addition_to_words() {
    let folder = folder();
    let compare = "compare --live live.csv --shadow other.csv --key id --output out --overwrite";
    let plain = run(folder.path(), compare).stdout;
    let coloured = run(folder.path(), &format!("{compare} --color always")).stdout;
    assert!(coloured.contains("\u{1b}[1;31mFAIL\u{1b}[0m"), "{coloured}");
    let mut stripped = coloured;
    for code in ["\u{1b}[1;31m", "\u{1b}[1;32m", "\u{1b}[1m", "\u{1b}[0m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
    assert_eq!(run(folder.path(), "report out --color never").stdout, plain);
}

#[test]
fn exceptions_are_shown_by_pattern_the_most_frequent_first() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let row = |id: usize, name: &str, v: usize| format!("{id},{name},{v}\n");
    let live: String = (0..9).map(|id| row(id, "Santa Ana", 10)).collect();
    let shadow: String = (0..9)
        .map(|id| row(id, if id < 3 { "Santa Ana Maya" } else { "Santa Ana" }, if id < 5 { 12 } else { 9 }))
        .collect();
    put(folder.path(), "live.csv", format!("id,name,v\n{live}"));
    put(folder.path(), "shadow.csv", format!("id,name,v\n{shadow}"));
    let got = run(folder.path(), "compare --live live.csv --shadow shadow.csv --key id --output out");
    let shown = "\
Exceptions by pattern; of each an example, live -> shadow
           5 v: up
              0: 10 -> 12
           4 v: down
              5: 10 -> 9
           3 name: extended
              0: Santa Ana -> Santa Ana Maya
";
    assert!(got.stdout.contains(shown), "{}", got.stdout);
    assert!(got.stdout.contains("exact, delta -1 to 2\n"), "{}", got.stdout);
    let summary = std::fs::read_to_string(folder.path().join("out/summary.json")).expect("the summary is there");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("the summary is JSON");
    assert_eq!(
        summary["patterns"][0].to_string(),
        r#"{"kind":"changed","column":"v","diagnosis":null,"direction":"up","differing":5,"exceptions":5}"#
    );
    assert_eq!(
        (&summary["schema"]["compared"], summary["columns"][1]["deltas"]["min"].to_string()),
        (&2.into(), "-1".to_owned())
    );
}
