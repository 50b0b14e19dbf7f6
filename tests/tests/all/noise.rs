//! What live differs from itself by: it is subtracted where it explains what is found, and hides nothing else.

use serde_json::Value;
use shadowdiff_tests::binary::{self, Run};
use shadowdiff_tests::cluster::{Cluster, Place};
use std::fmt::Write;
use std::path::Path;
use tempfile::TempDir;

const ROWS: u64 = 4_000;

/// A row of a run: its score, tag and the rest.
#[derive(Clone)]
struct Row {
    score: f64,
    tag: &'static str,
    stable: String,
}

/// A run of a task: scores jitter in a tenth of the rows, tags in a fiftieth, by the seed of the run. `change` is what else happens to a row;
/// `None`: it is lost.
fn rows(seed: u64, change: impl Fn(u64, &mut Row) -> bool) -> String {
    let mut text = "id,n,score,tag,stable\n".to_owned();
    for n in 0..ROWS {
        let mut drawn = (seed * ROWS + n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut draw = |of: u64| {
            drawn ^= drawn >> 29;
            drawn = drawn.wrapping_mul(0xbf58_476d_1ce4_e5b9);
            drawn ^= drawn >> 32;
            drawn % of
        };
        let jitter = draw(2001) as f64 / 1e5 - 0.01;
        let mut row = Row {
            score: 1000.5 + n as f64 + if draw(10) == 0 { jitter } else { 0.0 },
            tag: if draw(50) == 0 { ["b", "c"][draw(2) as usize] } else { "a" },
            stable: format!("{}", n * 3),
        };
        if change(n, &mut row) {
            writeln!(text, "{},{n},{},{},{}", n % 61, row.score, row.tag, row.stable).expect("a string takes all");
        }
    }
    text
}

fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the file can be written");
}

fn run(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

fn spec(more: &str) -> String {
    format!(
        "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [n]\nschema: {{score: double}}\nas_of: 2026-11-01\n\
         noise: {{live_again: again.csv}}\noutput: {{to: out, accounts: all, judgeable: true}}\n{more}"
    )
}

fn folder(change: impl Fn(u64, &mut Row) -> bool) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    put(folder.path(), "live.csv", &rows(1, |_, _| true));
    put(folder.path(), "again.csv", &rows(2, |_, _| true));
    put(folder.path(), "shadow.csv", &rows(3, change));
    put(folder.path(), "spec.yaml", &spec("verdict: {noise: subtract}\n"));
    folder
}

fn summary(folder: &Path, arguments: &str, exit: i32) -> Value {
    let got = run(folder, &format!("{arguments} --overwrite --json"));
    assert_eq!(got.exit, exit, "{}{}", got.stdout, got.stderr);
    serde_json::from_str(&got.stdout).expect("--json prints the summary")
}

fn count(summary: &Value, name: &str) -> u64 {
    summary["differences"][name].as_u64().unwrap_or(0)
}

#[test]
fn a_release_that_only_jitters_passes_the_same_in_every_way() {
    let folder = folder(|_, _| true);
    let found = summary(folder.path(), "compare spec.yaml", 0);
    assert!(
        count(&found, "noise") > 500 && count(&found, "exceptions") == 0,
        "{}",
        found["differences"]
    );
    let read = |place: &str, name: &str| std::fs::read_to_string(folder.path().join(place).join(name)).expect("a file");
    assert!(!read("out", "diff.csv").contains(",exception,") && !read("out", "accounts.csv").contains(",hold,"));
    put(
        folder.path(),
        "judge.yaml",
        &spec("verdict: {noise: subtract}\n").replace("again.csv}", "again.csv, result: out-noise}"),
    );
    for (place, command) in [
        ("many", "compare spec.yaml --threads 3 --shards 7 --exchange fingerprints"),
        ("judged", "judge out --spec judge.yaml"),
    ] {
        let again = summary(folder.path(), &format!("{command} --output {place}"), 0);
        for field in ["noise", "differences", "row_patterns", "broken", "patterns"] {
            assert_eq!(again[field], found[field], "{command}: {field}");
        }
        for name in ["diff.csv", "accounts.csv"] {
            assert_eq!(read(place, name), read("out", name), "{command}: {name}");
        }
    }
    // Only told: all of it counts.
    put(folder.path(), "spec.yaml", &spec(""));
    let told = summary(folder.path(), "compare spec.yaml", 1);
    assert_eq!(told["noise"]["units"], found["noise"]["units"]);
    assert_eq!(count(&told, "exceptions"), count(&found, "noise"));
}

