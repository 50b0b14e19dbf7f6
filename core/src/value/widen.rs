//! The common type of two types: the smallest in which neither side loses anything.
//!
//! Where no stored type can hold both (an integer and a double, 80 digits of decimal, nanoseconds beyond 2262) each side keeps its own
//! and values are compared one by one, exactly ([`Common::stored`] differs). Pairs without a common type are for the user to cast.

use super::types::{MAX_DIGITS, TimeUnit, ValueType};
use crate::side::Sides;
use serde::{Deserialize, Serialize};

/// How two types meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Common {
    /// The type in which cells are printed.
    pub shown: ValueType,
    /// What each side's values are converted to before they are compared.
    pub stored: Sides<ValueType>,
    /// Both are numbers, one a decimal and one binary floating point: only a numeric tolerance can compare them.
    pub needs_tolerance: bool,
    /// A naive timestamp meets a zoned one: the naive one is read as UTC.
    pub read_as_utc: bool,
}

impl Common {
    fn same(stored: ValueType) -> Self {
        Common {
            shown: stored.unmixed(),
            stored: Sides::new(stored.clone(), stored),
            needs_tolerance: false,
            read_as_utc: false,
        }
    }

    fn apart(shown: ValueType, live: &ValueType, shadow: &ValueType) -> Self {
        Common {
            shown,
            stored: Sides::new(live.clone(), shadow.clone()),
            needs_tolerance: false,
            read_as_utc: false,
        }
    }

    /// The sides keep different stored types: columnar equality does not apply.
    pub fn is_mixed(&self) -> bool {
        compares_by_value(&self.stored)
    }
}

/// Whether the two stored types of a column need a comparison of value by value: they differ, or one holds mixed values.
pub fn compares_by_value(stored: &Sides<ValueType>) -> bool {
    stored.live != stored.shadow || stored.live.is_mixed()
}

/// The common type of a column's two types, or `None` where only a cast can say what is meant.
pub fn common(live: &ValueType, shadow: &ValueType) -> Option<Common> {
    use ValueType as T;
    Some(match (live, shadow) {
        (a, b) if a == b => Common::same(a.clone()),
        (T::Null, b) => Common::same(b.clone()),
        (a, T::Null) => Common::same(a.clone()),
        (T::Mixed(_), _) | (_, T::Mixed(_)) => Common {
            stored: Sides::new(live.clone(), shadow.clone()),
            ..common(live.shown(), shadow.shown())?
        },
        (T::Int { .. } | T::Decimal { .. }, T::Int { .. } | T::Decimal { .. }) => match exact_number(live, shadow) {
            Some(t) => Common::same(t),
            None => Common::apart(wider_decimal(live, shadow), live, shadow),
        },
        (T::Float { bits: a }, T::Float { bits: b }) => Common::same(T::Float { bits: *a.max(b) }),
        (T::Int { .. }, T::Float { .. }) => Common::apart(shadow.clone(), live, shadow),
        (T::Float { .. }, T::Int { .. }) => Common::apart(live.clone(), live, shadow),
        (T::Decimal { .. }, T::Float { .. }) => Common {
            needs_tolerance: true,
            ..Common::apart(shadow.clone(), live, shadow)
        },
        (T::Float { .. }, T::Decimal { .. }) => Common {
            needs_tolerance: true,
            ..Common::apart(live.clone(), live, shadow)
        },
        (T::Timestamp { unit: a, zoned: za }, T::Timestamp { unit: b, zoned: zb }) => timestamps(live, shadow, *a.max(b), *za, *zb),
        (T::Date, T::Timestamp { unit, zoned }) => date_with(live, shadow, *unit, *zoned),
        (T::Timestamp { unit, zoned }, T::Date) => date_with(live, shadow, *unit, *zoned),
        (T::Time { unit: a }, T::Time { unit: b }) => Common::same(T::Time { unit: *a.max(b) }),
        (T::Duration { unit: a }, T::Duration { unit: b }) => {
            let finest = *a.max(b);
            let shown = T::Duration { unit: finest };
            if finest == TimeUnit::Nanosecond {
                Common::apart(shown, live, shadow)
            } else {
                Common::same(shown)
            }
        }
        (T::List(a), T::List(b)) => nested(&[common(a, b)?], |t| T::List(Box::new(t[0].clone()))),
        (T::Map(ka, va), T::Map(kb, vb)) => nested(&[common(ka, kb)?, common(va, vb)?], |t| {
            T::Map(Box::new(t[0].clone()), Box::new(t[1].clone()))
        }),
        (T::Struct(a), T::Struct(b)) => structs(a, b)?,
        (
            T::Bool
            | T::Int { .. }
            | T::Decimal { .. }
            | T::Float { .. }
            | T::Text
            | T::Binary
            | T::Date
            | T::Timestamp { .. }
            | T::Time { .. },
            _,
        )
        | (T::Duration { .. } | T::Interval | T::List(_) | T::Struct(_) | T::Map(_, _), _) => return None,
    })
}

