//! Ranges of objects and files, and what happens when they change.

use super::*;
use crate::read::dataset::{Format, list};
use crate::read::testing::dataset;
use crate::read::{Selection, open, schema};
use crate::store::Stores;
use crate::store::testing::{FaultyStore, ReadFault};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, GzipLevel};
use ::parquet::file::properties::WriterProperties;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use shadowdiff_core::side::Side;
use std::io::Read;

#[test]
fn ranges_are_cut_and_joined_again() {
    let ranges = [0..10, 20..20, 30..37];
    let parts: Vec<Range<u64>> = ranges.iter().flat_map(|r| cut(r, 4)).collect();
    assert_eq!(parts, [0..4, 4..8, 8..10, 20..20, 30..34, 34..37]);
    let read = parts
        .iter()
        .map(|r| (r.start..r.end).map(|b| b as u8).collect::<Vec<u8>>().into())
        .collect();
    let joined = join(&ranges, read, 4);
    assert_eq!(joined[0].as_ref(), (0..10).collect::<Vec<u8>>());
    assert!(joined[1].is_empty());
    assert_eq!(joined[2].as_ref(), (30..37).collect::<Vec<u8>>());
}

#[test]
fn messages_lose_the_names_of_error_types() {
    assert_eq!(plain("Parquet argument error: Parquet error: no page"), "no page");
}

/// A bucket with one object, and the object as listed.
async fn bucket(name: &str, bytes: Vec<u8>) -> (Arc<InMemory>, Sources, DataFile) {
    let (store, stores) = (Arc::new(InMemory::new()), Stores::new());
    stores.insert("s3://b", store.clone());
    store.put(&name.into(), bytes.into()).await.expect("puts");
    let files = list(
        Side::Live,
        &dataset(&[&format!("s3://b/{name}")]),
        std::path::Path::new("/"),
        &stores,
    )
    .await;
    (
        store,
        Sources::new(Arc::new(stores), Handle::current()),
        files.expect("lists").files.remove(0),
    )
}

fn parquet_bytes(rows: i64) -> Vec<u8> {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let batch = RecordBatch::try_from_iter([("id", column)]).expect("a batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("writes");
    writer.into_inner().expect("bytes")
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_read_by_ranges() {
    let bytes: Vec<u8> = (0..70_000u32).flat_map(u32::to_le_bytes).collect();
    let (_, sources, file) = bucket("d/a.csv", bytes.clone()).await;
    let read = move || {
        let pinned = PinnedFile::open(&file, &sources)?;
        let mut whole = Vec::new();
        pinned.reader(5..pinned.size_bytes()).read_to_end(&mut whole).expect("reads");
        assert!(pinned.read(1..pinned.size_bytes() + 1).is_err());
        Ok::<_, Error>((whole, pinned.read_many(&[8..16, 0..4])?))
    };
    let (whole, ranges) = tokio::task::spawn_blocking(read).await.expect("no panic").expect("reads");
    assert_eq!(whole, bytes[5..]);
    assert_eq!(ranges, [bytes[8..16].to_vec(), bytes[0..4].to_vec()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_changes_under_the_job_is_refused() {
    let (store, sources, file) = bucket("a.parquet", parquet_bytes(100)).await;
    let found = schema(Format::Parquet, &file, &sources).await.expect("a schema");
    assert_eq!(found.rows, Some(100));
    let columns = ["id".to_string()];
    let rows = move |file: DataFile, sources: Sources| {
        let batches: Result<Vec<RecordBatch>> = open(Format::Parquet, &file, &Selection::All, &columns, 30, &sources)?.collect();
        batches.map(|batches| batches.iter().map(RecordBatch::num_rows).sum::<usize>())
    };
    let (again, first, sources_again) = (rows.clone(), file.clone(), sources.clone());
    assert_eq!(
        tokio::task::spawn_blocking(move || again(first, sources_again))
            .await
            .expect("no panic"),
        Ok(100)
    );
    // The same bytes, written again: another object.
    store.put(&"a.parquet".into(), parquet_bytes(100).into()).await.expect("puts");
    let error = tokio::task::spawn_blocking(move || rows(file, sources))
        .await
        .expect("no panic")
        .expect_err("has changed");
    assert!(
        error.to_string().contains("s3://b/a.parquet changed since the job was planned"),
        "{error}"
    );
    assert_eq!(error.kind, shadowdiff_core::error::Kind::Input);
}

/// A page that does not decode is read once more; one that lies so in the store fails by the names of file and column.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_undecodable_is_read_once_more() {
    let bytes = gzip_parquet_bytes(80_000);
    for (damages, fits) in [(0, true), (1, true), (2, false)] {
        let (store, stores) = (Arc::new(FaultyStore::new(&[])), Stores::new());
        stores.insert("s3://b", store.clone());
        store.put(&"a.parquet".into(), bytes.clone().into()).await.expect("puts");
        let listed = list(Side::Live, &dataset(&["s3://b/a.parquet"]), std::path::Path::new("/"), &stores).await;
        let (file, sources) = (
            listed.expect("lists").files.remove(0),
            Sources::new(Arc::new(stores), Handle::current()),
        );
        let read = move || {
            let mut batches = open(Format::Parquet, &file, &Selection::All, &["id".into()], 1000, &sources)?;
            // The footer is read now, the pages are not.
            store.next_reads(&vec![ReadFault::Flipped; damages]);
            batches.try_fold(0, |rows, batch| Ok::<usize, Error>(rows + batch?.num_rows()))
        };
        match tokio::task::spawn_blocking(read).await.expect("no panic") {
            Ok(rows) => assert!(fits && rows == 80_000, "{damages}: {rows} rows"),
            Err(error) => assert!(!fits && error.to_string().contains("a.parquet: column `id`"), "{damages}: {error}"),
        }
    }
}

/// More than is read for the footer, in pages that tell damage.
fn gzip_parquet_bytes(rows: i64) -> Vec<u8> {
    let scattered = (0..rows).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64));
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(scattered));
    let batch = RecordBatch::try_from_iter([("id", column)]).expect("a batch");
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_compression(Compression::GZIP(GzipLevel::default()));
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).expect("a writer");
    writer.write(&batch).expect("writes");
    writer.into_inner().expect("bytes")
}
