//! Arrow IPC in both forms, well-formed and broken.

use crate::read::dataset::Format;
use crate::read::testing::{Folder, read_all, sources};
use crate::read::{Selection, schema};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use std::sync::Arc;

fn batch(rows: usize) -> RecordBatch {
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
    let word: ArrayRef = Arc::new((0..rows).map(|i| ["x", "y"][i % 2]).collect::<DictionaryArray<Int32Type>>());
    RecordBatch::try_from_iter([("id", id), ("word", word)]).expect("a batch")
}

fn file_form(compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).expect("an option");
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch(1).schema(), options).expect("a writer");
    writer.write(&batch(5)).expect("writes");
    writer.write(&batch(3)).expect("writes");
    writer.finish().expect("finishes");
    writer.into_inner().expect("bytes")
}

fn stream_form() -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch(1).schema()).expect("a writer");
    writer.write(&batch(5)).expect("writes");
    writer.write(&batch(3)).expect("writes");
    writer.finish().expect("finishes");
    writer.into_inner().expect("bytes")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_and_compressions() {
    let folder = Folder::new();
    let forms = [
        file_form(None),
        file_form(Some(CompressionType::ZSTD)),
        file_form(Some(CompressionType::LZ4_FRAME)),
        stream_form(),
    ];
    for bytes in forms {
        let file = folder.file("a.arrow", &bytes).await;
        let batches = read_all(Format::ArrowIpc, &file, Selection::All, &["word"], 4)
            .await
            .expect("reads");
        assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [4, 1, 3]);
        assert_eq!(batches[0].num_columns(), 1);
        let words = batches[0]["word"]
            .as_dictionary::<Int32Type>()
            .downcast_dict::<arrow_array::StringArray>()
            .expect("text");
        assert_eq!(words.into_iter().flatten().collect::<String>(), "xyxy");
        let none = read_all(Format::ArrowIpc, &file, Selection::All, &[], 100).await.expect("reads");
        assert_eq!(none.iter().map(RecordBatch::num_rows).sum::<usize>(), 8);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn record_batches_can_be_read_alone() {
    let folder = Folder::new();
    let file = folder.file("a.feather", &file_form(None)).await;
    let found = schema(Format::ArrowIpc, &file, &sources()).await.expect("a schema");
    assert_eq!(found.row_groups.iter().map(|g| g.rows).collect::<Vec<_>>(), [5, 3]);
    let second = read_all(Format::ArrowIpc, &file, Selection::RowGroups(vec![1]), &["id"], 100)
        .await
        .expect("reads");
    assert_eq!(second[0].num_rows(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_files_are_errors() {
    let folder = Folder::new();
    for whole in [file_form(None), stream_form()] {
        for length in (1..whole.len() - 16).step_by(9) {
            let file = folder.file("cut.arrow", &whole[..length]).await;
            match read_all(Format::ArrowIpc, &file, Selection::All, &["id", "word"], 10).await {
                Err(error) => assert!(error.to_string().contains("cut.arrow"), "{error}"),
                // A stream without its end mark is whole if it ends after a batch.
                Ok(batches) => assert!(batches.iter().all(|b| b.num_rows() > 0), "{length}"),
            }
        }
        for at in (0..whole.len()).step_by(3) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x7f;
            let file = folder.file("flipped.arrow", &bytes).await;
            if let Err(error) = read_all(Format::ArrowIpc, &file, Selection::All, &["id", "word"], 10).await {
                assert!(error.to_string().contains("flipped.arrow"), "{error}");
            }
        }
    }
}
