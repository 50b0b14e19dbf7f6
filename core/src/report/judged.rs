//! Differences that are judged, counted and printed as they pass, in their order.

use super::accounts::AccountLine;
use super::attributes::{Attribute, RowValues, attributes, print_value};
use super::csv::fingerprint;
use super::delta::{Delta, delta};
use super::line::LinePrinter;
use super::table::TableRows;
use crate::acceptance::{Acceptances, Change};
use crate::align::Role;
use crate::compare::has_delta;
use crate::difference::{Answer, Difference};
use crate::error::{Error, Result};
use crate::judge::Judge;
use crate::noise::NoiseFloor;
use crate::patterns::{PassingRow, PassingValues, RowPatterns};
use crate::row::canon;
use crate::spec::Direction;
use crate::tally::{DifferenceTally, Judgement, Pattern};
use arrow_array::RecordBatch;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The diagnosis of rows that one side has left, whose key the other has too: those there have cancelled.
const EXTRA_COPY: &str = "extra_copy";
/// Up, down, and none.
const DIRECTIONS: usize = 3;

/// What is held of a buffer that comes round: one huge row does not decide what all of them take.
const KEPT_BYTES: usize = 4 << 20;

/// What became of differences that follow each other.
#[derive(Debug, Default)]
pub struct Reported {
    /// The lines of `diff.csv` that are listed.
    pub lines: String,
    pub listed: u64,
    /// In order; the first may have begun before, and the last may go on.
    pub accounts: Vec<AccountLine>,
    /// The listed ones as rows of a table, where the spec asks for one.
    pub table: Option<RecordBatch>,
    /// Their rows by what happens to them.
    pub rows: RowPatterns,
    /// All of them as they are comparison, each behind its length, where the spec asks for it.
    pub comparison: Vec<u8>,
}

impl Reported {
    /// Nothing, in the memory of this.
    pub fn emptied(mut self) -> Reported {
        self.lines.clear();
        self.lines.shrink_to(KEPT_BYTES);
        self.accounts.clear();
        self.comparison.clear();
        self.comparison.shrink_to(KEPT_BYTES);
        Reported {
            lines: self.lines,
            accounts: self.accounts,
            comparison: self.comparison,
            ..Reported::default()
        }
    }
}

/// Judges, counts and prints.
#[derive(Debug)]
pub struct Reporter<'a> {
    judge: &'a Judge<()>,
    acceptances: &'a Acceptances,
    noise: &'a NoiseFloor,
    printer: &'a LinePrinter<'a>,
    /// Fingerprints of keys that one side alone has left, and the other has too.
    found_keys: &'a BTreeSet<u128>,
    /// Of all differences that have passed.
    pub tally: DifferenceTally,
    /// Whether it is told what happens to rows.
    pub tells_rows: bool,
    row: Row,
    /// What is said of the differences of the row that is passing.
    judged: Vec<Judged>,
    /// Its exceptions.
    exceptions: PassingRow,
    /// The patterns that were met last, by column and direction.
    patterns: Vec<Option<Arc<Pattern>>>,
    /// By these rows are told apart.
    attributes: Vec<Attribute>,
    table: Option<TableRows>,
}

/// What the differences of a row, and of the rows of an account, have in common; its buffers are used again.
#[derive(Debug, Default)]
struct Row {
    /// The fields of the key, and how many bytes of them are the account's.
    text: String,
    account_text_bytes: usize,
    /// The account's values as they are stored; `None` before the first row.
    stored_account: Option<Vec<u8>>,
    /// The account's canonical bytes.
    account: Vec<u8>,
}

/// What is said of a difference.
#[derive(Debug)]
pub struct Judged {
    pub judgement: Judgement,
    pub pattern: Arc<Pattern>,
    /// The unit of noise that it is like, whether that explains it or not.
    pub noise: Option<usize>,
    delta: Option<Delta>,
}

impl Judged {
    /// By the size of the old value.
    pub fn relative(&self) -> Option<f64> {
        self.delta.as_ref().and_then(Delta::relative)
    }

    /// In the column's unit; of times in seconds, of dates in days.
    pub fn delta(&self) -> Option<f64> {
        self.delta.as_ref().map(Delta::as_double)
    }
}

