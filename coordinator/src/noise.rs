//! Reads what the live version differs from itself by: the finished result of comparing live with a second run of it. It counts only if it is
//! of the same live data, compared and judged in the same way.

use crate::fetched::{Fetched, fetch_result};
use crate::tables::Table;
use shadowdiff_common::store::{Location, Stores};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::noise::{NoiseCounter, NoiseFacts};
use shadowdiff_core::plan::Pinned;
use shadowdiff_core::render::Line;
use shadowdiff_core::report::{ResultFile, Summary, fingerprint};
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::{DifferenceKind, Overrides, Spec, parse};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// More ways to differ than this are no noise that somebody has looked at.
const MAX_UNITS: usize = 1_000;

/// The noise of a spec whose relative paths start at `base`; `None` where it names none. `pins`: what the comparison reads.
pub(crate) async fn read_noise(spec: &Spec, pins: &Sides<Vec<Pinned>>, base: &Path, stores: &Stores) -> Result<Option<NoiseFacts>> {
    let Some(noise) = &spec.noise else { return Ok(None) };
    let Some(place) = &noise.result else {
        return Err(Error::spec("names no result of comparing live with `live_again`").field("noise").advice(
            "`shadowdiff compare` makes one; for other commands compare the two with the same spec and name its place in `noise.result`",
        ));
    };
    let of_place = |e: Error| e.field("noise.result");
    let fetched = fetch_result(place, base, stores, &[ResultFile::Diff]).await.map_err(of_place)?;
    let shown = Location::shown(place);
    check_again(&pins.shadow, &fetched.summary.pins.shadow, base)?;
    check(spec, &pins.live, &fetched.summary).map_err(|e| of_place(e.file(&shown)))?;
    count(&fetched).map(Some).map_err(|e| of_place(e.file(&shown)))
}

/// Refuses files of shadow as the second run of the live version: all that differs would be noise.
fn check_again(shadow: &[Pinned], again: &[Pinned], base: &Path) -> Result<()> {
    let place = |file: &Pinned| std::fs::canonicalize(base.join(&file.name)).unwrap_or_else(|_| PathBuf::from(&file.name));
    let of_shadow: BTreeSet<PathBuf> = shadow.iter().map(place).collect();
    match again.iter().find(|file| of_shadow.contains(&place(file))) {
        None => Ok(()),
        Some(file) => Err(Error::spec(format!(
            "reads `{}`, which shadow reads too: all that differs would be noise",
            file.name
        ))
        .field("noise.live_again")
        .advice("name a second run of the live version")),
    }
}

/// Refuses a result that says nothing of this comparison.
fn check(spec: &Spec, live: &[Pinned], summary: &Summary) -> Result<()> {
    let again = |what: String| Err(Error::input(what).advice("compare live with `live_again` again"));
    if summary.differences.cut > 0 {
        return again("lists only some of its differences".to_owned());
    }
    let is_same = |(one, other): (&Pinned, &Pinned)| one.name == other.name && one.pin.agrees(&other.pin);
    if live.len() != summary.pins.live.len() || !live.iter().zip(&summary.pins.live).all(is_same) {
        return again("is of other live data, or these have changed since".to_owned());
    }
    let theirs = parse(&summary.spec.to_string(), "its spec", &Overrides::default())?.spec;
    let of_live = |spec: &Spec| {
        let columns = &spec.columns;
        (
            spec.sides.live.schema.clone(),
            spec.sides.live.csv.clone(),
            spec.filter.live.clone(),
            (columns.rename.live.clone(), columns.cast.live.clone(), columns.derive.live.clone()),
        )
    };
    let mut swapped = theirs.clone();
    for sides in [&mut swapped.columns.rename, &mut swapped.columns.derive] {
        std::mem::swap(&mut sides.live, &mut sides.shadow);
    }
    std::mem::swap(&mut swapped.columns.cast.live, &mut swapped.columns.cast.shadow);
    std::mem::swap(&mut swapped.filter.live, &mut swapped.filter.shadow);
    std::mem::swap(&mut swapped.sides.live, &mut swapped.sides.shadow);
    let differing = [
        ("account", spec.account != theirs.account),
        ("key", spec.key != theirs.key),
        ("comparators", spec.comparators != theirs.comparators),
        ("expected", spec.expected != theirs.expected),
        (
            "columns",
            spec.columns.include != theirs.columns.include || spec.columns.exclude != theirs.columns.exclude,
        ),
        ("how live is read", of_live(spec) != of_live(&theirs)),
        ("how live is read again", of_live(spec) != of_live(&swapped)),
        ("output.spreadsheet_safe", theirs.output.spreadsheet_safe),
    ];
    match differing.iter().find(|(_, differs)| *differs) {
        Some((what, _)) => again(format!("was made by another spec: {what} differs")),
        None => Ok(()),
    }
}

/// Counts the changed cells that no rule covers.
fn count(fetched: &Fetched) -> Result<NoiseFacts> {
    let mut table = Table::open(fetched.files.directory(), ResultFile::Diff)?;
    table.next_record()?;
    let (mut counter, mut units) = (NoiseCounter::default(), 0);
    while let Some(record) = table.next_record()? {
        let wrong = || Error::input("holds what is no difference").file(ResultFile::Diff.name());
        let (line, is_exception) = Line::from_record(record).ok_or_else(wrong)?;
        let Some(column) = line.column.as_deref().filter(|_| line.kind == DifferenceKind::Changed.name()) else {
            continue;
        };
        let delta = line
            .delta
            .as_deref()
            .map(|text| text.parse::<f64>().map_err(|_| wrong()))
            .transpose()?;
        let fingerprints = [fingerprint(&line.key), fingerprint(std::slice::from_ref(&line.shadow))];
        counter.add_cell(column, delta, fingerprints);
        if !is_exception {
            continue;
        }
        units = counter.add(column, line.diagnosis.as_deref(), delta, [&line.live, &line.shadow]);
        if units > MAX_UNITS {
            break;
        }
    }
    if units > MAX_UNITS {
        return Err(
            Error::input(format!("live differs from itself in more than {MAX_UNITS} ways")).advice("exclude what is never the same")
        );
    }
    let rows = &fetched.summary.rows;
    Ok(counter.facts(rows.cancelled + rows.within_tolerance + rows.changed))
}
