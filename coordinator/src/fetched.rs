//! Reads a finished result again, from a directory or an object store, and refuses a mixture of two.

use crate::publish::{Published, Staging, marks_of};
use crate::target::{Objects, WRITING};
use futures::StreamExt;
use object_store::ObjectStoreExt;
use shadowdiff_common::store::{Location, Stores, io_error, store_error};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::{FileMark, FileMarks, ResultFile, Summary, own_summary};
use std::io::Write;
use std::path::Path;

/// A result, its files at hand.
#[derive(Debug)]
pub struct Fetched {
    /// `summary.json` as it is stored.
    pub text: String,
    pub summary: Summary,
    pub files: Published,
}

/// Reads the result at `place` with those of its tables that are `wanted`. What lies on an object store is copied to a temporary directory
/// first.
pub async fn fetch_result(place: &str, base: &Path, stores: &Stores, wanted: &[ResultFile]) -> Result<Fetched> {
    let location = Location::parse(place, base)?;
    match location {
        Location::Local(directory) => {
            let path = directory.join(ResultFile::Summary.name());
            let bytes =
                std::fs::read(&path).map_err(|e| no_result(io_error(&e, &path.display().to_string()), directory.join(WRITING).exists()))?;
            let marks = marks_of(&directory, wanted)?;
            checked(place, bytes, &marks, wanted, Published::at(directory))
        }
        Location::Object { .. } => {
            let objects = Objects::open(place, stores)?;
            let Some(summary) = objects.read(ResultFile::Summary).await? else {
                let missing = Error::input(format!("{place}/{} does not exist", ResultFile::Summary));
                return Err(no_result(missing, objects.read(WRITING).await?.is_some()));
            };
            let staging = Staging::aside(&std::env::temp_dir())?;
            let mut marks = FileMarks::new();
            let named = own_summary(&summary).map(|summary| summary.files).unwrap_or_default();
            // Those that every result has are looked for in any case: their absence is told.
            for file in wanted.iter().filter(|file| !file.is_optional() || named.contains_key(file)) {
                marks.insert(*file, download(&objects, *file, &staging).await?);
            }
            checked(place, summary.to_vec(), &marks, wanted, staging.keep())
        }
    }
}

fn no_result(missing: Error, is_being_written: bool) -> Error {
    let hint = if is_being_written {
        "a result is being written there, or its writer has died"
    } else {
        "name the directory or URL that `shadowdiff compare` wrote"
    };
    missing.advice(hint)
}

async fn download(objects: &Objects, name: ResultFile, staging: &Staging) -> Result<FileMark> {
    let failed = |e| store_error(e, &format!("{}/{name}", objects.name));
    let mut chunks = objects.store.get(&objects.at(name)).await.map_err(failed)?.into_stream();
    let mut file = staging.create(name)?;
    while let Some(chunk) = chunks.next().await {
        file.write_all(&chunk.map_err(failed)?)
            .map_err(|e| Error::exhausted(e.to_string()).file(name))?;
    }
    file.finish()
}

/// A result whose tables, as far as they are wanted, are those that its summary names.
fn checked(place: &str, summary: Vec<u8>, marks: &FileMarks, wanted: &[ResultFile], files: Published) -> Result<Fetched> {
    let its = ResultFile::Summary;
    let read = own_summary(&summary).map_err(|e| Error::input(format!("{place}: its {its} {e}")))?;
    let mut named = read.files.iter().filter(|(file, _)| wanted.contains(file));
    let wrong = named.find(|(file, mark)| marks.get(file) != Some(*mark));
    if let Some((file, _)) = wrong {
        return Err(Error::input(format!(
            "{place}: {file} is not the one that {its} names: it was changed, or another run wrote here"
        ))
        .advice("compare again"));
    }
    let text = String::from_utf8(summary).map_err(|_| Error::input(format!("{place}: its {its} is not UTF-8")))?;
    Ok(Fetched {
        text,
        summary: read,
        files,
    })
}
