//! Stores what attempts make as immutable objects, and opens it again where the next stage needs it.
//!
//! ```text
//! data = blocks of exchanged rows by shard, then side (the format of the exchange); parts of runs of fingerprints; parts of runs of differences
//! ```
//! Every block and part has its CRC-32 in the commit record. Blocking: call from a thread that is no runtime worker.

use super::commit::{Commit, Header, RECORD_VERSION};
use super::patience::{PATIENCE, retrying_for};
use super::{JobState, PlanDigest, Stage, state_error};
use crate::exchange::{Object, SelectedRows, StoredBlock, encode};
use crate::link::TaskOutput;
use crate::spool::{Piece, Pieces, Spool};
use crate::store::uploader;
use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::side::Side;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;

/// One request asks for at most this much, because one connection is slow.
pub const MAX_REQUEST_BYTES: u64 = 16 << 20;
/// As many as fetch the largest range that is read at once together: more would hold more than that.
const REQUESTS_IN_FLIGHT: usize = (MAX_PREFETCH_BYTES / MAX_REQUEST_BYTES) as usize;
/// A range up to this size is read at once, however many blocks are in it.
const MAX_PREFETCH_BYTES: u64 = 64 << 20;

/// Whose attempt it is that stores something.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'a> {
    pub job: &'a JobState,
    pub plan: &'a PlanDigest,
    pub task: u32,
    pub attempt: &'a str,
    pub worker: &'a str,
    /// Rows of one shard and side are put together up to so many bytes in memory.
    pub block_bytes: usize,
    pub runtime: &'a Handle,
}

impl Maker<'_> {
    /// The record's header; `uploaded`: whether there is content besides.
    fn header(&self, stage: Stage, uploaded: bool) -> Header {
        Header {
            version: RECORD_VERSION,
            incarnation: self.job.incarnation().clone(),
            plan: self.plan.clone(),
            attempt: self.attempt.to_owned(),
            worker: self.worker.to_owned(),
            data: uploaded.then(|| JobState::data_name(stage, self.task, self.attempt)),
        }
    }

    fn upload(&self, stage: Stage) -> Upload<'_> {
        let path = self.job.path(&JobState::data_name(stage, self.task, self.attempt));
        let writer = uploader(self.job.store(), &path);
        Upload {
            name: self.job.describe(&path),
            runtime: self.runtime,
            writer,
            length: 0,
        }
    }
}

/// Stores what an attempt has made and gives the record that commits it.
pub fn store_output(maker: Maker<'_>, stage: Stage, output: &TaskOutput) -> Result<Commit> {
    let mut upload = maker.upload(stage);
    let mut blocks = Vec::new();
    if let Some(exchange) = &output.exchange {
        for shard in 0..exchange.shards() {
            for side in Side::BOTH {
                store_shard(&mut upload, exchange, (shard, side), maker.block_bytes, &mut blocks)?;
            }
        }
    }
    let fingerprints = store_spools(&mut upload, &output.sorted)?;
    let runs = store_spools(&mut upload, &output.runs)?;
    Ok(Commit {
        header: maker.header(stage, upload.finish()?),
        tally: output.tally.clone(),
        blocks,
        fingerprints,
        runs,
        sample: output.sample,
        judged: output.judged.clone(),
        drawn: output.drawn.clone(),
        profile: output.profile.clone(),
    })
}

fn store_shard(
    upload: &mut Upload<'_>,
    object: &Object,
    (shard, side): (u32, Side),
    block_bytes: usize,
    blocks: &mut Vec<StoredBlock>,
) -> Result<()> {
    let mut pending: Vec<RecordBatch> = Vec::new();
    let mut pending_bytes = 0;
    let mut flush = |pending: &mut Vec<RecordBatch>| -> Result<()> {
        let Some(first) = pending.first() else { return Ok(()) };
        let batch = concat_batches(&first.schema(), pending.iter()).map_err(|e| Error::internal(format!("exchange: {e}")))?;
        pending.clear();
        blocks.push(StoredBlock {
            shard,
            side: side as u8,
            rows: batch.num_rows() as u64,
            bytes: batch.get_array_memory_size() as u64,
            piece: upload.append(encode(&batch)?)?,
        });
        Ok(())
    };
    for rows in object.batches(shard, side) {
        let batch = rows.and_then(|rows: SelectedRows| rows.to_batch())?;
        pending_bytes += batch.get_array_memory_size();
        pending.push(batch);
        if pending_bytes >= block_bytes {
            flush(&mut pending)?;
            pending_bytes = 0;
        }
    }
    flush(&mut pending)
}

