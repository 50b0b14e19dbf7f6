//! SQL of rules that nobody asked when the rows were there, over what was kept of them: the cell, the key, and the columns that the plan keeps.

use super::columns::row_columns;
use super::rules::{RuleSql, plan_rule};
use crate::sql::{Expression, Sql};
use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType;
use shadowdiff_core::align::Role;
use shadowdiff_core::difference::{Answer, Difference, Question};
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::Plan;
use shadowdiff_core::rejudge::Rejudge;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::DifferenceKind;
use shadowdiff_core::value::{Value, ValueType, array_of};
use std::collections::BTreeMap;

/// Answers new questions of the rules of a plan.
#[derive(Debug)]
pub struct KeptSql<'a> {
    plan: &'a Plan,
    sql: Sql,
    /// By the rule's number.
    planned: BTreeMap<usize, RuleSql>,
    /// By side, where each column of its rows comes from.
    sources: Sides<Vec<Option<Source>>>,
}

/// Where the values of a column of rows were kept.
#[derive(Debug, Clone, Copy)]
enum Source {
    Key(usize),
    Kept(usize),
}

/// The columns of an expression, as far as they are known.
type Known = Vec<Option<ArrayRef>>;

impl<'a> KeptSql<'a> {
    pub fn new(plan: &'a Plan) -> Self {
        KeptSql {
            plan,
            sql: Sql::default(),
            planned: BTreeMap::new(),
            sources: Sides::from_fn(|side| sources(plan, side)),
        }
    }

    /// What the SQL of a question says of differences of one kind and column.
    pub fn answers(&mut self, rejudge: &Rejudge<'_>, question: Question, differences: &[Difference<'_>]) -> Result<Vec<Answer>> {
        let (Question::Accounts(number) | Question::Filter(number)) = question;
        let refused = |why: &str| rejudge.refused(question, why);
        let Some(first) = differences.first() else { return Ok(Vec::new()) };
        if first.kind == DifferenceKind::DuplicateKey {
            return Err(refused("the rows of a duplicate key were not kept"));
        }
        if !self.planned.contains_key(&number) {
            let (rule, takes) = rejudge.rule(number);
            let planned = plan_rule(&self.sql, self.plan, rule, &takes, &mut 0);
            let planned = planned.map_err(|e| refused(&format!("cannot be asked of what was kept ({e})")))?;
            self.planned.insert(number, planned);
        }
        let rule = &self.planned[&number];
        let asked = BooleanBuffer::new_set(differences.len());
        let answered = match (question, first.column) {
            (Question::Filter(_), Some(column)) => match rule.cells.get(column).and_then(Option::as_ref) {
                Some(condition) => told(condition, &asked, &self.pair(differences, column)),
                None => Some(vec![Answer::No; differences.len()]),
            },
            (Question::Filter(_), None) => match &rule.rows {
                Some(condition) => told(condition, &asked, &self.rows_of_pair(differences)),
                None => Some(vec![Answer::No; differences.len()]),
            },
            (Question::Accounts(_), _) => self.accounts(rule, differences),
        };
        answered.ok_or_else(|| refused("not all columns that it reads were kept"))
    }

    /// `accounts.where` on the baseline row, or the only one.
    fn accounts(&self, rule: &RuleSql, differences: &[Difference<'_>]) -> Option<Vec<Answer>> {
        let condition = &rule.accounts.as_ref()?.condition;
        let mut answers = vec![Answer::No; differences.len()];
        for side in Side::BOTH {
            let is_asked = |difference: &Difference<'_>| match difference.kind {
                DifferenceKind::MissingInShadow => side == Side::Live,
                DifferenceKind::MissingInLive => side == Side::Shadow,
                DifferenceKind::Changed | DifferenceKind::DuplicateKey => side == difference.baseline,
            };
            let asked = BooleanBuffer::collect_bool(differences.len(), |row| is_asked(&differences[row]));
            let Some(condition) = &condition[side] else { continue };
            if asked.count_set_bits() == 0 {
                continue;
            }
            let found = told(condition, &asked, &self.row(differences, side))?;
            (0..differences.len())
                .filter(|row| asked.value(*row))
                .for_each(|row| answers[row] = found[row]);
        }
        Some(answers)
    }

    fn pair<'d>(&self, differences: &[Difference<'d>], column: usize) -> Known {
        let column = &self.plan.aligned.columns[column];
        let cell = |side: Side| {
            let value = |difference: &Difference<'d>| match side {
                Side::Live => difference.live.clone(),
                Side::Shadow => difference.shadow.clone(),
            };
            let values: Vec<Value<'d>> = differences.iter().map(value).collect();
            // A struct was put together again: that it is there is all that SQL sees of it.
            (column.role != Role::Presence)
                .then(|| array_of(&values, &column.stored[side]))
                .flatten()
        };
        let mut known = vec![cell(Side::Live), cell(Side::Shadow)];
        known.extend(self.rows_of_pair(differences).split_off(2));
        known
    }

    fn rows_of_pair(&self, differences: &[Difference<'_>]) -> Known {
        let none = Some(new_null_array(&DataType::Null, differences.len()));
        let mut known = vec![none.clone(), none];
        Side::BOTH.into_iter().for_each(|side| known.extend(self.row(differences, side)));
        known
    }

    /// The columns of a side's rows; all NULL where there is no row.
    fn row<'d>(&self, differences: &[Difference<'d>], side: Side) -> Known {
        let has_row = |difference: &Difference<'_>| match difference.kind {
            DifferenceKind::MissingInShadow => side == Side::Live,
            DifferenceKind::MissingInLive => side == Side::Shadow,
            DifferenceKind::Changed | DifferenceKind::DuplicateKey => true,
        };
        let columns = self.sources[side].iter().enumerate().map(|(place, source)| {
            let source = (*source)?;
            let value = |difference: &Difference<'d>| match source {
                Source::Key(at) if has_row(difference) => difference.key.values().nth(at),
                Source::Key(_) => Some(Value::Null),
                Source::Kept(at) => difference.kept.values().nth(at),
            };
            let values: Option<Vec<Value<'d>>> = differences.iter().map(value).collect();
            array_of(&values?, self.row_type(place, side)?)
        });
        columns.collect()
    }

    fn row_type(&self, place: usize, side: Side) -> Option<&ValueType> {
        let aligned = &self.plan.aligned.columns;
        if let Some(column) = aligned.get(place) {
            return Some(&column.stored[side]);
        }
        let name = self.plan.sides[side].carried.get(place - aligned.len())?;
        let column = self.plan.sides[side].columns.iter().find(|column| column.name == *name)?;
        Some(&column.value_type)
    }
}

