//! Makes differences of the rows that differ, in order: what each is, and what SQL says of it. What the rules make of it is not asked here.

use crate::job::Job;
use crate::pairs::{Cells, Chunk};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;
use shadowdiff_common::compiled::RuleSql;
use shadowdiff_common::run::RunWriter;
use shadowdiff_common::sql::Expression;
use shadowdiff_core::align::{Aligned, Column, Role};
use shadowdiff_core::compare::{diagnose, swapped_with};
use shadowdiff_core::difference::{Answer, Answers, Difference, Question, StoredValues};
use shadowdiff_core::error::Result;
use shadowdiff_core::judge::Judge;
use shadowdiff_core::row::Hasher;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::DifferenceKind;
use shadowdiff_core::tally::Tally;
use shadowdiff_core::value::{Value, sort_key_in, value_at, write_value};
use std::collections::BTreeMap;

/// A row by the order-preserving bytes of its key, and how many of them are the account's.
pub(crate) type RowKey = (Vec<u8>, usize);

/// Takes the fingerprints of the keys of rows that one side alone has left, of the side that has them.
pub(crate) type Lonely<'l> = dyn FnMut(Side, &[u128]) -> Result<()> + 'l;

/// Appends the differences of a chunk whose rows are sorted by key and all differ.
pub(crate) struct DifferenceWriter<'a> {
    pub(crate) job: &'a Job,
    pub(crate) run: &'a mut RunWriter,
    pub(crate) lonely: &'a mut Lonely<'a>,
    pub(crate) tally: &'a mut Tally,
}

impl DifferenceWriter<'_> {
    pub(crate) fn write(&mut self, chunk: &Chunk, cells: &Cells, row_keys: &[RowKey]) -> Result<()> {
        for (column, count) in &cells.not_json {
            *self.tally.not_json.entry(*column).or_default() += count;
        }
        for (column, differs) in cells.differs.iter().enumerate() {
            if let Some(differs) = differs {
                *self.tally.cells.entry(column).or_default() += differs.count_set_bits() as u64;
            }
        }
        let (aligned, compiled) = (&self.job.plan.aligned, &self.job.compiled);
        let key_fingerprints = lonely_keys(aligned, &compiled.key_fingerprint, chunk);
        for side in Side::BOTH {
            let keys: Vec<u128> = key_fingerprints[side].iter().flatten().copied().collect();
            if !keys.is_empty() {
                (self.lonely)(side, &keys)?;
            }
        }
        let mut sql = RowSql::new(aligned, &compiled.judge, chunk, cells);
        let differing = cells.differs.iter().enumerate();
        let differing: Vec<(usize, &BooleanBuffer, Vec<usize>)> = differing
            .filter_map(|(column, differs)| Some((column, differs.as_ref()?, alike(&aligned.columns, column))))
            .collect();
        let (mut key, mut kept) = (Vec::new(), Vec::new());
        for (row, row_key) in row_keys.iter().enumerate() {
            self.count_row(chunk, row);
            key.clear();
            store_key(aligned, chunk, row, &mut key);
            kept.clear();
            self.store_kept(chunk, row, &mut kept);
            let of_row = Difference {
                row_key: &row_key.0,
                account_key_bytes: row_key.1,
                kind: chunk.kinds[row],
                column: None,
                baseline: chunk.baseline[row],
                key: StoredValues::of(&key),
                live: Value::Null,
                shadow: Value::Null,
                diagnosis: None,
                answers: Answers::default(),
                key_fingerprint: key_fingerprints.live[row].or(key_fingerprints.shadow[row]),
                kept: StoredValues::of(&kept),
            };
            let columns = differing.iter().filter(|(_, differs, _)| differs.value(row));
            match chunk.kinds[row] {
                DifferenceKind::Changed => columns.into_iter().try_for_each(|(column, _, alike)| {
                    let diagnosis = diagnosis(&aligned.columns, chunk, row, *column, alike);
                    let changed = Difference {
                        column: Some(*column),
                        live: value(&aligned.columns, chunk, Side::Live, row, *column),
                        shadow: value(&aligned.columns, chunk, Side::Shadow, row, *column),
                        diagnosis: diagnosis.as_deref(),
                        ..of_row.clone()
                    };
                    self.append(&mut sql, row, changed)
                })?,
                DifferenceKind::DuplicateKey => {
                    let rows = |side| Value::Int(chunk.rows_of(side, row).into());
                    let duplicate = Difference {
                        live: rows(Side::Live),
                        shadow: rows(Side::Shadow),
                        ..of_row
                    };
                    self.append(&mut sql, row, duplicate)?;
                }
                DifferenceKind::MissingInShadow | DifferenceKind::MissingInLive => self.append(&mut sql, row, of_row)?,
            }
        }
        Ok(())
    }

    fn append(&mut self, sql: &mut RowSql<'_>, row: usize, difference: Difference<'_>) -> Result<()> {
        sql.answer(row, &difference)?;
        self.run.append(&Difference {
            answers: Answers::of(&sql.answers),
            ..difference
        })
    }

    /// Appends the values that are kept of a row.
    fn store_kept(&self, chunk: &Chunk, row: usize, out: &mut Vec<u8>) {
        if chunk.kinds[row] == DifferenceKind::DuplicateKey {
            return;
        }
        for (side, places) in self.job.compiled.kept.each() {
            for place in places {
                let value = place.map_or(Value::Null, |at| value_at(chunk.arrays[side][at].as_ref(), row));
                write_value(&value, out);
            }
        }
    }

    fn count_row(&mut self, chunk: &Chunk, row: usize) {
        match chunk.kinds[row] {
            DifferenceKind::Changed => self.tally.changed += 1,
            DifferenceKind::MissingInShadow => self.tally.missing_in_shadow += 1,
            DifferenceKind::MissingInLive => self.tally.missing_in_live += 1,
            DifferenceKind::DuplicateKey => {
                self.tally.duplicate_key += 1;
                for side in Side::BOTH {
                    self.tally.sides[side].in_duplicates += chunk.rows_of(side, row);
                }
                let is_on_both = Side::BOTH.iter().all(|side| chunk.rows_of(*side, row) > 0);
                self.tally.duplicate_on_both += u64::from(is_on_both);
            }
        }
    }
}

