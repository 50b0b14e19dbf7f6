//! Parquet files of every kind, well-formed and broken.

use super::{StoredFile, is_same};
use crate::read::dataset::Format;
use crate::read::testing::{Folder, read_all, sources};
use crate::read::{Selection, open, schema};
use ::parquet::arrow::ArrowWriter;
use ::parquet::data_type::{Int96, Int96Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, Time32MillisecondArray};
use arrow_schema::{DataType, TimeUnit};
use shadowdiff_core::value::ValueType;
use std::sync::Arc;

fn two_columns(rows: i64) -> RecordBatch {
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let name: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|i| format!("name {i}"))));
    RecordBatch::try_from_iter([("id", id), ("name", name)]).expect("a batch")
}

fn written(batch: &RecordBatch, group_rows: usize) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a writer");
    writer.write(batch).expect("writes");
    writer.close().expect("closes");
    bytes
}

/// One INT96 column of days and nanoseconds.
fn int96_file(values: &[(u32, u64)]) -> Vec<u8> {
    let message = parse_message_type("message m { OPTIONAL INT96 t; }").expect("a schema");
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(message), Arc::default()).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let mut column = group.next_column().expect("no error").expect("a column");
    let values: Vec<Int96> = values
        .iter()
        .map(|(day, nanos)| {
            let mut value = Int96::new();
            value.set_data(*nanos as u32, (*nanos >> 32) as u32, *day);
            value
        })
        .collect();
    let levels = vec![1; values.len()];
    column
        .typed::<Int96Type>()
        .write_batch(&values, Some(&levels), None)
        .expect("writes");
    column.close().expect("closes");
    group.close().expect("closes");
    writer.close().expect("closes");
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_chosen_across_row_groups() {
    let folder = Folder::new();
    let file = folder.file("a.parquet", &written(&two_columns(10), 4)).await;
    for rows in [vec![], vec![0], vec![9], vec![3, 4], vec![1, 2, 6, 8, 9], (0..10).collect()] {
        let selection = Selection::Rows {
            groups: vec![0, 1, 2],
            rows: rows.clone(),
        };
        for batch_rows in [1, 3, 100] {
            let batches = read_all(Format::Parquet, &file, selection.clone(), &["id", "name"], batch_rows)
                .await
                .expect("reads");
            let ids = batches.iter().flat_map(|b| b["id"].as_primitive::<Int64Type>().values().to_vec());
            assert_eq!(ids.map(|id| id as u64).collect::<Vec<_>>(), rows);
        }
    }
    let other = Selection::Rows {
        groups: vec![2, 0],
        rows: vec![1, 4],
    };
    let batches = read_all(Format::Parquet, &file, other, &["id"], 100).await.expect("reads");
    let ids: Vec<i64> = batches
        .iter()
        .flat_map(|b| b["id"].as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(ids, [9, 2], "numbers count the rows of the groups that are read, in their order");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_the_same_by_type_counts_and_bytes() {
    let folder = Folder::new();
    let decimals = |precision: u8, values: [i128; 4]| -> ArrayRef {
        Arc::new(
            Decimal128Array::from_iter_values(values)
                .with_precision_and_scale(precision, 0)
                .expect("a type"),
        )
    };
    let column = |array: ArrayRef| RecordBatch::try_from_iter([("c", array)]).expect("a batch");
    let longs = |values: [i64; 4]| -> ArrayRef { Arc::new(Int64Array::from_iter_values(values)) };
    let doubles: ArrayRef = Arc::new(Float64Array::from_iter_values([0.5, 1.0, 2.0, 4.0]));
    let times: ArrayRef = Arc::new(Time32MillisecondArray::from_iter_values([1, 2, 3, 4]));
    let stored = |name: &'static str, array: ArrayRef, group_rows: usize| {
        let folder = &folder;
        async move {
            let file = folder.file(&format!("{name}.parquet"), &written(&column(array), group_rows)).await;
            tokio::task::spawn_blocking(move || StoredFile::open(&file, &sources()).expect("opens"))
                .await
                .expect("joins")
        }
    };
    let is_like = |a: &StoredFile, b: &StoredFile| {
        let rows = a.rows(0) == b.rows(0);
        rows && is_same((a, 0), (b, 0), (0, 0), false).expect("reads")
    };
    let one = stored("1", longs([1, 2, 3, 4]), 4).await;
    assert!(is_like(&one, &stored("2", longs([1, 2, 3, 4]), 4).await));
    assert!(!is_like(&one, &stored("3", longs([1, 2, 3, 5]), 4).await), "another value");
    assert!(!is_like(&one, &stored("4", longs([1, 2, 3, 4]), 2).await), "fewer rows");
    assert!(!is_like(&one, &stored("5", doubles, 4).await), "another type");
    let digits = stored("6", decimals(5, [1, 2, 3, 4]), 4).await;
    assert!(is_like(&digits, &stored("7", decimals(5, [1, 2, 3, 4]), 4).await));
    assert!(
        !is_like(&digits, &stored("8", decimals(6, [1, 2, 3, 4]), 4).await),
        "another precision"
    );
    let day = stored("9", Arc::clone(&times), 4).await;
    assert!(
        !is_like(&day, &stored("10", times, 4).await),
        "a reader checks that it is a time of a day"
    );
    assert_eq!(one.place("c", &ValueType::Int { bits: 64, signed: true }), Some(0));
    assert_eq!(one.place("c", &ValueType::Text), None, "reading it as text converts");
    assert_eq!(one.place("d", &ValueType::Int { bits: 64, signed: true }), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_groups_and_columns_are_chosen() {
    let folder = Folder::new();
    let file = folder.file("a.parquet", &written(&two_columns(10), 4)).await;
    let found = schema(Format::Parquet, &file, &sources()).await.expect("a schema");
    assert_eq!(found.row_groups.iter().map(|g| g.rows).collect::<Vec<_>>(), [4, 4, 2]);
    assert_eq!(found.rows, Some(10));
    let batches = read_all(Format::Parquet, &file, Selection::RowGroups(vec![2, 0]), &["id", "absent"], 3)
        .await
        .expect("reads");
    let ids: Vec<i64> = batches
        .iter()
        .flat_map(|b| b["id"].as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(ids, [8, 9, 0, 1, 2, 3]);
    let none = read_all(Format::Parquet, &file, Selection::All, &[], 100).await.expect("reads");
    assert_eq!(none.iter().map(RecordBatch::num_rows).sum::<usize>(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_anywhere_is_an_error_that_names_it() {
    let folder = Folder::new();
    let whole = written(&two_columns(50), 20);
    for length in (1..whole.len()).step_by(7) {
        let file = folder.file("cut.parquet", &whole[..length]).await;
        let error = schema(Format::Parquet, &file, &sources()).await.expect_err("is cut");
        assert!(error.to_string().contains("cut.parquet"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bytes_never_panic() {
    let folder = Folder::new();
    let whole = written(&two_columns(50), 20);
    for at in (4..whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let file = folder.file("flipped.parquet", &bytes).await;
        if let Err(error) = read_all(Format::Parquet, &file, Selection::All, &["id", "name"], 16).await {
            assert!(error.to_string().contains("flipped.parquet"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_refused() {
    let folder = Folder::new();
    let file = folder.file("a.parquet", &written(&two_columns(10), 4)).await;
    folder.write("a.parquet", &written(&two_columns(11), 4));
    let error = open(Format::Parquet, &file, &Selection::All, &[], 10, &sources())
        .err()
        .expect("has changed");
    assert!(error.to_string().contains("a.parquet changed since the job was planned"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn int96_never_wraps() {
    let folder = Folder::new();
    let far = [(1_721_426, 0), (5_373_484, 86_399_999_999_000)];
    let file = folder.file("far.parquet", &int96_file(&far)).await;
    let batches = read_all(Format::Parquet, &file, Selection::All, &["t"], 10).await.expect("reads");
    let micros = batches[0]["t"].as_primitive::<TimestampMicrosecondType>().values().to_vec();
    assert_eq!(micros, [-62_135_596_800_000_000, 253_402_300_799_999_999]);

    let file = folder.file("fine.parquet", &int96_file(&[(2_440_588, 1)])).await;
    let fine = schema(Format::Parquet, &file, &sources()).await.expect("a schema");
    assert_eq!(fine.fields[0].data_type(), &DataType::Timestamp(TimeUnit::Nanosecond, None));

    let last_ns = 86_399_999_999_999;
    let file = folder
        .file("both.parquet", &int96_file(&[(2_440_588, 1), (1_721_426, 7), (5_373_484, last_ns)]))
        .await;
    let both = schema(Format::Parquet, &file, &sources()).await.expect("a schema");
    assert_eq!(
        ValueType::from_field(&both.fields[0]).map(|t| t.to_string()),
        Ok("mixed(timestamp(ns))".into())
    );
    let batches = read_all(Format::Parquet, &file, Selection::All, &["t"], 2).await.expect("reads");
    let nanos: Vec<i128> = batches
        .iter()
        .flat_map(|b| b["t"].as_primitive::<Decimal128Type>().values().to_vec())
        .collect();
    assert_eq!(nanos, [1, -62_135_596_799_999_999_993, 253_402_300_799_999_999_999]);

    let file = folder.file("beyond.parquet", &int96_file(&[(u32::MAX >> 1, 1)])).await;
    let error = read_all(Format::Parquet, &file, Selection::All, &["t"], 10)
        .await
        .expect_err("cannot be held");
    assert!(
        error.to_string().contains("beyond.parquet") && error.to_string().contains("`t`"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_twice_is_refused() {
    let folder = Folder::new();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let field = arrow_schema::Field::new("a", DataType::Int64, true);
    let schema_twice = Arc::new(arrow_schema::Schema::new(vec![field.clone(), field]));
    let batch = RecordBatch::try_new(schema_twice, vec![column.clone(), column]).expect("a batch");
    let file = folder.file("twice.parquet", &written(&batch, 10)).await;
    let found = schema(Format::Parquet, &file, &sources()).await.expect("a schema");
    assert_eq!(found.refused.keys().collect::<Vec<_>>(), ["a"]);
    let error = read_all(Format::Parquet, &file, Selection::All, &["a"], 10)
        .await
        .expect_err("twice");
    assert!(
        error.to_string().contains("twice.parquet") && error.to_string().contains("`a`"),
        "{error}"
    );
}
