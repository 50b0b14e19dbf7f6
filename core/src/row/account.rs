//! The account hash: which shard an account belongs to, the same for ever, on every machine, from either side.
//!
//! SipHash-2-4 (Aumasson, Bernstein 2012) with the key below, over the canonical bytes of the account's values in the order of the account
//! columns. Changing anything here changes where rows go between versions; `core/tests/golden/account_hash.txt` holds the line.

use super::canon::canon;
use crate::value::{Value, value_at};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use siphasher::sip::SipHasher24;

/// "shadowdiff.acct.", as two little-endian words.
const KEY: &[u8; 16] = b"shadowdiff.acct.";

/// The hash of one account.
pub fn account_hash(values: &[Value<'_>]) -> u64 {
    let mut bytes = Vec::new();
    values.iter().for_each(|v| canon(v, &mut bytes));
    SipHasher24::new_with_key(KEY).hash(&bytes)
}

/// The hashes of all rows; the columns are the account's, in order, in storage form.
pub fn account_hashes(columns: &[ArrayRef], rows: usize) -> Vec<u64> {
    match columns {
        // The commonest accounts, without a look at the type in every row.
        [only] if *only.data_type() == DataType::Int64 => {
            let numbers = only.as_primitive::<Int64Type>();
            hash_all(rows, |row| {
                if numbers.is_valid(row) {
                    Value::Int(numbers.value(row).into())
                } else {
                    Value::Null
                }
            })
        }
        [only] if *only.data_type() == DataType::Utf8 => {
            let texts = only.as_string::<i32>();
            hash_all(rows, |row| {
                if texts.is_valid(row) {
                    Value::Text(texts.value(row))
                } else {
                    Value::Null
                }
            })
        }
        [only] => hash_all(rows, |row| value_at(only.as_ref(), row)),
        _ => {
            let mut values = Vec::with_capacity(columns.len());
            let hash = |row: usize| {
                values.clear();
                values.extend(columns.iter().map(|c| value_at(c.as_ref(), row)));
                account_hash(&values)
            };
            (0..rows).map(hash).collect()
        }
    }
}

fn hash_all<'a>(rows: usize, value: impl Fn(usize) -> Value<'a>) -> Vec<u64> {
    let hasher = SipHasher24::new_with_key(KEY);
    let mut bytes = Vec::new();
    let mut last: Option<(Value<'a>, u64)> = None;
    let hash = |row: usize| {
        let value = value(row);
        // Rows of one account often come together.
        if let Some((before, hash)) = &last
            && *before == value
        {
            return *hash;
        }
        bytes.clear();
        canon(&value, &mut bytes);
        let hash = hasher.hash(&bytes);
        last = Some((value, hash));
        hash
    };
    (0..rows).map(hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Decimal, TimeUnit};
    use arrow_buffer::i256;

    /// Account values and their hashes as they have always been. Lines are added, never edited.
    #[test]
    fn hashes_are_those_of_the_golden_file() {
        let decimal = Value::Decimal(Decimal {
            unscaled: i256::from_i128(4200),
            scale: 2,
        });
        let cases: Vec<(&str, Vec<Value<'_>>)> = vec![
            ("null", vec![Value::Null]),
            ("text a1", vec![Value::Text("a1")]),
            ("text Zoë", vec![Value::Text("Zoë")]),
            ("empty text", vec![Value::Text("")]),
            ("int 42", vec![Value::Int(42)]),
            ("decimal 42.00", vec![decimal]),
            ("double 42.0", vec![Value::Float64(42.0)]),
            ("int -1", vec![Value::Int(-1)]),
            ("double -0.0", vec![Value::Float64(-0.0)]),
            ("double NaN", vec![Value::Float64(f64::NAN)]),
            ("double 0.1", vec![Value::Float64(0.1)]),
            ("bool", vec![Value::Bool(true)]),
            ("binary", vec![Value::Binary(&[0, 255])]),
            ("date", vec![Value::Date(20_000)]),
            (
                "timestamp",
                vec![Value::Timestamp {
                    ticks: 1_793_491_200_000,
                    unit: TimeUnit::Millisecond,
                    zoned: true,
                }],
            ),
            ("two columns", vec![Value::Text("DE"), Value::Int(7)]),
            ("two columns, swapped", vec![Value::Int(7), Value::Text("DE")]),
        ];
        let now: String = cases
            .iter()
            .map(|(name, values)| format!("{name}|{:016x}\n", account_hash(values)))
            .collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/account_hash.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &now).expect("the golden file can be written");
        }
        assert_eq!(std::fs::read_to_string(path).expect("the golden file"), now);
        assert_eq!(account_hash(&cases[4].1), account_hash(&cases[5].1), "42 is 42.00");
        assert_eq!(account_hash(&cases[4].1), account_hash(&cases[6].1), "42 is 42.0");
    }
}