/// By side, for each row of which that side alone has rows left, the fingerprint of its key.
fn lonely_keys(aligned: &Aligned, hasher: &Hasher, chunk: &Chunk) -> Sides<Vec<Option<u128>>> {
    Sides::from_fn(|side| {
        let is_lonely = |row: &usize| chunk.rows_of(side.other(), *row) == 0;
        let rows = 0..chunk.rows();
        if !rows.clone().any(|row| is_lonely(&row)) {
            return vec![None; rows.len()];
        }
        let key: Vec<&ArrayRef> = aligned.key.iter().map(|column| &chunk.arrays[side][*column]).collect();
        let hashes = hasher.hash(&key, rows.len());
        rows.zip(hashes).map(|(row, hash)| is_lonely(&row).then_some(hash)).collect()
    })
}

/// The other columns whose values may stand in a cell of this one by mistake.
fn alike(columns: &[Column], at: usize) -> Vec<usize> {
    let is_alike = |c: &usize| *c != at && matches!(columns[*c].role, Role::Value(_)) && columns[*c].shown == columns[at].shown;
    (0..columns.len()).filter(is_alike).collect()
}

/// What kind of change a cell shows.
fn diagnosis(columns: &[Column], chunk: &Chunk, row: usize, at: usize, alike: &[usize]) -> Option<String> {
    let column = &columns[at];
    let cell = |side: Side, column: usize| value_at(chunk.arrays[side][column].as_ref(), row);
    let (live, shadow) = (cell(Side::Live, at), cell(Side::Shadow, at));
    if column.role == Role::Presence {
        return Some(if live.is_null() { "null_vanished" } else { "null_appeared" }.into());
    }
    match swapped_with(at, &|c| cell(Side::Live, c), &|c| cell(Side::Shadow, c), alike) {
        Some(other) => Some(format!("swapped_with({})", columns[other].name)),
        None => diagnose(&live, &shadow, &column.shown, chunk.baseline[row]),
    }
}

/// The value of a cell; of a struct the members that are compared, put together again.
fn value<'c>(columns: &'c [Column], chunk: &'c Chunk, side: Side, row: usize, at: usize) -> Value<'c> {
    let cell = &chunk.arrays[side][at];
    if columns[at].role != Role::Presence || cell.is_null(row) {
        return value_at(cell.as_ref(), row);
    }
    let depth = columns[at].path.len();
    let direct = columns
        .iter()
        .enumerate()
        .filter(|(_, c)| c.parents.last() == Some(&at) && c.path.len() == depth + 1);
    let member = |(member, column): (usize, &'c Column)| (column.path[depth].as_str(), value(columns, chunk, side, row, member));
    Value::Struct(direct.map(member).collect())
}

/// What SQL says about the rows of a chunk, asked once a rule and column.
struct RowSql<'c> {
    aligned: &'c Aligned,
    judge: &'c Judge<RuleSql>,
    chunk: &'c Chunk,
    cells: &'c Cells,
    /// `where` of the rules; `None` where it failed for some row.
    filters: BTreeMap<(usize, Option<usize>), Option<BooleanBuffer>>,
    /// About the difference that was asked about last.
    answers: Vec<u8>,
    /// The rules whose `where` must be asked about it alone.
    open: Vec<usize>,
}

