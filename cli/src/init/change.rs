//! Finds the columns that differ between rows of one key, and among them those that a run writes about itself.

use super::key::combined;
use super::names::{NameHint, is_moment, name_hint, words};
use super::sample::{NULL_INSTANT, Sample, SampledColumn};
use super::schema::JointSchema;
use shadowdiff_core::side::Sides;
use shadowdiff_core::value::ValueType;
use std::collections::{BTreeMap, HashMap};

/// Fewer matched rows than this prove nothing.
const LEAST_PAIRS: usize = 20;
/// A column that differs in more than this share of the matched rows, in percent, may be technical.
const NEARLY_ALL: usize = 95;

/// Rows of one key, by their places in live and shadow.
#[derive(Debug, Default)]
pub(super) struct Pairs(pub(super) Vec<(usize, usize)>);

impl Pairs {
    pub(super) fn differing(&self, samples: &Sides<Sample>, column: usize) -> usize {
        let (live, shadow) = (&samples.live.columns[column].cells, &samples.shadow.columns[column].cells);
        self.0.iter().filter(|(a, b)| live[*a] != shadow[*b]).count()
    }

    pub(super) fn are_enough(&self) -> bool {
        self.0.len() >= LEAST_PAIRS
    }
}

/// Matches the rows whose key occurs once on each side.
pub(super) fn pairs(samples: &Sides<Sample>, key: &[usize]) -> Pairs {
    let keys = Sides::from_fn(|side| combined(&samples[side], key));
    let places = |keys: &[u64]| {
        let mut places: HashMap<u64, Option<usize>> = HashMap::with_capacity(keys.len());
        for (row, key) in keys.iter().enumerate() {
            places.entry(*key).and_modify(|place| *place = None).or_insert(Some(row));
        }
        places
    };
    let (live, shadow) = (places(&keys.live), places(&keys.shadow));
    let once = |(row, key): (usize, &u64)| live[key].and(shadow.get(key).copied().flatten()).map(|other| (row, other));
    Pairs(keys.live.iter().enumerate().filter_map(once).collect())
}

/// A column that differs, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Index into the shared columns.
    pub(super) column: usize,
    pub(super) differing: usize,
    pub(super) kind: ChangeKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeKind {
    /// Differs in nearly every row and looks like something that a run writes about itself.
    Technical,
    /// All instants differ by the same length: more likely a mistake than a time of loading.
    Shifted,
    Other,
}

/// The columns outside the key that differ, those that differ most first; what they are is judged where enough rows matched.
pub(super) fn changes(schema: &JointSchema, samples: &Sides<Sample>, key: &[usize], pairs: &Pairs) -> Vec<Change> {
    let mut changes: Vec<Change> = (0..schema.shared.len())
        .filter(|column| !key.contains(column))
        .map(|column| Change {
            column,
            differing: pairs.differing(samples, column),
            kind: ChangeKind::Other,
        })
        .filter(|change| change.differing > 0)
        .collect();
    if pairs.are_enough() {
        for change in &mut changes {
            change.kind = judge(schema, samples, change, pairs);
        }
    }
    changes.sort_by_key(|change| (std::cmp::Reverse(change.differing), change.column));
    changes
}

fn judge(schema: &JointSchema, samples: &Sides<Sample>, change: &Change, pairs: &Pairs) -> ChangeKind {
    if change.differing * 100 <= NEARLY_ALL * pairs.0.len() {
        return ChangeKind::Other;
    }
    let shared = &schema.shared[change.column];
    if shared.is_instant() && is_shifted(samples, change.column, pairs) {
        return ChangeKind::Shifted;
    }
    let is_time = matches!(shared.common.shown, ValueType::Timestamp { .. });
    let is_drawn = looks_drawn(&shared.name, &samples.live.columns[change.column]);
    // A pattern would take other columns, too.
    let can_be_named = !shared.name.contains('*');
    let is_technical = name_hint(&shared.name) == NameHint::Technical || (is_time && is_moment(&shared.name)) || is_drawn;
    if can_be_named && is_technical {
        ChangeKind::Technical
    } else {
        ChangeKind::Other
    }
}

