//! Rows without a partner, of which a part is read again: whatever is learnt of few of them, the result is that of whole rows.

use crate::row_groups::{Groups, Row, write};
use shadowdiff_tests::cluster::{Cluster, Place};
use shadowdiff_tests::random::Random;
use shadowdiff_tests::{binary, limits};
use std::path::Path;
use std::time::Duration;

/// Values besides the key.
const WIDTH: usize = 6;

/// Rows of both sides, shadow's in another order. Many differ in one column, few in another; some are alone, some keys come again.
fn generated(random: &mut Random) -> [Vec<Row>; 2] {
    let (often, seldom) = (random.below(WIDTH), random.below(WIDTH));
    let (mut live, mut shadow) = (Vec::new(), Vec::new());
    for key in 0..random.between(2, 60) {
        let row = |random: &mut Random| -> Row {
            let value = |_| (!random.percent(20)).then(|| random.between(1, 3));
            (key, (0..WIDTH).map(value).collect())
        };
        let one = row(random);
        let mut other = one.clone();
        for (column, percent) in [(often, 40), (seldom, 8)] {
            if random.percent(percent) {
                other.1[column] = Some(random.between(1, 4));
            }
        }
        // The same values in other columns.
        if random.percent(5) {
            other.1.rotate_left(1);
        }
        live.push(one);
        shadow.push(other);
        match random.below(20) {
            0 => drop(live.pop()),
            1 => drop(shadow.pop()),
            2 => live.push(row(random)),
            3 => shadow.push(row(random)),
            _ => {}
        }
    }
    random.shuffle(&mut shadow);
    [live, shadow]
}

fn groups(random: &mut Random, rows: &[Row]) -> Groups {
    let length = random.between(1, 20) as usize;
    rows.chunks(length).map(<[Row]>::to_vec).collect()
}

/// The files of a result that tell of rows, and the exit code.
fn compared(folder: &Path, limits: Option<u64>, more: &[&str]) -> (Vec<String>, i32) {
    let mut arguments = vec!["compare", "spec.yaml", "--output", "out", "--overwrite", "--quiet"];
    arguments.extend(more);
    let run = binary::run_within(limits, folder, &arguments).expect("the run ends");
    assert!(run.exit < 2, "{}", run.stderr);
    let table = |name: &str| std::fs::read_to_string(folder.join("out").join(name)).expect("a table");
    (["diff.csv", "accounts.csv"].map(table).into(), run.exit)
}

#[test]
fn what_is_read_in_part_comes_to_what_is_read_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let [live, shadow] = generated(&mut random);
        for (name, rows) in [("live.parquet", &live), ("shadow.parquet", &shadow)] {
            write(&folder.path().join(name), &groups(&mut random, rows));
        }
        let comparators = *random.pick(&["", "comparators:\n- {columns: [v0, v3], absolute: 1}\n"]);
        let spec = format!("live: live.parquet\nshadow: shadow.parquet\nkey: [k]\naccount: k\n{comparators}");
        std::fs::write(folder.path().join("spec.yaml"), spec).expect("a spec");
        let whole = compared(folder.path(), None, &["--exchange", "rows"]);
        for limits in [None, Some(seed), Some(seed + 1000)] {
            let in_part = compared(folder.path(), limits, &["--exchange", "fingerprints"]);
            assert_eq!(in_part, whole, "seed {seed}, limits {limits:?}");
        }
    }
}

/// What `--profile` says is read again: of 40 columns the key and the one that differs.
#[test]
fn of_wide_rows_only_the_columns_that_differ_are_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = |is_shadow: bool| -> Vec<Row> {
        let row = |key: i64| {
            let value = |column: i64| Some(key * 1000 + column + i64::from(is_shadow && column == 7 && key % 50 == 0));
            (key, (0..40).map(value).collect())
        };
        (0..2000).map(row).collect()
    };
    let mut shadow = rows(true);
    Random::new(1).shuffle(&mut shadow);
    for (name, rows) in [("live.parquet", rows(false)), ("shadow.parquet", shadow)] {
        write(&folder.path().join(name), &rows.chunks(500).map(<[Row]>::to_vec).collect());
    }
    let spec = "live: live.parquet\nshadow: shadow.parquet\nkey: [k]\naccount: k\n";
    std::fs::write(folder.path().join("spec.yaml"), spec).expect("a spec");
    let reread_bytes = || {
        let text = std::fs::read_to_string(folder.path().join("out/summary.json")).expect("a summary");
        let summary: serde_json::Value = serde_json::from_str(&text).expect("json");
        let bytes = |rung: &str| summary["timings"]["rungs"][rung]["bytes"].as_u64().expect("bytes");
        (bytes("reread"), bytes("match"))
    };
    compared(folder.path(), None, &["--exchange", "fingerprints"]);
    let (reread, scanned) = reread_bytes();
    // Of so small files the footers, which are read each time, are most of it.
    assert!(reread * 4 < scanned, "{reread} bytes are read again, {scanned} were read");
}

