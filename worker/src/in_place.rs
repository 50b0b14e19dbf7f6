//! Judges pairs of rows of one key where they stand side by side: equal, near, or different.
//!
//! A near pair, one that differs within its tolerances, ends in place only if no other row has its key; that shows at the end of the scan
//! alone, by the keys of all rows that have not cancelled.

use crate::aligned_rows::{AlignedRows, filtered};
use crate::differing_pairs::{DifferingPairs, Written};
use crate::job::Job;
use crate::key_ranges::lie_apart;
use crate::pairs::ToleranceUses;
use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;
use shadowdiff_common::compiled::BoundColumn;
use shadowdiff_core::compare::{CellPairs, unequal};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::row::{JudgedInPlace, has_known_order};
use shadowdiff_core::side::{Side, Sides};

/// What pairs of rows have come to.
pub(crate) struct Pairs {
    pub(crate) equal: BooleanBuffer,
    /// Those that are not equal, but near in every column with a tolerance, and equal in all else.
    pub(crate) near: BooleanBuffer,
    /// Of the near ones: how much of their tolerances their cells use, by column.
    pub(crate) tolerance_use: ToleranceUses,
    /// The columns without a tolerance in which pairs are not equal.
    unequal_columns: Vec<usize>,
}

impl Pairs {
    /// Those that are done with.
    pub(crate) fn ended(&self) -> BooleanBuffer {
        &self.equal | &self.near
    }
}

/// What a scan task judges in place.
pub(crate) struct InPlace<'a> {
    job: &'a Job,
    /// Whether near pairs end in place, and rows may go on in part.
    pub(crate) judges: bool,
    judged: JudgedInPlace,
    /// Of the near pairs that have ended.
    pub(crate) tolerance_use: ToleranceUses,
    /// Where pairs that differ go, if they end in place.
    differing: Option<DifferingPairs<'a>>,
}

impl<'a> InPlace<'a> {
    /// `may_judge`: whether rows are looked at in their order, and near pairs were not judged wrongly before.
    pub(crate) fn new(job: &'a Job, may_judge: bool) -> Self {
        let has_known_order = has_known_order(&job.plan.aligned);
        let judges = may_judge && has_known_order;
        let mut in_place = InPlace {
            job,
            judges,
            judged: JudgedInPlace::default(),
            tolerance_use: ToleranceUses::new(),
            differing: None,
        };
        if !judges {
            in_place.stop_judging();
        }
        if !has_known_order {
            in_place.lose_equal_keys();
        }
        in_place
    }

    /// The same where pairs that differ end in place too, if it seems that no key comes twice.
    pub(crate) fn with_differing(self) -> Self {
        InPlace {
            differing: Some(DifferingPairs::new(self.job)),
            ..self
        }
    }

    /// Whether pairs have ended that may not have: their keys are not known to be there once, and all rows are scanned again.
    pub(crate) fn is_void(&self) -> bool {
        !self.judges && self.judged.has_judged()
    }

    /// Whether pairs that differ end in place, of rows whose keys ascend.
    pub(crate) fn ends_differing(&self) -> bool {
        self.judges && self.differing.as_ref().is_some_and(DifferingPairs::has_room) && lie_apart(self.job)
    }

    /// Compares pairs of rows of one key by some aligned columns; the others are equal.
    pub(crate) fn compare(&self, columns: &[usize], live: &[ArrayRef], shadow: &[ArrayRef], rows: usize) -> Result<Pairs> {
        let is_tolerant = |at: &usize| self.judges && self.job.compiled.row_hasher.tolerant().contains(at);
        let mut alike = BooleanBuffer::new_set(rows);
        let (mut tolerant, mut unequal_columns) = (Vec::new(), Vec::new());
        for ((at, live), shadow) in columns.iter().zip(live).zip(shadow) {
            if is_tolerant(at) {
                tolerant.push((*at, live, shadow));
                continue;
            }
            let unequal = unequal(&self.job.plan.aligned.columns[*at], live, shadow);
            if unequal.count_set_bits() > 0 {
                unequal_columns.push(*at);
                alike = &alike & &!&unequal;
            }
        }
        Ok(Pairs {
            unequal_columns,
            ..near_pairs(self.job, alike, &tolerant)?
        })
    }

    /// The near ones of these pairs have ended.
    pub(crate) fn add_near(&mut self, pairs: &Pairs) {
        self.judged.near += pairs.near.count_set_bits() as u64;
        for (column, used) in &pairs.tolerance_use {
            self.tolerance_use.entry(*column).or_default().merge(used);
        }
    }

    /// So many of these pairs differ, and have ended: their rows are pushed when their batches are done with.
    pub(crate) fn add_differing(&mut self, pairs: &Pairs, differing: u64) {
        if let Some(written) = &mut self.differing
            && differing > 0
        {
            written.add_columns(&pairs.unequal_columns);
            self.judged.differing += differing;
        }
    }

