//! Where a text file can be cut: at the starts of records, so that its parts can be read apart from each other.

use super::csv::CsvRecords;
use super::dataset::{DataFile, Form, Format};
use super::encoding::utf8;
use super::pinned::PinnedFile;
use super::source::{Source, WholeRecords};
use super::{Sources, encoding};
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::TextRange;
use shadowdiff_core::spec::{Compression, CsvOptions};

/// A part of a text file, and its rows at most: empty lines that are none count too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPiece {
    pub range: TextRange,
    pub rows: u64,
}

/// A piece ends at the start of a record, after about so many bytes.
pub const TEXT_PIECE_BYTES: u64 = 16 << 20;

/// How records are told apart.
pub(super) enum Records {
    Csv(CsvRecords),
    Lines,
}

impl Records {
    /// `None`: the format has none.
    fn of(format: Format, csv: &CsvOptions, name: &str) -> Result<Option<Records>> {
        Ok(match format.form() {
            Form::Csv => Some(Records::Csv(CsvRecords::new(csv, name)?)),
            Form::Json => Some(Records::Lines),
            Form::Typed => None,
        })
    }

    /// Of a piece, in which no header comes.
    pub(super) fn of_piece(format: Format, csv: &CsvOptions, name: &str) -> Result<Option<Records>> {
        let mut records = Records::of(format, csv, name)?;
        if let Some(Records::Csv(records)) = &mut records {
            records.pass_header();
        }
        Ok(records)
    }

    /// The whole records at the start of a window, all of them or some.
    pub(super) fn whole(&mut self, window: &[u8], ended: bool) -> WholeRecords {
        match self {
            Records::Csv(records) => records.whole(window, ended),
            Records::Lines => lines(window),
        }
    }

    /// The first record of a window, if it is whole.
    pub(super) fn one(&mut self, window: &[u8], ended: bool) -> WholeRecords {
        match self {
            Records::Csv(records) => records.one(window, ended),
            Records::Lines => match memchr::memchr(b'\n', window) {
                Some(end) => lines(&window[..=end]),
                None if ended && !window.is_empty() => WholeRecords {
                    bytes: window.len(),
                    ..lines(b"\n")
                },
                None => WholeRecords::default(),
            },
        }
    }

    /// Whether one of these records, each of them a line, may be an empty line, which is no row.
    pub(super) fn has_empty_line(&self, records: &[u8]) -> bool {
        let may_be_empty = |first: Option<&u8>| match self {
            Records::Csv(_) => matches!(first, Some(b'\n' | b'\r')),
            Records::Lines => first.is_some_and(u8::is_ascii_whitespace),
        };
        may_be_empty(records.first()) || memchr::memchr_iter(b'\n', records).any(|end| may_be_empty(records.get(end + 1)))
    }
}

/// The pieces of a text file, in its order; none where it can only be read as a whole, or is too small to be cut. What is malformed ends the
/// cutting, and is told where the rows are read.
pub fn text_pieces(format: Format, file: &DataFile, csv: &CsvOptions, sources: &Sources) -> Result<Vec<TextPiece>> {
    let piece_bytes = sources.text_piece_bytes;
    let is_plain = file.compression == Compression::None && (format.form() == Form::Json || encoding::is_utf8(&csv.encoding));
    // Elsewhere it would be one more time that the file is fetched.
    if !file.is_local() || !is_plain || file.pin.size_bytes < 2 * piece_bytes {
        return Ok(Vec::new());
    }
    let Some(records) = Records::of(format, csv, &file.name)? else {
        return Ok(Vec::new());
    };
    let pinned = PinnedFile::open(file, sources)?;
    let mark = encoding::mark_bytes(&pinned.read(0..pinned.size_bytes().min(3))?);
    let Ok(plain) = utf8(&file.name, None, Box::new(pinned.reader(0..pinned.size_bytes()))) else {
        return Ok(Vec::new());
    };
    let cutter = Cutter {
        source: Source::new(&file.name, plain),
        records,
        at: mark,
        rows: 0,
        first: TextRange {
            from: mark,
            to: pinned.size_bytes(),
            lines_before: 0,
            rows_before: 0,
        },
        pieces: Vec::new(),
    };
    Ok(cutter.pieces(piece_bytes))
}

struct Cutter {
    source: Source,
    records: Records,
    /// The byte of the file at which the source's window begins, and the rows before it.
    at: u64,
    rows: u64,
    /// From the start of the piece that is being read to the end of the file.
    first: TextRange,
    pieces: Vec<TextPiece>,
}

