//! Members of structs inside lists and maps: their paths, and how those of two types stand to each other.
//!
//! `items[].price` is a member of the structs in a list; `attributes[key].x` and `attributes[value].x` are those of a map.

use super::types::ValueType;

/// The paths of all members of the structs in `of`, the type of the column at `path`.
pub fn members_inside(path: &str, of: &ValueType) -> Vec<String> {
    let mut paths = Vec::new();
    for (below, t) in steps(path, of) {
        let inner = members_inside(&below, &t);
        if matches!(of, ValueType::Struct(_)) {
            paths.push(below);
        }
        paths.extend(inner);
    }
    paths
}

/// The paths of the members that `of` has and `other` lacks, where both are there.
pub fn only_inside(path: &str, of: &ValueType, other: &ValueType) -> Vec<String> {
    match (of, other) {
        (ValueType::List(_), ValueType::List(_))
        | (ValueType::Map(..), ValueType::Map(..))
        | (ValueType::Struct(_), ValueType::Struct(_)) => {
            let others = steps(path, other);
            let meet = |(below, t): (String, ValueType)| match others.iter().find(|(o, _)| *o == below) {
                Some((_, other)) => only_inside(&below, &t, other),
                None => vec![below],
            };
            steps(path, of).into_iter().flat_map(meet).collect()
        }
        (_, _) => Vec::new(),
    }
}

/// The same types, but for the order of members and for members that one of the two lacks: those are no change of a type.
pub fn alike(a: &ValueType, b: &ValueType) -> bool {
    match (a, b) {
        (ValueType::List(a), ValueType::List(b)) => alike(a, b),
        (ValueType::Map(ka, va), ValueType::Map(kb, vb)) => alike(ka, kb) && alike(va, vb),
        (ValueType::Struct(a), ValueType::Struct(b)) => a
            .iter()
            .filter_map(|(name, t)| b.iter().find(|(n, _)| n == name).map(|(_, other)| (t, other)))
            .all(|(t, other)| alike(t, other)),
        (a, b) => a == b,
    }
}

/// The type without the members whose paths are `excluded`.
pub fn without(path: &str, of: &ValueType, excluded: &impl Fn(&str) -> bool) -> ValueType {
    let mut parts = steps(path, of).into_iter().map(|(below, t)| without(&below, &t, excluded));
    let mut part = || Box::new(parts.next().expect("a step for every part of a type"));
    match of {
        ValueType::List(_) => ValueType::List(part()),
        ValueType::Map(..) => ValueType::Map(part(), part()),
        ValueType::Struct(members) => {
            let all = members.iter().map(|(name, _)| (name.clone(), *part()));
            ValueType::Struct(all.filter(|(name, _)| !excluded(&format!("{path}.{name}"))).collect())
        }
        other => other.clone(),
    }
}

/// Whether there is anything in a type that a value could be: structs without members, and lists of them, have nothing.
pub fn holds_values(of: &ValueType) -> bool {
    let below = steps("", of);
    if below.is_empty() {
        return !matches!(of, ValueType::Struct(_));
    }
    below.iter().any(|(_, t)| holds_values(t))
}

/// The types right below a type, with their paths.
fn steps(path: &str, of: &ValueType) -> Vec<(String, ValueType)> {
    match of {
        ValueType::List(item) => vec![(format!("{path}[]"), item.as_ref().clone())],
        ValueType::Map(key, value) => vec![
            (format!("{path}[key]"), key.as_ref().clone()),
            (format!("{path}[value]"), value.as_ref().clone()),
        ],
        ValueType::Struct(members) => members.iter().map(|(name, t)| (format!("{path}.{name}"), t.clone())).collect(),
        ValueType::Null
        | ValueType::Bool
        | ValueType::Int { .. }
        | ValueType::Decimal { .. }
        | ValueType::Float { .. }
        | ValueType::Text
        | ValueType::Binary
        | ValueType::Date
        | ValueType::Timestamp { .. }
        | ValueType::Time { .. }
        | ValueType::Duration { .. }
        | ValueType::Interval
        | ValueType::Mixed(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure(members: &[(&str, ValueType)]) -> ValueType {
        ValueType::Struct(members.iter().map(|(n, t)| ((*n).to_owned(), t.clone())).collect())
    }

    fn list(item: ValueType) -> ValueType {
        ValueType::List(Box::new(item))
    }

    fn map(key: ValueType, value: ValueType) -> ValueType {
        ValueType::Map(Box::new(key), Box::new(value))
    }

    #[test]
    fn members_of_one_type_are_named_by_their_paths() {
        let point = |more: &[&str]| {
            let names = [&["x"], more].concat();
            structure(&names.iter().map(|n| (*n, ValueType::Text)).collect::<Vec<_>>())
        };
        let (a, b) = (&["a"][..], &["b"][..]);
        for (one, other, only) in [
            (list(point(a)), list(point(b)), vec!["c[].a"]),
            (list(list(point(a))), list(list(point(&[]))), vec!["c[][].a"]),
            (
                list(structure(&[("p", point(a))])),
                list(structure(&[("p", point(b))])),
                vec!["c[].p.a"],
            ),
            (map(point(a), point(a)), map(point(b), point(b)), vec!["c[key].a", "c[value].a"]),
            (list(point(a)), list(ValueType::Null), vec![]),
            (ValueType::Null, list(point(b)), vec![]),
        ] {
            assert_eq!(only_inside("c", &one, &other), only, "{one} with {other}");
        }
        assert_eq!(
            members_inside("c", &list(structure(&[("p", point(a))]))),
            ["c[].p", "c[].p.x", "c[].p.a"]
        );
    }

    #[test]
    fn order_and_members_of_one_type_change_no_type() {
        let (int, text) = (ValueType::INT64, ValueType::Text);
        let one = list(structure(&[("a", int.clone()), ("b", text.clone()), ("x", text.clone())]));
        assert!(alike(
            &one,
            &list(structure(&[("b", text.clone()), ("a", int.clone()), ("y", int.clone())]))
        ));
        assert!(!alike(&one, &list(structure(&[("a", ValueType::DOUBLE), ("b", text.clone())]))));
        assert!(!alike(&map(text.clone(), int.clone()), &map(text, ValueType::DOUBLE)));
        assert!(!alike(&one, &ValueType::Null));
    }

    #[test]
    fn excluded_members_leave_the_type() {
        let of = |names: &[&str]| structure(&names.iter().map(|n| (*n, ValueType::Text)).collect::<Vec<_>>());
        let whole = map(list(of(&["a", "b"])), of(&["a"]));
        assert_eq!(
            without("c", &whole, &|path| path == "c[key][].a"),
            map(list(of(&["b"])), of(&["a"]))
        );
    }
}
