//! Names and values as they are written in SQL.

use crate::value::{Value, print};

/// A column's name, whatever is in it.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value; `None` where SQL has no constant of its kind that is exact.
pub fn literal(value: &Value<'_>) -> Option<String> {
    let mut text = String::new();
    match value {
        Value::Text(value) => return Some(format!("'{}'", value.replace('\'', "''"))),
        Value::Bool(value) => return Some(value.to_string()),
        Value::Int(value) => return Some(value.to_string()),
        Value::Date(_) => print(value, &mut text),
        _ => return None,
    }
    Some(format!("DATE '{text}'"))
}
