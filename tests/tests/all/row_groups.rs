//! Parquet row groups of every length, whose keys come again in others: no rung may say other things than the exchange alone.

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use shadowdiff_tests::binary;
use shadowdiff_tests::random::Random;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Key, `a`, `b`.
type Row = (i64, i64, Option<i64>);

/// A row group after the other.
type Groups = Vec<Vec<Row>>;

const OFF: &str = "same-object,same-chunk,same-position,window";

fn write(path: &Path, groups: &Groups) {
    let batch = |rows: &[Row]| {
        let columns: [(&str, ArrayRef, bool); 3] = [
            ("k", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))), false),
            ("a", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))), false),
            ("b", Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.2))), true),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
    };
    let out = File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(out, batch(&[]).schema(), None).expect("a writer");
    for rows in groups {
        writer.write(&batch(rows)).expect("writes");
        writer.flush().expect("ends the row group");
    }
    writer.close().expect("closes");
}

/// `diff.csv`, and the exit code.
fn compared(folder: &Path, more: &[&str]) -> (String, i32) {
    let mut arguments = vec!["compare", "--live", "live.parquet", "--shadow", "shadow.parquet", "--key", "k"];
    arguments.extend(["--output", "out", "--overwrite", "--quiet", "--threads", "1"]);
    arguments.extend(more);
    let run = binary::run(folder, &arguments).expect("the run ends");
    assert!(run.exit < 2, "{}", run.stderr);
    (std::fs::read_to_string(folder.join("out/diff.csv")).expect("a table"), run.exit)
}

fn sides(folder: &Path, live: &Groups, shadow: &Groups) {
    write(&folder.join("live.parquet"), live);
    write(&folder.join("shadow.parquet"), shadow);
}

/// Of the row group in the middle the rows of key 2 are read without `b`, which both sides store the same there. On either side another row
/// has this key, in which `b` is NULL, and stands where these two would meet it.
#[test]
fn a_row_of_which_a_part_is_read_does_not_pass_for_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let many = |key_2: Row| {
        std::iter::once(key_2)
            .chain((3..100).map(|k| (k, 1, Some(5))))
            .collect::<Vec<Row>>()
    };
    let live = vec![vec![(1, 1, Some(1))], many((2, 1, Some(5))), vec![(2, 2, None), (200, 1, Some(1))]];
    let shadow = vec![vec![(1, 1, Some(1)), (2, 1, None)], many((2, 2, Some(5))), vec![(200, 1, Some(1))]];
    sides(folder.path(), &live, &shadow);
    let (table, exit) = compared(folder.path(), &["--exchange", "rows"]);
    assert_eq!(exit, 1, "{table}");
    assert!(table.lines().any(|line| line.starts_with("2,duplicate_key,,2,2,")), "{table}");
    assert_eq!((table, exit), compared(folder.path(), &["--disable", OFF]));
}

/// Groups of a few rows, cut alike or not; some rows changed, lost, or with the key of a row before or behind them.
fn generated(seed: u64) -> [Groups; 2] {
    let mut random = Random::new(seed);
    let (mut live, mut shadow) = (Groups::new(), Groups::new());
    let mut key = 0;
    for _ in 0..random.between(2, 5) {
        let mut rows: Vec<Row> = Vec::new();
        for _ in 0..random.between(1, 5) {
            key += 1;
            rows.push((key, random.between(1, 2), (!random.percent(30)).then_some(5)));
        }
        let mut others = rows.clone();
        for other in &mut others {
            if random.percent(30) {
                other.1 = 3 - other.1;
            }
            if random.percent(5) {
                other.2 = other.2.xor(Some(5));
            }
        }
        if random.percent(20) {
            others.remove(random.below(rows.len()));
        }
        for side in [&mut rows, &mut others] {
            if random.percent(30) {
                let copy = (random.between(key - 2, key + 1), random.between(1, 2), None);
                let place = *random.pick(&[0, side.len()]);
                side.insert(place, copy);
            }
        }
        live.push(rows);
        shadow.push(others);
    }
    [live, shadow]
}

#[test]
fn rows_of_paired_row_groups_come_to_what_the_exchange_says() {
    let folder = tempfile::tempdir().expect("a folder");
    for seed in 0..200 {
        let [live, shadow] = generated(seed);
        sides(folder.path(), &live, &shadow);
        let by_exchange = compared(folder.path(), &["--disable", OFF]);
        for more in [&["--exchange", "rows"], &["--exchange", "fingerprints"]] {
            assert_eq!(
                compared(folder.path(), more),
                by_exchange,
                "seed {seed} {more:?}: {live:?} {shadow:?}"
            );
        }
    }
}
