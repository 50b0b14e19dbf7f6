//! Writes the lines of differing rows, in order: judges each, prints it, counts it.

use crate::job::Job;
use crate::pairs::{Cells, Chunk};
use crate::rows::Left;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;
use shadowdiff_common::run::{Record, RunWriter};
use shadowdiff_core::align::Role;
use shadowdiff_core::compare::{diagnose, has_delta, swapped_with};
use shadowdiff_core::error::Result;
use shadowdiff_core::judge::{Facts, Question};
use shadowdiff_core::report::{self, Delta, delta};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::DifferenceKind;
use shadowdiff_core::tally::{Pattern, Tally};
use shadowdiff_core::value::{Value, ValueType, sort_key_in, value_at};
use std::collections::BTreeMap;

/// Appends the lines of a chunk whose rows are sorted by key and all differ.
pub(crate) struct LineWriter<'a> {
    pub(crate) job: &'a Job,
    pub(crate) run: &'a mut RunWriter,
    pub(crate) tally: &'a mut Tally,
}

/// What SQL said about the rows of a chunk, asked once a rule and column; `None` where it failed for some row.
struct Answers<'c> {
    cells: &'c Cells,
    filters: BTreeMap<(usize, Option<usize>), Option<BooleanBuffer>>,
}

/// One line before it is printed.
struct Line<'a> {
    row: usize,
    kind: DifferenceKind,
    column: Option<usize>,
    live: Value<'a>,
    shadow: Value<'a>,
}

