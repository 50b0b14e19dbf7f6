//! Meets the two schemas: which columns are compared, as what type, by which comparator.
//!
//! Columns match by exact name. Structs are taken apart into their members under dotted paths, with one presence column of the struct's own
//! name in front that tells NULL from a struct of NULLs. Mistakes are gathered, so that one run shows them all.

mod paths;

use crate::error::{Error, Result};
use crate::side::{Side, Sides};
use crate::spec::{Comparator, ComparatorEntry, Pattern, Spec};
use crate::value::{ValueType, alike, common, compares_by_value, holds_values, members_inside, only_inside, without};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub use paths::find_path;
use paths::{as_columns, dotted, joined};

/// A column of one side as it is compared: renamed, cast, derived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideColumn {
    pub name: String,
    pub value_type: ValueType,
}

/// What a column is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Role {
    Key,
    /// Whether a struct is there at all: stored as true or NULL, shown as the struct's JSON.
    Presence,
    Value(Comparator),
}

/// A column both sides have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Dotted for members of structs.
    pub name: String,
    /// The top-level column and the members below it.
    pub path: Vec<String>,
    pub shown: ValueType,
    pub stored: Sides<ValueType>,
    pub role: Role,
    /// Presence columns of the structs around it, outermost first.
    pub parents: Vec<usize>,
}

impl Column {
    pub fn is_mixed(&self) -> bool {
        compares_by_value(&self.stored)
    }

    /// When unequal cells are equal enough: keys, and whether a struct is there, match exactly.
    pub fn comparator(&self) -> &Comparator {
        match &self.role {
            Role::Value(comparator) => comparator,
            Role::Key | Role::Presence => &Comparator::EXACT,
        }
    }
}

/// A column whose types differ but have a common one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypeDifference {
    pub column: String,
    pub live: String,
    pub shadow: String,
}

/// The two schemas, both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aligned {
    /// In the order of the live schema.
    pub columns: Vec<Column>,
    /// Indices into `columns`, in the key's order: the account columns first.
    pub key: Vec<usize>,
    /// How many of `key` are account columns.
    pub account_count: usize,
    /// Columns of one side; members of structs by their paths.
    pub only: Sides<Vec<String>>,
    /// Whether a side has columns besides its key, those too that patterns exclude.
    pub beside_key: Sides<bool>,
    pub types: Vec<TypeDifference>,
    pub warnings: Vec<String>,
}

impl Aligned {
    /// Whether all that it names by number is there, as in what was stored by this program.
    pub fn is_sound(&self) -> bool {
        let is_there = |at: &usize| *at < self.columns.len();
        let parents = self.columns.iter().flat_map(|column| &column.parents);
        self.key.iter().chain(parents).all(is_there) && self.account_count <= self.key.len()
    }

    pub fn account(&self) -> &[usize] {
        &self.key[..self.account_count]
    }

    /// Whether a name is that of a struct, whose members are compared under names of their own.
    pub fn is_struct(&self, name: &str) -> bool {
        self.columns.iter().any(|c| c.name == name && c.role == Role::Presence)
    }

    /// Whether a pattern of a rule takes a column: by its name, or by the exact name of a struct around it.
    pub fn takes(&self, pattern: &Pattern, at: usize) -> bool {
        let column = &self.columns[at];
        let is_around = |parent: &usize| self.columns[*parent].name == pattern.0;
        pattern.matches(&column.name) || (pattern.is_exact() && column.parents.iter().any(is_around))
    }

    /// How many columns besides the key are compared, each member of a struct for itself. That a struct is there is not a value of its own.
    pub fn compared(&self) -> usize {
        let values = self.columns.iter().filter(|c| matches!(c.role, Role::Value(_)));
        values.filter(|c| holds_values(&c.shown)).count()
    }

    /// Whether no value is compared, though there are some: equal keys say nothing of them.
    pub fn compares_no_value(&self) -> bool {
        self.compared() == 0 && (self.beside_key.live || self.beside_key.shadow)
    }

    /// The columns besides the key by their numbers, those too that tell whether a struct is there.
    pub fn values(&self) -> Vec<usize> {
        let is_value = |at: &usize| self.columns[*at].role != Role::Key;
        (0..self.columns.len()).filter(is_value).collect()
    }

    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().map(|i| &self.columns[*i])
    }
}

