//! The SQL of rules: `where`, for cells of each type and for rows, and `accounts.where`.

use super::columns::{pair_columns, row_columns};
use crate::sql::{Expression, Sql};
use shadowdiff_core::align::{Column, Role};
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::Plan;
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::{AccountScope, Expected};
use shadowdiff_core::value::ValueType;

/// `accounts.where` of a rule.
#[derive(Debug)]
pub struct AccountCondition {
    /// Among those of all rules.
    pub place: usize,
    /// A side each: judged on that side's row. A side without it lacks a column that it names: no row of it is in scope.
    pub condition: Sides<Option<Expression>>,
}

/// The SQL of one rule, planned for cells and for rows.
#[derive(Debug)]
pub struct RuleSql {
    pub accounts: Option<AccountCondition>,
    /// `where` for cells, by column; `None` where the rule does not take the column.
    pub cells: Vec<Option<Expression>>,
    /// `where` for rows that one side lacks; `None` if it speaks of cells.
    pub rows: Option<Expression>,
}

/// `takes`: whether the rule can cover a cell of a column. `conditions`: how many `accounts.where` there were before.
pub(super) fn plan_rule(sql: &Sql, plan: &Plan, rule: &Expected, takes: &dyn Fn(usize) -> bool, conditions: &mut usize) -> Result<RuleSql> {
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
