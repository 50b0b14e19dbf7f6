//! Proposes the account: a column that names a customer and is part of the key, or that every key belongs to one of.

use super::change::Pairs;
use super::key::{distinct, is_key_like};
use super::names::{NameHint, name_hint};
use super::sample::Sample;
use super::schema::JointSchema;
use shadowdiff_core::side::{Side, Sides};

/// An account outside the key may differ in so many of the matched rows: one in a thousand.
const MOVED: usize = 1_000;

/// The account column; the first column of the key where none has the name of one.
pub(super) fn propose(schema: &JointSchema, samples: &Sides<Sample>, key: &[usize], pairs: &Pairs) -> usize {
    let named = |hint: NameHint| {
        let in_key = key.iter().copied().find(|c| name_hint(&schema.shared[*c].name) == hint);
        let is_owner = |c: &usize| name_hint(&schema.shared[*c].name) == hint && is_coarser(schema, samples, *c, pairs);
        in_key.or_else(|| (0..schema.shared.len()).filter(|c| !key.contains(c)).find(is_owner))
    };
    named(NameHint::Account).or_else(|| named(NameHint::Group)).unwrap_or(key[0])
}

/// Whether a column groups the rows, and says the same of a row on both sides.
fn is_coarser(schema: &JointSchema, samples: &Sides<Sample>, column: usize, pairs: &Pairs) -> bool {
    let groups = |side: Side| {
        let sample = &samples[side];
        let count = distinct(sample, column);
        sample.columns[column].nulls == 0 && count > 1 && count < sample.rows
    };
    let agrees = !pairs.0.is_empty() && pairs.differing(samples, column) * MOVED <= pairs.0.len();
    is_key_like(&schema.shared[column]) && agrees && groups(Side::Live) && groups(Side::Shadow)
}

#[cfg(test)]
mod tests {
    use super::super::change::pairs;
    use super::super::key::tests::given;
    use super::*;

    #[test]
    fn accounts_name_customers() {
        let rows = ["1 a x", "2 a y", "3 b z"];
        let moved = ["1 a x", "2 b y", "3 b z"];
        for (case, columns, shadow, expected) in [
            ("in the key", ["user_id int", "plan text", "x text"], rows, "user_id"),
            ("owns the key", ["order_id int", "customer text", "x text"], rows, "customer"),
            (
                "a country where nothing better is",
                ["geonameid int", "countrycode text", "x text"],
                rows,
                "countrycode",
            ),
            (
                "a customer beats a country",
                ["user_id int", "country text", "x text"],
                rows,
                "user_id",
            ),
            (
                "differs between the sides",
                ["order_id int", "customer text", "x text"],
                moved,
                "order_id",
            ),
            ("one a row", ["order_id int", "plan text", "customer text"], rows, "order_id"),
            ("no name", ["n int", "plan text", "x text"], rows, "n"),
        ] {
            let (schema, samples) = given(&columns, &rows, &shadow);
            let account = propose(&schema, &samples, &[0], &pairs(&samples, &[0]));
            assert_eq!(schema.shared[account].name, expected, "{case}");
        }
    }
}
