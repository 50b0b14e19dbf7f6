//! `power`: plants known changes into a copy of some rows, and tells which of them a spec would catch.
//!
//! ```text
//! rows of live ──► copy ──────────────────────────┐
//!       │                                         ├─► compare under the spec ─► caught, or which rule covered it
//!       └─► copy with planted changes ────────────┘
//!                 │ what has no line: once more without `where`, comparators, derived columns ─► which of them let it pass
//! ```
//! Both sides are rows of live, so that nothing differs but what was planted. Inputs are only read; the copies lie in the scratch folder and go
//! with the process.

mod plants;
mod report;
mod sample;
mod shown;

use crate::args::PowerArgs;
use crate::laboratory::{Key, Laboratory, Trial, keys, side_columns};
use crate::process::{block_on_tasks, exit_code_of, sources};
use crate::settings::Settings;
use crate::signals::watch_signals;
use crate::spec::{SpecFile, find};
use arrow_array::{Array, ArrayRef};
use plants::{Bed, Ground, Plant, RowChange, makes_keys, unique};
use report::{ColumnOutcome, LeftOut, Power, VERSION};
use sample::{Sample, spec_of_copies};
use shadowdiff_common::read::Sources;
use shadowdiff_common::rows::{chosen, write_ipc};
use shadowdiff_common::tasks::blocking;
use shadowdiff_coordinator::{Bound, Inspected, inspect};
use shadowdiff_core::align::Role;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::planted::CellChange;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{Comparator, Limit, Spec, VerdictSpec};
use shadowdiff_core::verdict::Verdict;
use shadowdiff_worker::TaskLimits;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Comparisons of a whole column that changed.
const MAX_COLUMNS: usize = 24;

pub(crate) fn run(args: &PowerArgs, limits: TaskLimits) -> Result<ExitCode> {
    let found = find(&args.spec)?;
    let settings = Settings::new(&args.settings, limits)?;
    let power = block_on_tasks(settings.threads, power(args, &settings, &found)).map_err(|e| found.parsed.places.locate(e))?;
    args.answer.tell(&power, shown::text)?;
    Ok(exit_code_of(power.blind.is_empty()))
}

async fn power(args: &PowerArgs, settings: &Settings, found: &SpecFile) -> Result<Power> {
    let sources = sources().with_text_pieces(settings.limits.text_piece_bytes);
    let laboratory = Laboratory {
        settings,
        args: &args.settings,
        sources: &sources,
        base: &found.base,
        document: &found.parsed.document,
        interrupted: watch_signals(),
    };
    let looked_at = look(args, found, &sources).await?;
    let folder = laboratory.folder()?;
    let copies = Sides::new("live.arrow", "shadow.arrow").map(|name| Arc::from(folder.path().join(name)));
    let (spec, notes) = spec_of_copies(&found.parsed.spec, &looked_at.columns, &copies);
    let mut power = Power {
        version: VERSION,
        seed: args.seed,
        looked_at: looked_at.rows,
        notes,
        ..Power::default()
    };
    let experiment = Experiment::new(&laboratory, spec, copies, looked_at).await?;
    power.rows = experiment.sample.rows;
    power.not_compared = experiment.not_compared();
    experiment.check_clean().await?;
    experiment.plant_rows(args.seed, &mut power).await?;
    experiment.change_columns(&mut power).await?;
    power.notes.extend(thresholds(&found.parsed.spec.verdict));
    let changes = RowChange::ALL
        .map(RowChange::name)
        .into_iter()
        .chain(CellChange::ALL.map(CellChange::name));
    power.finish(&changes.collect::<Vec<_>>(), &experiment.sample.names());
    Ok(power)
}

/// Reads rows of live.
async fn look(args: &PowerArgs, found: &SpecFile, sources: &Sources) -> Result<Sample> {
    let Inspected { datasets, columns, .. } = inspect(&found.parsed.spec, &found.base, sources).await?;
    let (dataset, columns, sources) = (datasets.live, columns.live, sources.clone());
    let (spec, most) = (found.parsed.spec.clone(), args.rows as usize);
    let sample = blocking("the sample", move || sample::read(&dataset, &spec, columns, most, &sources)).await?;
    if sample.rows == 0 {
        return Err(Error::input("has no rows to plant changes into").side(Side::Live));
    }
    Ok(sample)
}