/// Meets the schemas under the spec; the error holds every mistake, one a line.
pub fn align(spec: &Spec, sides: &Sides<Vec<SideColumn>>) -> Result<Aligned> {
    let mut meeting = Aligner {
        spec,
        columns: Vec::new(),
        only: Sides::default(),
        types: Vec::new(),
        warnings: Vec::new(),
        mistakes: Vec::new(),
        literal: BTreeSet::new(),
        refused: BTreeSet::new(),
    };
    meeting.check_key(sides);
    meeting.members(&[], &[], &sides.live, &sides.shadow);
    meeting.check_duplicates();
    let key = meeting.bind_key();
    meeting.check_patterns(sides);
    meeting.bind_comparators();
    meeting.hint_at_case(sides);
    Error::all(std::mem::take(&mut meeting.mistakes))?;
    let Aligner {
        columns,
        only,
        types,
        warnings,
        ..
    } = meeting;
    let mut aligned = Aligned {
        columns,
        key,
        account_count: spec.account.len(),
        only,
        beside_key: Sides::from_fn(|side| paths::has_more_than(&sides[side], &spec.key, &spec.columns.exclude)),
        types,
        warnings,
    };
    let has_values = |side: Side| paths::has_more_than(&sides[side], &spec.key, &[]);
    if aligned.compared() == 0 && !aligned.compares_no_value() && Side::BOTH.into_iter().any(has_values) {
        let warning = "no column besides the key is compared: `columns.exclude` names them all";
        aligned.warnings.push(warning.into());
    }
    Ok(aligned)
}

struct Aligner<'a> {
    spec: &'a Spec,
    columns: Vec<Column>,
    only: Sides<Vec<String>>,
    types: Vec<TypeDifference>,
    warnings: Vec<String>,
    mistakes: Vec<Error>,
    /// Names with dots in them that both sides have as they are: they win over the members of structs whose paths they are.
    literal: BTreeSet<String>,
    /// Columns of both sides that have no common type.
    refused: BTreeSet<String>,
}

