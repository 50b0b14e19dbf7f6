//! What every task of a job needs, made once from the plan: expressions, columns with their comparators, rules, schemas.

use crate::comparators::comparator;
use crate::exchanged::{ExchangedRows, carried_type, rows_schema};
use crate::limits::TaskLimits;
use crate::row_hasher::{RowHasher, form};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use shadowdiff_common::read::{Dataset, Sources};
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::sql::{Expression, Sql, SqlColumn};
use shadowdiff_core::accounts::AccountSets;
use shadowdiff_core::align::{Column, Role};
use shadowdiff_core::compare::CellComparator;
use shadowdiff_core::error::{Error, Place, Result};
use shadowdiff_core::judge::Judge;
use shadowdiff_core::plan::Plan;
use shadowdiff_core::row::Hasher;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{AccountScope, Expected, member};
use shadowdiff_core::value::ValueType;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How much memory one task may use, and how much of it for what.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub task_bytes: usize,
}

/// Tenths of the memory for rows that go to tasks; as many are for intermediate results, the rest for what nobody counts: copies in flight,
/// the allocator's reserves.
const SHARE_TENTHS: u64 = 3;
/// Batches that a task's memory should hold at a time.
const BATCHES_A_TASK: u64 = 32;

impl Memory {
    /// Of one task, where it and its intermediate results have `rows_bytes`.
    pub fn of_task(rows_bytes: u64, limits: &TaskLimits) -> Self {
        Memory {
            task_bytes: share(rows_bytes).min(limits.max_task_bytes),
        }
    }

    /// How many bytes of rows are compared at a time: a part is held about three times (rows, what is left of them, indexes).
    pub fn part_bytes(self, halvings: u32, limits: &TaskLimits) -> u64 {
        ((self.task_bytes >> halvings.min(8)) as u64 / 4).clamp(limits.min_part_bytes, limits.max_part_bytes)
    }

    /// What intermediate results may take of `rows_bytes`.
    pub fn intermediate_bytes(rows_bytes: u64, limits: &TaskLimits) -> usize {
        share(rows_bytes).min(limits.max_intermediate_bytes)
    }

    /// Rows of a batch, where one takes about `row_bytes`.
    pub fn batch_rows(self, row_bytes: u64, limits: &TaskLimits) -> usize {
        let rows = self.task_bytes as u64 / BATCHES_A_TASK / row_bytes.max(1);
        (rows as usize).clamp(limits.min_batch_rows, limits.max_batch_rows)
    }
}

fn share(rows_bytes: u64) -> usize {
    (rows_bytes * SHARE_TENTHS / 10) as usize
}

/// Optimisations that a test switches off; the result does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disabled {
    pub same_object: bool,
    pub same_chunk: bool,
    pub same_position: bool,
    pub window: bool,
}

/// How far a job is, for whoever watches.
#[derive(Debug, Default)]
pub struct Watch {
    pub rows: AtomicU64,
    /// Grows whenever something has moved.
    pub steps: AtomicU64,
    pub cancelled: AtomicBool,
}

impl Watch {
    /// Something has moved. An error once somebody asked to stop.
    pub fn check(&self) -> Result<()> {
        self.steps.fetch_add(1, Ordering::Relaxed);
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(shadowdiff_core::error::Kind::Interrupted, "interrupted"));
        }
        Ok(())
    }
}

/// A compared column with its comparator.
#[derive(Debug)]
pub(crate) struct BoundColumn {
    pub(crate) column: Column,
    pub(crate) comparator: Box<dyn CellComparator>,
    /// The comparator in the spec's own words.
    pub(crate) comparator_name: String,
}

/// `accounts.where` of a rule.
#[derive(Debug)]
pub(crate) struct AccountCondition {
    /// Among those of all rules.
    pub(crate) place: usize,
    /// A side each: judged on that side's row. A side without it lacks a column that it names: no row of it is in scope.
    pub(crate) condition: Sides<Option<Expression>>,
}

