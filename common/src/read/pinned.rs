//! Reads bytes of one file as it was when the job was planned, or fails.
//!
//! Objects are asked for with `if_match` where they have a strong ETag, and every answer's size and ETag are compared; where
//! a server sends no ETag, the time of the last change is.
//! Local files are compared by size and modification time when opened and, by `check`, after they are read.

use super::Sources;
use super::dataset::{DataFile, pin_of_file, pin_of_object};
use super::held::Held;
use crate::store::{Location, io_error, is_copied, store_error};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Pin;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// Largest range that one request asks for: a longer one is cut, because one connection is slow.
const MAX_REQUEST_BYTES: u64 = 16 << 20;
/// Requests of one file in flight.
const MAX_REQUESTS: usize = 8;
/// How long a store may be silent, its client's own retries included.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a sequential reader takes at once.
const LOCAL_WINDOW_BYTES: u64 = 1 << 20;
/// A first look needs little, such as a header; each window is four times the one before, up to the largest.
const FIRST_OBJECT_WINDOW_BYTES: u64 = 512 << 10;
const OBJECT_WINDOW_BYTES: u64 = 32 << 20;
/// A window is fetched in requests of this size, some at a time.
const OBJECT_PART_BYTES: u64 = 4 << 20;

/// One file, open for reading byte ranges from blocking code.
#[derive(Debug)]
pub struct PinnedFile {
    name: String,
    pin: Pin,
    source: Source,
    /// What counts the bytes that are read.
    counters: Vec<Arc<AtomicU64>>,
    location: Location,
    /// Where its bytes may lie already, if it is an object.
    held: Option<Held>,
    /// The first read that failed. Decoders wrap errors until their kind is lost; this keeps it.
    failure: Mutex<Option<Error>>,
}

#[derive(Debug)]
enum Source {
    Local(std::fs::File),
    Object {
        store: Arc<dyn ObjectStore>,
        path: object_store::path::Path,
        runtime: Handle,
    },
}

impl PinnedFile {
    pub fn open(file: &DataFile, sources: &Sources) -> Result<Arc<PinnedFile>> {
        let source = match &file.location {
            Location::Local(path) => Source::Local(std::fs::File::open(path).map_err(|e| io_error(&e, &file.name))?),
            Location::Object { .. } => {
                let (store, path) = (sources.stores.open(&file.location)?, file.location.key()?);
                if is_copied(file.pin.etag.as_deref()) {
                    // Copied now where this process has not done so yet: later requests are answered in time.
                    let meta = sources.runtime.block_on(store.head(&path));
                    let now = pin_of_object(&meta.map_err(|e| store_error(e, &file.name))?);
                    if !file.pin.agrees(&now) {
                        return Err(changed(&file.name));
                    }
                }
                Source::Object {
                    store,
                    path,
                    runtime: sources.runtime.clone(),
                }
            }
        };
        let opened = PinnedFile {
            name: file.name.clone(),
            pin: file.pin.clone(),
            source,
            counters: sources.counters(),
            location: file.location.clone(),
            held: sources.held.clone(),
            failure: Mutex::new(None),
        };
        opened.check()?;
        Ok(Arc::new(opened))
    }

