//! Where the results of a suite lie: `suite.json` beside the folders of its members. It goes before the first of these changes, and comes
//! when all are there, so that it never stands beside results of another run.

use crate::target::{Objects, Reads};
use object_store::{ObjectStoreExt, PutPayload};
use shadowdiff_common::read::{Overlap, meets};
use shadowdiff_common::store::{Location, Stores};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::ResultFile;
use shadowdiff_core::spec::SUITE_FILE;
use shadowdiff_core::suite_summary::SuiteSummary;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The folder of a suite's results.
#[derive(Debug)]
pub enum SuitePlace {
    Directory(PathBuf),
    Objects(Objects),
}

impl SuitePlace {
    /// Finds the place. Refuses one that touches what a member reads, one whose `suite.json` is not ours, and without `overwrite` one that
    /// has any.
    pub async fn check(output: &str, base: &Path, reads: &[Reads<'_>], stores: &Stores, overwrite: bool) -> Result<SuitePlace> {
        let refused = |why: String, advice: &str| Err(Error::input(format!("{output} {why}")).field("output").advice(advice));
        let location = Location::parse(output, base).map_err(|e| e.field("output"))?;
        let names: Vec<&str> = ResultFile::ALL.iter().map(|file| file.name()).chain([SUITE_FILE]).collect();
        for reads in reads {
            for path in reads.paths() {
                if meets(&path, reads.base, &location, &names)? != Overlap::Apart {
                    return refused(
                        format!("touches {path}, which is read"),
                        "name a folder of its own, apart from all data and specs",
                    );
                }
            }
        }
        let place = match location {
            Location::Local(directory) => SuitePlace::Directory(directory),
            Location::Object { .. } if location.is_http() => return refused("is only read".to_owned(), "name a directory, or a bucket"),
            Location::Object { .. } => SuitePlace::Objects(Objects::open(output, stores)?),
        };
        match place.read().await? {
            None => Ok(place),
            Some(bytes) if SuiteSummary::parse(&bytes).is_none() => refused(
                format!("holds a {SUITE_FILE} that is not of shadowdiff"),
                "it is left as it is: name another place",
            ),
            Some(_) if !overwrite => refused(
                "holds the results of a suite".to_owned(),
                "name another place with --output, or replace them with --overwrite",
            ),
            Some(_) => Ok(place),
        }
    }

    async fn read(&self) -> Result<Option<Vec<u8>>> {
        match self {
            SuitePlace::Directory(directory) => match std::fs::read(directory.join(SUITE_FILE)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
                Err(e) => Err(local_error(directory, &e)),
            },
            SuitePlace::Objects(objects) => Ok(objects.read(SUITE_FILE).await?.map(|bytes| bytes.to_vec())),
        }
    }

    /// Takes away the `suite.json` of an earlier run.
    pub async fn clear(&self) -> Result<()> {
        match self {
            SuitePlace::Directory(directory) => match std::fs::remove_file(directory.join(SUITE_FILE)) {
                Err(e) if e.kind() != ErrorKind::NotFound => Err(local_error(directory, &e)),
                Ok(()) | Err(_) => Ok(()),
            },
            SuitePlace::Objects(objects) => objects.remove(SUITE_FILE).await,
        }
    }

    /// Puts `suite.json`, whole or not at all.
    pub async fn publish(&self, text: String) -> Result<()> {
        match self {
            SuitePlace::Directory(directory) => put(directory, &text).map_err(|e| local_error(directory, &e)),
            SuitePlace::Objects(objects) => {
                let put = objects.store.put(&objects.at(SUITE_FILE), PutPayload::from(text)).await;
                put.map(|_| ()).map_err(|e| objects.error(e))
            }
        }
    }
}

/// The summary of a suite at a place, as it is stored too; `None` where there is none, or the result of a single comparison.
pub async fn fetch_suite(place: &str, base: &Path, stores: &Stores) -> Result<Option<(String, SuiteSummary)>> {
    let (found, is_single) = match Location::parse(place, base)? {
        Location::Local(directory) => {
            let is_single = directory.join(ResultFile::Summary.name()).exists();
            (SuitePlace::Directory(directory), is_single)
        }
        Location::Object { .. } => {
            let objects = Objects::open(place, stores)?;
            let is_single = objects.read(ResultFile::Summary).await?.is_some();
            (SuitePlace::Objects(objects), is_single)
        }
    };
    if is_single {
        return Ok(None);
    }
    let Some(bytes) = found.read().await? else { return Ok(None) };
    let suite = SuiteSummary::parse(&bytes).zip(String::from_utf8(bytes).ok());
    let other = || Error::input(format!("{place}: its {SUITE_FILE} is not one of this version of shadowdiff"));
    suite.map(|(suite, text)| Some((text, suite))).ok_or_else(other)
}

fn local_error(directory: &Path, error: &std::io::Error) -> Error {
    Error::exhausted(error.to_string())
        .file(directory.join(SUITE_FILE).display())
        .field("output")
}

fn put(directory: &Path, text: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new().prefix(crate::target::OURS).tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    // As other files of a result: who may read these is for the process to say.
    let mode = std::fs::metadata(directory)?.permissions();
    file.as_file().set_permissions(readable(&mode))?;
    file.persist(directory.join(SUITE_FILE)).map(|_| ()).map_err(|e| e.error)
}

/// Whoever may look into a folder may read a file in it.
fn readable(folder: &std::fs::Permissions) -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(folder.mode() & 0o666)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use shadowdiff_core::side::Sides;
    use std::sync::Arc;

    #[tokio::test]
    async fn only_a_suite_of_ours_is_replaced_and_only_when_asked() {
        let home = tempfile::tempdir().expect("a folder");
        let stores = Stores::new();
        stores.insert("s3://bucket", Arc::new(InMemory::new()));
        let suite = SuiteSummary::new("s", "2026-11-01", Vec::new(), &Sides::default(), Vec::new());
        for place in ["out/x", "s3://bucket/out"] {
            let check = |overwrite: bool| SuitePlace::check(place, home.path(), &[], &stores, overwrite);
            let first = check(false).await.expect("nothing is there");
            first.clear().await.expect("nothing is there");
            first.publish(serde_json::to_string(&suite).expect("JSON")).await.expect("put");
            assert!(check(false).await.is_err());
            let again = fetch_suite(place, home.path(), &stores).await.expect("it can be read");
            assert_eq!(again.map(|(_, read)| read), Some(suite.clone()));
            check(true).await.expect("it is ours").clear().await.expect("it goes");
            assert_eq!(fetch_suite(place, home.path(), &stores).await, Ok(None));
            first.publish("{\"version\": 1}".to_owned()).await.expect("put");
            assert!(fetch_suite(place, home.path(), &stores).await.is_err());
            let refused = check(true).await.expect_err("it is another's");
            assert!(refused.to_string().contains("not of shadowdiff"), "{refused}");
        }
    }
}
