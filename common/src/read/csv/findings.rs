//! How a CSV file seems to be written where the spec does not say it: found from the first bytes, said, and never used unasked.
//!
//! [`csv_findings`] looks at a file, [`CsvFindings::setting`] is what to write into a spec:
//! whoever reads with these must have told the user so. Reading itself refuses a file whose delimiter is plainly another one
//! ([`other_delimiter`]), since it would come out as one column, and tells of decimal commas and dates in a warning ([`super::Evidence`]).

use super::super::encoding::{foreign_encoding, utf8};
use super::evidence::Evidence;
use super::record::{Dialect, Scan};
use super::{default_delimiter, dialect};
use crate::read::decompress::{decompress, read_error};
use crate::read::pinned::PinnedFile;
use crate::read::{DataFile, Sources};
use shadowdiff_core::error::Result;
use shadowdiff_core::spec::{CsvOptions, Header};
use std::io::{Cursor, Read};

/// So much of a file is looked at.
const LOOK_BYTES: u64 = 256 * 1024;

/// So many records must agree on a delimiter, where there are as many.
const RECORDS: usize = 50;

/// What a CSV file seems to be, where its options do not say it. Empty: they fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvFindings {
    /// A label as `csv.encoding` takes it.
    pub encoding: Option<&'static str>,
    pub delimiter: Option<u8>,
    pub decimal_comma: bool,
    /// Patterns that fit every date seen, as `csv.dates` takes them; more than one where day and month cannot be told apart.
    pub dates: Vec<&'static str>,
}

impl CsvFindings {
    /// What to write into the spec, such as `csv: {delimiter: ";", decimal: ","}`; `None` where nothing was found. Where day and month
    /// cannot be told apart, the pattern is left out: that is for the user to say.
    pub fn setting(&self) -> Option<String> {
        let mut fields = Vec::new();
        fields.extend(self.encoding.map(|label| format!("encoding: {label}")));
        fields.extend(self.delimiter.map(|byte| format!("delimiter: {}", quoted(byte))));
        fields.extend(self.decimal_comma.then(|| "decimal: \",\"".to_owned()));
        if let [pattern] = self.dates.as_slice() {
            fields.push(format!("dates: \"{pattern}\""));
        }
        (!fields.is_empty()).then(|| format!("csv: {{{}}}", fields.join(", ")))
    }
}

/// A delimiter as a spec writes it.
pub(super) fn quoted(byte: u8) -> String {
    if byte == b'\t' {
        "\"\\t\"".to_owned()
    } else {
        format!("\"{}\"", char::from(byte))
    }
}

/// Looks at the start of a CSV file.
pub fn csv_findings(file: &DataFile, options: &CsvOptions, sources: &Sources) -> Result<CsvFindings> {
    let pinned = PinnedFile::open(file, sources)?;
    let plain = decompress(&file.name, file.compression, Box::new(pinned.reader(0..pinned.size_bytes())))?;
    let mut start = Vec::new();
    let read = plain.take(LOOK_BYTES).read_to_end(&mut start);
    read.map_err(|error| read_error(&file.name, error))?;
    let is_whole = (start.len() as u64) < LOOK_BYTES;
    find(&start, is_whole, options, default_delimiter(&file.name))
}

/// What the first bytes of a file, decompressed, say; `is_whole`: they are all it has.
fn find(start: &[u8], is_whole: bool, options: &CsvOptions, delimiter_default: u8) -> Result<CsvFindings> {
    let encoding = if options.encoding.eq_ignore_ascii_case("utf-8") {
        foreign_encoding(start, is_whole)
    } else {
        None
    };
    let label = encoding.unwrap_or(&options.encoding);
    // A transcoder wants room for a whole character.
    let mut text = Vec::with_capacity(3 * start.len() + 64);
    // The last character may be cut.
    let _ = utf8("", Some(label), Box::new(Cursor::new(start.to_vec())))?.read_to_end(&mut text);
    let mut dialect = dialect(options, delimiter_default)?;
    let delimiter = match options.delimiter {
        None => other_delimiter(&text, is_whole, dialect),
        Some(_) => None,
    };
    dialect.delimiter = delimiter.unwrap_or(dialect.delimiter);
    let evidence = columns(&text, is_whole, dialect, options);
    let mut forms = evidence.iter().map(Evidence::date_forms).filter(|forms| !forms.is_empty());
    let mut dates = forms.next().unwrap_or_default();
    forms.for_each(|other| dates.retain(|pattern| other.contains(pattern)));
    Ok(CsvFindings {
        encoding,
        delimiter,
        decimal_comma: evidence.iter().any(Evidence::has_decimal_commas),
        dates,
    })
}

/// The records at the start, as counts of fields, header first. What is cut short at the end is left out.
fn widths(text: &[u8], is_whole: bool, dialect: Dialect) -> Vec<usize> {
    let (mut at, mut fields, mut widths) = (0, Vec::new(), Vec::new());
    while widths.len() < RECORDS {
        match dialect.scan(&text[at..], is_whole, &mut fields) {
            Scan::Record { bytes, .. } => {
                widths.push(fields.len());
                at += bytes;
            }
            Scan::Blank { bytes } => at += bytes,
            Scan::More | Scan::End | Scan::Bad(_) => break,
        }
    }
    widths
}

