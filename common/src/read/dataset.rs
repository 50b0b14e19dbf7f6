//! Lists the files of one side: what is data, in which format, with which pin and which partition values.
//!
//! What a spec names is a file, a directory, a glob or a list of them. A name that a directory or glob yields is passed
//! over as Spark and Hive do (`_SUCCESS`, `.part.crc`, `_temporary/`); what is named itself is always read.

mod format;
mod glob;
mod local;
mod objects;
mod overlap;
mod partitions;
mod ready;
mod selection;
mod tasks;

use crate::store::{Location, Stores};
use crate::tasks::blocking;
use glob::Glob;
use selection::DatasetEntry;
use serde::{Deserialize, Serialize};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{Pin, Pinned};
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{Compression, DatasetSpec, Header};
use std::collections::BTreeSet;
use std::path::Path;

pub use format::{Form, Format};
pub use overlap::{Overlap, held_file, meets};
pub use tasks::task_names;

/// The files of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    pub side: Side,
    /// Sorted by name, each once; never empty.
    pub files: Vec<DataFile>,
    pub format: Format,
}

/// One file as it was when listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Path or URL as the user knows it: the way messages name the file.
    pub name: String,
    pub location: Location,
    pub pin: Pin,
    /// The `key=value` directories between the dataset's root and the file; `None` is NULL.
    pub partitions: Vec<(String, Option<String>)>,
    pub compression: Compression,
}

impl DataFile {
    pub fn pinned(&self) -> Pinned {
        Pinned {
            name: self.name.clone(),
            pin: self.pin.clone(),
        }
    }

    /// Whether both are one object, or copies of one: by their place, or by a digest of their bytes that the store gives.
    pub fn is_same_object(&self, other: &DataFile) -> bool {
        let digests = self.pin.digest().zip(other.pin.digest());
        self.pin.size_bytes == other.pin.size_bytes
            && (self.location == other.location || digests.is_some_and(|(mine, theirs)| mine == theirs))
    }

    /// Whether it lies in the file system.
    pub fn is_local(&self) -> bool {
        matches!(self.location, Location::Local(_))
    }
}

/// What a local file is known by.
pub(crate) fn pin_of_file(metadata: &std::fs::Metadata) -> Pin {
    let since = metadata
        .modified()
        .ok()
        .map(|time| match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        });
    Pin {
        size_bytes: metadata.len(),
        etag: None,
        modified_ms: since.unwrap_or(0),
    }
}

/// What an object is known by.
pub(crate) fn pin_of_object(meta: &object_store::ObjectMeta) -> Pin {
    Pin {
        size_bytes: meta.size,
        etag: meta.e_tag.clone(),
        modified_ms: meta.last_modified.timestamp_millis(),
    }
}

/// A file that a listing found.
#[derive(Debug, Clone)]
struct ListedFile {
    name: String,
    /// Path below the dataset's root, by `/`; the bare name for a file that is named itself.
    relative: String,
    location: Location,
    pin: Pin,
}

/// What one entry of the spec's list means, and what it holds.
#[derive(Debug)]
struct Listed {
    found: Vec<ListedFile>,
    /// Names passed over, such as `_SUCCESS`.
    skipped: usize,
}

/// Lists one side; relative paths start at `base`, the folder of the spec. Waits for the `ready` marker if the spec says so.
pub async fn list(side: Side, spec: &DatasetSpec, base: &Path, stores: &Stores) -> Result<Dataset> {
    let place = |error: Error| error.side(side);
    let mut files = Vec::new();
    let mut formats: Vec<(Format, String)> = Vec::new();
    for text in &spec.paths {
        let listed = list_entry(text, spec, base, stores).await.map_err(place)?;
        if listed.found.is_empty() {
            return Err(place(nothing_found(text, &listed)));
        }
        for found in listed.found {
            let (format, compression) = format::of(&found.name, &spec.csv).map_err(place)?;
            formats.push((format, found.name.clone()));
            files.push(data_file(found, format, compression, spec).map_err(place)?);
        }
    }
    let format = one_format(&formats).map_err(place)?;
    // Addresses that differ only in what is not shown have one name.
    files.sort_by(|a, b| (a.name.as_bytes(), &a.location).cmp(&(b.name.as_bytes(), &b.location)));
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.location.clone()));
    Ok(Dataset { side, files, format })
}

async fn list_entry(text: &str, spec: &DatasetSpec, base: &Path, stores: &Stores) -> Result<Listed> {
    let wanted = wanted(text, base)?;
    if let Some(ready) = &spec.ready {
        ready::wait(&wanted, ready, stores).await?;
    }
    match &wanted.location {
        Location::Local(_) => blocking("listing", move || local::list(&wanted)).await,
        Location::Object { .. } => objects::list(&wanted, stores.open(&wanted.location)?.as_ref()).await,
    }
}

/// What an entry of the spec's list asks for.
fn wanted(text: &str, base: &Path) -> Result<DatasetEntry> {
    let location = Location::parse(text, base)?;
    match glob::split_root(text) {
        // The wildcards of an http address may be its query's, and it could not be listed anyway.
        Some((root, pattern)) if !names_a_file(&location) && !location.is_http() => {
            let glob = Glob::parse(pattern).map_err(|reason| Error::spec(reason).file(text))?;
            Ok(DatasetEntry {
                shown: root.to_string(),
                location: Location::parse(root, base)?,
                glob: Some(glob),
            })
        }
        Some(_) | None => Ok(DatasetEntry {
            shown: Location::shown(text),
            location,
            glob: None,
        }),
    }
}

/// A local file or directory whose very name has wildcard characters is not a glob.
fn names_a_file(location: &Location) -> bool {
    matches!(location, Location::Local(path) if path.exists())
}

fn nothing_found(text: &str, listed: &Listed) -> Error {
    let skipped = match listed.skipped {
        0 => String::new(),
        n => format!(" ({n} skipped: names that begin with `_` or `.`, `*.crc` and markers are not data)"),
    };
    Error::input(format!("no data files found: nothing to read in `{text}`{skipped}")).advice("check the path")
}

fn data_file(found: ListedFile, format: Format, compression: Compression, spec: &DatasetSpec) -> Result<DataFile> {
    let empty = found.pin.size_bytes == 0;
    if empty && !format.is_text() {
        return Err(Error::input(format!(
            "the file has zero bytes, so it cannot be {format}: its rows were lost in writing or upload"
        ))
        .file(&found.name)
        .advice("write it again or remove it"));
    }
    if empty && format == Format::Csv && spec.csv.header == Header::Present {
        return Err(Error::input("the file has zero bytes, so it has no header")
            .file(&found.name)
            .advice("write it again or remove it"));
    }
    let partitions = partitions::of(&found.relative).map_err(|reason| Error::input(reason).file(&found.name))?;
    Ok(DataFile {
        name: found.name,
        location: found.location,
        pin: found.pin,
        partitions,
        compression,
    })
}

fn one_format(formats: &[(Format, String)]) -> Result<Format> {
    let Some((format, name)) = formats.first() else {
        return Err(Error::internal("a dataset without a path"));
    };
    match formats.iter().find(|(other, _)| other != format) {
        None => Ok(*format),
        Some((other, second)) => Err(
            Error::input(format!("two formats in one dataset: `{name}` is {format}, `{second}` is {other}")).advice(format!(
                "name the files of one format, with a glob such as '*.{}'",
                format.extension()
            )),
        ),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
mod tests;
