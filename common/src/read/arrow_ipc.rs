//! Reads Arrow IPC: the file form by its blocks, the stream form from its start.
//!
//! Lengths in a file are held against its size before they are used, so that a malformed one allocates nothing.

use super::checks::{Pieces, all_held, batches, guarded, none_refused, owned, projection, refused};
use super::dataset::DataFile;
use super::pinned::{PinnedFile, PinnedReader};
use super::{Batches, FileSchema, RowGroup, Selection, Sources};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileDecoder, StreamDecoder, read_footer_length};
use arrow_ipc::{Block, MetadataVersion, convert::fb_to_schema, root_as_footer, root_as_message};
use arrow_schema::{Schema, SchemaRef};
use shadowdiff_core::error::{Error, Result};
use std::collections::VecDeque;
use std::io::BufRead;
use std::ops::Range;
use std::sync::Arc;

const MAGIC: &[u8] = b"ARROW1";
/// The first form of Feather, which is not Arrow IPC.
const FEATHER_1_MAGIC: &[u8] = b"FEA1";
/// Length of the footer and the magic again.
const TRAILER_BYTES: u64 = 10;
const CONTINUATION: [u8; 4] = [0xff; 4];

/// The columns of a file and, in the file form, its record batches.
pub fn schema(file: &DataFile, sources: &Sources) -> Result<FileSchema> {
    let pinned = PinnedFile::open(file, sources)?;
    let schema = guarded(&pinned, || match Footer::read(&pinned)? {
        Some(footer) => {
            let row_groups = footer.row_groups(&pinned)?;
            let rows = Some(row_groups.iter().map(|group| group.rows).sum());
            Ok(FileSchema {
                fields: owned(footer.schema.fields()),
                refused: refused(footer.schema.fields()),
                legacy_calendar: false,
                row_groups,
                rows,
            })
        }
        None => {
            let stream = Stream::open(&pinned)?;
            Ok(FileSchema {
                fields: owned(stream.schema.fields()),
                refused: refused(stream.schema.fields()),
                legacy_calendar: false,
                row_groups: Vec::new(),
                rows: None,
            })
        }
    })?;
    pinned.check()?;
    Ok(schema)
}

/// Reads record batches, `columns` only, cut to at most `batch_rows` rows.
pub fn open(file: &DataFile, selection: &Selection, columns: &[String], batch_rows: usize, sources: &Sources) -> Result<Batches> {
    let pinned = PinnedFile::open(file, sources)?;
    let mut source = guarded(&pinned, || Source::open(&pinned, selection, columns))?;
    let mut pieces: Option<Pieces> = None;
    Ok(batches(pinned.clone(), move || {
        loop {
            if let Some(piece) = pieces.as_mut().and_then(Pieces::next) {
                return Ok(Some(piece));
            }
            match source.next()? {
                Some(batch) => {
                    all_held(&pinned, &batch)?;
                    pieces = Some(Pieces::new(batch, batch_rows));
                }
                None => return Ok(None),
            }
        }
    }))
}

/// Either form of a file, open for reading.
enum Source {
    File {
        pinned: Arc<PinnedFile>,
        decoder: FileDecoder,
        left: VecDeque<Block>,
    },
    Stream {
        stream: Stream,
        projection: Vec<usize>,
    },
}

impl Source {
    fn open(pinned: &Arc<PinnedFile>, selection: &Selection, columns: &[String]) -> Result<Source> {
        let Some(footer) = Footer::read(pinned)? else {
            if *selection != Selection::All {
                return Err(Error::internal("a stream has no record batches to choose from").file(pinned.name()));
            }
            let stream = Stream::open(pinned)?;
            none_refused(pinned.name(), &refused(stream.schema.fields()), columns)?;
            return Ok(Source::Stream {
                projection: projection(stream.schema.fields(), columns),
                stream,
            });
        };
        none_refused(pinned.name(), &refused(footer.schema.fields()), columns)?;
        let mut decoder =
            FileDecoder::new(footer.schema.clone(), footer.version).with_projection(projection(footer.schema.fields(), columns));
        for block in &footer.dictionaries {
            let bytes = Buffer::from(pinned.read(block_range(pinned, block)?)?);
            decoder.read_dictionary(block, &bytes).map_err(|e| pinned.blame(e))?;
        }
        Ok(Source::File {
            pinned: pinned.clone(),
            decoder,
            left: footer.selected(pinned, selection)?,
        })
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        match self {
            Source::File { pinned, decoder, left } => {
                let Some(block) = left.pop_front() else { return Ok(None) };
                let bytes = Buffer::from(pinned.read(block_range(pinned, &block)?)?);
                let batch = decoder.read_record_batch(&block, &bytes).map_err(|e| pinned.blame(e))?;
                batch
                    .map(Some)
                    .ok_or_else(|| pinned.blame("the file is malformed: a record batch is missing"))
            }
            Source::Stream { stream, projection } => {
                let batch = stream.next()?;
                batch
                    .map(|batch| batch.project(projection).map_err(|e| stream.pinned.blame(e)))
                    .transpose()
            }
        }
    }
}

/// What the end of a file says about it.
struct Footer {
    schema: SchemaRef,
    version: MetadataVersion,
    dictionaries: Vec<Block>,
    record_batches: Vec<Block>,
}