fn sources(plan: &Plan, side: Side) -> Vec<Option<Source>> {
    let mut sources = vec![None; row_columns(plan, side).len()];
    for (at, column) in plan.aligned.key.iter().enumerate() {
        // The key of a difference is that of one of the rows: the same in the other where both are of one type.
        let stored = &plan.aligned.columns[*column].stored;
        if stored.live == stored.shadow {
            sources[*column] = Some(Source::Key(at));
        }
    }
    let first = if side == Side::Live { 0 } else { plan.kept.len() };
    for (at, name) in plan.kept.iter().enumerate() {
        if let Some(place) = plan.row_place(side, name) {
            sources[place] = Some(Source::Kept(first + at));
        }
    }
    sources
}

/// What a condition says of the rows that are asked about; where it fails, of each alone. `None` where it reads what is not known.
fn told(condition: &Expression, asked: &BooleanBuffer, columns: &Known) -> Option<Vec<Answer>> {
    if condition.reads.iter().any(|at| columns[*at].is_none()) {
        return None;
    }
    let none = new_null_array(&DataType::Null, asked.len());
    let columns: Vec<ArrayRef> = columns.iter().map(|known| known.clone().unwrap_or_else(|| none.clone())).collect();
    let yes_or_no = |is_true: bool| if is_true { Answer::Yes } else { Answer::No };
    if let Ok(answers) = condition.is_true_where(asked, &columns) {
        return Some(answers.iter().map(yes_or_no).collect());
    }
    let alone = |row: usize| {
        let columns: Vec<ArrayRef> = columns.iter().map(|column| column.slice(row, 1)).collect();
        let answer = condition.is_true(&columns, 1);
        answer.map_or(Answer::Unknown, |answer| yes_or_no(answer.value(0)))
    };
    let all = (0..asked.len()).map(|row| if asked.value(row) { alone(row) } else { Answer::No });
    Some(all.collect())
}
