//! What the command line says beside the spec, and beats it with.
//!
//! ```text
//! live, shadow, account, key, where, output, csv.NAME   take the place of what the spec says
//! exclude                                               is added to what the spec excludes
//! a tolerance                                           takes its column out of the spec's comparators
//! ```

use super::document::{Content, Entry, Node, Position};
use super::mistakes::{Mistakes, Outside};
use crate::error::Error;
use crate::side::Side;
use std::collections::BTreeSet;

/// The parts of a spec that the command line may give.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    pub live: Option<Vec<String>>,
    pub shadow: Option<Vec<String>>,
    pub account: Option<Vec<String>>,
    pub key: Option<Vec<String>>,
    /// SQL over one row, for both sides.
    pub filter: Option<String>,
    /// Columns and patterns that are not compared, besides those that the spec names.
    pub exclude: Vec<String>,
    pub tolerances: Vec<ToleranceOverride>,
    pub csv: Vec<CsvOverride>,
    pub output: Option<String>,
    /// The values of `${name}`, as name and value.
    pub set: Vec<(String, String)>,
    pub outside: Outside,
}

/// How far the values of a column, or of all that a pattern takes, may be apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToleranceOverride {
    pub column: String,
    pub measure: Measure,
    /// A decimal or a percentage.
    pub limit: String,
}

/// What a tolerance is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    Absolute,
    Relative,
}

impl Measure {
    fn name(self) -> &'static str {
        match self {
            Measure::Absolute => "absolute",
            Measure::Relative => "relative",
        }
    }
}

/// A field of `csv:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOverride {
    /// `None`: both sides.
    pub side: Option<Side>,
    pub name: String,
    /// Lists are written with commas.
    pub value: String,
}

