//! Compares the cells of row pairs, a chunk at a time, column by column.

use crate::job::Job;
use crate::rows::{KeyPair, Unmatched, scopes, take_optional};
use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;
use shadowdiff_common::compiled::{BoundColumn, sql_arrays};
use shadowdiff_core::align::{Aligned, Role};
use shadowdiff_core::compare::{CellPairs, unequal};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::row::canon;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::DifferenceKind;
use shadowdiff_core::tolerance_use::ToleranceUse;
use shadowdiff_core::value::value_at;
use std::collections::BTreeMap;

/// Rows of both sides, one a key, side by side: a row that a side lacks is all NULL there.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The columns of the exchanged rows, without the fingerprint.
    pub(crate) arrays: Sides<Vec<ArrayRef>>,
    /// How many rows of the side stand behind each row; 0 where the side lacks it.
    counts: Sides<Vec<u64>>,
    /// A list a rule with `accounts.where`: whether it is true for all rows of the side behind each row.
    in_scope: Sides<Vec<Vec<bool>>>,
    /// The side of the old value, a row each.
    pub(crate) baseline: Vec<Side>,
    /// What the counts come to: of one and one the cells are compared, of others none is looked at.
    pub(crate) kinds: Vec<DifferenceKind>,
}

/// How much of its tolerance each column's cells use, by the number of the column.
pub(crate) type ToleranceUses = BTreeMap<usize, ToleranceUse>;

/// Which cells differ.
#[derive(Debug)]
pub(crate) struct Cells {
    /// By column; `None` where no cell differs.
    pub(crate) differs: Vec<Option<BooleanBuffer>>,
    pub(crate) not_json: BTreeMap<usize, u64>,
    /// Of the cells that are near, by column.
    pub(crate) tolerance_use: ToleranceUses,
}

impl Cells {
    /// Rows with at least one differing cell.
    pub(crate) fn rows(&self, rows: usize) -> BooleanBuffer {
        self.differs
            .iter()
            .flatten()
            .fold(BooleanBuffer::new_unset(rows), |any, column| &any | column)
    }
}

impl Chunk {
    /// Rows that are joined, out of what is left of each side.
    pub(crate) fn of_joined(job: &Job, left: &Sides<Unmatched>, joined: &[KeyPair]) -> Result<Self> {
        let rows = Sides::new(
            joined.iter().map(|pair| pair.live).collect::<Vec<_>>(),
            joined.iter().map(|pair| pair.shadow).collect(),
        );
        let of = |side: Side, list: &Vec<bool>| rows[side].iter().map(|row| row.is_some_and(|row| list[row as usize])).collect();
        Ok(Chunk::new(
            job,
            Sides::try_from_fn(|side| take_optional(job, &left[side].batch, rows[side].iter().copied()))?,
            Sides::from_fn(|side| {
                let count = |row: &Option<u32>| row.map_or(0, |row| left[side].counts[row as usize]);
                rows[side].iter().map(count).collect()
            }),
            Sides::from_fn(|side| left[side].in_scope.iter().map(|list| of(side, list)).collect()),
        ))
    }

    /// Pairs of rows that have their key alone, a column an array on either side.
    pub(crate) fn of_pairs(job: &Job, arrays: Sides<Vec<ArrayRef>>, rows: usize) -> Result<Self> {
        let in_scope = Sides::try_from_fn(|side| scopes(job, side, &arrays[side], rows))?;
        let counts = Sides::from_fn(|_| vec![1; rows]);
        Ok(Chunk::new(job, arrays, counts, in_scope))
    }

    fn new(job: &Job, arrays: Sides<Vec<ArrayRef>>, counts: Sides<Vec<u64>>, in_scope: Sides<Vec<Vec<bool>>>) -> Self {
        let kinds = counts.live.iter().zip(&counts.shadow).map(|(live, shadow)| kind_of(*live, *shadow));
        let mut chunk = Chunk {
            kinds: kinds.collect(),
            arrays,
            counts,
            in_scope,
            baseline: Vec::new(),
        };
        chunk.baseline = job.compiled.baselines(chunk.rows(), |row| chunk.account(&job.plan.aligned, row));
        chunk
    }

    pub(crate) fn rows(&self) -> usize {
        self.kinds.len()
    }

    /// How many rows of a side stand behind a row.
    pub(crate) fn rows_of(&self, side: Side, row: usize) -> u64 {
        self.counts[side][row]
    }

    /// The side whose row is there; live if both are.
    pub(crate) fn side_of(&self, row: usize) -> Side {
        match self.rows_of(Side::Live, row) {
            0 => Side::Shadow,
            _ => Side::Live,
        }
    }