    /// As messages name it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn size_bytes(&self) -> u64 {
        self.pin.size_bytes
    }

    pub fn is_local(&self) -> bool {
        matches!(self.source, Source::Local(_))
    }

    /// Whether the file is still the pinned one. Objects answer that with every read, so nothing is asked here.
    pub fn check(&self) -> Result<()> {
        let Source::Local(file) = &self.source else { return Ok(()) };
        let now = pin_of_file(&file.metadata().map_err(|e| io_error(&e, &self.name))?);
        if now == self.pin { Ok(()) } else { Err(changed(&self.name)) }
    }

    /// Exactly the bytes of `range`.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        Ok(self.read_many(std::slice::from_ref(&range))?.pop().unwrap_or_default())
    }

    /// Exactly the bytes of each range, several requests in flight.
    pub fn read_many(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let read = self.read_ranges(ranges, MAX_REQUEST_BYTES);
        read.inspect_err(|error| self.remember(error))
    }

    /// Fetches these ranges of an object, and holds them until they are let go.
    pub(super) fn hold(&self, ranges: &[Range<u64>]) -> Result<()> {
        let Some(held) = self.held.as_ref().filter(|_| !self.is_local()) else {
            return Ok(());
        };
        let read = self.read_many(ranges)?;
        held.put_chunks(&self.location, &self.pin, ranges.iter().map(|range| range.start).zip(read));
        Ok(())
    }

    /// The same for its end.
    pub(super) fn hold_tail(&self, range: Range<u64>) -> Result<()> {
        let Some(held) = self.held.as_ref().filter(|_| !self.is_local()) else {
            return Ok(());
        };
        let start = range.start;
        if held.get(&self.location, &self.pin, &range).is_some() {
            return Ok(());
        }
        held.put_tail(&self.location, &self.pin, start, self.read(range)?);
        Ok(())
    }

    /// Nothing of it is held any more: it may have been damaged on its way.
    pub(super) fn forget_held(&self) {
        self.held.iter().for_each(|held| held.forget(&self.location));
    }

    /// A sequential reader of `range`.
    pub fn reader(self: &Arc<Self>, range: Range<u64>) -> PinnedReader {
        PinnedReader {
            file: self.clone(),
            left: range,
            window: Bytes::new(),
            window_bytes: FIRST_OBJECT_WINDOW_BYTES,
        }
    }

    /// The error for content that cannot be decoded: the failed read behind it if there is one, else the data's fault.
    pub(super) fn blame(&self, reason: impl std::fmt::Display) -> Error {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure
            .or_else(|| self.check().err())
            .unwrap_or_else(|| Error::input(plain(&reason.to_string())).file(&self.name))
    }

    fn remember(&self, error: &Error) {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| error.clone());
    }

    /// Fills a buffer with the bytes from a place on. Of a local file nothing else is written, so that a small buffer costs no more than itself.
    pub(super) fn fill(&self, buffer: &mut [u8], from: u64) -> Result<()> {
        let range = from..from.saturating_add(buffer.len() as u64);
        let filled = match &self.source {
            Source::Local(file) => self.check_inside(std::slice::from_ref(&range)).and_then(|()| {
                self.count(std::slice::from_ref(&range));
                self.fill_local(file, buffer, from)
            }),
            Source::Object { .. } => return self.read(range).map(|bytes| buffer.copy_from_slice(&bytes)),
        };
        filled.inspect_err(|error| self.remember(error))
    }

    fn check_inside(&self, ranges: &[Range<u64>]) -> Result<()> {
        let Some(beyond) = ranges.iter().find(|r| r.end > self.pin.size_bytes || r.start > r.end) else {
            return Ok(());
        };
        Err(Error::input(format!(
            "the file is malformed: it refers to bytes {} to {}, but has only {}",
            beyond.start, beyond.end, self.pin.size_bytes
        ))
        .file(&self.name))
    }

    fn read_ranges(&self, ranges: &[Range<u64>], part_bytes: u64) -> Result<Vec<Bytes>> {
        self.check_inside(ranges)?;
        match &self.source {
            Source::Local(file) => {
                self.count(ranges);
                ranges.iter().map(|range| self.read_local(file, range)).collect()
            }
            Source::Object { store, path, runtime } => {
                let known = ranges.iter().map(|range| self.held.as_ref()?.get(&self.location, &self.pin, range));
                let known: Vec<Option<Bytes>> = known.collect();
                let missing = ranges.iter().zip(&known).filter(|(_, known)| known.is_none());
                let ranges: Vec<Range<u64>> = missing.map(|(range, _)| range.clone()).collect();
                self.count(&ranges);
                let parts: Vec<Range<u64>> = ranges.iter().flat_map(|range| cut(range, part_bytes)).collect();
                let requests = parts.iter().cloned().map(|part| self.request(store.as_ref(), path, part));
                let read: Vec<Bytes> = runtime.block_on(futures::stream::iter(requests).buffered(MAX_REQUESTS).try_collect())?;
                let mut fetched = join(&ranges, read, part_bytes).into_iter();
                Ok(known.into_iter().filter_map(|known| known.or_else(|| fetched.next())).collect())
            }
        }
    }

    fn count(&self, ranges: &[Range<u64>]) {
        self.add_read(ranges.iter().map(|range| range.end - range.start).sum());
    }

    fn add_read(&self, bytes: u64) {
        for counter in &self.counters {
            counter.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn read_local(&self, file: &std::fs::File, range: &Range<u64>) -> Result<Bytes> {
        let length = usize::try_from(range.end - range.start).map_err(|_| Error::exhausted("a range is too long").file(&self.name))?;
        let mut bytes = BytesMut::zeroed(length);
        self.fill_local(file, &mut bytes, range.start)?;
        Ok(bytes.freeze())
    }

    fn fill_local(&self, file: &std::fs::File, buffer: &mut [u8], from: u64) -> Result<()> {
        match read_at(file, buffer, from) {
            Ok(()) => Ok(()),
            // The file became shorter than its pin.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(changed(&self.name)),
            Err(error) => Err(io_error(&error, &self.name)),
        }
    }

    async fn request(&self, store: &dyn ObjectStore, path: &object_store::path::Path, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let length = range.end - range.start;
        let options = GetOptions {
            range: Some(range.into()),
            if_match: self.pin.strong_etag(),
            ..GetOptions::default()
        };
        let answer = tokio::time::timeout(PATIENCE, store.get_opts(path, options)).await;
        let result = answer.map_err(|_| self.silent())?.map_err(|e| store_error(e, &self.name))?;
        if !self.pin.agrees(&pin_of_object(&result.meta)) {
            return Err(changed(&self.name));
        }
        let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
        let mut pieces = result.into_stream();
        // A slow link may take long for a whole part, so each piece is waited for on its own.
        while let Some(piece) = tokio::time::timeout(PATIENCE, pieces.next()).await.map_err(|_| self.silent())? {
            bytes.extend_from_slice(&piece.map_err(|e| store_error(e, &self.name))?);
        }
        if bytes.len() as u64 != length {
            return Err(Error::unavailable(format!("the store sent {} bytes of {length}", bytes.len())).file(&self.name));
        }
        Ok(bytes.freeze())
    }

    fn silent(&self) -> Error {
        Error::unavailable(format!("no answer for {} seconds", PATIENCE.as_secs())).file(&self.name)
    }
}

/// How many requests it takes to read ranges of these lengths.
pub(super) fn requests(lengths: impl Iterator<Item = u64>) -> u64 {
    lengths.map(|length| length.div_ceil(MAX_REQUEST_BYTES)).sum()
}

/// How many requests a sequential reader makes for an object of this size.
pub(super) fn sequential_requests(size_bytes: u64) -> u64 {
    let (mut left, mut window, mut requests) = (size_bytes, FIRST_OBJECT_WINDOW_BYTES, 0);
    while left > 0 {
        let taken = left.min(window);
        requests += taken.div_ceil(OBJECT_PART_BYTES);
        left -= taken;
        window = OBJECT_WINDOW_BYTES.min(window * 4);
    }
    requests
}

fn changed(name: &str) -> Error {
    crate::store::changed(name)
}

fn cut(range: &Range<u64>, part_bytes: u64) -> impl Iterator<Item = Range<u64>> + use<> {
    let range = range.clone();
    let parts = (range.end - range.start).div_ceil(part_bytes).max(1);
    (0..parts).map(move |i| range.start + i * part_bytes..range.end.min(range.start + (i + 1) * part_bytes))
}

/// The parts that `cut` made, put together again.
fn join(ranges: &[Range<u64>], read: Vec<Bytes>, part_bytes: u64) -> Vec<Bytes> {
    let mut read = read.into_iter();
    let mut joined = Vec::with_capacity(ranges.len());
    for range in ranges {
        let parts: Vec<Bytes> = read.by_ref().take(cut(range, part_bytes).count()).collect();
        joined.push(match parts.as_slice() {
            [whole] => whole.clone(),
            parts => parts.concat().into(),
        });
    }
    joined
}

#[cfg(unix)]
fn read_at(file: &std::fs::File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &std::fs::File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[read..];
        offset += read as u64;
    }
    Ok(())
}

