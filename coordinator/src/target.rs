//! Where a result may go: a place that is free, or that holds an older result of ours, and that touches nothing the job reads.
//!
//! ```text
//! diff.csv, accounts.csv     the tables; differences.parquet and comparison.bin where the spec asks for them
//! summary.json               put last: while it is there, the result is whole
//! .shadowdiff-writing        who is writing; there while somebody does, or after a writer that died
//! ```
//! A place is ours if its `summary.json` reads as a summary of ours, or if its mark of a writer does. Nothing but these files is ever
//! written or removed. Names that begin with `.shadowdiff-` are ours and count as nothing.

use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use shadowdiff_common::read::{Dataset, Overlap, held_file, meets};
use shadowdiff_common::store::{Location, Stores, store_error};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::{ResultFile, own_summary};
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::{AccountScope, ListSource, Spec};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a result goes.
#[derive(Debug, Clone)]
pub enum Target {
    Directory(PathBuf),
    Objects(Objects),
}

/// A place on an object store.
#[derive(Debug, Clone)]
pub struct Objects {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: ObjectPath,
    /// As messages name it.
    pub(crate) name: String,
}

/// Says that a result is being written.
pub(crate) const WRITING: &str = ".shadowdiff-writing";
/// What begins like this is ours, and no result.
pub(crate) const OURS: &str = ".shadowdiff-";
/// A larger `summary.json` is none of ours.
const MAX_SUMMARY_BYTES: u64 = 256 << 20;

/// What a job reads, as its spec names it.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a> {
    pub spec: &'a Spec,
    /// Where its relative paths start.
    pub base: &'a Path,
    /// The spec's own file, where it has one.
    pub spec_file: Option<&'a Path>,
}

impl Reads<'_> {
    /// Datasets, lists of accounts, acceptances, the spec.
    pub(crate) fn paths(&self) -> impl Iterator<Item = String> {
        let mut paths: Vec<String> = self
            .spec
            .sides
            .each()
            .into_iter()
            .flat_map(|(_, side)| side.paths.clone())
            .collect();
        let scopes = self.spec.expected.iter().filter_map(|rule| match &rule.accounts {
            Some(AccountScope::Source(source)) => Some(source),
            Some(AccountScope::Where(_)) | None => None,
        });
        paths.extend(self.spec.baseline.flipped.iter().chain(scopes).filter_map(|source| match source {
            ListSource::File(path) => Some(path.clone()),
            ListSource::List(_) => None,
        }));
        paths.extend(self.spec.accepted.clone());
        let noise = self.spec.noise.iter();
        paths.extend(noise.flat_map(|noise| noise.live_again.iter().chain(&noise.result).cloned()));
        paths.extend(self.spec_file.map(|file| file.to_string_lossy().into_owned()));
        paths.into_iter()
    }
}

/// Refuses an address that holds a secret, for a job that is stored: its plan would hold the secret too. Credentials are each
/// process's own.
pub fn refuse_secrets(reads: Reads<'_>) -> Result<()> {
    for path in reads.paths().chain(reads.spec.output.to.clone()) {
        if Location::parse(&path, reads.base)?.access().is_some() {
            return Err(Error::spec(
                "a user, password or query in an address is read by `compare` in one process only, since a cluster stores its plan",
            )
            .file(Location::shown(&path))
            .advice("copy the file to a bucket that all processes have credentials for"));
        }
    }
    Ok(())
}

/// Finds the place. Refuses one that touches what the job reads, one that is not ours, and without `overwrite` one that holds anything.
/// `reads`: absent where nothing is read from here, as when a finished result is fetched.
pub async fn check_target(output: &str, base: &Path, reads: Option<Reads<'_>>, stores: &Stores, overwrite: bool) -> Result<Target> {
    let place = Location::parse(output, base).map_err(|e| e.field("output"))?;
    for path in reads.iter().flat_map(Reads::paths) {
        let base = reads.map_or(base, |reads| reads.base);
        match meets(&path, base, &place, &ResultFile::ALL.map(ResultFile::name))? {
            Overlap::Apart => {}
            Overlap::Holds => return Err(holds_input(output, &path)),
            Overlap::Inside => {
                return Err(Error::input(format!(
                    "{output} lies inside {path}, which is read: the next run would take the result for input"
                ))
                .field("output")
                .advice("name a place outside"));
            }
        }
    }
    let (target, found) = match place {
        Location::Local(directory) => {
            let found = look_in_directory(&directory)?;
            (Target::Directory(directory), found)
        }
        Location::Object { ref root, .. } if root.starts_with("http") => {
            return Err(Error::spec("http is only read")
                .file(output)
                .field("output")
                .advice("name a directory, or a bucket by s3://, gs:// or az://"));
        }
        Location::Object { .. } => {
            let objects = Objects::open(output, stores)?;
            let found = look_at_objects(&objects).await?;
            (Target::Objects(objects), found)
        }
    };
    // Which optional files there will be shows when they are there, and is held against the place then.
    found.allow(output, overwrite, &[])?;
    if let Target::Directory(directory) = &target {
        probe(directory)?;
    }
    Ok(target)
}

