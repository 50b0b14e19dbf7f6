//! Bytes that stay in memory up to a budget shared by the whole process, then go to a file in the scratch directory.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
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
}

/// What a full or broken scratch disk is to the job.
fn failed(error: &std::io::Error) -> Error {
    Error::new(Kind::Exhausted, format!("scratch: {error}")).advice("give another directory with --scratch, or more memory with --memory")
}

/// A checked range of a file or an object; stored as a list of its three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u32)", into = "(u64, u64, u32)")]
pub struct Piece {
    pub offset: u64,
    pub length: u64,
    /// CRC-32 (IEEE) of the bytes.
    pub checksum: u32,
}

impl Piece {
    /// Of bytes that are written at `offset`.
    pub fn of(bytes: &[u8], offset: u64) -> Self {
        Piece {
            offset,
            length: bytes.len() as u64,
            checksum: crc32fast::hash(bytes),
        }
    }

    pub fn end(&self) -> u64 {
        self.offset + self.length
    }

    /// Whether the bytes are what was written.
    pub fn is_sound(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.length && crc32fast::hash(bytes) == self.checksum
    }
}

impl From<(u64, u64, u32)> for Piece {
    fn from((offset, length, checksum): (u64, u64, u32)) -> Self {
        Piece { offset, length, checksum }
    }
}

impl From<Piece> for (u64, u64, u32) {
    fn from(piece: Piece) -> Self {
        (piece.offset, piece.length, piece.checksum)
    }
}

/// Pieces that lie somewhere else than in memory: in a scratch file, in an object.
pub trait Pieces: std::fmt::Debug + Send + Sync {
    /// Bytes that are not what was written are an error.
    fn read(&self, piece: Piece) -> Result<Bytes>;
}

impl Pieces for File {
    fn read(&self, piece: Piece) -> Result<Bytes> {
        let mut bytes = vec![0; piece.length as usize];
        self.read_exact_at(&mut bytes, piece.offset).map_err(|e| failed(&e))?;
        if !piece.is_sound(&bytes) {
            return Err(Error::unavailable("scratch: a block does not read back as it was written").advice("is the disk sound?"));
        }
        Ok(bytes.into())
    }
}

/// A file in the scratch directory that pieces are appended to, made when the first one comes. It has no name: it is gone when the last
/// handle is.
#[derive(Debug, Default)]
pub struct ScratchFile {
    file: Option<Arc<File>>,
    length: u64,
}

impl ScratchFile {
    pub fn append(&mut self, bytes: &[u8], scratch: &Scratch) -> Result<Piece> {
        if self.file.is_none() {
            let file = tempfile::tempfile_in(scratch.path()).map_err(|e| failed(&e))?;
            self.file = Some(Arc::new(file));
        }
        let mut file: &File = self.file.as_deref().expect("made above");
        file.write_all(bytes).map_err(|e| failed(&e))?;
        let piece = Piece::of(bytes, self.length);
        self.length = piece.end();
        Ok(piece)
    }

    /// Where its pieces are read, if it has any.
    pub fn pieces(self) -> Option<Arc<dyn Pieces>> {
        self.file.map(|file| file as Arc<dyn Pieces>)
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
    Elsewhere(Piece),
}

/// Writes a [`Spool`] in parts.
#[derive(Debug)]
pub struct SpoolWriter {
    scratch: Scratch,
    pending: Vec<u8>,
    part_bytes: usize,
    parts: Vec<Part>,
    file: ScratchFile,
}

impl SpoolWriter {
    /// Parts are what a reader holds in memory at a time.
    pub fn new(scratch: &Scratch, part_bytes: usize) -> Self {
        SpoolWriter {
            scratch: scratch.clone(),
            pending: Vec::new(),
            part_bytes,
            parts: Vec::new(),
            file: ScratchFile::default(),
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
        Ok(Spool {
            parts: self.parts,
            elsewhere: self.file.pieces(),
        })
    }

    fn flush(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.shrink_to_fit();
        self.parts.push(match self.scratch.budget.take(bytes.len()) {
            Some(share) => Part::Memory {
                bytes: bytes.into(),
                _share: share,
            },
            None => Part::Elsewhere(self.file.append(&bytes, &self.scratch)?),
        });
        Ok(())
    }
}

impl Spool {
    /// A spool whose parts lie in `pieces`.
    pub fn stored(pieces: Arc<dyn Pieces>, parts: &[Piece]) -> Spool {
        Spool {
            parts: parts.iter().copied().map(Part::Elsewhere).collect(),
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
            Part::Elsewhere(piece) => {
                let pieces = self.elsewhere.as_deref().expect("a part that is elsewhere has a place");
                pieces.read(*piece)
            }
        }
    }
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
