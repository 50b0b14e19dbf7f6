//! Proposes a key: the most likely columns that name each row once, on both sides.
//!
//! ```text
//! columns both sides have, of key-like types  ->  cost by name, type and NULLs  ->  the cheapest `MAX_CANDIDATES`
//! one, two or three of them, cheapest first   ->  the first that is unique on both sides and found on the other
//! none of these                               ->  all that say what a row is, without those that are not needed
//! ```

use super::names::{NameHint, name_hint};
use super::sample::Sample;
use super::schema::{JointSchema, Shared};
use shadowdiff_core::mix::spread;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::OUTPUT_COLUMNS;
use shadowdiff_core::value::ValueType;
use std::collections::BTreeMap;

/// With three columns a key at most, 298 sets of columns; a wider key is looked for among these alone.
const MAX_CANDIDATES: usize = 12;

/// Columns as a key, with what the rows say of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tested {
    /// Indexes into the shared columns.
    pub(super) columns: Vec<usize>,
    /// Rows whose key an earlier row of their side has.
    pub(super) duplicates: Sides<usize>,
    /// Keys that both sides have.
    pub(super) common: usize,
}

impl Tested {
    pub(super) fn is_unique(&self) -> bool {
        self.duplicates == Sides::new(0, 0)
    }
}

/// The most likely key that holds the `fixed` columns; `None` where no column can be one.
pub(super) fn propose(schema: &JointSchema, samples: &Sides<Sample>, fixed: &[usize]) -> Option<Tested> {
    let candidates = candidates(schema, samples);
    let sets = sets(&candidates, fixed);
    let in_sets = candidates.iter().map(|c| c.column).chain(fixed.iter().copied());
    let counts: BTreeMap<usize, Sides<usize>> = in_sets.map(|c| (c, Sides::from_fn(|side| distinct(&samples[side], c)))).collect();
    // Unique, but of another run's making: what holds such a set is no better.
    let mut one_sided: Vec<Tested> = Vec::new();
    let is_one_sided = |set: &[usize], one_sided: &[Tested]| one_sided.iter().any(|t| t.columns.iter().all(|c| set.contains(c)));
    for set in &sets {
        if is_one_sided(set, &one_sided) || !may_be_unique(set, &counts, samples) {
            continue;
        }
        let tested = test(set, samples);
        if tested.is_unique() && is_found(&tested, schema, samples) {
            return Some(tested);
        }
        if tested.is_unique() {
            one_sided.push(tested);
        }
    }
    if let Some(wide) = wide(schema, samples, fixed, &candidates).filter(|_| one_sided.is_empty()) {
        return Some(wide);
    }
    // A unique key of which little is found on the other side: the rows looked at may be others there.
    if let Some(best) = one_sided
        .iter()
        .rev()
        .max_by_key(|t| t.common)
        .filter(|t| t.common > 0 || !are_whole(samples))
    {
        return Some(best.clone());
    }
    let tested = sets
        .iter()
        .filter(|set| !is_one_sided(set, &one_sided))
        .map(|set| test(set, samples));
    tested
        .min_by_key(|t| t.duplicates.live + t.duplicates.shadow)
        .or_else(|| one_sided.first().cloned())
}

/// A key of more columns than three: all that do not measure, then as few of them as still name each row, the least likely dropped first.
fn wide(schema: &JointSchema, samples: &Sides<Sample>, fixed: &[usize], candidates: &[Candidate]) -> Option<Tested> {
    let says_what_it_is = |c: &&Candidate| !matches!(name_hint(&schema.shared[c.column].name), NameHint::Measure | NameHint::Technical);
    let free = candidates.iter().filter(says_what_it_is).map(|c| c.column);
    let mut set: Vec<usize> = fixed.iter().copied().chain(free.filter(|c| !fixed.contains(c))).collect();
    let is_key = |tested: &Tested| tested.is_unique() && is_found(tested, schema, samples);
    let mut best = Some(test(&set, samples)).filter(|tested| !set.is_empty() && is_key(tested))?;
    for at in (fixed.len()..set.len()).rev() {
        let without: Vec<usize> = set.iter().copied().enumerate().filter(|(i, _)| *i != at).map(|(_, c)| c).collect();
        let tested = test(&without, samples);
        if is_key(&tested) {
            (set, best) = (without, tested);
        }
    }
    Some(best)
}