/// Two thousand keys, shadow's in another order: one column differs in many rows, one in three.
fn write_pair(folder: &Path) {
    let rows = |is_shadow: bool| -> Vec<Row> {
        let row = |key: i64| {
            let differs = |column: i64| is_shadow && ((column == 0 && key % 7 == 0) || (column == 3 && key % 667 == 1));
            let value = |column: i64| Some(key + column + i64::from(differs(column)));
            (key, (0..WIDTH as i64).map(value).collect())
        };
        (0..2000).map(row).collect()
    };
    let mut shadow = rows(true);
    Random::new(3).shuffle(&mut shadow);
    for (side, rows) in [("live", rows(false)), ("shadow", shadow)] {
        std::fs::create_dir(folder.join(side)).expect("a folder");
        for (number, rows) in rows.chunks(700).enumerate() {
            let groups: Groups = rows.chunks(200).map(<[Row]>::to_vec).collect();
            write(&folder.join(format!("{side}/part-{number}.parquet")), &groups);
        }
    }
    let spec = "live: live\nshadow: shadow\nkey: [k]\naccount: k\n";
    std::fs::write(folder.join("spec.yaml"), spec).expect("a spec");
}

/// Workers draw so few rows that they mostly miss the column that seldom differs. Where they do not, no row is read whole: then once more.
#[test]
fn rows_that_must_be_read_whole_are_whoever_is_killed() {
    const PATIENCE: Duration = Duration::from_secs(60);
    let folder = tempfile::tempdir().expect("a folder");
    write_pair(folder.path());
    let (whole, exit) = compared(folder.path(), None, &["--exchange", "rows"]);
    assert_eq!(exit, 1);
    let seed = (0..).find(|seed| limits::drawn(*seed).drawn_cells == 200).expect("one of many");
    let points = ["reread:after-commit", "reread-whole:before-commit", "compare-whole:before-store"];
    let stages = ["compare:stage-done", "reread-whole:stage-done"];
    for (point, is_worker) in points
        .map(|point| (point, true))
        .into_iter()
        .chain(stages.map(|point| (point, false)))
    {
        let is_met = (0..5).any(|attempt| {
            let state = folder.path().join(format!("state-{}-{attempt}", point.replace(':', "-")));
            let place = Place::directory(&state)
                .with("SHADOWDIFF_EXCHANGE", "fingerprints")
                .with("SHADOWDIFF_LIMITS", &seed.to_string());
            let fault = format!("{point}=kill");
            let mut cluster = Cluster::start_with(folder.path(), place, 0, (!is_worker).then_some(fault.as_str()));
            // All have the limits, which only the program with faults reads.
            cluster.add_worker(&[], Some(if is_worker { &fault } else { "nowhere=kill" }));
            let run = cluster.client(&["submit", "spec.yaml"]);
            assert_eq!(run.exit, 0, "{}", run.stderr);
            let job = run.stdout.trim().to_owned();
            let is_met = match is_worker {
                true => cluster.workers[0].ends_within(PATIENCE / 6),
                false => cluster.coordinator.ends_within(PATIENCE / 6),
            };
            match (is_met, is_worker) {
                (true, true) => cluster.add_worker(&[], Some("nowhere=kill")),
                (true, false) => cluster.restart_coordinator(None),
                (false, _) => {}
            }
            let fetched = format!("fetched-{attempt}");
            assert_eq!(cluster.client(&["watch", &job]).exit, 1, "{point}\n{}", cluster.logs());
            let run = cluster.client(&["results", &job, "--output", &fetched, "--overwrite"]);
            assert_eq!(run.exit, 1, "{}", run.stderr);
            let table = |name: &str| std::fs::read_to_string(folder.path().join(&fetched).join(name)).expect("a table");
            assert_eq!(["diff.csv", "accounts.csv"].map(table).to_vec(), whole, "{point}");
            is_met
        });
        assert!(is_met, "{point} was never met");
    }
}
