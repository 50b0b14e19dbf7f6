//! Names and values as they are written in SQL.

use crate::value::{Value, print};

/// Words that begin or part something in SQL, as far as columns may be called so.
const TAKEN: &str = " all analyze and any array as asc at between both by case cast check collate column constraint create cross current \
                     current_date current_time current_timestamp date default delete desc describe distinct drop else end escape except exists extract \
                     false fetch filter for foreign from full group having if ilike in inner insert intersect interval into is join lateral leading left like \
                     limit live live_row map natural not null offset on or order outer over overlay partition position primary references returning right row rows \
                     select set shadow shadow_row similar some struct substring table then time timestamp to top trailing trim true try_cast union unique unknown update user \
                     using values view when where window with within ";

/// A column's name, whatever is in it; as it stands where nothing else can be meant.
pub fn identifier(name: &str) -> String {
    let mut chars = name.chars();
    let begins = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    let is_word = begins && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_word && !TAKEN.contains(&format!(" {name} ")) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value; `None` where SQL has no constant of its kind that is exact.
pub fn literal(value: &Value<'_>) -> Option<String> {
    let mut text = String::new();
    match value {
        Value::Null => return Some("NULL".to_owned()),
        Value::Text(value) => return Some(format!("'{}'", value.replace('\'', "''"))),
        Value::Bool(value) => return Some(value.to_string()),
        Value::Int(value) => return Some(value.to_string()),
        Value::Date(_) => print(value, &mut text),
        _ => return None,
    }
    Some(format!("DATE '{text}'"))
}
