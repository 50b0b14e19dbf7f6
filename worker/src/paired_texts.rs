//! Parts of text files in pairs: rows that are written the same on both sides cancel before their fields are looked at.
//!
//! ```text
//! live     1,a,0.5   2,b,0.7   3,c,0.1        of what is the same the key alone is read, on one side
//! shadow   1,a,0.5   2,b,0.8   3,c,0.1        the row of key 2 goes the way of all rows
//! ```
//! The same bytes are the same row where both sides are written and read alike. It only ever saves work.

use crate::in_place::InPlace;
use crate::job::Job;
use crate::side::{EndedRows, PairedPart, Purpose, SideReader};
use arrow_array::ArrayRef;
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;
use shadowdiff_common::read::{Form, Format, PartRows, TextPart, same_rows};
use shadowdiff_core::align::Column;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{FilePart, ReadColumn, ScanTask, Split};
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::ListedAccounts;
use shadowdiff_core::value::ValueType;

/// The text files of a scan task, side by side.
pub(crate) struct PairedTexts<'a> {
    job: &'a Job,
    pub(crate) splits: Sides<Vec<Split>>,
    /// How many pairs have been looked at.
    looked_at: usize,
    /// The aligned columns of the key, and how many they are; behind them those whose values were not looked at when types were found: what is
    /// wrong with one is to be told.
    read: Vec<usize>,
    keys: usize,
}

impl<'a> PairedTexts<'a> {
    /// `None` where the same bytes need not be the same row, or more is asked of rows than that.
    pub(crate) fn new(job: &'a Job, task: &ScanTask) -> Option<Self> {
        let plan = &job.plan;
        let format = job.resources.datasets.live.format;
        let is_text = format.form() != Form::Typed && job.resources.datasets.shadow.format == format;
        let csv = Sides::from_fn(|side| &plan.spec.sides[side].csv);
        let is_whole = Side::BOTH.iter().all(|side| job.compiled.filters[*side].is_none());
        // Accounts are counted as rows are read; equal rows may differ in columns that only SQL reads.
        let needs_rows = plan.count_accounts || plan.spec.output.accounts == ListedAccounts::All || plan.carries();
        if !is_text || csv.live != csv.shadow || !is_whole || needs_rows || job.resources.disabled.same_chunk {
            return None;
        }
        let reads: Vec<&ReadColumn> = plan
            .aligned
            .columns
            .iter()
            .map(|column| read_alike(job, column))
            .collect::<Option<_>>()?;
        let declared = (0..reads.len()).filter(|at| !plan.aligned.key.contains(at) && is_declared(job, reads[*at]));
        Some(PairedTexts {
            job,
            splits: task.splits.clone(),
            looked_at: 0,
            read: plan.aligned.key.iter().copied().chain(declared).collect(),
            keys: plan.aligned.key.len(),
        })
    }

    /// Which rows of the pair of this number are the same, the first time that it is asked for. `None`: of no use.
    pub(crate) fn ended(&mut self, number: usize, in_place: &mut InPlace<'_>) -> Result<Option<PairedPart>> {
        if number < self.looked_at {
            return Ok(None);
        }
        self.looked_at = number + 1;
        let (Some(live), Some(shadow)) = (self.splits.live.get(number), self.splits.shadow.get(number)) else {
            return Ok(None);
        };
        let (FilePart::Text(live_range), FilePart::Text(shadow_range)) = (&live.part, &shadow.part) else {
            return Ok(None);
        };
        let _spent = self.job.meter.enter(Rung::SameChunk, Work::Compare);
        let resources = &self.job.resources;
        let part = |side: Side, split: &Split, range| TextPart {
            file: &resources.datasets[side].files[split.file],
            range,
        };
        let parts = Sides::new(part(Side::Live, live, live_range), part(Side::Shadow, shadow, shadow_range));
        let csv = &self.job.plan.spec.sides.live.csv;
        // What cannot be read is told where the rows are read whole.
        let Ok(Some(rows)) = same_rows(resources.datasets.live.format, csv, parts, &self.job.sources()) else {
            return Ok(None);
        };
        let splits = Sides::new(live, shadow);
        let (Ok(keys), Ok(left)) = (self.keys(Side::Live, splits.live, None), self.left_keys(&splits, &rows, in_place)) else {
            return Ok(None);
        };
        self.see(&rows, &keys, &left, in_place)
    }

    /// The keys of the rows of shadow that are left; none where nobody asks for them.
    fn left_keys(&self, splits: &Sides<&Split>, rows: &Sides<PartRows>, in_place: &InPlace<'_>) -> Result<Vec<ArrayRef>> {
        match in_place.judges {
            true => self.keys(Side::Shadow, splits.shadow, Some(&rows.shadow)),
            false => Ok(Vec::new()),
        }
    }

