//! Binds a spec to its data: lists and pins the files, settles every column's type, meets the schemas, cuts the work. The result is the plan.

use crate::acceptances::read_acceptances;
use crate::accounts::Lists;
use crate::columns::{FileColumn, KnownType, SideFiles, legacy_dates, look};
use crate::noise::read_noise;
use crate::partition::{PartitionSettings, Partitioning};
use crate::prune::{check_scopes, kept_columns, scopes, side_plan};
use crate::scale::forget_scales;
use crate::types::{NamedColumn, Note, fill_rowless, types};
use crate::unread::UnreadColumns;
use shadowdiff_common::compiled::Compiled;
use shadowdiff_common::read::{DataFile, Dataset, Format, Sources, list};
use shadowdiff_common::sql::{Expression, Sql, SqlColumn};
use shadowdiff_core::acceptance::Acceptances;
use shadowdiff_core::accounts::AccountSets;
use shadowdiff_core::align::{SideColumn, align};
use shadowdiff_core::error::{Error, Place, Result};
use shadowdiff_core::judge;
use shadowdiff_core::plan::{PLAN_VERSION, Plan, PlanSecret, ReadColumn, Warning, WarningOrigin};
use shadowdiff_core::shorten::excerpt;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{Limit, ListedAccounts, Spec, member};
use shadowdiff_core::value::ValueType;
use shadowdiff_core::verdict;
use std::path::Path;

/// A spec bound to its data. What workers make of the plan is made here too, so that a mistake shows before anything runs.
#[derive(Debug)]
pub struct Bound {
    pub plan: Plan,
    pub datasets: Sides<Dataset>,
    pub accounts: AccountSets,
    pub compiled: Compiled,
}

/// The datasets of a spec and the columns of their files, before the sides meet.
#[derive(Debug)]
pub struct Inspected {
    pub datasets: Sides<Dataset>,
    /// Under the names of the comparison, each with the type it is read as.
    pub columns: Sides<Vec<ReadColumn>>,
    /// What is to be said about how the types of columns were found.
    pub notes: Vec<Note>,
    files: Sides<SideFiles>,
}

/// Looks at the files of both sides; of `spec` only the datasets, renames and casts count. Relative paths start at `base`.
pub async fn inspect(spec: &Spec, base: &Path, sources: &Sources) -> Result<Inspected> {
    let datasets = Sides::new(
        list(Side::Live, &spec.sides.live, base, &sources.stores).await?,
        list(Side::Shadow, &spec.sides.shadow, base, &sources.stores).await?,
    );
    let unread = Sides::from_fn(|side| UnreadColumns::new(spec, side));
    let mut files = look(&datasets, &spec.sides, &unread, sources).await?;
    fill_rowless(&mut files, &datasets, spec);
    for side in Side::BOTH {
        declare_missing(&mut files, datasets[side].format, spec, side);
    }
    let named = names(spec, &files)?;
    let (columns, notes) = types(spec, &datasets, &files, &named, sources).await?;
    Ok(Inspected {
        datasets,
        columns,
        notes,
        files,
    })
}

