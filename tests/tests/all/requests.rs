//! The requests that a job makes to a real object store, held to the estimate of its plan.

use crate::cluster::{FILES, wait_for};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use shadowdiff_tests::binary;
use shadowdiff_tests::cluster::{Cluster, StoreServer};
use shadowdiff_tests::rungs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

/// Rows of a file.
const ROWS: usize = 8000;

/// Rows of a Parquet file in two row groups, large enough that its footer is not all of it. Text and order are as good as random.
fn parquet_file(path: &Path, side: &str, file: usize) {
    let all = (ROWS * FILES) as u64;
    let keys: Vec<u64> = (0..ROWS as u64)
        .map(|row| row + (file * ROWS) as u64)
        // 7919 has no divisor in common with the number of rows, so this is another order of the same keys.
        .map(|row| if side == "shadow" { row * 7919 % all } else { row })
        .collect();
    let differs = |key: u64| side == "shadow" && key.is_multiple_of(1000);
    write_rows(path, &keys, differs);
}

/// Of these keys; where it is said, the value is another one.
fn write_rows(path: &Path, keys: &[u64], differs: impl Fn(u64) -> bool) {
    let mix = |n: u64| {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
    };
    let text = |key: u64| (0..8).fold(String::new(), |text, part| format!("{text}{:016x}", mix(mix(key * 8 + part))));
    let value = |key: u64| key as f64 + if differs(key) { 1.0 } else { 0.0 };
    let columns: [(&str, ArrayRef); 4] = [
        (
            "a",
            Arc::new(StringArray::from_iter_values(keys.iter().map(|k| format!("acc{}", k % 101)))),
        ),
        ("k", Arc::new(UInt64Array::from(keys.to_vec()))),
        ("v", Arc::new(Float64Array::from_iter_values(keys.iter().map(|k| value(*k))))),
        ("t", Arc::new(StringArray::from_iter_values(keys.iter().map(|k| text(*k))))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let groups = WriterProperties::builder().set_max_row_group_row_count(Some(ROWS / 2)).build();
    let out = std::fs::File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(out, batch.schema(), Some(groups)).expect("a writer");
    writer.write(&batch).expect("writes");
    writer.close().expect("closes");
}

#[test]
fn requests_to_the_store_stay_close_to_the_estimate_of_the_plan() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = StoreServer::seaweedfs(&folder.path().join("s3"));
    for side in ["live", "shadow"] {
        for file in 0..FILES {
            let path = folder.path().join("part.parquet");
            parquet_file(&path, side, file);
            server.put(&format!("{side}/part-{file}.parquet"), &path);
        }
    }
    for form in ["rows", "fingerprints"] {
        requests_are_as_estimated(folder.path(), &server, form);
    }
}

fn requests_are_as_estimated(folder: &Path, server: &StoreServer, form: &str) {
    let cluster = Cluster::start(folder, server.place.clone().with("SHADOWDIFF_EXCHANGE", form), 2);
    wait_for("both workers", || {
        cluster.workers.iter().all(|worker| worker.log().contains("attached coordinator"))
    });
    let bucket = server.place.url.trim_end_matches("state");
    let (live, shadow) = (format!("{bucket}live/"), format!("{bucket}shadow/"));
    let (before, started) = (server.requests(), Instant::now());
    let run = cluster.client(&["submit", "--live", &live, "--shadow", &shadow, "--key", "a,k", "--token", form]);
    assert_eq!(run.exit, 0, "{}\n{}", run.stderr, cluster.logs());
    assert_eq!(cluster.client(&["watch", form]).exit, 1, "{}", cluster.logs());
    let after = server.requests();
    // Every five seconds a coordinator writes that it is alive, lists the jobs, and looks after each.
    let beats = started.elapsed().as_secs() / 5 + 1;
    let (reads, writes) = (after.0 - before.0 - beats.min(after.0 - before.0), after.1 - before.1 - 2 * beats);
    let status = cluster.client(&["status", form]).stdout;
    let line = status.lines().find(|line| line.contains("reads and")).expect("an estimate");
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let told = format!("{form}: {reads} reads and {writes} writes were made, {beats} beats left out; {line}");
    assert!(reads * 10 <= numbers[0] * 12 && writes * 10 <= numbers[1] * 12, "too many: {told}");
    assert!(
        reads * 2 >= numbers[0] && writes * 2 >= numbers[1],
        "the estimate is too high: {told}"
    );
}

/// Chunks of objects that are the same are found so, by no more requests and bytes than it takes to read them, and no byte of the result changes.
#[test]
fn what_objects_store_the_same_is_not_decoded() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = StoreServer::seaweedfs(&folder.path().join("s3"));
    // Of the second pair most rows differ: a look is of no use.
    for (pair, every) in [("few", 1000), ("most", 1)] {
        for (side, file) in ["live", "shadow"].into_iter().flat_map(|side| (0..2).map(move |file| (side, file))) {
            let keys: Vec<u64> = (0..ROWS as u64).map(|row| row + (file * ROWS) as u64).collect();
            let path = folder.path().join("part.parquet");
            write_rows(&path, &keys, |key| side == "shadow" && key.is_multiple_of(every));
            server.put(&format!("{pair}/{side}/part-{file}.parquet"), &path);
        }
        let ladder = "same-object,same-chunk,same-position,window";
        for more in [&["--exchange", "rows"][..], &["--exchange", "fingerprints"], &["--threads", "1"]] {
            let seen = compared(folder.path(), &server, pair, more);
            let same_chunk = seen.summary["timings"]["rungs"]["same_chunk"]["rows"].as_u64().unwrap_or(0);
            // Of the first row group of a task it shows that its keys are in no order: it is read whole.
            let timings = &seen.summary["timings"];
            assert_eq!(same_chunk > 10_000, pair == "few", "{pair} {more:?}: {timings}");
            for disabled in ["same-chunk", "same-position,window", ladder] {
                let other = compared(folder.path(), &server, pair, &[more, &["--disable", disabled]].concat());
                assert!(other.tables == seen.tables, "{pair} {more:?} without {disabled}: another result");
                let is_off = disabled != "same-position,window";
                let (reads, bytes) = (seen.reads, seen.bytes());
                assert!(
                    !is_off || reads <= other.reads && bytes <= other.bytes(),
                    "{pair} {more:?}: {reads} reads of {bytes} bytes, without {disabled} {} of {}",
                    other.reads,
                    other.bytes()
                );
            }
        }
    }
}