/// The SQL of one rule, planned for cells and for rows.
#[derive(Debug)]
pub(crate) struct RuleSql {
    pub(crate) accounts: Option<AccountCondition>,
    /// `where` for cells, by column; `None` where the rule does not take the column.
    pub(crate) cells: Vec<Option<Expression>>,
    /// `where` for rows that one side lacks; `None` if it speaks of cells.
    pub(crate) rows: Option<Expression>,
}

/// A job as one attempt sees it: what all attempts share, and a watch of its own.
#[derive(Debug, Clone)]
pub struct Job {
    shared: Arc<Shared>,
    pub watch: Arc<Watch>,
}

impl std::ops::Deref for Job {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// A job as its tasks see it.
#[derive(Debug)]
pub struct Shared {
    pub plan: Plan,
    pub datasets: Sides<Dataset>,
    pub sources: Sources,
    pub scratch: Scratch,
    pub limits: TaskLimits,
    pub memory: Memory,
    pub batch_rows: usize,
    pub disabled: Disabled,
    pub accounts: AccountSets,
    pub(crate) filters: Sides<Option<Expression>>,
    /// Parallel to the side's columns: derived ones have an expression over the columns read.
    pub(crate) derives: Sides<Vec<Option<Expression>>>,
    pub(crate) schemas: Sides<SchemaRef>,
    pub(crate) row_hasher: RowHasher,
    pub(crate) key_fingerprint: Hasher,
    /// As the plan has them.
    pub(crate) columns: Vec<BoundColumn>,
    pub(crate) judge: Judge<RuleSql>,
}

/// What is given to a job besides its plan.
#[derive(Debug)]
pub struct JobContext {
    pub datasets: Sides<Dataset>,
    pub sources: Sources,
    pub scratch: Scratch,
    pub limits: TaskLimits,
    pub memory: Memory,
    pub batch_rows: usize,
    pub disabled: Disabled,
    pub watch: Arc<Watch>,
    pub accounts: AccountSets,
}

impl Job {
    /// Binds everything; mistakes in SQL show here, before anything runs.
    pub fn new(plan: Plan, given: JobContext) -> Result<Self> {
        let sql = Sql::default();
        let filters = Sides::try_from_fn(|side| plan_filter(&sql, &plan, side))?;
        let derives = Sides::try_from_fn(|side| plan_derives(&sql, &plan, side))?;
        let mut conditions = 0;
        let plan_rule = |rule: &Expected, takes: &dyn Fn(usize) -> bool| plan_rule(&sql, &plan, rule, takes, &mut conditions);
        let (judge, _) = Judge::new(&plan.spec, &plan.aligned, &given.accounts.rules, plan.as_of, plan_rule)?;
        let columns = plan
            .aligned
            .columns
            .iter()
            .map(|column| bind(&sql, &plan, column))
            .collect::<Result<_>>()?;
        let secret = plan.secret.0;
        let row_hasher = RowHasher::new(&plan, &given.accounts);
        let key_fingerprint = Hasher::new(secret, plan.aligned.key_columns().map(form));
        let schemas = Sides::from_fn(|side| rows_schema(&plan, side));
        let shared = Shared {
            plan,
            datasets: given.datasets,
            sources: given.sources,
            scratch: given.scratch,
            limits: given.limits,
            memory: given.memory,
            batch_rows: given.batch_rows,
            disabled: given.disabled,
            accounts: given.accounts,
            filters,
            derives,
            schemas,
            row_hasher,
            key_fingerprint,
            columns,
            judge,
        };
        Ok(Job {
            shared: Arc::new(shared),
            watch: given.watch,
        })
    }

    /// The same job under another watch: that of one attempt.
    pub(crate) fn watched(&self, watch: Arc<Watch>) -> Job {
        Job {
            shared: Arc::clone(&self.shared),
            watch,
        }
    }

    /// Fingerprints of the keys of exchanged rows.
    pub(crate) fn key_fingerprints(&self, batch: &RecordBatch) -> Vec<u128> {
        let key = ExchangedRows::new(batch, &self.plan).key();
        self.key_fingerprint.hash(&key, batch.num_rows())
    }