impl Overrides {
    /// The top-level fields whose value in the spec is not used at all.
    pub(super) fn replaced_fields(&self) -> BTreeSet<&'static str> {
        let given = [
            ("live", self.live.is_some()),
            ("shadow", self.shadow.is_some()),
            ("account", self.account.is_some()),
            ("key", self.key.is_some()),
            ("where", self.filter.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect()
    }

    /// Notes what the command line says twice.
    pub(super) fn refuse_twice(&self, mistakes: &mut Mistakes) {
        let tolerances = self.tolerances.iter().map(|t| format!("--{} {}", t.measure.name(), t.column));
        let csv = self.csv.iter().map(|c| {
            let side = c.side.map(|side| format!("{side}.")).unwrap_or_default();
            format!("--csv {side}{}", c.name)
        });
        let mut seen = BTreeSet::new();
        for flag in tolerances.chain(csv) {
            if !seen.insert(flag.clone()) {
                mistakes.add(
                    Position::COMMAND_LINE,
                    "",
                    Error::spec(format!("{flag} is given twice")).advice("give it once"),
                );
            }
        }
    }

    /// Puts the overrides in the place of what the spec says.
    pub(super) fn apply(&self, root: &mut Node) {
        let Content::Mapping(entries) = &mut root.content else { return };
        for (name, texts) in [
            ("live", &self.live),
            ("shadow", &self.shadow),
            ("account", &self.account),
            ("key", &self.key),
        ] {
            if let Some(texts) = texts {
                put(entries, name, one_or_list(texts));
            }
        }
        if let (Some(key), false) = (&self.key, entries.iter().any(|e| e.key == "account")) {
            // A key from the command line stands alone: the rows it names are the accounts.
            put(entries, "account", one_or_list(key));
        }
        if let Some(sql) = &self.filter {
            put(entries, "where", Node::given(sql));
        }
        self.apply_exclude(entries);
        self.apply_tolerances(entries);
        self.apply_csv(entries);
        if let Some(output) = &self.output {
            let options = entries.iter_mut().find(|e| e.key == "output").map(|e| &mut e.value.content);
            match options {
                Some(Content::Mapping(options)) => put(options, "to", Node::given(output)),
                Some(Content::Scalar { .. } | Content::List(_)) | None => put(entries, "output", Node::given(output)),
            }
        }
    }

    fn apply_exclude(&self, entries: &mut Vec<Entry>) {
        if self.exclude.is_empty() {
            return;
        }
        let Some(columns) = mapping_of(entries, "columns") else { return };
        let excluded = list_of(columns, "exclude");
        excluded.extend(self.exclude.iter().map(|pattern| Node::given(pattern)));
    }

    /// One entry a column, so that an absolute and a relative tolerance of it stand together.
    fn apply_tolerances(&self, entries: &mut Vec<Entry>) {
        if self.tolerances.is_empty() {
            return;
        }
        let comparators = list_of(entries, "comparators");
        comparators.retain_mut(|entry| self.keeps_some_column(entry));
        let mut named: Vec<&str> = Vec::new();
        for tolerance in &self.tolerances {
            if named.contains(&tolerance.column.as_str()) {
                continue;
            }
            named.push(&tolerance.column);
            let mut fields = vec![entry("columns", Node::given(&tolerance.column))];
            for of_column in self.tolerances.iter().filter(|other| other.column == tolerance.column) {
                fields.push(entry(of_column.measure.name(), Node::given(&of_column.limit)));
            }
            comparators.push(mapping(fields));
        }
    }

    /// Takes the columns that the command line names out of an entry of the spec; whether others are left.
    fn keeps_some_column(&self, comparator: &mut Node) -> bool {
        let is_named = |node: &Node| match &node.content {
            Content::Scalar { text, .. } => self.tolerances.iter().any(|tolerance| tolerance.column == *text),
            Content::List(_) | Content::Mapping(_) => false,
        };
        let Content::Mapping(fields) = &mut comparator.content else {
            return true;
        };
        let Some(columns) = fields.iter_mut().find(|e| e.key == "columns") else {
            return true;
        };
        if let Content::List(names) = &mut columns.value.content {
            let before = names.len();
            names.retain(|name| !is_named(name));
            return !names.is_empty() || before == 0;
        }
        !is_named(&columns.value)
    }

    fn apply_csv(&self, entries: &mut Vec<Entry>) {
        if self.csv.is_empty() {
            return;
        }
        let Some(csv) = mapping_of(entries, "csv") else { return };
        let is_apart = csv.iter().any(|e| Side::named(&e.key).is_some()) || self.csv.iter().any(|given| given.side.is_some());
        if is_apart && !csv.iter().any(|e| Side::named(&e.key).is_some()) {
            let both = std::mem::take(csv);
            csv.extend(Side::BOTH.iter().map(|side| entry(side.name(), mapping(both.clone()))));
        }
        for given in &self.csv {
            let value = csv_value(&given.name, &given.value);
            if !is_apart {
                put(csv, &given.name, value);
                continue;
            }
            for side in Side::BOTH
                .into_iter()
                .filter(|side| given.side.is_none_or(|wanted| wanted == *side))
            {
                if let Some(of_side) = mapping_of(csv, side.name()) {
                    put(of_side, &given.name, value.clone());
                }
            }
        }
    }
}

/// Only a header may be a flag; header, texts of NULL and forms of dates are lists.
fn csv_value(name: &str, value: &str) -> Node {
    match (name, value) {
        ("header", "true" | "false") => Node {
            at: Position::COMMAND_LINE,
            content: Content::Scalar {
                text: value.to_owned(),
                plain: true,
            },
        },
        ("header" | "null_values" | "dates", _) => Node::given_list(&value.split(',').map(str::to_owned).collect::<Vec<_>>()),
        _ => Node::given(value),
    }
}

fn one_or_list(texts: &[String]) -> Node {
    match texts {
        [one] => Node::given(one),
        texts => Node::given_list(texts),
    }
}

fn entry(name: &str, value: Node) -> Entry {
    Entry {
        key: name.to_owned(),
        key_at: Position::COMMAND_LINE,
        value,
    }
}

fn mapping(fields: Vec<Entry>) -> Node {
    Node {
        at: Position::COMMAND_LINE,
        content: Content::Mapping(fields),
    }
}

pub(super) fn put(entries: &mut Vec<Entry>, name: &str, value: Node) {
    match entries.iter_mut().find(|e| e.key == name) {
        Some(entry) => entry.value = value,
        None => entries.push(entry(name, value)),
    }
}

/// The value of a field, put there as `empty` where there is none.
fn value_of<'a>(entries: &'a mut Vec<Entry>, name: &str, empty: Content) -> &'a mut Node {
    let at = entries.iter().position(|e| e.key == name).unwrap_or_else(|| {
        entries.push(entry(name, mapping(Vec::new())));
        entries.len() - 1
    });
    let value = &mut entries[at].value;
    if value.is_null() || matches!(&value.content, Content::Mapping(fields) if fields.is_empty()) {
        value.content = empty;
    }
    value
}

/// The fields of a mapping; `None` where something else stands there, which is a mistake that the parser names.
fn mapping_of<'a>(entries: &'a mut Vec<Entry>, name: &str) -> Option<&'a mut Vec<Entry>> {
    match &mut value_of(entries, name, Content::Mapping(Vec::new())).content {
        Content::Mapping(fields) => Some(fields),
        Content::Scalar { .. } | Content::List(_) => None,
    }
}

/// The elements of a list; a single value becomes a list of one.
fn list_of<'a>(entries: &'a mut Vec<Entry>, name: &str) -> &'a mut Vec<Node> {
    let value = value_of(entries, name, Content::List(Vec::new()));
    if !matches!(value.content, Content::List(_)) {
        let one = value.clone();
        value.content = Content::List(vec![one]);
    }
    match &mut value.content {
        Content::List(items) => items,
        Content::Scalar { .. } | Content::Mapping(_) => unreachable!("it was made a list above"),
    }
}
