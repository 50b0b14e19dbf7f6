//! Binds a spec to its data: lists and pins the files, settles every column's type, meets the schemas, cuts the work. The result is the plan.

use crate::accounts::Lists;
use crate::columns::{Found, Known, SideFiles, guess, look};
use crate::cut::{Amounts, Cut, CutUp};
use crate::prune::{check_scopes, side_plan};
use shadowdiff_common::read::json::JsonShape;
use shadowdiff_common::read::{DataFile, Dataset, Format, Sources, list};
use shadowdiff_common::sql::{Sql, SqlColumn};
use shadowdiff_core::align::{SideColumn, align};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::judge::{AccountSet, Judge};
use shadowdiff_core::plan::{PLAN_VERSION, Pinned, Plan, PlanSecret, ReadColumn};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{CsvTypes, Limit, Spec, nearest};
use shadowdiff_core::value::{Guess, ValueType};
use shadowdiff_core::verdict;
use std::path::Path;

/// A spec bound to its data.
#[derive(Debug)]
pub struct Bound {
    pub plan: Plan,
    pub datasets: Sides<Dataset>,
    pub flipped: AccountSet,
    pub rule_accounts: Vec<Option<AccountSet>>,
    pub amounts: Amounts,
}

/// The datasets of a spec and the columns of their files, before the sides meet.
#[derive(Debug)]
pub struct Inspected {
    pub datasets: Sides<Dataset>,
    /// Under the names of the comparison, each with the type it is read as.
    pub columns: Sides<Vec<ReadColumn>>,
    files: Sides<SideFiles>,
}

/// Looks at the files of both sides; of `spec` only the datasets, renames and casts count. Relative paths start at `base`.
pub async fn inspect(spec: &Spec, base: &Path, sources: &Sources) -> Result<Inspected> {
    let datasets = Sides::new(
        list(Side::Live, &spec.sides.live, base, &sources.stores).await?,
        list(Side::Shadow, &spec.sides.shadow, base, &sources.stores).await?,
    );
    let mut files = Sides::new(
        look(&datasets.live, &spec.sides.live, sources).await?,
        look(&datasets.shadow, &spec.sides.shadow, sources).await?,
    );
    for side in Side::BOTH {
        declare_missing(&mut files, datasets[side].format, spec, side);
    }
    let named = names(spec, &files)?;
    let columns = types(spec, &datasets, &files, named, sources).await?;
    Ok(Inspected { datasets, columns, files })
}

/// Binds `spec`; relative paths start at `base`.
pub async fn bind(spec: Spec, spec_warnings: Vec<String>, base: &Path, sources: &Sources, cut: Cut) -> Result<Bound> {
    let Inspected {
        datasets,
        columns: read,
        files,
    } = inspect(&spec, base, sources).await?;
    let mut warnings = spec_warnings;
    warnings.extend(same_files(&datasets));
    let columns = Sides::try_from_fn(|side| derived(&spec, side, &read[side]))?;
    let aligned = align(&spec, &columns)?;
    warnings.extend(aligned.warnings.iter().cloned());
    warnings.extend(verdict::check(&spec, &aligned)?);
    let lists = Lists {
        spec: &spec,
        aligned: &aligned,
        base,
        sources,
    };
    let (flipped, rule_accounts) = (lists.flipped().await?, lists.rules().await?);
    let as_of = spec.as_of.unwrap_or(cut.today);
    let (_, judge_warnings) = Judge::new(&spec, &aligned, rule_accounts.clone(), as_of)?;
    warnings.extend(judge_warnings);
    warnings.extend(check_scopes(&spec, &columns)?);

    let sides = Sides::from_fn(|side| side_plan(&spec, side, &read[side], &columns[side], &aligned.columns));
    for side in Side::BOTH {
        warnings.extend(mixed_zones(side, &files[side], &sides[side].read));
    }
    let cut_up = CutUp::new(&datasets, &files, &cut);
    let pins = Sides::from_fn(|side| datasets[side].files.iter().map(pinned).collect());
    let plan = Plan {
        version: PLAN_VERSION,
        count_accounts: matches!(spec.verdict.max_exception_accounts, Some(Limit::Share(_))),
        spec,
        as_of,
        aligned,
        sides,
        pins,
        scans: cut_up.scans,
        shards: cut_up.shards,
        secret: PlanSecret(cut.secret),
        warnings,
    };
    Ok(Bound {
        plan,
        datasets,
        flipped,
        rule_accounts,
        amounts: cut_up.amounts,
    })
}

