//! How many requests it takes to read an input, for the estimate of a plan. Local files take none.

use super::{DataFile, Form, Format, RowGroup, parquet, pinned};
use crate::store::Location;

/// To learn the columns of a file, and the types of text.
pub fn to_look(format: Format, file: &DataFile) -> u64 {
    match (&file.location, format.form()) {
        (Location::Local(_), _) => 0,
        (Location::Object { .. }, Form::Typed) => 1,
        (Location::Object { .. }, Form::Csv) => 1 + pinned::sequential_requests(file.pin.size_bytes),
        (Location::Object { .. }, Form::Json) => pinned::sequential_requests(file.pin.size_bytes),
    }
}

/// To read a piece of a file: these row groups, or all of it where there are none.
pub fn to_read(format: Format, file: &DataFile, groups: &[RowGroup]) -> u64 {
    match (&file.location, format) {
        (Location::Local(_), _) => 0,
        (Location::Object { .. }, Format::Parquet) => parquet::requests(file.pin.size_bytes, groups),
        (Location::Object { .. }, Format::ArrowIpc) => 1 + pinned::requests(groups.iter().map(|g| g.compressed_bytes)),
        // As a whole, from the front.
        (Location::Object { .. }, _) => pinned::sequential_requests(file.pin.size_bytes),
    }
}