impl Aligner<'_> {
    /// Whether a column is left out, with all that is in it.
    fn left_out(&self, name: &str, value_type: &ValueType) -> bool {
        let columns = &self.spec.columns;
        let holds_key = |key: &String| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        if self.is_key(name) || !columns.leaves_out(name) {
            return false;
        }
        // What `include` does not name may hold what it names, or a key.
        let holds_included = || {
            let inside = members_inside(name, value_type);
            inside.iter().any(|member| !columns.leaves_out(member)) || self.spec.key.iter().any(holds_key)
        };
        columns.excludes(name) || !holds_included()
    }

    fn is_key(&self, name: &str) -> bool {
        self.spec.key.iter().any(|k| k == name)
    }

    /// Every key column must be on both sides: as a column, or as a member of a struct that is compared.
    fn check_key(&mut self, sides: &Sides<Vec<SideColumn>>) {
        for name in &self.spec.key {
            let paths = Sides::from_fn(|side| find_path(&sides[side], name));
            for side in Side::BOTH {
                if paths[side].is_none() {
                    self.mistakes.push(
                        self.of_key(name, format!("is not in {side}, which has: {}", list(&sides[side])))
                            .did_you_mean(name, names(&sides[side])),
                    );
                }
            }
            let (Some(live), Some(shadow)) = (paths.live, paths.shadow) else {
                continue;
            };
            if live != shadow {
                let mistake = self.of_key(name, "is a member of a struct on one side and a column on the other");
                self.mistakes.push(mistake.advice("derive one column from both"));
            }
            let around = (1..live.len()).map(|depth| live[..depth].join("."));
            let exclude = &self.spec.columns.exclude;
            let mut excluded = around.filter_map(|outer| Some((exclude.iter().find(|p| p.matches(&outer))?, outer)));
            if let Some((pattern, outer)) = excluded.next() {
                let mistake = self.of_key(name, format!("is a member of `{outer}`, which is excluded"));
                let advice = format!("remove `{}` from `columns.exclude` or choose another key", pattern.0);
                self.mistakes.push(mistake.advice(advice));
            }
        }
    }

    fn of_key(&self, column: &str, what: impl Into<String>) -> Error {
        let is_account = self.spec.account.iter().any(|name| name == column);
        Error::spec(what).field(if is_account { "account" } else { "key" }).column(column)
    }

    /// Meets the members of one level, in the order of live.
    fn members(&mut self, path: &[String], parents: &[usize], live: &[SideColumn], shadow: &[SideColumn]) {
        self.note_literal(path, live, shadow);
        for column in live {
            let path = joined(path, &column.name);
            let name = path.join(".");
            if self.left_out(&name, &column.value_type) || self.is_shadowed(&path, &name) {
                continue;
            }
            match shadow.iter().find(|c| c.name == column.name) {
                Some(other) => self.meet(name, path, parents, &column.value_type, &other.value_type),
                None => self.only.live.push(name),
            }
        }
        for column in shadow.iter().filter(|c| !live.iter().any(|l| l.name == c.name)) {
            let path = joined(path, &column.name);
            let name = path.join(".");
            if !self.left_out(&name, &column.value_type) && !self.is_shadowed(&path, &name) {
                self.only.shadow.push(name);
            }
        }
    }

    /// Of one level, the names with a dot of their own that both sides have.
    fn note_literal(&mut self, path: &[String], live: &[SideColumn], shadow: &[SideColumn]) {
        let both = live
            .iter()
            .filter(|l| l.name.contains('.') && shadow.iter().any(|s| s.name == l.name));
        self.literal.extend(both.map(|column| joined(path, &column.name).join(".")));
    }

    /// Whether a column of an outer level has the very name of this member. The column wins, and that is said.
    fn is_shadowed(&mut self, path: &[String], name: &str) -> bool {
        let is_own = path.last().is_some_and(|own| own.contains('.'));
        let shadowed = !is_own && path.len() > 1 && self.literal.contains(name);
        if shadowed {
            let (outer, member) = (path[..path.len() - 1].join("."), &path[path.len() - 1]);
            self.warnings.push(format!(
                "column `{name}` has the name of member `{member}` of `{outer}`; the column is compared, the member is not: \
                 rename the column to compare both"
            ));
        }
        shadowed
    }

    fn meet(&mut self, name: String, path: Vec<String>, parents: &[usize], live: &ValueType, shadow: &ValueType) {
        if let Some((live, shadow)) = both_structs(live, shadow) {
            return self.meet_structs(name, path, parents, &live, &shadow);
        }
        let excluded = |path: &str| self.spec.columns.leaves_out(path);
        let (live, shadow) = (&without(&name, live, &excluded), &without(&name, shadow, &excluded));
        let Some(both) = common(live, shadow) else {
            self.mistakes.push(refusal(&name, live, shadow));
            self.refused.insert(name);
            return;
        };
        self.only.live.extend(only_inside(&name, live, shadow));
        self.only.shadow.extend(only_inside(&name, shadow, live));
        if !alike(live, shadow) {
            self.types.push(TypeDifference {
                column: name.clone(),
                live: live.to_string(),
                shadow: shadow.to_string(),
            });
        }
        if both.read_as_utc {
            self.warnings.push(format!(
                "column `{name}`: live is {live}, shadow is {shadow}; values without a zone are read as UTC"
            ));
        }
        let role = if self.is_key(&name) {
            Role::Key
        } else {
            Role::Value(Comparator::EXACT)
        };
        if role == Role::Key && both.needs_tolerance {
            self.mistakes.push(refusal(&name, live, shadow));
        }
        self.columns.push(Column {
            name,
            path,
            shown: both.shown,
            stored: both.stored,
            role,
            parents: parents.to_vec(),
        });
    }

    fn meet_structs(&mut self, name: String, path: Vec<String>, parents: &[usize], live: &[SideColumn], shadow: &[SideColumn]) {
        let presence = self.columns.len();
        let there = Sides::new(ValueType::Bool, ValueType::Bool);
        self.columns.push(Column {
            name,
            path: path.clone(),
            shown: ValueType::Bool,
            stored: there,
            role: Role::Presence,
            parents: parents.to_vec(),
        });
        let mut around = parents.to_vec();
        around.push(presence);
        self.members(&path, &around, live, shadow);
    }

    /// A column of a literal dotted name and a struct member of the same path cannot be told apart in the output.
    fn check_duplicates(&mut self) {
        let mut names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
            let mistake = Error::spec("is a column and a member of a struct").column(pair[0]);
            self.mistakes.push(mistake.advice("rename or exclude one of them"));
        }
    }

    fn bind_key(&mut self) -> Vec<usize> {
        let mut key = Vec::new();
        for name in &self.spec.key {
            let Some(at) = self.columns.iter().position(|c| c.name == *name) else {
                continue;
            };
            if self.columns[at].shown.is_nested() || self.columns[at].role == Role::Presence {
                let mistake = self.of_key(name, "is nested");
                self.mistakes.push(mistake.advice("name a member of it, or derive a key from it"));
            }
            key.push(at);
        }
        if key.len() < self.spec.key.len() && self.mistakes.is_empty() {
            self.mistakes.push(Error::spec("a key column has no common type on both sides"));
        }
        key
    }

    fn check_patterns(&mut self, sides: &Sides<Vec<SideColumn>>) {
        let all: Vec<String> = sides.each().iter().flat_map(|(_, columns)| dotted(columns)).collect();
        let columns = &self.spec.columns;
        for (place, patterns) in [("columns.include", &columns.include), ("columns.exclude", &columns.exclude)] {
            for pattern in patterns.iter().filter(|pattern| !all.iter().any(|name| pattern.matches(name))) {
                self.no_such(pattern, place, &all);
            }
        }
        for (at, entry) in self.spec.comparators.iter().enumerate() {
            let place = format!("comparators[{at}].columns");
            for pattern in &entry.columns {
                self.check_comparator(pattern, &place, &all);
            }
        }
    }

    /// A name that takes no column of both sides: unknown, or of one side, or left out. One whose types do not meet is told already.
    fn check_comparator(&mut self, pattern: &Pattern, place: &str, all: &[String]) {
        let is_taken = self.columns.iter().any(|c| pattern.matches(&c.name)) || self.refused.iter().any(|name| pattern.matches(name));
        if is_taken {
            return;
        }
        if !pattern.is_exact() || !all.contains(&pattern.0) {
            return self.no_such(pattern, place, all);
        }
        let only = Side::BOTH.into_iter().find(|side| self.only[*side].contains(&pattern.0));
        let why = match only {
            Some(side) => format!("a column of {side} only"),
            None if self.spec.columns.leaves_out(&pattern.0) => "left out by `columns`".to_owned(),
            None => "compared with the column around it".to_owned(),
        };
        self.warnings
            .push(format!("{place}: `{}` is {why}; the entry does nothing for it", pattern.0));
    }

    fn no_such(&mut self, pattern: &Pattern, place: &str, names: &[String]) {
        if !pattern.is_exact() {
            self.warnings.push(format!("{place}: `{}` matches no column", pattern.0));
            return;
        }
        let mistake = Error::spec(format!("no column `{}`", pattern.0)).field(place);
        self.mistakes
            .push(mistake.did_you_mean(&pattern.0, names.iter().map(String::as_str)));
    }

    fn bind_comparators(&mut self) {
        let spec = self.spec;
        for at in 0..self.columns.len() {
            let column = &self.columns[at];
            if column.role == Role::Presence {
                let named = spec
                    .comparators
                    .iter()
                    .flat_map(|e| &e.columns)
                    .any(|p| p.is_exact() && p.0 == column.name);
                if named {
                    let mistake = Error::spec("is a struct").field("comparators").column(&column.name);
                    self.mistakes
                        .push(mistake.advice(format!("name its members, such as `{}.*`", column.name)));
                }
                continue;
            }
            match claim(column, &spec.comparators) {
                Ok(Some(entry)) => self.columns[at].role = Role::Value(entry.comparator.clone()),
                Ok(None) => {}
                Err(mistake) => self.mistakes.push(mistake),
            }
            self.check_tolerance(at);
        }
    }

    /// A decimal against a double has no exact common form; only a tolerance says what is meant.
    fn check_tolerance(&mut self, at: usize) {
        let column = &self.columns[at];
        let Role::Value(comparator) = &column.role else { return };
        let needs = common(&column.stored.live, &column.stored.shadow).is_some_and(|both| both.needs_tolerance);
        if needs && !comparator.has_tolerance() {
            let mistake = refusal(&column.name, &column.stored.live, &column.stored.shadow);
            self.mistakes
                .push(mistake.advice("or give it `absolute` or `relative` under `comparators`"));
        }
    }

    fn hint_at_case(&mut self, sides: &Sides<Vec<SideColumn>>) {
        let is_column = |side: Side, name: &str| sides[side].iter().any(|c| c.name == name);
        for live in &self.only.live {
            let Some(shadow) = self.only.shadow.iter().find(|s| s.to_lowercase() == live.to_lowercase()) else {
                continue;
            };
            // Members of structs cannot be renamed.
            let rename = if is_column(Side::Live, live) && is_column(Side::Shadow, shadow) {
                format!("; `columns: {{rename: {{{shadow}: {live}}}}}` makes them one")
            } else {
                String::new()
            };
            self.warnings.push(format!(
                "column `{live}` of live and `{shadow}` of shadow differ only in case{rename}"
            ));
        }
    }
}

