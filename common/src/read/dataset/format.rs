//! Tells a file's format and compression by its extensions.

use serde::{Deserialize, Serialize};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::spec::{Compression, CsvOptions};

/// How the files of a dataset are written. TSV is CSV with another delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Format {
    Parquet,
    Csv,
    Json,
    ArrowIpc,
    Avro,
}

/// How the files of a format are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// They say the types of their columns, and are compressed inside.
    Typed,
    Csv,
    Json,
}

/// What is to know of a format.
struct Row {
    format: Format,
    /// As messages name it.
    name: &'static str,
    /// The usual one first.
    extensions: &'static [&'static str],
    form: Form,
}

const TABLE: [Row; 5] = [
    row(Format::Parquet, "Parquet", &["parquet", "pq"], Form::Typed),
    row(Format::Csv, "CSV", &["csv", "tsv"], Form::Csv),
    row(Format::Json, "JSON lines", &["jsonl", "json", "ndjson"], Form::Json),
    row(Format::ArrowIpc, "Arrow IPC", &["arrow", "feather", "ipc"], Form::Typed),
    row(Format::Avro, "Avro", &["avro"], Form::Typed),
];

const fn row(format: Format, name: &'static str, extensions: &'static [&'static str], form: Form) -> Row {
    Row {
        format,
        name,
        extensions,
        form,
    }
}

impl Format {
    /// The usual extension.
    pub fn extension(self) -> &'static str {
        self.row().extensions[0]
    }

    /// How its files are read.
    pub fn form(self) -> Form {
        self.row().form
    }

    /// CSV and JSON lines.
    pub fn is_text(self) -> bool {
        self.form() != Form::Typed
    }

    fn of_extension(extension: &str) -> Option<Format> {
        TABLE.iter().find(|row| row.extensions.contains(&extension)).map(|row| row.format)
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.row().name)
    }
}

/// Format and compression of a file; upper and lower case mean the same. `csv: {compression}` beats the extension.
pub(super) fn of(name: &str, csv: &CsvOptions) -> Result<(Format, Compression)> {
    let file_name = name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let (stem, outer) = split_compression(&file_name);
    let Some(format) = stem.rsplit_once('.').and_then(|(_, extension)| Format::of_extension(extension)) else {
        return Err(unknown_extension(name));
    };
    if !format.is_text() && outer != Compression::None {
        return Err(Error::input(format!("a {format} file is compressed inside, never as a whole"))
            .file(name)
            .advice("decompress it"));
    }
    let stated = csv.compression.filter(|_| format == Format::Csv);
    Ok((format, stated.unwrap_or(outer)))
}

/// Whether the extension is one that is read.
pub(super) fn is_known(name: &str) -> bool {
    of(name, &CsvOptions::default()).is_ok()
}

fn split_compression(file_name: &str) -> (&str, Compression) {
    let Some((stem, extension)) = file_name.rsplit_once('.') else {
        return (file_name, Compression::None);
    };
    match extension {
        "gz" => (stem, Compression::Gzip),
        "zst" => (stem, Compression::Zstd),
        "bz2" => (stem, Compression::Bzip2),
        "xz" => (stem, Compression::Xz),
        _ => (file_name, Compression::None),
    }
}

fn unknown_extension(name: &str) -> Error {
    Error::input("unknown extension, so the format is unknown").file(name).advice(
        "known are .parquet .pq .csv .tsv .json .jsonl .ndjson .arrow .feather .ipc .avro, \
         the text forms also with .gz .zst .bz2 .xz; rename the file, or leave it out with a glob",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_formats_in_their_order() {
        assert!(TABLE.iter().enumerate().all(|(at, row)| row.format as usize == at));
    }

    #[test]
    fn extensions() {
        let cases = [
            ("a/part-0.snappy.parquet", Some((Format::Parquet, Compression::None))),
            ("part-0.gz.parquet", Some((Format::Parquet, Compression::None))),
            ("DATA.CSV", Some((Format::Csv, Compression::None))),
            ("x.tsv.BZ2", Some((Format::Csv, Compression::Bzip2))),
            ("x.ndjson.zst", Some((Format::Json, Compression::Zstd))),
            ("x.feather", Some((Format::ArrowIpc, Compression::None))),
            ("x.avro", Some((Format::Avro, Compression::None))),
            ("x.csv/part", None),
            ("x.txt", None),
            ("csv", None),
            ("x.parquet.gz", None),
            ("x.gz", None),
        ];
        for (name, expected) in cases {
            assert_eq!(of(name, &CsvOptions::default()).ok(), expected, "{name}");
        }
    }

    #[test]
    fn the_spec_beats_the_extension() {
        let csv = CsvOptions {
            compression: Some(Compression::Gzip),
            ..CsvOptions::default()
        };
        assert_eq!(of("x.csv", &csv), Ok((Format::Csv, Compression::Gzip)));
        assert_eq!(of("x.jsonl", &csv), Ok((Format::Json, Compression::None)));
    }
}