impl LineWriter<'_> {
    pub(crate) fn write(&mut self, chunk: &Chunk<'_>, cells: &Cells, left: &Sides<Left>, sort_keys: &[(Vec<u8>, usize)]) -> Result<()> {
        let mut answers = Answers {
            cells,
            filters: BTreeMap::new(),
        };
        for (row, (key, account_bytes)) in sort_keys.iter().enumerate() {
            let kind = chunk.kinds[row];
            self.count_row(chunk, left, row, kind);
            if kind != DifferenceKind::Changed {
                let counts = |side: Side| joined_row(chunk, row, side).map_or(0, |r| left[side].counts[r]);
                let (live, shadow) = match kind {
                    DifferenceKind::DuplicateKey => (Value::Int(counts(Side::Live).into()), Value::Int(counts(Side::Shadow).into())),
                    DifferenceKind::Changed | DifferenceKind::MissingInShadow | DifferenceKind::MissingInLive => (Value::Null, Value::Null),
                };
                self.line(
                    chunk,
                    left,
                    &mut answers,
                    key,
                    *account_bytes,
                    Line {
                        row,
                        kind,
                        column: None,
                        live,
                        shadow,
                    },
                )?;
                continue;
            }
            for column in (0..cells.differs.len()).filter(|c| cells.differs[*c].as_ref().is_some_and(|d| d.value(row))) {
                let value = |side: Side| value_at(chunk.arrays[side][column].as_ref(), row);
                let line = Line {
                    row,
                    kind,
                    column: Some(column),
                    live: value(Side::Live),
                    shadow: value(Side::Shadow),
                };
                self.line(chunk, left, &mut answers, key, *account_bytes, line)?;
            }
        }
        Ok(())
    }

    fn count_row(&mut self, chunk: &Chunk<'_>, left: &Sides<Left>, row: usize, kind: DifferenceKind) {
        match kind {
            DifferenceKind::Changed => self.tally.changed += 1,
            DifferenceKind::MissingInShadow => self.tally.missing_in_shadow += 1,
            DifferenceKind::MissingInLive => self.tally.missing_in_live += 1,
            DifferenceKind::DuplicateKey => {
                self.tally.duplicate_key += 1;
                for side in Side::BOTH {
                    self.tally.sides[side].in_duplicates += joined_row(chunk, row, side).map_or(0, |r| left[side].counts[r]);
                }
                let joined = chunk.joined[row];
                self.tally.duplicate_on_both += u64::from(joined.live.is_some() && joined.shadow.is_some());
            }
        }
    }

    fn line(
        &mut self,
        chunk: &Chunk<'_>,
        left: &Sides<Left>,
        answers: &mut Answers<'_>,
        key: &[u8],
        account_bytes: usize,
        line: Line<'_>,
    ) -> Result<()> {
        let rule = self.judge(chunk, left, answers, &line)?;
        let (delta, diagnosis) = self.look_into(chunk, &line);
        self.count_line(&line, rule, delta.as_ref(), diagnosis.as_deref());
        let mut text = String::new();
        let account_text_bytes = self.print_key(chunk, line.row, &mut text);
        self.print_rest(chunk, &line, rule, delta.as_ref(), diagnosis.as_deref(), &mut text);
        let columns = self.job.columns.len() as u32;
        let number = line.column.map_or(u32::MAX, |c| c as u32);
        let mut sort_key = key.to_vec();
        sort_key.extend(number.to_be_bytes());
        sort_key.push(line.kind as u8);
        let stratum = line.column.map_or(columns + line.kind as u32, |c| c as u32);
        self.run.append(&Record {
            sort_key: &sort_key,
            account_key_bytes: account_bytes,
            account_text_bytes,
            rule: rule.map(|r| r as u32),
            stratum,
            line: &text,
        })
    }

    fn judge(&self, chunk: &Chunk<'_>, left: &Sides<Left>, answers: &mut Answers<'_>, line: &Line<'_>) -> Result<Option<usize>> {
        let account = chunk.account(self.job, line.row);
        let facts = Facts {
            kind: line.kind,
            column: line.column,
            account: &account,
            live: line.live.clone(),
            shadow: line.shadow.clone(),
            baseline: chunk.baseline[line.row],
        };
        let mut failed = None;
        let rule = self.job.judge.judge(&facts, |question| match question {
            Question::Accounts(rule) => self.in_scope(chunk, left, rule, line.row),
            Question::Filter(rule) => answers.filter(self.job, chunk, rule, line).unwrap_or_else(|e| {
                failed.get_or_insert(e);
                false
            }),
        });
        failed.map_or(Ok(rule), Err)
    }

    /// `accounts.where` on the baseline row, or the only one; for duplicates on all rows of both sides.
    fn in_scope(&self, chunk: &Chunk<'_>, left: &Sides<Left>, rule: usize, row: usize) -> bool {
        let accounts = self.job.judge.sql(rule).accounts.as_ref();
        let at = accounts.expect("a rule that asks has the SQL").place;
        let of = |side: Side| joined_row(chunk, row, side).map(|r| left[side].in_scope[at][r]);
        if chunk.kinds[row] == DifferenceKind::DuplicateKey {
            return of(Side::Live).unwrap_or(true) && of(Side::Shadow).unwrap_or(true);
        }
        let baseline = chunk.baseline[row];
        of(baseline).or_else(|| of(baseline.other())).unwrap_or(false)
    }

    /// Delta and diagnosis of a changed cell.
    fn look_into(&self, chunk: &Chunk<'_>, line: &Line<'_>) -> (Option<Delta>, Option<String>) {
        let Some(at) = line.column else { return (None, None) };
        let column = &self.job.columns[at].column;
        if column.role == Role::Presence {
            let appeared = if line.live.is_null() { "null_vanished" } else { "null_appeared" };
            return (None, Some(appeared.into()));
        }
        let delta = has_delta(&column.shown)
            .then(|| delta(&line.live, &line.shadow, &column.shown, chunk.baseline[line.row]))
            .flatten();
        let diagnosis = self
            .swap(chunk, line.row, at)
            .or_else(|| diagnose(&line.live, &line.shadow, &column.shown, chunk.baseline[line.row]));
        (delta, diagnosis)
    }

    fn swap(&self, chunk: &Chunk<'_>, row: usize, at: usize) -> Option<String> {
        let columns = &self.job.plan.aligned.columns;
        let alike = |c: &usize| *c != at && matches!(columns[*c].role, Role::Value(_)) && columns[*c].shown == columns[at].shown;
        let candidates: Vec<usize> = (0..columns.len()).filter(alike).collect();
        let live = |c: usize| value_at(chunk.arrays.live[c].as_ref(), row);
        let shadow = |c: usize| value_at(chunk.arrays.shadow[c].as_ref(), row);
        let other = swapped_with(at, &live, &shadow, &candidates)?;
        Some(format!("swapped_with({})", columns[other].name))
    }

    fn count_line(&mut self, line: &Line<'_>, rule: Option<usize>, delta: Option<&Delta>, diagnosis: Option<&str>) {
        let tally = &mut *self.tally;
        match rule {
            Some(rule) => {
                tally.expected += 1;
                *tally.rules.entry(rule).or_default() += 1;
            }
            None => tally.exceptions += 1,
        }
        let pattern = Pattern {
            kind: line.kind,
            column: line.column,
            diagnosis: diagnosis.map(str::to_owned),
            direction: delta.and_then(Delta::direction),
        };
        let pattern = tally.patterns.entry(pattern).or_default();
        pattern.differing += 1;
        pattern.exceptions += u64::from(rule.is_none());
        if let Some(diagnosis) = diagnosis {
            *tally.diagnoses.entry(diagnosis.to_owned()).or_default() += 1;
        }
        let Some(column) = line.column else { return };
        let column = tally.columns.entry(column).or_default();
        column.differing += 1;
        column.exceptions += u64::from(rule.is_none());
        if let Some(delta) = delta {
            delta.observe(&mut column.deltas);
        }
    }

    /// The key's fields; gives the length of the account's.
    fn print_key(&self, chunk: &Chunk<'_>, row: usize, out: &mut String) -> usize {
        let arrays = &chunk.arrays[chunk.side_of(row)];
        let safe = self.job.plan.spec.output.spreadsheet_safe;
        let mut account_bytes = 0;
        for (at, column) in self.job.plan.aligned.key.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            report::key_cell(
                &value_at(arrays[*column].as_ref(), row),
                &self.job.columns[*column].column,
                safe,
                out,
            );
            if at + 1 == self.job.plan.aligned.account_count {
                account_bytes = out.len();
            }
        }
        account_bytes
    }

    fn print_rest(
        &self,
        chunk: &Chunk<'_>,
        line: &Line<'_>,
        rule: Option<usize>,
        delta: Option<&Delta>,
        diagnosis: Option<&str>,
        out: &mut String,
    ) {
        let spec = &self.job.plan.spec;
        let safe = spec.output.spreadsheet_safe;
        out.push(',');
        out.push_str(line.kind.name());
        out.push(',');
        match line.column {
            Some(at) => {
                let column = &self.job.columns[at].column;
                report::field(&column.name, safe, out);
                for (side, value) in [(Side::Live, &line.live), (Side::Shadow, &line.shadow)] {
                    out.push(',');
                    if column.role == Role::Presence {
                        report::cell_of_struct(&self.members(chunk, side, line.row, at), safe, out);
                    } else {
                        report::cell(value, &column.shown, safe, out);
                    }
                }
            }
            None => {
                for value in [&line.live, &line.shadow] {
                    out.push(',');
                    report::cell(value, &ValueType::INT64, safe, out);
                }
            }
        }
        let comparator = line.column.map_or("", |c| self.job.columns[c].comparator.as_str());
        let rule_name = rule.map_or("", |r| spec.expected[r].name.as_str());
        out.push(',');
        delta.iter().for_each(|d| out.push_str(&d.text));
        out.push(',');
        delta.iter().for_each(|d| out.push_str(&d.relative));
        for text in [
            comparator,
            rule_name,
            if rule.is_some() { "expected" } else { "exception" },
            diagnosis.unwrap_or(""),
        ] {
            out.push(',');
            if !text.is_empty() {
                report::field(text, safe, out);
            }
        }
        out.push('\n');
    }

    /// A struct put together again from its compared members, for print.
    fn members<'c>(&'c self, chunk: &'c Chunk<'_>, side: Side, row: usize, presence: usize) -> Value<'c> {
        if chunk.arrays[side][presence].is_null(row) {
            return Value::Null;
        }
        let columns = &self.job.plan.aligned.columns;
        let depth = columns[presence].path.len();
        let direct = columns
            .iter()
            .enumerate()
            .filter(|(_, c)| c.parents.last() == Some(&presence) && c.path.len() == depth + 1);
        let value = |at: usize, role: &Role| match role {
            Role::Presence => self.members(chunk, side, row, at),
            Role::Key | Role::Value(_) => value_at((&chunk.arrays[side][at] as &ArrayRef).as_ref(), row),
        };
        Value::Struct(direct.map(|(at, c)| (c.path[depth].as_str(), value(at, &c.role))).collect())
    }
}

