//! Which rows of two parts of text files are written the same: found line by line, without a look into their fields.
//!
//! ```text
//! live     a b c d e f        from each row on, as many bytes as are the same on both sides, up to the end of a row
//! shadow   a b x d f          then a short look ahead for rows that are the same again; what lies before is left
//! ```
//! It only ever saves work: of parts that are not alike, or that have empty lines, it says nothing.

use super::dataset::{DataFile, Form, Format};
use super::pinned::PinnedFile;
use super::source::{Jump, Source};
use super::text_pieces::Records;
use super::{Sources, TextRows, open_csv_file};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use bytes::Bytes;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::TextRange;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::CsvOptions;
use std::collections::HashMap;
use std::sync::Arc;

/// Rows of each side that are looked at to find the next that are the same.
const LOOK_AHEAD: usize = 16;
/// So many bytes are to be there for it.
const AHEAD_BYTES: usize = 32 << 10;
/// And so many to search for rows that are farther away: where one side has lost rows all along, its parts begin far behind those of the other.
const FAR_BYTES: [usize; 3] = [64 << 10, 512 << 10, 4 << 20];
/// After so many rows of a side it shows whether the parts are alike.
const TRIED_ROWS: usize = 1 << 12;
/// Beside as many as are the same, a side may have so many more rows: they are held.
const MAX_ALONE_ROWS: usize = 1 << 16;
/// Beside as many bytes as were passed, no more than these are searched.
const MAX_SEARCHED_BYTES: usize = 64 << 20;

/// The rows of a part, and the bytes of those that are not the same on the other side.
#[derive(Debug, Clone)]
pub struct PartRows {
    /// A bit a row: whether it is the same as a row of the other side. The first such row of one side is that of the other, and so on.
    pub same: BooleanBuffer,
    pub left: LeftRows,
}

/// Rows of a text file that need not follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftRows {
    pub(super) bytes: Bytes,
    pub(super) jumps: Vec<Jump>,
}

impl LeftRows {
    pub(super) fn source(&self, name: &str) -> Source {
        Source::with_jumps(name, Box::new(std::io::Cursor::new(self.bytes.clone())), &self.jumps)
    }
}

/// A part of a text file.
#[derive(Debug, Clone, Copy)]
pub struct TextPart<'a> {
    pub file: &'a DataFile,
    pub range: &'a TextRange,
}

/// The rows of two parts that are written the same. `None`: few of them are, or the same bytes need not be the same row. `csv`: of both.
pub fn same_rows(format: Format, csv: &CsvOptions, parts: Sides<TextPart<'_>>, sources: &Sources) -> Result<Option<Sides<PartRows>>> {
    let files = Sides::from_fn(|side| parts[side].file);
    if !are_alike(format, csv, files, sources)? {
        return Ok(None);
    }
    // Of each part the bytes count once: those of live where its rows are read.
    let uncounted = Sources {
        bytes_read: Arc::default(),
        task_bytes: None,
        ..sources.clone()
    };
    let pinned = Sides::new(PinnedFile::open(files.live, &uncounted)?, PinnedFile::open(files.shadow, sources)?);
    let cursor = |side: Side| {
        let (file, range) = (files[side], parts[side].range);
        let bytes = Box::new(pinned[side].reader(range.from..range.to));
        let records = Records::of_piece(format, csv, &file.name)?;
        Ok::<_, Error>(records.map(|records| Cursor::new(Source::from(&file.name, bytes, range.lines_before), records, range.rows_before)))
    };
    let (Some(live), Some(shadow)) = (cursor(Side::Live)?, cursor(Side::Shadow)?) else {
        return Ok(None);
    };
    let mut steps = Steps {
        cursors: Sides::new(live, shadow),
        passed: 0,
        walked: 0,
        searched: 0,
    };
    let Some(()) = steps.go() else { return Ok(None) };
    pinned.live.check()?;
    pinned.shadow.check()?;
    Ok(Some(steps.cursors.map(Cursor::finish)))
}

/// Whether the same bytes are the same values in both files.
fn are_alike(format: Format, csv: &CsvOptions, files: Sides<&DataFile>, sources: &Sources) -> Result<bool> {
    let has_path_values = Side::BOTH.iter().any(|side| !files[*side].partitions.is_empty());
    if has_path_values || format.form() == Form::Typed {
        return Ok(false);
    }
    if format.form() == Form::Json {
        return Ok(true);
    }
    let header = |side: Side| {
        let (reader, _) = open_csv_file(files[side], csv, TextRows::All, 1, sources)?;
        Ok::<_, Error>((reader.delimiter(), reader.columns().to_vec()))
    };
    Ok(header(Side::Live)? == header(Side::Shadow)?)
}

