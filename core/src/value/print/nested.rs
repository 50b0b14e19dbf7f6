//! Lists, structs and maps as compact JSON.
//!
//! Numbers stand bare (NaN and the infinities as strings), NULL is `null`, text keeps its non-ASCII letters, all else is
//! a string of its own form. A struct is an object in the order of its members. A map is sorted by key: an object where
//! keys are text, else a list of `[key,value]`.

use super::super::cell::Value;
use super::super::order::sorted_entries;
use super::super::types::ValueType;
use super::print_as;

pub(super) fn print_json(value: &Value<'_>, form: Option<&ValueType>, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(_) | Value::Int(_) | Value::Decimal(_) => print_as(value, form, out),
        Value::Float32(v) if v.is_finite() => print_as(value, form, out),
        Value::Float64(v) if v.is_finite() => print_as(value, form, out),
        Value::Text(v) => print_string(v, out),
        Value::Float32(_)
        | Value::Float64(_)
        | Value::Binary(_)
        | Value::Date(_)
        | Value::Timestamp { .. }
        | Value::Time { .. }
        | Value::Duration { .. }
        | Value::Interval { .. } => {
            let mut text = String::new();
            print_as(value, form, &mut text);
            print_string(&text, out);
        }
        Value::List(items) => {
            let item_form = match form {
                Some(ValueType::List(item)) => Some(item.as_ref()),
                _ => None,
            };
            print_all(items, '[', ']', out, |item, out| print_json(item, item_form, out));
        }
        Value::Struct(members) => print_struct(members, form, out),
        Value::Map(entries) => print_map(entries, form, out),
    }
}

fn print_struct(members: &[(&str, Value<'_>)], form: Option<&ValueType>, out: &mut String) {
    let forms: &[(String, ValueType)] = match form {
        Some(ValueType::Struct(forms)) => forms,
        _ => &[],
    };
    print_all(members, '{', '}', out, |(name, member), out| {
        print_string(name, out);
        out.push(':');
        print_json(member, forms.iter().find(|(n, _)| n == name).map(|(_, form)| form), out);
    });
}

fn print_map(entries: &[(Value<'_>, Value<'_>)], form: Option<&ValueType>, out: &mut String) {
    let (key_form, value_form) = match form {
        Some(ValueType::Map(key, value)) => (Some(key.as_ref()), Some(value.as_ref())),
        _ => (None, None),
    };
    let text_keys = match key_form {
        Some(key) => *key == ValueType::Text,
        None => entries.iter().all(|(key, _)| matches!(key, Value::Text(_))),
    };
    let (open, close) = if text_keys { ('{', '}') } else { ('[', ']') };
    print_all(&sorted_entries(entries), open, close, out, |(key, value), out| {
        if !text_keys {
            out.push('[');
        }
        print_json(key, key_form, out);
        out.push(if text_keys { ':' } else { ',' });
        print_json(value, value_form, out);
        if !text_keys {
            out.push(']');
        }
    });
}

fn print_all<T>(items: &[T], open: char, close: char, out: &mut String, mut one: impl FnMut(&T, &mut String)) {
    out.push(open);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        one(item, out);
    }
    out.push(close);
}

fn print_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("a string is always JSON"));
}
