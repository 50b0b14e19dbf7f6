//! The loops that every row or every difference goes through. `cargo bench -p shadowdiff-bench`; a name after that chooses.

use arrow_array::ArrayRef;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use shadowdiff_bench::{ROWS, batch, csv, json};
use shadowdiff_common::exchange::{Object, StoredBlock, encode};
use shadowdiff_common::read::csv::open_csv;
use shadowdiff_common::read::json::{JsonLines, open_json};
use shadowdiff_common::spool::{Piece, Pieces};
use shadowdiff_core::error::Result;
use shadowdiff_core::row::{Form, Hasher, Secret, account_hashes};
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::CsvOptions;
use shadowdiff_core::value::{ValueType, equal, sort_key, value_at};
use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;

/// Fingerprints of rows, by the values as they lie there and by their canonical form; the hash of accounts.
fn rows(criterion: &mut Criterion) {
    let batch = batch();
    let columns: Vec<&ArrayRef> = batch.columns().iter().collect();
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(ROWS as u64));
    for (name, form) in [("plain", Form::Plain), ("canonical", Form::Canonical)] {
        let hasher = Hasher::new(Secret([7; 16]), columns.iter().map(|_| form));
        group.bench_function(format!("fingerprint-{name}"), |bencher| {
            bencher.iter(|| hasher.hash(black_box(&columns), ROWS))
        });
    }
    group.bench_function("account-hash", |bencher| {
        bencher.iter(|| account_hashes(black_box(&batch.columns()[3..]), ROWS))
    });
    group.finish();
}

/// Cells: whether two are equal, and the bytes by which keys are sorted.
fn cells(criterion: &mut Criterion) {
    let batch = batch();
    let mut group = criterion.benchmark_group("cells");
    group.throughput(Throughput::Elements(ROWS as u64));
    for (column, name) in batch.columns().iter().zip(["int", "decimal", "double", "text"]) {
        group.bench_function(format!("equal-{name}"), |bencher| {
            bencher.iter(|| {
                (1..ROWS)
                    .filter(|row| equal(&value_at(column, *row), &value_at(column, row - 1)))
                    .count()
            });
        });
        group.bench_function(format!("sort-key-{name}"), |bencher| {
            bencher.iter_batched_ref(
                Vec::new,
                |keys: &mut Vec<u8>| (0..ROWS).for_each(|row| sort_key(&value_at(column, row), keys)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// Text of both formats into columns.
fn texts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("texts");
    let (csv, json) = (csv(), json());
    group.throughput(Throughput::Bytes(csv.len() as u64));
    group.bench_function("csv", |bencher| {
        bencher.iter(|| {
            let bytes = Box::new(Cursor::new(csv.clone().into_bytes()));
            let reader = open_csv("f.csv", bytes, &CsvOptions::default(), b',', ROWS).expect("a header");
            reader.map(|batch| batch.expect("rows").lines.len()).sum::<usize>()
        });
    });
    group.throughput(Throughput::Bytes(json.len() as u64));
    let fields = ["id", "amount", "ratio", "name"].map(|name| (name.to_owned(), ValueType::Text));
    group.bench_function("json", |bencher| {
        bencher.iter(|| {
            let bytes = Box::new(Cursor::new(json.clone().into_bytes()));
            let lines = JsonLines::open("f.json", bytes).expect("a file");
            open_json(lines, &fields, ROWS).map(|batch| batch.expect("rows").num_rows()).sum::<usize>()
        });
    });
    group.finish();
}

#[derive(Debug)]
struct Memory(Vec<u8>);

impl Pieces for Memory {
    fn read(&self, _: Piece) -> Result<bytes::Bytes> {
        Ok(bytes::Bytes::copy_from_slice(&self.0))
    }
}

/// A block of the exchange, written and read.
fn exchange(criterion: &mut Criterion) {
    let batch = batch();
    let block = encode(&batch).expect("a block");
    let mut group = criterion.benchmark_group("exchange");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("encode", |bencher| bencher.iter(|| encode(black_box(&batch)).expect("a block")));
    let place = StoredBlock {
        shard: 0,
        side: Side::Live as u8,
        piece: Piece::of(&block, 0),
        rows: ROWS as u64,
        bytes: 0,
    };
    let object = Object::stored(Arc::new(Memory(block)), 1, &[place]);
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            object
                .batches(0, Side::Live)
                .map(|batch| batch.expect("a block").len())
                .sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(kernels, rows, cells, texts, exchange);
criterion_main!(kernels);