    /// `accounts.where` of this place on the baseline row, or the only one; for duplicates on all rows of both sides.
    pub(crate) fn is_in_scope(&self, place: usize, row: usize) -> bool {
        let of = |side: Side| (self.rows_of(side, row) > 0).then(|| self.in_scope[side][place][row]);
        if self.kinds[row] == DifferenceKind::DuplicateKey {
            return of(Side::Live).unwrap_or(true) && of(Side::Shadow).unwrap_or(true);
        }
        let baseline = self.baseline[row];
        of(baseline).or_else(|| of(baseline.other())).unwrap_or(false)
    }

    /// Canonical bytes of a row's account.
    pub(crate) fn account(&self, aligned: &Aligned, row: usize) -> Vec<u8> {
        let arrays = &self.arrays[self.side_of(row)];
        let mut bytes = Vec::new();
        for column in aligned.account() {
            canon(&value_at(arrays[*column].as_ref(), row), &mut bytes);
        }
        bytes
    }

    /// What SQL over a pair sees: a rule's, of a cell or of the row alone.
    pub(crate) fn sql_arrays(&self, column: Option<usize>) -> Vec<ArrayRef> {
        let none = arrow_array::new_null_array(&arrow_schema::DataType::Null, self.rows());
        let cell = |side: Side| column.map_or(&none, |at| &self.arrays[side][at]);
        sql_arrays(&self.cells(cell(Side::Live), cell(Side::Shadow)))
    }

    fn cells<'c>(&'c self, live: &'c ArrayRef, shadow: &'c ArrayRef) -> CellPairs<'c> {
        CellPairs {
            live,
            shadow,
            baseline: &self.baseline,
            rows: &self.arrays,
        }
    }

    /// The rows of a kind.
    pub(crate) fn of_kind(&self, is_kind: impl Fn(DifferenceKind) -> bool) -> BooleanBuffer {
        BooleanBuffer::collect_bool(self.kinds.len(), |row| is_kind(self.kinds[row]))
    }

    /// Compares all cells of the pairs; rows that only one side has never differ here, nor do the rows of a duplicate key, which no
    /// comparator may see: which of them stand first is the layout's doing.
    pub(crate) fn compare(&self, columns: &[BoundColumn]) -> Result<Cells> {
        let both = BooleanBuffer::collect_bool(self.rows(), |row| Side::BOTH.iter().all(|side| self.rows_of(*side, row) > 0));
        let pairs = self.of_kind(|kind| kind == DifferenceKind::Changed);
        let mut cells = Cells {
            differs: vec![None; columns.len()],
            not_json: BTreeMap::new(),
            tolerance_use: ToleranceUses::new(),
        };
        for (at, BoundColumn { column, comparator }) in columns.iter().enumerate() {
            let (live, shadow) = (&self.arrays.live[at], &self.arrays.shadow[at]);
            let unequal = unequal(column, live, shadow);
            if column.role == Role::Key {
                if (&unequal & &both).count_set_bits() > 0 {
                    return Err(Error::internal(format!("two keys of one fingerprint differ in `{}`", column.name)).advice("run again"));
                }
                continue;
            }
            let mut unequal = &unequal & &pairs;
            for parent in &column.parents {
                // A struct that one side lacks is one line under its own name.
                if let Some(absent) = &cells.differs[*parent] {
                    unequal = &unequal & &!absent;
                }
            }
            if unequal.count_set_bits() > 0 {
                let found = comparator.near(&self.cells(live, shadow), &unequal)?;
                if found.not_json > 0 {
                    cells.not_json.insert(at, found.not_json);
                }
                let near = &unequal & &found.near;
                if near.count_set_bits() > 0 {
                    cells
                        .tolerance_use
                        .insert(at, comparator.tolerance_use(&self.cells(live, shadow), &near));
                }
                let differs = &unequal & &!&found.near;
                cells.differs[at] = (differs.count_set_bits() > 0).then_some(differs);
            }
        }
        Ok(cells)
    }
}

