//! Takes fields out of the blocks of an Avro file that the decoder can neither read nor pass over: those of types that
//! contain themselves.
//!
//! ```text
//! stored block = count, size, <size> bytes in the file's codec, sync      record = field, field, …
//! block given  = count, size, <size> bytes without those fields, sync
//! ```
//! The frames of the stored blocks are checked before they come here.

use super::frames::SYNC_BYTES;
use arrow_avro::compression::CompressionCodec;
use std::io::{self, Cursor, Read};

/// Values inside of values, at most. Deeper ones end the job rather than the stack.
const MAX_DEPTH: usize = 1000;

/// How to get past a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Skip {
    Nothing,
    Fixed(u64),
    /// A number in as many bytes as it takes.
    Number,
    /// A length, and so many bytes.
    Sized,
    List(Box<Skip>),
    Map(Box<Skip>),
    Union(Vec<Skip>),
    Record(Vec<Skip>),
    /// A named type, by its number.
    Named(usize),
}

/// The fields of the records, and the named types.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Projection {
    /// Each with whether the decoder gets it.
    pub(super) fields: Vec<(Skip, bool)>,
    pub(super) named: Vec<Skip>,
}

/// Blocks without the fields that are not kept.
pub(super) struct ProjectedBlocks<R> {
    stored: R,
    codec: Option<CompressionCodec>,
    projection: Projection,
    block: Cursor<Vec<u8>>,
}

impl<R: Read> ProjectedBlocks<R> {
    pub(super) fn new(stored: R, codec: Option<CompressionCodec>, projection: Projection) -> Self {
        ProjectedBlocks {
            stored,
            codec,
            projection,
            block: Cursor::default(),
        }
    }

    /// The next block; nothing at the end.
    fn next_block(&mut self) -> io::Result<Vec<u8>> {
        let Some(count) = self.stored_number()? else {
            return Ok(Vec::new());
        };
        let size = self.stored_number()?.ok_or_else(|| broken("a block ends after its count"))?;
        let mut bytes = Vec::new();
        self.stored.by_ref().take(size).read_to_end(&mut bytes)?;
        let mut sync = [0; SYNC_BYTES];
        self.stored.read_exact(&mut sync)?;
        let bytes = decompressed(self.codec, bytes)?;
        let mut records = Records {
            left: &bytes,
            named: &self.projection.named,
        };
        let mut kept = Vec::new();
        for _ in 0..count {
            for (skip, is_kept) in &self.projection.fields {
                let before = records.left;
                records.pass(skip, 0)?;
                if *is_kept {
                    kept.extend(&before[..before.len() - records.left.len()]);
                }
            }
        }
        let mut block = Vec::new();
        super::header::number(count as usize, &mut block);
        super::header::number(kept.len(), &mut block);
        Ok([block, kept, sync.to_vec()].concat())
    }

    fn stored_number(&mut self) -> io::Result<Option<u64>> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            if self.stored.read(&mut byte)? == 0 {
                return if shift == 0 { Ok(None) } else { Err(broken("a number is cut")) };
            }
            number |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(Some(number >> 1));
            }
        }
        Err(broken("a number is too long"))
    }
}

impl<R: Read> Read for ProjectedBlocks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.position() == self.block.get_ref().len() as u64 {
            self.block = Cursor::new(self.next_block()?);
        }
        self.block.read(buffer)
    }
}

fn decompressed(codec: Option<CompressionCodec>, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    match codec {
        None => return Ok(bytes),
        Some(CompressionCodec::Deflate) => flate2::read::DeflateDecoder::new(&bytes[..]).read_to_end(&mut out)?,
        Some(CompressionCodec::Bzip2) => bzip2::read::BzDecoder::new(&bytes[..]).read_to_end(&mut out)?,
        Some(CompressionCodec::Xz) => liblzma::read::XzDecoder::new(&bytes[..]).read_to_end(&mut out)?,
        Some(CompressionCodec::ZStandard) => return zstd::decode_all(&bytes[..]),
        Some(CompressionCodec::Snappy) => {
            return Err(broken(
                "types that contain themselves cannot be skipped in snappy; write it with another codec",
            ));
        }
    };
    Ok(out)
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The records of a block that are left.
struct Records<'a> {
    left: &'a [u8],
    named: &'a [Skip],
}

impl Records<'_> {
    fn pass(&mut self, value: &Skip, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(broken("values lie inside of each other more than 1000 deep"));
        }
        match value {
            Skip::Nothing => Ok(()),
            Skip::Fixed(length) => self.bytes(*length),
            Skip::Number => self.number().map(|_| ()),
            Skip::Sized => {
                let length = self.count()?;
                self.bytes(length)
            }
            Skip::List(item) => self.blocks(|records| records.pass(item, depth + 1)),
            Skip::Map(value) => self.blocks(|records| {
                records.pass(&Skip::Sized, depth + 1)?;
                records.pass(value, depth + 1)
            }),
            Skip::Union(branches) => {
                let branch = usize::try_from(self.count()?).ok().and_then(|branch| branches.get(branch));
                self.pass(branch.ok_or_else(|| broken("a union has no such branch"))?, depth + 1)
            }
            Skip::Record(fields) => fields.iter().try_for_each(|field| self.pass(field, depth + 1)),
            Skip::Named(number) => {
                let named = self.named;
                self.pass(named.get(*number).unwrap_or(&Skip::Nothing), depth + 1)
            }
        }
    }

    /// Items come in blocks; a negative count is followed by the size of its block.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> io::Result<()>) -> io::Result<()> {
        loop {
            match self.number()? {
                0 => return Ok(()),
                count if count < 0 => {
                    let size = self.count()?;
                    self.bytes(size)?;
                }
                count => (0..count).try_for_each(|_| item(self))?,
            }
        }
    }

    fn bytes(&mut self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.left = self.left.get(length..).ok_or_else(|| broken("a record is cut"))?;
        Ok(())
    }

    fn count(&mut self) -> io::Result<u64> {
        u64::try_from(self.number()?).map_err(|_| broken("a length is negative"))
    }

    fn number(&mut self) -> io::Result<i64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, left) = self.left.split_first().ok_or_else(|| broken("a record is cut"))?;
            self.left = left;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(broken("a number is too long"))
    }
}
