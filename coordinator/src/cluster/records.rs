//! The records of a table in the state store, one after the other; an error at the end where its bytes were not those of the result.

use super::sending::Sending;
use futures::StreamExt;
use futures::stream::BoxStream;
use shadowdiff_common::state::JobState;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::{Field, FileMark, read_fields};
use shadowdiff_proto::v1::FetchResultResponse;

/// A longer record is not held.
const MAX_TABLE_RECORD_BYTES: usize = 64 << 20;

/// A table on its way.
pub(super) struct Records {
    name: String,
    pieces: BoxStream<'static, Result<FetchResultResponse>>,
    held: Vec<u8>,
    /// Where the next record begins in what is held, and how far its end was looked for.
    begin: usize,
    looked: usize,
    is_quoted: bool,
}

impl Records {
    pub(super) async fn open(job: &JobState, path: &object_store::path::Path, mark: FileMark) -> Result<Records> {
        let sending = Sending::open(job, path, mark, 0).await?;
        Ok(Records::of(job.describe(path), sending.pieces().boxed()))
    }

    fn of(name: String, pieces: BoxStream<'static, Result<FetchResultResponse>>) -> Records {
        Records {
            name,
            pieces,
            held: Vec::new(),
            begin: 0,
            looked: 0,
            is_quoted: false,
        }
    }

    /// The next record; `None` once the whole table has come as it was written.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Field>>> {
        loop {
            if let Some(end) = self.end() {
                let text = std::str::from_utf8(&self.held[self.begin..end]).map_err(|_| self.wrong("is not UTF-8"))?;
                let fields = read_fields(text);
                self.begin = end + 1;
                return Ok(Some(fields));
            }
            self.held.drain(..self.begin);
            self.looked -= self.begin;
            self.begin = 0;
            if self.held.len() > MAX_TABLE_RECORD_BYTES {
                return Err(Error::exhausted("has a line that is too long")
                    .file(&self.name)
                    .advice("fetch the file"));
            }
            match self.pieces.next().await {
                Some(piece) => self.held.extend(piece?.content),
                None if self.held.is_empty() => return Ok(None),
                None => return Err(self.wrong("ends within a record")),
            }
        }
    }

    /// Where the record ends that begins where the last one did, if that is held.
    fn end(&mut self) -> Option<usize> {
        while let Some(byte) = self.held.get(self.looked) {
            self.looked += 1;
            match byte {
                b'"' => self.is_quoted = !self.is_quoted,
                b'\n' if !self.is_quoted => return Some(self.looked - 1),
                _ => {}
            }
        }
        None
    }

    fn wrong(&self, what: &str) -> Error {
        Error::internal(what).file(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn records_are_the_same_however_their_bytes_come() {
        let text = "id,v\na,\"x\n\"\"y\"\nb,\n";
        for size in 1..=text.len() {
            let pieces = text.as_bytes().chunks(size).map(|content| {
                let content = content.to_vec();
                Ok(FetchResultResponse { offset: 0, content })
            });
            let pieces: Vec<Result<FetchResultResponse>> = pieces.collect();
            let mut records = Records::of("t".into(), futures::stream::iter(pieces).boxed());
            let mut found = Vec::new();
            while let Some(record) = records.next().await.expect("a record") {
                found.push(record);
            }
            let t = |text: &str| Some(text.to_owned());
            let expected = [vec![t("id"), t("v")], vec![t("a"), t("x\n\"y")], vec![t("b"), None]];
            assert_eq!(found, expected, "pieces of {size}");
        }
        let cut = Ok(FetchResultResponse {
            offset: 0,
            content: b"a\nb".to_vec(),
        });
        let mut records = Records::of("t".into(), futures::stream::iter([cut]).boxed());
        assert!(records.next().await.is_ok() && records.next().await.is_err());
    }
}
