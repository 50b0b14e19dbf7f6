//! Publishes a result: whole or not at all, and never over an older one unless asked.
//!
//! A local result is made in a directory beside its place and renamed there. On object storage the content goes first; `summary.json` is
//! put last, create-only, and makes the result count.

use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use shadowdiff_common::state::{Created, create};
use shadowdiff_common::store::{Location, Stores};
use shadowdiff_core::error::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// Where a result goes.
#[derive(Debug, Clone)]
pub enum Target {
    Directory(PathBuf),
    Objects {
        store: Arc<dyn ObjectStore>,
        prefix: ObjectPath,
        name: String,
    },
}

/// The files of a result; the last one makes it count.
pub const FILES: [&str; 3] = ["diff.csv", "accounts.csv", "summary.json"];
/// A part of a multipart upload.
const PART_BYTES: usize = 16 << 20;
const PARTS_IN_FLIGHT: usize = 2;

/// Finds the place and refuses one that is taken.
pub async fn check_target(output: &str, base: &Path, stores: &Stores, overwrite: bool) -> Result<Target> {
    let taken = |what: &str| {
        Error::input(format!(
            "output: {what} exists; remove it, name another with --output, or replace it with --overwrite"
        ))
    };
    if let Location::Local(directory) = Location::parse(output, base)? {
        if directory.is_file() {
            return Err(Error::input(format!("output: {} is a file; name a directory", directory.display())));
        }
        let has_entries = std::fs::read_dir(&directory).is_ok_and(|mut entries| entries.next().is_some());
        if has_entries && !overwrite {
            return Err(taken(&directory.display().to_string()));
        }
        if has_entries && !directory.join("summary.json").is_file() {
            return Err(Error::input(format!(
                "output: {} holds something else than a result; --overwrite does not replace it",
                directory.display()
            )));
        }
        return Ok(Target::Directory(directory));
    }
    let (store, prefix) = stores.resolve(output, base)?;
    let manifest = prefix.clone().join(FILES[2]);
    match store.head(&manifest).await {
        Ok(_) if !overwrite => Err(taken(output)),
        Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(Target::Objects {
            store,
            prefix,
            name: output.to_owned(),
        }),
        Err(e) => Err(Error::unavailable(format!("output: {output}: {e}"))),
    }
}

/// A result in the making. Dropped before `publish`, it leaves nothing behind.
#[derive(Debug)]
pub struct Staging {
    directory: tempfile::TempDir,
}

impl Staging {
    /// Beside the target where that is local, so that a rename suffices; else in the temporary directory.
    pub fn new(target: &Target) -> Result<Self> {
        let failed = |e: std::io::Error, at: &Path| Error::input(format!("output: nothing can be written in {}: {e}", at.display()));
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix(".shadowdiff-");
        let directory = match target {
            Target::Directory(directory) => {
                let parent = directory.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
                std::fs::create_dir_all(parent).map_err(|e| failed(e, parent))?;
                builder.tempdir_in(parent).map_err(|e| failed(e, parent))?
            }
            Target::Objects { .. } => builder.tempdir().map_err(|e| failed(e, &std::env::temp_dir()))?,
        };
        Ok(Staging { directory })
    }

    pub fn create(&self, name: &str) -> Result<BufWriter<File>> {
        let path = self.directory.path().join(name);
        File::create(&path)
            .map(|f| BufWriter::with_capacity(1 << 20, f))
            .map_err(|e| Error::exhausted(format!("output: {name}: {e}")))
    }

    /// Where a file lies until the result is visible.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes the result visible.
    pub async fn publish(self, target: &Target, overwrite: bool) -> Result<()> {
        match target {
            Target::Directory(directory) => self.rename(directory, overwrite),
            Target::Objects { store, prefix, name } => self.upload(store, prefix, name, overwrite).await,
        }
    }