/// One side, up to where it is read.
struct Cursor {
    source: Source,
    records: Records,
    same: BooleanBufferBuilder,
    left: Vec<u8>,
    jumps: Vec<Jump>,
    /// The line behind the row that was left last.
    line_left: Option<u64>,
    /// Rows of the file before the part.
    rows_before: u64,
}

impl Cursor {
    fn new(source: Source, records: Records, rows_before: u64) -> Self {
        Cursor {
            source,
            records,
            same: BooleanBufferBuilder::new(0),
            left: Vec::new(),
            jumps: Vec::new(),
            line_left: None,
            rows_before,
        }
    }

    /// Bytes, lines and rows of the whole records in the first bytes of the window; `None` where there is an empty line, or what is no text.
    fn whole(&mut self, bytes: usize) -> Option<Span> {
        let mut found = Span::default();
        loop {
            let rest = &self.source.window()[found.bytes..bytes];
            let next = self.records.whole(rest, false);
            if next.bytes == 0 {
                break;
            }
            if next.rows == next.lines && self.records.has_empty_line(&rest[..next.bytes]) {
                return None;
            }
            found.bytes += next.bytes;
            found.lines += next.lines;
            found.rows += next.rows as usize;
        }
        std::str::from_utf8(&self.source.window()[..found.bytes]).ok()?;
        Some(found)
    }

    /// The next records, at most so many.
    fn next_records(&mut self, most: usize) -> Option<Vec<Span>> {
        let (mut ends, mut at) = (Vec::new(), 0);
        let ended = self.source.has_ended();
        while ends.len() < most {
            let rest = &self.source.window()[at..];
            let one = self.records.one(rest, ended);
            if one.bytes == 0 {
                break;
            }
            if one.rows == one.lines && self.records.has_empty_line(&rest[..one.bytes]) {
                return None;
            }
            at += one.bytes;
            ends.push(Span {
                bytes: one.bytes,
                lines: one.lines,
                rows: 1,
            });
        }
        Some(ends)
    }

    fn take_same(&mut self, span: Span) {
        self.same.append_n(span.rows, true);
        self.source.take(span.bytes, span.lines);
    }

    fn leave(&mut self, spans: &[Span]) {
        for span in spans {
            let line = self.source.line();
            if self.line_left != Some(line) {
                let at = self.left.len() as u64;
                let rows_before = self.rows_before + self.same.len() as u64;
                self.jumps.push(Jump { at, line, rows_before });
            }
            self.line_left = Some(line + span.lines);
            self.left.extend_from_slice(&self.source.window()[..span.bytes]);
            self.same.append(false);
            self.source.take(span.bytes, span.lines);
        }
    }

    fn finish(mut self) -> PartRows {
        PartRows {
            same: self.same.finish(),
            left: LeftRows {
                bytes: Bytes::from(self.left),
                jumps: self.jumps,
            },
        }
    }
}

/// Records that follow each other.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    bytes: usize,
    lines: u64,
    rows: usize,
}

/// Both sides, in step.
struct Steps {
    cursors: Sides<Cursor>,
    /// Rows that are the same.
    passed: usize,
    /// Bytes of both sides that were passed, and that were searched for rows that are far away.
    walked: usize,
    searched: usize,
}

impl Steps {
    /// Goes to the end of both; `None` where it is of no use.
    fn go(&mut self) -> Option<()> {
        loop {
            let same = self.same_bytes();
            let span = self.cursors.live.whole(same)?;
            if span.bytes > 0 {
                // The same bytes are the same records.
                self.passed += span.rows;
                self.walked += 2 * span.bytes;
                Side::BOTH.iter().for_each(|side| self.cursors[*side].take_same(span));
                continue;
            }
            if self.read_more()? {
                continue;
            }
            if Side::BOTH.iter().all(|side| self.cursors[*side].source.window().is_empty()) {
                return self.is_worth_it(0).then_some(());
            }
            self.step_aside()?;
            if !self.is_worth_it(TRIED_ROWS) {
                return None;
            }
        }
    }