/// What a release does to a row; false: the row is lost.
type Release = fn(u64, &mut Row) -> bool;

#[test]
fn noise_hides_nothing_that_it_does_not_explain() {
    let releases: [(&str, Release, u64); 9] = [
        (
            "a tag that live never has",
            |n, row| {
                row.tag = if n == 17 { "z" } else { row.tag };
                true
            },
            1,
        ),
        ("a lost row", |n, _| n != 17, 1),
        (
            "a cell of a column that is stable",
            |n, row| {
                if n == 17 {
                    row.stable.push('0');
                }
                true
            },
            1,
        ),
        (
            "a delta larger than live has from itself",
            |n, row| {
                row.score += if n == 17 { 0.5 } else { 0.0 };
                true
            },
            1,
        ),
        (
            "a shift no larger than the jitter, in every row",
            |_, row| {
                row.score += 0.005;
                true
            },
            1_000,
        ),
        (
            "a shift no larger than the jitter, in some more rows than jitter",
            |n, row| {
                row.score += if n % 20 == 3 { 0.009 } else { 0.0 };
                true
            },
            200,
        ),
        (
            "a tag in many rows",
            |n, row| {
                row.tag = if n % 10 == 3 { "b" } else { row.tag };
                true
            },
            400,
        ),
        (
            "a score that is gone",
            |n, row| {
                row.score = if n == 17 { f64::NAN } else { row.score };
                true
            },
            1,
        ),
        (
            "a tag that is gone",
            |n, row| {
                row.tag = if n == 17 { "" } else { row.tag };
                true
            },
            1,
        ),
    ];
    for (what, release, exceptions) in releases {
        let folder = folder(release);
        let found = summary(folder.path(), "compare spec.yaml", 1);
        assert!(count(&found, "exceptions") >= exceptions, "{what}: {}", found["differences"]);
    }
}

#[test]
fn only_noise_of_the_same_comparison_is_subtracted() {
    let folder = folder(|_, _| true);
    summary(folder.path(), "compare spec.yaml", 0);
    let by_result = |more: &str| spec(more).replace("live_again: again.csv", "result: out-noise");
    put(folder.path(), "spec.yaml", &by_result("verdict: {noise: subtract}\n"));
    summary(folder.path(), "compare spec.yaml", 0);
    for (more, expected) in [
        (
            "verdict: {noise: subtract}\ncomparators: [{columns: [score], absolute: 1}]\n",
            "comparators differs",
        ),
        ("verdict: {noise: subtract}\nwhere: \"n > 5\"\n", "how live is read differs"),
        (
            "verdict: {noise: subtract}\nexpected: [{name: r, columns: [tag]}]\n",
            "expected differs",
        ),
    ] {
        put(folder.path(), "spec.yaml", &by_result(more));
        let got = run(folder.path(), "compare spec.yaml --overwrite");
        assert!(got.exit == 2 && got.stderr.contains(expected), "{expected}: {}", got.stderr);
    }
    put(folder.path(), "spec.yaml", &by_result("verdict: {noise: subtract}\n"));
    put(folder.path(), "live.csv", &rows(1, |n, _| n != 5));
    let got = run(folder.path(), "compare spec.yaml --overwrite");
    assert!(got.exit == 2 && got.stderr.contains("is of other live data"), "{}", got.stderr);
    put(
        folder.path(),
        "spec.yaml",
        &spec("verdict: {noise: subtract}\n").replace("noise: {live_again: again.csv}\n", ""),
    );
    let got = run(folder.path(), "compare spec.yaml --overwrite");
    assert!(
        got.exit == 2 && got.stderr.contains("there is no `noise` to subtract"),
        "{}",
        got.stderr
    );
}

