//! Reads a spec: its text and the command line in, the typed spec or every mistake of it out.

mod baseline;
mod columns;
mod comparators;
mod datasets;
mod key;
mod rules;
mod verdict;

use super::document::{self, Content, Node, Position};
use super::field_places::FieldPlaces;
use super::fields::{GROUPS, LISTED_ACCOUNTS, NOISE, OUTPUT, SPEC};
use super::item::{Fields, Item, refuse_duplicates};
use super::mistakes::Mistakes;
use super::model::{Day, NoiseSpec, OutputSpec, Spec};
use super::overrides::Overrides;
use super::scalars::count;
use super::variables;
use crate::error::{Error, Result};
use crate::side::{Side, Sides};

/// Columns that are kept with each difference; each takes room in all of them.
const MAX_ATTRIBUTES: usize = 32;

/// A spec that was read without a mistake.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub spec: Spec,
    /// What is allowed and yet is probably not meant, one a line.
    pub warnings: Vec<String>,
    /// The spec as JSON, with variables replaced and the overrides put in, in written order.
    pub document: serde_json::Value,
    /// Where its fields stand, for mistakes that show when it meets the data.
    pub places: FieldPlaces,
}

/// Reads the text of a spec, YAML or JSON; `file` is only named in messages.
///
/// # Errors
/// Every mistake at once, one `FILE:LINE:COLUMN: field: what is wrong; what to do` a line, of kind `Spec`.
pub fn parse(text: &str, file: &str, overrides: &Overrides) -> Result<Parsed> {
    let mut mistakes = Mistakes::new(file, GROUPS).given(overrides.outside);
    match document::read(text) {
        Ok(mut root) => {
            variables::replace(&mut root, &overrides.set, &overrides.replaced_fields(), &mut mistakes);
            refuse_duplicates(&root, "", &mut mistakes);
            read_tree(root, file, overrides, mistakes)
        }
        Err(misread) => Err(misread.file(file)),
    }
}

/// Reads the document of a spec that was read before.
pub fn parse_again(document: &serde_json::Value, file: &str) -> Result<Parsed> {
    parse(&escaped(document), file, &Overrides::default())
}

/// The text of a document. Variables are replaced already: what looks like one is a text, and whoever reads it must not take it for more.
pub fn escaped(document: &serde_json::Value) -> String {
    document.to_string().replace("${", "$${")
}

/// The spec that the command line alone makes, where there is no file.
///
/// # Errors
/// As `parse`, with `command line` as the place.
pub fn from_overrides(overrides: &Overrides) -> Result<Parsed> {
    let mut mistakes = Mistakes::new("", GROUPS).given(overrides.outside);
    let mut root = Node {
        at: Position::COMMAND_LINE,
        content: Content::Mapping(Vec::new()),
    };
    variables::replace(&mut root, &overrides.set, &overrides.replaced_fields(), &mut mistakes);
    read_tree(root, "", overrides, mistakes)
}

/// The same of a tree, with what is wrong with it so far.
pub(super) fn read_tree(mut root: Node, file: &str, overrides: &Overrides, mut mistakes: Mistakes) -> Result<Parsed> {
    overrides.refuse_twice(&mut mistakes);
    overrides.apply(&mut root);
    let spec = spec(&Item::root(&root), &mut mistakes);
    let (warnings, found) = mistakes.split();
    Error::all(found)?;
    Ok(Parsed {
        spec: spec.ok_or_else(|| Error::internal("a spec without a mistake is whole"))?,
        warnings,
        document: root.to_json(),
        places: FieldPlaces::of(root, file),
    })
}

