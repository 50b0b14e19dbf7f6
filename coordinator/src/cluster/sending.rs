//! Sends a file of a result in pieces, and ends with an error where what came from the store is not the file that the manifest names.

use super::finish::damaged;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use shadowdiff_common::state::JobState;
use shadowdiff_common::store::Marking;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::FileMark;
use shadowdiff_proto::v1::FetchResultResponse;

/// Content of one message.
const CHUNK_BYTES: usize = 1 << 20;

/// A file on its way.
pub(super) struct Sending {
    name: String,
    content: BoxStream<'static, Result<Bytes>>,
    mark: FileMark,
    /// Of a file that is sent from its beginning.
    seen: Option<Marking>,
    /// What came and is not sent.
    pending: Bytes,
    /// Where that begins.
    offset: u64,
}

impl Sending {
    /// Opens a file at `offset`, which is not beyond its end.
    pub(super) async fn open(job: &JobState, path: &Path, mark: FileMark, offset: u64) -> Result<Sending> {
        let name = job.describe(path);
        let options = GetOptions {
            range: (offset > 0).then_some(GetRange::Offset(offset)),
            ..GetOptions::default()
        };
        let content = if offset == mark.size_bytes {
            futures::stream::empty().boxed()
        } else {
            let read = job.store().get_opts(path, options).await.map_err(|e| unavailable(&name, &e))?;
            let name = name.clone();
            read.into_stream().map_err(move |e| unavailable(&name, &e)).boxed()
        };
        Ok(Sending {
            name,
            content,
            mark,
            seen: (offset == 0).then(Marking::default),
            pending: Bytes::new(),
            offset,
        })
    }

    pub(super) fn pieces(self) -> impl Stream<Item = Result<FetchResultResponse>> {
        futures::stream::try_unfold(self, |mut sending| async {
            let piece = sending.next().await?;
            Ok(piece.map(|piece| (piece, sending)))
        })
    }

    async fn next(&mut self) -> Result<Option<FetchResultResponse>> {
        while self.pending.is_empty() {
            match self.content.next().await {
                Some(read) => self.pending = read?,
                None => return self.check().map(|()| None),
            }
            if let Some(seen) = &mut self.seen {
                seen.update(&self.pending);
            }
        }
        let content = self.pending.split_to(self.pending.len().min(CHUNK_BYTES));
        let piece = FetchResultResponse {
            offset: self.offset,
            content: content.to_vec(),
        };
        self.offset += content.len() as u64;
        Ok(Some(piece))
    }

    /// A file that is sent from further on is checked by whoever has its beginning.
    fn check(&mut self) -> Result<()> {
        let is_whole = self.offset == self.mark.size_bytes;
        let is_same = self.seen.take().is_none_or(|seen| seen.finish() == self.mark);
        if is_whole && is_same { Ok(()) } else { Err(damaged(&self.name)) }
    }
}

fn unavailable(name: &str, error: &object_store::Error) -> Error {
    Error::unavailable(error.to_string()).file(name)
}