impl Cutter {
    fn pieces(mut self, piece_bytes: u64) -> Vec<TextPiece> {
        loop {
            let whole = self.whole(piece_bytes);
            if whole.bytes > 0 {
                self.source.take(whole.bytes, whole.lines);
                (self.at, self.rows) = (self.at + whole.bytes as u64, self.rows + whole.rows);
                let is_header = self.rows == 0 && self.pieces.is_empty();
                if whole.may_cut && (is_header || self.at - self.first.from >= piece_bytes) {
                    self.begin(is_header);
                }
            } else if self.source.has_ended() || self.source.more().is_err() {
                self.end();
                return self.pieces;
            }
        }
    }

    /// The records up to where the piece is to end, at least one.
    fn whole(&mut self, piece_bytes: u64) -> WholeRecords {
        let (window, ended) = (self.source.window(), self.source.has_ended());
        let mut left = (self.first.from + piece_bytes).saturating_sub(self.at).max(1) as usize;
        while left < window.len() {
            let whole = self.records.whole(&window[..left], false);
            if whole.bytes > 0 {
                return whole;
            }
            left *= 2;
        }
        self.records.whole(window, ended)
    }

    /// Begins a piece at the window.
    fn begin(&mut self, is_first: bool) {
        let range = TextRange {
            from: self.at,
            lines_before: self.source.line() - 1,
            rows_before: self.rows,
            ..self.first
        };
        if !is_first {
            let rows = self.rows - self.first.rows_before;
            let range = TextRange { to: self.at, ..self.first };
            self.pieces.push(TextPiece { range, rows });
        }
        self.first = range;
    }

    fn end(&mut self) {
        // A last line without an end.
        self.rows += u64::from(!self.source.window().is_empty());
        let rows = self.rows - self.first.rows_before;
        if self.first.from < self.first.to {
            self.pieces.push(TextPiece { range: self.first, rows });
        }
    }
}