    /// The columns of the key of all rows of a split, or of those that are left; none where there is no row.
    fn keys(&self, side: Side, split: &Split, rows: Option<&PartRows>) -> Result<Vec<ArrayRef>> {
        let mut reader = SideReader::new(self.job, side, std::slice::from_ref(split), Purpose::Columns(self.read.clone()));
        if let Some(rows) = rows {
            reader.set_ended(0, ended(rows, false));
        }
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); self.keys];
        while let Some(arrays) = reader.next_columns()? {
            parts.iter_mut().zip(arrays).for_each(|(parts, array)| parts.push(array));
        }
        let joined = parts.iter().filter(|parts| !parts.is_empty()).map(|parts| {
            let parts: Vec<&dyn arrow_array::Array> = parts.iter().map(AsRef::as_ref).collect();
            concat(&parts).map_err(|e| Error::internal(format!("rows that are written the same: {e}")))
        });
        joined.collect()
    }

    /// Takes in the keys of all rows. `None`: they are not as many as there are rows.
    fn see(&self, rows: &Sides<PartRows>, keys: &[ArrayRef], left: &[ArrayRef], in_place: &mut InPlace<'_>) -> Result<Option<PairedPart>> {
        let count = |arrays: &[ArrayRef]| arrays.first().map_or(0, |array| array.len());
        let equal = rows.live.same.count_set_bits();
        let is_complete = count(keys) == rows.live.same.len() && equal == rows.shadow.same.count_set_bits();
        let has_seen_keys = in_place.judges;
        let are_left = !has_seen_keys || count(left) == rows.shadow.same.len() - equal;
        if !is_complete || !are_left {
            return Ok(None);
        }
        if has_seen_keys {
            let of_shadow = shadow_keys(rows, keys, left)?;
            for (side, keys) in [(Side::Live, keys), (Side::Shadow, &of_shadow)] {
                let keys: Vec<&ArrayRef> = keys.iter().collect();
                in_place.see_all_keys(side, &keys);
                in_place.see_keys(side, &keys, &!&rows[side].same)?;
            }
        } else {
            in_place.lose_equal_keys();
        }
        Ok(Some(PairedPart {
            equal: equal as u64,
            rung: Rung::SameChunk,
            rows: Sides::from_fn(|side| ended(&rows[side], has_seen_keys)),
        }))
    }
}

fn ended(rows: &PartRows, has_seen_keys: bool) -> EndedRows {
    EndedRows {
        rows: rows.same.clone(),
        has_seen_keys,
        columns: None,
        left: Some(rows.left.clone()),
    }
}

/// The keys of all rows of shadow, in their order: those of live where the rows are the same.
fn shadow_keys(rows: &Sides<PartRows>, keys: &[ArrayRef], left: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let mut same = rows.live.same.set_indices();
    let mut next_left = 0..;
    let places: Option<Vec<(usize, usize)>> = rows
        .shadow
        .same
        .iter()
        .map(|is_same| match is_same {
            true => Some((0, same.next()?)),
            false => Some((1, next_left.next()?)),
        })
        .collect();
    let places = places.ok_or_else(|| Error::internal("rows that are the same have no partner"))?;
    let of_column = |(at, live): (usize, &ArrayRef)| {
        let arrays = [Some(live), left.get(at)];
        let arrays: Vec<&dyn arrow_array::Array> = arrays.into_iter().flatten().map(AsRef::as_ref).collect();
        interleave(&arrays, &places).map_err(|e| Error::internal(format!("rows that are written the same: {e}")))
    };
    keys.iter().enumerate().map(of_column).collect()
}

/// How an aligned column is read, if it is as it is read, and read alike on both sides.
fn read_alike<'a>(job: &'a Job, column: &Column) -> Option<&'a ReadColumn> {
    let of = |side: Side| {
        let plan = &job.plan.sides[side];
        let at = plan.columns.iter().position(|known| known.name == column.path[0])?;
        let read = plan.read.iter().find(|read| read.name == column.path[0])?;
        job.compiled.derives[side][at].is_none().then_some(read)
    };
    let (live, shadow) = (of(Side::Live)?, of(Side::Shadow)?);
    let is_alike = live.source == shadow.source && live.value_type == shadow.value_type && column.stored.live == column.stored.shadow;
    is_alike.then_some(live)
}

/// Whether the spec says the type of a column, and a value may be none of it: of CSV all are text, of JSON a list is none.
fn is_declared(job: &Job, read: &ReadColumn) -> bool {
    let spec = &job.plan.spec;
    let is_csv = job.resources.datasets.live.format == Format::Csv;
    let is_named = |side: Side| {
        let by_name = spec.columns.cast[side].iter().any(|(name, _)| *name == read.name);
        by_name || spec.sides[side].schema.iter().any(|(name, _)| *name == read.source)
    };
    !(is_csv && read.value_type == ValueType::Text) && Side::BOTH.into_iter().any(is_named)
}
