//! Decides which of the names below a root are data: what a glob takes, what Spark and Hive pass over, what is a table format.

use super::glob::Glob;
use crate::store::Location;
use shadowdiff_core::error::{Error, Result};

/// One entry of the spec's list.
#[derive(Debug, Clone)]
pub(super) struct DatasetEntry {
    /// The file, directory or root of the glob, as written.
    pub(super) shown: String,
    pub(super) location: Location,
    pub(super) glob: Option<Glob>,
}

impl DatasetEntry {
    /// The name of something below the root, as the user would write it.
    pub(super) fn name_below(&self, relative: &str) -> String {
        match self.shown.trim_end_matches('/') {
            "" if self.shown.is_empty() => relative.to_string(),
            root => format!("{root}/{relative}"),
        }
    }

    /// Whether a directory or file name is passed over. `_part=1` is a partition, `_temporary` is not.
    pub(super) fn skips(&self, parents: &[&str], name: &str, is_directory: bool) -> bool {
        let hidden = name.starts_with('.') || (name.starts_with('_') && !(is_directory && name.contains('=')));
        let asked_for = || self.glob.as_ref().is_some_and(|glob| glob.names_hidden(parents.len(), name));
        let leftover = !is_directory && (name.ends_with(".crc") || name.ends_with("_$folder$") || name.ends_with("._COPYING_"));
        leftover || (hidden && !asked_for())
    }

    pub(super) fn takes(&self, path: &[&str]) -> bool {
        self.glob.as_ref().is_none_or(|glob| glob.takes(path))
    }

    pub(super) fn enters(&self, path: &[&str]) -> bool {
        self.glob.as_ref().is_none_or(|glob| glob.may_take_below(path))
    }
}

/// The table format that a name inside a directory gives away. For Iceberg the path of a file in `metadata/` is asked.
pub(super) fn table_format(path: &[&str]) -> Option<&'static str> {
    match path {
        ["_delta_log", ..] => Some("a Delta table (_delta_log)"),
        [".hoodie", ..] => Some("a Hudi table (.hoodie)"),
        ["metadata", file] if file.ends_with(".metadata.json") => Some("an Iceberg table (metadata/*.metadata.json)"),
        _ => None,
    }
}

/// Refuses a table format: its files hold rows that are no longer in the table.
pub(super) fn refuse_table(directory: &str, format: &str) -> Result<()> {
    let directory = if directory.is_empty() { "." } else { directory };
    Err(Error::input(format!("`{directory}` is {format}"))
        .advice("read as plain files it would show deleted and replaced rows; export a snapshot of the table as Parquet and compare that"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(glob: Option<&str>) -> DatasetEntry {
        let glob = glob.map(|pattern| Glob::parse(pattern).expect(pattern));
        DatasetEntry {
            shown: "live/".into(),
            location: Location::Local("/live".into()),
            glob,
        }
    }

    #[test]
    fn what_is_no_data() {
        let all = wanted(None);
        for (name, is_directory, skipped) in [
            ("_SUCCESS", false, true),
            ("_temporary", true, true),
            (".x.parquet.crc", false, true),
            ("x.parquet.crc", false, true),
            ("x_$folder$", false, true),
            ("_part=1", true, false),
            ("_part=1.csv", false, true),
            ("a_b.csv", false, false),
        ] {
            assert_eq!(all.skips(&[], name, is_directory), skipped, "{name}");
        }
        assert!(!wanted(Some("_*.csv")).skips(&[], "_x.csv", false));
        assert!(wanted(Some("*.csv")).skips(&[], "_x.csv", false));
        assert_eq!(all.name_below("a/b.csv"), "live/a/b.csv");
    }
}