    /// Rows of a side that were added with their pairs.
    pub(crate) fn push_differing(&mut self, side: Side, rows: AlignedRows, differs: BooleanBuffer) -> Result<()> {
        match &mut self.differing {
            Some(written) => written.push(side, rows, differs),
            None => Err(Error::internal("pairs that differ end where nobody takes them")),
        }
    }

    /// So many rows of both sides go on in part.
    pub(crate) fn add_thin(&mut self, rows: u64) {
        self.judged.thin += rows;
    }

    /// Of rows of a side in their order, those that have not cancelled; `keys` are the key columns. Nothing more is judged once it is not
    /// sure that no key comes twice.
    pub(crate) fn see_keys(&mut self, side: Side, keys: &[&ArrayRef], chosen: &BooleanBuffer) -> Result<()> {
        if !self.judges || chosen.count_set_bits() == 0 {
            return Ok(());
        }
        let filtered = match chosen.count_set_bits() == chosen.len() {
            true => keys.iter().map(|key| ArrayRef::clone(key)).collect(),
            false => filtered(keys.iter().copied(), chosen)?,
        };
        if !self.judged.keys[side].add(&self.job.plan.aligned, &filtered.iter().collect::<Vec<_>>()) {
            self.stop_judging();
        }
        Ok(())
    }

    /// Of the next rows of a side, whatever becomes of them.
    pub(crate) fn see_all_keys(&mut self, side: Side, keys: &[&ArrayRef]) {
        self.judged.all_keys[side].add(&self.job.plan.aligned, keys);
    }

    /// It is not known of the rows that have not cancelled that no key comes twice. It may still be known of all rows of a side.
    pub(crate) fn stop_judging(&mut self) {
        self.judges = false;
        Side::BOTH.iter().for_each(|side| self.judged.keys[*side].add_unknown());
    }

    /// Rows cancel or go on whose keys are not seen.
    pub(crate) fn lose_equal_keys(&mut self) {
        Side::BOTH.iter().for_each(|side| self.judged.all_keys[*side].add_unknown());
    }

    pub(crate) fn finish(mut self) -> Result<(JudgedInPlace, Written)> {
        for side in Side::BOTH {
            self.judged.keys[side].join_neighbours();
            self.judged.all_keys[side].join_neighbours();
        }
        let written = match self.is_void() {
            true => None,
            false => self.differing.map(DifferingPairs::finish).transpose()?,
        };
        Ok((self.judged, written.unwrap_or_default()))
    }
}

/// Of pairs that may be `alike` in all other columns: which are equal in these too, and which near. Columns by their numbers.
pub(crate) fn near_pairs(job: &Job, alike: BooleanBuffer, tolerant: &[(usize, &ArrayRef, &ArrayRef)]) -> Result<Pairs> {
    let (mut equal, mut near) = (alike.clone(), alike);
    let baseline = vec![job.plan.spec.baseline.default; if tolerant.is_empty() { 0 } else { equal.len() }];
    let rows = Sides::default();
    let cells = |live, shadow| CellPairs {
        live,
        shadow,
        baseline: &baseline,
        rows: &rows,
    };
    let mut differing = Vec::new();
    for (at, live, shadow) in tolerant {
        let BoundColumn { column, comparator, .. } = &job.compiled.columns[*at];
        let unequal = &unequal(column, live, shadow) & &near;
        if unequal.count_set_bits() == 0 {
            continue;
        }
        equal = without(equal, &unequal);
        let found = comparator.near(&cells(live, shadow), &unequal)?;
        near = &near & &(&!&unequal | &found.near);
        differing.push((*at, *live, *shadow, unequal));
    }
    let near = without(near, &equal);
    let mut tolerance_use = ToleranceUses::new();
    // Cells of other rows are counted where those are compared.
    if near.count_set_bits() > 0 {
        for (at, live, shadow, unequal) in differing {
            let (comparator, found) = (&job.compiled.columns[at].comparator, &unequal & &near);
            // What it comes to must not depend on where rows are compared: a column without such cells is not told of.
            if found.count_set_bits() > 0 {
                tolerance_use.insert(at, comparator.tolerance_use(&cells(live, shadow), &found));
            }
        }
    }
    Ok(Pairs {
        equal,
        near,
        tolerance_use,
        unequal_columns: Vec::new(),
    })
}

/// The bits without those that are set in `others`.
pub(crate) fn without(bits: BooleanBuffer, others: &BooleanBuffer) -> BooleanBuffer {
    match others.count_set_bits() {
        0 => bits,
        _ => &bits & &!others,
    }
}
