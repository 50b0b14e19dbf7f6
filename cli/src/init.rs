//! `init`: looks at both datasets and writes a first spec, with comments, that a person then corrects.

mod account;
mod change;
mod csv;
mod key;
mod names;
mod place;
mod propose;
mod render;
mod sample;
mod schema;

use crate::args::InitArgs;
use crate::process::{block_on, sources, working_directory};
use crate::progress::Planning;
use crate::{note, say};
use change::{Change, ChangeKind, Pairs, changes, pairs};
pub(crate) use csv::with_csv_flags;
use key::Tested;
pub(crate) use propose::propose_key;
pub(crate) use sample::spread;
use sample::{Sample, sample};
use schema::{JointSchema, meet};
use shadowdiff_common::read::Dataset;
use shadowdiff_common::store::Location;
use shadowdiff_common::tasks::blocking;
use shadowdiff_coordinator::{Inspected, inspect};
use shadowdiff_core::align::{SideColumn, align, find_path};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::plan::ReadColumn;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{CsvOverride, Overrides, Spec, from_overrides, parse};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn run(args: &InitArgs) -> Result<ExitCode> {
    let here = working_directory()?;
    if let Some(file) = args.output.as_ref().filter(|file| file.symlink_metadata().is_ok()) {
        return Err(there_already(file));
    }
    let given = |columns: &[String]| (!columns.is_empty()).then(|| columns.to_vec());
    let asked = Overrides {
        live: Some(vec![args.live.clone()]),
        shadow: Some(vec![args.shadow.clone()]),
        account: given(&args.account),
        key: given(&args.key),
        csv: args.csv.csv.clone(),
        ..Overrides::default()
    };
    let found = block_on(look(asked, &here))?;
    let folder = args.output.as_ref().and_then(|file| file.parent()).unwrap_or(Path::new(""));
    let paths = Sides::new(&args.live, &args.shadow).map(|path| place::seen_from(path, folder, &here));
    if [&args.live, &args.shadow].into_iter().any(|path| Location::shown(path) != *path) {
        note("shadowdiff: user, password and query of the URLs are not written down; give them when you compare: --live URL --shadow URL");
    }
    let text = render::render(&found, &paths);
    check(&text, &found)?;
    let Some(file) = &args.output else { return say(&text) };
    write(file, &text)?;
    note(&format!(
        "shadowdiff: wrote {}; read it, then run `shadowdiff compare` with it",
        file.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// All that the spec is written from.
#[derive(Debug)]
struct Inspection {
    datasets: Sides<Dataset>,
    /// What the command line says of CSV files, and what was found of them.
    csv: Vec<CsvOverride>,
    csv_found: Vec<csv::Setting>,
    schema: JointSchema,
    samples: Sides<Sample>,
    keys: Keys,
    pairs: Pairs,
    changes: Vec<Change>,
}

/// The account and the key by name.
#[derive(Debug)]
struct Keys {
    account: Vec<String>,
    /// The account columns first.
    key: Vec<String>,
    is_given: bool,
    /// `None`: one of them has no type that both sides share.
    tested: Option<Tested>,
}

impl Inspection {
    fn name(&self, change: &Change) -> &str {
        &self.schema.shared[change.column].name
    }

    /// Which part of the matched rows differs.
    fn share(&self, change: &Change) -> String {
        share(change.differing, self.pairs.0.len())
    }

    fn technical(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.kind == ChangeKind::Technical)
    }

    /// Whether the spec compares a column, or a member below one, as a value.
    fn is_compared(&self, name: &str) -> bool {
        let is_in = |column: &str| name == column || name.strip_prefix(column).is_some_and(|rest| rest.starts_with('.'));
        !self.keys.key.iter().any(|key| key == name) && !self.technical().any(|change| is_in(self.name(change)))
    }
}

/// A part in percent: 100 % only where it is all, 0 % only where it is nothing.
fn share(part: usize, all: usize) -> String {
    let tenths = part * 1000 / all.max(1);
    match (part, tenths) {
        (1.., 0) => "under 0.1 %".to_owned(),
        (_, tenths) if tenths.is_multiple_of(10) => format!("{} %", tenths / 10),
        (_, tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// The spec as far as it is known: what the key is called is not looked at before the proposal is checked.
fn known(asked: &Overrides) -> Result<Spec> {
    let key = asked.key.clone().or_else(|| asked.account.clone());
    let key = Some(key.unwrap_or_else(|| vec!["unknown".to_owned()]));
    Ok(from_overrides(&Overrides { key, ..asked.clone() })?.spec)
}

async fn look(mut asked: Overrides, here: &Path) -> Result<Inspection> {
    let sources = sources();
    let planning = Planning::show(&sources, false);
    let csv_found = csv::find(&known(&asked)?, here, &sources).await?;
    asked.csv.extend(csv_found.iter().filter_map(|setting| setting.field.clone()));
    let spec = known(&asked)?;
    let Inspected { datasets, columns, .. } = inspect(&spec, here, &sources).await?;
    let schema = Arc::new(meet(columns));
    let start = |side: Side| {
        let (dataset, schema, sources) = (datasets[side].clone(), Arc::clone(&schema), sources.clone());
        let csv = spec.sides[side].csv.clone();
        blocking("a reader", move || sample(side, &dataset, &csv, &schema.shared, &sources))
    };
    let (live, shadow) = tokio::join!(start(Side::Live), start(Side::Shadow));
    let samples = Sides::new(live?, shadow?);
    drop(planning);
    let schema = Arc::try_unwrap(schema).map_err(|_| Error::internal("the readers are done with the schema"))?;
    let keys = keys(&asked, &schema, &samples)?;
    let matched = keys
        .tested
        .as_ref()
        .map_or_else(Pairs::default, |tested| pairs(&samples, &tested.columns));
    let changes = keys
        .tested
        .as_ref()
        .map_or_else(Vec::new, |tested| changes(&schema, &samples, &tested.columns, &matched));
    Ok(Inspection {
        datasets,
        csv: asked.csv,
        csv_found,
        schema,
        samples,
        keys,
        pairs: matched,
        changes,
    })
}

/// The account and the key: what the command line gives, else what the rows tell.
fn keys(asked: &Overrides, schema: &JointSchema, samples: &Sides<Sample>) -> Result<Keys> {
    let given = |columns: &Option<Vec<String>>| columns.clone().unwrap_or_default();
    let (account_names, key_names) = (given(&asked.account), given(&asked.key));
    let (account, key) = (places(&account_names, schema)?, places(&key_names, schema)?);
    let is_given = asked.key.is_some();
    let (Some(account), Some(key)) = (account, key) else {
        let first = if account_names.is_empty() {
            &key_names[..1]
        } else {
            account_names.as_slice()
        };
        return Ok(Keys {
            account: first.to_vec(),
            key: joined(first, &key_names),
            is_given: true,
            tested: None,
        });
    };
    let tested = if is_given {
        key::test(&joined(&account, &key), samples)
    } else {
        key::propose(schema, samples, &account).ok_or_else(|| Error::input(no_key(&schema.columns)))?
    };
    let account = match (account.as_slice(), is_given) {
        ([], true) => vec![account::propose(schema, samples, &tested.columns, &Pairs::default())],
        ([], false) => vec![account::propose(schema, samples, &tested.columns, &pairs(samples, &tested.columns))],
        (given, _) => given.to_vec(),
    };
    let key = joined(&account, &tested.columns);
    let names = |columns: &[usize]| columns.iter().map(|c| schema.shared[*c].name.clone()).collect();
    Ok(Keys {
        account: names(&account),
        key: names(&key),
        is_given,
        tested: Some(key::test(&key, samples)),
    })
}

/// The places of given columns; `None` where one has no type that both sides share.
fn places(names: &[String], schema: &JointSchema) -> Result<Option<Vec<usize>>> {
    for (side, columns) in schema.columns.each() {
        let known = as_side(columns);
        if let Some(name) = names.iter().find(|name| find_path(&known, name).is_none()) {
            let error = Error::spec(format!("no column `{name}`")).side(side);
            return Err(error.did_you_mean(name, known.iter().map(|c| c.name.as_str())));
        }
    }
    Ok(names
        .iter()
        .map(|name| schema.shared.iter().position(|s| s.name == *name))
        .collect())
}

/// The first list, then what only the second has.
fn joined<T: Clone + PartialEq>(first: &[T], second: &[T]) -> Vec<T> {
    first
        .iter()
        .chain(second.iter().filter(|item| !first.contains(item)))
        .cloned()
        .collect()
}

fn as_side(columns: &[ReadColumn]) -> Vec<SideColumn> {
    columns.iter().map(SideColumn::from).collect()
}

fn no_key(columns: &Sides<Vec<ReadColumn>>) -> String {
    let names = |side: Side| {
        columns[side]
            .iter()
            .take(30)
            .map(|c| format!("`{}`", c.name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    format!(
        "no column that both sides have can name a row; live has {}, shadow has {}; give --key, or write a spec with `columns.rename` by hand",
        names(Side::Live),
        names(Side::Shadow)
    )
}

/// What is written must be a spec, and one that fits the data.
fn check(text: &str, found: &Inspection) -> Result<()> {
    let spec = parse(text, "the proposed spec", &Overrides::default())?.spec;
    let columns = Sides::from_fn(|side| as_side(&found.schema.columns[side]));
    align(&spec, &columns).map(drop).map_err(|e| e.file("the proposed spec"))
}

fn write(file: &PathBuf, text: &str) -> Result<()> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => there_already(file),
        std::io::ErrorKind::NotFound => Error::spec("the folder does not exist").file(file.display()).advice("create it"),
        _ => Error::new(Kind::Exhausted, e.to_string()).file(file.display()),
    };
    let mut out = std::fs::File::create_new(file).map_err(failed)?;
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)
}

fn there_already(file: &Path) -> Error {
    Error::spec("is there already and is not replaced")
        .file(file.display())
        .advice("name another file")
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_neither_lost_nor_rounded_up() {
        for (part, all, expected) in [
            (0, 10, "0 %"),
            (10, 10, "100 %"),
            (999, 1000, "99.9 %"),
            (9999, 10_000, "99.9 %"),
            (1, 10_000, "under 0.1 %"),
            (1, 0, "100 %"),
        ] {
            assert_eq!(share(part, all), expected, "{part} of {all}");
        }
    }
}
