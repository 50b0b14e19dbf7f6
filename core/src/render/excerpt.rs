//! What a report shows of the tables of a result: the accounts with the most exceptions, some lines of each pattern, the most frequent
//! changes of each column. It is bounded, whatever the tables hold, and the same for the same tables.

use super::contrast::contrast;
use crate::report::{AccountRecord, Decision, Field, PatternSummary, Summary, read_fields};
use crate::spec::OUTPUT_COLUMNS;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Lines of `diff.csv` that are read: a result of terabytes shows in a moment too.
const READ_LINES: u64 = 1_000_000;
/// Of longer values only what is around their difference is kept.
const KEPT_CHARACTERS: usize = 2_000;
/// Different changes of a column that are counted, in the order in which they come.
const COUNTED_CHANGES: usize = 256;
/// Changes of longer values are not counted: such are rarely alike.
const COUNTED_BYTES: usize = 200;

/// How much of each is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExcerptSizes {
    pub accounts: usize,
    /// Of the summary's patterns, from the first on.
    pub patterns: usize,
    pub lines_of_a_pattern: usize,
    pub changes_of_a_column: usize,
}

/// A line of `diff.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub key: Vec<Field>,
    pub kind: String,
    pub column: Field,
    pub live: Field,
    pub shadow: Field,
    pub delta: Field,
    pub rule: Field,
    pub diagnosis: Field,
}

/// What became of a value in many lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub live: Field,
    pub shadow: Field,
    /// Lines that show it, of those that were read.
    pub lines: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The names of the key's columns.
    pub key: Vec<String>,
    /// The most exceptions first.
    pub accounts: Vec<AccountRecord>,
    /// Accounts to hold, all of them.
    pub held: u64,
    /// For each of the first patterns of the summary, lines that show it: exceptions where it has some.
    pub lines: Vec<Vec<Line>>,
    /// By column, the most frequent first.
    pub changes: BTreeMap<String, Vec<Change>>,
    /// Lines of `diff.csv` from the first on that were looked at.
    pub read: u64,
}

/// Takes the records of the tables one by one.
#[derive(Debug)]
pub struct ExcerptBuilder<'a> {
    sizes: ExcerptSizes,
    patterns: BTreeMap<[&'a str; 4], Wanted>,
    changes: BTreeMap<String, BTreeMap<(Field, Field), u64>>,
    /// Lines of patterns that are still wanted.
    missing: usize,
    /// How many fields of `accounts.csv` are those of the account.
    account_fields: usize,
    /// How many stand behind those.
    end_fields: usize,
    /// Exceptions and rows of the last account that is kept, once there are enough of them: what has no more than these is not kept.
    least: Option<(u64, u64)>,
    excerpt: Excerpt,
}

/// A pattern whose lines are kept.
#[derive(Debug)]
struct Wanted {
    at: usize,
    only_exceptions: bool,
}

impl Line {
    /// Of the fields of a record; `None` for what is no line of `diff.csv`. Says too whether it is an exception.
    pub fn from_record(mut key: Vec<Field>) -> Option<(Line, bool)> {
        let rest = key.split_off(key.len().checked_sub(OUTPUT_COLUMNS.len())?);
        let [kind, column, live, shadow, delta, _, _, rule, verdict, diagnosis] = rest.try_into().ok()?;
        let line = Line {
            key,
            kind: kind?,
            column,
            live,
            shadow,
            delta,
            rule,
            diagnosis,
        };
        Some((line, verdict.as_deref() == Some("exception")))
    }

    /// Kind, column, diagnosis and direction; empty where there is none.
    pub fn pattern(&self) -> [&str; 4] {
        let delta = self.delta.as_deref().unwrap_or_default();
        let direction = match delta.chars().next() {
            None | Some('N') => "",
            Some('-') => "down",
            Some(_) if delta.bytes().all(|b| matches!(b, b'0' | b'.')) => "",
            Some(_) => "up",
        };
        let column = self.column.as_deref().unwrap_or_default();
        [&self.kind, column, self.diagnosis.as_deref().unwrap_or_default(), direction]
    }

    /// The line without what is far from the difference of its values.
    fn cut(mut self) -> Line {
        if let (Some(live), Some(shadow)) = (&self.live, &self.shadow)
            && live.len().max(shadow.len()) > KEPT_CHARACTERS
        {
            let cut = contrast(live, shadow, KEPT_CHARACTERS);
            self.live = Some(format!("{}{}{}", cut.before, cut.live, cut.after));
            self.shadow = Some(format!("{}{}{}", cut.before, cut.shadow, cut.after));
        }
        self
    }
}

fn pattern_key(pattern: &PatternSummary) -> [&str; 4] {
    [
        pattern.kind.name(),
        pattern.column.as_deref().unwrap_or_default(),
        pattern.diagnosis.as_deref().unwrap_or_default(),
        pattern.direction.map(crate::spec::Direction::name).unwrap_or_default(),
    ]
}

