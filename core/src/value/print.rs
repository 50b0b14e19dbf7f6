//! The text of a value in the output, before CSV quoting.
//!
//! - Doubles: the shortest digits that parse back to the same bits (float32: as a float32), always with a point or an
//!   exponent: plain between `1e-4` and `1e16`, as `1.5e-7` outside; `NaN`, `inf`, `-inf`. `-0.0` is equal to `0.0` and
//!   prints as it: which of two equal rows is left must not show.
//! - Decimals at their scale, binary as lower-case hex, dates, clocks and spans as [`clock`] says.
//! - Lists, structs and maps as compact JSON, as [`nested`] says.
//! - NULL prints nothing: the caller tells it from the empty string by quoting.

mod clock;
mod doubles;
mod nested;

use super::cell::Value;
use super::number::Number;
use super::types::ValueType;
use std::fmt::Write;

/// Appends a value in its own form.
pub fn print(value: &Value<'_>, out: &mut String) {
    print_as(value, None, out);
}

/// Appends a value in the form of its column's common type: decimals at the column's scale, times with the digits of the
/// column's unit, a date among timestamps as one. No digit is ever dropped, and an integer among doubles stays an integer.
pub fn print_in(value: &Value<'_>, column_type: &ValueType, out: &mut String) {
    print_as(value, Some(column_type), out);
}

fn print_as(value: &Value<'_>, form: Option<&ValueType>, out: &mut String) {
    let form = form.map(ValueType::shown);
    match value {
        Value::Null => {}
        Value::Bool(v) => out.push_str(if *v { "true" } else { "false" }),
        Value::Int(_) | Value::Decimal(_) | Value::Float32(_) | Value::Float64(_) => print_number(value, form, out),
        Value::Text(v) => out.push_str(v),
        Value::Binary(v) => v.iter().for_each(|byte| write_text(out, format_args!("{byte:02x}"))),
        Value::Date(_) | Value::Timestamp { .. } => clock::print_instant(value, form, out),
        Value::Time { ticks, unit } => clock::print_time(*ticks, *unit, form, out),
        Value::Duration { ticks, unit } => clock::print_duration(*ticks, *unit, form, out),
        Value::Interval { months, days, nanoseconds } => clock::print_interval(*months, *days, *nanoseconds, out),
        Value::List(_) | Value::Struct(_) | Value::Map(_) => nested::print_json(value, form, out),
    }
}

fn print_number(value: &Value<'_>, form: Option<&ValueType>, out: &mut String) {
    match (value, form) {
        (Value::Int(v), Some(ValueType::Decimal { scale, .. })) if *scale > 0 => print_at_scale(&Number::from_int(*v), *scale, out),
        (Value::Int(v), _) => Number::from_int(*v).print(out),
        (Value::Decimal(v), Some(ValueType::Decimal { scale, .. })) => print_at_scale(&Number::from_decimal(v), *scale, out),
        (Value::Decimal(v), _) => Number::from_decimal(v).print(out),
        // The two widths meet as doubles, and the widened digits are what was compared.
        (Value::Float32(v), Some(ValueType::Float { bits: 64 })) => doubles::print_double(f64::from(*v) + 0.0, out),
        (Value::Float32(v), _) => write_text(out, format_args!("{:?}", v + 0.0)),
        (Value::Float64(v), _) => doubles::print_double(v + 0.0, out),
        _ => unreachable!("only numbers are printed as numbers"),
    }
}

/// With at least the digits of the scale after the point; a finer value keeps its own, without zeros at its end where the scale is 0.
fn print_at_scale(number: &Number, scale: i8, out: &mut String) {
    let wanted = i32::from(scale);
    if wanted == 0 && number.scale() > 0 {
        return number.normalized().print(out);
    }
    if number.scale() >= wanted || wanted <= 0 {
        return number.print(out);
    }
    number.at_scale(wanted).print(out);
}

fn write_text(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into a string does not fail");
}

#[cfg(test)]
mod tests;