    fn rename(self, directory: &Path, overwrite: bool) -> Result<()> {
        let failed = |e: std::io::Error| Error::exhausted(format!("output: {}: {e}", directory.display()));
        for name in FILES {
            File::open(self.directory.path().join(name))
                .and_then(|f| f.sync_all())
                .map_err(failed)?;
        }
        open_to_all(self.directory.path()).map_err(failed)?;
        let made = self.directory.keep();
        let old = made.with_extension("old");
        let replaced = overwrite && directory.exists();
        if replaced {
            std::fs::rename(directory, &old).map_err(failed)?;
        }
        // An empty directory gives way; one that has been filled meanwhile does not.
        std::fs::rename(&made, directory).map_err(|e| {
            let _ = std::fs::remove_dir_all(&made);
            if replaced {
                let _ = std::fs::rename(&old, directory);
            }
            failed(e)
        })?;
        if replaced {
            std::fs::remove_dir_all(&old).map_err(failed)
        } else {
            Ok(())
        }
    }

    async fn upload(self, store: &Arc<dyn ObjectStore>, prefix: &ObjectPath, name: &str, overwrite: bool) -> Result<()> {
        let failed = |e: object_store::Error| Error::unavailable(format!("output: {name}: {e}"));
        if overwrite {
            // The old result stops counting before its content changes.
            match store.delete(&prefix.clone().join(FILES[2])).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(failed(e)),
            }
        }
        for file in &FILES[..2] {
            upload(Arc::clone(store), &prefix.clone().join(*file), &self.path(file)).await?;
        }
        let manifest = std::fs::read(self.directory.path().join(FILES[2])).map_err(|e| Error::exhausted(format!("output: {e}")))?;
        let place = prefix.clone().join(FILES[2]);
        match create(store.as_ref(), &place, manifest.into()).await? {
            Created::Mine => Ok(()),
            Created::Another(_) => Err(Error::input(format!("output: {name} was written by somebody else meanwhile"))),
        }
    }
}

/// A writer of one object: one put if it is small, else parts.
pub(crate) fn uploader(store: Arc<dyn ObjectStore>, to: &ObjectPath) -> object_store::buffered::BufWriter {
    object_store::buffered::BufWriter::with_capacity(store, to.clone(), PART_BYTES).with_max_concurrency(PARTS_IN_FLIGHT)
}

/// Puts a local file; gives its size.
pub(crate) async fn upload(store: Arc<dyn ObjectStore>, to: &ObjectPath, from: &Path) -> Result<u64> {
    let failed = |e: std::io::Error| Error::unavailable(format!("result: {to}: {e}"));
    let mut file = tokio::fs::File::open(from).await.map_err(failed)?;
    let mut writer = uploader(store, to);
    let size = tokio::io::copy(&mut file, &mut writer).await.map_err(failed)?;
    writer.shutdown().await.map_err(failed)?;
    Ok(size)
}

/// A temporary directory is for its owner only; a result is for whom the umask says.
fn open_to_all(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let probe = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o777))
        .tempdir_in(directory)?;
    let mode = probe.path().metadata()?.permissions();
    probe.close()?;
    std::fs::set_permissions(directory, mode)
}

/// Writes all of a text file.
pub(crate) fn write_all(mut file: BufWriter<File>, text: &str) -> Result<()> {
    file.write_all(text.as_bytes())
        .and_then(|()| file.flush())
        .map_err(|e| Error::exhausted(format!("output: {e}")))
}

/// Closes a file that was written in pieces.
pub(crate) fn finish(mut file: BufWriter<File>) -> Result<()> {
    file.flush().map_err(|e| Error::exhausted(format!("output: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_appears_whole_and_replaces_only_when_asked() {
        let home = tempfile::tempdir().expect("tempdir");
        let out = home.path().join("deep/out");
        let target = Target::Directory(out.clone());
        for (text, overwrite) in [("1", false), ("2", true)] {
            let staging = Staging::new(&target).expect("staging");
            for name in FILES {
                write_all(staging.create(name).expect("create"), text).expect("write");
            }
            staging.rename(&out, overwrite).expect("rename");
            assert_eq!(std::fs::read_to_string(out.join("diff.csv")).expect("read"), text);
        }
        drop(Staging::new(&target).expect("staging"));
        let left: Vec<_> = std::fs::read_dir(home.path().join("deep")).expect("list").collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
