//! What a plan comes to when it runs: expressions, comparators, rules, hashers, schemas. Whoever plans a job and whoever runs it makes them
//! here, so that a mistake shows before anything runs.

mod columns;
mod comparators;
mod kept;
mod row_hasher;
mod rules;

pub use columns::fingerprint_field;
pub use comparators::sql_arrays;
pub use kept::KeptSql;
pub use row_hasher::{RowFingerprints, RowHasher};
pub use rules::{AccountCondition, RuleSql};

use crate::sql::{Expression, Sql};
use arrow_schema::SchemaRef;
use columns::{pair_columns, read_columns, rows_schema, side_columns};
use comparators::comparator;
use row_hasher::form;
use rules::plan_rule;
use shadowdiff_core::accounts::{AccountSet, AccountSets};
use shadowdiff_core::align::Column;
use shadowdiff_core::compare::CellComparator;
use shadowdiff_core::error::{Place, Result};
use shadowdiff_core::judge::Judge;
use shadowdiff_core::plan::Plan;
use shadowdiff_core::row::Hasher;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{Expected, member};

/// What is made from a plan, once. It holds no memory, file or connection of the process that runs the job.
#[derive(Debug)]
pub struct Compiled {
    /// `where` of a side.
    pub filters: Sides<Option<Expression>>,
    /// Parallel to the side's columns: derived ones have an expression over the columns read.
    pub derives: Sides<Vec<Option<Expression>>>,
    /// Of the rows that are exchanged.
    pub schemas: Sides<SchemaRef>,
    pub row_hasher: RowHasher,
    pub key_fingerprint: Hasher,
    /// As the plan has them.
    pub columns: Vec<BoundColumn>,
    /// Where the columns that the plan keeps stand in the rows of each side.
    pub kept: Sides<Vec<Option<usize>>>,
    pub judge: Judge<RuleSql>,
    default_baseline: Side,
    /// Accounts of the other baseline.
    flipped: AccountSet,
}

/// A compared column with its comparator.
#[derive(Debug)]
pub struct BoundColumn {
    pub column: Column,
    pub comparator: Box<dyn CellComparator>,
}

impl Compiled {
    /// # Errors
    /// Where SQL of the spec is wrong, or a list of accounts is missing.
    pub fn new(plan: &Plan, accounts: &AccountSets) -> Result<Self> {
        let sql = Sql::default();
        let mut conditions = 0;
        let plan_rule = |rule: &Expected, takes: &dyn Fn(usize) -> bool| plan_rule(&sql, plan, rule, takes, &mut conditions);
        let filters = Sides::try_from_fn(|side| plan_filter(&sql, plan, side))?;
        let derives = Sides::try_from_fn(|side| plan_derives(&sql, plan, side))?;
        let judge = Judge::new(&plan.spec, &plan.aligned, &accounts.rules, plan.as_of, plan_rule)?;
        let columns = plan.aligned.columns.iter().map(|column| bind(&sql, plan, column));
        Ok(Compiled {
            filters,
            derives,
            columns: columns.collect::<Result<_>>()?,
            judge,
            kept: Sides::from_fn(|side| plan.kept.iter().map(|name| plan.row_place(side, name)).collect()),
            schemas: Sides::from_fn(|side| rows_schema(plan, side)),
            row_hasher: RowHasher::new(plan, accounts),
            key_fingerprint: Hasher::new(plan.secret.0, plan.aligned.key_columns().map(form)),
            default_baseline: plan.spec.baseline.default,
            flipped: accounts.flipped.clone(),
        })
    }

    /// `accounts.where` of the rules that have one, by place.
    pub fn account_conditions(&self) -> impl Iterator<Item = &AccountCondition> {
        self.judge.all_sql().filter_map(|rule| rule.accounts.as_ref())
    }

    /// Whether more of a pair of rows is looked at than the cells that differ.
    pub fn reads_whole_rows(&self, plan: &Plan) -> bool {
        let has_sql = |sql: &RuleSql| sql.accounts.is_some() || sql.rows.is_some() || sql.cells.iter().any(Option::is_some);
        let mut comparators = plan.spec.comparators.iter();
        plan.carries()
            || !plan.kept.is_empty()
            || self.judge.all_sql().any(has_sql)
            || comparators.any(|entry| entry.comparator.sql().is_some())
    }

    /// The side of the old value of each row; `account` gives the canonical bytes of its account.
    pub fn baselines(&self, rows: usize, account: impl Fn(usize) -> Vec<u8>) -> Vec<Side> {
        let default = self.default_baseline;
        if self.flipped.is_empty() {
            return vec![default; rows];
        }
        let of = |row| {
            if self.flipped.contains(&account(row)) {
                default.other()
            } else {
                default
            }
        };
        (0..rows).map(of).collect()
    }
}

fn plan_filter(sql: &Sql, plan: &Plan, side: Side) -> Result<Option<Expression>> {
    let Some(text) = &plan.spec.filter[side] else { return Ok(None) };
    sql.plan_condition(Place::from("where").of(side), text, &side_columns(plan, side))
        .map(Some)
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
    })
}