/// A copy of shadow, shadow written twice, a second run of shadow's version: what a release changes is the same in both, and no noise.
#[test]
fn a_second_run_of_shadow_is_none_of_live() {
    let releases: [(&str, Release); 4] = [
        ("twenty cells", |n, row| {
            row.stable.push_str(if n % 200 == 17 { "0" } else { "" });
            true
        }),
        ("all texts", |_, row| {
            row.stable.push('0');
            true
        }),
        ("some numbers", |n, row| {
            row.score += if n % 40 == 3 { 100.0 } else { 0.0 };
            true
        }),
        ("few values", |n, row| {
            row.tag = if n % 3 == 1 { "b" } else { row.tag };
            true
        }),
    ];
    for (what, release) in releases {
        // The same draws, but for the file's name; and others, which repeat what the release has changed.
        for (seed, more) in [(3, ""), (3, "spreadsheet_safe: true, "), (4, "")] {
            let folder = folder(release);
            put(folder.path(), "again.csv", &rows(seed, release));
            let spec = spec("verdict: {noise: subtract}\n").replace("{to: out, ", &format!("{{to: out, {more}"));
            put(folder.path(), "spec.yaml", &spec);
            let found = summary(folder.path(), "compare spec.yaml", 1);
            let units = found["noise"]["units"].as_array().expect("units");
            let of_release = |unit: &&Value| match what {
                "some numbers" => unit["column"] == "score" && (seed == 3 || unit["largest"].as_f64() > Some(1.0)),
                "few values" => unit["column"] == "tag",
                _ => unit["column"] == "stable",
            };
            let of_release: Vec<&Value> = units.iter().filter(of_release).collect();
            assert!(!of_release.is_empty(), "{what}, {seed}");
            for unit in of_release {
                let excess = unit["excess"].as_str().unwrap_or_default();
                assert!(
                    excess.contains("the second run is nearer to the value of shadow"),
                    "{what}, {seed}: {unit}"
                );
            }
        }
    }
}

/// However little differs, a copy of shadow explains none of it.
#[test]
fn a_copy_of_shadow_explains_nothing() {
    let folder = folder(|_, _| true);
    let release = |cells: u64| {
        rows(1, |n, row| {
            row.stable.push_str(if n < cells { "0" } else { "" });
            row.score += if n < cells { 7.0 } else { 0.0 };
            true
        })
    };
    for cells in [1, 2, 15, 1_000] {
        put(folder.path(), "shadow.csv", &release(cells));
        for again in [release(cells), in_other_types(&release(cells)), in_few_digits(&release(cells))] {
            put(folder.path(), "again.csv", &again);
            let found = summary(folder.path(), "compare spec.yaml", 1);
            assert_eq!((count(&found, "exceptions"), count(&found, "noise")), (2 * cells, 0), "{cells}");
        }
    }
}

/// The same rows with other digits, which make other types of them: keys as `17.0`, scores with few and with many digits.
fn in_other_types(rows: &str) -> String {
    written(rows, |fields, score| {
        format!("{},{}.0,{score:.6},{},{}.00", fields[0], fields[1], fields[3], fields[4])
    })
}

/// The same rows, with scores in whole numbers: all of them differ from live's.
fn in_few_digits(rows: &str) -> String {
    written(rows, |fields, score| {
        format!("{},{},{score:.0},{},{}", fields[0], fields[1], fields[3], fields[4])
    })
}

/// Rows written anew, each from its fields and its score.
fn written(rows: &str, write: impl Fn(&[&str], f64) -> String) -> String {
    let mut lines = rows.lines();
    let header = lines.next().unwrap_or_default().to_owned();
    lines.fold(header, |text, line| {
        let fields: Vec<&str> = line.split(',').collect();
        let score: f64 = fields[2].parse().expect("a score");
        text + "\n" + &write(&fields, score)
    })
}