    /// `accounts.where` of the rules that have one, by place.
    pub(crate) fn account_conditions(&self) -> impl Iterator<Item = &AccountCondition> {
        self.judge.all_sql().filter_map(|rule| rule.accounts.as_ref())
    }

    /// The side of the old value for an account, given by its canonical bytes.
    pub(crate) fn baseline(&self, account: &[u8]) -> Side {
        let default = self.plan.spec.baseline.default;
        let flipped = &self.accounts.flipped;
        if !flipped.is_empty() && flipped.contains(account) {
            default.other()
        } else {
            default
        }
    }

    /// How many bytes of rows a task compares at a time. `halvings` says how often its memory share was halved.
    pub(crate) fn part_bytes(&self, halvings: u32) -> u64 {
        self.memory.part_bytes(halvings, &self.limits)
    }

    /// The name of a column's comparator in the output.
    pub fn comparator_names(&self) -> Vec<String> {
        self.columns.iter().map(|bound| bound.comparator_name.clone()).collect()
    }
}

fn plan_filter(sql: &Sql, plan: &Plan, side: Side) -> Result<Option<Expression>> {
    let Some(text) = &plan.spec.filter[side] else { return Ok(None) };
    sql.plan_condition(Place::from("where").of(side), text, &side_columns(plan, side))
        .map(Some)
}

/// The columns of one side, unqualified.
pub fn side_columns(plan: &Plan, side: Side) -> Vec<SqlColumn> {
    let columns = plan.sides[side].columns.iter();
    columns.map(|c| SqlColumn::new(&c.name, &c.value_type)).collect()
}

/// The columns as read, before derives.
pub fn read_columns(plan: &Plan, side: Side) -> Vec<SqlColumn> {
    let columns = plan.sides[side].read.iter();
    columns.map(|c| SqlColumn::new(&c.name, &c.value_type)).collect()
}

fn plan_derives(sql: &Sql, plan: &Plan, side: Side) -> Result<Vec<Option<Expression>>> {
    let read = read_columns(plan, side);
    let derive = &plan.spec.columns.derive[side];
    let planned = plan.sides[side].columns.iter().map(|column| {
        let Some((name, text)) = derive.iter().find(|(name, _)| *name == column.name) else {
            return Ok(None);
        };
        let place = Place::from(member("columns.derive", name).as_str()).of(side);
        sql.plan(place, text, &read).map(Some)
    });
    planned.collect()
}

/// What SQL about a pair of rows sees: `live`, `shadow` in the column's types, then the rows' columns.
fn pair_columns(plan: &Plan, cell: Option<&Column>) -> Vec<SqlColumn> {
    let stored = |side: Side| cell.map_or(&ValueType::Null, |c| &c.stored[side]);
    let mut columns = vec![
        SqlColumn::new("live", stored(Side::Live)),
        SqlColumn::new("shadow", stored(Side::Shadow)),
    ];
    for (side, qualifier) in [(Side::Live, "live_row"), (Side::Shadow, "shadow_row")] {
        columns.extend(row_columns(plan, side).into_iter().map(|c| SqlColumn {
            qualifier: Some(qualifier),
            ..c
        }));
    }
    columns
}

/// The columns of one side that an exchanged row has: the aligned ones, then the carried ones.
fn row_columns(plan: &Plan, side: Side) -> Vec<SqlColumn> {
    let leaves = plan.aligned.columns.iter().map(|c| SqlColumn::new(&c.name, &c.stored[side]));
    let hidden = |c: SqlColumn| {
        if plan.sides[side].carried.contains(&c.name) {
            SqlColumn {
                name: format!("presence of {}", c.name),
                ..c
            }
        } else {
            c
        }
    };
    let carried = plan.sides[side].carried.iter();
    let carried = carried.map(|name| SqlColumn::new(name, carried_type(plan, side, name)));
    leaves.map(hidden).chain(carried).collect()
}

fn bind(sql: &Sql, plan: &Plan, column: &Column) -> Result<BoundColumn> {
    let comparator = comparator(column, |text| {
        let entries = plan.spec.comparators.iter();
        let entry = entries.map(|entry| entry.comparator.sql()).position(|sql| sql == Some(text));
        let place = Place {
            column: Some(column.name.clone()),
            ..Place::from(format!("comparators[{}].sql", entry.unwrap_or_default()).as_str())
        };
        sql.plan_condition(place, text, &pair_columns(plan, Some(column)))
    })?;
    Ok(BoundColumn {
        column: column.clone(),
        comparator,
        comparator_name: column.comparator().to_string(),
    })
}

/// `takes`: whether the rule can cover a cell of a column. `conditions`: how many `accounts.where` there were before.
fn plan_rule(sql: &Sql, plan: &Plan, rule: &Expected, takes: &dyn Fn(usize) -> bool, conditions: &mut usize) -> Result<RuleSql> {
    let number = plan.spec.expected.iter().position(|known| known.name == rule.name);
    let field = format!("expected[{}]", number.unwrap_or_default());
    let accounts = match &rule.accounts {
        Some(AccountScope::Where(text)) => {
            let condition = plan_accounts(sql, plan, &format!("{field}.accounts.where"), text)?;
            *conditions += 1;
            Some(AccountCondition {
                place: *conditions - 1,
                condition,
            })
        }
        Some(AccountScope::Source(_)) | None => None,
    };
    let Some(text) = &rule.filter else {
        return Ok(RuleSql {
            accounts,
            cells: Vec::new(),
            rows: None,
        });
    };
    let field = format!("{field}.where");
    // Planned once for all columns of one type.
    let mut known: Vec<(Sides<ValueType>, Result<Expression>)> = Vec::new();
    let mut cell = |(i, column): (usize, &Column)| {
        if !takes(i) {
            return Ok(None);
        }
        let planned = match known.iter().find(|(types, _)| *types == column.stored) {
            Some((_, planned)) => planned.clone(),
            None => {
                let planned = sql.plan_condition(field.as_str(), text, &pair_columns(plan, Some(column)));
                known.push((column.stored.clone(), planned.clone()));
                planned
            }
        };
        // Without `columns` a rule meets every type, and so it does below a struct that it names; a column that the condition does not
        // fit is passed over.
        if column.role != Role::Presence && rule.columns.iter().any(|p| p.is_exact() && p.matches(&column.name)) {
            planned.map(Some)
        } else {
            Ok(planned.ok())
        }
    };
    let cells: Vec<Option<Expression>> = plan.aligned.columns.iter().enumerate().map(&mut cell).collect::<Result<_>>()?;
    let rows = sql
        .plan_condition(field.as_str(), text, &pair_columns(plan, None))
        .ok()
        .filter(|e| !e.reads.contains(&0) && !e.reads.contains(&1));
    if rows.is_none() && cells.iter().all(Option::is_none) {
        // Nothing can answer it: let the planner say why.
        sql.plan_condition(field.as_str(), text, &pair_columns(plan, plan.aligned.columns.first()))?;
    }
    Ok(RuleSql { accounts, cells, rows })
}

/// Plans `accounts.where` for the sides that have what it names; that at least one has is checked when the spec is bound.
fn plan_accounts(sql: &Sql, plan: &Plan, field: &str, text: &str) -> Result<Sides<Option<Expression>>> {
    let columns = Sides::from_fn(|side| row_columns(plan, side));
    let lacks = Sides::from_fn(|side| !sql.missing(text, &columns[side]).is_empty());
    let planned = Sides::from_fn(|side| sql.plan_condition(field, text, &columns[side]));
    Ok(match (planned.live, planned.shadow) {
        (Ok(live), Err(_)) if lacks.shadow && !lacks.live => Sides::new(Some(live), None),
        (Err(_), Ok(shadow)) if lacks.live && !lacks.shadow => Sides::new(None, Some(shadow)),
        (live, shadow) => Sides::new(Some(live?), Some(shadow?)),
    })
}