fn names(columns: &[SideColumn]) -> impl Iterator<Item = &str> {
    columns.iter().map(|c| c.name.as_str())
}

fn list(columns: &[SideColumn]) -> String {
    const SHOWN: usize = 30;
    let more = if columns.len() > SHOWN {
        format!(", … ({} in all)", columns.len())
    } else {
        String::new()
    };
    format!("{}{more}", names(columns).take(SHOWN).collect::<Vec<_>>().join(", "))
}

/// Both structs, or one a struct and the other all NULL (then it takes the struct's members).
fn both_structs(live: &ValueType, shadow: &ValueType) -> Option<(Vec<SideColumn>, Vec<SideColumn>)> {
    let nulls = |members: &[(String, ValueType)]| as_columns(members);
    if let ValueType::Struct(a) = live {
        if let ValueType::Struct(b) = shadow {
            return Some((as_columns(a), as_columns(b)));
        }
        if *shadow == ValueType::Null {
            return Some((as_columns(a), nulls(a)));
        }
    } else if let (ValueType::Null, ValueType::Struct(b)) = (live, shadow) {
        return Some((nulls(b), as_columns(b)));
    }
    None
}

fn refusal(name: &str, live: &ValueType, shadow: &ValueType) -> Error {
    let to = if *live == ValueType::Text { shadow } else { live };
    let side = if to == live { Side::Shadow } else { Side::Live };
    // A spec cannot write every type: structs only files have.
    let advice = match ValueType::parse(&to.to_string()) {
        Some(_) => format!("say what is meant, such as `columns: {{cast: {{{side}: {{{name}: \"{to}\"}}}}}}`"),
        None => "derive it alike on both sides, or exclude it".to_owned(),
    };
    let what = format!("live is {live}, shadow is {shadow}, which have no common type");
    Error::spec(what).column(name).advice(advice)
}

