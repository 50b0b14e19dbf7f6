//! What the benches measure on: columns of plain values, the same in every run.

use arrow_array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use std::fmt::Write;
use std::sync::Arc;

/// As many rows as a batch has.
pub const ROWS: usize = 8192;

/// Numbers, amounts, doubles and names, a tenth of them NULL.
///
/// # Panics
/// Never: the columns are equally long.
pub fn batch() -> RecordBatch {
    let some = |row: &usize| !row.is_multiple_of(10);
    let rows = || (0..ROWS).map(|row| Some(row).filter(some));
    let ids = Int64Array::from_iter(rows().map(|row| row.map(|row| (row * 7919) as i64)));
    let amounts = Decimal128Array::from_iter(rows().map(|row| row.map(|row| row as i128 * 12_345)));
    let doubles = Float64Array::from_iter(rows().map(|row| row.map(|row| row as f64 / 7.0)));
    let names = StringArray::from_iter(rows().map(|row| row.map(|row| format!("account number {row}"))));
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(ids)),
        ("amount", Arc::new(amounts)),
        ("ratio", Arc::new(doubles)),
        ("name", Arc::new(names)),
    ];
    RecordBatch::try_from_iter(columns).expect("the columns are equally long")
}

/// The same kind of rows as CSV; every fourth name is quoted.
pub fn csv() -> String {
    let mut text = String::from("id,amount,ratio,name\n");
    for row in 0..ROWS {
        let name = if row % 4 == 0 {
            format!("\"account, \"\"{row}\"\"\"")
        } else {
            format!("account {row}")
        };
        writeln!(text, "{},{}.25,{},{name}", row * 7919, row * 3, row as f64 / 7.0).expect("a string takes all");
    }
    text
}

/// The same kind of rows as JSON lines.
pub fn json() -> String {
    let mut text = String::new();
    for row in 0..ROWS {
        let ratio = row as f64 / 7.0;
        writeln!(
            text,
            "{{\"id\":{},\"amount\":{row}.25,\"ratio\":{ratio},\"name\":\"account {row}\"}}",
            row * 7919
        )
        .expect("a string takes all");
    }
    text
}
