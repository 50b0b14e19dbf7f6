//! Decompresses gzip, zstd, bzip2 and xz while reading; data that are damaged or cut short are an error, never an early end.
//!
//! A file may hold several compressed parts, one behind the other, and zero bytes behind each, with which tapes, block devices and
//! some stores fill up their blocks. Anything else that follows is an error.

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use shadowdiff_core::error::Error;
use shadowdiff_core::spec::Compression;
use std::io::{self, BufRead, BufReader, Read};

/// Bytes read from the source at once.
const SOURCE_BUFFER_BYTES: usize = 256 * 1024;

/// The plain bytes of a file. Errors while reading carry the file's name; [`read_error`] takes them out again.
pub fn decompress(name: &str, compression: Compression, bytes: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>, Error> {
    if compression == Compression::None {
        return Ok(bytes);
    }
    let mut source = BufReader::with_capacity(SOURCE_BUFFER_BYTES, bytes);
    if source.fill_buf().map_err(|error| read_error(name, error))?.is_empty() {
        return Err(Error::input(format!("is empty, which no {} file is: write it again", word(compression))).file(name));
    }
    let plain: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(source),
        Compression::Gzip => Box::new(Parts::new(source, |source| Ok(Part::Gzip(GzDecoder::new(source))))),
        Compression::Zstd => Box::new(Parts::new(source, |source| {
            zstd::stream::read::Decoder::with_buffer(source).map(|decoder| Part::Zstd(decoder.single_frame()))
        })),
        Compression::Bzip2 => Box::new(Parts::new(source, |source| Ok(Part::Bzip2(BzDecoder::new(source))))),
        // Pads by itself, in fours as its format wants.
        Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(source)),
    };
    Ok(Box::new(Decompressed {
        name: name.to_string(),
        compression,
        plain,
    }))
}

type Packed = BufReader<Box<dyn Read + Send>>;

/// One compressed part of a file.
enum Part {
    Gzip(GzDecoder<Packed>),
    Zstd(zstd::stream::read::Decoder<'static, Packed>),
    Bzip2(BzDecoder<Packed>),
}

impl Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Part::Gzip(decoder) => decoder.read(buffer),
            Part::Zstd(decoder) => decoder.read(buffer),
            Part::Bzip2(decoder) => decoder.read(buffer),
        }
    }

    /// What follows, once all of it is read.
    fn into_source(self) -> Packed {
        match self {
            Part::Gzip(decoder) => decoder.into_inner(),
            Part::Zstd(decoder) => decoder.finish(),
            Part::Bzip2(decoder) => decoder.into_inner(),
        }
    }
}

/// The parts of a file, one behind the other.
struct Parts {
    begin: fn(Packed) -> io::Result<Part>,
    state: State,
}

enum State {
    /// A part is to begin here.
    Before(Packed),
    Within(Part),
    Ended,
    /// Nothing more may be read: it could be taken for the end.
    Failed,
}

impl Parts {
    fn new(source: Packed, begin: fn(Packed) -> io::Result<Part>) -> Self {
        let state = State::Before(source);
        Parts { begin, state }
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Failed) {
                State::Failed => return Err(io::Error::other("reading goes on after an error")),
                State::Ended => {
                    self.state = State::Ended;
                    return Ok(0);
                }
                State::Before(source) => State::Within((self.begin)(source)?),
                State::Within(mut part) => match part.read(buffer) {
                    Ok(0) if !buffer.is_empty() => following(part.into_source())?,
                    read => {
                        self.state = State::Within(part);
                        return read;
                    }
                },
            };
        }
    }
}

fn following(mut source: Packed) -> io::Result<State> {
    Ok(if follows(&mut source)? {
        State::Before(source)
    } else {
        State::Ended
    })
}

/// Whether another part follows; zero bytes before it, or to the end, are padding. What is no part there, its decoder refuses.
fn follows(source: &mut Packed) -> io::Result<bool> {
    loop {
        let bytes = match source.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        let (zeros, all) = (bytes.iter().take_while(|byte| **byte == 0).count(), bytes.len());
        source.consume(zeros);
        if zeros < all || all == 0 {
            return Ok(all > 0);
        }
    }
}

/// The compression that the end of a file name tells, in any case.
pub fn compression_of(name: &str) -> Compression {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("gz" | "gzip") => Compression::Gzip,
        Some("zst" | "zstd") => Compression::Zstd,
        Some("bz2") => Compression::Bzip2,
        Some("xz") => Compression::Xz,
        _ => Compression::None,
    }
}

