//! Compares copies of some rows in this process, as often as somebody tries something, and says what became of each row.

use crate::args::SettingArgs;
use crate::local_job::{cut, job};
use crate::settings::Settings;
use arrow_array::ArrayRef;
use shadowdiff_common::read::Sources;
use shadowdiff_coordinator::{Bound, Progress, Run, Table, Target, bind, run as run_job};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Plan;
use shadowdiff_core::render::Line;
use shadowdiff_core::report::{Field, ResultFile, Summary, key_field};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::Spec;
use shadowdiff_core::value::{convert, value_at};
use shadowdiff_worker::{LocalWorkers, member};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A row's key, as it is printed.
pub(crate) type Key = Vec<Field>;

/// What trials need of the process.
pub(crate) struct Laboratory<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) args: &'a SettingArgs,
    pub(crate) sources: &'a Sources,
    /// Where lists of accounts of the spec start.
    pub(crate) base: &'a Path,
    pub(crate) document: &'a serde_json::Value,
    pub(crate) interrupted: watch::Receiver<bool>,
}

/// What a comparison found.
pub(crate) struct Trial {
    pub(crate) summary: Summary,
    /// The lines of each row, each with whether it is an exception.
    pub(crate) lines: BTreeMap<Key, Vec<(Line, bool)>>,
    /// The columns that were read.
    pub(crate) read: Sides<BTreeSet<String>>,
}

impl Laboratory<'_> {
    pub(crate) async fn bind(&self, spec: &Spec) -> Result<Bound> {
        let cut = cut(self.settings, self.args.shards)?;
        // What is tried has no second run of its own.
        let spec = Spec {
            noise: None,
            ..spec.clone()
        };
        bind(spec, Vec::new(), self.base, self.sources, cut).await
    }

    /// Compares the copies that the spec names.
    pub(crate) async fn run(&self, spec: &Spec) -> Result<Trial> {
        let bound = self.bind(spec).await?;
        let read = Sides::from_fn(|side| bound.plan.sides[side].read.iter().map(|column| column.name.clone()).collect());
        let slots = self.settings.slots(bound.plan.estimate.reading_bytes);
        let (job, accounts) = job(bound, self.settings, self.args, self.sources.clone())?;
        let workers = LocalWorkers::start(job.clone(), slots)?;
        let folder = self.folder()?;
        let run = Run {
            plan: &job.plan,
            accounts: &accounts,
            document: self.document.clone(),
            target: Target::Directory(folder.path().join("result")),
            overwrite: false,
            scratch: job.resources.scratch.clone(),
            planned_in: Duration::ZERO,
            progress: watch::Sender::new(Progress::default()),
            interrupted: self.interrupted.clone(),
        };
        let outcome = run_job(run, &workers).await?;
        let mut table = Table::open(outcome.published.directory(), ResultFile::Diff)?;
        table.next_record()?;
        let mut lines: BTreeMap<Key, Vec<(Line, bool)>> = BTreeMap::new();
        while let Some(record) = table.next_record()? {
            let (line, is_exception) = Line::from_record(record).ok_or_else(|| Error::internal("diff.csv has what is no difference"))?;
            lines.entry(line.key.clone()).or_default().push((line, is_exception));
        }
        Ok(Trial {
            summary: outcome.summary,
            lines,
            read,
        })
    }

    /// A folder in the scratch directory; it goes when it is dropped.
    pub(crate) fn folder(&self) -> Result<tempfile::TempDir> {
        let scratch = self.args.scratch.clone().unwrap_or_else(std::env::temp_dir);
        let made =
            std::fs::create_dir_all(&scratch).and_then(|()| tempfile::Builder::new().prefix("shadowdiff-copies-").tempdir_in(&scratch));
        made.map_err(|e| Error::exhausted(e.to_string()).file(scratch.display()))
    }
}

/// The columns of a side as they are compared, made of those that were read. `array`: a column that was read.
pub(crate) fn side_columns<'a>(
    bound: &Bound,
    of: Side,
    array: impl Fn(&str) -> Option<&'a ArrayRef>,
    rows: usize,
) -> Result<Vec<ArrayRef>> {
    let side = &bound.plan.sides[of];
    let missing = |name: &str| Error::internal("a column of the copy is missing").column(name);
    let named = |name: &str| array(name).cloned().ok_or_else(|| missing(name));
    let read: Vec<ArrayRef> = side.read.iter().map(|column| named(&column.name)).collect::<Result<_>>()?;
    let made = side.columns.iter().zip(&bound.compiled.derives[of]).map(|(column, derived)| {
        let Some(expression) = derived else { return named(&column.name) };
        let value = match &expression.copies {
            Some((at, members)) => member(Arc::clone(&read[*at]), members, rows),
            None => expression.evaluate(&read, rows)?,
        };
        convert(&value, &column.value_type).map_err(|bad| Error::input(bad.to_string()).column(&column.name))
    });
    made.collect()
}

/// The keys of all rows of a side.
pub(crate) fn keys(plan: &Plan, of: Side, side_columns: &[ArrayRef], rows: usize) -> Result<Vec<Key>> {
    let mut keys = vec![Vec::new(); rows];
    for column in plan.aligned.key_columns() {
        let names = plan.sides[of].columns.iter();
        let at = names.into_iter().position(|c| c.name == column.path[0]);
        let at = at.ok_or_else(|| Error::internal("a key column is missing").column(&column.name))?;
        let array = member(Arc::clone(&side_columns[at]), &column.path[1..], rows);
        let array = convert(&array, &column.stored[of]).map_err(|bad| Error::input(bad.to_string()).column(&column.name))?;
        for (row, key) in keys.iter_mut().enumerate() {
            key.push(key_field(&value_at(array.as_ref(), row), column, plan.spec.output.spreadsheet_safe));
        }
    }
    Ok(keys)
}
