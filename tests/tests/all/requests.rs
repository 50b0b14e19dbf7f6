//! The requests that a job makes to a real object store, held to the estimate of its plan.

use crate::cluster::{FILES, wait_for};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use shadowdiff_tests::cluster::{Cluster, StoreServer};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Rows of a Parquet file in two row groups, large enough that its footer is not all of it. Text and order are as good as random.
fn parquet_file(path: &Path, side: &str, file: usize) {
    const ROWS: usize = 8000;
    let mix = |n: u64| {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
    };
    let all = (ROWS * FILES) as u64;
    let keys: Vec<u64> = (0..ROWS as u64)
        .map(|row| row + (file * ROWS) as u64)
        // 7919 has no divisor in common with the number of rows, so this is another order of the same keys.
        .map(|row| if side == "shadow" { row * 7919 % all } else { row })
        .collect();
    let text = |key: u64| (0..8).fold(String::new(), |text, part| format!("{text}{:016x}", mix(mix(key * 8 + part))));
    let value = |key: u64| key as f64 + if side == "shadow" && key.is_multiple_of(1000) { 1.0 } else { 0.0 };
    let columns: [(&str, ArrayRef); 4] = [
        (
            "a",
            Arc::new(StringArray::from_iter_values(keys.iter().map(|k| format!("acc{}", k % 101)))),
        ),
        ("k", Arc::new(UInt64Array::from(keys.clone()))),
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
