//! Folders of files and short ways to read them, for the tests of the readers.

mod types;

use super::dataset::{DataFile, Format, list};
use super::{Selection, Sources, open};
use crate::store::Stores;
use arrow_array::RecordBatch;
use shadowdiff_core::error::Result;
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{CsvOptions, DatasetSpec};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;

/// A temporary folder.
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("creates");
        std::fs::write(path, bytes).expect("writes");
    }

    /// Writes a file and lists it.
    pub(super) async fn file(&self, name: &str, bytes: &[u8]) -> DataFile {
        self.write(name, bytes);
        let listed = list(Side::Live, &dataset(&[name]), self.0.path(), &Stores::new()).await;
        listed.expect("lists").files.remove(0)
    }
}

pub(super) fn dataset(paths: &[&str]) -> DatasetSpec {
    DatasetSpec {
        paths: paths.iter().map(ToString::to_string).collect(),
        schema: Vec::new(),
        csv: CsvOptions::default(),
        ready: None,
    }
}

pub(super) fn sources() -> Sources {
    Sources::new(Arc::new(Stores::new()), Handle::current())
}

pub(super) async fn read_all(
    format: Format,
    file: &DataFile,
    rows: Selection,
    columns: &[&str],
    batch_rows: usize,
) -> Result<Vec<RecordBatch>> {
    let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let (file, sources) = (file.clone(), sources());
    let read = move || open(format, &file, &rows, &columns, batch_rows, &sources)?.collect();
    tokio::task::spawn_blocking(read).await.expect("no panic")
}