/// The comparator entry of a column: one that names it exactly, else the one whose pattern takes it.
fn claim<'a>(column: &Column, entries: &'a [ComparatorEntry]) -> Result<Option<&'a ComparatorEntry>> {
    let name = &column.name;
    let wrong = |at: usize, what: String| Error::spec(what).field(format!("comparators[{at}]")).column(name);
    let takes = |entry: &ComparatorEntry, exactly: bool| entry.columns.iter().any(|p| p.is_exact() == exactly && p.matches(name));
    let exact: Vec<(usize, &ComparatorEntry)> = entries.iter().enumerate().filter(|(_, entry)| takes(entry, true)).collect();
    match exact.as_slice() {
        [] => {}
        [(at, _)] if column.role == Role::Key => {
            let what = "is a key column, and keys match exactly".to_owned();
            return Err(wrong(*at, what).advice("derive a normalised key with `columns.derive`"));
        }
        [(at, entry)] => {
            let misfit = entry.comparator.misfit(&column.shown);
            return misfit.map_or(Ok(Some(*entry)), |why| Err(wrong(*at, format!("is {}, but {why}", column.shown))));
        }
        [(first, _), (at, _), ..] => return Err(wrong(*at, format!("comparators[{first}] names it too")).advice("keep one")),
    }
    if column.role == Role::Key {
        return Ok(None);
    }
    let fits = |entry: &ComparatorEntry| takes(entry, false) && entry.comparator.misfit(&column.shown).is_none();
    let mut fitting = entries.iter().enumerate().filter(|(_, entry)| fits(entry));
    let first = fitting.next();
    if let (Some((first, _)), Some((at, _))) = (first, fitting.next()) {
        let what = format!("a pattern of comparators[{first}] takes it too");
        return Err(wrong(at, what).advice("name it in one of them"));
    }
    Ok(first.map(|(_, entry)| entry))
}

#[cfg(test)]
mod tests;