/// Refuses a local place that holds a file of the datasets, once these are listed: links inside them show only then.
pub fn check_files(target: &Target, output: &str, datasets: &Sides<Dataset>) -> Result<()> {
    match target {
        Target::Directory(directory) => match held_file(directory, [&datasets.live, &datasets.shadow]) {
            Some(file) => Err(holds_input(output, file)),
            None => Ok(()),
        },
        Target::Objects(_) => Ok(()),
    }
}

fn holds_input(output: &str, input: &str) -> Error {
    Error::input(format!("{output} holds {input}, which is read"))
        .field("output")
        .advice("inputs are never touched: name a folder of its own")
}

/// What lies at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TargetContent {
    Nothing,
    /// A whole result of ours, whatever else lies beside it: of the optional files those that its summary does not name. They are somebody
    /// else's, whatever their names.
    Result {
        others: Vec<ResultFile>,
    },
    /// What a writer of ours has left, or is writing.
    Unfinished,
    /// Something else: what, and why it is not ours.
    Foreign(String),
}

impl TargetContent {
    /// Whether a result of these files may be written here.
    pub(crate) fn allow(&self, place: &str, overwrite: bool, files: &[ResultFile]) -> Result<()> {
        let refused = |why: String| Err(Error::input(format!("{place} {why}")).field("output"));
        match self {
            TargetContent::Nothing => Ok(()),
            TargetContent::Unfinished if overwrite => Ok(()),
            TargetContent::Result { others } if overwrite => match others.iter().find(|file| files.contains(file)) {
                Some(file) => refused(format!(
                    "holds a {file} that is not of the result there: take it away, or name another place"
                )),
                None => Ok(()),
            },
            TargetContent::Result { .. } => {
                refused("holds a result; name another place with --output, or replace it with --overwrite".into())
            }
            TargetContent::Unfinished => {
                refused("holds an unfinished result: its writer has died, or is at it; once it is gone replace it with --overwrite".into())
            }
            TargetContent::Foreign(what) => refused(format!(
                "holds {what}; nothing but an older result of shadowdiff is ever replaced: name an empty or a new place"
            )),
        }
    }

    /// What a place with a summary holds, where these of the optional files lie.
    fn of_summary(summary: &[u8], optional: impl IntoIterator<Item = ResultFile>) -> TargetContent {
        match own_summary(summary) {
            Ok(older) => TargetContent::Result {
                others: optional.into_iter().filter(|file| !older.files.contains_key(file)).collect(),
            },
            Err(reason) => TargetContent::Foreign(format!("a {} that {reason}", ResultFile::Summary)),
        }
    }
}

/// Who is writing: the content of `.shadowdiff-writing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Writing {
    version: u32,
    /// No two writers have the same.
    pub(crate) writer: String,
}

impl Writing {
    pub(crate) fn new(writer: &str) -> Writing {
        Writing {
            version: 1,
            writer: writer.to_owned(),
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Writing> {
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::internal(e.to_string()).file(WRITING))
    }
}

/// Whether something can be written at a local place, so that a job is not run in vain.
fn probe(directory: &Path) -> Result<()> {
    let there = directory.ancestors().find(|above| above.exists()).unwrap_or(directory);
    let made = tempfile::Builder::new().prefix(OURS).tempdir_in(there);
    made.map(|_| ())
        .map_err(|e| Error::input(format!("nothing can be written in {}: {e}", there.display())).field("output"))
}

/// Looks at a local place.
pub(crate) fn look_in_directory(directory: &Path) -> Result<TargetContent> {
    use std::io::ErrorKind as K;
    let failed = |e: std::io::Error| Error::input(e.to_string()).file(directory.display()).field("output");
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == K::NotFound && directory.is_symlink() => {
            return Err(Error::input(format!("{} is a link to nothing", directory.display())).field("output"));
        }
        Err(e) if e.kind() == K::NotFound => return Ok(TargetContent::Nothing),
        Err(e) if e.kind() == K::NotADirectory && directory.is_file() => {
            return Err(Error::input(format!("{} is a file", directory.display()))
                .field("output")
                .advice("name a directory"));
        }
        Err(e) => return Err(failed(e)),
    };
    let mut other = None;
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(OURS) {
            // The first by name, so that a message is the same each time.
            other = Some(other.map_or(name.to_string(), |first: String| first.min(name.to_string())));
        }
    }
    let Some(other) = other else { return Ok(TargetContent::Nothing) };
    if let Some(file) = ResultFile::ALL.into_iter().find(|file| directory.join(file.name()).is_dir()) {
        return Ok(TargetContent::Foreign(format!("a folder called {file}")));
    }
    match summary_in(directory)? {
        Some(summary) => {
            let optional = ResultFile::OPTIONAL
                .into_iter()
                .filter(|file| directory.join(file.name()).symlink_metadata().is_ok());
            Ok(TargetContent::of_summary(&summary, optional))
        }
        None if read_small_file(&directory.join(WRITING))?.is_some_and(|mark| Writing::parse(&mark).is_some()) => {
            Ok(TargetContent::Unfinished)
        }
        None => Ok(TargetContent::Foreign(format!("`{other}` and no result"))),
    }
}

