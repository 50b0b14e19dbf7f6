//! Draws few rows of a scan that exchanges fingerprints, to learn in which columns those differ that are left: of the others nothing needs to be
//! read again.

use crate::aligned_rows::Read;
use crate::job::Job;
use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_select::take::take;
use shadowdiff_common::read::Format;
use shadowdiff_core::drawn::{Draw, DrawnRows};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Form;
use shadowdiff_core::side::Side;

/// The rows that a scan task draws.
pub(crate) struct Drawing<'a> {
    job: &'a Job,
    draw: Draw,
    /// The aligned columns besides the key.
    columns: Vec<usize>,
    rows: DrawnRows,
}

/// Rows that are drawn of some that follow each other.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Their places, and 64 bits of the fingerprints of their keys.
    rows: Vec<(u32, u64)>,
    /// A hash a column, row by row.
    hashes: Vec<u8>,
}

impl<'a> Drawing<'a> {
    /// `None` where all rows are needed whole, or it takes no less to read some columns of them.
    pub(crate) fn new(job: &'a Job, form: Form) -> Option<Self> {
        let limits = &job.resources.limits;
        let is_apart = |side: Side| limits.draws_of_all_formats || job.resources.datasets[side].format == Format::Parquet;
        let may_help = form == Form::Fingerprints && !job.compiled.reads_whole_rows(&job.plan);
        (may_help && Side::BOTH.into_iter().all(is_apart)).then(|| Drawing {
            job,
            draw: Draw::of(&job.plan, limits.drawn_cells),
            columns: job.plan.aligned.values(),
            rows: DrawnRows::default(),
        })
    }

    /// Draws of rows that are here whole.
    pub(crate) fn see(&mut self, side: Side, read: &Read) -> Result<()> {
        let mut draft = Draft::default();
        self.draw(side, &mut draft, 0, read.keys(self.job));
        for at in self.columns.clone() {
            self.fill(&mut draft, 0, at, &read.columns[at])?;
        }
        self.push(side, draft);
        Ok(())
    }

    /// Draws rows by the fingerprints of their keys; the first has this place, behind those that were drawn of before.
    pub(crate) fn draw(&self, side: Side, draft: &mut Draft, first: usize, keys: &[u128]) {
        let room = self
            .draw
            .most_rows()
            .saturating_sub(self.rows.count(side, self.columns.len()) + draft.rows.len());
        let drawn = (first as u32..)
            .zip(keys)
            .filter_map(|(row, key)| Some((row, self.draw.draws(*key)?)));
        draft.rows.extend(drawn.take(room));
        draft.hashes.resize(draft.rows.len() * self.columns.len(), 0);
    }

    /// Adds what an aligned column has in some of the rows, of which the first has this place.
    pub(crate) fn fill(&self, draft: &mut Draft, first: usize, column: usize, array: &ArrayRef) -> Result<()> {
        let from = draft.rows.partition_point(|row| (row.0 as usize) < first);
        let to = draft.rows.partition_point(|row| (row.0 as usize) < first + array.len());
        let Some(place) = self.columns.binary_search(&column).ok().filter(|_| from < to) else {
            return Ok(());
        };
        let rows = UInt32Array::from_iter_values(draft.rows[from..to].iter().map(|row| row.0 - first as u32));
        let values = take(array.as_ref(), &rows, None).map_err(|e| Error::internal(format!("drawn rows: {e}")))?;
        let hashes = self.job.compiled.row_hasher.hash_column(column, &values);
        for (row, hash) in (from..to).zip(hashes) {
            draft.hashes[row * self.columns.len() + place] = short_hash(draft.rows[row].1, hash);
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, side: Side, draft: Draft) {
        let width = self.columns.len();
        for (row, (_, key)) in draft.rows.iter().enumerate() {
            self.rows.push(side, *key, &draft.hashes[row * width..(row + 1) * width]);
        }
    }

    pub(crate) fn finish(self) -> DrawnRows {
        self.rows
    }
}

/// 8 bits that depend on the key too: two values that share them do so in one row, not in all.
fn short_hash(key: u64, hash: u128) -> u8 {
    /// Odd, and its bits without order: the fractional part of the golden ratio, in 64 bits.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    ((key ^ hash as u64).wrapping_mul(SPREAD) >> 56) as u8
}
