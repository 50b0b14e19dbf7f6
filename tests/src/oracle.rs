//! The comparison again, row by row with nested loops: what the engine must give, byte for byte.
//!
//! Shares the parsed spec with the engine and nothing else. What a cell shows is not diagnosed.

use crate::cell::{Cell, Table, Type, common, equal, order_all};
use crate::deltas::deltas;
use crate::ledger::{Counts, Difference, Ledger, Pair, distinct, is_expired, same};
use crate::print::print;
use crate::sql;
use crate::tolerance::{describe, passes, within};
use crate::totals::{Totals, add};
use crate::verdict::{Broken, broken};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{AccountScope, Comparator, DifferenceKind, Expected, ListSource, Pattern, Spec, ValueRule};
use std::collections::BTreeMap;

/// What a comparison must give.
#[derive(Debug)]
pub struct Outcome {
    pub diff: String,
    pub accounts: String,
    pub counts: Counts,
    /// Columns of one side.
    pub only: Sides<Vec<String>>,
    /// Empty is a pass.
    pub broken: Vec<Broken>,
    /// Of each column with a tolerance of numbers: the cells within it that would differ by the half, the quarter, … of it.
    pub tighter: BTreeMap<String, [u64; 17]>,
    /// The columns that are compared besides the key, and what they hold.
    pub values: Vec<String>,
    pub totals: Totals,
}

/// One cell pair whose comparator has spoken against it.
pub(crate) struct Unequal<'a> {
    name: String,
    pub(crate) shown: &'a Type,
    pub(crate) live: &'a Cell,
    pub(crate) shadow: &'a Cell,
    comparator: Comparator,
}

/// The rows of one key that are left after cancelling, of both sides.
struct Group<'a> {
    key: Vec<Cell>,
    rows: Sides<Vec<&'a [Cell]>>,
}

pub(crate) struct Comparing<'a> {
    pub(crate) spec: &'a Spec,
    tables: Sides<Table>,
    pub(crate) keys: Vec<Pair>,
    values: Vec<Pair>,
}

/// Compares two datasets under a spec.
pub fn compare(spec: &Spec, live: &Table, shadow: &Table) -> Outcome {
    let read = Sides::new(live.rows.len() as u64, shadow.rows.len() as u64);
    let tables = Sides::new(prepared(spec, Side::Live, live), prepared(spec, Side::Shadow, shadow));
    let filtered = Sides::from_fn(|side| read[side] - tables[side].rows.len() as u64);
    let comparing = Comparing::new(spec, tables);
    let ledger = comparing.run(Counts {
        read,
        filtered,
        ..Counts::default()
    });
    Outcome {
        diff: comparing.diff_csv(&ledger),
        accounts: comparing.accounts_csv(&ledger),
        broken: broken(spec, &ledger),
        counts: ledger.counts,
        only: ledger.only,
        tighter: comparing.tighter(),
        values: comparing.values.iter().map(|pair| pair.name.clone()).collect(),
        totals: comparing.totals(),
    }
}

/// Renamed, derived and filtered.
fn prepared(spec: &Spec, side: Side, table: &Table) -> Table {
    let mut table = table.clone();
    for (name, _) in &mut table.columns {
        if let Some((_, new)) = spec.columns.rename[side].iter().find(|(old, _)| old == name) {
            *name = new.clone();
        }
    }
    derive(&mut table, &spec.columns.derive[side]);
    if let Some(condition) = &spec.filter[side] {
        let Table { columns, rows } = &mut table;
        rows.retain(|row| sql::holds(condition, &|name| value_of(columns, row, name)));
    }
    table
}

/// Every column is made of the row as it was read; one of a name that is there takes its place.
fn derive(table: &mut Table, derives: &[(String, String)]) {
    let read = table.clone();
    for (name, text) in derives {
        let of = sql::derived_type(text, &read.columns);
        let made = read.rows.iter().map(|row| sql::derived(text, &read.columns, row));
        match table.columns.iter().position(|(n, _)| n == name) {
            Some(at) => {
                table.columns[at].1 = of;
                table.rows.iter_mut().zip(made).for_each(|(row, cell)| row[at] = cell);
            }
            None => {
                table.columns.push((name.clone(), of));
                table.rows.iter_mut().zip(made).for_each(|(row, cell)| row.push(cell));
            }
        }
    }
}

