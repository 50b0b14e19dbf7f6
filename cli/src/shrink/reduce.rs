//! Takes away what a pattern does not need: parts of the spec, rows, columns. Whether it is still there, a comparison of what is left says.

use super::recipe::{Part, Recipe};
use super::rows::Pair;
use crate::laboratory::{Laboratory, Trial};
use shadowdiff_core::error::{Kind, Result};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{Overrides, parse};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The files of a reproducer.
pub(super) const FILES: Sides<&str> = Sides {
    live: "live.parquet",
    shadow: "shadow.parquet",
};

/// Rows of both sides, and the spec that compares them.
#[derive(Debug, Clone)]
pub(super) struct Reproducer {
    pub(super) pair: Pair,
    pub(super) recipe: Recipe,
}

impl Reproducer {
    /// Its spec, for files in a folder.
    pub(super) fn spec(&self, folder: Option<&Path>) -> String {
        let place = |name: &str| folder.map_or_else(|| name.to_owned(), |folder| folder.join(name).to_string_lossy().into_owned());
        let columns = self.pair.each().into_iter().flat_map(|(_, rows)| &rows.columns);
        let columns = columns.map(|column| column.name.as_str()).collect();
        self.recipe.text(&FILES.map(place), &columns)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        self.pair
            .each()
            .into_iter()
            .try_for_each(|(side, rows)| rows.write(&folder.join(FILES[side])))
    }

    fn with_rows(&self, rows: &[(Side, usize)]) -> Result<Reproducer> {
        let pair = Sides::try_from_fn(|side| {
            let rows: Vec<usize> = rows.iter().filter(|(of, _)| *of == side).map(|(_, row)| *row).collect();
            self.pair[side].chosen(&rows)
        })?;
        Ok(Reproducer { pair, ..self.clone() })
    }

    fn with_parts(&self, parts: &[Part]) -> Reproducer {
        let mut other = self.clone();
        other.recipe.parts = parts.to_vec();
        other
    }

    fn with_compared(&self, columns: &[String]) -> Reproducer {
        let mut other = self.clone();
        other.recipe.compared = columns.to_vec();
        other
    }

    /// Without the columns that a comparison does not read.
    fn with_read(&self, read: &Sides<BTreeSet<String>>) -> Reproducer {
        let pair = Sides::from_fn(|side| self.pair[side].only(&read[side]));
        Reproducer { pair, ..self.clone() }
    }
}

/// Where reproducers are compared.
pub(super) struct Bench<'a> {
    pub(super) laboratory: &'a Laboratory<'a>,
    /// For the copies.
    pub(super) folder: PathBuf,
    pub(super) fingerprint: &'a str,
}

impl Bench<'_> {
    /// Compares a reproducer; `None` where the pattern does not come out.
    pub(super) async fn shows(&self, reproducer: &Reproducer) -> Result<Option<Trial>> {
        reproducer.write(&self.folder)?;
        self.shows_spec(&reproducer.spec(Some(&self.folder)), self.laboratory).await
    }

    /// The same of files that lie there, by their spec.
    pub(super) async fn shows_spec(&self, text: &str, laboratory: &Laboratory<'_>) -> Result<Option<Trial>> {
        let compared = match parse(text, "spec.yaml", &Overrides::default()) {
            Ok(parsed) => laboratory.run(&parsed.spec).await,
            Err(error) => Err(error),
        };
        match compared {
            Ok(trial) => Ok(Some(trial).filter(|trial| trial.summary.row_patterns.pattern(self.fingerprint).is_ok())),
            // What is left may name columns that are gone, or hold values that its SQL does not take.
            Err(error) if matches!(error.kind, Kind::Spec | Kind::Input) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The first of the reproducer's specs that shows the pattern: one that needs less comes before one that needs more.
    pub(super) async fn begin(&self, whole: &Reproducer) -> Result<Option<Reproducer>> {
        let parts = &whole.recipe.parts;
        let is_derive = |part: &&Part| matches!(part, Part::Derive(..));
        let derives: Vec<Part> = parts.iter().filter(is_derive).cloned().collect();
        for parts in [Vec::new(), derives, parts.clone()] {
            for other in [None, Some(Part::ShadowIsOld)] {
                let reproducer = whole.with_parts(&parts.iter().cloned().chain(other).collect::<Vec<_>>());
                if self.shows(&reproducer).await?.is_some() {
                    return Ok(Some(reproducer));
                }
            }
        }
        Ok(None)
    }

    /// The least of what shows the pattern.
    pub(super) async fn reduce(&self, mut least: Reproducer) -> Result<Reproducer> {
        let all_rows = Side::BOTH
            .into_iter()
            .flat_map(|side| (0..least.pair[side].count).map(move |row| (side, row)));
        let rows = fewest(all_rows.collect(), async |rows| {
            Ok(self.shows(&least.with_rows(rows)?).await?.is_some())
        });
        least = least.with_rows(&rows.await?)?;
        // A row that is gone needs no `where`.
        let parts = least.recipe.parts.clone();
        let parts = fewest(parts, async |parts| Ok(self.shows(&least.with_parts(parts)).await?.is_some())).await?;
        least = least.with_parts(&parts);
        let compared = least.recipe.compared.clone();
        let compared = fewest(compared, async |columns| {
            Ok(self.shows(&least.with_compared(columns)).await?.is_some())
        });
        least = least.with_compared(&compared.await?);
        match self.shows(&least).await? {
            Some(trial) => {
                let without = least.with_read(&trial.read);
                let still = self.shows(&without).await?.is_some();
                Ok(if still { without } else { least })
            }
            None => Ok(least),
        }
    }
}

/// Delta debugging: a part of the items that is enough, and of which no single one can be left out.
async fn fewest<T: Clone>(mut items: Vec<T>, is_enough: impl AsyncFn(&[T]) -> Result<bool>) -> Result<Vec<T>> {
    if items.is_empty() || is_enough(&[]).await? {
        return Ok(Vec::new());
    }
    let mut size = items.len().div_ceil(2);
    loop {
        let (mut from, before) = (0, items.len());
        while from < items.len() && items.len() > 1 {
            let to = (from + size).min(items.len());
            let rest = [&items[..from], &items[to..]].concat();
            if !rest.is_empty() && is_enough(&rest).await? {
                items = rest;
            } else {
                from = to;
            }
        }
        if size == 1 && items.len() == before {
            return Ok(items);
        }
        size = if size == 1 { 1 } else { size.div_ceil(2) };
    }
}