/// What a caught change needs to fail the verdict, where one alone is not enough.
fn thresholds(verdict: &VerdictSpec) -> Option<String> {
    let lets_pass = verdict.max_exceptions != Limit::Count(0) || !verdict.max_column_mismatch.is_empty();
    lets_pass.then(|| "the thresholds of `verdict` let some exceptions pass: a change that is caught fails it only beyond them".to_owned())
}

/// The rows, and how they are compared.
struct Experiment<'a> {
    laboratory: &'a Laboratory<'a>,
    spec: Spec,
    copies: Sides<Arc<Path>>,
    bound: Bound,
    /// Rows that pass `where`, each with a key of its own.
    sample: Sample,
    keys: Vec<Key>,
    /// The columns that the key is made of, and those that are compared besides, by their numbers.
    in_key: BTreeSet<usize>,
    compared: Vec<usize>,
}

impl<'a> Experiment<'a> {
    async fn new(laboratory: &'a Laboratory<'a>, spec: Spec, copies: Sides<Arc<Path>>, mut sample: Sample) -> Result<Self> {
        for (_, path) in copies.each() {
            write_ipc(path, &sample.names(), &sample.arrays)?;
        }
        let bound = laboratory.bind(&spec).await?;
        let columns = side_columns(&bound, Side::Live, |name| sample.array(name), sample.rows)?;
        let keys = keys(&bound.plan, Side::Live, &columns, sample.rows)?;
        let is_unique = unique(&keys);
        let passes = match &bound.compiled.filters[Side::Live] {
            Some(filter) => filter.is_true(&columns, sample.rows)?.iter().collect(),
            None => vec![true; sample.rows],
        };
        let rows: Vec<usize> = (0..sample.rows).filter(|row| is_unique[*row] && passes[*row]).collect();
        if rows.is_empty() {
            let what = format!(
                "none of the {} rows that were looked at passes it with a key of its own",
                sample.rows
            );
            return Err(Error::input(what).field("where").advice("look at more with --rows"));
        }
        let keys = rows.iter().map(|row| keys[*row].clone()).collect();
        sample.arrays = chosen(&sample.arrays, &rows)?;
        sample.rows = rows.len();
        write_ipc(&copies.live, &sample.names(), &sample.arrays)?;
        let is_key = |role: &Role| *role == Role::Key;
        let in_key = columns_of(&bound, &sample, is_key);
        let compared = columns_of(&bound, &sample, |role| !is_key(role));
        Ok(Experiment {
            compared: compared.difference(&in_key).copied().collect(),
            laboratory,
            spec,
            copies,
            bound,
            sample,
            keys,
            in_key,
        })
    }

    fn name(&self, column: usize) -> &str {
        &self.sample.columns[column].name
    }

    fn not_compared(&self) -> Vec<String> {
        let numbers = 0..self.sample.columns.len();
        let others = numbers.filter(|at| !self.in_key.contains(at) && !self.compared.contains(at));
        others.map(|at| self.name(at).to_owned()).collect()
    }

    /// Compares the copy of live with these rows under a spec.
    async fn compare(&self, spec: &Spec, shadow: &[ArrayRef]) -> Result<Trial> {
        write_ipc(&self.copies.shadow, &self.sample.names(), shadow)?;
        self.laboratory.run(spec).await
    }

    /// Where the copies without a change break something, nothing could be told of changes.
    async fn check_clean(&self) -> Result<()> {
        let trial = self.compare(&self.spec, &self.sample.arrays).await?;
        match trial.summary.broken.first() {
            None => Ok(()),
            Some(broken) => Err(Error::spec(format!(
                "rows of live do not even pass when they are compared with themselves: {broken}"
            ))),
        }
    }

    /// Plants changes into single rows, and tells what became of each.
    async fn plant_rows(&self, seed: u64, power: &mut Power) -> Result<()> {
        let key_column = self.new_key_column();
        let ground = Ground {
            sample: &self.sample,
            columns: &self.compared,
            key_column,
        };
        let plants = ground.plan(seed);
        let left_out = plants.left_out.iter().cloned();
        power.left_out = left_out.map(|(change, why)| LeftOut { change, why }).collect();
        for bed in &plants.beds {
            let (shadow, places) = ground.grow(bed)?;
            self.judge(bed, &shadow, &places, power).await?;
        }
        Ok(())
    }

