//! `shrink`: the smallest masked pair of files, and a spec, that still show a pattern of a finished result: for a ticket.
//!
//! ```text
//! result ─► rows of the pattern, by their keys ─► all rows of these keys, out of the data ─► one key that shows it by itself
//!        ─► fewest parts of the spec, rows, columns ─► strongest masks ─► live.parquet, shadow.parquet, spec.yaml, README.md
//! ```
//! What is left is compared after each step, as `compare` does it: a step under which the pattern is gone is not taken. Inputs are only read.

mod masked;
mod recipe;
mod reduce;
mod rows;
mod shown;
mod wanted;

use crate::args::ShrinkArgs;
use crate::laboratory::{Key, Laboratory};
use crate::process::{block_on_tasks, sources, working_directory};
use crate::rollout::refuse_inputs;
use crate::settings::Settings;
use crate::signals::watch_signals;
use crate::spec::{SpecFile, from_file};
use crate::{say, warn};
use masked::{Masked, mask};
use recipe::Recipe;
use reduce::{Bench, FILES, Reproducer};
use rows::{Pair, Rows, read};
use shadowdiff_common::random_bytes;
use shadowdiff_common::store::Location;
use shadowdiff_coordinator::{Bound, Staging, fetch_result};
use shadowdiff_core::align::Role;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::patterns::RowPatternSummary;
use shadowdiff_core::redact::redacted_document;
use shadowdiff_core::rejudge::compared_differently;
use shadowdiff_core::report::{ResultFile, Summary};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{BaselineSpec, OutputSpec, Pattern, Spec, VerdictSpec, parse_again};
use shadowdiff_worker::TaskLimits;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use wanted::{Candidate, candidates};

pub(crate) fn run(args: &ShrinkArgs, limits: TaskLimits) -> Result<ExitCode> {
    let settings = Settings::new(&args.settings, limits)?;
    let given = args.spec.as_deref().map(|spec| from_file(spec, &args.set, None)).transpose()?;
    say(&block_on_tasks(settings.threads, shrink(args, &settings, given.as_ref()))?)
}

async fn shrink(args: &ShrinkArgs, settings: &Settings, given: Option<&SpecFile>) -> Result<String> {
    let here = working_directory()?;
    let sources = sources();
    let fetched = fetch_result(&args.result.to_string_lossy(), &here, &sources.stores, &[ResultFile::Diff]).await?;
    let summary = fetched.summary;
    let pattern = summary.row_patterns.pattern(&args.pattern).map_err(|e| e.field("--pattern"))?;
    let compared = Compared::of(&summary, given, &here)?;
    let output = args.output.clone().unwrap_or_else(|| format!("shadowdiff-{}", pattern.fingerprint));
    let folder = new_folder(&output, &here)?;
    refuse_inputs(&folder, FILES.live, &compared.spec, &compared.base)?;
    let found = candidates(fetched.files.directory(), pattern)?;
    let laboratory = Laboratory {
        settings,
        args: &args.settings,
        sources: &sources,
        base: &compared.base,
        document: &compared.document,
        interrupted: watch_signals(),
    };
    let copies = laboratory.folder()?;
    let bench = Bench {
        laboratory: &laboratory,
        folder: copies.path().to_owned(),
        fingerprint: &pattern.fingerprint,
    };
    let whole = first_that_shows(&bench, &compared, &found, &summary).await?;
    let least = bench.reduce(whole).await?;
    let is_there = |name: &&String| {
        least
            .pair
            .each()
            .iter()
            .any(|(_, rows)| rows.columns.iter().any(|column| column.name == **name))
    };
    let gone = args.keep.iter().filter(|name| !is_there(name));
    let gone: Vec<String> = gone
        .map(|name| format!("--keep: the pattern does not need a column `{name}`"))
        .collect();
    warn(&gone);
    let seed = match args.seed {
        Some(seed) => seed,
        None => (u128::from_le_bytes(random_bytes()?) >> 64) as u64,
    };
    let masked = mask(&bench, &least, &args.keep, (pattern, seed)).await?;
    publish(&bench, &masked, pattern, &folder).await?;
    let place = folder.strip_prefix(&here).map_or_else(|_| folder.clone(), Path::to_owned);
    Ok(shown::text(&masked, pattern, &place))
}