/// Lines that end.
fn lines(window: &[u8]) -> WholeRecords {
    let bytes = memchr::memrchr(b'\n', window).map_or(0, |last| last + 1);
    let lines = memchr::memchr_iter(b'\n', &window[..bytes]).count() as u64;
    WholeRecords {
        bytes,
        lines,
        rows: lines,
        may_cut: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::testing::{Folder, sources};
    use crate::read::{json_shape, open_csv_file};
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use shadowdiff_core::mix::next;
    use shadowdiff_core::spec::Header;

    /// Lines and values of the rows of a CSV file, or of a part of it, or the error.
    fn rows(file: &DataFile, csv: &CsvOptions, part: Option<&TextRange>) -> std::result::Result<Vec<String>, String> {
        let read = || -> Result<Vec<String>> {
            let mut rows = Vec::new();
            for batch in open_csv_file(file, csv, part.into(), 3, &sources())?.0 {
                let batch = batch?;
                for (row, line) in batch.lines.iter().enumerate() {
                    let value = |column: &arrow_array::ArrayRef| {
                        let texts = column.as_string::<i32>();
                        texts.is_valid(row).then(|| texts.value(row).to_owned())
                    };
                    rows.push(format!(
                        "{line} {:?}",
                        batch.columns.columns().iter().map(value).collect::<Vec<_>>()
                    ));
                }
            }
            Ok(rows)
        };
        read().map_err(|error| error.to_string())
    }

    /// Reads a file whole and in pieces of about so many bytes.
    async fn check(bytes: &[u8], csv: &CsvOptions, piece_bytes: u64) -> usize {
        let folder = Folder::new();
        let file = folder.file("data.csv", bytes).await;
        let (of_file, csv, sources) = (file.clone(), csv.clone(), sources().with_text_pieces(piece_bytes));
        let read = move || {
            let pieces = text_pieces(Format::Csv, &of_file, &csv, &sources).expect("pieces");
            let whole = rows(&of_file, &csv, None);
            if pieces.is_empty() {
                return Ok(0);
            }
            assert_eq!(pieces.last().map(|piece| piece.range.to), Some(of_file.pin.size_bytes));
            assert!(pieces.windows(2).all(|pair| pair[0].range.to == pair[1].range.from), "{pieces:?}");
            let parts = pieces.iter().map(|piece| {
                let rows = rows(&of_file, &csv, Some(&piece.range));
                if let (Ok(rows), Ok(_)) = (&rows, &whole) {
                    // Empty lines at the end of a file of several columns are counted, though they are no rows.
                    assert!(rows.len() as u64 <= piece.rows, "{piece:?}");
                    assert!(
                        piece.range.to == of_file.pin.size_bytes || rows.len() as u64 == piece.rows,
                        "{piece:?}"
                    );
                }
                rows
            });
            let parts: std::result::Result<Vec<Vec<String>>, String> = parts.collect();
            assert_eq!(parts.map(|parts| parts.concat()), whole, "{pieces:?}");
            Ok(pieces.len())
        };
        crate::tasks::blocking("a test", read).await.expect("no panic")
    }

    #[tokio::test]
    async fn a_file_in_pieces_has_the_rows_and_lines_of_the_whole() {
        let fields = [
            "1",
            "",
            "ab",
            "\"x\"",
            "\"\"",
            "\"a,b\"",
            "\"two\nlines\"",
            "\"\r\n\"",
            "\"q\"\"q\"",
            "x\"y",
            "\u{e9}\u{e9}",
        ];
        let mut most = 0;
        for seed in 1..400u64 {
            let mut state = seed;
            let mut below = |n: usize| (next(&mut state) % n as u64) as usize;
            let (columns, quoted, line_end) = (1 + below(3), below(2) == 0, ["\n", "\r\n"][below(2)]);
            let mut text = ["", "\u{feff}"][below(2)].to_owned();
            let header = [Header::Present, Header::Absent][below(2)].clone();
            let names = ["a", "\"b\n,\"", "c"];
            if header == Header::Present {
                text += &(names[..columns].join(",") + line_end);
            }
            let rows = 1 + below(40);
            for row in 0..rows {
                let values: Vec<&str> = (0..columns).map(|_| fields[below(if quoted { fields.len() } else { 3 })]).collect();
                let end = if row + 1 == rows && below(2) == 0 { "" } else { line_end };
                text += &(values.join(",") + end);
            }
            // At the end they are nothing; within, and where one field is empty in a file of one column, they are rows or an error.
            text += &line_end.repeat(below(3));
            let csv = CsvOptions {
                header,
                ..CsvOptions::default()
            };
            most = most.max(check(text.as_bytes(), &csv, 1 + below(30) as u64).await);
        }
        assert!(most > 10, "at most {most} pieces");
    }

    #[tokio::test]
    async fn what_is_malformed_is_told_as_of_the_whole() {
        let plain = CsvOptions::default();
        for (text, pieces) in [
            ("a,b\n1,2\n3\n5,6\n7,8\n", 4),
            ("a,b\n1,2\n3,4\n\"5,6\n7,8\n", 3),
            ("a,b\n1,2\n\n3,4\n5,6\n", 3),
            ("a,b\n1,2\n3,\u{ff}\n5,6\n", 3),
            ("a,a\n1,2\n3,4\n", 2),
        ] {
            let bytes: Vec<u8> = text.chars().map(|c| c as u32 as u8).collect();
            assert_eq!(check(&bytes, &plain, 2).await, pieces, "{text:?}");
        }
        let utf16 = CsvOptions {
            encoding: "utf-16le".into(),
            ..CsvOptions::default()
        };
        assert_eq!(check(b"a\0\n\x001\0\n\x002\0\n\0", &utf16, 2).await, 0);
    }

    #[tokio::test]
    async fn lines_of_json_in_pieces() {
        let folder = Folder::new();
        let text = "{\"a\": 1}\n\n{\"a\": \"\\n\"}\n  \n{\"a\": 2.5}";
        let file = folder.file("data.jsonl", text.as_bytes()).await;
        let sources = sources().with_text_pieces(3);
        let read = move || {
            let csv = CsvOptions::default();
            let pieces = text_pieces(Format::Json, &file, &csv, &sources).expect("pieces");
            assert_eq!(pieces.iter().map(|piece| piece.rows).collect::<Vec<_>>(), [2, 1, 1, 1]);
            assert_eq!(
                pieces.iter().map(|piece| piece.range.lines_before).collect::<Vec<_>>(),
                [0, 2, 3, 4]
            );
            let shape = |at: usize| json_shape(&file, Some(&pieces[at].range).into(), |_| false, &sources);
            assert_eq!(shape(0).expect("lines").value_type().to_string(), "struct(a: int64)");
            assert_eq!(shape(1).expect("lines").value_type().to_string(), "struct(a: text)");
            assert_eq!(shape(2).expect("lines").value_type().to_string(), "struct()");
            assert_eq!(shape(3).expect("lines").value_type().to_string(), "struct(a: decimal(2,1))");
            Ok(())
        };
        crate::tasks::blocking("a test", read).await.expect("no panic");
    }
}