    /// Whether half of the rows are the same, once so many have been passed. Rows that one side alone has are no sign of another order.
    fn is_worth_it(&self, tried: usize) -> bool {
        let [live, shadow] = [&self.cursors.live, &self.cursors.shadow].map(|cursor| cursor.same.len());
        let (differing, left) = (live.min(shadow) - self.passed, live.max(shadow) - self.passed);
        let are_alike = differing <= self.passed && left <= self.passed + MAX_ALONE_ROWS;
        let is_quick = self.searched <= self.walked + MAX_SEARCHED_BYTES;
        is_quick && (live.max(shadow) < tried || are_alike)
    }

    /// How many bytes are the same from here.
    fn same_bytes(&self) -> usize {
        let [live, shadow] = [&self.cursors.live, &self.cursors.shadow].map(|cursor| cursor.source.window());
        same_prefix(live, shadow)
    }

    /// Reads on where too little is there to look ahead.
    fn read_more(&mut self) -> Option<bool> {
        let mut has_read = false;
        for side in Side::BOTH {
            let source = &mut self.cursors[side].source;
            if source.window().len() < AHEAD_BYTES && !source.has_ended() {
                // What cannot be read is told where the rows are read.
                source.more().ok()?;
                has_read = true;
            }
        }
        Some(has_read)
    }

    /// Reads on until so many bytes are there, or all.
    fn read_far(&mut self, bytes: usize) -> Option<()> {
        for side in Side::BOTH {
            let source = &mut self.cursors[side].source;
            while source.window().len() < bytes && !source.has_ended() {
                source.more().ok()?;
            }
        }
        Some(())
    }

    /// Leaves rows of both sides up to the next that are the same.
    fn step_aside(&mut self) -> Option<()> {
        let near = self.next_records(LOOK_AHEAD + 1)?;
        if let Some(found) = self.meet_near(&near).or_else(|| self.is_over(&near)) {
            self.leave(&near, found);
            return Some(());
        }
        for bytes in FAR_BYTES {
            self.read_far(bytes)?;
            let far = self.next_records(usize::MAX)?;
            let searched = Side::BOTH.map(|side| self.cursors[side].source.window().len());
            self.searched += searched.into_iter().sum::<usize>();
            let is_last = FAR_BYTES.last() == Some(&bytes);
            let all = is_last.then(|| Sides::new(far.live.len(), far.shadow.len()));
            if let Some(found) = self.meet_far(&far).or(all) {
                self.leave(&far, found);
                break;
            }
        }
        Some(())
    }

    /// The next records of each side, at least one where it goes on.
    fn next_records(&mut self, most: usize) -> Option<Sides<Vec<Span>>> {
        let mut records = Sides::default();
        for side in Side::BOTH {
            let cursor = &mut self.cursors[side];
            records[side] = cursor.next_records(most)?;
            while records[side].is_empty() && !cursor.source.window().is_empty() {
                if cursor.source.has_ended() {
                    return None;
                }
                cursor.source.more().ok()?;
                records[side] = cursor.next_records(most)?;
            }
        }
        Some(records)
    }

    fn leave(&mut self, records: &Sides<Vec<Span>>, counts: Sides<usize>) {
        for side in Side::BOTH {
            let left = &records[side][..counts[side]];
            self.walked += left.iter().map(|span| span.bytes).sum::<usize>();
            self.cursors[side].leave(left);
        }
    }

    /// All rows of the one side, where the other is at its end.
    fn is_over(&self, records: &Sides<Vec<Span>>) -> Option<Sides<usize>> {
        let is_over = Side::BOTH.iter().any(|side| records[*side].is_empty());
        is_over.then(|| Sides::from_fn(|side| records[side].len()))
    }

    /// The nearest rows that are the same, as how many are before them.
    fn meet_near(&self, records: &Sides<Vec<Span>>) -> Option<Sides<usize>> {
        let texts = self.texts(records);
        let is_same = |live: usize, shadow: usize| {
            let row = texts.live.get(live);
            row.is_some() && row == texts.shadow.get(shadow)
        };
        (1..=LOOK_AHEAD).find_map(|far| {
            (0..=far).find_map(|near| {
                let found = [(near, far), (far, near)]
                    .into_iter()
                    .find(|(live, shadow)| is_same(*live, *shadow));
                found.map(|(live, shadow)| Sides::new(live, shadow))
            })
        })
    }

    /// The first two rows in a row that are the same.
    fn meet_far(&self, records: &Sides<Vec<Span>>) -> Option<Sides<usize>> {
        let texts = self.texts(records);
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        for (place, text) in texts.shadow.iter().enumerate() {
            places.entry(text).or_insert(place);
        }
        texts.live.iter().enumerate().find_map(|(live, text)| {
            let shadow = *places.get(text)?;
            let next = texts.live.get(live + 1).zip(texts.shadow.get(shadow + 1));
            next.is_some_and(|(live, shadow)| live == shadow)
                .then_some(Sides::new(live, shadow))
        })
    }