/// Counts duplicates and common keys.
pub(super) fn test(columns: &[usize], samples: &Sides<Sample>) -> Tested {
    let keys = Sides::from_fn(|side| sorted(combined(&samples[side], columns)));
    let duplicates = Sides::from_fn(|side| samples[side].rows - keys[side].len());
    let common = keys.live.iter().filter(|key| keys.shadow.binary_search(key).is_ok()).count();
    Tested {
        columns: columns.to_vec(),
        duplicates,
        common,
    }
}

fn sorted(mut cells: Vec<u64>) -> Vec<u64> {
    cells.sort_unstable();
    cells.dedup();
    cells
}

/// One number a row for several columns.
pub(super) fn combined(sample: &Sample, columns: &[usize]) -> Vec<u64> {
    let mut keys = vec![0u64; sample.rows];
    for column in columns {
        for (key, cell) in keys.iter_mut().zip(&sample.columns[*column].cells) {
            // The turn makes the order of columns count.
            *key = spread(key.rotate_left(23) ^ cell);
        }
    }
    keys
}

/// How many different values a column has.
pub(super) fn distinct(sample: &Sample, column: usize) -> usize {
    sorted(sample.columns[column].cells.clone()).len()
}

pub(super) fn are_whole(samples: &Sides<Sample>) -> bool {
    samples.live.is_whole && samples.shadow.is_whole
}

/// A key that is drawn anew in every run matches nothing; the name of a customer is never that.
fn is_found(tested: &Tested, schema: &JointSchema, samples: &Sides<Sample>) -> bool {
    let smaller = samples.live.rows.min(samples.shadow.rows);
    let names_accounts = tested
        .columns
        .iter()
        .all(|c| name_hint(&schema.shared[*c].name) == NameHint::Account);
    names_accounts || tested.common >= smaller.div_ceil(LEAST_FOUND)
}

/// Of so many keys of the smaller side one must be on the other.
const LEAST_FOUND: usize = 20;

/// Fewer combinations of values than rows cannot be unique.
fn may_be_unique(set: &[usize], counts: &BTreeMap<usize, Sides<usize>>, samples: &Sides<Sample>) -> bool {
    let product = |side: Side| set.iter().map(|column| counts[column][side]).fold(1, usize::saturating_mul);
    Side::BOTH.iter().all(|side| product(*side) >= samples[*side].rows)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    cost: u32,
    /// Index into the shared columns.
    column: usize,
}

fn candidates(schema: &JointSchema, samples: &Sides<Sample>) -> Vec<Candidate> {
    let all = |fits: fn(&Shared) -> bool| {
        let fitting = schema.shared.iter().enumerate().filter(move |(_, s)| fits(s));
        let mut found: Vec<Candidate> = fitting
            .map(|(column, shared)| {
                let has_nulls = samples.live.columns[column].nulls + samples.shadow.columns[column].nulls > 0;
                Candidate {
                    // Of two that name a row the one on top is plainer.
                    cost: cost(&shared.name, &shared.common.shown, has_nulls) + shared.path.len() as u32,
                    column,
                }
            })
            .collect();
        found.sort_unstable();
        found.truncate(MAX_CANDIDATES);
        found
    };
    let key_like = all(is_key_like);
    if key_like.is_empty() { all(can_be_key) } else { key_like }
}

/// Whether a column can be in a key at all.
pub(super) fn can_be_key(shared: &Shared) -> bool {
    let is_free = !OUTPUT_COLUMNS.contains(&shared.name.as_str()) && !shared.name.is_empty();
    is_free && !shared.common.shown.is_nested() && !shared.common.needs_tolerance
}

