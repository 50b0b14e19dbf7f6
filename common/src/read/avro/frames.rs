//! Follows the block frames of an Avro file while it is read, and fails where they do not fit.
//!
//! ```text
//! header | count, size, <size> bytes, sync marker | count, size, … | end
//! ```
//! `count` and `size` are zigzag varints; every sync marker is the header's; the file ends after one.

use crate::read::pinned::PinnedReader;
use std::io::{self, BufRead, Chain, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of the marker behind each block.
pub(super) const SYNC_BYTES: usize = 16;
/// What a count or a size may have; a longer one is none.
const MAX_VARINT_BITS: u32 = 63;

/// Passes a file on, and fails at its end or before if its frames are wrong.
#[derive(Debug)]
pub(super) struct FramedReader {
    /// Our own header, then the blocks of the file.
    inner: Chain<Cursor<Vec<u8>>, PinnedReader>,
    frames: Frames,
    /// What `consume` found; the next read reports it.
    broken: Option<String>,
}

/// How many rows the blocks read so far say they have.
#[derive(Debug, Clone, Default)]
pub(super) struct PromisedRows(Arc<AtomicU64>);

impl PromisedRows {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl FramedReader {
    pub(super) fn new(header: Vec<u8>, blocks: PinnedReader, sync: [u8; SYNC_BYTES]) -> Self {
        let header_bytes = header.len() as u64;
        let frames = Frames {
            sync,
            state: State::Skip {
                left: header_bytes,
                then_sync: false,
            },
            rows: PromisedRows::default(),
        };
        FramedReader {
            inner: Cursor::new(header).chain(blocks),
            frames,
            broken: None,
        }
    }

    pub(super) fn promised_rows(&self) -> PromisedRows {
        self.frames.rows.clone()
    }
}

impl BufRead for FramedReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Some(reason) = &self.broken {
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason.clone()));
        }
        let window = self.inner.fill_buf()?;
        if window.is_empty() && !self.frames.at_boundary() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is cut short: it ends inside a block",
            ));
        }
        Ok(window)
    }

    fn consume(&mut self, amount: usize) {
        // The window is still there: this reads nothing.
        if let Ok(window) = self.inner.fill_buf() {
            let taken = &window[..amount.min(window.len())];
            self.broken = self.frames.feed(taken).err();
        }
        self.inner.consume(amount);
    }
}

impl Read for FramedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let window = self.fill_buf()?;
        let length = window.len().min(buffer.len());
        buffer[..length].copy_from_slice(&window[..length]);
        self.consume(length);
        Ok(length)
    }
}

/// Where in the frames the next byte stands.
#[derive(Debug)]
struct Frames {
    sync: [u8; SYNC_BYTES],
    state: State,
    rows: PromisedRows,
}

#[derive(Debug)]
enum State {
    /// The header, or the content of a block.
    Skip {
        left: u64,
        then_sync: bool,
    },
    Count(Varint),
    Size(Varint),
    Sync {
        seen: usize,
    },
}

#[derive(Debug, Default)]
struct Varint {
    value: u64,
    bits: u32,
}

impl Varint {
    /// The number once its last byte is in.
    fn push(&mut self, byte: u8) -> Result<Option<u64>, String> {
        if self.bits > MAX_VARINT_BITS {
            return Err("the file is malformed: a number of a block is too long".into());
        }
        self.value |= u64::from(byte & 0x7f) << self.bits;
        self.bits += 7;
        if byte & 0x80 != 0 {
            return Ok(None);
        }
        let number = (self.value >> 1) as i64 ^ -((self.value & 1) as i64);
        u64::try_from(number)
            .map(Some)
            .map_err(|_| "the file is malformed: a number of a block is negative".into())
    }
}

impl Frames {
    fn at_boundary(&self) -> bool {
        matches!(
            self.state,
            State::Count(Varint { bits: 0, .. }) | State::Skip { left: 0, then_sync: false }
        )
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        loop {
            if let State::Skip { left, then_sync } = &mut self.state {
                let skipped = (*left).min(bytes.len() as u64);
                *left -= skipped;
                bytes = &bytes[skipped as usize..];
                if *left > 0 {
                    return Ok(());
                }
                self.state = if *then_sync {
                    State::Sync { seen: 0 }
                } else {
                    State::Count(Varint::default())
                };
            }
            let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            self.step(*byte)?;
        }
    }

    fn step(&mut self, byte: u8) -> Result<(), String> {
        match &mut self.state {
            State::Skip { .. } => {}
            State::Count(varint) => {
                if let Some(count) = varint.push(byte)? {
                    self.rows.0.fetch_add(count, Ordering::Relaxed);
                    self.state = State::Size(Varint::default());
                }
            }
            State::Size(varint) => {
                if let Some(left) = varint.push(byte)? {
                    self.state = State::Skip { left, then_sync: true };
                }
            }
            State::Sync { seen } => {
                if self.sync[*seen] != byte {
                    return Err("the file is malformed: a block does not end in the file's sync marker".into());
                }
                *seen += 1;
                if *seen == SYNC_BYTES {
                    self.state = State::Count(Varint::default());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Frames {
        Frames {
            sync: [7; 16],
            state: State::Skip { left: 3, then_sync: false },
            rows: PromisedRows::default(),
        }
    }

    fn block() -> Vec<u8> {
        let mut bytes = vec![4, 6, 1, 2, 3];
        bytes.extend([7; 16]);
        bytes
    }

    #[test]
    fn rows_are_counted_however_the_bytes_come() {
        let bytes: Vec<u8> = [vec![0; 3], block(), block()].concat();
        for step in [1, 2, 5, 100] {
            let mut frames = frames();
            for part in bytes.chunks(step) {
                frames.feed(part).expect("well-formed");
            }
            assert!(frames.at_boundary());
            assert_eq!(frames.rows.get(), 4);
        }
    }

    #[test]
    fn a_cut_or_a_wrong_marker_is_found() {
        let bytes: Vec<u8> = [vec![0; 3], block()].concat();
        for length in 4..bytes.len() {
            let mut frames = frames();
            frames.feed(&bytes[..length]).expect("well-formed so far");
            assert!(!frames.at_boundary(), "{length}");
        }
        let mut wrong = bytes;
        *wrong.last_mut().expect("not empty") = 8;
        assert!(frames().feed(&wrong).is_err());
    }
}