/// `None` where there is none; of a file that is too large to be ours only its beginning.
fn read_small_file(path: &Path) -> Result<Option<Vec<u8>>> {
    use std::io::Read;
    let failed = |e: std::io::Error| Error::input(e.to_string()).file(path.display()).field("output");
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_SUMMARY_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// Whether the summary of an older result names a table, which is of that result then.
pub(crate) fn names_table(summary: Option<&[u8]>, file: ResultFile) -> bool {
    let older = summary.and_then(|summary| own_summary(summary).ok());
    older.is_some_and(|older| older.files.contains_key(&file))
}

/// The summary in a directory, as far as it can be ours.
pub(crate) fn summary_in(directory: &Path) -> Result<Option<Vec<u8>>> {
    read_small_file(&directory.join(ResultFile::Summary.name()))
}

/// Looks at a place on an object store. Everything below its prefix counts, as in a directory.
pub(crate) async fn look_at_objects(objects: &Objects) -> Result<TargetContent> {
    if let Some(summary) = objects.read(ResultFile::Summary).await? {
        let mut optional = Vec::new();
        for file in ResultFile::OPTIONAL {
            if objects.has(file).await? {
                optional.push(file);
            }
        }
        return Ok(TargetContent::of_summary(&summary, optional));
    }
    let is_being_written = objects.read(WRITING).await?.is_some_and(|mark| Writing::parse(&mark).is_some());
    let prefix = (!objects.prefix.as_ref().is_empty()).then_some(&objects.prefix);
    let mut listed = objects.store.list(prefix);
    while let Some(meta) = listed.try_next().await.map_err(|e| objects.error(e))? {
        let name = meta.location.as_ref().strip_prefix(objects.prefix.as_ref()).unwrap_or_default();
        let name = name.trim_start_matches('/');
        // The marker of a directory is nothing.
        let is_marker = name.is_empty() || (meta.size == 0 && name.ends_with("_$folder$"));
        if is_marker || name.starts_with(OURS) {
            continue;
        }
        return Ok(if is_being_written {
            TargetContent::Unfinished
        } else {
            TargetContent::Foreign(format!("`{name}` and no result"))
        });
    }
    Ok(if is_being_written {
        TargetContent::Unfinished
    } else {
        TargetContent::Nothing
    })
}

impl Objects {
    /// The place behind a URL.
    pub(crate) fn open(url: &str, stores: &Stores) -> Result<Objects> {
        let (store, prefix) = stores.resolve(url, Path::new("/"))?;
        Ok(Objects {
            store,
            prefix,
            name: url.to_owned(),
        })
    }

    /// Where a file of the result lies.
    pub(crate) fn at(&self, name: impl AsRef<str>) -> ObjectPath {
        self.prefix.clone().join(name.as_ref())
    }

    /// Whether an object lies there.
    async fn has(&self, file: ResultFile) -> Result<bool> {
        match self.store.head(&self.at(file)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(self.error(e)),
        }
    }

    /// An object that is small if it is ours; `None` where there is none.
    pub(crate) async fn read(&self, name: impl AsRef<str>) -> Result<Option<bytes::Bytes>> {
        match self.store.get(&self.at(name)).await {
            Ok(found) if found.meta.size > MAX_SUMMARY_BYTES => Ok(Some(bytes::Bytes::new())),
            Ok(found) => found.bytes().await.map(Some).map_err(|e| self.error(e)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.error(e)),
        }
    }

    /// Takes an object away, if it is there.
    pub(crate) async fn remove(&self, name: impl AsRef<str>) -> Result<()> {
        match self.store.delete(&self.at(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.error(e)),
        }
    }

    pub(crate) fn error(&self, error: object_store::Error) -> Error {
        store_error(error, &self.name).field("output")
    }
}

#[cfg(test)]
mod tests;