/// Whether nearly all instants differ by one length though they are many: a time zone, a day too late.
fn is_shifted(samples: &Sides<Sample>, column: usize, pairs: &Pairs) -> bool {
    let (live, shadow) = (&samples.live.columns[column].cells, &samples.shadow.columns[column].cells);
    let mut lengths: BTreeMap<u64, usize> = BTreeMap::new();
    let mut instants: BTreeMap<u64, usize> = BTreeMap::new();
    for (a, b) in &pairs.0 {
        let (a, b) = (live[*a], shadow[*b]);
        if a != NULL_INSTANT && b != NULL_INSTANT {
            *lengths.entry(b.wrapping_sub(a)).or_default() += 1;
            *instants.entry(a).or_default() += 1;
        }
    }
    let most = lengths.values().max().copied().unwrap_or(0);
    instants.len() > 1 && most * 100 > NEARLY_ALL * pairs.0.len()
}

/// Whether a value is drawn anew in every run: a UUID by name or by form.
fn looks_drawn(name: &str, sampled: &SampledColumn) -> bool {
    let by_name = words(name).iter().any(|word| matches!(word.as_str(), "uuid" | "guid"));
    let hex = sampled.example.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = sampled.example.bytes().filter(|byte| *byte == b'-').count();
    let by_form = hex == 32 && hex + dashes == sampled.example.len() && matches!(dashes, 0 | 4);
    by_name || by_form
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::given;
    use super::*;

    const UUID: &str = "0189f7e2-5b1c-7a3e-9c55-2d6f1b0a4e11";

    #[test]
    fn technical_columns_are_told_from_changed_ones() {
        let row = |i: usize, v: usize| format!("{i} {v}");
        let rows = |value: &dyn Fn(usize) -> usize| (0..40).map(|i| row(i, value(i))).collect::<Vec<String>>();
        for (column, live, shadow, expected) in [
            ("loaded_at timestamp", rows(&|_| 5), rows(&|_| 9), Some(ChangeKind::Technical)),
            (
                "loaded_at timestamp",
                rows(&|i| 50 + i),
                rows(&|i| 900 + i * 3),
                Some(ChangeKind::Technical),
            ),
            (
                "loaded_at timestamp",
                rows(&|i| 50 + i),
                rows(&|i| 3650 + i),
                Some(ChangeKind::Shifted),
            ),
            (
                "signed timestamp",
                rows(&|i| 50 + i),
                rows(&|i| 900 + i * 3),
                Some(ChangeKind::Other),
            ),
            ("run_id int", rows(&|_| 1), rows(&|_| 2), Some(ChangeKind::Technical)),
            ("run_id int", rows(&|i| i), rows(&|i| i / 2), Some(ChangeKind::Technical)),
            ("row_uuid text", rows(&|i| i), rows(&|i| i + 1000), Some(ChangeKind::Technical)),
            ("score int", rows(&|i| i), rows(&|i| i + 1000), Some(ChangeKind::Other)),
            ("run_* int", rows(&|_| 1), rows(&|_| 2), Some(ChangeKind::Other)),
            ("score int", rows(&|i| i), rows(&|i| i), None),
        ] {
            let texts = |rows: &[String]| rows.iter().map(String::as_str).collect::<Vec<&str>>().join("\n");
            let (live, shadow) = (texts(&live), texts(&shadow));
            let (live, shadow): (Vec<&str>, Vec<&str>) = (live.lines().collect(), shadow.lines().collect());
            let (schema, samples) = given(&["id int", column], &live, &shadow);
            let found = changes(&schema, &samples, &[0], &pairs(&samples, &[0]));
            assert_eq!(
                found.first().map(|change| change.kind),
                expected,
                "{column} {} {}",
                live[1],
                shadow[1]
            );
        }
    }

    #[test]
    fn few_rows_are_counted_and_prove_nothing() {
        let (schema, samples) = given(&["id int", "run_id int"], &["1 1", "2 1"], &["1 2", "2 2"]);
        let found = changes(&schema, &samples, &[0], &pairs(&samples, &[0]));
        let differing: Vec<(usize, ChangeKind)> = found.iter().map(|change| (change.differing, change.kind)).collect();
        assert_eq!(differing, [(2, ChangeKind::Other)]);
    }

    #[test]
    fn uuids_are_known_by_form() {
        for (name, example, expected) in [
            ("x", UUID, true),
            ("x", UUID.replace('-', "").as_str(), true),
            ("x", "2026-01-01", false),
            ("row_uuid", "", true),
        ] {
            let sampled = SampledColumn {
                example: example.to_owned(),
                ..SampledColumn::default()
            };
            assert_eq!(looks_drawn(name, &sampled), expected, "{name} {example}");
        }
    }
}
