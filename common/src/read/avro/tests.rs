//! Avro files, well-formed and cut.

use crate::read::dataset::Format;
use crate::read::testing::{Folder, read_all, sources};
use crate::read::{Selection, schema};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_avro::writer::AvroWriter;
use std::sync::Arc;

fn written() -> Vec<u8> {
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5));
    let name: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c"), Some("d"), Some("")]));
    let batch = RecordBatch::try_from_iter_with_nullable([("id", id, false), ("name", name, true)]).expect("a batch");
    let mut writer = AvroWriter::new(Vec::new(), batch.schema().as_ref().clone()).expect("a writer");
    writer.write(&batch).expect("writes");
    writer.write(&batch).expect("writes");
    writer.finish().expect("finishes");
    writer.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_columns() {
    let folder = Folder::new();
    let file = folder.file("a.avro", &written()).await;
    let found = schema(Format::Avro, &file, &sources()).await.expect("a schema");
    assert_eq!(found.fields.iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["id", "name"]);
    let batches = read_all(Format::Avro, &file, Selection::All, &["id"], 4).await.expect("reads");
    let ids: Vec<i64> = batches
        .iter()
        .flat_map(|b| b["id"].as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    let none = read_all(Format::Avro, &file, Selection::All, &[], 4).await.expect("reads");
    assert_eq!(
        (none[0].num_columns(), none.iter().map(RecordBatch::num_rows).sum::<usize>()),
        (0, 10)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_files_are_errors() {
    let folder = Folder::new();
    let whole = written();
    let mut blocks = 0;
    for length in 1..whole.len() {
        let file = folder.file("cut.avro", &whole[..length]).await;
        match read_all(Format::Avro, &file, Selection::All, &["id", "name"], 10).await {
            Err(error) => assert!(error.to_string().contains("cut.avro"), "{error}"),
            Ok(_) => blocks += 1,
        }
    }
    // After the header and after the first block the file is whole.
    assert_eq!(blocks, 2);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x7f;
        let file = folder.file("flipped.avro", &bytes).await;
        if let Err(error) = read_all(Format::Avro, &file, Selection::All, &["id", "name"], 10).await {
            assert!(error.to_string().contains("flipped.avro"), "{error}");
        }
    }
}
