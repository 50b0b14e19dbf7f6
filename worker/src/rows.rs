//! Rows of one shard, or of a part of one: cancelled as multisets, reduced to one row a key with its count, joined by key.

use crate::exchanged::{ExchangedRows, fingerprints};
use crate::fingerprints::ByFingerprint;
use crate::job::Job;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use datafusion_common::{DataFusionError, JoinType, NullEquality};
use datafusion_execution::TaskContext;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion_physical_plan::memory::MemoryStream;
use datafusion_physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion_physical_plan::{ExecutionPlan, SendableRecordBatchStream, collect};
use shadowdiff_common::exchange::{SelectedRows, take_rows};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::row::canon;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::value::value_at;
use std::sync::Arc;

/// What is left of one side after cancelling: one row a key, with how many rows that key has.
#[derive(Debug)]
pub(crate) struct Unmatched {
    pub(crate) batch: RecordBatch,
    pub(crate) keys: Vec<u128>,
    pub(crate) counts: Vec<u64>,
    /// A list a rule with `accounts.where`: whether it is true for all rows of the key.
    pub(crate) in_scope: Vec<Vec<bool>>,
}

/// Rows of a key, joined: the row of each side that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyPair {
    pub(crate) live: Option<u32>,
    pub(crate) shadow: Option<u32>,
}

impl KeyPair {
    pub(crate) fn of(self, side: Side) -> Option<u32> {
        match side {
            Side::Live => self.live,
            Side::Shadow => self.shadow,
        }
    }
}

/// Cancels equal rows of these schemas one to one and reduces what is left. Gives the number of cancelled pairs too.
pub(crate) fn cancel(job: &Job, schemas: &Sides<SchemaRef>, rows: &Sides<Vec<SelectedRows>>) -> Result<(Sides<Unmatched>, u64)> {
    let mut diff = MultisetDiff::default();
    let counts = Sides::from_fn(|side| rows[side].iter().map(SelectedRows::len).sum::<usize>());
    diff.reserve(counts.live.max(counts.shadow));
    for (side, list) in rows.each() {
        list.iter().flat_map(fingerprints).for_each(|f| diff.add(side, f));
    }
    let mut left_rows = Sides::new(0, 0);
    let left = Sides::try_from_fn(|side| {
        let kept = keep_excess(job, side, &schemas[side], &rows[side], &mut diff)?;
        left_rows[side] = kept.num_rows();
        reduce(job, side, kept, None)
    })?;
    let cancelled = (counts.live - left_rows.live) as u64;
    if counts.live - left_rows.live != counts.shadow - left_rows.shadow {
        return Err(Error::internal("compare: cancelled rows do not balance"));
    }
    Ok((left, cancelled))
}

/// The rows of a side that the other side has no partner for.
fn keep_excess(job: &Job, side: Side, schema: &SchemaRef, rows: &[SelectedRows], diff: &mut MultisetDiff) -> Result<RecordBatch> {
    if job.plan.carries() {
        // Equal rows may differ in the columns that only SQL reads: which of them stay is decided by those, not by the layout.
        let batches: Vec<RecordBatch> = rows.iter().map(SelectedRows::to_batch).collect::<Result<_>>()?;
        let all = SelectedRows::all(concat(schema, &batches)?);
        let mut order: Vec<(Vec<u8>, u128, u32)> = fingerprints(&all)
            .zip(0..)
            .map(|(print, row)| (carried_bytes(job, all.batch(), row as usize), print, row))
            .collect();
        order.sort_unstable_by(|a, b| (&a.0, a.2).cmp(&(&b.0, b.2)));
        let chosen: Vec<u32> = order
            .into_iter()
            .filter(|(_, print, _)| diff.take(side, *print))
            .map(|(_, _, row)| row)
            .collect();
        return take_rows(all.batch(), &chosen);
    }
    let mut kept = Vec::new();
    for list in rows {
        let chosen: Vec<u32> = fingerprints(list)
            .zip(list.rows())
            .filter(|(f, _)| diff.take(side, *f))
            .map(|(_, row)| row)
            .collect();
        match chosen.len() {
            0 => {}
            n if n == list.batch().num_rows() => kept.push(list.batch().clone()),
            _ => kept.push(take_rows(list.batch(), &chosen)?),
        }
    }
    concat(schema, &kept)
}

/// Rows of each fingerprint: those of live less those of shadow.
#[derive(Debug, Default)]
pub(crate) struct MultisetDiff(ByFingerprint<i64>);

