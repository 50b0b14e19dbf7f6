//! Dates, times of day, timestamps and spans of time as ISO 8601 text.
//!
//! A date is `2026-11-01`; years beyond 9999 carry a `+`, years before 0 a `-`. A timestamp is `2026-11-01T00:00:00`, with a
//! `Z` where zoned and exactly the unit's digits. A time is `12:30:00.000`. A duration counts seconds, `PT90.500S` or
//! `-PT1S`; an interval gives its parts that are not 0, each with its sign: `P1M-2DT3.5S`, or `PT0S`.

use super::super::calendar::{DAY_NS, SECOND_NS, write_date};
use super::super::cell::Value;
use super::super::order::place_ns;
use super::super::types::{TimeUnit, ValueType};
use super::write_text;

/// A date or a timestamp.
pub(super) fn print_instant(value: &Value<'_>, form: Option<&ValueType>, out: &mut String) {
    let ns = place_ns(value).expect("dates and timestamps have a place in time");
    let (own, column) = match (value, form) {
        (
            Value::Timestamp { unit, zoned, .. },
            Some(ValueType::Timestamp {
                unit: column,
                zoned: among_zoned,
            }),
        ) => (*unit, (*column, *zoned || *among_zoned)),
        (Value::Timestamp { unit, zoned, .. }, _) => (*unit, (*unit, *zoned)),
        (_, Some(ValueType::Timestamp { unit, zoned })) => (TimeUnit::Second, (*unit, *zoned)),
        _ => return print_date(ns, out),
    };
    let (unit, zoned) = column;
    print_date(ns, out);
    out.push('T');
    print_clock(ns.rem_euclid(DAY_NS), digits(ns, own, unit), out);
    if zoned {
        out.push('Z');
    }
}

pub(super) fn print_time(ticks: i64, unit: TimeUnit, form: Option<&ValueType>, out: &mut String) {
    let column = match form {
        Some(ValueType::Time { unit }) => *unit,
        _ => unit,
    };
    let ns = i128::from(ticks) * unit.nanoseconds();
    if ns < 0 {
        out.push('-');
    }
    print_clock(ns.abs(), digits(ns, unit, column), out);
}

pub(super) fn print_duration(ticks: i64, unit: TimeUnit, form: Option<&ValueType>, out: &mut String) {
    let column = match form {
        Some(ValueType::Duration { unit }) => *unit,
        _ => unit,
    };
    let ns = i128::from(ticks) * unit.nanoseconds();
    out.push_str(if ns < 0 { "-PT" } else { "PT" });
    write_text(out, format_args!("{}", ns.abs() / SECOND_NS));
    print_fraction(ns.abs() % SECOND_NS, digits(ns, unit, column), out);
    out.push('S');
}

pub(super) fn print_interval(months: i32, days: i32, nanoseconds: i64, out: &mut String) {
    out.push('P');
    if months != 0 {
        write_text(out, format_args!("{months}M"));
    }
    if days != 0 {
        write_text(out, format_args!("{days}D"));
    }
    let ns = i128::from(nanoseconds);
    if ns == 0 && (months != 0 || days != 0) {
        return;
    }
    out.push_str(if ns < 0 { "T-" } else { "T" });
    write_text(out, format_args!("{}", ns.abs() / SECOND_NS));
    let (mut fraction, mut digits) = (ns.abs() % SECOND_NS, 9);
    while digits > 0 && fraction % 10 == 0 {
        (fraction, digits) = (fraction / 10, digits - 1);
    }
    if digits > 0 {
        write_text(out, format_args!(".{fraction:0>digits$}"));
    }
    out.push('S');
}

/// The digits of the column's unit, or of the value's own where the column's would lose some.
fn digits(ns: i128, own: TimeUnit, column: TimeUnit) -> usize {
    if own > column && ns % column.nanoseconds() != 0 {
        own.digits()
    } else {
        column.digits()
    }
}

/// Hours, minutes and seconds; hours beyond 23 are not folded into days.
fn print_clock(ns: i128, digits: usize, out: &mut String) {
    let seconds = ns / SECOND_NS;
    write_text(
        out,
        format_args!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    );
    print_fraction(ns % SECOND_NS, digits, out);
}

fn print_fraction(ns: i128, digits: usize, out: &mut String) {
    if digits > 0 {
        let fraction = ns / 10i128.pow(9 - digits as u32);
        write_text(out, format_args!(".{fraction:0>digits$}"));
    }
}

fn print_date(ns: i128, out: &mut String) {
    let days = i64::try_from(ns.div_euclid(DAY_NS)).expect("64 bits of any unit are fewer days");
    write_date(days, out).expect("a string takes all");
}