impl<'c> RowSql<'c> {
    fn new(aligned: &'c Aligned, judge: &'c Judge<RuleSql>, chunk: &'c Chunk, cells: &'c Cells) -> Self {
        RowSql {
            aligned,
            judge,
            chunk,
            cells,
            filters: BTreeMap::new(),
            answers: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Asks all rules that are for the difference.
    fn answer(&mut self, row: usize, difference: &Difference<'_>) -> Result<()> {
        self.answers.clear();
        self.open.clear();
        let judge = self.judge;
        for (rule, sql) in judge.sql_for(difference.kind, difference.column) {
            if let Some(accounts) = &sql.accounts
                && self.chunk.is_in_scope(accounts.place, row)
            {
                Answers::write(Question::Accounts(rule), Answer::Yes, &mut self.answers);
            }
            let Some(condition) = condition(sql, difference) else { continue };
            match self.filter(rule, condition, difference.column) {
                Some(answers) if answers.value(row) => Answers::write(Question::Filter(rule), Answer::Yes, &mut self.answers),
                Some(_) => {}
                None => self.open.push(rule),
            }
        }
        if self.open.is_empty() {
            return Ok(());
        }
        self.answer_alone(row, difference)
    }

    /// For conditions that fail somewhere in the chunk: asks those that a rule comes to about this row alone, so that no failure counts of
    /// a row that is not asked about. Which rows share a chunk is the layout's doing.
    fn answer_alone(&mut self, row: usize, difference: &Difference<'_>) -> Result<()> {
        let (mut asked, mut failed) = (BTreeMap::new(), None);
        let known = Answers::of(&self.answers);
        self.judge
            .judge(difference, &self.chunk.account(self.aligned, row), |question| match question {
                Question::Filter(rule) if self.open.contains(&rule) => {
                    let answer = self.alone(rule, row, difference).unwrap_or_else(|e| {
                        failed.get_or_insert(e);
                        false
                    });
                    asked.insert(rule, answer);
                    answer
                }
                Question::Filter(_) | Question::Accounts(_) => known.to(question) == Answer::Yes,
            });
        if let Some(error) = failed {
            return Err(error);
        }
        for rule in &self.open {
            let answer = match asked.get(rule) {
                Some(true) => Answer::Yes,
                Some(false) => Answer::No,
                None => Answer::Unknown,
            };
            Answers::write(Question::Filter(*rule), answer, &mut self.answers);
        }
        Ok(())
    }

    fn alone(&self, rule: usize, row: usize, difference: &Difference<'_>) -> Result<bool> {
        let sql = self.judge.all_sql().nth(rule);
        let condition = sql
            .and_then(|sql| condition(sql, difference))
            .expect("an open rule has a condition");
        let alone = BooleanBuffer::collect_bool(self.chunk.rows(), |at| at == row);
        Ok(condition
            .is_true_where(&alone, &self.chunk.sql_arrays(difference.column))?
            .value(row))
    }

    /// The answers of a rule's `where` for all rows that are asked about.
    fn filter(&mut self, rule: usize, condition: &Expression, column: Option<usize>) -> Option<&BooleanBuffer> {
        let (chunk, cells) = (self.chunk, self.cells);
        let answers = self.filters.entry((rule, column)).or_insert_with(|| {
            let asked = match column.and_then(|c| cells.differs[c].as_ref()) {
                Some(differs) => differs.clone(),
                None => chunk.of_kind(|kind| matches!(kind, DifferenceKind::MissingInShadow | DifferenceKind::MissingInLive)),
            };
            condition.is_true_where(&asked, &chunk.sql_arrays(column)).ok()
        });
        answers.as_ref()
    }
}

/// `where` of a rule, as it is planned for such a difference.
fn condition<'s>(sql: &'s RuleSql, difference: &Difference<'_>) -> Option<&'s Expression> {
    match (difference.kind, difference.column) {
        (DifferenceKind::DuplicateKey, _) => None,
        (_, Some(column)) => sql.cells.get(column).and_then(Option::as_ref),
        (_, None) => sql.rows.as_ref(),
    }
}

/// The order-preserving bytes of a row's key.
pub(crate) fn row_key(aligned: &Aligned, chunk: &Chunk, row: usize) -> RowKey {
    let arrays = &chunk.arrays[chunk.side_of(row)];
    let (mut bytes, mut account) = (Vec::new(), 0);
    for (at, column) in aligned.key.iter().enumerate() {
        sort_key_in(
            &value_at(arrays[*column].as_ref(), row),
            &aligned.columns[*column].shown,
            &mut bytes,
        );
        if at + 1 == aligned.account_count {
            account = bytes.len();
        }
    }
    (bytes, account)
}

/// Appends the values of a row's key.
fn store_key(aligned: &Aligned, chunk: &Chunk, row: usize, out: &mut Vec<u8>) {
    let arrays = &chunk.arrays[chunk.side_of(row)];
    aligned
        .key
        .iter()
        .for_each(|column| write_value(&value_at(arrays[*column].as_ref(), row), out));
}