impl<'a> Reporter<'a> {
    pub fn new(
        judge: &'a Judge<()>,
        (acceptances, noise): (&'a Acceptances, &'a NoiseFloor),
        printer: &'a LinePrinter<'a>,
        found_keys: &'a BTreeSet<u128>,
    ) -> Self {
        Reporter {
            judge,
            acceptances,
            noise,
            printer,
            found_keys,
            tally: DifferenceTally::default(),
            tells_rows: true,
            row: Row::default(),
            judged: Vec::new(),
            exceptions: PassingRow::default(),
            patterns: vec![None; (printer.aligned.columns.len() + 1) * DIRECTIONS],
            attributes: attributes(printer.aligned, &printer.spec.output.attributes),
            table: printer
                .spec
                .output
                .parquet
                .then(|| TableRows::new(printer.aligned, &printer.spec.output.attributes)),
        }
    }

    /// Ends what is reported of rows that follow each other.
    pub fn finish(&mut self, reported: &mut Reported) -> Result<()> {
        self.exceptions.end_piece(&reported.rows);
        if let Some(table) = &mut self.table {
            reported.table = table.finish()?;
        }
        Ok(())
    }

    /// Judges the differences of a row.
    pub fn judge_row(&mut self, differences: &mut [(Difference<'_>, bool)]) -> Result<()> {
        self.judged.clear();
        let Some((first, _)) = differences.first() else { return Ok(()) };
        self.begin_row(first);
        for (difference, _) in &mut *differences {
            if difference.key_fingerprint.is_some_and(|key| self.found_keys.contains(&key)) {
                difference.diagnosis = Some(EXTRA_COPY);
            }
            difference.key_fingerprint = None;
            let judged = self.judged(difference)?;
            self.judged.push(judged);
        }
        self.accept();
        self.subtract_noise(differences);
        Ok(())
    }

    /// What is said of each difference of the row that was judged last.
    pub fn judged_row(&self) -> &[Judged] {
        &self.judged
    }

    /// The rules that cover a difference of that row, each whatever those before it do. What SQL was not asked counts as no.
    pub fn covering(&self, difference: &Difference<'_>) -> impl Iterator<Item = usize> {
        let answers = difference.answers;
        self.judge
            .covering(difference, &self.row.account, move |question| answers.to(question) == Answer::Yes)
    }

    /// Adds the differences of a row, each with whether it is listed.
    pub fn add_row(&mut self, differences: &mut [(Difference<'_>, bool)], reported: &mut Reported) -> Result<()> {
        self.judge_row(differences)?;
        if self.printer.spec.output.judgeable {
            differences
                .iter()
                .try_for_each(|(difference, _)| keep(difference, &mut reported.comparison))?;
        }
        self.count(differences, reported);
        let listed = differences.iter().zip(&self.judged).filter(|((_, is_listed), _)| *is_listed);
        for ((difference, _), Judged { judgement, delta, .. }) in listed {
            let by = match judgement {
                Judgement::Expected(rule) => Some(self.printer.rule(*rule)),
                Judgement::Accepted(at) => Some(self.acceptances.fingerprint(*at)),
                Judgement::Noise(unit) => Some(self.noise.base(*unit)),
                Judgement::Exception => None,
            };
            let judged = (*judgement, by, delta.as_ref());
            reported.lines.push_str(&self.row.text);
            self.printer.print_rest(difference, judged, &mut reported.lines);
            if let Some(table) = &mut self.table {
                table.push(difference, judged, self.printer)?;
            }
            reported.listed += 1;
        }
        Ok(())
    }

    fn judged(&mut self, difference: &Difference<'_>) -> Result<Judged> {
        let delta = self.delta(difference);
        Ok(Judged {
            judgement: self.judge(difference)?.map_or(Judgement::Exception, Judgement::Expected),
            pattern: self.pattern(difference, delta.as_ref().and_then(Delta::direction)),
            noise: None,
            delta,
        })
    }

    /// The pattern of a difference: the one that was made last for such ones, where it is the same.
    fn pattern(&mut self, difference: &Difference<'_>, direction: Option<Direction>) -> Arc<Pattern> {
        let of_column = difference.column.map_or(0, |column| (column + 1) * DIRECTIONS);
        let at = match direction {
            None => of_column,
            Some(Direction::Up) => of_column + 1,
            Some(Direction::Down) => of_column + 2,
        };
        let Difference { kind, diagnosis, .. } = difference;
        let is_it = |last: &&Arc<Pattern>| last.kind == *kind && last.diagnosis.as_deref() == *diagnosis;
        if let Some(last) = self.patterns[at].as_ref().filter(is_it) {
            return Arc::clone(last);
        }
        let pattern = Arc::new(Pattern {
            kind: *kind,
            column: difference.column,
            diagnosis: diagnosis.map(str::to_owned),
            direction,
        });
        self.patterns[at] = Some(Arc::clone(&pattern));
        pattern
    }

    /// Accepts the exceptions of the row, all of them or none.
    fn accept(&mut self) {
        if self.acceptances.is_empty() {
            return;
        }
        let is_exception = |judged: &&Judged| judged.judgement == Judgement::Exception;
        let exceptions = self.judged.iter().filter(is_exception).map(|judged| Change {
            pattern: &judged.pattern,
            relative: judged.relative(),
            delta: judged.delta(),
        });
        let Some(acceptance) = self.acceptances.accepting(&exceptions.collect::<Vec<_>>()) else {
            return;
        };
        self.tally.count_accepted_row(acceptance);
        let exceptions = self.judged.iter_mut().filter(|judged| judged.judgement == Judgement::Exception);
        exceptions.for_each(|judged| judged.judgement = Judgement::Accepted(acceptance));
    }

    /// Counts what no rule covers and is like the noise, accepted or not, as it is counted of live against itself; takes exceptions out where
    /// that is decided.
    fn subtract_noise(&mut self, differences: &[(Difference<'_>, bool)]) {
        if self.noise.is_empty() {
            return;
        }
        let is_covered = |judged: &Judged| matches!(judged.judgement, Judgement::Expected(_));
        let all = self.judged.iter_mut().zip(differences);
        for (judged, (difference, _)) in all.filter(|(judged, _)| !is_covered(judged)) {
            let delta = judged.delta.as_ref().map(Delta::as_double);
            let value = || self.printer.shadow_text(difference);
            let fingerprints = (|| fingerprint(&self.printer.key_texts(difference)), || fingerprint(&[value()]));
            if let Some(column) = difference.column
                && let Some((size, met)) = self.noise.met(column, delta, fingerprints.0, fingerprints.1)
            {
                self.tally.like_noise.second_run.entry((column, size)).or_default().merge(met);
            }
            let Some((unit, size)) = self.noise.covering(&judged.pattern, delta, value) else {
                continue;
            };
            *self.tally.like_noise.like.entry((unit, size)).or_default() += 1;
            judged.noise = Some(unit);
            if judged.judgement == Judgement::Exception && self.noise.subtracts(unit) {
                judged.judgement = Judgement::Noise(unit);
            }
        }
    }

    fn count(&mut self, differences: &[(Difference<'_>, bool)], reported: &mut Reported) {
        let Some((first, _)) = differences.first() else { return };
        if !reported.accounts.last().is_some_and(|account| account.is_of(first.account_key())) {
            let text = &self.row.text[..self.row.account_text_bytes];
            reported.accounts.push(AccountLine::new(first.account_key(), text));
        }
        for (at, ((difference, _), judged)) in differences.iter().zip(&self.judged).enumerate() {
            let delta = judged.delta.as_ref();
            if judged.judgement == Judgement::Exception {
                self.exceptions.add(&judged.pattern, judged.relative(), || judged.delta());
            }
            self.tally.count(&judged.pattern, judged.judgement);
            if let (Some(column), Some(delta)) = (difference.column, delta) {
                delta.observe(self.tally.deltas.entry(column).or_default());
            }
            if let Some(column) = difference.column {
                let totals = self.tally.totals.entry(column).or_default();
                totals.nulls.live += u64::from(difference.live.is_null());
                totals.nulls.shadow += u64::from(difference.shadow.is_null());
                if self.printer.aligned.columns[column].shown.is_number() {
                    totals.add(&difference.live, &difference.shadow, delta.and_then(Delta::exact));
                }
            }
            if let Some(account) = reported.accounts.last_mut() {
                account.count(at == 0, judged.judgement);
            }
        }
        if !self.tells_rows {
            self.exceptions.clear();
            return;
        }
        let of_row = match &self.row.stored_account {
            Some(account) => RowValues::of_account(first, account, self.printer.aligned.account_count),
            None => RowValues::of(first),
        };
        let values = PassingValues {
            count: self.attributes.len(),
            value: &|at| of_row.value(&self.attributes[at]),
            print: &|at, value, out| print_value(&self.attributes[at], value, self.printer.aligned, out),
        };
        reported.rows.end(&mut self.exceptions, &self.row.text, &values);
    }

    /// What an account's rows have in common is made anew only where another one begins.
    fn begin_row(&mut self, difference: &Difference<'_>) {
        let (row, key, of_account) = (&mut self.row, difference.key, self.printer.aligned.account_count);
        let rest = match row.stored_account.as_ref().and_then(|stored| key.behind(stored)) {
            Some(rest) => rest,
            None => {
                let (stored, rest) = key.split(of_account);
                let of_row = row.stored_account.get_or_insert_default();
                of_row.clear();
                of_row.extend_from_slice(stored);
                row.account.clear();
                key.values().take(of_account).for_each(|value| canon(&value, &mut row.account));
                row.text.clear();
                self.printer.print_key(0, key.values().take(of_account), &mut row.text);
                row.account_text_bytes = row.text.len();
                rest
            }
        };
        row.text.truncate(row.account_text_bytes);
        self.printer.print_key(of_account, rest.values(), &mut row.text);
    }

    /// The rule that covers the difference. What its SQL said came with it.
    fn judge(&self, difference: &Difference<'_>) -> Result<Option<usize>> {
        let mut unknown = None;
        let rule = self
            .judge
            .judge(difference, &self.row.account, |question| match difference.answers.to(question) {
                Answer::Yes => true,
                Answer::No => false,
                Answer::Unknown => {
                    unknown.get_or_insert(question);
                    false
                }
            });
        match unknown {
            None => Ok(rule),
            Some(question) => Err(Error::internal(format!(
                "a rule comes to a difference of which its SQL was not asked ({question:?}); compare again"
            ))),
        }
    }

    fn delta(&self, difference: &Difference<'_>) -> Option<Delta> {
        let column = &self.printer.aligned.columns[difference.column?];
        if column.role == Role::Presence || !has_delta(&column.shown) {
            return None;
        }
        delta(&difference.live, &difference.shadow, &column.shown, difference.baseline)
    }
}

/// Appends the difference behind its length.
fn keep(difference: &Difference<'_>, comparison: &mut Vec<u8>) -> Result<()> {
    let from = comparison.len();
    comparison.extend([0; 4]);
    difference.encode(comparison);
    let length = u32::try_from(comparison.len() - from - 4).map_err(|_| Error::internal("a difference of more than 4 GiB"))?;
    comparison[from..from + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{AccountSet, Packer};
    use crate::align::{Aligned, SideColumn, align};
    use crate::difference::{Answers, Question, StoredValues};
    use crate::side::{Side, Sides};
    use crate::spec::{Day, DifferenceKind, Overrides, Spec, parse};
    use crate::value::{Value, ValueType, sort_key, write_value};

    /// A spec with these rules, and its columns: the account `id`, the row `n`, a number `v` and a struct `p` of `x` and `y`.
    fn bound(rules: &str) -> (Spec, Aligned) {
        let text = format!("live: a/\nshadow: b/\naccount: id\nkey: [n]\nexpected: [{rules}]\n");
        let spec = parse(&text, "s.yaml", &Overrides::default()).expect("a spec of the test").spec;
        let members = ["x", "y"].map(|name| (name.to_owned(), ValueType::INT64)).to_vec();
        let columns = [
            ("id", ValueType::Text),
            ("n", ValueType::INT64),
            ("v", ValueType::INT64),
            ("p", ValueType::Struct(members)),
        ];
        let columns = columns.map(|(name, value_type)| SideColumn {
            name: name.to_owned(),
            value_type,
        });
        let aligned = align(&spec, &Sides::new(columns.to_vec(), columns.to_vec())).expect("equal sides meet");
        (spec, aligned)
    }

    /// What is reported of the differences, cut into batches of so many rows.
    fn report(
        (spec, aligned): &(Spec, Aligned),
        sets: &[Option<AccountSet>],
        rows: &[DifferingRow<'_>],
        rows_a_batch: usize,
    ) -> Result<(String, DifferenceTally)> {
        let judge = Judge::without_sql(spec, aligned, sets, Day(20_000))?;
        let (printer, found_keys, none) = (LinePrinter::new(spec, aligned), BTreeSet::new(), Acceptances::default());
        let silence = NoiseFloor::default();
        let (mut lines, mut tally) = (String::new(), DifferenceTally::default());
        for batch in rows.chunks(rows_a_batch) {
            let mut reporter = Reporter::new(&judge, (&none, &silence), &printer, &found_keys);
            let mut reported = Reported::default();
            for found in batch {
                let (mut row_key, mut key) = (Vec::new(), Vec::new());
                sort_key(&Value::Text(found.id), &mut row_key);
                let account_key_bytes = row_key.len();
                sort_key(&Value::Int(1), &mut row_key);
                write_value(&Value::Text(found.id), &mut key);
                write_value(&Value::Int(1), &mut key);
                let cells = found.cells.iter().map(|(column, live, shadow)| {
                    let difference = Difference {
                        row_key: &row_key,
                        account_key_bytes,
                        kind: DifferenceKind::Changed,
                        column: Some(*column),
                        baseline: Side::Live,
                        key: StoredValues::of(&key),
                        live: live.clone(),
                        shadow: shadow.clone(),
                        diagnosis: None,
                        answers: Answers::of(&found.answers),
                        key_fingerprint: None,
                        kept: StoredValues::default(),
                    };
                    (difference, true)
                });
                reporter.add_row(&mut cells.collect::<Vec<_>>(), &mut reported)?;
            }
            lines.push_str(&reported.lines);
            tally.merge(reporter.tally);
        }
        Ok((lines, tally))
    }

    /// The differing cells of a row, by column.
    struct DifferingRow<'a> {
        id: &'a str,
        cells: Vec<(usize, Value<'a>, Value<'a>)>,
        answers: Vec<u8>,
    }

    fn changed<'a>(id: &'a str, live: i128, shadow: i128, answers: &[(Question, Answer)]) -> DifferingRow<'a> {
        let mut list = Vec::new();
        answers
            .iter()
            .for_each(|(question, answer)| Answers::write(*question, *answer, &mut list));
        DifferingRow {
            id,
            cells: vec![(2, Value::Int(live), Value::Int(shadow))],
            answers: list,
        }
    }

    #[test]
    fn the_first_rule_that_covers_a_difference_names_it_and_is_told_what_sql_said() {
        use Answer::{Unknown, Yes};
        use Question::{Accounts, Filter};
        let rules = "{name: listed, accounts: {list: [b]}, where: \"live > 0\"}, {name: few, accounts: {where: \"v = 1\"}}, \
                     {name: near, within: {absolute: 1}, columns: [v]}";
        let bound = bound(rules);
        let mut packer = Packer::default();
        let mut listed = Vec::new();
        canon(&Value::Text("b"), &mut listed);
        packer.push(&listed);
        let sets = [Some(packer.finish()), None, None];
        let rows = [
            // Not of the list: what its `where` said, or did not, is not asked.
            changed("a", 1, 2, &[(Filter(0), Yes)]),
            changed("a", 1, 9, &[(Filter(0), Unknown)]),
            changed("b", 1, 9, &[(Filter(0), Yes), (Accounts(1), Yes)]),
            changed("c", 1, 9, &[(Accounts(1), Yes)]),
            changed("d", 9, 1, &[]),
        ];
        let of = |rows: &[DifferingRow<'_>], rows_a_batch| report(&bound, &sets, rows, rows_a_batch);
        let (lines, tally) = of(&rows[1..], 10).expect("they are judged");
        assert_eq!(
            lines,
            "a,1,changed,v,1,9,8,8.0,exact,,exception,\n\
             b,1,changed,v,1,9,8,8.0,exact,listed,expected,\n\
             c,1,changed,v,1,9,8,8.0,exact,few,expected,\n\
             d,1,changed,v,9,1,-8,-0.8888888888888888,exact,,exception,\n"
        );
        assert_eq!((tally.expected(), tally.exceptions_in(2), tally.deltas[&2].count()), (2, 2, 4));
        assert_eq!(of(&rows[1..], 1).expect("they are judged"), (lines, tally), "however it is cut");
        let near = of(&rows[..1], 1).expect("it is judged").0;
        assert_eq!(near, "a,1,changed,v,1,2,1,1.0,exact,near,expected,\n");
        let asked = changed("b", 1, 9, &[(Filter(0), Unknown)]);
        let error = of(&[asked], 1).expect_err("nobody knows what the condition says of it");
        assert!(error.to_string().contains("its SQL was not asked"), "{error}");
    }

    #[test]
    fn a_struct_that_one_side_lacks_prints_as_its_members() {
        let bound = bound("");
        let there = Value::Struct(vec![("x", Value::Int(1)), ("y", Value::Null)]);
        let row = DifferingRow {
            id: "a",
            cells: vec![(3, Value::Null, there)],
            answers: Vec::new(),
        };
        let (lines, tally) = report(&bound, &[], &[row], 1).expect("it is judged");
        assert_eq!(lines, "a,1,changed,p,,\"{\"\"x\"\":1,\"\"y\"\":null}\",,,exact,,exception,\n");
        assert!(tally.deltas.is_empty());
    }
}