/// A comparison of files with themselves passes, and proves nothing.
fn same_files(datasets: &Sides<Dataset>) -> Option<String> {
    let shadow = &datasets.shadow.files;
    let same = datasets
        .live
        .files
        .iter()
        .all(|file| shadow.iter().any(|other| other.location == file.location));
    same.then(|| "live and shadow are the same files: a comparison with itself proves nothing".into())
}

/// Columns that are read with a zone although some files of the side have none, unless the spec says the type.
fn mixed_zones(side: Side, files: &SideFiles, read: &[ReadColumn]) -> Vec<String> {
    let is_own = |name: &str, c: &ReadColumn| {
        let known = Known::Type(c.value_type.clone());
        c.source == name && files.columns.iter().any(|f| f.name == name && f.known == known)
    };
    let warning = |(name, types): (&String, &String)| {
        let column = read.iter().find(|c| is_own(name, c))?;
        Some(format!(
            "column `{}` of {side} is {types}; values without a zone are read as UTC",
            column.name
        ))
    };
    files.mixed_zones.iter().filter_map(warning).collect()
}

fn pinned(file: &DataFile) -> Pinned {
    Pinned {
        name: file.name.clone(),
        size_bytes: file.pin.size_bytes,
        etag: file.pin.etag.clone(),
        modified_ms: file.pin.modified_ms,
    }
}

/// A column with its name in the files, its name in the comparison, and what is known of its type.
#[derive(Debug, Clone)]
struct Named {
    source: String,
    name: String,
    known: Known,
}

/// JSON lines leave out what is NULL: a column that no line has is all NULL, not missing, where it is declared, or cast and of the other side.
fn declare_missing(files: &mut Sides<SideFiles>, format: Format, spec: &Spec, side: Side) {
    if format != Format::Json {
        return;
    }
    let renames = &spec.columns.rename;
    let is_of_other = |name: &str| {
        let mut others = files[side.other()].columns.iter();
        others.any(|c| {
            renames[side.other()]
                .iter()
                .find(|(from, _)| *from == c.name)
                .map_or(&c.name, |(_, to)| to)
                == name
        })
    };
    let cast = spec.columns.cast[side]
        .iter()
        .map(|(name, _)| name)
        .filter(|name| is_of_other(name));
    let in_files = |name: &String| {
        renames[side]
            .iter()
            .find(|(_, to)| to == name)
            .map_or(name.clone(), |(from, _)| from.clone())
    };
    let declared = spec.sides[side].schema.iter().map(|(name, _)| name.clone());
    let wanted: Vec<String> = declared.chain(cast.map(in_files)).collect();
    for name in wanted {
        if !files[side].columns.iter().any(|c| c.name == name) {
            files[side].columns.push(Found {
                name,
                known: Known::Json(JsonShape::Null),
            });
        }
    }
}

/// Applies the renames; a rename of nothing and two columns of one name are mistakes.
fn names(spec: &Spec, files: &Sides<SideFiles>) -> Result<Sides<Vec<Named>>> {
    let mut mistakes = Vec::new();
    let named = Sides::from_fn(|side| {
        let renames = &spec.columns.rename[side];
        let found = &files[side].columns;
        for (from, _) in renames {
            if !found.iter().any(|c| c.name == *from) {
                mistakes.push(no_column("columns.rename", side, from, found));
            }
        }
        for (name, _) in &spec.sides[side].schema {
            // Written once for both sides, it may be about a column of one.
            let of_other = files[side.other()].columns.iter().any(|c| c.name == *name)
                && spec.sides[side.other()].schema.iter().any(|(n, _)| n == name);
            if !found.iter().any(|c| c.name == *name) && !of_other {
                mistakes.push(no_column("schema", side, name, found));
            }
        }
        let new_name = |name: &str| {
            renames
                .iter()
                .find(|(from, _)| from == name)
                .map_or_else(|| name.to_owned(), |(_, to)| to.clone())
        };
        let named: Vec<Named> = found
            .iter()
            .map(|c| Named {
                source: c.name.clone(),
                name: new_name(&c.name),
                known: c.known.clone(),
            })
            .collect();
        for (at, column) in named.iter().enumerate() {
            if named[..at].iter().any(|c| c.name == column.name) {
                mistakes.push(format!(
                    "columns.rename: two columns of {side} are named `{}`; give one another name",
                    column.name
                ));
            }
        }
        for (name, _) in &spec.columns.cast[side] {
            let elsewhere = files[side.other()].columns.iter().any(|c| c.name == *name)
                && spec.columns.cast.live.iter().any(|(n, _)| n == name)
                && spec.columns.cast.shadow.iter().any(|(n, _)| n == name);
            if !named.iter().any(|c| c.name == *name) && !elsewhere {
                mistakes.push(no_column("columns.cast", side, name, found));
            }
        }
        named
    });
    if mistakes.is_empty() {
        Ok(named)
    } else {
        Err(Error::all(Kind::Spec, mistakes))
    }
}