    /// Compares a bed, and tells what became of its plants. `places`: the rows of the shadow whose keys are new.
    async fn judge(&self, bed: &Bed, shadow: &[ArrayRef], places: &BTreeMap<usize, usize>, power: &mut Power) -> Result<()> {
        let rows = shadow.first().map_or(0, |column| column.len());
        let array = |name: &str| {
            let at = self.sample.columns.iter().position(|column| column.name == name)?;
            shadow.get(at)
        };
        let columns = side_columns(&self.bound, Side::Live, array, rows)?;
        let new_keys = keys(&self.bound.plan, Side::Live, &columns, rows)?;
        let trial = self.compare(&self.spec, shadow).await?;
        let mut silent = Vec::new();
        for (row, plant) in bed {
            let key = places.get(row).map_or(&self.keys[*row], |place| &new_keys[*place]);
            match trial.lines.get(key) {
                Some(lines) if lines.iter().any(|(_, is_exception)| *is_exception) => self.add(plant, None, power),
                Some(lines) => {
                    let rules: BTreeSet<String> = lines.iter().filter_map(|(line, _)| line.rule.clone()).collect();
                    let rules: Vec<String> = rules.into_iter().map(|rule| self.rule(&rule)).collect();
                    self.add(plant, Some(rules.join(" and ")), power);
                }
                None => silent.push((plant, key)),
            }
        }
        self.explain(&silent, power).await
    }

    /// What has covered a line: a rule by its name, or a pattern that is accepted.
    fn rule(&self, name: &str) -> String {
        match self.spec.expected.iter().any(|rule| rule.name == name) {
            true => format!("rule `{name}`"),
            false => format!("acceptance of pattern `{name}`"),
        }
    }

    /// Which part of the spec changes without a line come to light without.
    async fn explain(&self, silent: &[(&Plant, &Key)], power: &mut Power) -> Result<()> {
        let mut silent = silent.to_vec();
        for part in Part::ALL {
            if silent.is_empty() {
                return Ok(());
            }
            let Some(spec) = part.without(&self.spec) else { continue };
            // Without its derived columns a spec may name columns that are not there.
            let trial = match self.laboratory.run(&spec).await {
                Err(error) if error.kind != Kind::Spec => return Err(error),
                Err(_) => continue,
                Ok(trial) => trial,
            };
            for (plant, _) in silent.iter().filter(|(_, key)| trial.lines.contains_key(*key)) {
                self.add(plant, Some(self.named(part, plant)), power);
            }
            silent.retain(|(_, key)| !trial.lines.contains_key(*key));
        }
        for (plant, _) in silent {
            self.add(
                plant,
                Some("no single part of the spec: the values count as equal".to_owned()),
                power,
            );
        }
        Ok(())
    }

    fn add(&self, plant: &Plant, swallowed_by: Option<String>, power: &mut Power) {
        match plant {
            Plant::Cell(column, change, _) => power.add(Some(self.name(*column)), change.name(), swallowed_by),
            Plant::Row(change) => power.add(None, change.name(), swallowed_by),
        }
    }

    fn named(&self, part: Part, plant: &Plant) -> String {
        match (part, plant) {
            (Part::Filter, _) => "`where`".to_owned(),
            (Part::Derives, _) => "`columns.derive`".to_owned(),
            (Part::Comparators, Plant::Cell(column, ..)) => self.comparator(*column),
            (Part::Comparators, Plant::Row(_)) => "the comparators".to_owned(),
        }
    }

    fn comparator(&self, column: usize) -> String {
        let of = self
            .bound
            .plan
            .aligned
            .columns
            .iter()
            .find(|aligned| aligned.path[0] == self.name(column) && *aligned.comparator() != Comparator::EXACT);
        of.map_or_else(
            || "the comparators of columns that are derived from it".to_owned(),
            |aligned| format!("comparator `{}` of `{}`", aligned.comparator(), aligned.name),
        )
    }

