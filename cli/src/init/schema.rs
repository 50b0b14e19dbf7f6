//! Meets the two schemas without a spec: what both sides have, what has no common type, what one side has alone.

use super::names::words;
use shadowdiff_core::plan::ReadColumn;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::value::{Common, ValueType, common, only_inside};

/// A top-level column of both sides whose values can be held against each other.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) read: Sides<ReadColumn>,
    pub(super) met: Common,
}

impl Shared {
    /// Kept as its ticks, so that differences have a length.
    pub(super) fn is_instant(&self) -> bool {
        let is_instant = matches!(self.met.stored.live, ValueType::Date | ValueType::Timestamp { .. });
        is_instant && !self.met.is_mixed()
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
pub(super) struct Met {
    pub(super) shared: Vec<Shared>,
    /// Every column that is compared, in the order of live; structs taken apart.
    pub(super) leaves: Vec<Typed>,
    /// Columns whose types have nothing in common, and that are turned into text so that they can be compared.
    pub(super) as_text: Vec<Typed>,
    /// The same where text is no way out: lists, maps, members of structs.
    pub(super) clashes: Vec<Typed>,
    pub(super) only: Sides<Vec<String>>,
    /// The columns of each side, those of `as_text` as text.
    pub(super) columns: Sides<Vec<ReadColumn>>,
}

pub(super) fn meet(columns: Sides<Vec<ReadColumn>>) -> Met {
    let mut met = Met {
        as_text: as_text(&columns),
        columns,
        ..Met::default()
    };
    for side in Side::BOTH {
        for column in &mut met.columns[side] {
            if met.as_text.iter().any(|typed| typed.name == column.name) {
                column.value_type = ValueType::Text;
            }
        }
    }
    let members = |side: Side| {
        met.columns[side]
            .iter()
            .map(|c| (c.name.clone(), c.value_type.clone()))
            .collect::<Vec<_>>()
    };
    let (live, shadow) = (members(Side::Live), members(Side::Shadow));
    meet_members("", &live, &shadow, &mut met);
    for live in &met.columns.live {
        let Some(shadow) = met.columns.shadow.iter().find(|c| c.name == live.name) else {
            continue;
        };
        let is_struct = matches!(live.value_type, ValueType::Struct(_)) && live.value_type != shadow.value_type;
        if let (Some(common), false) = (common(&live.value_type, &shadow.value_type), is_struct) {
            met.shared.push(Shared {
                name: live.name.clone(),
                read: Sides::new(live.clone(), shadow.clone()),
                met: common,
            });
        }
    }
    met
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

fn meet_members(path: &str, live: &[(String, ValueType)], shadow: &[(String, ValueType)], met: &mut Met) {
    for (name, live_type) in live {
        let full = format!("{path}{name}");
        let Some((_, shadow_type)) = shadow.iter().find(|(n, _)| n == name) else {
            met.only.live.push(full);
            continue;
        };
        match (live_type, shadow_type) {
            (ValueType::Struct(a), ValueType::Struct(b)) => meet_members(&format!("{full}."), a, b, met),
            (ValueType::Struct(a), ValueType::Null) | (ValueType::Null, ValueType::Struct(a)) => {
                meet_members(&format!("{full}."), a, a, met)
            }
            (a, b) => {
                met.only.live.extend(only_inside(&full, a, b));
                met.only.shadow.extend(only_inside(&full, b, a));
                let typed = Typed {
                    name: full,
                    types: Sides::new(a.clone(), b.clone()),
                };
                if common(a, b).is_some() {
                    met.leaves.push(typed)
                } else {
                    met.clashes.push(typed)
                }
            }
        }
    }
    for (name, _) in shadow.iter().filter(|(name, _)| !live.iter().any(|(n, _)| n == name)) {
        met.only.shadow.push(format!("{path}{name}"));
    }
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
        let met = meet(Sides::new(
            columns("id int; a bool; x double; Old text"),
            columns("x decimal(9,2); id int64; a int; old text"),
        ));
        let names = |typed: &[Typed]| typed.iter().map(|t| t.name.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!(met.shared.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["id", "a", "x"]);
        assert_eq!((names(&met.leaves).as_str(), names(&met.clashes).as_str()), ("id a x", ""));
        assert_eq!(names(&met.as_text), "a");
        assert_eq!(renames(&met.only), [("old".to_owned(), "Old".to_owned())]);
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