/// A decoder's message without the names of the error types it went through.
fn plain(reason: &str) -> &str {
    let wrappers = [
        "Parquet argument error: ",
        "Parquet error: ",
        "External error: ",
        "External: ",
        "Ipc error: ",
        "Parser error: ",
    ];
    let mut reason = reason;
    while let Some(inner) = wrappers.iter().find_map(|wrapper| reason.strip_prefix(wrapper)) {
        reason = inner;
    }
    reason
}

/// Reads a range of a pinned file from its start to its end; the pin is checked when the end is reached.
#[derive(Debug)]
pub struct PinnedReader {
    file: Arc<PinnedFile>,
    left: Range<u64>,
    window: Bytes,
    /// How much of an object the next window takes.
    window_bytes: u64,
}

impl PinnedReader {
    fn fetch(&mut self) -> Result<()> {
        if self.left.is_empty() {
            return self.file.check();
        }
        let (window, part) = match self.file.source {
            Source::Local(_) => (LOCAL_WINDOW_BYTES, LOCAL_WINDOW_BYTES),
            Source::Object { .. } => (self.window_bytes, OBJECT_PART_BYTES),
        };
        self.window_bytes = OBJECT_WINDOW_BYTES.min(self.window_bytes * 4);
        let range = self.left.start..self.left.end.min(self.left.start + window);
        self.window = self.file.read_ranges(std::slice::from_ref(&range), part)?.pop().unwrap_or_default();
        self.left.start = range.end;
        Ok(())
    }

    /// Reads into a large buffer what a window would only pass on; `None`: that is of no use here.
    fn read_local(&mut self, buffer: &mut [u8]) -> Option<Result<usize>> {
        let Source::Local(local) = &self.file.source else { return None };
        let length = (self.left.end - self.left.start).min(buffer.len() as u64);
        if !self.window.is_empty() || length < LOCAL_WINDOW_BYTES / 4 {
            return None;
        }
        let filled = self.file.fill_local(local, &mut buffer[..length as usize], self.left.start);
        Some(filled.map(|()| {
            self.file.add_read(length);
            self.left.start += length;
            length as usize
        }))
    }

    fn told<T>(&self, result: Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            self.file.remember(&error);
            io::Error::other(error)
        })
    }
}

impl io::BufRead for PinnedReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.window.is_empty() {
            let fetched = self.fetch();
            self.told(fetched)?;
        }
        Ok(&self.window)
    }

    fn consume(&mut self, amount: usize) {
        bytes::Buf::advance(&mut self.window, amount);
    }
}

impl io::Read for PinnedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(read) = self.read_local(buffer) {
            return self.told(read);
        }
        let window = io::BufRead::fill_buf(self)?;
        let length = window.len().min(buffer.len());
        buffer[..length].copy_from_slice(&window[..length]);
        io::BufRead::consume(self, length);
        Ok(length)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
mod tests;
