//! CSV fields by RFC 4180: NULL is an empty field, the empty string is `""`.

use crate::align::Column;
use crate::spec::{Day, OUTPUT_COLUMNS};
use crate::value::{Number, Value, ValueType, print_in};
use siphasher::sip::SipHasher24;

const FIELDS_KEY: &[u8; 16] = b"shadowdiff.cells";

/// The header line of `diff.csv`, with its line feed.
pub fn header<'a>(key: impl IntoIterator<Item = &'a str>, spreadsheet_safe: bool) -> String {
    let mut line = String::new();
    for name in key {
        field(name, spreadsheet_safe, &mut line);
        line.push(',');
    }
    line.push_str(&OUTPUT_COLUMNS.join(","));
    line.push('\n');
    line
}

/// Appends a value as a field, in the column's common type.
pub(super) fn cell(value: &Value<'_>, shown: &ValueType, spreadsheet_safe: bool, out: &mut String) {
    if value.is_null() {
        return;
    }
    let from = out.len();
    print_in(value, shown, out);
    let is_number = matches!(value, Value::Int(_) | Value::Decimal(_) | Value::Float32(_) | Value::Float64(_));
    if is_number && (shown.is_number() || !spreadsheet_safe) {
        // Digits, a sign, a point, an exponent, or a name: nothing that needs quotes.
        return;
    }
    if !quiet(&out[from..]) || (spreadsheet_safe && runs(&out[from..])) {
        let text = out.split_off(from);
        // A number may begin with a minus: a spreadsheet reads it as one.
        field(&text, spreadsheet_safe && !shown.is_number(), out);
    }
}

/// Appends a value of a key: one way whichever side its row is from. Where one side has integers and the other doubles, what is an integer
/// prints as one; else the same account would be `3` here and `3.0` there.
pub(super) fn key_cell(value: &Value<'_>, column: &Column, spreadsheet_safe: bool, out: &mut String) {
    match integer_of_key(value, column) {
        Some(integer) => integer.print(out),
        None => cell(value, &column.shown, spreadsheet_safe, out),
    }
}

/// The same without quotes; nothing for NULL.
pub(super) fn print_key(value: &Value<'_>, column: &Column, out: &mut String) {
    match integer_of_key(value, column) {
        Some(integer) => integer.print(out),
        None => print_in(value, &column.shown, out),
    }
}

/// A value of a key as a reader of the field has it; `None` for NULL.
pub(super) fn key_text(value: &Value<'_>, column: &Column) -> Option<String> {
    let mut out = String::new();
    print_key(value, column, &mut out);
    (!value.is_null()).then_some(out)
}

/// What is an integer in a column that is not of doubles alone.
fn integer_of_key(value: &Value<'_>, column: &Column) -> Option<Number> {
    let is_double = matches!(value, Value::Float32(_) | Value::Float64(_));
    let only_doubles = || column.stored.each().iter().all(|(_, t)| matches!(t, ValueType::Float { .. }));
    if !is_double || only_doubles() {
        return None;
    }
    Number::from_value(value).map(|n| n.normalized()).filter(|n| n.parts().1 <= 0)
}

/// A value as a reader of its field has it; `None` for NULL.
pub(super) fn text(value: &Value<'_>, shown: &ValueType) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let mut out = String::new();
    print_in(value, shown, &mut out);
    Some(out)
}

/// Appends a struct that was put together from its members, as JSON.
pub(super) fn cell_of_struct(value: &Value<'_>, spreadsheet_safe: bool, out: &mut String) {
    cell(value, &ValueType::Null, spreadsheet_safe, out);
}

/// Appends a text as a field, quoted where it must be.
pub(super) fn field(text: &str, spreadsheet_safe: bool, out: &mut String) {
    let defused = spreadsheet_safe && runs(text);
    if quiet(text) && !defused {
        return out.push_str(text);
    }
    out.push('"');
    if defused {
        out.push('\'');
    }
    for part in text.split_inclusive('"') {
        out.push_str(part);
        if part.ends_with('"') {
            out.push('"');
        }
    }
    out.push('"');
}

/// Needs no quotes.
fn quiet(text: &str) -> bool {
    !text.is_empty() && !text.bytes().any(|b| matches!(b, b'"' | b',' | b'\n' | b'\r'))
}

/// Whether a field may be one that was defused for spreadsheets: what its text was cannot be told.
pub fn is_defused(text: &str) -> bool {
    text.strip_prefix('\'').is_some_and(runs)
}

/// What it may have been before it was defused.
fn undefused(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| runs(rest)).unwrap_or(text)
}

/// Of fields, whatever the type that printed them: numbers by value, days and times without zeros, texts without blanks around them.
pub fn fingerprint(fields: &[Option<String>]) -> u64 {
    let canonical: Vec<Option<String>> = fields.iter().map(|text| text.as_deref().map(canonical)).collect();
    let text = serde_json::to_vec(&canonical).expect("texts are JSON");
    SipHasher24::new_with_key(FIELDS_KEY).hash(&text)
}