fn no_column(place: &str, side: Side, name: &str, found: &[Found]) -> String {
    let near = nearest(name, found.iter().map(|c| c.name.as_str()))
        .map(|n| format!("; did you mean `{n}`"))
        .unwrap_or_default();
    format!("{place}: {side} has no column `{name}`{near}")
}

/// Settles what every column is read as: what the spec says, else what the file says, else what the other side says, else a guess over both.
async fn types(
    spec: &Spec,
    datasets: &Sides<Dataset>,
    files: &Sides<SideFiles>,
    named: Sides<Vec<Named>>,
    sources: &Sources,
) -> Result<Sides<Vec<ReadColumn>>> {
    let declared = |side: Side, column: &Named| {
        let cast = spec.columns.cast[side].iter().find(|(name, _)| *name == column.name);
        cast.or_else(|| spec.sides[side].schema.iter().find(|(name, _)| *name == column.source))
            .map(|(_, t)| t.clone())
    };
    let open = Sides::from_fn(|side| {
        let is_open =
            |c: &&Named| c.known == Known::Untyped && declared(side, c).is_none() && spec.sides[side].csv.types == CsvTypes::Infer;
        let from_other = |c: &&Named| settled(&named[side.other()], &c.name, |o| declared(side.other(), o)).is_none();
        named[side]
            .iter()
            .filter(is_open)
            .filter(from_other)
            .map(|c| c.source.clone())
            .collect::<Vec<String>>()
    });
    let guesses = Sides::new(
        guesses(Side::Live, spec, datasets, files, &open.live, sources).await?,
        guesses(Side::Shadow, spec, datasets, files, &open.shadow, sources).await?,
    );
    let guess_of = |side: Side, name: &str| {
        let column = named[side].iter().find(|c| c.name == name)?;
        open[side]
            .iter()
            .position(|source| *source == column.source)
            .map(|at| guesses[side][at])
    };
    Ok(Sides::from_fn(|side| {
        let read = named[side].iter().map(|column| {
            let other = named[side.other()].iter().find(|c| c.name == column.name);
            let value_type = declared(side, column).unwrap_or_else(|| match &column.known {
                Known::Type(t) => t.clone(),
                Known::Json(shape) => json_type(shape, other, |o| declared(side.other(), o), guess_of(side.other(), &column.name)),
                Known::Untyped => match settled(&named[side.other()], &column.name, |o| declared(side.other(), o)) {
                    Some(t) => t,
                    None if spec.sides[side].csv.types == CsvTypes::Text => ValueType::Text,
                    None => untyped(guess_of(side, &column.name), guess_of(side.other(), &column.name), other),
                },
            });
            ReadColumn {
                source: column.source.clone(),
                name: column.name.clone(),
                value_type,
            }
        });
        read.collect()
    }))
}

/// The type of the other side's column, if that side has one of its own: declared, of the file, or a JSON shape that is no number or text.
fn settled(other: &[Named], name: &str, declared: impl Fn(&Named) -> Option<ValueType>) -> Option<ValueType> {
    let column = other.iter().find(|c| c.name == name)?;
    declared(column).or_else(|| match &column.known {
        Known::Type(ValueType::Null) | Known::Untyped => None,
        Known::Type(t) if t.is_nested() => None,
        Known::Type(t) => Some(t.clone()),
        Known::Json(JsonShape::Bool | JsonShape::Text(_)) => match &column.known {
            Known::Json(shape) => Some(shape.value_type()),
            Known::Type(_) | Known::Untyped => None,
        },
        Known::Json(JsonShape::Null | JsonShape::Number(_) | JsonShape::List(_) | JsonShape::Object(_)) => None,
    })
}

/// Text on this side, and on the other text or JSON numbers: one guess over both.
fn untyped(mine: Option<Guess>, theirs: Option<Guess>, other: Option<&Named>) -> ValueType {
    let mut all = mine.unwrap_or_default();
    theirs.iter().for_each(|g| all.merge(g));
    if let Some(Known::Json(JsonShape::Number(numbers))) = other.map(|o| &o.known) {
        all.merge(numbers);
    }
    all.result()
}