impl<'a> ExcerptBuilder<'a> {
    pub fn new(summary: &'a Summary, sizes: ExcerptSizes) -> Self {
        let wanted = summary.patterns.iter().take(sizes.patterns).enumerate();
        let patterns: BTreeMap<[&str; 4], Wanted> = wanted
            .map(|(at, pattern)| {
                let only_exceptions = pattern.exceptions > 0;
                (pattern_key(pattern), Wanted { at, only_exceptions })
            })
            .collect();
        ExcerptBuilder {
            sizes,
            missing: patterns.len() * sizes.lines_of_a_pattern,
            excerpt: Excerpt {
                lines: vec![Vec::new(); patterns.len()],
                ..Excerpt::default()
            },
            patterns,
            changes: BTreeMap::new(),
            account_fields: 0,
            end_fields: 0,
            least: None,
        }
    }

    /// The header of `diff.csv`.
    pub fn header(&mut self, names: Vec<Field>) {
        let key = names.len().saturating_sub(OUTPUT_COLUMNS.len());
        self.excerpt.key = names.into_iter().take(key).flatten().collect();
    }

    /// The header of `accounts.csv`.
    pub fn accounts_header(&mut self, names: &[Field]) {
        self.account_fields = AccountRecord::account_fields(names).unwrap_or(0);
        self.end_fields = names.len() - self.account_fields;
    }

    /// A line of `accounts.csv`. There may be millions: of most it is enough to read the end.
    pub fn account_line(&mut self, line: &str) {
        match AccountRecord::read_end(line, self.end_fields) {
            Some(end) if self.least.is_some_and(|least| (end.exceptions, end.rows) <= least) => {
                self.excerpt.held += u64::from(end.decision == Decision::Hold);
            }
            Some(_) | None => self.account(read_fields(line)),
        }
    }

    /// A record of `accounts.csv`. What does not differ is passed over.
    pub fn account(&mut self, record: Vec<Field>) {
        let read = AccountRecord::read(record, self.account_fields);
        let Some(account) = read.filter(|account| account.decision != Decision::NoDifference) else {
            return;
        };
        self.excerpt.held += u64::from(account.decision == Decision::Hold);
        self.excerpt.accounts.push(account);
        if self.excerpt.accounts.len() > 2 * self.sizes.accounts + 100 {
            self.keep_worst();
        }
    }

    /// Of accounts with equally many exceptions those with more rows, then those that come first.
    fn keep_worst(&mut self) {
        let accounts = &mut self.excerpt.accounts;
        accounts.sort_by_key(|account| std::cmp::Reverse((account.exceptions, account.rows)));
        accounts.truncate(self.sizes.accounts);
        let last = accounts.last().filter(|_| accounts.len() == self.sizes.accounts);
        self.least = last.map(|account| (account.exceptions, account.rows));
    }

    /// A record of `diff.csv`; breaks where no more are wanted.
    pub fn line(&mut self, record: Vec<Field>) -> ControlFlow<()> {
        let wants_changes = self.sizes.changes_of_a_column > 0;
        if self.excerpt.read >= READ_LINES || (self.missing == 0 && !wants_changes) {
            return ControlFlow::Break(());
        }
        self.excerpt.read += 1;
        let Some((line, is_exception)) = Line::from_record(record) else {
            return ControlFlow::Continue(());
        };
        if wants_changes {
            self.count(&line);
        }
        let wanted = self
            .patterns
            .get(&line.pattern())
            .filter(|wanted| is_exception || !wanted.only_exceptions);
        if let Some(lines) = wanted.map(|wanted| &mut self.excerpt.lines[wanted.at])
            && lines.len() < self.sizes.lines_of_a_pattern
        {
            lines.push(line.cut());
            self.missing -= 1;
        }
        ControlFlow::Continue(())
    }

    fn count(&mut self, line: &Line) {
        let bytes = |field: &Field| field.as_deref().map_or(0, str::len);
        let Some(column) = line
            .column
            .as_ref()
            .filter(|_| bytes(&line.live) + bytes(&line.shadow) <= COUNTED_BYTES)
        else {
            return;
        };
        let changes = match self.changes.get_mut(column) {
            Some(changes) => changes,
            None => self.changes.entry(column.clone()).or_default(),
        };
        let change = (line.live.clone(), line.shadow.clone());
        let is_full = changes.len() >= COUNTED_CHANGES;
        match changes.get_mut(&change) {
            Some(lines) => *lines += 1,
            None if is_full => {}
            None => drop(changes.insert(change, 1)),
        }
    }

    pub fn finish(mut self) -> Excerpt {
        self.keep_worst();
        let most = self.sizes.changes_of_a_column;
        for (column, changes) in std::mem::take(&mut self.changes) {
            // What was seen once is no frequent change.
            let often = changes.into_iter().filter(|(_, lines)| *lines > 1);
            let mut often: Vec<Change> = often.map(|((live, shadow), lines)| Change { live, shadow, lines }).collect();
            often.sort_by_key(|change| std::cmp::Reverse(change.lines));
            often.truncate(most);
            if !often.is_empty() {
                self.excerpt.changes.insert(column, often);
            }
        }
        self.excerpt
    }
}