/// The type of a column whose files, all of one side, store it as these types: like [`common`], but one stored type must hold all. A mixed
/// one does where no other can, and the order of the types does not matter. `None` where only a cast can say what is meant.
pub fn unify(types: &[&ValueType]) -> Option<ValueType> {
    use ValueType as T;
    let mut distinct: Vec<&ValueType> = Vec::new();
    for t in types.iter().filter(|t| ***t != T::Null) {
        if !distinct.contains(t) {
            distinct.push(t);
        }
    }
    match distinct.as_slice() {
        [] => Some(T::Null),
        [one] => Some((*one).clone()),
        all if all.iter().all(|t| t.is_number()) => numbers(all),
        all if all.iter().all(|t| matches!(t, T::Date | T::Timestamp { .. })) => Some(instants(all)),
        all if all.iter().all(|t| matches!(t, T::Time { .. })) => Some(T::Time { unit: finest(all) }),
        all if all.iter().all(|t| matches!(t, T::Duration { .. })) => {
            let unit = finest(all);
            Some(unless_nanoseconds(unit, T::Duration { unit }))
        }
        all => parts(all),
    }
}

/// Lists, maps and structs, part by part.
fn parts(all: &[&ValueType]) -> Option<ValueType> {
    use ValueType as T;
    let each = |part: fn(&ValueType) -> Option<&ValueType>| unify(&all.iter().map(|t| part(t)).collect::<Option<Vec<_>>>()?);
    match all.first()? {
        T::List(_) => Some(T::List(Box::new(each(|t| if let T::List(item) = t { Some(item) } else { None })?))),
        T::Map(_, _) => Some(T::Map(
            Box::new(each(|t| if let T::Map(key, _) = t { Some(key) } else { None })?),
            Box::new(each(|t| if let T::Map(_, value) = t { Some(value) } else { None })?),
        )),
        T::Struct(_) => {
            let structs = all.iter().map(|t| if let T::Struct(members) = t { Some(members) } else { None });
            members(&structs.collect::<Option<Vec<_>>>()?)
        }
        _ => None,
    }
}

/// All members of all structs, in the order in which they come up; one that a struct lacks is NULL there.
fn members(structs: &[&Vec<(String, ValueType)>]) -> Option<ValueType> {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in structs.iter().copied().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let of = |name: &String| {
        let types = structs.iter().copied().flatten().filter(|(n, _)| n == name).map(|(_, t)| t);
        Some((name.clone(), unify(&types.collect::<Vec<_>>())?))
    };
    names.into_iter().map(of).collect::<Option<_>>().map(ValueType::Struct)
}

fn numbers(all: &[&ValueType]) -> Option<ValueType> {
    use ValueType as T;
    let is_float = |t: &&&ValueType| matches!(t, T::Float { .. });
    let is_wide = |t: &&ValueType| matches!(t, T::Int { bits: 64, .. });
    match all.iter().filter(is_float).count() {
        0 => Some(exact_numbers(all)),
        floats if floats == all.len() => Some(T::DOUBLE),
        _ if all.iter().any(|t| matches!(t, T::Decimal { .. })) => None,
        // A double holds every integer of 32 bits.
        _ if all.iter().any(is_wide) => Some(T::Mixed(Box::new(T::DOUBLE))),
        _ => Some(T::DOUBLE),
    }
}