fn canonical(text: &str) -> String {
    let text = undefused(text).trim();
    if let Some(number) = Number::parse(text) {
        return number.normalized().to_string();
    }
    match text.split_at_checked(10) {
        Some((day, time)) if Day::parse(day).is_some() => {
            let time = time.trim_start_matches(['T', ' ']);
            let time = time.strip_suffix('Z').or_else(|| time.strip_suffix("+00:00")).unwrap_or(time);
            let time = if time.contains('.') {
                time.trim_end_matches('0').trim_end_matches('.')
            } else {
                time
            };
            let time = if matches!(time, "00:00" | "00:00:00") { "" } else { time };
            format!("{day} {time}")
        }
        _ => text.to_owned(),
    }
}

/// What spreadsheets take for a formula (OWASP, CSV injection).
fn runs(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::Role;
    use crate::side::Sides;

    fn shown(text: &str, safe: bool) -> String {
        let mut out = String::new();
        field(text, safe, &mut out);
        out
    }

    #[test]
    fn fields_are_the_same_whatever_type_printed_them() {
        let of = |fields: &[&str]| fingerprint(&fields.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>());
        for (a, b) in [
            ("=1", "'=1"),
            ("3", "3.00"),
            ("-106", "-106.0"),
            ("100000", "1e5"),
            ("x", "x "),
            ("2024-04-16", "2024-04-16T00:00:00"),
            ("2024-04-16 01:02:03", "2024-04-16T01:02:03.000Z"),
            ("2024-04-16T01:02:03.5", "2024-04-16T01:02:03.500000"),
        ] {
            assert_eq!(of(&["k", a]), of(&["k", b]), "{a} {b}");
        }
        for (a, b) in [
            ("3", "30"),
            ("2024-04-16", "2024-04-17"),
            ("2024-04-16T10:00:00", "2024-04-16T01:00:00"),
            ("a", "A"),
        ] {
            assert_ne!(of(&[a]), of(&[b]), "{a} {b}");
        }
        assert_ne!(fingerprint(&[Some(String::new())]), fingerprint(&[None]));
        assert_ne!(of(&["a", "b"]), of(&["a,b"]));
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        for (text, safe, expected) in [
            ("plain text", false, "plain text"),
            ("", false, "\"\""),
            ("a,b", false, "\"a,b\""),
            ("say \"x\"", false, "\"say \"\"x\"\"\""),
            ("a\rb", false, "\"a\rb\""),
            ("=1+1", false, "=1+1"),
            ("=1+1", true, "\"'=1+1\""),
            ("-x", true, "\"'-x\""),
        ] {
            assert_eq!(shown(text, safe), expected, "{text}");
        }
    }

    #[test]
    fn keys_print_one_way_on_both_sides() {
        let double = ValueType::DOUBLE;
        for (value, live, printed) in [
            (Value::Int(3), ValueType::INT64, "3"),
            (Value::Float64(3.0), ValueType::INT64, "3"),
            (Value::Float64(-0.0), ValueType::INT64, "0"),
            (Value::Float32(3.0), ValueType::INT64, "3"),
            (Value::Float64(1e20), ValueType::INT64, "100000000000000000000"),
            (Value::Float64(2.5), ValueType::INT64, "2.5"),
            (Value::Float64(f64::NAN), ValueType::INT64, "NaN"),
            (Value::Null, ValueType::INT64, ""),
            (Value::Float64(3.0), ValueType::DOUBLE, "3.0"),
        ] {
            for stored in [Sides::new(live.clone(), double.clone()), Sides::new(double.clone(), live.clone())] {
                let column = Column {
                    name: "id".into(),
                    path: vec!["id".into()],
                    shown: ValueType::DOUBLE,
                    stored,
                    role: Role::Key,
                    parents: Vec::new(),
                };
                let mut out = String::new();
                key_cell(&value, &column, false, &mut out);
                assert_eq!(out, printed, "{value:?}");
            }
        }
    }

    #[test]
    fn cells_tell_null_from_empty_and_keep_negative_numbers() {
        let print = |value: &Value<'_>, shown: &ValueType, safe| {
            let mut out = String::new();
            cell(value, shown, safe, &mut out);
            out
        };
        assert_eq!(print(&Value::Null, &ValueType::Text, false), "");
        assert_eq!(print(&Value::Text(""), &ValueType::Text, false), "\"\"");
        assert_eq!(print(&Value::Int(-5), &ValueType::INT64, true), "-5");
        assert_eq!(print(&Value::Text("-5"), &ValueType::Text, true), "\"'-5\"");
        assert_eq!(
            print(
                &Value::List(vec![Value::Int(1), Value::Int(2)]),
                &ValueType::List(Box::new(ValueType::INT64)),
                false
            ),
            "\"[1,2]\""
        );
    }
}
