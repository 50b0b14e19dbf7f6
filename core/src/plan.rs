//! The plan of a job as data: what is read, in which pieces, and how it is cut into tasks. It is stored before anything runs.

use crate::align::{Aligned, Role, SideColumn};
use crate::noise::NoiseFacts;
use crate::requests::Requests;
use crate::row::Secret;
use crate::side::{Side, Sides};
use crate::spec::{Acceptance, Day, Spec};
use crate::value::ValueType;
use serde::{Deserialize, Serialize};

/// An input object with its identity when planned; a later read of other content fails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pinned {
    pub name: String,
    #[serde(flatten)]
    pub pin: Pin,
}

/// What an input is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pin {
    pub size_bytes: u64,
    /// What the store calls the content; local files have none.
    pub etag: Option<String>,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
}

impl Pin {
    /// The ETag if it stands for the bytes: a weak one never matches in a request.
    pub fn strong_etag(&self) -> Option<String> {
        self.etag.clone().filter(|etag| !etag.starts_with("W/"))
    }

    /// The ETag if it is a digest of the bytes: MD5, or MD5 of the parts' with their number, as S3 makes it. Other ETags only tell versions
    /// of one object apart.
    pub fn digest(&self) -> Option<String> {
        let tag = self.strong_etag()?.trim_matches('"').to_owned();
        let (digest, parts) = tag.split_once('-').unwrap_or((&tag, "1"));
        let is_digest = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_digest && parts.parse::<u32>().is_ok()).then_some(tag)
    }

    /// Whether `now` is the same content. The time of the last change, in seconds, stands in where an ETag is missing.
    pub fn agrees(&self, now: &Pin) -> bool {
        // Azure's listings give ETags without the quotes that its headers have.
        let bare = |etag: &str| etag.trim_matches('"').to_string();
        let same = match (&self.etag, &now.etag) {
            (Some(before), Some(after)) => bare(before) == bare(after),
            _ => self.modified_ms.div_euclid(1000) == now.modified_ms.div_euclid(1000),
        };
        same && self.size_bytes == now.size_bytes
    }
}

/// The part of a file that is read as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilePart {
    Whole,
    /// The first row group and one past the last.
    RowGroups(usize, usize),
    Text(TextRange),
}

/// Whole records of a text file that can be read without those before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRange {
    /// The first byte and one past the last, in the file as stored.
    pub from: u64,
    pub to: u64,
    /// Physical lines of the file before it, and rows.
    pub lines_before: u64,
    pub rows_before: u64,
}

impl FilePart {
    /// Both as one part, if `next` follows in the same file.
    fn and(self, next: FilePart) -> Option<FilePart> {
        match (self, next) {
            (FilePart::RowGroups(first, end), FilePart::RowGroups(start, last)) if end == start => Some(FilePart::RowGroups(first, last)),
            (FilePart::Text(first), FilePart::Text(then)) if first.to == then.from => {
                Some(FilePart::Text(TextRange { to: then.to, ..first }))
            }
            _ => None,
        }
    }
}

/// A piece of input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Index into the side's files.
    pub file: usize,
    pub part: FilePart,
    /// How much there is to do: rows, which are known but for whole files; else bytes. Of text some may be empty lines.
    pub weight: u64,
}

impl Split {
    /// Its rows, or a few more, where they are known.
    pub fn rows(&self) -> Option<u64> {
        (self.part != FilePart::Whole).then_some(self.weight)
    }

    /// The first row group and one past the last, where it is row groups.
    pub fn row_groups(&self) -> Option<(usize, usize)> {
        match self.part {
            FilePart::RowGroups(first, end) => Some((first, end)),
            FilePart::Whole | FilePart::Text(_) => None,
        }
    }

    /// Takes in `next` if it follows in the same file: read as one piece, the file is opened once. Whether it does.
    fn append(&mut self, next: &Split) -> bool {
        let both = if self.file == next.file { self.part.and(next.part) } else { None };
        if let Some(both) = both {
            (self.part, self.weight) = (both, self.weight + next.weight);
        }
        both.is_some()
    }
}

