//! Meets the two schemas without a spec: what both sides have, what has no common type, what one side has alone.

use super::names::words;
use shadowdiff_core::plan::ReadColumn;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::value::{Common, ValueType, common, only_inside};

/// A column of both sides whose values can be held against each other; structs are taken apart.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// Dotted below structs.
    pub(super) name: String,
    pub(super) types: Sides<ValueType>,
    pub(super) common: Common,
    /// The top-level columns that are read for it.
    pub(super) read: Sides<ReadColumn>,
    /// The members below them.
    pub(super) path: Vec<String>,
}

impl Shared {
    /// Kept as its ticks, so that differences have a length.
    pub(super) fn is_instant(&self) -> bool {
        let is_instant = matches!(self.common.stored.live, ValueType::Date | ValueType::Timestamp { .. });
        is_instant && !self.common.is_mixed()
    }
}

/// A column, dotted below structs, with its type on each side.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) types: Sides<ValueType>,
}

/// The two schemas, met.
#[derive(Debug, Default)]
pub(super) struct JointSchema {
    /// Every column that is compared, in the order of live.
    pub(super) shared: Vec<Shared>,
    /// Columns whose types have nothing in common, and that are turned into text so that they can be compared.
    pub(super) as_text: Vec<Typed>,
    /// The same where text is no way out: lists, maps, members of structs.
    pub(super) clashes: Vec<Typed>,
    pub(super) only: Sides<Vec<String>>,
    /// The columns of each side, those of `as_text` as text.
    pub(super) columns: Sides<Vec<ReadColumn>>,
}

pub(super) fn meet(columns: Sides<Vec<ReadColumn>>) -> JointSchema {
    let mut schema = JointSchema {
        as_text: as_text(&columns),
        columns,
        ..JointSchema::default()
    };
    for side in Side::BOTH {
        for column in &mut schema.columns[side] {
            if schema.as_text.iter().any(|typed| typed.name == column.name) {
                column.value_type = ValueType::Text;
            }
        }
    }
    let Sides { live, shadow } = schema.columns.clone();
    for column in &live {
        match shadow.iter().find(|c| c.name == column.name) {
            Some(other) => meet_column(&Sides::new(column, other), &mut schema),
            None => schema.only.live.push(column.name.clone()),
        }
    }
    let is_alone = |c: &&ReadColumn| !live.iter().any(|other| other.name == c.name);
    schema.only.shadow.extend(shadow.iter().filter(is_alone).map(|c| c.name.clone()));
    // A column of that literal name is the one that a spec means by it.
    schema
        .shared
        .retain(|shared| shared.path.is_empty() || !live.iter().chain(&shadow).any(|c| c.name == shared.name));
    schema
}

/// Columns that have no common type; text is one for all that does not nest.
fn as_text(columns: &Sides<Vec<ReadColumn>>) -> Vec<Typed> {
    let mut found = Vec::new();
    for live in &columns.live {
        let Some(shadow) = columns.shadow.iter().find(|c| c.name == live.name) else {
            continue;
        };
        let (a, b) = (&live.value_type, &shadow.value_type);
        if common(a, b).is_none() && !a.is_nested() && !b.is_nested() {
            found.push(Typed {
                name: live.name.clone(),
                types: Sides::new(a.clone(), b.clone()),
            });
        }
    }
    found
}

fn meet_column(read: &Sides<&ReadColumn>, schema: &mut JointSchema) {
    let types = Sides::new(&read.live.value_type, &read.shadow.value_type);
    meet_types(read, &[], &types, schema);
}

/// `path`: the members that lead from the columns read to values of these types.
fn meet_types(read: &Sides<&ReadColumn>, path: &[String], types: &Sides<&ValueType>, schema: &mut JointSchema) {
    match (types.live, types.shadow) {
        (ValueType::Struct(a), ValueType::Struct(b)) => meet_members(read, path, a, b, schema),
        (ValueType::Struct(a), ValueType::Null) | (ValueType::Null, ValueType::Struct(a)) => meet_members(read, path, a, a, schema),
        (a, b) => {
            let name = dotted(read.live, path);
            schema.only.live.extend(only_inside(&name, a, b));
            schema.only.shadow.extend(only_inside(&name, b, a));
            let types = Sides::new(a.clone(), b.clone());
            match common(a, b) {
                Some(common) => schema.shared.push(Shared {
                    name,
                    types,
                    common,
                    read: Sides::new(read.live.clone(), read.shadow.clone()),
                    path: path.to_vec(),
                }),
                None => schema.clashes.push(Typed { name, types }),
            }
        }
    }
}

type Members = [(String, ValueType)];

fn meet_members(read: &Sides<&ReadColumn>, path: &[String], live: &Members, shadow: &Members, schema: &mut JointSchema) {
    let below = |name: &str| path.iter().cloned().chain([name.to_owned()]).collect::<Vec<String>>();
    for (name, live_type) in live {
        match shadow.iter().find(|(n, _)| n == name) {
            Some((_, shadow_type)) => meet_types(read, &below(name), &Sides::new(live_type, shadow_type), schema),
            None => schema.only.live.push(dotted(read.live, &below(name))),
        }
    }
    for (name, _) in shadow.iter().filter(|(name, _)| !live.iter().any(|(n, _)| n == name)) {
        schema.only.shadow.push(dotted(read.live, &below(name)));
    }
}

