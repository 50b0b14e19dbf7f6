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

impl Format {
    /// The usual extension.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Json => "jsonl",
            Format::ArrowIpc => "arrow",
            Format::Avro => "avro",
        }
    }

    /// CSV and JSON lines.
    pub fn is_text(self) -> bool {
        match self {
            Format::Csv | Format::Json => true,
            Format::Parquet | Format::ArrowIpc | Format::Avro => false,
        }
    }

    fn of_extension(extension: &str) -> Option<Format> {
        Some(match extension {
            "parquet" | "pq" => Format::Parquet,
            "csv" | "tsv" => Format::Csv,
            "json" | "jsonl" | "ndjson" => Format::Json,
            "arrow" | "feather" | "ipc" => Format::ArrowIpc,
            "avro" => Format::Avro,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Format::Parquet => "Parquet",
            Format::Csv => "CSV",
            Format::Json => "JSON lines",
            Format::ArrowIpc => "Arrow IPC",
            Format::Avro => "Avro",
        })
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
