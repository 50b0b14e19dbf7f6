//! The bytes of column chunks for the Parquet decoder: fetched at once where they are few, window by window otherwise.

use crate::read::pinned::PinnedFile;
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;
use shadowdiff_core::error::Result;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Chunks of an object are fetched at once up to this size together; it bounds what a row group holds undecoded.
const MAX_AT_ONCE_BYTES: u64 = 128 << 20;
/// The windows of all chunks of a row group together, where they are not.
const MAX_WINDOWS_BYTES: u64 = 64 << 20;
/// Chunks with no more than this between them are fetched by one request.
const MAX_GAP_BYTES: u64 = 512 << 10;
/// A window into one chunk, where they are not fetched at once: its share in all windows, within these.
const MIN_WINDOW_BYTES: u64 = 256 << 10;
const MAX_WINDOW_BYTES: u64 = 16 << 20;
/// The same of a local file, where a request costs next to nothing. Some writers make a page of a whole chunk: what is less than a page is
/// read twice.
const MAX_LOCAL_WINDOW_BYTES: u64 = 4 << 20;

/// What the decoder reads from. Cheap to clone; clones share what was fetched.
#[derive(Debug, Clone)]
pub(super) struct Chunks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: Arc<PinnedFile>,
    /// Sorted by start.
    chunks: Vec<Range<u64>>,
    window_bytes: u64,
    /// Whether windows stay in memory after their last page, for who reads the chunks again.
    keeps: bool,
    /// By where they start.
    windows: Mutex<BTreeMap<u64, Window>>,
}

/// Bytes of one chunk that lie in memory.
#[derive(Debug)]
struct Window {
    bytes: Bytes,
    /// Where the next page begins, as far as pages have been handed out.
    next: u64,
}

impl Chunks {
    /// Nothing fetched yet; reads outside of `chunks` work, too.
    pub(super) fn new(file: Arc<PinnedFile>, chunks: Vec<Range<u64>>, window_bytes: u64) -> Chunks {
        Chunks::over(file, chunks, window_bytes, true)
    }

    fn over(file: Arc<PinnedFile>, mut chunks: Vec<Range<u64>>, window_bytes: u64, keeps: bool) -> Chunks {
        chunks.sort_by_key(|chunk| chunk.start);
        Chunks {
            shared: Arc::new(Shared {
                file,
                chunks,
                window_bytes,
                keeps,
                windows: Mutex::default(),
            }),
        }
    }

    /// The wanted chunks of one row group. `is_read_again`: they are read more than once.
    pub(super) fn of_row_group(file: Arc<PinnedFile>, wanted: &[Range<u64>], is_read_again: bool) -> Result<Chunks> {
        let is_local = file.is_local();
        let most = if is_local { MAX_LOCAL_WINDOW_BYTES } else { MAX_WINDOW_BYTES };
        let window = (MAX_WINDOWS_BYTES / (wanted.len() as u64).max(1)).clamp(MIN_WINDOW_BYTES, most);
        let chunks = Chunks::over(file, wanted.to_vec(), window, is_read_again || !is_local);
        if let Some(ranges) = at_once(wanted.to_vec()).filter(|_| !is_local) {
            chunks.load(&ranges)?;
        }
        Ok(chunks)
    }

    /// Fetches whole ranges.
    pub(super) fn load(&self, ranges: &[Range<u64>]) -> Result<()> {
        let read = self.shared.file.read_many(ranges)?;
        let mut windows = self.windows();
        insert(&mut windows, ranges, read);
        Ok(())
    }