    fn texts(&self, records: &Sides<Vec<Span>>) -> Sides<Vec<&[u8]>> {
        Sides::from_fn(|side| {
            let window = self.cursors[side].source.window();
            let ends = records[side].iter().scan(0, |at, span| {
                let from = *at;
                *at += span.bytes;
                Some(&window[from..*at])
            });
            ends.collect()
        })
    }
}

/// How many bytes at the start are the same.
fn same_prefix(a: &[u8], b: &[u8]) -> usize {
    /// As many are compared at a time.
    const BLOCKS: [usize; 3] = [4096, 64, 1];
    let mut same = 0;
    for block in BLOCKS {
        let pairs = a[same..].chunks_exact(block).zip(b[same..].chunks_exact(block));
        same += block * pairs.take_while(|(a, b)| a == b).count();
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::testing::{Folder, sources};
    use crate::read::{Selection, WantedColumn, open_raw, text_pieces};
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use shadowdiff_core::mix::next;
    use shadowdiff_core::value::ValueType;

    /// The values of rows, with their lines where the format tells them.
    fn rows(format: Format, file: &DataFile, csv: &CsvOptions, selection: &Selection) -> Vec<String> {
        let wanted = ["a", "b"].map(|name| WantedColumn {
            name: name.to_owned(),
            value_type: ValueType::Text,
            may_be_compact: false,
        });
        let mut rows = Vec::new();
        for raw in open_raw(format, file, selection, &wanted, csv, 3, &sources()).expect("a reader") {
            let raw = raw.expect("rows");
            for row in 0..raw.batch.num_rows() {
                let texts = raw.batch.columns().iter().map(|column| {
                    let texts = column.as_string::<i32>();
                    texts.is_valid(row).then(|| texts.value(row).to_owned())
                });
                let line = raw.lines.as_ref().map(|lines| lines[row]);
                rows.push(format!("{line:?} {:?}", texts.collect::<Vec<_>>()));
            }
        }
        rows
    }

    /// What of two files is found the same, if anything: checked against the rows themselves.
    fn check(format: Format, csv: &CsvOptions, files: &Sides<DataFile>) -> Option<usize> {
        let sources = sources().with_text_pieces(1 << 20);
        let range = |side: Side| {
            let small = sources.clone().with_text_pieces(1);
            let pieces = text_pieces(format, &files[side], csv, &small).expect("pieces");
            let (first, last) = (pieces.first()?, pieces.last()?);
            Some(TextRange {
                to: last.range.to,
                ..first.range
            })
        };
        let ranges = Sides::new(range(Side::Live)?, range(Side::Shadow)?);
        let parts = Sides::from_fn(|side| TextPart {
            file: &files[side],
            range: &ranges[side],
        });
        let found = same_rows(format, csv, parts, &sources).expect("an answer")?;
        let same = Sides::from_fn(|side| {
            let all = rows(format, &files[side], csv, &Selection::Text(ranges[side]));
            assert_eq!(all.len(), found[side].same.len());
            let (same, left): (Vec<_>, Vec<_>) = all.into_iter().zip(found[side].same.iter()).partition(|(_, same)| *same);
            let left: Vec<String> = left.into_iter().map(|(row, _)| row).collect();
            assert_eq!(
                rows(format, &files[side], csv, &Selection::LeftRows(found[side].left.clone())),
                left
            );
            let values = |row: String| row.split_once(' ').map(|(_, values)| values.to_owned());
            same.into_iter().map(|(row, _)| values(row)).collect::<Vec<_>>()
        });
        assert_eq!(same.live, same.shadow);
        Some(same.live.len())
    }

    fn changed(
        lines: &[String],
        below: &mut impl FnMut(usize) -> usize,
        fresh: &mut impl FnMut(&mut dyn FnMut(usize) -> usize) -> String,
    ) -> Vec<String> {
        let mut changed = Vec::new();
        let rate = [40, 8, 2][below(3)];
        for line in lines {
            match below(rate) {
                0 => changed.push(fresh(below)),
                1 if below(2) == 0 => {}
                1 => changed.extend([line.clone(), fresh(below)]),
                _ => changed.push(line.clone()),
            }
        }
        if below(4) == 0 {
            let from = below(changed.len().max(1));
            changed.rotate_left(from);
        }
        changed
    }

    #[tokio::test]
    async fn rows_that_are_the_same_are_found_and_the_others_are_left() {
        let folder = Folder::new();
        let mut found = [0; 2];
        for seed in 1..250u64 {
            let mut state = seed;
            let mut below = |n: usize| (next(&mut state) % n as u64) as usize;
            let (format, quoted) = [(Format::Csv, false), (Format::Csv, true), (Format::Json, false)][below(3)];
            let mut fresh = |below: &mut dyn FnMut(usize) -> usize| {
                let values = [below(30), below(3)].map(|value| match (format, below(6)) {
                    (Format::Csv, 0) if quoted => format!("\"{value}\n{value}\""),
                    (Format::Csv, 1) if quoted => format!("\"{value}\"\"\""),
                    (Format::Csv, 2) => format!("\u{e9}{value}"),
                    (Format::Json, 2) => format!("\"\\n{value}\""),
                    _ => value.to_string(),
                });
                match format {
                    Format::Json => format!("{{\"a\":\"{}\",\"b\":\"x\"}}", below(99)),
                    _ => values.join(","),
                }
            };
            let live: Vec<String> = (0..below(60)).map(|_| fresh(&mut below)).collect();
            let shadow = changed(&live, &mut below, &mut fresh);
            let end = ["\n", "\r\n"][below(2)];
            let text = |lines: &[String], last: &str| {
                let header = if format == Format::Json {
                    String::new()
                } else {
                    format!("a,b{end}")
                };
                header + &lines.join(end) + last
            };
            let name = if format == Format::Json { "jsonl" } else { "csv" };
            let texts = Sides::new(text(&live, [end, ""][below(2)]), text(&shadow, [end, ""][below(2)]));
            let files = Sides::new(
                folder.file(&format!("live{seed}.{name}"), texts.live.as_bytes()).await,
                folder.file(&format!("shadow{seed}.{name}"), texts.shadow.as_bytes()).await,
            );
            let checked = crate::tasks::blocking("a test", move || Ok(check(format, &CsvOptions::default(), &files)));
            if let Some(rows) = checked.await.expect("no panic") {
                found[usize::from(quoted)] += rows;
            }
        }
        assert!(found.iter().all(|rows| *rows > 300), "{found:?}");
    }

    #[tokio::test]
    async fn what_need_not_be_the_same_row_is_let_be() {
        let folder = Folder::new();
        let rows = "1,2\n3,4\n5,6\n7,8\n";
        for (number, (live, shadow, csv, expected)) in [
            (format!("a,b\n{rows}"), format!("a,b\n{rows}"), CsvOptions::default(), Some(4)),
            (format!("a,b\n{rows}"), format!("b,a\n{rows}"), CsvOptions::default(), None),
            (format!("a,b\n{rows}\n"), format!("a,b\n{rows}\n"), CsvOptions::default(), None),
            (
                format!("a,b\n1,2\n\n{rows}"),
                format!("a,b\n1,2\n\n{rows}"),
                CsvOptions::default(),
                None,
            ),
            (
                "a,b\n1,2\n3,4\n".to_owned(),
                "a,b\n5,6\n7,8\n".to_owned(),
                CsvOptions::default(),
                None,
            ),
            (
                "a,b\n1,2\n3,4\n".to_owned(),
                "a,b\n1,2\n3,5\n".to_owned(),
                CsvOptions::default(),
                Some(1),
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let files = Sides::new(
                folder.file(&format!("live{number}.csv"), live.as_bytes()).await,
                folder.file(&format!("shadow{number}.csv"), shadow.as_bytes()).await,
            );
            let checked = crate::tasks::blocking("a test", move || Ok(check(Format::Csv, &csv, &files)));
            assert_eq!(checked.await.expect("no panic"), expected, "{live:?} {shadow:?}");
        }
    }

    #[test]
    fn bytes_are_the_same_up_to_the_first_that_is_not() {
        for length in [0, 1, 63, 64, 65, 4095, 4096, 4200, 9000] {
            let a = vec![7u8; length];
            for other in [0, length / 2, length.saturating_sub(1)] {
                let mut b = a.clone();
                if let Some(byte) = b.get_mut(other) {
                    *byte = 8;
                }
                assert_eq!(same_prefix(&a, &b), other.min(length));
                assert_eq!(same_prefix(&a, &a[..other]), other);
            }
        }
    }
}