impl Answers<'_> {
    fn filter(&mut self, job: &Job, chunk: &Chunk<'_>, rule: usize, line: &Line<'_>) -> Result<bool> {
        let sql = job.judge.sql(rule);
        let expression = match (line.kind, line.column) {
            (DifferenceKind::DuplicateKey, _) => None,
            (_, Some(column)) => sql.cells.get(column).and_then(Option::as_ref),
            (_, None) => sql.rows.as_ref(),
        };
        let Some(expression) = expression else { return Ok(false) };
        let is_missing = |kind| matches!(kind, DifferenceKind::MissingInShadow | DifferenceKind::MissingInLive);
        let answers = self.filters.entry((rule, line.column)).or_insert_with(|| {
            let asked = match line.column.and_then(|c| self.cells.differs[c].as_ref()) {
                Some(differs) => differs.clone(),
                None => chunk.of_kind(is_missing),
            };
            expression.is_true_where(&asked, &chunk.sql_arrays(line.column)).ok()
        });
        if let Some(answers) = answers {
            return Ok(answers.value(line.row));
        }
        // Some row has no answer. It counts only where the rule comes to that row: which rows share a chunk is the layout's doing.
        let alone = BooleanBuffer::collect_bool(chunk.kinds.len(), |row| row == line.row);
        let answer = expression.is_true_where(&alone, &chunk.sql_arrays(line.column))?;
        Ok(answer.value(line.row))
    }
}

fn joined_row(chunk: &Chunk<'_>, row: usize, side: Side) -> Option<usize> {
    let joined = chunk.joined[row];
    let at = match side {
        Side::Live => joined.live,
        Side::Shadow => joined.shadow,
    };
    at.map(|r| r as usize)
}

/// The order-preserving bytes of a row's key, and how many of them are the account's.
pub(crate) fn key_bytes(job: &Job, chunk: &Chunk<'_>, row: usize) -> (Vec<u8>, usize) {
    let arrays = &chunk.arrays[chunk.side_of(row)];
    let (mut bytes, mut account) = (Vec::new(), 0);
    for (at, column) in job.plan.aligned.key.iter().enumerate() {
        sort_key_in(
            &value_at(arrays[*column].as_ref(), row),
            &job.columns[*column].column.shown,
            &mut bytes,
        );
        if at + 1 == job.plan.aligned.account_count {
            account = bytes.len();
        }
    }
    (bytes, account)
}