fn store_spools(upload: &mut Upload<'_>, spools: &[Spool]) -> Result<Vec<Vec<Piece>>> {
    let store = |spool: &Spool| (0..spool.parts()).map(|part| upload.append(spool.part(part)?)).collect();
    spools.iter().map(store).collect()
}

/// An object in the making.
struct Upload<'a> {
    name: String,
    runtime: &'a Handle,
    writer: BufWriter,
    length: u64,
}

impl Upload<'_> {
    fn append(&mut self, bytes: impl Into<Bytes>) -> Result<Piece> {
        let bytes = bytes.into();
        let piece = Piece::of(&bytes, self.length);
        self.length = piece.end();
        let written = self.runtime.block_on(self.writer.put(bytes));
        written.map_err(|e| state_error(e, &self.name))?;
        Ok(piece)
    }

    /// Completes the object; false where nothing was written and none was made.
    fn finish(mut self) -> Result<bool> {
        if self.length == 0 {
            return Ok(false);
        }
        let done = self.runtime.block_on(self.writer.shutdown());
        done.map_err(|e| Error::unavailable(e.to_string()).file(&self.name))?;
        Ok(true)
    }
}

/// Opens the blocks of a committed attempt for a task that reads `shards` shards of it; the blocks' shards are numbered from 0.
/// `at_once`: what they are is read with one request and kept, if it is not much.
pub fn open_exchange(job: &JobState, data: &str, shards: usize, blocks: &[StoredBlock], at_once: bool, runtime: &Handle) -> Object {
    let range = match at_once {
        true => whole_range(blocks.iter().map(|b| b.piece)),
        false => 0..u64::MAX,
    };
    // An attempt that fails is tried again as a whole, elsewhere.
    let pieces = StoredPieces::open(job, data, range, Duration::ZERO, runtime);
    Object::stored(Arc::new(pieces), shards, blocks)
}

/// Opens spools (runs of differences or fingerprints) of a committed attempt, for the coordinator: what it reads nobody else tries again.
pub fn open_spools(job: &JobState, header: &Header, spools: &[Vec<Piece>], runtime: &Handle) -> Vec<Spool> {
    let Some(data) = &header.data else { return Vec::new() };
    // Runs are read in turns: nothing is held of them but the part that is read.
    let pieces: Arc<dyn Pieces> = Arc::new(StoredPieces::open(job, data, 0..u64::MAX, PATIENCE, runtime));
    spools.iter().map(|spool| Spool::stored(Arc::clone(&pieces), spool)).collect()
}

fn whole_range(pieces: impl Iterator<Item = Piece>) -> Range<u64> {
    let (mut start, mut end) = (u64::MAX, 0);
    for piece in pieces {
        start = start.min(piece.offset);
        end = end.max(piece.end());
    }
    start..end
}

/// Ranges of a stored object; read at once where they are few bytes.
#[derive(Debug)]
struct StoredPieces {
    name: String,
    store: Arc<dyn ObjectStore>,
    path: Path,
    runtime: Handle,
    range: Range<u64>,
    prefetched: OnceLock<Bytes>,
    /// How long one read waits for the store.
    patience: Duration,
}

