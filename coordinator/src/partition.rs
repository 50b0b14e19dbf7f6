//! How the work of a job is cut, and how much of it there is.

use crate::columns::{FilePieces, SideFiles};
use shadowdiff_common::read::{self, Dataset, RowGroup};
use shadowdiff_common::store::Location;
use shadowdiff_core::plan::{Estimate, FilePart, Form, ScanTask, Split, pair_splits};
use shadowdiff_core::requests::{LISTED, Requests};
use shadowdiff_core::row::Secret;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::Day;

/// What changes nothing in the result, but decides how the work is cut.
#[derive(Debug, Clone, Copy)]
pub struct PartitionSettings {
    pub threads: usize,
    /// `None`: chosen from the size of the data.
    pub shards: Option<u32>,
    /// About how many bytes of rows a task should hold that reads shards.
    pub part_bytes: u64,
    /// In what form rows are exchanged; `None`: as a look at the data suggests.
    pub form: Option<Form>,
    pub secret: Secret,
    pub today: Day,
}

/// The work of a job, cut into tasks.
#[derive(Debug)]
pub(crate) struct Partitioning {
    pub(crate) scans: Vec<ScanTask>,
    pub(crate) shards: u32,
    pub(crate) estimate: Estimate,
}

impl Partitioning {
    pub(crate) fn new(datasets: &Sides<Dataset>, files: &Sides<SideFiles>, cut: &PartitionSettings) -> Partitioning {
        let both = |of: &dyn Fn(Side) -> u64| of(Side::Live) + of(Side::Shadow);
        let decoded_bytes = both(&|side| decoded_bytes(&datasets[side], &files[side]));
        let splits = Sides::from_fn(|side| splits(&datasets[side], &files[side]));
        let scans = pair_splits(splits, lanes(decoded_bytes, cut.threads));
        let by_size = || shards(decoded_bytes, cut.part_bytes);
        let requests = Sides::from_fn(|side| {
            let pieces = scans.iter().flat_map(|task| &task.splits[side]);
            input_requests(&datasets[side], &files[side], pieces)
        });
        Partitioning {
            shards: cut.shards.unwrap_or_else(by_size),
            estimate: Estimate {
                stored_bytes: both(&|side| datasets[side].files.iter().map(|f| f.pin.size_bytes).sum()),
                decoded_bytes,
                requests: requests.live + requests.shadow,
                reading_bytes: both(&|side| reading_bytes(&files[side])),
                rows: Sides::from_fn(|side| known_rows(&files[side])),
            },
            scans,
        }
    }
}

/// More shards than this make blocks too small.
const MAX_SHARDS: u64 = 512;
/// Rows of a shard meet in memory, so where there are few shards they are smaller than what a task reads, and put together for it.
const SHARDS_A_PART: u64 = 4;
const FEW_SHARDS: u64 = 64;
/// About how much a scan task decodes.
const LANE_BYTES: u64 = 192 << 20;
/// Text takes about this many times its compressed size in memory; uncompressed text about half of it.
const TEXT_GROWTH: u64 = 4;

/// Into how many shards so many bytes are divided.
fn shards(decoded_bytes: u64, part_bytes: u64) -> u32 {
    let of = |bytes: u64| decoded_bytes / bytes.max(1) + 1;
    of(part_bytes / SHARDS_A_PART).min(FEW_SHARDS).max(of(part_bytes)).min(MAX_SHARDS) as u32
}

fn lanes(decoded_bytes: u64, threads: usize) -> usize {
    let by_size = (decoded_bytes / LANE_BYTES) as usize + 1;
    // A few more tasks than threads keep all of them busy to the end.
    if by_size < threads {
        threads
    } else {
        by_size.next_multiple_of(threads)
    }
}

/// Pieces of a side, in the order of its files.
fn splits(dataset: &Dataset, files: &SideFiles) -> Vec<Split> {
    let of_file = |(file, pieces): (usize, &FilePieces)| {
        let split = |(part, weight)| Split { file, part, weight };
        let parts: Vec<(FilePart, u64)> = match pieces {
            FilePieces::Whole => vec![(FilePart::Whole, dataset.files[file].pin.size_bytes)],
            FilePieces::RowGroups(groups) => {
                let groups = groups.iter().enumerate();
                groups.map(|(at, group)| (FilePart::RowGroups(at, at + 1), group.rows)).collect()
            }
            FilePieces::Text(pieces) => pieces.iter().map(|piece| (FilePart::Text(piece.range), piece.rows)).collect(),
        };
        parts.into_iter().map(split).collect::<Vec<_>>()
    };
    files.pieces.iter().enumerate().flat_map(of_file).collect()
}

fn input_requests<'a>(dataset: &Dataset, files: &SideFiles, pieces: impl Iterator<Item = &'a Split>) -> Requests {
    let remote = dataset
        .files
        .iter()
        .filter(|f| matches!(f.location, Location::Object { .. }))
        .count() as u64;
    let looks = dataset
        .files
        .iter()
        .map(|file| read::requests::to_look(dataset.format, file))
        .sum::<u64>();
    let of_piece = |split: &Split| {
        let groups = match (&files.pieces[split.file], split.row_groups()) {
            (FilePieces::RowGroups(groups), Some((from, to))) => &groups[from..to],
            _ => &[][..],
        };
        read::requests::to_read(dataset.format, &dataset.files[split.file], groups)
    };
    Requests {
        reads: looks + pieces.map(of_piece).sum::<u64>(),
        writes: if remote == 0 { 0 } else { remote / LISTED + 1 },
    }
}

fn decoded_bytes(dataset: &Dataset, files: &SideFiles) -> u64 {
    let of_file = |(file, pieces): (usize, &FilePieces)| match pieces {
        FilePieces::Whole | FilePieces::Text(_) => dataset.files[file].pin.size_bytes.saturating_mul(TEXT_GROWTH),
        // Encodings such as dictionaries make less of the data than it is when decoded.
        FilePieces::RowGroups(groups) => groups.iter().map(|g| g.uncompressed_bytes.saturating_mul(2)).sum(),
    };
    files.pieces.iter().enumerate().map(of_file).sum()
}

/// Readers hold a row group as stored, and decompress a page of every column at a time; writers may put a whole row group into one page.
fn reading_bytes(files: &SideFiles) -> u64 {
    /// What a reader of text holds: some batches and its windows into the file.
    const TEXT_BYTES: u64 = 16 << 20;
    let of_group = |group: &RowGroup| group.compressed_bytes + group.uncompressed_bytes;
    let of_file = |pieces: &FilePieces| match pieces {
        FilePieces::Whole | FilePieces::Text(_) => None,
        FilePieces::RowGroups(groups) => groups.iter().map(of_group).max(),
    };
    files.pieces.iter().filter_map(of_file).max().unwrap_or(TEXT_BYTES)
}

fn known_rows(files: &SideFiles) -> Option<u64> {
    // Of text, empty lines were counted that may be no rows.
    let of_file = |pieces: &FilePieces| match pieces {
        FilePieces::Whole | FilePieces::Text(_) => None,
        FilePieces::RowGroups(groups) => Some(groups.iter().map(|group| group.rows).sum::<u64>()),
    };
    if files.pieces.is_empty() {
        return None;
    }
    files.pieces.iter().map(of_file).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_smaller_than_parts_while_they_are_few() {
        let mib = 1 << 20;
        let found = [0, 1, 9, 15, 16, 40, 63, 64, 200, 1 << 20].map(|decoded| shards(decoded * mib, mib));
        assert_eq!(found, [1, 5, 37, 61, 64, 64, 64, 65, 201, 512]);
    }
}