/// In what form rows that have not cancelled are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// Whole rows.
    Rows,
    /// Fingerprints; rows without a partner are read again and exchanged after that.
    Fingerprints,
}

/// Jobs with less decoded data exchange rows: a look does not pay.
pub const SAMPLE_FROM_BYTES: u64 = 128 << 20;
/// Keys on both sides from which on their rows say something about all.
const TELLING_KEYS: u64 = 20;

/// What the first rows of both sides have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sample {
    pub rows: Sides<u64>,
    /// Pairs of equal rows, and of such in step that are near.
    pub cancelled: u64,
    /// Pairs of rows that are equal but for columns with a tolerance.
    pub alike: u64,
    /// Keys that both sides have.
    pub common_keys: u64,
}

impl Sample {
    /// Fingerprints pay where rows mostly agree but are far apart: then most would be exchanged only to cancel. Where rows are in step, few are
    /// left to exchange; where rows of one key mostly differ, in more than columns with a tolerance, all are needed whole. Of rows in any order some have their partner among the
    /// first ones by chance; too few of them tell nothing, and then it is taken that releases change few rows.
    pub fn form(&self) -> Form {
        let rows = self.rows.live.min(self.rows.shadow);
        let in_step = self.cancelled * 2 >= rows;
        let mostly_differ = self.common_keys >= TELLING_KEYS && self.alike * 2 < self.common_keys;
        if in_step || mostly_differ { Form::Rows } else { Form::Fingerprints }
    }
}

/// What a scan task reads: a piece of live and the piece of shadow most likely to hold the same rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScanTask {
    pub splits: Sides<Vec<Split>>,
}

impl ScanTask {
    /// How much there is to do.
    pub fn weight(&self) -> u64 {
        let splits = self.splits.live.iter().chain(&self.splits.shadow);
        splits.map(|split| split.weight).sum()
    }
}

/// The shards of what compare tasks leave for later stages: rows that are to be read again whole, by the number of their scan task, then keys of
/// which a side alone has rows left, a shard a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftShards {
    /// None where all rows were read whole.
    scans: u32,
}

impl LeftShards {
    /// `is_in_part`: rows were read in part.
    pub fn new(plan: &Plan, is_in_part: bool) -> Self {
        LeftShards {
            scans: if is_in_part { plan.scans.len() as u32 } else { 0 },
        }
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.scans + Side::BOTH.len() as u32
    }

    /// That of the keys of rows that this side alone has.
    pub fn keys(self, side: Side) -> u32 {
        self.scans + side as u32
    }

    /// Whether it has rows of a scan task.
    pub fn has_rows(self, shard: u32) -> bool {
        shard < self.scans
    }
}

/// How the columns of a side come out of its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SidePlan {
    /// The columns of the files (and of the paths) that are needed, as named there, and the type each is read as.
    pub read: Vec<ReadColumn>,
    /// The columns as compared, after renames and derives: what `where` and the rules see.
    pub columns: Vec<SideColumn>,
    /// Columns that only SQL reads: carried along with the rows, by name.
    pub carried: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadColumn {
    /// The name in the files.
    pub source: String,
    /// The name in the comparison.
    pub name: String,
    pub value_type: ValueType,
}

impl From<&ReadColumn> for SideColumn {
    fn from(column: &ReadColumn) -> Self {
        SideColumn {
            name: column.name.clone(),
            value_type: column.value_type.clone(),
        }
    }
}

/// How much there is to do, as the files tell before they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// Bytes of both sides as stored, and about how many when decoded.
    pub stored_bytes: u64,
    pub decoded_bytes: u64,
    /// The most that reading one piece of both sides at a time holds: a row group each, decompressed.
    pub reading_bytes: u64,
    /// Rows where the files tell.
    pub rows: Sides<Option<u64>>,
    /// To object stores: to list, look into and read the inputs once, as far as they lie there, and what the job itself keeps there.
    pub requests: Requests,
}

impl Estimate {
    /// Rows of both sides, where the files tell.
    pub fn all_rows(&self) -> Option<u64> {
        self.rows.live.zip(self.rows.shadow).map(|(live, shadow)| live + shadow)
    }