    /// The last column of the key of which new values can be made.
    fn new_key_column(&self) -> Option<usize> {
        let plan = &self.bound.plan;
        let plain = plan.aligned.key.iter().rev().filter_map(|at| {
            let column = &plan.aligned.columns[*at];
            let is_plain = column.path.len() == 1 && !self.spec.columns.derive.live.iter().any(|(name, _)| *name == column.path[0]);
            let number = self.sample.columns.iter().position(|read| read.name == column.path[0]);
            number.filter(|number| is_plain && makes_keys(&self.sample.columns[*number].value_type))
        });
        plain.into_iter().next()
    }

    /// Changes one column after the other in all rows, and asks for the verdict.
    async fn change_columns(&self, power: &mut Power) -> Result<()> {
        let ground = Ground {
            sample: &self.sample,
            columns: &self.compared,
            key_column: None,
        };
        let mut left_out = 0;
        for column in self.compared.iter().copied() {
            let Some(change) = CellChange::of_column(&self.sample.columns[column].value_type) else {
                continue;
            };
            if power.columns.len() == MAX_COLUMNS {
                left_out += 1;
                continue;
            }
            let (shadow, cells) = ground.change_column(column, change)?;
            if cells == 0 {
                continue;
            }
            let trial = self.compare(&self.spec, &shadow).await?;
            let caught = trial.summary.verdict == Verdict::Fail;
            power.columns.push(ColumnOutcome {
                column: self.name(column).to_owned(),
                change: change.name().to_owned(),
                cells,
                caught,
                swallowed_by: if caught { Vec::new() } else { self.who_let_pass(column, &trial) },
            });
        }
        if left_out > 0 {
            power.notes.push(format!("{left_out} more columns were not changed as a whole"));
        }
        Ok(())
    }

    fn who_let_pass(&self, column: usize, trial: &Trial) -> Vec<String> {
        let summary = &trial.summary;
        let rules = summary.rules.iter().filter(|rule| rule.lines > 0);
        let mut by: Vec<String> = rules.map(|rule| format!("rule `{}`", rule.name)).collect();
        if summary.differences.accepted > 0 {
            by.push("acceptances".to_owned());
        }
        if summary.rows.within_tolerance > 0 {
            by.push(self.comparator(column));
        }
        if summary.differences.exceptions > 0 {
            by.push("the thresholds of `verdict`".to_owned());
        }
        if by.is_empty() {
            by.push("`where` or `columns.derive`".to_owned());
        }
        by
    }
}

/// The columns of the sample that compared columns of a role are made of.
fn columns_of(bound: &Bound, sample: &Sample, is_of: impl Fn(&Role) -> bool) -> BTreeSet<usize> {
    let side = &bound.plan.sides[Side::Live];
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for column in bound.plan.aligned.columns.iter().filter(|column| is_of(&column.role)) {
        let made = side.columns.iter().zip(&bound.compiled.derives[Side::Live]);
        let derived = made
            .into_iter()
            .find(|(made, _)| made.name == column.path[0])
            .and_then(|(_, derived)| derived.as_ref());
        match derived {
            Some(expression) => {
                let copied = expression.copies.iter().map(|(at, _)| *at);
                names.extend(expression.reads.iter().copied().chain(copied).map(|at| side.read[at].name.as_str()));
            }
            None => {
                names.insert(&column.path[0]);
            }
        }
    }
    let numbers = sample.columns.iter().enumerate();
    numbers
        .filter(|(_, column)| names.contains(column.name.as_str()))
        .map(|(at, _)| at)
        .collect()
}

/// A part of a spec that can let a change pass without a line.
#[derive(Debug, Clone, Copy)]
enum Part {
    Filter,
    Comparators,
    Derives,
}

impl Part {
    const ALL: [Part; 3] = [Part::Filter, Part::Comparators, Part::Derives];

    /// The spec without it, and without rules; `None` where it has none.
    fn without(self, spec: &Spec) -> Option<Spec> {
        let mut spec = spec.clone();
        spec.expected.clear();
        spec.accepted = None;
        spec.verdict = VerdictSpec::default();
        let had = match self {
            Part::Filter => std::mem::take(&mut spec.filter) != Sides::default(),
            Part::Comparators => !std::mem::take(&mut spec.comparators).is_empty(),
            Part::Derives => std::mem::take(&mut spec.columns.derive) != Sides::default(),
        };
        had.then_some(spec)
    }
}