impl StoredPieces {
    fn open(job: &JobState, data: &str, range: Range<u64>, patience: Duration, runtime: &Handle) -> Self {
        let path = job.path(data);
        StoredPieces {
            name: job.describe(&path),
            store: Arc::clone(job.store()),
            path,
            runtime: runtime.clone(),
            range,
            prefetched: OnceLock::new(),
            patience,
        }
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Bytes> {
        let ranges = (range.start..range.end)
            .step_by(MAX_REQUEST_BYTES as usize)
            .map(|from| from..(from + MAX_REQUEST_BYTES).min(range.end));
        let requests = futures::stream::iter(ranges.map(|part| self.store.get_range(&self.path, part))).buffered(REQUESTS_IN_FLIGHT);
        let parts: Vec<Bytes> = requests.try_collect().await.map_err(|e| state_error(e, &self.name))?;
        Ok(match <[Bytes; 1]>::try_from(parts) {
            Ok([one]) => one,
            Err(parts) => parts.concat().into(),
        })
    }

    async fn one(&self, piece: Piece) -> Result<Bytes> {
        let wanted = piece.offset..piece.end();
        if let Some(bytes) = self.kept(&wanted).await?.filter(|bytes| piece.is_sound(bytes)) {
            return Ok(bytes);
        }
        // What is kept may be damaged: it would stay so for every later try.
        let bytes = self.fetch(wanted).await?;
        if piece.is_sound(&bytes) { Ok(bytes) } else { Err(self.broken()) }
    }

    /// A range of what is read at once, if it is.
    async fn kept(&self, wanted: &Range<u64>) -> Result<Option<Bytes>> {
        if self.range.end.saturating_sub(self.range.start) > MAX_PREFETCH_BYTES {
            return Ok(None);
        }
        if self.prefetched.get().is_none() {
            // Two threads that come at once both read; one of the answers is kept.
            let _ = self.prefetched.set(self.fetch(self.range.clone()).await?);
        }
        let all = self.prefetched.get().expect("set above");
        let at = |place: u64| place.checked_sub(self.range.start).map(|at| at as usize);
        let range = at(wanted.start).zip(at(wanted.end)).filter(|(_, end)| *end <= all.len());
        Ok(range.map(|(start, end)| all.slice(start..end)))
    }

    async fn patiently(&self, piece: Piece) -> Result<Bytes> {
        retrying_for(self.patience, "stored run", || self.one(piece).boxed()).await
    }

    fn broken(&self) -> Error {
        Error::unavailable(format!("{} does not read back as it was written", self.name))
    }
}

impl Pieces for StoredPieces {
    fn read(&self, piece: Piece) -> Result<Bytes> {
        self.runtime.block_on(self.patiently(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Incarnation;
    use crate::state::State;
    use crate::store::testing::{FaultyStore, ReadFault};

    async fn read(patience: Duration, faults: &[ReadFault]) -> Result<Bytes> {
        let store = Arc::new(FaultyStore::new(&[]).with_reads(faults));
        let job = State::new(store.clone(), Path::from("s"), "memory").job("j", &Incarnation::parse(&"0".repeat(32)).expect("one"));
        store.insert(job.path("data").as_ref(), b"..lines..").await;
        let pieces = StoredPieces::open(&job, "data", 0..u64::MAX, patience, &Handle::current());
        pieces.patiently(Piece::of(b"lines", 2)).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_at_once_and_came_damaged_is_read_again() {
        for fault in [ReadFault::Flipped, ReadFault::Cut] {
            let store = Arc::new(FaultyStore::new(&[]).with_reads(&[fault]));
            let job = State::new(store.clone(), Path::from("s"), "memory").job("j", &Incarnation::parse(&"0".repeat(32)).expect("one"));
            store.insert(job.path("data").as_ref(), b"first-second").await;
            let pieces = StoredPieces::open(&job, "data", 0..12, Duration::ZERO, &Handle::current());
            for (offset, part) in [(0, &b"first"[..]), (6, b"second")] {
                let read = pieces.patiently(Piece::of(part, offset)).await;
                assert_eq!(read.as_deref(), Ok(part), "{fault:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_coordinator_reads_waits_for_a_store_that_is_away_or_flips_a_bit() {
        for fault in [ReadFault::Error, ReadFault::Flipped] {
            assert_eq!(read(PATIENCE, &[fault; 15]).await, Ok(Bytes::from_static(b"lines")), "{fault:?}");
            let error = read(PATIENCE, &[fault; 40]).await.expect_err("away for longer than the patience");
            assert_eq!(error.kind, shadowdiff_core::error::Kind::Unavailable);
            read(Duration::ZERO, &[fault])
                .await
                .expect_err("an attempt is tried again as a whole");
        }
    }
}