    fn windows(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Window>> {
        self.shared.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there at `start`: at least one byte and, where `length` asks for it, that many.
    fn at(&self, start: u64, length: u64) -> Result<Bytes> {
        let mut windows = self.windows();
        if let Some((from, window)) = windows.range(..=start).next_back() {
            let (from, offset) = (*from, start - from);
            if offset.saturating_add(length) <= window.bytes.len() as u64 {
                let bytes = window.bytes.slice(offset as usize..);
                self.hand_out(&mut windows, from, start, length);
                return Ok(bytes);
            }
        }
        let shared = &self.shared;
        let chunk = shared
            .chunks
            .partition_point(|chunk| chunk.start <= start)
            .checked_sub(1)
            .map(|i| shared.chunks[i].clone());
        let chunk = chunk
            .filter(|chunk| start < chunk.end)
            .unwrap_or(start..shared.file.size_bytes().max(start));
        let end = chunk
            .end
            .min(start.saturating_add(shared.window_bytes))
            .max(start.saturating_add(length));
        let due = if shared.file.is_local() {
            Vec::new()
        } else {
            shared.due(&windows, &chunk)
        };
        let ranges: Vec<Range<u64>> = std::iter::once(start..end).chain(due).collect();
        let read = shared.file.read_many(&ranges)?;
        let first = read.first().cloned().unwrap_or_default();
        // A chunk has one window: what was read of it before is behind the decoder.
        for range in &ranges {
            let at = shared.chunks.partition_point(|chunk| chunk.start <= range.start);
            let inside = at.checked_sub(1).filter(|i| range.start < shared.chunks[*i].end);
            let from = inside.map_or(range.start, |i| shared.chunks[i].start);
            let behind: Vec<u64> = windows.range(from..=range.start).map(|(from, _)| *from).collect();
            for from in behind {
                windows.remove(&from);
            }
        }
        insert(&mut windows, &ranges, read);
        self.hand_out(&mut windows, start, start, length);
        Ok(first)
    }

    /// Bytes of a window are given to the decoder. One that need not be kept is let go with its last page: whoever decodes that holds what it needs.
    fn hand_out(&self, windows: &mut BTreeMap<u64, Window>, from: u64, start: u64, length: u64) {
        // A page's header is read in pieces of one byte and more.
        let Some(window) = windows.get_mut(&from).filter(|_| length > 1) else {
            return;
        };
        window.next = start + length;
        if !self.shared.keeps && window.next == from + window.bytes.len() as u64 {
            windows.remove(&from);
        }
    }
}

impl Shared {
    /// The next windows of the other chunks that have used up half of theirs. The columns of a row group are decoded side
    /// by side, so they are about to be asked for, and one request after the other would take long.
    fn due(&self, windows: &BTreeMap<u64, Window>, asked: &Range<u64>) -> Vec<Range<u64>> {
        let others = self.chunks.iter().filter(|chunk| *chunk != asked);
        let due = others.filter_map(|chunk| {
            let from = match windows.range(chunk.clone()).next_back() {
                None => chunk.start,
                Some((from, window)) => {
                    let half = from + window.bytes.len() as u64 / 2;
                    let to_end = from + window.bytes.len() as u64 >= chunk.end;
                    (!to_end && window.next >= half).then_some(window.next)?
                }
            };
            Some(from..chunk.end.min(from.saturating_add(self.window_bytes)))
        });
        due.filter(|range| range.start < range.end).collect()
    }
}

fn insert(windows: &mut BTreeMap<u64, Window>, ranges: &[Range<u64>], read: Vec<Bytes>) {
    for (range, bytes) in ranges.iter().zip(read) {
        let next = range.start;
        windows.insert(range.start, Window { bytes, next });
    }
}

/// What fetches chunks of an object at once, if they are few enough for that. Fewer of the same chunks lie in the same ranges.
pub(super) fn at_once(mut chunks: Vec<Range<u64>>) -> Option<Vec<Range<u64>>> {
    chunks.sort_by_key(|chunk| chunk.start);
    let total: u64 = chunks.iter().map(|chunk| chunk.end - chunk.start).sum();
    (total <= MAX_AT_ONCE_BYTES).then(|| coalesced(&chunks))
}

/// Neighbours joined into longer ranges.
fn coalesced(chunks: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for chunk in chunks {
        match joined.last_mut() {
            Some(last) if chunk.start <= last.end.saturating_add(MAX_GAP_BYTES) => last.end = last.end.max(chunk.end),
            _ => joined.push(chunk.clone()),
        }
    }
    joined
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.shared.file.size_bytes()
    }
}

impl ChunkReader for Chunks {
    type T = ChunkTail;

    fn get_read(&self, start: u64) -> ParquetResult<ChunkTail> {
        Ok(ChunkTail {
            chunks: self.clone(),
            position: start,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let bytes = self.at(start, length as u64).map_err(|e| ParquetError::External(Box::new(e)))?;
        Ok(bytes.slice(..length))
    }
}

/// Reads on from one position.
#[derive(Debug)]
pub(super) struct ChunkTail {
    chunks: Chunks,
    position: u64,
}

impl std::io::Read for ChunkTail {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.position >= self.chunks.len() || buffer.is_empty() {
            return Ok(0);
        }
        let bytes = self.chunks.at(self.position, 1).map_err(std::io::Error::other)?;
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_fetched_together() {
        let far = MAX_GAP_BYTES + 11;
        assert_eq!(coalesced(&[0..5, 5..8, 10..10, far..far + 1]), [0..10, far..far + 1]);
    }
}