#[test]
fn shadow_is_no_second_run_of_live() {
    for again in ["shadow.csv", "./shadow.csv", "*.csv"] {
        let folder = folder(|_, row| {
            row.score += 100.0;
            true
        });
        let named = spec("verdict: {noise: subtract}\n").replace("live_again: again.csv", &format!("live_again: \"{again}\""));
        put(folder.path(), "spec.yaml", &named);
        let got = run(folder.path(), "compare spec.yaml --overwrite");
        assert_eq!(got.exit, 2, "{again}: {}", got.stdout);
        assert!(got.stderr.contains("shadow.csv`, which shadow reads too"), "{}", got.stderr);
        assert!(!folder.path().join("out").exists(), "nothing is published");
    }
}

/// What a rule covers is neither noise nor counted as such: a release that is meant to move what jitters is judged by what is left.
/// What jitters is for no rule; what the release does is.
#[test]
fn nothing_is_suggested_for_noise() {
    let folder = folder(|n, row| {
        if n % 8 == 0 {
            row.stable = format!("{}", n * 3 + 7);
        }
        true
    });
    put(folder.path(), "spec.yaml", &spec(""));
    assert_eq!(run(folder.path(), "compare spec.yaml --overwrite").exit, 1);
    let named = spec("").replace("again.csv}", "again.csv, result: out-noise}");
    put(folder.path(), "spec.yaml", &named);
    let told = run(folder.path(), "suggest out --spec spec.yaml --json");
    let told: Value = serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stderr));
    assert!(told["like_noise"].as_u64().is_some_and(|lines| lines > 300), "{told}");
    let yaml = told["suggestions"].to_string() + &told["left_out"].to_string();
    assert!(
        yaml.contains("[stable]") && !yaml.contains("[score]") && !yaml.contains("[tag]"),
        "{yaml}"
    );
    let shown = run(folder.path(), "suggest out --spec spec.yaml").stdout;
    assert!(shown.contains("live differs from itself"), "{shown}");
}

#[test]
fn rules_come_before_noise() {
    let folder = folder(|n, row| {
        row.score += if n % 61 == 7 { 3.0 } else { 0.0 };
        true
    });
    let rule = "expected: [{name: raised, accounts: {list: [7]}, columns: [score], min: 60}]\n";
    put(folder.path(), "spec.yaml", &spec(&format!("verdict: {{noise: subtract}}\n{rule}")));
    let found = summary(folder.path(), "compare spec.yaml", 0);
    assert!(
        count(&found, "expected") >= 60 && count(&found, "noise") > 400,
        "{}",
        found["differences"]
    );
}

#[test]
fn a_cluster_subtracts_what_one_process_does() {
    let folder = folder(|n, _| n != 17);
    let found = summary(folder.path(), "compare spec.yaml --output here", 1);
    let cluster = Cluster::start(folder.path(), Place::directory(&folder.path().join("state")), 2);
    let got = cluster.client(&[
        "compare",
        "spec.yaml",
        "--json",
        "--output",
        "there",
        "--coordinator",
        &cluster.url(),
    ]);
    assert_eq!(got.exit, 1, "{}\n{}", got.stderr, cluster.logs());
    let there: Value = serde_json::from_str(&got.stdout).expect("JSON");
    for field in ["noise", "differences", "broken", "rows"] {
        assert_eq!(there[field], found[field], "{field}");
    }
    let read = |place: &str| std::fs::read_to_string(folder.path().join(place).join("diff.csv")).expect("a result");
    assert!(read("here") == read("there"), "diff.csv differs");
    put(
        folder.path(),
        "remote.yaml",
        &spec("verdict: {noise: subtract}\n").replace("to: out, ", ""),
    );
    let refused = cluster.client(&["submit", "remote.yaml"]);
    let job = refused.stdout.trim().to_owned();
    let watched = cluster.client(&["watch", &job]);
    assert!(watched.stderr.contains("names no result"), "{}{}", refused.stderr, watched.stderr);
}