fn value_of(columns: &[(String, Type)], row: &[Cell], name: &str) -> Cell {
    row[columns
        .iter()
        .position(|(n, _)| n == name)
        .expect("the generator names columns that exist")]
    .clone()
}

/// `include` chooses, then `exclude` takes away.
fn leaves_out(spec: &Spec, name: &str) -> bool {
    let any = |patterns: &[Pattern]| patterns.iter().any(|p| p.matches(name));
    any(&spec.columns.exclude) || !(spec.columns.include.is_empty() || any(&spec.columns.include))
}

impl<'a> Comparing<'a> {
    fn new(spec: &'a Spec, tables: Sides<Table>) -> Self {
        let excluded = |name: &str| leaves_out(spec, name) && !spec.key.iter().any(|k| k == name);
        let mut pairs = Vec::new();
        for (live, (name, live_type)) in tables.live.columns.iter().enumerate() {
            let shadow = tables.shadow.columns.iter().position(|(n, _)| n == name);
            if let (Some(shadow), false) = (shadow, excluded(name)) {
                let shadow_type = &tables.shadow.columns[shadow].1;
                let (shown, types_differ) = (common(live_type, shadow_type), live_type != shadow_type);
                pairs.push(Pair {
                    name: name.clone(),
                    shown,
                    types_differ,
                    at: Sides::new(live, shadow),
                });
            }
        }
        let key = |name: &String| pairs.iter().find(|p| p.name == *name).expect("both sides have the key").clone();
        let keys = spec.key.iter().map(key).collect();
        let values = pairs.iter().filter(|p| !spec.key.contains(&p.name)).cloned().collect();
        Comparing {
            spec,
            tables,
            keys,
            values,
        }
    }

    /// Compares once more by each half of each tolerance.
    fn tighter(&self) -> BTreeMap<String, [u64; 17]> {
        let mut tighter = BTreeMap::new();
        let (groups, _) = self.groups();
        let is_pair = |group: &&Group<'_>| group.rows.live.len() == 1 && group.rows.shadow.len() == 1;
        for group in groups.iter().filter(is_pair) {
            let old = self.baseline(group) == Side::Live;
            for pair in &self.values {
                let [live, shadow] = Side::BOTH.map(|side| &group.rows[side][0][pair.at[side]]);
                let comparator = self.comparator_of(&pair.name, &pair.shown);
                if equal(live, shadow) || !passes(&comparator, live, shadow, old) {
                    continue;
                }
                let halves = (1..=16).map(|times| comparator.halved(times));
                let beyond = halves.map(|half| u64::from(half.is_some_and(|half| !passes(&half, live, shadow, old))));
                let counts: &mut [u64; 17] = tighter.entry(pair.name.clone()).or_insert([0; 17]);
                counts[0] += 1;
                counts[1..].iter_mut().zip(beyond).for_each(|(count, beyond)| *count += beyond);
            }
        }
        tighter
    }

    /// Of all rows that are left, whatever becomes of them.
    fn totals(&self) -> Totals {
        let mut totals = Totals::new();
        for pair in &self.values {
            let cells = Sides::from_fn(|side| self.tables[side].rows.iter().map(|row| &row[pair.at[side]]).collect());
            add(&pair.name, &pair.shown, &cells, &mut totals);
        }
        totals
    }