/// Whether a column is of a type that keys usually have.
pub(super) fn is_key_like(shared: &Shared) -> bool {
    let fits = match &shared.common.shown {
        ValueType::Text | ValueType::Int { .. } | ValueType::Binary | ValueType::Date | ValueType::Timestamp { .. } => true,
        ValueType::Decimal { scale, .. } => *scale <= 0,
        ValueType::Null
        | ValueType::Bool
        | ValueType::Float { .. }
        | ValueType::Time { .. }
        | ValueType::Duration { .. }
        | ValueType::Interval
        | ValueType::List(_)
        | ValueType::Struct(_)
        | ValueType::Map(_, _)
        | ValueType::Mixed(_) => false,
    };
    fits && can_be_key(shared)
}

/// How unlikely a column is to be in a key.
fn cost(name: &str, value_type: &ValueType, has_nulls: bool) -> u32 {
    let by_name = match name_hint(name) {
        NameHint::Account | NameHint::Group | NameHint::Identifier => 2,
        NameHint::Thing => 3,
        NameHint::Dimension => 4,
        NameHint::Other => 8,
        NameHint::Technical => 12,
        NameHint::Measure => 20,
    };
    let by_type = match value_type {
        ValueType::Timestamp { .. } => 3,
        ValueType::Decimal { .. } => 1,
        _ => 0,
    };
    by_name + by_type + if has_nulls { 3 } else { 0 }
}

