//! Parquet row groups of every length, whose keys come again in others: no rung may say other things than the exchange alone.

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use shadowdiff_tests::binary;
use shadowdiff_tests::random::Random;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Key, and what else the row has.
pub(crate) type Row = (i64, Vec<Option<i64>>);

/// A row group after the other.
pub(crate) type Groups = Vec<Vec<Row>>;

const OFF: &str = "same-object,same-chunk,same-position,window";

/// Columns `k`, `v0`, `v1` and so on.
pub(crate) fn write(path: &Path, groups: &Groups) {
    let width = groups.iter().flatten().next().map_or(0, |row| row.1.len());
    let batch = |rows: &[Row]| {
        let key: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
        let value = |at: usize| -> (String, ArrayRef, bool) {
            let values = rows.iter().map(|row| row.1[at]);
            (format!("v{at}"), Arc::new(Int64Array::from_iter(values)), true)
        };
        let columns = std::iter::once(("k".to_owned(), key, false)).chain((0..width).map(value));
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

/// Of the row group in the middle the rows of key 2 are read without `v1`, which both sides store the same there. On either side another row
/// has this key, in which `v1` is NULL, and stands where these two would meet it.
#[test]
fn a_row_of_which_a_part_is_read_does_not_pass_for_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |key, v0, v1| -> Row { (key, vec![Some(v0), v1]) };
    let many = |key_2: Row| {
        let others = (3..100).map(|key| row(key, 1, Some(5)));
        std::iter::once(key_2).chain(others).collect::<Vec<Row>>()
    };
    let (first, last) = (row(1, 1, Some(1)), row(200, 1, Some(1)));
    let live = vec![vec![first.clone()], many(row(2, 1, Some(5))), vec![row(2, 2, None), last.clone()]];
    let shadow = vec![vec![first, row(2, 1, None)], many(row(2, 2, Some(5))), vec![last]];
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
            let v1 = (!random.percent(30)).then_some(5);
            rows.push((key, vec![Some(random.between(1, 2)), v1]));
        }
        let mut others = rows.clone();
        for other in &mut others {
            if random.percent(30) {
                other.1[0] = other.1[0].map(|v0| 3 - v0);
            }
            if random.percent(5) {
                other.1[1] = other.1[1].xor(Some(5));
            }
        }
        if random.percent(20) {
            others.remove(random.below(rows.len()));
        }
        for side in [&mut rows, &mut others] {
            if random.percent(30) {
                let copy = (random.between(key - 2, key + 1), vec![Some(random.between(1, 2)), None]);
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