impl MultisetDiff {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.0.reserve(rows);
    }

    pub(crate) fn add(&mut self, side: Side, fingerprint: u128) {
        *self.0.entry(fingerprint).or_insert(0) += sign(side);
    }

    /// Forgets what is balanced: of few that are left, `take` finds the rows sooner.
    pub(crate) fn keep_excess(&mut self) {
        self.0.retain(|_, excess| *excess != 0);
    }

    /// Forgets all rows, and keeps its room for others.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes one row of a side that has more of them than the other, if it is so.
    pub(crate) fn take(&mut self, side: Side, fingerprint: u128) -> bool {
        match self.0.get_mut(&fingerprint) {
            Some(excess) if *excess * sign(side) > 0 => {
                *excess -= sign(side);
                true
            }
            Some(_) | None => false,
        }
    }
}

fn sign(side: Side) -> i64 {
    match side {
        Side::Live => 1,
        Side::Shadow => -1,
    }
}

fn carried_bytes(job: &Job, batch: &RecordBatch, row: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for column in ExchangedRows::new(batch, &job.plan).carried() {
        canon(&value_at(column.as_ref(), row), &mut bytes);
    }
    bytes
}

fn concat(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch> {
    match batches {
        [one] => Ok(one.clone()),
        _ => concat_batches(schema, batches)
            .map_err(|e| Error::new(Kind::Exhausted, format!("compare: rows of one part do not fit one batch: {e}"))),
    }
}

/// One row a key. `counts` and scope of rows that were reduced before come with `before`.
fn reduce(job: &Job, side: Side, all: RecordBatch, before: Option<(Vec<u64>, Vec<Vec<bool>>)>) -> Result<Unmatched> {
    let keys = job.key_fingerprints(&all);
    let (row_counts, row_scope) = match before {
        Some(known) => known,
        None => {
            let columns = ExchangedRows::new(&all, &job.plan).readable();
            (vec![1; keys.len()], scopes(job, side, columns, keys.len())?)
        }
    };
    let mut first: ByFingerprint<u32> = ByFingerprint::default();
    first.reserve(keys.len());
    let mut rows: Vec<u32> = Vec::with_capacity(keys.len());
    let mut counts: Vec<u64> = Vec::with_capacity(keys.len());
    let mut in_scope: Vec<Vec<bool>> = vec![Vec::new(); row_scope.len()];
    for (row, key) in keys.iter().enumerate() {
        let group = *first.entry(*key).or_insert(rows.len() as u32) as usize;
        if group == rows.len() {
            rows.push(row as u32);
            counts.push(row_counts[row]);
            in_scope.iter_mut().zip(&row_scope).for_each(|(of, all)| of.push(all[row]));
        } else {
            counts[group] += row_counts[row];
            in_scope.iter_mut().zip(&row_scope).for_each(|(of, all)| of[group] &= all[row]);
        }
    }
    if rows.len() == all.num_rows() {
        return Ok(Unmatched {
            batch: all,
            keys,
            counts,
            in_scope,
        });
    }
    let keys = rows.iter().map(|row| keys[*row as usize]).collect();
    Ok(Unmatched {
        batch: take_rows(&all, &rows)?,
        keys,
        counts,
        in_scope,
    })
}

/// For each rule with `accounts.where`, where it is true on this side's rows; `columns` are those that SQL over a row sees.
pub(crate) fn scopes(job: &Job, side: Side, columns: &[ArrayRef], rows: usize) -> Result<Vec<Vec<bool>>> {
    job.compiled
        .account_conditions()
        .map(|accounts| match &accounts.condition[side] {
            Some(condition) => Ok(condition.is_true(columns, rows)?.iter().collect()),
            None => Ok(vec![false; rows]),
        })
        .collect()
}

/// Puts together what was reduced apart: for a key whose rows had to be divided.
pub(crate) fn merge(job: &Job, schemas: &Sides<SchemaRef>, parts: Vec<Sides<Unmatched>>) -> Result<Sides<Unmatched>> {
    let mut by_side = Sides::new(Vec::new(), Vec::new());
    for part in parts {
        by_side.live.push(part.live);
        by_side.shadow.push(part.shadow);
    }
    let rules = job.compiled.account_conditions().count();
    Sides::try_from_fn(|side| {
        let (mut batches, mut counts, mut scope) = (Vec::new(), Vec::new(), vec![Vec::new(); rules]);
        for left in std::mem::take(&mut by_side[side]) {
            counts.extend(left.counts);
            scope.iter_mut().zip(left.in_scope).for_each(|(all, more)| all.extend(more));
            batches.push(left.batch);
        }
        let all = concat(&schemas[side], &batches)?;
        drop(batches);
        reduce(job, side, all, Some((counts, scope)))
    })
}

/// The keys of one side as a table of the join.
#[derive(Debug)]
struct Keys(RecordBatch);

impl PartitionStream for Keys {
    fn schema(&self) -> &SchemaRef {
        self.0.schema_ref()
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let stream = MemoryStream::try_new(vec![self.0.clone()], self.0.schema(), None);
        Box::pin(stream.expect("a batch has its own schema"))
    }
}

/// Full outer join on the key, which here is its fingerprint: NULL meets NULL, NaN meets NaN, by construction.
pub(crate) fn join(job: &Job, left: &Sides<Unmatched>, context: Arc<TaskContext>) -> Result<Vec<KeyPair>> {
    let exhausted = |e: DataFusionError| match e.find_root() {
        DataFusionError::ResourcesExhausted(why) => Error::exhausted(format!("compare: {why}")),
        _ => Error::internal(format!("compare: join: {e}")),
    };
    let schema: SchemaRef = Arc::new(Schema::new(
        ["high", "low", "row"]
            .map(|name| Field::new(name, DataType::UInt64, false))
            .to_vec(),
    ));
    let table = |side: Side| -> Result<Arc<dyn ExecutionPlan>> {
        let keys = &left[side].keys;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from_iter_values(keys.iter().map(|k| (k >> 64) as u64))),
            Arc::new(UInt64Array::from_iter_values(keys.iter().map(|k| *k as u64))),
            Arc::new(UInt64Array::from_iter_values(0..keys.len() as u64)),
        ];
        let batch = RecordBatch::try_new(schema.clone(), columns).map_err(|e| Error::internal(e.to_string()))?;
        let keys = Arc::new(Keys(batch)) as Arc<dyn PartitionStream>;
        let source = StreamingTableExec::try_new(schema.clone(), vec![keys], None, None, false, None);
        Ok(Arc::new(source.map_err(exhausted)?))
    };
    let on = ["high", "low"].iter().enumerate().map(|(i, name)| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, i));
        (Arc::clone(&column), column)
    });
    let plan = HashJoinExec::try_new(
        table(Side::Live)?,
        table(Side::Shadow)?,
        on.collect(),
        None,
        &JoinType::Full,
        None,
        PartitionMode::CollectLeft,
        NullEquality::NullEqualsNull,
        false,
    )
    .map_err(exhausted)?;
    let batches = job
        .resources
        .sources
        .runtime
        .block_on(collect(Arc::new(plan), context))
        .map_err(exhausted)?;
    let mut joined = Vec::new();
    for batch in batches {
        let (live, shadow) = (
            batch.column(2).as_primitive::<UInt64Type>(),
            batch.column(5).as_primitive::<UInt64Type>(),
        );
        let row = |column: &UInt64Array, at: usize| column.is_valid(at).then(|| column.value(at) as u32);
        joined.extend((0..batch.num_rows()).map(|at| KeyPair {
            live: row(live, at),
            shadow: row(shadow, at),
        }));
    }
    Ok(joined)
}