/// How the result was compared, and where its data are.
struct Compared {
    spec: Spec,
    document: serde_json::Value,
    base: PathBuf,
    /// Whether a spec was given, whose folder its paths start at.
    is_given: bool,
}

impl Compared {
    fn of(summary: &Summary, given: Option<&SpecFile>, here: &Path) -> Result<Compared> {
        let Some(given) = given else {
            let parsed = parse_again(&summary.spec, ResultFile::Summary.name())?;
            return Ok(Compared {
                spec: parsed.spec,
                document: parsed.document,
                base: here.to_owned(),
                is_given: false,
            });
        };
        let changed = compared_differently(&summary.spec, &redacted_document(given.parsed.document.clone()));
        if !changed.is_empty() {
            let differ = changed.join(", ");
            return Err(Error::spec(format!(
                "this spec compares the data in another way than the result: {differ} differ"
            ))
            .field("--spec")
            .advice("give the spec of the result"));
        }
        Ok(Compared {
            spec: given.parsed.spec.clone(),
            document: given.parsed.document.clone(),
            base: given.base.clone(),
            is_given: true,
        })
    }

    /// Binds it to the data again, to compare these columns alone; all where there are none.
    async fn bind(&self, laboratory: &Laboratory<'_>, columns: &[String]) -> Result<Bound> {
        let mut spec = self.spec.clone();
        if !columns.is_empty() {
            spec.columns.include = columns.iter().map(|name| Pattern(name.clone())).collect();
        }
        // None of this has a part in what differs; a list of accounts may be gone.
        spec.expected.clear();
        spec.comparators.clear();
        (spec.accepted, spec.noise, spec.verdict) = (None, None, VerdictSpec::default());
        spec.baseline = BaselineSpec {
            flipped: None,
            ..spec.baseline
        };
        spec.output = OutputSpec {
            spreadsheet_safe: spec.output.spreadsheet_safe,
            ..OutputSpec::default()
        };
        laboratory.bind(&spec).await.map_err(|e| match self.is_given {
            true => e,
            false => e.advice("relative paths of the result's spec start at the working directory; --spec FILE names the spec, at whose folder they start"),
        })
    }
}

/// The first of these rows that shows the pattern by itself, with all rows of its key.
async fn first_that_shows(bench: &Bench<'_>, compared: &Compared, found: &[Candidate], summary: &Summary) -> Result<Reproducer> {
    let columns = found.first().map(|first| first.columns.clone()).unwrap_or_default();
    let bound = Arc::new(compared.bind(bench.laboratory, &columns).await?);
    let changed = changed_inputs(&bound, summary);
    warn(&changed);
    let wanted: Arc<BTreeSet<Key>> = Arc::new(found.iter().map(|candidate| candidate.key.clone()).collect());
    let (sources, interrupted) = (bench.laboratory.sources, &bench.laboratory.interrupted);
    let from = (sources, bench.laboratory.settings.threads);
    let live = read(&bound, Side::Live, &wanted, from, interrupted).await?;
    let shadow = read(&bound, Side::Shadow, &wanted, from, interrupted).await?;
    let sides = Sides::new(live, shadow);
    let made = bound.plan.sides.each().into_iter().flat_map(|(_, side)| &side.columns);
    let made: BTreeSet<String> = made.map(|column| column.name.clone()).collect();
    for candidate in found {
        let pair: Pair = Sides::try_from_fn(|side| rows_of(&sides[side], &candidate.key))?;
        let columns = match candidate.columns.is_empty() {
            true => values(&bound),
            false => candidate.columns.clone(),
        };
        let recipe = Recipe::new(&compared.spec, &compared.document, columns, &made);
        if let Some(whole) = bench.begin(&Reproducer { pair, recipe }).await? {
            return Ok(whole);
        }
    }
    let none = Error::input(format!(
        "no row of pattern `{}` that was looked at shows it by itself, of {}",
        bench.fingerprint,
        found.len()
    ));
    Err(none.advice(match changed.is_empty() {
        true => "another pattern may show the same cause",
        false => "the data have changed since they were compared: compare again",
    }))
}

