//! What reads bytes that others wrote: each parser of ours with what must hold of any bytes, an error or a value, and never a panic.
//!
//! The same functions are run over the kept corpus and over mutations of it by a test (`tests/all/parsers.rs`), and by the fuzz targets in
//! `fuzz/`, which find new inputs.

use arrow_array::RecordBatch;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::Value;
use shadowdiff_common::comparison_file::{ComparisonHead, read_accounts, read_differences};
use shadowdiff_common::read::csv::open_csv;
use shadowdiff_common::read::json::{JsonLines, JsonShape, open_json, scan_json};
use shadowdiff_common::run::first;
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::state::{Incarnation, JobState, PlanDigest, Source, Stage, State, StoredPlan, TaskInput, read_commit, seal};
use shadowdiff_core::accounts::AccountSet;
use shadowdiff_core::difference::Difference;
use shadowdiff_core::error::Result;
use shadowdiff_core::journal::{Entry, History};
use shadowdiff_core::rejudge::Rejudge;
use shadowdiff_core::spec::{CsvOptions, Day, Overrides, parse, parse_suite};
use shadowdiff_core::stage::ShardRange;
use shadowdiff_core::value::ValueType;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

/// A parser, and the name of its corpus. Blocks of the exchange have none: Arrow's reader panics on bytes that Arrow has not written, so a
/// checksum stands before it.
pub type Parser = (&'static str, fn(&[u8]));

pub const PARSERS: [Parser; 10] = [
    ("accounts", accounts),
    ("commit", commit),
    ("comparison", comparison),
    ("csv", csv),
    ("journal", journal),
    ("json", json),
    ("plan", plan),
    ("run", run),
    ("spec", spec),
    ("tasks", tasks),
];

/// The kept inputs of a parser, each with its file's name.
///
/// # Panics
/// Where they cannot be read.
pub fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("a file of the corpus");
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

/// The document of a spec, which a plan stores, says what the spec says. Of a suite the specs are read too.
pub fn spec(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(suite) = parse_suite(text, "suite", &[]) {
        let _ = suite.members(None, "out");
    }
    match parse(text, "spec", &Overrides::default()) {
        Ok(parsed) => {
            let again = parse(&parsed.document.to_string(), "spec", &Overrides::default()).expect("a document is a spec");
            assert_eq!(again.spec, parsed.spec);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// How many rows are read at a time makes no difference.
pub fn csv(bytes: &[u8]) {
    let options = |number: u8| CsvOptions {
        escape: (number & 1 == 1).then_some(b'\\'),
        delimiter: (number & 2 == 2).then_some(b';'),
        ..CsvOptions::default()
    };
    let (options, text) = match bytes.split_first() {
        Some((number @ 0..4, text)) => (options(*number), text),
        _ => (options(0), bytes),
    };
    let read = |batch_rows: usize| -> Result<(Vec<RecordBatch>, Vec<u64>)> {
        let (mut batches, mut lines) = (Vec::new(), Vec::new());
        for batch in open_csv("f.csv", Box::new(Cursor::new(text.to_vec())), &options, b',', batch_rows)? {
            let batch = batch?;
            assert_eq!(batch.columns.num_rows(), batch.lines.len());
            batches.push(batch.columns);
            lines.extend(batch.lines);
        }
        Ok((batches, lines))
    };
    same(read(2), read(1000));
}

/// What the first reading finds, the second one reads; how many rows are read at a time makes no difference.
pub fn json(bytes: &[u8]) {
    let open = || JsonLines::open("f.json", Box::new(Cursor::new(bytes.to_vec())));
    let Ok(JsonShape::Object(members)) = open().and_then(|lines| scan_json(lines, |_| false)) else {
        return;
    };
    let target: Vec<(String, ValueType)> = members.into_keys().map(|name| (name, ValueType::Text)).collect();
    let read = |batch_rows: usize| -> Result<(Vec<RecordBatch>, Vec<u64>)> {
        let (mut batches, mut lines) = (Vec::new(), Vec::new());
        for batch in open_json(open()?, &target, batch_rows) {
            let batch = batch?;
            lines.push(batch.num_rows() as u64);
            batches.push(batch);
        }
        Ok((batches, vec![lines.iter().sum()]))
    };
    same(read(2), read(1000));
}

type Rows = (Vec<RecordBatch>, Vec<u64>);

fn same(few: Result<Rows>, many: Result<Rows>) {
    let printed = |batches: &[RecordBatch]| -> Vec<String> {
        let rows = |batch: &RecordBatch| {
            (0..batch.num_rows())
                .map(|row| format!("{:?}", batch.slice(row, 1).columns()))
                .collect::<Vec<_>>()
        };
        batches.iter().flat_map(rows).collect()
    };
    match (few, many) {
        (Ok((few, few_lines)), Ok((many, many_lines))) => {
            assert_eq!(few_lines, many_lines);
            assert_eq!(printed(&few), printed(&many));
        }
        // Of several mistakes, which one is met first is another matter.
        (Err(_), Err(_)) => {}
        (few, many) => panic!("{:?} against {:?}", few.map(drop), many.map(drop)),
    }
}

/// A difference that can be read is the same when it is written again.
pub fn run(mut bytes: &[u8]) {
    while let Ok((record, length)) = first(bytes) {
        if let Ok(difference) = Difference::decode(record) {
            let mut again = Vec::new();
            difference.encode(&mut again);
            let again = Difference::decode(&again).expect("what was written can be read");
            // As text: NaN is not itself.
            assert_eq!(format!("{again:?}"), format!("{difference:?}"));
            assert!(difference.account_key().len() <= difference.row_key.len());
            difference.key.values().for_each(drop);
        }
        bytes = &bytes[length..];
    }
}

/// A head that can be read is the same when it is written again; what follows is an error or a value.
pub fn comparison(bytes: &[u8]) {
    let mut from = bytes;
    let Ok(head) = ComparisonHead::read_head(&mut from) else { return };
    let mut again = Vec::new();
    head.write_head(&mut again).expect("a vector takes all");
    let again = ComparisonHead::read_head(&mut again.as_slice()).expect("what was written can be read");
    assert_eq!(format!("{again:?}"), format!("{head:?}"));
    let Ok(parsed) = parse(&head.document.to_string(), "spec", &Overrides::default()) else {
        return;
    };
    let plan = head.plan(&parsed.spec, Day(20_000), (Vec::new(), None), Vec::new());
    let Ok(mut rejudge) = Rejudge::new(&parsed.spec, &parsed.spec, &plan.aligned) else {
        return;
    };
    let scratch = Scratch::new(1 << 20, None).expect("a scratch folder");
    if read_differences(&mut from, &plan, &mut rejudge, &scratch).is_ok() {
        let _ = read_accounts(&mut from, &scratch);
    }
}

/// A set that can be read is the bytes that it was read from.
pub fn accounts(bytes: &[u8]) {
    if let Some(set) = AccountSet::from_packed(bytes.to_vec()) {
        assert_eq!(set.packed(), bytes);
        assert!(!set.is_empty() || !set.contains(b"a"));
        set.contains(bytes);
    }
}

/// An entry a line, applied one after the other.
pub fn journal(bytes: &[u8]) {
    let mut history = History::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(entry) = serde_json::from_slice::<Entry>(line) else {
            continue;
        };
        let again: Entry = serde_json::from_slice(&serde_json::to_vec(&entry).expect("an entry can be written")).expect("and read");
        assert_eq!(again, entry);
        let _ = history.apply(history.next_number, &entry);
    }
}

pub fn plan(bytes: &[u8]) {
    let packed = zstd::bulk::compress(&sealed(bytes), 1).expect("memory takes all");
    let read = with_job(bytes, JobState::plan, packed.into(), async |job| StoredPlan::read(&job).await);
    if let Ok(Some((stored_plan, _))) = read {
        serde_json::to_vec(&stored_plan).expect("a plan can be written");
    }
}

pub fn commit(bytes: &[u8]) {
    let plan = serde_json::from_slice::<Value>(bytes).ok();
    let plan = plan.and_then(|value| Some(PlanDigest::named(value["header"]["plan"].as_str()?)));
    let plan = plan.unwrap_or_else(|| PlanDigest::named("plan"));
    let path = |job: &JobState| job.commit(Stage::Scan, 0);
    let read = with_job(bytes, path, sealed(bytes), async |job| {
        read_commit(&job, &plan, Stage::Scan, 0).await
    });
    if let Ok(Some(commit)) = read {
        serde_json::to_vec(&commit).expect("a commit can be written");
    }
}

pub fn tasks(bytes: &[u8]) {
    let path = |job: &JobState| job.tasks(Stage::Compare, 0);
    for (first, count) in [(0, 1), (0, 1000), (1, u32::MAX - 1)] {
        let place = ShardRange { first, count, parts: 1 };
        let read = with_job(bytes, path, bytes.to_vec().into(), async |job| {
            TaskInput::read(&job, Stage::Compare, place).await
        });
        if let Ok(input) = read {
            let is_known = |source: &Source| source.blocks.iter().all(|block| (block.shard as usize) < input.shards.len());
            assert!(input.sources.iter().all(is_known));
        }
    }
}

/// The record with the seal that it needs; the bytes as they are where they are no record.
fn sealed(bytes: &[u8]) -> Bytes {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(mut record)) => {
            record.remove("digest");
            seal(&record).unwrap_or_else(|_| bytes.to_vec().into())
        }
        _ => bytes.to_vec().into(),
    }
}

/// Reads an object that lies in the state of a job: of the one that a record names, so that it is not refused as another's.
fn with_job<T>(bytes: &[u8], path: impl Fn(&JobState) -> Path, object: Bytes, read: impl AsyncFnOnce(JobState) -> T) -> T {
    let record = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let named = [&record["incarnation"], &record["header"]["incarnation"]]
        .into_iter()
        .find_map(Value::as_str);
    let incarnation = named
        .and_then(Incarnation::parse)
        .unwrap_or_else(|| Incarnation::parse(&"a".repeat(32)).expect("one"));
    // Whoever waits for a better answer of the store waits in a time that is not real.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(async {
        let job = State::new(Arc::new(InMemory::new()), "state".into(), "memory").job("job", &incarnation);
        job.store().put(&path(&job), object.into()).await.expect("memory takes all");
        read(job).await
    })
}