impl Footer {
    /// `None`: this is not a file form, but maybe a stream.
    fn read(pinned: &Arc<PinnedFile>) -> Result<Option<Footer>> {
        let size = pinned.size_bytes();
        let start = pinned.read(0..size.min(MAGIC.len() as u64))?;
        if start.starts_with(FEATHER_1_MAGIC) {
            return Err(Error::input("Feather version 1 cannot be read")
                .file(pinned.name())
                .advice("write it as version 2 (Arrow IPC)"));
        }
        if start.as_ref() != MAGIC {
            return Ok(None);
        }
        let body = size
            .checked_sub(TRAILER_BYTES)
            .ok_or_else(|| pinned.blame("the file is cut short"))?;
        let trailer = <[u8; 10]>::try_from(pinned.read(body..size)?.as_ref()).map_err(|_| pinned.blame("the file is cut short"))?;
        let length = read_footer_length(trailer).map_err(|_| pinned.blame("the file is cut short: an Arrow file ends in 'ARROW1'"))? as u64;
        let from = body
            .checked_sub(length)
            .ok_or_else(|| pinned.blame("the file is malformed: its footer is longer than the file"))?;
        let bytes = pinned.read(from..body)?;
        let footer = root_as_footer(&bytes).map_err(|e| pinned.blame(format!("the footer is malformed: {e}")))?;
        let schema = footer.schema().ok_or_else(|| pinned.blame("the footer has no schema"))?;
        if !schema.endianness().equals_to_target_endianness() {
            return Err(pinned.blame("the file was written for another byte order; write it little-endian"));
        }
        let schema = Arc::new(fb_to_schema(schema));
        Ok(Some(Footer {
            schema,
            version: footer.version(),
            dictionaries: footer
                .dictionaries()
                .map(|blocks| blocks.iter().copied().collect())
                .unwrap_or_default(),
            record_batches: footer
                .recordBatches()
                .map(|blocks| blocks.iter().copied().collect())
                .unwrap_or_default(),
        }))
    }

    fn selected(&self, pinned: &PinnedFile, selection: &Selection) -> Result<VecDeque<Block>> {
        match selection {
            Selection::All => Ok(self.record_batches.iter().copied().collect()),
            Selection::Rows { .. } | Selection::Text(_) | Selection::LeftRows(_) => {
                Err(Error::internal("record batches are chosen from Arrow files alone"))
            }
            Selection::RowGroups(groups) => groups
                .iter()
                .map(|group| self.record_batches.get(*group).copied())
                .collect::<Option<_>>()
                .ok_or_else(|| Error::internal("a record batch of the plan is not in the file").file(pinned.name())),
        }
    }

    /// The record batches, from their headers.
    fn row_groups(&self, pinned: &PinnedFile) -> Result<Vec<RowGroup>> {
        let mut ranges = Vec::new();
        for block in &self.record_batches {
            let whole = block_range(pinned, block)?;
            ranges.push(whole.start..whole.start + block.metaDataLength() as u64);
        }
        let headers = pinned.read_many(&ranges)?;
        let groups = headers.iter().zip(&self.record_batches).map(|(header, block)| {
            let bytes = block.bodyLength() as u64;
            let rows = rows_of(header).ok_or_else(|| pinned.blame("the file is malformed: a record batch has no header"))?;
            Ok(RowGroup {
                rows,
                compressed_bytes: bytes,
                uncompressed_bytes: bytes,
            })
        });
        groups.collect()
    }
}

fn rows_of(header: &[u8]) -> Option<u64> {
    let message = if header.starts_with(&CONTINUATION) {
        header.get(8..)?
    } else {
        header.get(4..)?
    };
    u64::try_from(root_as_message(message).ok()?.header_as_record_batch()?.length()).ok()
}

/// Where a block lies, if that is inside the file.
fn block_range(pinned: &PinnedFile, block: &Block) -> Result<Range<u64>> {
    let range = || {
        let start = u64::try_from(block.offset()).ok()?;
        let length = u64::try_from(block.metaDataLength())
            .ok()?
            .checked_add(u64::try_from(block.bodyLength()).ok()?)?;
        Some(start..start.checked_add(length).filter(|end| *end <= pinned.size_bytes())?)
    };
    range().ok_or_else(|| pinned.blame("the file is malformed: a block lies outside of it"))
}

/// The stream form. The decoder gathers bytes as they come, so no length in the stream allocates anything.
struct Stream {
    pinned: Arc<PinnedFile>,
    reader: PinnedReader,
    decoder: StreamDecoder,
    schema: SchemaRef,
    /// A batch that came with the schema.
    first: Option<RecordBatch>,
}

impl Stream {
    fn open(pinned: &Arc<PinnedFile>) -> Result<Stream> {
        let (decoder, reader) = (StreamDecoder::new(), pinned.reader(0..pinned.size_bytes()));
        let mut stream = Stream {
            pinned: pinned.clone(),
            reader,
            decoder,
            schema: Arc::new(Schema::empty()),
            first: None,
        };
        stream.first = stream.next()?;
        stream.schema = stream
            .decoder
            .schema()
            .ok_or_else(|| pinned.blame("this is not an Arrow IPC file or stream"))?;
        Ok(stream)
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.first.take() {
            return Ok(Some(batch));
        }
        loop {
            let window = self.reader.fill_buf().map_err(|e| self.pinned.blame(e))?;
            if window.is_empty() {
                self.decoder.finish().map_err(|_| self.pinned.blame("the stream is cut short"))?;
                return Ok(None);
            }
            let mut bytes = Buffer::from(window);
            let before = bytes.len();
            let batch = self
                .decoder
                .decode(&mut bytes)
                .map_err(|e| self.pinned.blame(format!("the stream is malformed: {e}")))?;
            self.reader.consume(before - bytes.len());
            if batch.is_some() {
                return Ok(batch);
            }
        }
    }
}

#[cfg(test)]
mod tests;