/// The fixed columns with none to three candidates, the cheapest first; never empty.
fn sets(candidates: &[Candidate], fixed: &[usize]) -> Vec<Vec<usize>> {
    let free: Vec<Candidate> = candidates.iter().filter(|c| !fixed.contains(&c.column)).copied().collect();
    let mut sets: Vec<(u32, Vec<usize>)> = vec![(0, Vec::new())];
    for size in 1..=3 {
        let smaller: Vec<(u32, Vec<usize>)> = sets.iter().filter(|(_, set)| set.len() == size - 1).cloned().collect();
        for (cost, set) in smaller {
            let last = set.last().and_then(|column| free.iter().position(|c| c.column == *column));
            for next in &free[last.map_or(0, |at| at + 1)..] {
                sets.push((cost + next.cost, set.iter().copied().chain([next.column]).collect()));
            }
        }
    }
    // Stable: of equal cost the fewer columns, and those of cheaper and earlier ones, come first.
    sets.sort_by_key(|(cost, set)| (*cost, set.len()));
    sets.into_iter()
        .map(|(_, set)| fixed.iter().copied().chain(set).collect::<Vec<_>>())
        .filter(|set| !set.is_empty())
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sample::SampledColumn;
    use super::super::schema::meet;
    use super::*;
    use shadowdiff_core::plan::ReadColumn;

    /// Columns as `name type` and rows as words, a NULL as `-`.
    pub(in super::super) fn given(columns: &[&str], live: &[&str], shadow: &[&str]) -> (JointSchema, Sides<Sample>) {
        let read: Vec<ReadColumn> = columns
            .iter()
            .map(|text| {
                let (name, value_type) = text.split_once(' ').unwrap();
                ReadColumn {
                    source: name.into(),
                    name: name.into(),
                    value_type: ValueType::parse(value_type).unwrap(),
                }
            })
            .collect();
        let sampled = |rows: &[&str]| {
            let cells: Vec<Vec<&str>> = rows.iter().map(|row| row.split(' ').collect()).collect();
            let column = |at: usize| SampledColumn {
                cells: cells.iter().map(|row| number(row[at])).collect(),
                nulls: cells.iter().filter(|row| row[at] == "-").count(),
                example: cells.first().map_or(String::new(), |row| row[at].to_owned()),
            };
            Sample {
                rows: rows.len(),
                is_whole: true,
                columns: (0..columns.len()).map(column).collect(),
            }
        };
        (meet(Sides::new(read.clone(), read)), Sides::new(sampled(live), sampled(shadow)))
    }

    fn number(text: &str) -> u64 {
        text.parse()
            .unwrap_or_else(|_| text.bytes().fold(7, |n, byte| n * 31 + u64::from(byte)))
    }

    #[test]
    fn keys_are_unique_and_likely() {
        let rows = ["a x 1 10", "a y 2 11", "b x 3 12", "b y 4 13"];
        let drawn = ["a x 5 10", "a y 6 11", "b x 7 12", "b y 8 14"];
        let twice = ["a x 1 10", "a x 1 10", "b x 2 12", "b y 3 13"];
        for (case, columns, live, shadow, expected, duplicates) in [
            (
                "a pair by name",
                ["account_id text", "metric text", "x int", "amount int"],
                rows,
                rows,
                vec!["account_id", "metric"],
                0,
            ),
            (
                "a single id",
                ["kind_of text", "plan text", "id int", "amount int"],
                rows,
                rows,
                vec!["id"],
                0,
            ),
            (
                "an id that is drawn anew",
                ["account_id text", "metric text", "row_uuid int", "v int"],
                rows,
                drawn,
                vec!["account_id", "metric"],
                0,
            ),
            (
                "no key",
                ["account_id text", "metric text", "n double", "v double"],
                twice,
                twice,
                vec!["account_id", "metric"],
                2,
            ),
            (
                "names of the result",
                ["kind text", "metric text", "verdict int", "n int"],
                rows,
                rows,
                vec!["n"],
                0,
            ),
        ] {
            let (schema, samples) = given(&columns, &live, &shadow);
            let found = propose(&schema, &samples, &[]).unwrap();
            let names: Vec<&str> = found.columns.iter().map(|c| schema.shared[*c].name.as_str()).collect();
            assert_eq!(names, expected, "{case}");
            assert_eq!(found.duplicates.live + found.duplicates.shadow, duplicates, "{case}");
        }
    }

    #[test]
    fn a_key_may_need_many_columns() {
        let columns = [
            "shop text",
            "day text",
            "kind_of text",
            "channel text",
            "currency text",
            "amount int",
        ];
        let all: Vec<String> = (0..32)
            .map(|n| format!("s{} d{} k{} c{} u{} 7", n & 1, n >> 1 & 1, n >> 2 & 1, n >> 3 & 1, n >> 4))
            .collect();
        let rows: Vec<&str> = all.iter().map(String::as_str).collect();
        let (schema, samples) = given(&columns, &rows, &rows);
        let found = propose(&schema, &samples, &[]).unwrap();
        let mut names: Vec<&str> = found.columns.iter().map(|c| schema.shared[*c].name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["channel", "currency", "day", "kind_of", "shop"]);
        let half: Vec<&str> = rows.iter().copied().filter(|row| row.contains("s1")).collect();
        let (schema, samples) = given(&columns, &half, &half);
        assert_eq!(
            propose(&schema, &samples, &[]).unwrap().columns.len(),
            4,
            "one of them says the same of every row"
        );
    }

    #[test]
    fn no_columns_are_no_key() {
        let (schema, samples) = given(&["n double"], &["1", "2"], &["1", "2"]);
        let names = propose(&schema, &samples, &[]).map(|found| found.columns);
        assert_eq!(names, Some(vec![0]), "what is not like a key is better than nothing");
        assert_eq!(propose(&JointSchema::default(), &Sides::default(), &[]), None);
    }

    #[test]
    fn given_columns_are_kept() {
        let rows = ["a x 1", "a y 2", "b x 3"];
        let (schema, samples) = given(&["plan text", "metric text", "id int"], &rows, &rows);
        assert_eq!(propose(&schema, &samples, &[0]).unwrap().columns, [0, 2]);
    }

    #[test]
    fn likely_columns_come_first() {
        let names = ["account_id", "invoice", "due_date", "plan", "batch_id", "amount"];
        let costs = names.map(|name| cost(name, &ValueType::Text, false));
        assert!(costs.is_sorted(), "{costs:?}");
        assert!(cost("id", &ValueType::Text, true) > cost("id", &ValueType::Text, false));
    }
}
