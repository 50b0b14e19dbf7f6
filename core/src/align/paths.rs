//! The paths of columns: a name, and below structs the names of members.

use super::SideColumn;
use crate::spec::Pattern;
use crate::value::{ValueType, members_inside};

pub(super) fn joined(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

pub(super) fn as_columns(members: &[(String, ValueType)]) -> Vec<SideColumn> {
    members
        .iter()
        .map(|(name, t)| SideColumn {
            name: name.clone(),
            value_type: t.clone(),
        })
        .collect()
}

/// The path of a column of a literal name, else of a struct member.
pub fn find_path(columns: &[SideColumn], name: &str) -> Option<Vec<String>> {
    if columns.iter().any(|c| c.name == name) {
        return Some(vec![name.to_owned()]);
    }
    columns.iter().find_map(|column| {
        let rest = name.strip_prefix(column.name.as_str())?.strip_prefix('.')?;
        let ValueType::Struct(members) = &column.value_type else {
            return None;
        };
        let below = find_path(&as_columns(members), rest)?;
        Some(std::iter::once(column.name.clone()).chain(below).collect())
    })
}

/// Names of all columns and of the members of their structs, those inside lists and maps too.
pub(super) fn dotted(columns: &[SideColumn]) -> Vec<String> {
    let mut names = Vec::new();
    for column in columns {
        names.push(column.name.clone());
        names.extend(members_inside(&column.name, &column.value_type));
    }
    names
}

/// Whether there are columns, or members of structs, besides the key, the structs around it, and what `exclude` names one by one: who names
/// a column wants it left out, but a pattern may take more than was meant.
pub(super) fn has_more_than(columns: &[SideColumn], key: &[String], exclude: &[Pattern]) -> bool {
    let is_named = |name: &String| {
        let is_around = |outer: &str| name.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']));
        exclude.iter().any(|p| p.is_exact() && (p.0 == *name || is_around(&p.0)))
    };
    let is_of_key = |name: &String| {
        let is_around = |key: &String| key.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.'));
        key.iter().any(|key| key == name || is_around(key))
    };
    !dotted(columns).iter().all(|name| is_of_key(name) || is_named(name))
}