/// The error of a read: the one that a reader further down put inside, or one that names the file.
pub fn read_error(name: &str, error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(inner) => inner.clone(),
        None => Error::unavailable(format!("cannot be read: {error}")).file(name),
    }
}

fn word(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "plain",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        Compression::Bzip2 => "bzip2",
        Compression::Xz => "xz",
    }
}

/// Gives the decoder's errors a name and a kind.
struct Decompressed {
    name: String,
    compression: Compression,
    plain: Box<dyn Read + Send>,
}

impl Read for Decompressed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.plain.read(buffer).map_err(|error| {
            let ours = error.get_ref().is_some_and(|inner| inner.is::<Error>());
            if ours || error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            let (name, word) = (&self.name, word(self.compression));
            io::Error::other(
                Error::input(format!("the {word} data are damaged or cut short ({error})"))
                    .file(name)
                    .advice("write the file again"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &[u8] = b"account_id,score\na1,10\na2,20\n";

    fn compressed(compression: Compression, text: &[u8]) -> Vec<u8> {
        let write = |mut to: Box<dyn Write>| to.write_all(text).expect("written");
        let mut out = Vec::new();
        match compression {
            Compression::None => out.extend_from_slice(text),
            Compression::Gzip => write(Box::new(flate2::write::GzEncoder::new(&mut out, flate2::Compression::fast()))),
            Compression::Zstd => out = zstd::encode_all(text, 1).expect("encoded"),
            Compression::Bzip2 => write(Box::new(bzip2::write::BzEncoder::new(&mut out, bzip2::Compression::fast()))),
            Compression::Xz => write(Box::new(liblzma::write::XzEncoder::new(&mut out, 1))),
        }
        out
    }

    fn read(compression: Compression, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::new();
        let mut reader = decompress("data.csv.x", compression, Box::new(io::Cursor::new(bytes)))?;
        reader.read_to_end(&mut plain).map_err(|error| read_error("data.csv.x", error))?;
        Ok(plain)
    }

    #[test]
    fn archives_are_read_whole_or_not_at_all() {
        for compression in [Compression::Gzip, Compression::Zstd, Compression::Bzip2, Compression::Xz] {
            let one = compressed(compression, TEXT);
            assert_eq!(read(compression, one.clone()).expect("one part"), TEXT, "{compression:?}");
            assert_eq!(
                read(compression, [one.clone(), one.clone()].concat()).expect("two parts"),
                TEXT.repeat(2),
                "{compression:?}"
            );
            for cut in 0..one.len() {
                let error = read(compression, one[..cut].to_vec()).expect_err("cut short");
                assert!(
                    error.to_string().starts_with("data.csv.x: "),
                    "{compression:?} cut at {cut}: {error}"
                );
                assert_eq!(
                    error.kind,
                    shadowdiff_core::error::Kind::Input,
                    "{compression:?} cut at {cut}: {error}"
                );
            }
            for zeros in [4, 512, 300_000] {
                let padded = [one.clone(), one.clone(), vec![0; zeros]].concat();
                assert_eq!(
                    read(compression, padded).expect("padded"),
                    TEXT.repeat(2),
                    "{compression:?} {zeros}"
                );
                let between = [one.clone(), vec![0; zeros], one.clone()].concat();
                assert_eq!(
                    read(compression, between).expect("padded"),
                    TEXT.repeat(2),
                    "{compression:?} {zeros}"
                );
                let hidden = [one.clone(), vec![0; zeros], b"x".to_vec()].concat();
                assert!(read(compression, hidden).is_err(), "{compression:?}: bytes behind {zeros} zeros");
            }
            let garbage = [one.clone(), b"garbage".to_vec()].concat();
            assert!(read(compression, garbage).is_err(), "{compression:?} followed by garbage");
            assert!(read(compression, TEXT.to_vec()).is_err(), "{compression:?} of plain text");
        }
    }

    #[test]
    fn compression_by_name() {
        let names = ["a.csv.GZ", "a.csv.zst", "a.bz2", "a.xz", "a.csv", "gz"];
        let want = [
            Compression::Gzip,
            Compression::Zstd,
            Compression::Bzip2,
            Compression::Xz,
            Compression::None,
            Compression::None,
        ];
        assert_eq!(names.map(compression_of), want);
    }
}