/// One and one are compared; one and none are missing; anything else is a duplicate key.
fn kind_of(live: u64, shadow: u64) -> DifferenceKind {
    match (live, shadow) {
        (1, 1) => DifferenceKind::Changed,
        (1, 0) => DifferenceKind::MissingInShadow,
        (0, 1) => DifferenceKind::MissingInLive,
        (_, _) => DifferenceKind::DuplicateKey,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{cancel, join};
    use crate::testing::{Setup, SmallJob};
    use std::sync::Arc;

    /// What was found of the rows of a job, which are few enough for one chunk: kinds and differing columns by key, and what is not JSON.
    fn found(small: &SmallJob) -> (Vec<String>, Vec<(usize, u64)>) {
        let (left, _) = cancel(&small.job, &small.job.compiled.schemas, &Sides::from_fn(|side| small.rows(side))).expect("rows cancel");
        let joined = join(&small.job, &left, Arc::default()).expect("keys join");
        let chunk = Chunk::of_joined(&small.job, &left, &joined).expect("a chunk");
        let cells = chunk.compare(&small.job.compiled.columns).expect("cells are compared");
        let any = cells.rows(joined.len());
        let mut lines: Vec<String> = (0..joined.len())
            .map(|row| {
                let key = value_at(chunk.arrays[chunk.side_of(row)][0].as_ref(), row);
                let differs = |column: &usize| cells.differs[*column].as_ref().is_some_and(|differs| differs.value(row));
                let columns: Vec<String> = (0..small.job.compiled.columns.len())
                    .filter(differs)
                    .map(|column| small.job.compiled.columns[column].column.name.clone())
                    .collect();
                assert_eq!(any.value(row), !columns.is_empty());
                format!("{key:?} {} {}", chunk.kinds[row].name(), columns.join("+"))
            })
            .collect();
        lines.sort();
        (lines, cells.not_json.into_iter().collect())
    }

    #[test]
    fn cells_are_compared_where_one_row_meets_one() {
        let small = Setup {
            spec: "comparators:\n- {columns: [t], text: {trim: true}}\n",
            live: "id,t,v\na,1,x\nb, 1,x\nc,1,x\nd,1,x\nd,2,x\ne,1,x\nf,1,\n",
            shadow: "id,t,v\na,2,y\nb,1 ,y\nc,1 ,x\nd,3,y\ng,1,x\nf,1,z\n",
            ..Setup::default()
        }
        .job();
        let (lines, _) = found(&small);
        assert_eq!(
            lines,
            [
                "Text(\"a\") changed t+v",
                "Text(\"b\") changed v",
                "Text(\"c\") changed ",
                "Text(\"d\") duplicate_key ",
                "Text(\"e\") missing_in_shadow ",
                "Text(\"f\") changed v",
                "Text(\"g\") missing_in_live ",
            ]
        );
    }

    #[test]
    fn sql_is_asked_about_unequal_cells_alone() {
        // Of equal cells, and of rows without a partner, it would fail.
        let small = Setup {
            spec: "schema: {v: int64}\ncomparators:\n- {columns: [v], sql: \"10 / (live - shadow) > 4\"}\n",
            live: "id,v,w\na,5,1\nb,5,1\nc,5,1\nd,5,1\n",
            shadow: "id,v,w\na,5,2\nb,4,1\nc,1,1\ne,5,1\n",
            ..Setup::default()
        }
        .job();
        let (lines, _) = found(&small);
        assert_eq!(
            lines,
            [
                "Text(\"a\") changed w",
                "Text(\"b\") changed ",
                "Text(\"c\") changed v",
                "Text(\"d\") missing_in_shadow ",
                "Text(\"e\") missing_in_live ",
            ]
        );
    }

    #[test]
    fn a_tolerance_is_of_the_baseline_and_text_that_is_not_json_is_counted() {
        let spec = "schema: {v: double}\ncomparators:\n- {columns: [v], relative: 50%}\n- {columns: [j], json: true}\n";
        let found_from = |baseline: &str| {
            let small = Setup {
                spec: &format!("{spec}baseline: {baseline}\n"),
                live: "id,v,j\na,2,\"[1]\"\nb,3,\"[ 1 ]\"\nc,1,soon\n",
                shadow: "id,v,j\na,3,\"[1]\"\nb,2,\"[1]\"\nc,1,later\n",
                ..Setup::default()
            }
            .job();
            found(&small)
        };
        let (lines, not_json) = found_from("live");
        assert_eq!(lines, ["Text(\"a\") changed ", "Text(\"b\") changed ", "Text(\"c\") changed j"]);
        assert_eq!(not_json, [(2, 1)]);
        let small = Setup {
            spec: "schema: {v: double}\ncomparators:\n- {columns: [v], relative: 40%}\nbaseline: shadow\n",
            live: "id,v\na,2\nb,3\n",
            shadow: "id,v\na,3\nb,2\n",
            ..Setup::default()
        }
        .job();
        assert_eq!(found(&small).0, ["Text(\"a\") changed ", "Text(\"b\") changed v"]);
    }
}
