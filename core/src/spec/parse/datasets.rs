//! The two datasets: where their files are and how they are read.

use super::flag_of;
use crate::error::Error;
use crate::side::{Side, Sides};
use crate::spec::duration::Duration;
use crate::spec::fields::{CSV, CSV_TYPES, DECIMALS, EMPTY_FIELDS, READY};
use crate::spec::item::{Fields, Item};
use crate::spec::mistakes::Mistakes;
use crate::spec::model::{Compression, CsvOptions, CsvTypes, DatasetSpec, EmptyField, Header, Ready};
use crate::spec::scalars::{character, column_type};
use crate::value::{DateForm, TextForm, ValueType};

pub(super) fn read(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Sides<DatasetSpec> {
    let paths = Sides::from_fn(|side| paths_of(fields, side, mistakes));
    let schema = types(fields.get("schema"), mistakes);
    let csv = for_each_side(fields.get("csv"), |_| true, csv, mistakes);
    let ready = for_each_side(fields.get("ready"), |_| true, ready, mistakes);
    Sides::from_fn(|side| DatasetSpec {
        paths: paths[side].clone(),
        schema: schema[side].clone(),
        csv: csv[side].clone().unwrap_or_default(),
        ready: ready[side].clone().flatten(),
    })
}

fn paths_of(fields: &Fields<'_>, side: Side, mistakes: &mut Mistakes) -> Vec<String> {
    let Some(item) = fields.get(side.name()) else {
        let advice = mistakes.or_flag(&format!("add the {side} dataset's directory, glob or files"), flag_of(side));
        fields.wrong(mistakes, Error::spec(format!("has no `{side}`")).advice(advice));
        return Vec::new();
    };
    paths(&item, mistakes)
}

pub(super) fn paths(item: &Item<'_>, mistakes: &mut Mistakes) -> Vec<String> {
    item.texts("a directory, a glob, a file, or a list of them", mistakes)
}

/// Column names to types, for both sides or one each, as `schema` and `cast` have them.
pub(super) fn types(item: Option<Item<'_>>, mistakes: &mut Mistakes) -> Sides<Vec<(String, ValueType)>> {
    for_each_side(item, Item::is_mapping, side_types, mistakes).map(Option::unwrap_or_default)
}

fn side_types(item: &Item<'_>, mistakes: &mut Mistakes) -> Vec<(String, ValueType)> {
    let pairs = item.pairs("a mapping from columns to types", mistakes).unwrap_or_default();
    let read = pairs
        .into_iter()
        .map(|(entry, item)| (entry.key.clone(), item.read("a type such as int or text", column_type, mistakes)));
    read.filter_map(|(name, found)| Some((name, found?))).collect()
}

/// What `read` makes of a value that is for both sides or one a side; read once where it is for both, so that a mistake is said once.
fn for_each_side<'a, T: Clone>(
    item: Option<Item<'a>>,
    is_side: impl Fn(&Item<'a>) -> bool,
    read: impl Fn(&Item<'a>, &mut Mistakes) -> T,
    mistakes: &mut Mistakes,
) -> Sides<Option<T>> {
    let Some(item) = item else { return Sides::new(None, None) };
    if item.is_per_side(is_side) {
        return item.sides(mistakes).map(|item| item.map(|item| read(&item, mistakes)));
    }
    let both = read(&item, mistakes);
    Sides::new(Some(both.clone()), Some(both))
}

fn csv(item: &Item<'_>, mistakes: &mut Mistakes) -> CsvOptions {
    let default = CsvOptions::default();
    let Some(fields) = item.fields(&CSV, mistakes) else {
        return default;
    };
    let wanted = "one ASCII character";
    let options = CsvOptions {
        delimiter: fields.read("delimiter", wanted, character, mistakes),
        quote: fields.read("quote", wanted, character, mistakes).unwrap_or(default.quote),
        escape: fields.read("escape", wanted, character, mistakes),
        header: fields.with("header", header, mistakes).unwrap_or(default.header),
        encoding: fields.text("encoding", mistakes).unwrap_or(default.encoding),
        compression: fields.word("compression", Compression::WORDS, mistakes),
        null_values: fields.with("null_values", null_values, mistakes),
        types: fields.word("types", CSV_TYPES, mistakes).unwrap_or(CsvTypes::Infer),
        empty: fields.word("empty", EMPTY_FIELDS, mistakes).unwrap_or(EmptyField::Null),
        form: form(&fields, mistakes),
    };
    if options.delimiter.unwrap_or(b',') == options.quote {
        fields.wrong(
            mistakes,
            Error::spec("has one character as delimiter and as quote").advice("change one of them"),
        );
    }
    if options.escape.is_some_and(|escape| escape == options.delimiter.unwrap_or(b',')) {
        fields.wrong(
            mistakes,
            Error::spec("has one character as delimiter and as escape").advice("change one of them"),
        );
    }
    options
}

fn form(fields: &Fields<'_>, mistakes: &mut Mistakes) -> TextForm {
    let mut form = TextForm {
        decimal_comma: fields.word("decimal", DECIMALS, mistakes).unwrap_or(false),
        ..TextForm::default()
    };
    let wanted = "a pattern such as \"%d.%m.%Y\", or a list of two";
    let items = fields
        .get("dates")
        .and_then(|item| item.one_or_more(wanted, mistakes))
        .unwrap_or_default();
    for item in items {
        let Some(pattern) = item.read(wanted, DateForm::parse, mistakes) else {
            continue;
        };
        let (place, what) = if pattern.has_time() {
            (&mut form.time, "days with a time")
        } else {
            (&mut form.date, "days")
        };
        match place {
            Some(first) => item.wrong(
                mistakes,
                Error::spec(format!("is a second pattern for {what}, beside `{}`", first.pattern()))
                    .advice("a text must not have two readings: keep one"),
            ),
            None => *place = Some(pattern),
        }
    }
    form
}

fn header(item: &Item<'_>, mistakes: &mut Mistakes) -> Option<Header> {
    if !item.is_list() {
        return item
            .flag(mistakes)
            .map(|present| if present { Header::Present } else { Header::Absent });
    }
    let mut names: Vec<String> = Vec::new();
    for item in item.one_or_more("true, false, or the names of the columns", mistakes)? {
        let Some(name) = item.text(mistakes) else { continue };
        if names.iter().any(|earlier| earlier == name) {
            item.wrong(
                mistakes,
                Error::spec(format!("names `{name}` a second time")).advice("name each column once"),
            );
        }
        names.push(name.to_owned());
    }
    Some(Header::Names(names))
}

fn null_values(item: &Item<'_>, mistakes: &mut Mistakes) -> Vec<String> {
    let items = item.list("a list of texts", mistakes).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| item.scalar("a text", mistakes).map(str::to_owned))
        .collect()
}

fn ready(item: &Item<'_>, mistakes: &mut Mistakes) -> Option<Ready> {
    if !item.is_mapping() {
        return Some(Ready {
            marker: marker(item, mistakes)?,
            wait_ms: 0,
        });
    }
    let fields = item.fields(&READY, mistakes)?;
    let wait_ms = fields
        .read("wait", "a duration such as 10m", Duration::parse_ms, mistakes)
        .unwrap_or(0);
    Some(Ready {
        marker: marker(&fields.get("marker")?, mistakes)?,
        wait_ms,
    })
}

fn marker(item: &Item<'_>, mistakes: &mut Mistakes) -> Option<String> {
    let name = item.text(mistakes)?;
    if name.contains('/') || name == ".." || name == "." {
        item.wrong(
            mistakes,
            Error::spec(format!("`{name}` is a path")).advice("write the name of a file inside the dataset's directory"),
        );
        return None;
    }
    Some(name.to_owned())
}