fn json_type(shape: &JsonShape, other: Option<&Named>, declared: impl Fn(&Named) -> Option<ValueType>, csv: Option<Guess>) -> ValueType {
    let Some(other) = other else { return shape.value_type() };
    if let Some(t) = declared(other) {
        return fit(shape, &t).unwrap_or_else(|| shape.value_type());
    }
    match &other.known {
        Known::Type(t) => fit(shape, t).unwrap_or_else(|| shape.value_type()),
        Known::Json(theirs) => {
            let mut both = shape.clone();
            // Shapes that clash keep their own types, and meeting them says so.
            if both.merge(theirs, "").is_ok() {
                both.value_type()
            } else {
                shape.value_type()
            }
        }
        Known::Untyped => match (shape, csv) {
            (JsonShape::Number(numbers), Some(texts)) => {
                let mut both = *numbers;
                both.merge(&texts);
                both.result()
            }
            (JsonShape::Null, Some(texts)) => texts.result(),
            (_, _) => shape.value_type(),
        },
    }
}

/// JSON of a shape read as a type of the other side, if it may be.
fn fit(shape: &JsonShape, t: &ValueType) -> Option<ValueType> {
    match (shape, t) {
        (JsonShape::Null, _) => Some(t.clone()),
        (_, ValueType::Null) => Some(shape.value_type()),
        (JsonShape::Bool, ValueType::Bool) => Some(ValueType::Bool),
        (JsonShape::Number(_), t) if t.is_number() => Some(t.clone()),
        (JsonShape::Text(_), t) if !t.is_nested() && *t != ValueType::Bool => Some(t.clone()),
        (JsonShape::List(item), ValueType::List(t)) => Some(ValueType::List(Box::new(fit(item, t)?))),
        (JsonShape::Object(members), ValueType::Struct(types)) => {
            let mut fitted = Vec::new();
            for (name, member) in members {
                let known = types.iter().find(|(n, _)| n == name);
                fitted.push((
                    name.clone(),
                    known.map_or_else(|| Some(member.value_type()), |(_, t)| fit(member, t))?,
                ));
            }
            Some(ValueType::Struct(fitted))
        }
        (JsonShape::Object(members), ValueType::Map(key, value)) if **key == ValueType::Text => {
            members.values().all(|m| fit(m, value).is_some()).then(|| t.clone())
        }
        (_, _) => None,
    }
}

async fn guesses(
    side: Side,
    spec: &Spec,
    datasets: &Sides<Dataset>,
    files: &Sides<SideFiles>,
    columns: &[String],
    sources: &Sources,
) -> Result<Vec<Guess>> {
    let mut guesses = match datasets[side].format {
        Format::Csv if !columns.is_empty() => guess(&datasets[side], &spec.sides[side].csv, columns, sources).await?,
        Format::Csv | Format::Parquet | Format::Json | Format::ArrowIpc | Format::Avro => vec![Guess::default(); columns.len()],
    };
    for (guess, name) in guesses.iter_mut().zip(columns) {
        files[side].path_texts.get(name).iter().for_each(|texts| guess.merge(texts));
    }
    Ok(guesses)
}

/// The side's columns as compared: the columns read, with derived ones replaced or added.
fn derived(spec: &Spec, side: Side, read: &[ReadColumn]) -> Result<Vec<SideColumn>> {
    let sql = Sql::default();
    let given: Vec<SqlColumn> = read
        .iter()
        .map(|c| SqlColumn {
            qualifier: None,
            name: c.name.clone(),
            data_type: c.value_type.sql_form(),
        })
        .collect();
    let mut columns: Vec<SideColumn> = read
        .iter()
        .map(|c| SideColumn {
            name: c.name.clone(),
            value_type: c.value_type.clone(),
        })
        .collect();
    let mut mistakes = Vec::new();
    for (name, text) in &spec.columns.derive[side] {
        let place = format!("columns.derive.{name} ({side})");
        let planned = sql.plan(&place, text, &given).and_then(|e| {
            ValueType::from_arrow(&e.data_type).map_err(|t| Error::spec(format!("{place}: `{text}` gives {t}, which cannot be compared")))
        });
        match planned {
            Ok(value_type) => match columns.iter_mut().find(|c| c.name == *name) {
                Some(column) => column.value_type = value_type,
                None => columns.push(SideColumn {
                    name: name.clone(),
                    value_type,
                }),
            },
            Err(e) => mistakes.push(e.message),
        }
    }
    if mistakes.is_empty() {
        Ok(columns)
    } else {
        Err(Error::all(Kind::Spec, mistakes))
    }
}