fn rows_of((rows, keys): &(Rows, Vec<Key>), key: &Key) -> Result<Rows> {
    let numbers: Vec<usize> = (0..rows.count).filter(|row| keys[*row] == *key).collect();
    rows.chosen(&numbers)?.in_one_type()
}

/// The columns that are compared, besides the key.
fn values(bound: &Bound) -> Vec<String> {
    let all = bound.plan.aligned.columns.iter();
    let values = all.filter(|column| matches!(column.role, Role::Value(_)));
    values.map(|column| column.name.clone()).collect()
}

/// What is said of inputs that are not those that were compared.
fn changed_inputs(bound: &Bound, summary: &Summary) -> Vec<String> {
    let of_side = |side: Side| {
        let (then, now) = (&summary.pins[side], &bound.plan.pins[side]);
        let changed = then
            .iter()
            .find(|pinned| now.iter().all(|other| other.name != pinned.name || !pinned.pin.agrees(&other.pin)));
        let new = now.iter().find(|pinned| then.iter().all(|other| other.name != pinned.name));
        match (changed, new) {
            (Some(changed), _) => Some(format!(
                "{side}: {} is not as it was when it was compared; what is written is of the data as they are now",
                changed.name
            )),
            (None, Some(new)) => Some(format!(
                "{side}: {} was not there when the data were compared; what is written is of the data as they are now",
                new.name
            )),
            (None, None) => None,
        }
    };
    Side::BOTH.into_iter().filter_map(of_side).collect()
}

/// Nothing that is there is replaced.
fn new_folder(output: &str, here: &Path) -> Result<PathBuf> {
    let Location::Local(directory) = Location::parse(output, here)? else {
        return Err(Error::spec(format!("{output} is not a local folder")).field("--output"));
    };
    let is_new = match std::fs::read_dir(&directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) => e.kind() == std::io::ErrorKind::NotFound && !directory.is_symlink(),
    };
    match is_new {
        true => Ok(directory),
        false => Err(Error::input(format!("{} is there already", directory.display()))
            .field("--output")
            .advice("name a new folder")),
    }
}

/// Makes the files visible, once they show the pattern as they are.
async fn publish(bench: &Bench<'_>, masked: &Masked, pattern: &RowPatternSummary, folder: &Path) -> Result<()> {
    let staging = Staging::aside(folder.parent().unwrap_or(Path::new("/")))?;
    let (spec, base) = (masked.reproducer.spec(None), staging.path(""));
    masked.reproducer.write(&base)?;
    let laboratory = Laboratory {
        base: &base,
        interrupted: bench.laboratory.interrupted.clone(),
        ..*bench.laboratory
    };
    if bench.shows_spec(&spec, &laboratory).await?.is_none() {
        return Err(Error::internal("the reproducer does not show the pattern"));
    }
    let head = format!("# Shows pattern {} of a comparison. See README.md.\n", pattern.fingerprint);
    for (name, text) in [("spec.yaml", head + &spec), ("README.md", shown::readme(masked, pattern))] {
        let mut file = staging.create(name)?;
        file.write_all(text.as_bytes())
            .map_err(|e| Error::exhausted(e.to_string()).file(name))?;
        file.finish()?;
    }
    staging.rename(folder)
}