/// The delimiter that gives every record the same fields, two or more, where the one of `dialect` gives one field or differing numbers.
pub(super) fn other_delimiter(text: &[u8], is_whole: bool, dialect: Dialect) -> Option<u8> {
    let is_table = |widths: &[usize]| {
        widths
            .first()
            .is_some_and(|first| *first > 1 && widths.iter().all(|width| width == first))
    };
    let widths_with = |delimiter: u8| widths(text, is_whole, Dialect { delimiter, ..dialect });
    if is_table(&widths_with(dialect.delimiter)) {
        return None;
    }
    let others = [b';', b'\t', b'|', b',']
        .into_iter()
        .filter(|other| *other != dialect.delimiter && *other != dialect.quote);
    others.into_iter().find(|other| is_table(&widths_with(*other)))
}

/// What the values of each column say, without the header.
fn columns(text: &[u8], is_whole: bool, dialect: Dialect, options: &CsvOptions) -> Vec<Evidence> {
    let (mut at, mut fields, mut columns) = (0, Vec::new(), Vec::<Evidence>::new());
    let mut is_header = options.header == Header::Present;
    loop {
        match dialect.scan(&text[at..], is_whole, &mut fields) {
            Scan::Record { bytes, .. } => {
                for (place, field) in fields.iter().enumerate().filter(|_| !is_header) {
                    let mut value = Vec::new();
                    dialect.append(field, &text[at..], &mut value);
                    let value = String::from_utf8_lossy(&value);
                    if columns.len() <= place {
                        columns.resize_with(place + 1, Evidence::default);
                    }
                    if !value.is_empty() && !options.null_values.iter().any(|null| *null == value) {
                        columns[place].observe(&value, &options.form, String::new);
                    }
                }
                is_header = false;
                at += bytes;
            }
            Scan::Blank { bytes } => at += bytes,
            Scan::More | Scan::End | Scan::Bad(_) => return columns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_core::value::DateForm;

    /// The options with what was found.
    fn with(found: &CsvFindings, options: &CsvOptions) -> CsvOptions {
        let mut options = options.clone();
        if let Some(label) = found.encoding {
            options.encoding = label.to_owned();
        }
        options.delimiter = found.delimiter.or(options.delimiter);
        options.form.decimal_comma |= found.decimal_comma;
        if let [pattern] = found.dates.as_slice() {
            options.form.date = DateForm::parse(pattern).ok();
        }
        options
    }

    #[test]
    fn what_a_file_seems_to_be() {
        let check_with = |bytes: &[u8], options: &CsvOptions, want: Option<&str>| {
            let found = find(bytes, true, options, b',').expect("findings");
            assert_eq!(found.setting().as_deref(), want, "{}", String::from_utf8_lossy(bytes));
            // With what was found nothing is left to find.
            let again = find(bytes, true, &with(&found, options), b',').expect("findings");
            assert_eq!(again.setting(), None, "{}", String::from_utf8_lossy(bytes));
        };
        let check = |bytes: &[u8], want: Option<&str>| check_with(bytes, &CsvOptions::default(), want);
        check(b"id,v\n1,2.5\n", None);
        check(b"id\n1\n", None);
        check(b"", None);
        check(b"id;v\n1;2.5\n", Some("csv: {delimiter: \";\"}"));
        check(b"id;v\n1;2,5\n2;3\n", Some("csv: {delimiter: \";\", decimal: \",\"}"));
        check(b"id\tv\n1\tx\n", Some("csv: {delimiter: \"\\t\"}"));
        check(b"id|v\n1|x\n", Some("csv: {delimiter: \"|\"}"));
        check(b"id;v, w;x\n1;2;3\n", Some("csv: {delimiter: \";\"}"));
        check(b"note\nhere; and there\n", None);
        check(b"a;b\nx\n", None);
        check(b"\"a;b\"\n1\n", None);
        check(b"id,v\n1,\"2,5\"\n", Some("csv: {decimal: \",\"}"));
        check(b"id,v\n1,\"2,500\"\n", None);
        check(b"id,d\n1,31.12.2026\n2,\n", Some("csv: {dates: \"%d.%m.%Y\"}"));
        check(b"id,d\n1,01/02/2026\n", None);
        check(b"id,d,e\n1,01/02/2026,01/31/2026\n", Some("csv: {dates: \"%m/%d/%Y\"}"));
        check(b"id,v\n1,caf\xe9\n", Some("csv: {encoding: windows-1252}"));
        check(
            b"i\0d\0;\0v\0\n\x001\0;\x002\0\n\0",
            Some("csv: {encoding: utf-16le, delimiter: \";\"}"),
        );
        check(b"\xfe\xff\0i\0d\0,\0v\0\n\x001\0,\x002\0\n", Some("csv: {encoding: utf-16be}"));
        let told = CsvOptions {
            delimiter: Some(b','),
            ..CsvOptions::default()
        };
        check_with(b"id;v\n1;2\n", &told, None);
        let cut = find(
            "id,v\n1,caf\u{e9}".as_bytes().split_last().expect("bytes").1,
            false,
            &CsvOptions::default(),
            b',',
        );
        assert_eq!(cut.expect("findings"), CsvFindings::default());
    }
}