    fn run(&self, mut counts: Counts) -> Ledger {
        let (groups, cancelled) = self.groups();
        counts.cancelled = cancelled;
        let mut differences = Vec::new();
        for group in &groups {
            self.compare_group(group, &mut counts, &mut differences);
        }
        counts.exceptions = differences.iter().filter(|d| d.rule.is_none()).count() as u64;
        counts.expected = differences.len() as u64 - counts.exceptions;
        let excluded = |name: &String| leaves_out(self.spec, name);
        let names = |side: Side| self.tables[side].columns.iter().map(|(n, _)| n.clone());
        let only = Sides::from_fn(|side| {
            names(side)
                .filter(|n| !excluded(n) && !names(side.other()).any(|o| o == *n))
                .collect()
        });
        let keys = Sides::from_fn(|side| distinct(self.tables[side].rows.iter().map(|row| self.key_of(row, side))));
        let keys_on_both_sides = keys.live.iter().filter(|k| keys.shadow.iter().any(|s| same(k, s))).count();
        let width = self.spec.account.len();
        let accounts = distinct(keys.live.iter().chain(&keys.shadow).map(|key| key[..width].to_vec()));
        let account_rows = accounts.iter().map(|account| {
            Sides::from_fn(|side| {
                let keys = self.tables[side].rows.iter().map(|row| self.key_of(row, side));
                keys.filter(|key| same(&key[..width], account)).count()
            })
        });
        let account_rows = account_rows.collect();
        let columns = self.keys.iter().chain(&self.values).cloned().collect();
        // Who excludes a column by its own name leaves it out on purpose.
        let is_named = |name: &str| self.spec.columns.exclude.iter().any(|p| p.is_exact() && p.0 == name);
        let is_key = |name: &str| self.spec.key.iter().any(|k| k == name);
        let has_more = |side: Side| self.tables[side].columns.iter().any(|(name, _)| !is_key(name) && !is_named(name));
        let compares_no_value = !self.values.iter().any(|v| has_values(&v.shown)) && (has_more(Side::Live) || has_more(Side::Shadow));
        Ledger {
            differences,
            counts,
            accounts,
            account_rows,
            only,
            columns,
            keys_on_both_sides,
            compares_no_value,
        }
    }

    /// -0.0 equals 0.0, so a key with either prints as 0.0.
    fn key_of(&self, row: &[Cell], side: Side) -> Vec<Cell> {
        let positive = |cell: &Cell| {
            if *cell == Cell::Double(0.0) {
                Cell::Double(0.0)
            } else {
                cell.clone()
            }
        };
        self.keys.iter().map(|pair| positive(&row[pair.at[side]])).collect()
    }

    fn equal_rows(&self, live: &[Cell], shadow: &[Cell]) -> bool {
        self.keys
            .iter()
            .chain(&self.values)
            .all(|pair| equal(&live[pair.at.live], &shadow[pair.at.shadow]))
    }

    /// What is left after cancelling, by key and in the key's order, and how many rows of each side cancelled.
    fn groups(&self) -> (Vec<Group<'_>>, u64) {
        let mut shadow_left: Vec<&[Cell]> = self.tables.shadow.rows.iter().map(Vec::as_slice).collect();
        let mut live_left: Vec<&[Cell]> = Vec::new();
        for live in &self.tables.live.rows {
            match shadow_left.iter().position(|shadow| self.equal_rows(live, shadow)) {
                Some(at) => drop(shadow_left.remove(at)),
                None => live_left.push(live),
            }
        }
        let cancelled = (self.tables.live.rows.len() - live_left.len()) as u64;
        let mut groups: Vec<Group<'_>> = Vec::new();
        for (side, rows) in [(Side::Live, live_left), (Side::Shadow, shadow_left)] {
            for row in rows {
                let key = self.key_of(row, side);
                let at = groups.iter().position(|g| same(&g.key, &key)).unwrap_or_else(|| {
                    groups.push(Group {
                        key,
                        rows: Sides::default(),
                    });
                    groups.len() - 1
                });
                groups[at].rows[side].push(row);
            }
        }
        groups.sort_by(|a, b| order_all(&a.key, &b.key));
        (groups, cancelled)
    }

    fn compare_group(&self, group: &Group<'_>, counts: &mut Counts, out: &mut Vec<Difference>) {
        let count = |side: Side| group.rows[side].len();
        let (kind, fields) = match (count(Side::Live), count(Side::Shadow)) {
            (1, 1) => {
                let found = self.changed_cells(group);
                let counter = if found.is_empty() {
                    &mut counts.within_tolerance
                } else {
                    &mut counts.changed
                };
                *counter += 1;
                return out.extend(found);
            }
            (1, 0) => (DifferenceKind::MissingInShadow, Default::default()),
            (0, 1) => (DifferenceKind::MissingInLive, Default::default()),
            (live, shadow) => (
                DifferenceKind::DuplicateKey,
                [Some(live.to_string()), Some(shadow.to_string()), None, None, None],
            ),
        };
        match kind {
            DifferenceKind::MissingInShadow => counts.missing_in_shadow += 1,
            DifferenceKind::MissingInLive => counts.missing_in_live += 1,
            DifferenceKind::Changed | DifferenceKind::DuplicateKey => counts.duplicate_key += 1,
        }
        let rule = self.rule_for(group, kind, None);
        out.push(Difference {
            key: group.key.clone(),
            kind,
            column: String::new(),
            fields,
            rule,
            diagnosis: self.is_extra_copy(group).then_some("extra_copy"),
        });
    }