/// Takes rows of a side; `None` gives a row of NULLs.
pub(crate) fn take_optional(job: &Job, batch: &RecordBatch, rows: impl Iterator<Item = Option<u32>>) -> Result<Vec<ArrayRef>> {
    let rows: UInt32Array = rows.collect();
    let columns = ExchangedRows::new(batch, &job.plan).readable().iter();
    let taken: Result<Vec<ArrayRef>, _> = columns.map(|c| arrow_select::take::take(c.as_ref(), &rows, None)).collect();
    taken.map_err(|e| Error::internal(format!("take: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Setup, SmallJob};

    /// The values of a column, which is text.
    fn texts(batch: &RecordBatch, column: usize) -> Vec<String> {
        let values = batch.column(column).as_string::<i32>().iter();
        values.map(|value| value.unwrap_or("NULL").to_owned()).collect()
    }

    fn cancelled(small: &SmallJob) -> (Sides<Unmatched>, u64) {
        cancel(&small.job, &small.job.compiled.schemas, &Sides::from_fn(|side| small.rows(side))).expect("rows cancel")
    }

    #[test]
    fn equal_rows_cancel_one_to_one_and_the_rest_is_one_row_a_key() {
        let small = Setup {
            live: "id,v\na,1\na,1\na,1\nb,2\nc,3\nc,4\n",
            shadow: "id,v\nb,2\na,1\nd,5\nc,4\n",
            ..Setup::default()
        }
        .job();
        let (left, pairs) = cancelled(&small);
        assert_eq!(pairs, 3);
        assert_eq!(texts(&left.live.batch, 0), ["a", "c"]);
        assert_eq!(left.live.counts, [2, 1]);
        assert_eq!(texts(&left.live.batch, 1), ["1", "3"]);
        assert_eq!((texts(&left.shadow.batch, 0), left.shadow.counts), (vec!["d".to_owned()], vec![1]));
        assert_eq!(left.live.keys, small.job.key_fingerprints(&left.live.batch));
    }

    #[test]
    fn which_of_equal_rows_stay_is_decided_by_the_columns_that_only_sql_reads() {
        for live in ["id,v,c\na,1,x\na,1,y\na,1,z\n", "id,v,c\na,1,z\na,1,y\na,1,x\n"] {
            let small = Setup {
                live,
                shadow: "id,v,c\na,1,w\n",
                carried: &["c"],
                ..Setup::default()
            }
            .job();
            let (left, pairs) = cancelled(&small);
            assert_eq!((pairs, left.live.counts, left.shadow.counts.len()), (1, vec![2], 0));
            assert_eq!(
                texts(&left.live.batch, 2),
                ["x"],
                "the smallest stand, whatever the order of the rows"
            );
        }
    }

    #[test]
    fn a_scope_of_accounts_is_true_for_a_key_where_it_is_for_all_its_rows() {
        let small = Setup {
            spec: "expected:\n- {name: r, accounts: {where: \"plan = 'trial'\"}}\n",
            live: "id,plan\na,trial\na,paid\nb,trial\nb,trial\nc,paid\n",
            shadow: "id,plan\nd,trial\n",
            ..Setup::default()
        }
        .job();
        let (left, _) = cancelled(&small);
        assert_eq!(left.live.in_scope, [[false, true, false]]);
        assert_eq!(left.shadow.in_scope, [[true]]);
    }

    #[test]
    fn parts_that_were_reduced_apart_merge_to_one_row_a_key() {
        let small = Setup {
            spec: "expected:\n- {name: r, accounts: {where: \"v = '1'\"}}\n",
            live: "id,v\na,1\na,2\nb,1\na,3\n",
            shadow: "id,v\nc,1\n",
            ..Setup::default()
        }
        .job();
        let rows =
            Sides::from_fn(|side| concat(&small.job.compiled.schemas[side], &[small.rows(side)[0].batch().clone()]).expect("one batch"));
        let parts = [0, 1, 2, 3].map(|row| {
            let live = SelectedRows::all(rows.live.slice(row, 1));
            let shadow = if row == 1 {
                vec![SelectedRows::all(rows.shadow.clone())]
            } else {
                Vec::new()
            };
            cancel(&small.job, &small.job.compiled.schemas, &Sides::new(vec![live], shadow))
                .expect("rows cancel")
                .0
        });
        let merged = merge(&small.job, &small.job.compiled.schemas, parts.into()).expect("parts merge");
        assert_eq!(texts(&merged.live.batch, 0), ["a", "b"]);
        assert_eq!(merged.live.counts, [3, 1]);
        assert_eq!(merged.live.in_scope, [[false, true]]);
        assert_eq!(merged.shadow.counts, [1]);
    }

    #[test]
    fn keys_join_to_the_rows_of_either_side_that_have_them() {
        let small = Setup {
            live: "id,v\na,1\nb,1\n,1\n",
            shadow: "id,v\nc,2\n,2\na,2\n",
            ..Setup::default()
        }
        .job();
        let (left, _) = cancelled(&small);
        let mut joined = join(&small.job, &left, Arc::default()).expect("keys join");
        joined.sort_by_key(|pair| (pair.live, pair.shadow));
        let pair = |live, shadow| KeyPair { live, shadow };
        assert_eq!(
            joined,
            [
                pair(None, Some(0)),
                pair(Some(0), Some(2)),
                pair(Some(1), None),
                pair(Some(2), Some(1))
            ]
        );
        let taken = take_optional(&small.job, &left.live.batch, joined.iter().map(|pair| pair.live)).expect("rows are taken");
        let keys: Vec<Option<&str>> = taken[0].as_string::<i32>().iter().collect();
        assert_eq!(keys, [None, Some("a"), Some("b"), None]);
        assert!(taken[1].is_null(0) && taken[1].is_valid(3), "a row that a side lacks is all NULL");
    }
}