/// What a comparison in one process found, and what it asked of the server.
struct Seen {
    tables: [String; 2],
    summary: serde_json::Value,
    reads: u64,
}

impl Seen {
    /// Of the datasets, by all rungs.
    fn bytes(&self) -> u64 {
        let rungs = self.summary["timings"]["rungs"].as_object().into_iter().flatten();
        rungs.filter_map(|(_, rung)| rung["bytes"].as_u64()).sum()
    }
}

fn compared(folder: &Path, server: &StoreServer, pair: &str, settings: &[&str]) -> Seen {
    let bucket = server.place.url.trim_end_matches("state");
    let (live, shadow) = (format!("{bucket}{pair}/live/"), format!("{bucket}{pair}/shadow/"));
    let arguments = [
        "compare",
        "--live",
        &live,
        "--shadow",
        &shadow,
        "--key",
        "a,k",
        "--output",
        "out",
        "--overwrite",
    ];
    let before = server.requests();
    let mut command = binary::command(folder, &[&arguments, settings].concat());
    command.envs(server.place.environment.iter().cloned());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let run = binary::finish(child.expect("the binary starts")).expect("it ends");
    assert_eq!(run.exit, 1, "{pair} {settings:?}: {}", run.stderr);
    let read = |name: &str| std::fs::read_to_string(folder.join("out").join(name)).expect("a result");
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).expect("json");
    rungs::check(&summary).expect("every row ends on one rung");
    Seen {
        tables: ["diff.csv", "accounts.csv"].map(read),
        summary,
        reads: server.requests().0 - before.0,
    }
}