    /// One side alone has rows left, and the other has had some of that key.
    fn is_extra_copy(&self, group: &Group<'_>) -> bool {
        Side::BOTH.into_iter().any(|side| {
            let has_key = |row: &Vec<Cell>| same(&self.key_of(row, side), &group.key);
            group.rows[side].is_empty() && self.tables[side].rows.iter().any(has_key)
        })
    }

    fn changed_cells(&self, group: &Group<'_>) -> Vec<Difference> {
        let (live_row, shadow_row) = (group.rows.live[0], group.rows.shadow[0]);
        let old = self.baseline(group);
        let mut unequal = Vec::new();
        for pair in &self.values {
            self.unequal_cells(
                &pair.name,
                &pair.shown,
                &live_row[pair.at.live],
                &shadow_row[pair.at.shadow],
                old,
                &mut unequal,
            );
        }
        let difference = |cell: &Unequal<'_>| {
            let (delta, relative) = deltas(cell.live, cell.shadow, cell.shown, old);
            let fields = [
                print(cell.live, cell.shown),
                print(cell.shadow, cell.shown),
                delta,
                relative,
                Some(describe(&cell.comparator)),
            ];
            let rule = self.rule_for(group, DifferenceKind::Changed, Some(cell));
            Difference {
                key: group.key.clone(),
                kind: DifferenceKind::Changed,
                column: cell.name.clone(),
                fields,
                rule,
                diagnosis: None,
            }
        };
        unequal.iter().map(difference).collect()
    }

    /// Structs member by member; a NULL struct against one that is there is one line under the struct's own name.
    fn unequal_cells<'c>(&self, name: &str, shown: &'c Type, live: &'c Cell, shadow: &'c Cell, old: Side, out: &mut Vec<Unequal<'c>>) {
        if let (Type::Struct(members), Cell::Struct(_), Cell::Struct(_)) = (shown, live, shadow) {
            for (member, shown) in members {
                self.unequal_cells(
                    &format!("{name}.{member}"),
                    shown,
                    live.member(member),
                    shadow.member(member),
                    old,
                    out,
                );
            }
            return;
        }
        let comparator = self.comparator_of(name, shown);
        if !passes(&comparator, live, shadow, old == Side::Live) {
            out.push(Unequal {
                name: name.to_owned(),
                shown,
                live,
                shadow,
                comparator,
            });
        }
    }

    /// An exact name beats a pattern; a pattern takes the columns that it fits.
    fn comparator_of(&self, name: &str, shown: &Type) -> Comparator {
        let entries = || self.spec.comparators.iter();
        let exact = entries().find(|e| e.columns.iter().any(|p| p.is_exact() && p.0 == name));
        let pattern = || entries().find(|e| e.columns.iter().any(|p| p.matches(name)) && fits(&e.comparator, shown));
        exact.or_else(pattern).map_or(Comparator::EXACT, |e| e.comparator.clone())
    }

    fn baseline(&self, group: &Group<'_>) -> Side {
        let default = self.spec.baseline.default;
        match &self.spec.baseline.flipped {
            Some(list) if self.is_listed(list, group) => default.other(),
            _ => default,
        }
    }

    fn is_listed(&self, list: &ListSource, group: &Group<'_>) -> bool {
        let ListSource::List(accounts) = list else {
            unreachable!("the generator lists accounts in the spec")
        };
        let width = self.spec.account.len();
        let account: Vec<Option<String>> = group.key[..width]
            .iter()
            .zip(&self.keys)
            .map(|(cell, pair)| print(cell, &pair.shown))
            .collect();
        accounts
            .iter()
            .any(|listed| listed.iter().map(Some).eq(account.iter().map(Option::as_ref)))
    }

    fn rule_for(&self, group: &Group<'_>, kind: DifferenceKind, cell: Option<&Unequal<'_>>) -> Option<usize> {
        self.spec.expected.iter().position(|rule| self.covers(rule, group, kind, cell))
    }

    fn covers(&self, rule: &Expected, group: &Group<'_>, kind: DifferenceKind, cell: Option<&Unequal<'_>>) -> bool {
        let kinds = if !rule.kinds.is_empty() || rule.columns.is_empty() {
            rule.kinds.clone()
        } else {
            vec![DifferenceKind::Changed]
        };
        let in_kinds = kinds.is_empty() || kinds.contains(&kind);
        let takes = |pattern: &Pattern, name: &str| pattern.matches(name) || self.is_below(name, &pattern.0);
        let in_columns = rule.columns.is_empty() || cell.is_some_and(|c| rule.columns.iter().any(|p| takes(p, &c.name)));
        let old = self.baseline(group);
        let is_within = rule
            .within
            .as_ref()
            .is_none_or(|bounds| cell.is_some_and(|c| within(bounds, c.live, c.shadow, old == Side::Live)));
        !is_expired(rule, self.spec)
            && in_kinds
            && in_columns
            && self.in_accounts(rule, group)
            && is_within
            && self.filter_holds(rule, group, cell)
    }

    /// Whether a name is that of a member of the struct `around`.
    fn is_below(&self, name: &str, around: &str) -> bool {
        let is_struct = self.values.iter().any(|v| v.name == around && matches!(v.shown, Type::Struct(_)));
        is_struct && name.strip_prefix(around).is_some_and(|rest| rest.starts_with('.'))
    }

    fn in_accounts(&self, rule: &Expected, group: &Group<'_>) -> bool {
        match &rule.accounts {
            None => true,
            Some(AccountScope::Source(list)) => self.is_listed(list, group),
            Some(AccountScope::Where(condition)) => {
                let old = self.baseline(group);
                let side = if group.rows[old].is_empty() { old.other() } else { old };
                sql::holds(condition, &|name| value_of(&self.tables[side].columns, group.rows[side][0], name))
            }
        }
    }

    fn filter_holds(&self, rule: &Expected, group: &Group<'_>, cell: Option<&Unequal<'_>>) -> bool {
        let Some(condition) = &rule.filter else { return true };
        let in_row = |side: Side, name: &str| {
            group.rows[side]
                .first()
                .map_or(Cell::Null, |row| value_of(&self.tables[side].columns, row, name))
        };
        sql::holds(condition, &|name| match (name.split_once('.'), name) {
            (Some(("live_row", column)), _) => in_row(Side::Live, column),
            (Some(("shadow_row", column)), _) => in_row(Side::Shadow, column),
            (_, "live") => cell.map_or(Cell::Null, |c| c.live.clone()),
            (_, "shadow") => cell.map_or(Cell::Null, |c| c.shadow.clone()),
            (_, other) => unreachable!("the generator writes no {other}"),
        })
    }
}

/// A struct has only what its members have.
fn has_values(shown: &Type) -> bool {
    match shown {
        Type::List(item) => has_values(item),
        Type::Struct(members) => members.iter().any(|(_, member)| has_values(member)),
        _ => true,
    }
}

fn fits(comparator: &Comparator, shown: &Type) -> bool {
    let item = match shown {
        Type::List(item) => item,
        plain => plain,
    };
    let is_number = matches!(item, Type::Int { .. } | Type::Decimal { .. } | Type::Float { .. } | Type::Own);
    let is_time = matches!(item, Type::Date | Type::Timestamp { .. });
    let is_text = *item == Type::Text;
    match comparator {
        Comparator::Sql(_) => true,
        Comparator::Json => is_text,
        Comparator::Values { rule, unordered } => {
            let fits_rule = match rule {
                ValueRule::Exact => true,
                ValueRule::Number(_) => is_number,
                ValueRule::Text(_) => is_text,
                ValueRule::Time(_) => is_time,
            };
            fits_rule && (matches!(shown, Type::List(_)) || !unordered)
        }
    }
}