/// Binds `spec`; relative paths start at `base`.
pub async fn bind(spec: Spec, spec_warnings: Vec<String>, base: &Path, sources: &Sources, cut: PartitionSettings) -> Result<Bound> {
    let Inspected {
        datasets,
        columns: read,
        notes,
        files,
    } = inspect(&spec, base, sources).await?;
    let mut warnings: Vec<Warning> = WarningOrigin::Spec.of(spec_warnings).collect();
    warnings.extend(WarningOrigin::Data.of(same_files(&datasets)));
    let columns = Sides::try_from_fn(|side| derived(&spec, side, &read[side]))?;
    let mut aligned = align(&spec, &columns)?;
    forget_scales(&spec, &Sides::from_fn(|side| datasets[side].format), &read, &mut aligned);
    warnings.extend(WarningOrigin::Data.of(aligned.warnings.iter().cloned()));
    warnings.extend(WarningOrigin::Spec.of(verdict::check(&spec, &aligned)?));
    let is_compared = |note: &Note| aligned.columns.iter().any(|column| column.path[0] == note.column);
    warnings.extend(WarningOrigin::Data.of(notes.into_iter().filter(is_compared).map(|note| note.text)));
    let lists = Lists {
        spec: &spec,
        aligned: &aligned,
        base,
        sources,
    };
    let accounts = lists.read().await?;
    let as_of = spec.as_of.unwrap_or(cut.today);
    warnings.extend(WarningOrigin::Spec.of(judge::check(&spec, &aligned)?));
    let accepted = read_acceptances(&spec, base, &sources.stores).await?;
    warnings.extend(WarningOrigin::Spec.of(Acceptances::new(&accepted, &aligned, as_of)?.1));
    warnings.extend(WarningOrigin::Spec.of(check_scopes(&spec, scopes(&spec), &columns)?));

    let sides = Sides::from_fn(|side| side_plan(&spec, side, &read[side], &columns[side], &aligned.columns));
    for side in Side::BOTH {
        warnings.extend(WarningOrigin::Data.of(mixed_zones(side, &files[side], &sides[side].read)));
        let legacy = legacy_dates(side, &datasets[side], &files[side], &sides[side].read, sources).await?;
        warnings.extend(WarningOrigin::Data.of(legacy));
    }
    let cut_up = Partitioning::new(&datasets, &files, &cut);
    let pins = Sides::from_fn(|side| datasets[side].files.iter().map(DataFile::pinned).collect());
    let noise = read_noise(&spec, &pins, base, &sources.stores).await?;
    let plan = Plan {
        version: PLAN_VERSION,
        count_accounts: spec.output.accounts == ListedAccounts::Differing
            && matches!(spec.verdict.max_exception_accounts, Some(Limit::Share(_))),
        accepted,
        noise,
        as_of,
        kept: kept_columns(&spec, &columns, &aligned.columns)?,
        spec,
        aligned,
        sides,
        pins,
        scans: cut_up.scans,
        shards: cut_up.shards,
        part_bytes: cut.part_bytes,
        form: cut.form,
        estimate: cut_up.estimate,
        secret: PlanSecret(cut.secret),
        warnings,
    };
    Ok(Bound {
        compiled: Compiled::new(&plan, &accounts)?,
        plan,
        datasets,
        accounts,
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
        let known = KnownType::Type(c.value_type.clone());
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

/// JSON lines leave out what is NULL: a column that no line has is all NULL, not missing, where it is declared, or cast and of the other side.
fn declare_missing(files: &mut Sides<SideFiles>, format: Format, spec: &Spec, side: Side) {
    if format != Format::Json {
        return;
    }
    let columns = &spec.columns;
    let is_of_other = |name: &str| {
        let mut others = files[side.other()].columns.iter();
        others.any(|c| columns.renamed(side.other(), &c.name) == name)
    };
    let cast = columns.cast[side].iter().map(|(name, _)| name.as_str());
    let cast: Vec<&str> = cast.filter(|name| is_of_other(name)).collect();
    let declared = spec.sides[side].schema.iter().map(|(name, _)| name.as_str());
    let cast = cast.into_iter().map(|name| columns.source_of(side, name));
    declared.chain(cast).for_each(|name| files[side].add_null(name));
}

/// Applies the renames; a rename of nothing and two columns of one name are mistakes.
fn names(spec: &Spec, files: &Sides<SideFiles>) -> Result<Sides<Vec<NamedColumn>>> {
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
        let named: Vec<NamedColumn> = found
            .iter()
            .map(|c| NamedColumn {
                source: c.name.clone(),
                name: spec.columns.renamed(side, &c.name).to_owned(),
                known: c.known.clone(),
            })
            .collect();
        for (at, column) in named.iter().enumerate() {
            if named[..at].iter().any(|c| c.name == column.name) {
                let mistake = Error::spec(format!("two columns are named `{}`", column.name));
                mistakes.push(mistake.field("columns.rename").side(side).advice("give one another name"));
            }
        }
        for (name, _) in &spec.columns.cast[side] {
            let elsewhere = files[side.other()].columns.iter().any(|c| c.name == *name)
                && spec.columns.cast.live.iter().any(|(n, _)| n == name)
                && spec.columns.cast.shadow.iter().any(|(n, _)| n == name);
            // A rename that failed is told already, and would have made the column.
            let unmade = |(from, to): &(String, String)| to == name && !found.iter().any(|c| c.name == *from);
            if !named.iter().any(|c| c.name == *name) && !elsewhere && !renames.iter().any(unmade) {
                mistakes.push(no_column("columns.cast", side, name, found));
            }
        }
        named
    });
    Error::all(mistakes)?;
    Ok(named)
}

fn no_column(field: &str, side: Side, name: &str, found: &[FileColumn]) -> Error {
    let known = found.iter().map(|c| c.name.as_str());
    Error::spec(format!("no column `{name}`"))
        .field(field)
        .side(side)
        .did_you_mean(name, known)
}

/// The side's columns as compared: the columns read, with derived ones replaced or added.
fn derived(spec: &Spec, side: Side, read: &[ReadColumn]) -> Result<Vec<SideColumn>> {
    let sql = Sql::default();
    let given: Vec<SqlColumn> = read.iter().map(|c| SqlColumn::new(&c.name, &c.value_type)).collect();
    let mut columns: Vec<SideColumn> = read.iter().map(SideColumn::from).collect();
    let mut mistakes = Vec::new();
    for (name, text) in &spec.columns.derive[side] {
        let place = Place::from(member("columns.derive", name).as_str()).of(side);
        let planned = sql.plan(place.clone(), text, &given).and_then(|e| match copied_type(&e, read) {
            Some(value_type) => Ok(value_type),
            None => ValueType::from_arrow(&e.data_type)
                .map_err(|t| Error::spec(format!("`{}` gives {t}, which cannot be compared", excerpt(text))).at(&place)),
        });
        match planned {
            Ok(value_type) => match columns.iter_mut().find(|c| c.name == *name) {
                Some(column) => column.value_type = value_type,
                None => columns.push(SideColumn {
                    name: name.clone(),
                    value_type,
                }),
            },
            Err(e) => mistakes.push(e),
        }
    }
    Error::all(mistakes)?;
    Ok(columns)
}

/// The type of a plain copy is that of the column, or of the member: SQL knows only the form that it is stored in.
fn copied_type(expression: &Expression, read: &[ReadColumn]) -> Option<ValueType> {
    let (column, members) = expression.copies.as_ref()?;
    members
        .iter()
        .try_fold(read[*column].value_type.clone(), |whole, name| match whole {
            ValueType::Struct(members) => members.into_iter().find(|(member, _)| member == name).map(|(_, t)| t),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_common::store::Stores;
    use shadowdiff_core::spec::{Overrides, parse};
    use std::sync::Arc;

    #[test]
    fn a_rename_of_nothing_is_one_mistake_whatever_else_names_the_column() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["l.csv", "s.csv"] {
            std::fs::write(folder.path().join(name), "id,amt\n1,2\n").expect("a file");
        }
        let text =
            "live: l.csv\nshadow: s.csv\naccount: id\ncolumns:\n  rename: {shadow: {amount: total}}\n  cast: {shadow: {total: double}}\n";
        let spec = parse(text, "s.yaml", &Overrides::default()).expect("a good spec").spec;
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let error = runtime.block_on(async {
            let sources = Sources::new(Arc::new(Stores::new()), tokio::runtime::Handle::current());
            inspect(&spec, folder.path(), &sources).await.expect_err("no such column")
        });
        assert_eq!(error.to_string(), "columns.rename (shadow): no column `amount`");
    }
}