fn exact_numbers(all: &[&ValueType]) -> ValueType {
    let both = all.iter().skip(1).try_fold(all[0].clone(), |both, t| exact_number(&both, t));
    let are_integers = all.iter().all(|t| matches!(t, ValueType::Int { .. }));
    if are_integers && both.as_ref().is_some_and(|both| !matches!(both, ValueType::Int { .. })) {
        // As decimals they would not meet doubles of the other side; they are integers all the same.
        return ValueType::Mixed(Box::new(ValueType::INT64));
    }
    both.unwrap_or_else(|| {
        let widest = all.iter().skip(1).fold(all[0].clone(), |both, t| wider_decimal(&both, t));
        ValueType::Mixed(Box::new(widest))
    })
}

fn instants(all: &[&ValueType]) -> ValueType {
    let zoned = all.iter().any(|t| matches!(t, ValueType::Timestamp { zoned: true, .. }));
    let (unit, shown) = (finest(all), |unit| ValueType::Timestamp { unit, zoned });
    let is_finest = |t: &&ValueType| matches!(t, ValueType::Timestamp { unit: own, .. } if *own == unit);
    if all.iter().all(is_finest) {
        return shown(unit);
    }
    unless_nanoseconds(unit, shown(unit))
}

/// Of types that differ in their units, one of which counts `unit`: 64 bits of nanoseconds do not reach as far as the others do.
fn unless_nanoseconds(unit: TimeUnit, shown: ValueType) -> ValueType {
    match unit {
        TimeUnit::Nanosecond => ValueType::Mixed(Box::new(shown)),
        TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond => shown,
    }
}

fn finest(all: &[&ValueType]) -> TimeUnit {
    let unit = |t: &&ValueType| match t {
        ValueType::Timestamp { unit, .. } | ValueType::Time { unit } | ValueType::Duration { unit } => Some(*unit),
        _ => None,
    };
    all.iter().filter_map(unit).max().unwrap_or(TimeUnit::Second)
}

/// Digits before the point and scale of an exact number.
fn digits(t: &ValueType) -> (i16, i16) {
    match t {
        ValueType::Int { bits, signed } => {
            let whole = match (bits, signed) {
                (8, _) => 3,
                (16, _) => 5,
                (32, _) => 10,
                (_, true) => 19,
                (_, false) => 20,
            };
            (whole, 0)
        }
        ValueType::Decimal { precision, scale } => (i16::from(*precision) - i16::from(*scale), i16::from(*scale)),
        other => unreachable!("{other} is not an exact number"),
    }
}

fn exact_number(a: &ValueType, b: &ValueType) -> Option<ValueType> {
    if let (ValueType::Int { bits: x, signed: sx }, ValueType::Int { bits: y, signed: sy }) = (a, b) {
        return Some(integers((*x, *sx), (*y, *sy)));
    }
    let ((wa, sa), (wb, sb)) = (digits(a), digits(b));
    let (whole, scale) = (wa.max(wb), sa.max(sb));
    let precision = (whole + scale).max(1).max(scale);
    (precision <= i16::from(MAX_DIGITS)).then_some(ValueType::Decimal {
        precision: precision as u8,
        scale: scale as i8,
    })
}

fn integers(a: (u8, bool), b: (u8, bool)) -> ValueType {
    let signed_bits = |(bits, signed): (u8, bool)| if signed { bits } else { bits * 2 };
    match (a.1, b.1) {
        (true, true) | (false, false) => ValueType::Int {
            bits: a.0.max(b.0),
            signed: a.1,
        },
        (true, false) | (false, true) => match signed_bits(a).max(signed_bits(b)) {
            bits if bits <= 64 => ValueType::Int { bits, signed: true },
            _ => ValueType::Decimal { precision: 20, scale: 0 },
        },
    }
}

/// For printing only: as many digits as there can be.
fn wider_decimal(a: &ValueType, b: &ValueType) -> ValueType {
    let scale = digits(a).1.max(digits(b).1);
    ValueType::Decimal {
        precision: MAX_DIGITS,
        scale: scale as i8,
    }
}