fn dotted(column: &ReadColumn, path: &[String]) -> String {
    std::iter::once(column.name.as_str())
        .chain(path.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(".")
}

/// Columns of one side alone that have the same words in their names: from shadow's name to live's.
pub(super) fn renames(only: &Sides<Vec<String>>) -> Vec<(String, String)> {
    let joined = |name: &str| words(name).concat();
    let mut renames: Vec<(String, String)> = Vec::new();
    // Members of structs cannot be renamed.
    for live in only.live.iter().filter(|name| !name.contains('.')) {
        let fits = |shadow: &&String| !shadow.contains('.') && !joined(live).is_empty() && joined(shadow) == joined(live);
        let is_free = |shadow: &&String| !renames.iter().any(|(taken, _)| taken == *shadow);
        if let Some(shadow) = only.shadow.iter().filter(fits).find(is_free) {
            renames.push((shadow.clone(), live.clone()));
        }
    }
    renames
}

/// The relative tolerance that a floating-point column needs where two programs add the same numbers in another order; `None` for other types.
pub(super) fn tolerance(types: &Sides<ValueType>) -> Option<&'static str> {
    let bits = |t: &ValueType| match t {
        ValueType::Float { bits } => Some(*bits),
        ValueType::List(item) => match item.as_ref() {
            ValueType::Float { bits } => Some(*bits),
            _ => None,
        },
        _ => None,
    };
    // An integer against a double is compared exactly, and a tolerance would hide that.
    let is_exact = |t: &ValueType| matches!(t, ValueType::Int { .. });
    if is_exact(&types.live) || is_exact(&types.shadow) {
        return None;
    }
    let fewest = bits(&types.live).into_iter().chain(bits(&types.shadow)).min()?;
    let place = match fewest {
        64 => 0,
        32 => 1,
        _ => 2,
    };
    Some(TOLERANCES[place].0)
}

/// Whether numbers written as text have so many decimals that they are most likely printed doubles.
pub(super) fn is_printed_double(types: &Sides<ValueType>) -> bool {
    let has_many = |t: &ValueType| matches!(t, ValueType::Decimal { scale, .. } if *scale >= MANY_DECIMALS);
    has_many(&types.live) && has_many(&types.shadow)
}

const MANY_DECIMALS: i8 = 10;

/// Tolerances of doubles, float32 and float16, with how many digits these have.
pub(super) const TOLERANCES: [(&str, &str); 3] = [
    ("1e-9", "a double has about 16 digits"),
    ("1e-6", "a float32 has about 7 digits"),
    ("1e-3", "a float16 has about 3 digits"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn column(text: &str) -> ReadColumn {
        let (name, value_type) = text.split_once(' ').unwrap();
        ReadColumn {
            source: name.into(),
            name: name.into(),
            value_type: ValueType::parse(value_type).unwrap(),
        }
    }

    fn columns(text: &str) -> Vec<ReadColumn> {
        text.split("; ").map(column).collect()
    }

    #[test]
    fn schemas_meet() {
        let schema = meet(Sides::new(
            columns("id int; a bool; x double; Old text"),
            columns("x decimal(9,2); id int64; a int; old text"),
        ));
        let names = |typed: &[Typed]| typed.iter().map(|t| t.name.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!(schema.shared.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["id", "a", "x"]);
        assert_eq!((names(&schema.clashes).as_str(), names(&schema.as_text).as_str()), ("", "a"));
        assert_eq!(renames(&schema.only), [("old".to_owned(), "Old".to_owned())]);
    }

    #[test]
    fn structs_are_taken_apart() {
        let of = |members: &str, inner: Option<ValueType>| {
            let plain = columns(members).into_iter().map(|c| (c.name, c.value_type));
            ValueType::Struct(plain.chain(inner.map(|q| ("q".to_owned(), q))).collect())
        };
        let named = |name: &str, value_type: ValueType| ReadColumn {
            source: name.into(),
            name: name.into(),
            value_type,
        };
        let live = of("id int", Some(of("at date; tags list(int)", None)));
        let shadow = of("id int", Some(of("at text; tags list(int); n int", None)));
        let schema = meet(Sides::new(
            vec![named("p", live), column("p.id int"), named("r", of("a int", None))],
            vec![named("p", shadow), column("p.id int"), named("r", ValueType::Null)],
        ));
        let shared: Vec<(String, usize)> = schema.shared.iter().map(|s| (s.name.clone(), s.path.len())).collect();
        assert_eq!(
            shared,
            [("p.q.tags", 2), ("p.id", 0), ("r.a", 1)].map(|(name, depth)| (name.to_owned(), depth))
        );
        assert_eq!(schema.clashes.first().map(|c| c.name.as_str()), Some("p.q.at"));
        assert_eq!(schema.only.shadow, ["p.q.n"]);
    }

    #[test]
    fn only_names_of_the_same_words_are_renames() {
        for (live, shadow, expected) in [
            ("accountId", "account_id", Some(("account_id", "accountId"))),
            ("Amount", "amount", Some(("amount", "Amount"))),
            ("amount", "amount_eur", None),
            ("*", "-", None),
            ("p.A", "p.a", None),
        ] {
            let found = renames(&Sides::new(vec![live.to_owned()], vec![shadow.to_owned()]));
            assert_eq!(
                found.first().map(|(from, to)| (from.as_str(), to.as_str())),
                expected,
                "{live} {shadow}"
            );
        }
    }

    #[test]
    fn floating_point_needs_a_tolerance() {
        for (live, shadow, expected) in [
            ("double", "double", Some("1e-9")),
            ("double", "decimal(9,2)", Some("1e-9")),
            ("float32", "double", Some("1e-6")),
            ("list(double)", "list(double)", Some("1e-9")),
            ("int", "int", None),
            ("int", "double", None),
            ("text", "text", None),
        ] {
            let types = Sides::new(ValueType::parse(live).unwrap(), ValueType::parse(shadow).unwrap());
            assert_eq!(tolerance(&types), expected, "{live} {shadow}");
        }
    }
}
