//! Bytes that stay in memory up to a budget shared by the whole process, then go to a file in the scratch directory.

use bytes::Bytes;
use shadowdiff_core::error::{Error, Kind, Result};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes of intermediate results may stay in memory; the rest goes to scratch.
#[derive(Debug)]
pub struct Budget {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
}

impl Budget {
    pub fn new(limit_bytes: usize) -> Self {
        Budget {
            limit_bytes,
            used_bytes: AtomicUsize::new(0),
        }
    }

    /// Takes `bytes` if they are there.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Option<Share> {
        let within = |used: usize| used.checked_add(bytes).filter(|total| *total <= self.limit_bytes);
        self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).ok()?;
        Some(Share {
            budget: Arc::clone(self),
            bytes,
        })
    }
}

/// Bytes taken from a budget; given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Where intermediate results go: a budget of memory, and a directory that vanishes with the job.
#[derive(Debug, Clone)]
pub struct Scratch {
    pub budget: Arc<Budget>,
    directory: Arc<tempfile::TempDir>,
}

impl Scratch {
    /// `parent`: where the directory is made; the system's temporary directory if none.
    pub fn new(budget_bytes: usize, parent: Option<&Path>) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("shadowdiff-");
        let directory = match parent {
            Some(parent) => std::fs::create_dir_all(parent).and_then(|()| builder.tempdir_in(parent)),
            None => builder.tempdir(),
        };
        let directory = directory.map_err(|e| {
            Error::exhausted(format!(
                "no scratch directory can be made{}: {e}",
                parent.map(|p| format!(" in {}", p.display())).unwrap_or_default()
            ))
        })?;
        Ok(Scratch {
            budget: Arc::new(Budget::new(budget_bytes)),
            directory: Arc::new(directory),
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A new file that has no name: it is gone when the last handle is.
    pub fn file(&self) -> Result<File> {
        tempfile::tempfile_in(self.directory.path()).map_err(|e| failed(&e))
    }
}

/// What a full or broken scratch disk is to the job.
pub fn failed(error: &std::io::Error) -> Error {
    Error::new(Kind::Exhausted, format!("scratch: {error}")).advice("give another directory with --scratch, or more memory with --memory")
}

/// Checked ranges of bytes that lie somewhere else than in memory: in a scratch file, in an object.
pub trait Pieces: std::fmt::Debug + Send + Sync {
    /// Reads a range; bytes that are not what was written are an error.
    fn read(&self, offset: u64, length: usize, checksum: u32) -> Result<Bytes>;
}

impl Pieces for File {
    fn read(&self, offset: u64, length: usize, checksum: u32) -> Result<Bytes> {
        read_checked(self, offset, length, checksum).map(Bytes::from)
    }
}

/// Appended once, read from the front any number of times.
#[derive(Debug)]
pub struct Spool {
    parts: Vec<Part>,
    elsewhere: Option<Arc<dyn Pieces>>,
}

#[derive(Debug)]
enum Part {
    Memory { bytes: Bytes, _share: Share },
    Elsewhere { offset: u64, length: usize, checksum: u32 },
}

/// Writes a [`Spool`] in parts.
#[derive(Debug)]
pub struct SpoolWriter {
    scratch: Scratch,
    pending: Vec<u8>,
    part_bytes: usize,
    file: Option<Arc<File>>,
    file_length: u64,
    spool: Spool,
}

impl SpoolWriter {
    /// Parts are what a reader holds in memory at a time.
    pub fn new(scratch: &Scratch, part_bytes: usize) -> Self {
        let spool = Spool {
            parts: Vec::new(),
            elsewhere: None,
        };
        SpoolWriter {
            scratch: scratch.clone(),
            pending: Vec::new(),
            part_bytes,
            file: None,
            file_length: 0,
            spool,
        }
    }

    /// Appends one record; a record is never divided between parts.
    pub fn append(&mut self, record: &[u8]) -> Result<()> {
        if !self.pending.is_empty() && self.pending.len() + record.len() > self.part_bytes {
            self.flush()?;
        }
        self.pending.extend_from_slice(record);
        Ok(())
    }

    pub fn finish(mut self) -> Result<Spool> {
        self.flush()?;
        Ok(self.spool)
    }

    fn flush(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.shrink_to_fit();
        if let Some(share) = self.scratch.budget.take(bytes.len()) {
            self.spool.parts.push(Part::Memory {
                bytes: bytes.into(),
                _share: share,
            });
            return Ok(());
        }
        if self.file.is_none() {
            let file = Arc::new(self.scratch.file()?);
            self.spool.elsewhere = Some(Arc::clone(&file) as Arc<dyn Pieces>);
            self.file = Some(file);
        }
        let mut file: &File = self.file.as_deref().expect("opened above");
        file.write_all(&bytes).map_err(|e| failed(&e))?;
        let part = Part::Elsewhere {
            offset: self.file_length,
            length: bytes.len(),
            checksum: crc32fast::hash(&bytes),
        };
        self.spool.parts.push(part);
        self.file_length += bytes.len() as u64;
        Ok(())
    }
}

impl Spool {
    /// A spool whose parts (offset, length, checksum) lie in `pieces`.
    pub fn stored(pieces: Arc<dyn Pieces>, parts: impl IntoIterator<Item = (u64, usize, u32)>) -> Spool {
        let parts = parts.into_iter();
        let parts = parts.map(|(offset, length, checksum)| Part::Elsewhere { offset, length, checksum });
        Spool {
            parts: parts.collect(),
            elsewhere: Some(pieces),
        }
    }

    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// The bytes of one part. A part that does not read back as it was written is an error.
    pub fn part(&self, number: usize) -> Result<Bytes> {
        match &self.parts[number] {
            Part::Memory { bytes, .. } => Ok(bytes.clone()),
            Part::Elsewhere { offset, length, checksum } => {
                let pieces = self.elsewhere.as_deref().expect("a part that is elsewhere has a place");
                pieces.read(*offset, *length, *checksum)
            }
        }
    }
}

/// Reads a range of a scratch file and checks it.
pub fn read_checked(file: &File, offset: u64, length: usize, checksum: u32) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset).map_err(|e| failed(&e))?;
    if crc32fast::hash(&bytes) != checksum {
        return Err(Error::unavailable("scratch: a block does not read back as it was written").advice("is the disk sound?"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_whole_from_memory_and_from_scratch() {
        for budget in [0, 40, 1 << 20] {
            let scratch = Scratch::new(budget, None).expect("scratch");
            let mut writer = SpoolWriter::new(&scratch, 16);
            for i in 0..10u8 {
                writer.append(&[i; 7]).expect("append");
            }
            let spool = writer.finish().expect("finish");
            let read: Vec<u8> = (0..spool.parts()).flat_map(|p| spool.part(p).expect("part").to_vec()).collect();
            assert_eq!(read, (0..10u8).flat_map(|i| [i; 7]).collect::<Vec<_>>(), "budget {budget}");
        }
    }

    #[test]
    fn a_dropped_share_is_given_back() {
        let budget = Arc::new(Budget::new(10));
        let share = budget.take(10).expect("fits");
        assert!(budget.take(1).is_none());
        drop(share);
        assert!(budget.take(10).is_some());
    }
}