    /// About what a row takes in memory.
    pub fn row_bytes(&self) -> u64 {
        /// Of a narrow row, where no file tells.
        const UNKNOWN: u64 = 256;
        self.all_rows()
            .and_then(|rows| self.decoded_bytes.checked_div(rows))
            .unwrap_or(UNKNOWN)
    }
}

/// The whole plan of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub version: u32,
    pub spec: Spec,
    /// What the spec's file of acceptances held.
    pub accepted: Vec<Acceptance>,
    /// What live differs from itself by, where the spec names a second run.
    pub noise: Option<NoiseFacts>,
    pub as_of: Day,
    pub aligned: Aligned,
    pub sides: Sides<SidePlan>,
    /// Columns of rows whose values are stored with each difference: those that the output names, and where a result is kept for other rules
    /// those that its own rules read.
    pub kept: Vec<String>,
    pub pins: Sides<Vec<Pinned>>,
    pub scans: Vec<ScanTask>,
    pub shards: u32,
    /// A task that reads shards takes about this many bytes of rows: small shards are put together.
    pub part_bytes: u64,
    /// The form of the exchange, where it is not to be chosen.
    pub form: Option<Form>,
    pub estimate: Estimate,
    /// Whether the accounts of both sides are counted, though not listed.
    pub count_accounts: bool,
    pub secret: PlanSecret,
    pub warnings: Vec<Warning>,
}

/// What is to be said to whoever reads the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub text: String,
    pub origin: WarningOrigin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningOrigin {
    /// The spec alone, its rules and its thresholds: another spec that judges the result gives its own.
    Spec,
    /// The data and how they are compared.
    Data,
}

impl WarningOrigin {
    pub fn of(self, texts: impl IntoIterator<Item = String>) -> impl Iterator<Item = Warning> {
        texts.into_iter().map(move |text| Warning { text, origin: self })
    }
}

impl Plan {
    /// Rows carry columns that only SQL reads: equal rows may differ in them, so whoever cancels early could choose between them.
    pub fn carries(&self) -> bool {
        !self.sides.live.carried.is_empty() || !self.sides.shadow.carried.is_empty()
    }

    /// The place of a column in the rows of a side that are exchanged: the aligned columns, then the carried ones. A struct has none.
    pub fn row_place(&self, side: Side, name: &str) -> Option<usize> {
        let aligned = &self.aligned.columns;
        let leaf = aligned.iter().position(|c| c.name == name && c.role != Role::Presence);
        let carried = || self.sides[side].carried.iter().position(|carried| carried == name);
        leaf.or_else(|| carried().map(|at| aligned.len() + at))
    }

    pub fn warning_texts(&self) -> Vec<String> {
        self.warnings.iter().map(|warning| warning.text.clone()).collect()
    }

    /// The form of the exchange, where no look at the data has to decide it.
    pub fn known_form(&self) -> Option<Form> {
        if self.carries() || (self.form.is_none() && self.estimate.decoded_bytes < SAMPLE_FROM_BYTES) {
            Some(Form::Rows)
        } else {
            self.form
        }
    }
}

/// The plan's version; a stored plan of another version is refused.
pub const PLAN_VERSION: u32 = 10;

/// The secret does not show in debug output.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct PlanSecret(pub Secret);

impl std::fmt::Debug for PlanSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlanSecret(…)")
    }
}

impl PartialEq for PlanSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.0 == other.0.0
    }
}

