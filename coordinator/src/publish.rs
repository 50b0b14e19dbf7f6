//! Publishes a result: whole or not at all, never over anything that is not an older result of ours, and over that only when asked.
//!
//! A new local place is made beside where it goes and appears by one rename. In a place that is there already each file appears by a rename
//! of its own, the summary last; before the first table changes, the older summary goes, so that no mixture has one:
//!
//! ```text
//! lock .shadowdiff-writing -> look again -> remove summary.json -> the tables -> summary.json -> remove .shadowdiff-writing
//! ```
//! A table that the older result had and this one has not goes too. A process that dies in between leaves `.shadowdiff-writing` and no summary: the next run with `--overwrite` replaces that.
//! On object storage `deliver` does the same.

use crate::deliver::Delivery;
use crate::target::{OURS, Objects, Target, WRITING, Writing, look_in_directory, names_table, summary_in};
use bytes::BytesMut;
use futures::FutureExt;
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;
use shadowdiff_common::fault;
use shadowdiff_common::store::{Marking, uploader};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::{FileMark, FileMarks, ResultFile};
use std::fs::{File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What is read of a file at once to be put elsewhere.
const COPIED_BYTES: usize = 1 << 20;
/// Tries to lock a mark that others remove and make again meanwhile.
const MAX_LOCKS: u32 = 10;

/// A result in the making. Dropped before `publish`, it leaves nothing behind.
#[derive(Debug)]
pub struct Staging {
    directory: tempfile::TempDir,
    place: Place,
}

/// Where the files go once they are complete.
#[derive(Debug)]
enum Place {
    /// Beside a folder that is not there yet.
    Beside,
    /// In the folder itself.
    Within,
    Elsewhere,
}

/// A visible result, and where its files can be read from this process.
#[derive(Debug)]
pub struct Published {
    directory: PathBuf,
    /// Of a result on an object store: removed with this.
    _staged: Option<tempfile::TempDir>,
}

impl Published {
    /// A result that lies in a directory.
    pub(crate) fn at(directory: PathBuf) -> Published {
        Published { directory, _staged: None }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Staging {
    /// In the target or beside it where that is local, so that renames suffice; else in the temporary directory.
    pub fn new(target: &Target) -> Result<Self> {
        let failed = |e: io::Error, at: &Path| Error::input(format!("nothing can be written in {}: {e}", at.display())).field("output");
        match target {
            Target::Directory(directory) if directory.is_dir() => Ok(Staging {
                directory: temporary_in(directory).map_err(|e| failed(e, directory))?,
                place: Place::Within,
            }),
            Target::Directory(directory) => {
                let parent = directory.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
                std::fs::create_dir_all(parent).map_err(|e| failed(e, parent))?;
                Ok(Staging {
                    directory: temporary_in(parent).map_err(|e| failed(e, parent))?,
                    place: Place::Beside,
                })
            }
            Target::Objects(_) => Staging::aside(&std::env::temp_dir()),
        }
    }

    /// In a directory for what is temporary.
    pub fn aside(scratch: &Path) -> Result<Self> {
        let failed = |e: io::Error| Error::exhausted(format!("nothing can be written in {}: {e}", scratch.display())).field("output");
        std::fs::create_dir_all(scratch).map_err(failed)?;
        Ok(Staging {
            directory: temporary_in(scratch).map_err(failed)?,
            place: Place::Elsewhere,
        })
    }

    pub fn create(&self, name: impl AsRef<str>) -> Result<StagedFile> {
        let name = name.as_ref();
        let file = File::create(self.path(name)).map_err(|e| Error::exhausted(e.to_string()).file(name).field("output"))?;
        Ok(StagedFile {
            name: name.to_owned(),
            file: BufWriter::with_capacity(1 << 20, file),
            marking: Marking::default(),
        })
    }

    /// Where a file lies until the result is visible.
    pub fn path(&self, name: impl AsRef<str>) -> PathBuf {
        self.directory.path().join(name.as_ref())
    }

    /// Makes the result visible.
    pub async fn publish(self, target: &Target, overwrite: bool) -> Result<Published> {
        match target {
            Target::Directory(directory) => {
                match self.place {
                    Place::Within => self.replace_files(directory, overwrite)?,
                    Place::Beside | Place::Elsewhere => self.rename(directory)?,
                }
                Ok(Published::at(directory.clone()))
            }
            Target::Objects(objects) => {
                self.upload(objects, overwrite).await?;
                Ok(self.keep())
            }
        }
    }

    /// The files as they are, to be read and then forgotten.
    pub fn keep(self) -> Published {
        Published {
            directory: self.directory.path().to_owned(),
            _staged: Some(self.directory),
        }
    }

    /// The files of this result: all that every result has, and of the others those that were made.
    pub(crate) fn files(&self) -> impl Iterator<Item = ResultFile> {
        ResultFile::ALL
            .into_iter()
            .filter(|file| !file.is_optional() || self.path(file).exists())
    }

    fn sync(&self) -> io::Result<()> {
        std::fs::read_dir(self.directory.path())?.try_for_each(|entry| File::open(entry?.path())?.sync_all())
    }

    /// Makes all files visible as a folder, which is not there yet or empty.
    pub fn rename(self, directory: &Path) -> Result<()> {
        let failed = |e: io::Error| Error::exhausted(e.to_string()).file(directory.display()).field("output");
        self.sync().map_err(failed)?;
        open_to_all(self.directory.path()).map_err(failed)?;
        let made = self.directory.keep();
        // An empty directory that has come meanwhile gives way; one that has been filled does not.
        std::fs::rename(&made, directory).map_err(|e| {
            let _ = std::fs::remove_dir_all(&made);
            match e.kind() {
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                    Error::input(format!("{} was filled by somebody else meanwhile", directory.display()))
                        .field("output")
                        .advice("nothing was written there")
                }
                _ => failed(e),
            }
        })
    }

    /// One file after the other, each whole, the summary last.
    fn replace_files(self, directory: &Path, overwrite: bool) -> Result<()> {
        let failed = |e: io::Error| Error::exhausted(e.to_string()).file(directory.display()).field("output");
        self.sync().map_err(failed)?;
        let mut lock = Lock::take(directory)?;
        // Somebody else may have finished a result here since this job began.
        let found = look_in_directory(directory)?;
        if let Err(refused) = found.allow(&directory.display().to_string(), overwrite, &self.files().collect::<Vec<_>>()) {
            lock.give_back();
            return Err(refused);
        }
        lock.mark()?;
        let older = summary_in(directory)?;
        remove_if_there(&directory.join(ResultFile::Summary.name())).map_err(failed)?;
        let folder = File::open(directory).map_err(failed)?;
        for file in ResultFile::ALL {
            // What was done before is on the disk first: a machine that stops cannot show a summary over older tables.
            folder.sync_all().map_err(failed)?;
            fault::point("publish:file");
            if self.files().any(|made| made == file) {
                std::fs::rename(self.path(file), directory.join(file.name())).map_err(failed)?;
            } else if names_table(older.as_deref(), file) {
                remove_if_there(&directory.join(file.name())).map_err(failed)?;
            }
        }
        folder.sync_all().map_err(failed)?;
        lock.release().map_err(failed)
    }

    async fn upload(&self, objects: &Objects, overwrite: bool) -> Result<()> {
        let summary = std::fs::read(self.path(ResultFile::Summary)).map_err(|e| Error::exhausted(e.to_string()).field("output"))?;
        let writer = format!("{:032x}", u128::from_le_bytes(shadowdiff_common::random_bytes()?));
        let delivery = Delivery {
            objects,
            writer: &writer,
            summary: summary.into(),
            tables: self.files().filter(|file| *file != ResultFile::Summary).collect(),
            overwrite,
        };
        let table = |file: ResultFile| {
            let (from, to) = (self.path(file), objects.at(file));
            async move { upload(Arc::clone(&objects.store), &to, &from).await.map(|_| ()) }.boxed()
        };
        let done = delivery.run(&table).await;
        if done.is_err() {
            delivery.withdraw().await;
        }
        done
    }
}

/// A file in the making.
#[derive(Debug)]
pub struct StagedFile {
    name: String,
    file: BufWriter<File>,
    marking: Marking,
}

impl StagedFile {
    /// Closes the file; gives what it is known by.
    pub fn finish(mut self) -> Result<FileMark> {
        self.file
            .flush()
            .map_err(|e| Error::exhausted(e.to_string()).file(&self.name).field("output"))?;
        Ok(self.marking.finish())
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.marking.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What these tables in a directory are known by, as far as they are there.
pub(crate) fn marks_of(directory: &Path, tables: &[ResultFile]) -> Result<FileMarks> {
    let mut marks = FileMarks::new();
    for table in tables {
        let path = directory.join(table.name());
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::input(e.to_string()).file(path.display())),
        };
        let mut marking = Marking::default();
        io::copy(&mut file, &mut marking).map_err(|e| Error::input(e.to_string()).file(path.display()))?;
        marks.insert(*table, marking.finish());
    }
    Ok(marks)
}

/// The right to write in a directory: a lock that ends with its process, on the mark that tells a later one what happened.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    fn take(directory: &Path) -> Result<Lock> {
        let path = directory.join(WRITING);
        let failed = |e: io::Error| Error::exhausted(e.to_string()).file(path.display()).field("output");
        let busy = || {
            Error::input(format!("{} is being written by another process", directory.display()))
                .field("output")
                .advice("nothing was written")
        };
        for _ in 0..MAX_LOCKS {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(busy()),
                // A file system without locks: the mark alone has to do.
                Err(TryLockError::Error(e)) => tracing::debug!("{}: no lock: {e}", path.display()),
            }
            // The one before removes the mark while it holds the lock: then this file is in no folder any more.
            let same = path
                .metadata()
                .is_ok_and(|now| file.metadata().is_ok_and(|mine| mine.ino() == now.ino()));
            if same {
                return Ok(Lock { path, file });
            }
        }
        Err(busy())
    }

    /// Says that the place is ours from here on, whatever becomes of this process.
    fn mark(&mut self) -> Result<()> {
        let mark = Writing::new(&std::process::id().to_string()).bytes()?;
        let marked = self.file.set_len(0).and_then(|()| self.file.write_all(&mark));
        marked
            .and_then(|()| self.file.sync_all())
            .map_err(|e| Error::exhausted(e.to_string()).file(self.path.display()).field("output"))
    }

    /// Leaves the place as it was: what an earlier writer has left stays.
    fn give_back(self) {
        if self.file.metadata().is_ok_and(|file| file.len() == 0) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn release(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// Puts a local file; gives what the bytes that were put are known by.
pub(crate) async fn upload(store: Arc<dyn ObjectStore>, to: &ObjectPath, from: &Path) -> Result<FileMark> {
    let failed = |e: io::Error| Error::unavailable(format!("result: {to}: {e}"));
    let mut file = tokio::fs::File::open(from).await.map_err(failed)?;
    let mut writer = uploader(&store, to);
    let mut marking = Marking::default();
    loop {
        let mut piece = BytesMut::with_capacity(COPIED_BYTES);
        if file.read_buf(&mut piece).await.map_err(failed)? == 0 {
            break;
        }
        marking.update(&piece);
        writer.put(piece.freeze()).await.map_err(|e| failed(e.into()))?;
    }
    writer.shutdown().await.map_err(failed)?;
    Ok(marking.finish())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn temporary_in(directory: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix(OURS).tempdir_in(directory)
}

/// A temporary directory is for its owner only; a result is for whom the umask says.
fn open_to_all(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let probe = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o777))
        .tempdir_in(directory)?;
    let mode = probe.path().metadata()?.permissions();
    probe.close()?;
    std::fs::set_permissions(directory, mode)
}

#[cfg(test)]
mod tests;