fn timestamps(live: &ValueType, shadow: &ValueType, finest: TimeUnit, live_zoned: bool, shadow_zoned: bool) -> Common {
    let zoned = live_zoned || shadow_zoned;
    let shown = ValueType::Timestamp { unit: finest, zoned };
    let coarse = |t: &ValueType| {
        !matches!(
            t,
            ValueType::Timestamp {
                unit: TimeUnit::Nanosecond,
                ..
            }
        )
    };
    // 64 bits of nanoseconds end in 2262: a coarser side keeps its unit against nanoseconds.
    let both = if finest == TimeUnit::Nanosecond && (coarse(live) || coarse(shadow)) {
        Common::apart(shown, live, shadow)
    } else {
        Common::same(shown)
    };
    Common {
        read_as_utc: live_zoned != shadow_zoned,
        ..both
    }
}

fn date_with(live: &ValueType, shadow: &ValueType, unit: TimeUnit, zoned: bool) -> Common {
    let shown = ValueType::Timestamp { unit, zoned };
    let both = if unit == TimeUnit::Nanosecond {
        Common::apart(shown, live, shadow)
    } else {
        Common::same(shown)
    };
    Common {
        read_as_utc: zoned,
        ..both
    }
}

/// A type made of parts that met: each side keeps what its parts are stored as.
fn nested(parts: &[Common], wrap: impl Fn(&[ValueType]) -> ValueType) -> Common {
    let of = |part: fn(&Common) -> &ValueType| wrap(&parts.iter().map(part).cloned().collect::<Vec<_>>());
    Common {
        shown: of(|p| &p.shown),
        stored: Sides::new(of(|p| &p.stored.live), of(|p| &p.stored.shadow)),
        needs_tolerance: parts.iter().any(|p| p.needs_tolerance),
        read_as_utc: parts.iter().any(|p| p.read_as_utc),
    }
}

/// Structs inside lists and maps (elsewhere they are compared member by member): members by name. Each side stores the members of both, so
/// that one it lacks is NULL, which equals NULL.
fn structs(a: &[(String, ValueType)], b: &[(String, ValueType)]) -> Option<Common> {
    let (names, parts): (Vec<String>, Vec<Common>) = union(a, b, common)?.into_iter().unzip();
    Some(nested(&parts, |t| {
        ValueType::Struct(names.iter().cloned().zip(t.iter().cloned()).collect())
    }))
}

