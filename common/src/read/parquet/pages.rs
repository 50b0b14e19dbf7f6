//! Gives the decoder the pages of a row group in forms that it decodes rightly.
//!
//! ```text
//! data page v1 = repetition levels, definition levels, values      each level: RLE (u32 length, runs) or BIT_PACKED
//! data page v2 = repetition levels, definition levels, values      each level: RLE, its length in the header
//! ```
//! Levels in the deprecated BIT_PACKED encoding stand with their highest bit first, which the decoder takes for the lowest:
//! they are packed again. A page whose values are all NULL may have no bytes for them, in whatever encoding: it is given as
//! a plain one, for there is nothing to decode.

use super::chunks::Chunks;
use ::parquet::arrow::arrow_reader::RowGroups;
use ::parquet::basic::Encoding;
use ::parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use ::parquet::file::serialized_reader::SerializedPageReader;
use ::parquet::schema::types::ColumnDescriptor;
use bytes::Bytes;
use std::sync::Arc;

/// The format's number of the encoding, whose name the decoder no longer wants to be used.
const BIT_PACKED: i32 = 4;

/// One row group, as the decoder asks for it.
pub(super) struct OneRowGroup<'a> {
    pub(super) metadata: &'a ParquetMetaData,
    pub(super) group: usize,
    pub(super) chunks: &'a Chunks,
}

impl RowGroups for OneRowGroup<'_> {
    fn num_rows(&self) -> usize {
        usize::try_from(self.metadata.row_group(self.group).num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>> {
        let column = self.metadata.row_group(self.group).column(leaf);
        let inner = SerializedPageReader::new(Arc::new(self.chunks.clone()), column, self.num_rows(), None)?;
        let pages = Pages {
            inner,
            levels: Levels::of(column.column_descr()),
        };
        Ok(Box::new(OneChunk(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata.row_group(self.group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

/// The one chunk of a column that a row group has.
struct OneChunk(Option<Pages>);

impl Iterator for OneChunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(|pages| Ok(Box::new(pages) as Box<dyn PageReader>))
    }
}

impl PageIterator for OneChunk {}

/// The pages of one chunk.
struct Pages {
    inner: SerializedPageReader<Chunks>,
    levels: Levels,
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.inner.get_next_page()?;
        page.map(|page| self.levels.decodable(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }
}

/// The highest levels of a column.
#[derive(Debug, Clone, Copy)]
struct Levels {
    repetition: i16,
    definition: i16,
}

impl Levels {
    fn of(column: &ColumnDescriptor) -> Self {
        Levels {
            repetition: column.max_rep_level(),
            definition: column.max_def_level(),
        }
    }

    /// The same page in a form that is decoded rightly.
    fn decodable(self, mut page: Page) -> Result<Page> {
        match &mut page {
            Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding,
                rep_level_encoding,
                ..
            } => {
                let count = *num_values as usize;
                let (repetition, rest) = level(buf.clone(), self.repetition, rep_level_encoding, count)?;
                let (definition, values) = level(rest, self.definition, def_level_encoding, count)?;
                if values.is_empty() {
                    *encoding = Encoding::PLAIN;
                }
                if repetition.is_repacked() || definition.is_repacked() {
                    *buf = [repetition.bytes(), definition.bytes(), values].concat().into();
                }
            }
            Page::DataPageV2 {
                buf,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let before = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                if before > buf.len() as u64 {
                    return Err(cut());
                }
                if before == buf.len() as u64 {
                    *encoding = Encoding::PLAIN;
                }
            }
            Page::DictionaryPage { .. } => {}
        }
        Ok(page)
    }
}

/// The levels at the head of a page.
enum LevelBytes {
    AsStored(Bytes),
    Repacked(Bytes),
}

impl LevelBytes {
    fn is_repacked(&self) -> bool {
        matches!(self, LevelBytes::Repacked(_))
    }

    fn bytes(self) -> Bytes {
        match self {
            LevelBytes::AsStored(bytes) | LevelBytes::Repacked(bytes) => bytes,
        }
    }
}

/// Takes the levels from the head of a page, in RLE; the rest follows.
fn level(mut page: Bytes, highest: i16, encoding: &mut Encoding, count: usize) -> Result<(LevelBytes, Bytes)> {
    if highest == 0 {
        return Ok((LevelBytes::AsStored(Bytes::new()), page));
    }
    let bits = (u16::BITS - highest.unsigned_abs().leading_zeros()) as usize;
    match *encoding {
        deprecated if deprecated as i32 == BIT_PACKED => {
            let length = (count * bits).div_ceil(8);
            if length > page.len() {
                return Err(cut());
            }
            let packed = page.split_to(length);
            *encoding = Encoding::RLE;
            Ok((LevelBytes::Repacked(repacked(&packed, bits, count).into()), page))
        }
        Encoding::RLE => {
            let length = page.first_chunk().map(|length| u32::from_le_bytes(*length)).ok_or_else(cut)? as usize;
            if length > page.len() - 4 {
                return Err(cut());
            }
            let levels = page.split_to(4 + length);
            Ok((LevelBytes::AsStored(levels), page))
        }
        other => Err(ParquetError::General(format!(
            "levels are encoded as {other}, which Parquet does not know for them"
        ))),
    }
}

fn cut() -> ParquetError {
    ParquetError::General("a page ends inside its levels".into())
}

/// Numbers with the highest bit first as one run of RLE's bit-packed form, which has the lowest first.
fn repacked(packed: &[u8], bits: usize, count: usize) -> Vec<u8> {
    let groups = count.div_ceil(8);
    let mut run = varint((groups << 1 | 1) as u64);
    let header = run.len();
    run.resize(header + groups * bits, 0);
    for number in 0..count {
        for bit in 0..bits {
            let (from, to) = (number * bits + bits - 1 - bit, number * bits + bit);
            let set = packed[from / 8] >> (7 - from % 8) & 1;
            run[header + to / 8] |= set << (to % 8);
        }
    }
    [(run.len() as u32).to_le_bytes().as_slice(), &run].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_turned_round_within_each_number() {
        // 1, 0, 1 in one bit each; 3, 0, 2, 1, 3 in two.
        assert_eq!(repacked(&[0b1010_0000], 1, 3), [2, 0, 0, 0, 3, 0b101]);
        assert_eq!(repacked(&[0b1100_1001, 0b1100_0000], 2, 5), [3, 0, 0, 0, 3, 0b0110_0011, 0b11]);
    }
}
