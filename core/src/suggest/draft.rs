//! A draft: an entry of a spec, as JSON to be judged and as YAML to be pasted.

use super::change::{Form, How};
use super::terms::Terms;
use super::{Compared, Group, Sizes};
use crate::spec::DifferenceKind;
use crate::tally::Pattern;
use crate::yaml;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A condition on accounts that takes more of the other rows than this leaves an open rule too wide.
const NARROW: f64 = 0.5;
/// A rule for so many of the other rows is for nearly all accounts.
const NEARLY_ALL: f64 = 0.9;

/// What may be added to the spec for some patterns.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub patterns: BTreeSet<Pattern>,
    pub sizes: Sizes,
    pub exceptions: u64,
    /// By which its rows are told from all others that differ.
    pub terms: Option<Terms>,
    /// The tightest first: others are for where that one does not hold.
    pub entries: Vec<Entry>,
}

/// An entry of a list of the spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub kind: EntryKind,
    /// As the spec has it.
    pub fields: Map<String, Value>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    Rule,
    Comparator,
}

impl EntryKind {
    /// The field of the spec whose list it is for.
    pub fn list(self) -> &'static str {
        match self {
            EntryKind::Rule => "expected",
            EntryKind::Comparator => "comparators",
        }
    }
}

impl Draft {
    /// Whether a difference is of those that it is for.
    pub fn is_for(&self, pattern: &Pattern, relative: Option<f64>, delta: Option<f64>) -> bool {
        self.patterns.contains(pattern) && self.sizes.hold(relative, delta)
    }

    /// Of the rule that it drafts.
    pub(super) fn name(&self) -> Option<&str> {
        self.entries.iter().find_map(|entry| entry.fields.get("name")?.as_str())
    }
}

impl Entry {
    /// The entry as it is pasted into its list.
    pub fn yaml(&self) -> String {
        let mut out = String::new();
        for (at, (name, value)) in self.fields.iter().enumerate() {
            let lead = if at == 0 { "  - " } else { "    " };
            let _ = writeln!(out, "{lead}{}: {}", yaml::scalar(name), yaml::field(name, value));
        }
        out
    }
}

/// The draft for some patterns in the forms that were learned. `Err`: why there is none.
pub(super) fn drafted(
    of: Compared<'_>,
    names: &BTreeSet<String>,
    group: &Group,
    terms: Option<Terms>,
    forms: Vec<Form>,
) -> Result<Draft, &'static str> {
    let first = group.patterns.first().ok_or("there are none")?;
    let column = first.column.map(|at| of.aligned.columns[at].name.as_str());
    let name = free_name(names, first, column);
    let entries: Vec<Entry> = forms
        .into_iter()
        .filter_map(|form| entry(first, column, &name, terms.as_ref(), form))
        .collect();
    if entries.is_empty() {
        return Err(match first.kind {
            DifferenceKind::Changed => "neither its values nor its accounts have anything in common",
            _ => "nothing tells its accounts from others",
        });
    }
    Ok(Draft {
        patterns: group.patterns.clone(),
        sizes: group.sizes.clone(),
        exceptions: group.exceptions,
        terms,
        entries,
    })
}

fn entry(first: &Pattern, column: Option<&str>, name: &str, terms: Option<&Terms>, form: Form) -> Option<Entry> {
    let Form { how, mut warnings } = form;
    let mut fields = Map::new();
    let (within, filter) = match how {
        How::Comparator(comparator) => {
            fields.insert("columns".to_owned(), json!([column?]));
            fields.extend(comparator.as_object().cloned().into_iter().flatten());
            warnings.push("a comparator is for every account: what it calls near is not listed any more".to_owned());
            return Some(Entry {
                kind: EntryKind::Comparator,
                fields,
                warnings,
            });
        }
        How::Rule { within, filter } => (within, filter),
        How::Any => {
            terms.filter(|terms| terms.of_others.is_some_and(|share| share <= NARROW))?;
            warnings.push(match first.kind {
                DifferenceKind::Changed => "any other value of the column passes in these accounts".to_owned(),
                _ => "any row that is gone or new in these accounts passes, not only those of today".to_owned(),
            });
            (None, None)
        }
    };
    match terms {
        None => warnings.push("no attribute tells its accounts from others: it is for every account".to_owned()),
        Some(terms) if terms.of_others.is_some_and(|share| share > NEARLY_ALL) => {
            warnings.push("its condition is true for nearly all accounts".to_owned());
        }
        Some(_) => {}
    }
    fields.insert("name".to_owned(), name.into());
    if let Some(terms) = terms {
        fields.insert("accounts".to_owned(), json!({"where": terms.sql}));
    }
    match column {
        Some(column) => fields.insert("columns".to_owned(), json!([column])),
        None => fields.insert("kinds".to_owned(), json!([first.kind.name()])),
    };
    fields.extend(within.map(|within| ("within".to_owned(), within)));
    fields.extend(filter.map(|filter| ("where".to_owned(), filter.into())));
    Some(Entry {
        kind: EntryKind::Rule,
        fields,
        warnings,
    })
}

/// A name that no other rule has.
fn free_name(names: &BTreeSet<String>, first: &Pattern, column: Option<&str>) -> String {
    let of_what = column.unwrap_or(first.kind.name());
    let word: String = of_what
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    let how = first.diagnosis.as_deref().map(|text| text.split('(').next().unwrap_or(text));
    let how = how.or(first.direction.map(crate::spec::Direction::name));
    let base = how.map_or_else(
        || format!("suggested-{word}"),
        |how| format!("suggested-{word}-{}", how.replace('_', "-")),
    );
    let numbered = (2_u32..).map(|number| format!("{base}-{number}"));
    let mut all = std::iter::once(base.clone()).chain(numbered);
    all.find(|name| !names.contains(name)).unwrap_or(base)
}