/// All members of both, in the order of `a`, then those of `b` only; one that a side lacks meets a Null type.
fn union<T>(
    a: &[(String, ValueType)],
    b: &[(String, ValueType)],
    meet: impl Fn(&ValueType, &ValueType) -> Option<T>,
) -> Option<Vec<(String, T)>> {
    let find = |of: &[(String, ValueType)], name: &str| of.iter().find(|(n, _)| n == name).map_or(ValueType::Null, |(_, t)| t.clone());
    let of_a = a.iter().map(|(name, t)| Some((name.clone(), meet(t, &find(b, name))?)));
    let only_b = b.iter().filter(|(name, _)| !a.iter().any(|(n, _)| n == name));
    let of_b = only_b.map(|(name, t)| Some((name.clone(), meet(&ValueType::Null, t)?)));
    of_a.chain(of_b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> ValueType {
        ValueType::parse(text).expect("a type of the test")
    }

    #[test]
    fn types_widen_without_loss() {
        for (live, shadow, shown, mixed) in [
            ("int32", "int64", "int64", false),
            ("uint8", "int8", "int16", false),
            ("uint32", "int64", "int64", false),
            ("uint64", "int64", "decimal(20,0)", false),
            ("uint64", "uint8", "uint64", false),
            ("int64", "decimal(5,2)", "decimal(21,2)", false),
            ("decimal(38,0)", "decimal(38,10)", "decimal(48,10)", false),
            ("decimal(76,0)", "decimal(38,10)", "decimal(76,10)", true),
            ("float16", "float32", "float32", false),
            ("float", "double", "double", false),
            ("int64", "double", "double", true),
            ("timestamp(ms)", "timestamp(us)", "timestamp(us)", false),
            ("timestamp(us)", "timestamp(ns)", "timestamp(ns)", true),
            ("timestamp(us)", "timestamp(us, UTC)", "timestamp(us, UTC)", false),
            ("date", "timestamp(ms)", "timestamp(ms)", false),
            ("null", "list(int32)", "list(int32)", false),
            ("list(int32)", "list(int64)", "list(int64)", false),
            ("list(int64)", "list(double)", "list(double)", true),
        ] {
            for (a, b) in [(live, shadow), (shadow, live)] {
                let both = common(&t(a), &t(b)).unwrap_or_else(|| panic!("{a} with {b}"));
                assert_eq!((both.shown.to_string().as_str(), both.is_mixed()), (shown, mixed), "{a} with {b}");
            }
        }
    }

    #[test]
    fn the_files_of_a_side_share_one_type_in_any_order() {
        for (types, want) in [
            (vec!["int8", "uint8"], "int16"),
            (vec!["uint64", "int64"], "mixed(int64)"),
            (vec!["uint64", "int64", "decimal(5,2)"], "decimal(22,2)"),
            (vec!["uint64", "int64", "double"], "mixed(double)"),
            (vec!["int64", "int32", "float"], "mixed(double)"),
            (vec!["int32", "double"], "double"),
            (vec!["int16", "float16"], "double"),
            (vec!["decimal(76,0)", "decimal(38,10)", "int8"], "mixed(decimal(76,10))"),
            (vec!["timestamp(ns)", "timestamp(us)"], "mixed(timestamp(ns))"),
            (vec!["timestamp(ns)", "timestamp(ns, UTC)"], "timestamp(ns, UTC)"),
            (vec!["timestamp(ns)", "date", "timestamp(s, UTC)"], "mixed(timestamp(ns, UTC))"),
            (vec!["timestamp(ms)", "date", "null"], "timestamp(ms)"),
            (vec!["time(ns)", "time(s)"], "time(ns)"),
            (vec!["duration(ns)", "duration(s)"], "mixed(duration(ns))"),
            (vec!["list(int64)", "list(null)", "list(double)"], "list(mixed(double))"),
            (vec!["map(text, int64)", "map(text, float)"], "map(text, mixed(double))"),
            (vec!["int64", "decimal(5,2)", "double"], "none"),
            (vec!["text", "int64"], "none"),
            (vec!["time", "timestamp"], "none"),
        ] {
            let types: Vec<ValueType> = types.into_iter().map(t).collect();
            for turn in 0..types.len() {
                let mut turned: Vec<&ValueType> = types.iter().collect();
                turned.rotate_left(turn);
                let both = unify(&turned).map_or("none".to_owned(), |both| both.to_string());
                assert_eq!(both, want, "{turned:?}");
            }
        }
    }

    #[test]
    fn structs_inside_lists_store_the_members_of_both() {
        let item = |members: &[(&str, &str)]| ValueType::Struct(members.iter().map(|(n, m)| ((*n).to_owned(), t(m))).collect());
        let list = |members: &[(&str, &str)]| ValueType::List(Box::new(item(members)));
        let both = common(
            &list(&[("a", "int64"), ("x", "text"), ("m", "int64")]),
            &list(&[("m", "double"), ("a", "int32"), ("y", "date")]),
        )
        .expect("structs of one list meet");
        let stored = |m| list(&[("a", "int64"), ("x", "text"), ("m", m), ("y", "date")]);
        assert_eq!(both.stored, Sides::new(stored("int64"), stored("double")));
        assert_eq!(both.shown, stored("double"));
    }

    #[test]
    fn naive_times_beside_zoned_ones_are_told_at_every_depth() {
        let (naive, zoned) = (t("timestamp(us)"), t("timestamp(us, UTC)"));
        let wraps: [fn(ValueType) -> ValueType; 4] = [
            |of| of,
            |of| ValueType::List(Box::new(of)),
            |of| ValueType::Map(Box::new(ValueType::Text), Box::new(of)),
            |of| ValueType::Map(Box::new(of), Box::new(ValueType::Struct(Vec::new()))),
        ];
        for wrap in wraps {
            let both = common(&wrap(naive.clone()), &wrap(zoned.clone())).expect("timestamps meet");
            assert!(both.read_as_utc, "{}", both.shown);
        }
    }

    #[test]
    fn unrelated_types_are_refused() {
        for (a, b) in [
            ("text", "int64"),
            ("bool", "int8"),
            ("binary", "text"),
            ("date", "text"),
            ("list(int64)", "int64"),
            ("time", "timestamp"),
        ] {
            assert_eq!(common(&t(a), &t(b)), None, "{a} with {b}");
            assert_eq!(common(&t(b), &t(a)), None, "{b} with {a}");
        }
    }
}