/// Pairs the pieces of both sides by their place in the whole: lane `i` of `lanes` holds the same share of either side, in order.
pub fn pair_splits(splits: Sides<Vec<Split>>, lanes: usize) -> Vec<ScanTask> {
    let lanes = lanes.max(1);
    let mut tasks = vec![ScanTask::default(); lanes];
    for (side, list) in splits.each() {
        let total: u128 = list.iter().map(|s| u128::from(s.weight.max(1))).sum();
        let mut before: u128 = 0;
        for split in list {
            let weight = u128::from(split.weight.max(1));
            // The lane in which the split's middle falls.
            let lane = ((2 * before + weight) * lanes as u128 / (2 * total)).min(lanes as u128 - 1);
            let lane = &mut tasks[lane as usize].splits[side];
            if !lane.last_mut().is_some_and(|last| last.append(split)) {
                lane.push(split.clone());
            }
            before += weight;
        }
    }
    tasks.retain(|task| !task.splits.live.is_empty() || !task.splits.shadow.is_empty());
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(file: usize, weight: u64) -> Split {
        Split {
            file,
            part: FilePart::Whole,
            weight,
        }
    }

    #[test]
    fn every_split_has_exactly_one_lane_and_order_is_kept() {
        let live: Vec<Split> = (0..7).map(|i| split(i, 10)).collect();
        let shadow: Vec<Split> = (0..3).map(|i| split(i, 25)).collect();
        let tasks = pair_splits(Sides::new(live.clone(), shadow.clone()), 4);
        let gathered: Vec<Split> = tasks.iter().flat_map(|t| t.splits.live.clone()).collect();
        assert_eq!(gathered, live);
        assert_eq!(tasks.iter().map(|t| t.splits.shadow.len()).sum::<usize>(), 3);
        assert_eq!(tasks.len(), 4);
    }

    #[test]
    fn row_groups_that_follow_each_other_are_one_piece_of_a_lane() {
        let group = |file, at| Split {
            file,
            part: FilePart::RowGroups(at, at + 1),
            weight: 10,
        };
        let live: Vec<Split> = vec![group(0, 0), group(0, 1), group(0, 2), group(1, 0)];
        let tasks = pair_splits(Sides::new(live, vec![]), 2);
        let pieces = |task: &ScanTask| task.splits.live.iter().map(|s| (s.file, s.part, s.weight)).collect::<Vec<_>>();
        let groups = FilePart::RowGroups;
        assert_eq!(pieces(&tasks[0]), [(0, groups(0, 2), 20)]);
        assert_eq!(pieces(&tasks[1]), [(0, groups(2, 3), 10), (1, groups(0, 1), 10)]);
    }

    #[test]
    fn ranges_of_text_that_follow_each_other_are_one_piece() {
        let range = |from, to, rows_before| {
            FilePart::Text(TextRange {
                from,
                to,
                lines_before: rows_before + 1,
                rows_before,
            })
        };
        let split = |file, part| Split { file, part, weight: 10 };
        let mut first = split(0, range(3, 100, 0));
        assert!(first.append(&split(0, range(100, 170, 10))));
        assert_eq!((first.part, first.weight), (range(3, 170, 0), 20));
        assert!(!first.append(&split(1, range(170, 180, 20))));
        assert!(!first.append(&split(0, range(171, 180, 20))));
        assert!(!first.append(&split(0, FilePart::RowGroups(0, 1))));
    }

    #[test]
    fn fingerprints_are_for_rows_that_are_out_of_step() {
        let form_of = |live, shadow, cancelled, alike, common_keys| {
            Sample {
                rows: Sides::new(live, shadow),
                cancelled,
                alike,
                common_keys,
            }
            .form()
        };
        let form = |live, shadow, cancelled, common_keys| form_of(live, shadow, cancelled, cancelled, common_keys);
        assert_eq!(form(100, 100, 99, 99), Form::Rows, "in step");
        assert_eq!(form(100, 100, 0, 98), Form::Rows, "all rows differ");
        assert_eq!(form(100, 100, 2, 3), Form::Fingerprints, "in any order, and few have met");
        assert_eq!(form(100, 100, 29, 30), Form::Fingerprints, "in any order, equal");
        assert_eq!(form(100, 100, 1, 30), Form::Rows, "in any order, all differ");
        assert_eq!(form(100, 0, 0, 0), Form::Rows, "one side is empty");
        assert_eq!(
            form_of(100, 100, 0, 99, 99),
            Form::Fingerprints,
            "in step, but for a column with a tolerance"
        );
    }

    #[test]
    fn one_side_may_be_empty() {
        let tasks = pair_splits(Sides::new(vec![split(0, 0)], vec![]), 4);
        assert_eq!(tasks.len(), 1);
    }
}