/// `None` only where a mistake was noted.
fn spec(root: &Item<'_>, mistakes: &mut Mistakes) -> Option<Spec> {
    let fields = root.fields(&SPEC, mistakes)?;
    let key = key::read(&fields, mistakes);
    let datasets = datasets::read(&fields, mistakes);
    let spec = Spec {
        sides: datasets,
        baseline: baseline::read(&fields, key.account.len(), mistakes),
        filter: filter(&fields, mistakes),
        columns: columns::read(&fields, &key.key, mistakes),
        comparators: comparators::read(&fields, &key.key, mistakes),
        expected: rules::read(&fields, &key, mistakes),
        accepted: fields.text("accepted", mistakes),
        noise: noise(&fields, mistakes),
        verdict: verdict::read(&fields, mistakes),
        as_of: fields.read("as_of", "a day such as 2026-12-31", day, mistakes),
        output: output(&fields, mistakes),
        account: key.account,
        key: key.key,
    };
    if let (true, None, Some(item)) = (spec.verdict.subtracts_noise, &spec.noise, fields.get("verdict")) {
        let what = Error::spec("there is no `noise` to subtract").advice("name a second run of the live version: noise: {live_again: …}");
        mistakes.add(item.node.at, "verdict.noise", what);
    }
    Some(spec)
}

fn noise(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<NoiseSpec> {
    let item = fields.get("noise")?;
    let fields = item.fields(&NOISE, mistakes)?;
    let live_again = fields.with("live_again", datasets::paths, mistakes);
    let result = fields.text("result", mistakes);
    if !fields.has("live_again") && result.is_none() {
        fields.wrong(
            mistakes,
            Error::spec("names no second run of the live version").advice("write `live_again`"),
        );
    }
    Some(NoiseSpec { live_again, result })
}

fn filter(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Sides<Option<String>> {
    let Some(item) = fields.get("where") else { return Sides::default() };
    if item.is_scalar() {
        let sql = item.text(mistakes).map(str::to_owned);
        return Sides::from_fn(|_| sql.clone());
    }
    item.sides(mistakes)
        .map(|side| side.and_then(|item| item.text(mistakes).map(str::to_owned)))
}

fn output(fields: &Fields<'_>, mistakes: &mut Mistakes) -> OutputSpec {
    let Some(item) = fields.get("output") else {
        return OutputSpec::default();
    };
    if item.is_scalar() {
        return OutputSpec {
            to: item.text(mistakes).map(str::to_owned),
            ..OutputSpec::default()
        };
    }
    let Some(fields) = item.fields(&OUTPUT, mistakes) else {
        return OutputSpec::default();
    };
    OutputSpec {
        to: fields.text("to", mistakes),
        max_differences: fields.read("max_differences", "a count", count, mistakes),
        accounts: fields.word("accounts", LISTED_ACCOUNTS, mistakes).unwrap_or_default(),
        parquet: fields.flag("parquet", mistakes),
        judgeable: fields.flag("judgeable", mistakes),
        totals: fields.flag("totals", mistakes),
        attributes: fields.with("attributes", attributes, mistakes),
        spreadsheet_safe: fields.flag("spreadsheet_safe", mistakes),
    }
}

/// Columns by name; each once.
fn attributes(item: &Item<'_>, mistakes: &mut Mistakes) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, item) in columns::patterns(item, mistakes) {
        if names.contains(&name.0) {
            item.wrong(mistakes, Error::spec(format!("`{}` is named twice", name.0)).advice("name it once"));
        } else {
            names.push(name.0);
        }
    }
    if names.len() > MAX_ATTRIBUTES {
        let wrong = Error::spec(format!("names {} columns", names.len()));
        item.wrong(mistakes, wrong.advice(format!("name up to {MAX_ATTRIBUTES}")));
    }
    names
}

pub(super) fn day(text: &str) -> Result<Day> {
    Day::parse(text).ok_or_else(|| Error::spec(format!("`{text}` is not a day of the calendar")).advice("write one such as 2026-12-31"))
}

/// The flag that gives a side on the command line.
fn flag_of(side: Side) -> &'static str {
    match side {
        Side::Live => "--live",
        Side::Shadow => "--shadow",
    }
}

#[cfg(test)]
mod tests;
