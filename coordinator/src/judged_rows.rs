//! The rows that a finished comparison found to differ, judged one after the other.

use crate::rejudge::Rejudged;
use crate::result::ResultWriter;
use shadowdiff_common::run::{RunReader, first};
use shadowdiff_core::difference::{Difference, SortKey};
use shadowdiff_core::error::Result;
use shadowdiff_core::noise::NoiseOutcome;
use shadowdiff_core::report::{LinePrinter, Reporter};
use shadowdiff_core::tally::{Judgement, Pattern};
use std::collections::BTreeSet;

/// A difference of the row that passes, with what is said of it.
pub(crate) struct Said<'j> {
    pub(crate) difference: &'j Difference<'j>,
    pub(crate) judgement: Judgement,
    /// Whether it is an exception that the noise explains, though it is not subtracted.
    pub(crate) is_noise: bool,
    pub(crate) pattern: &'j Pattern,
    pub(crate) relative: Option<f64>,
    pub(crate) delta: Option<f64>,
}

/// Calls `visit` with the differences of each row, in their order.
pub(crate) fn each_row(
    writer: &ResultWriter<'_>,
    found: &Rejudged,
    visit: &mut dyn FnMut(&[Said<'_>], &Reporter<'_>) -> Result<()>,
) -> Result<()> {
    let (judge, acceptances) = writer.rules()?;
    let merge = writer.merge(&judge, &acceptances);
    let acceptances = merge.accept()?.0;
    let (floor, noise) = merge.noise(&acceptances)?;
    let (printer, none) = (LinePrinter::new(&found.plan.spec, &found.plan.aligned), BTreeSet::new());
    let mut reporter = Reporter::new(&judge, (&acceptances, &floor), &printer, &none);
    for spool in &found.compared.runs {
        let mut reader = RunReader::new(spool);
        let mut row = Records::default();
        while reader.advance()? {
            let record = first(reader.record()?)?.0;
            if row.ends_before(record)? {
                row.visit(&mut reporter, &noise, visit)?;
            }
            row.push(record);
        }
        row.visit(&mut reporter, &noise, visit)?;
    }
    Ok(())
}

/// The stored differences of a row; the buffers are used again.
#[derive(Default)]
struct Records {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Records {
    fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// Whether a record is of another row than these.
    fn ends_before(&self, record: &[u8]) -> Result<bool> {
        match self.ends.first() {
            None => Ok(false),
            Some(end) => Ok(SortKey::of(&self.bytes[..*end])?.row() != SortKey::of(record)?.row()),
        }
    }

    /// Visits the row, if there is one, and forgets it.
    fn visit(
        &mut self,
        reporter: &mut Reporter<'_>,
        noise: &[NoiseOutcome],
        visit: &mut dyn FnMut(&[Said<'_>], &Reporter<'_>) -> Result<()>,
    ) -> Result<()> {
        let explains = |unit: usize| noise.get(unit).is_some_and(|outcome| outcome.excess.is_none());
        let starts = std::iter::once(&0).chain(&self.ends);
        let records = starts.zip(&self.ends).map(|(start, end)| &self.bytes[*start..*end]);
        let decoded = records.map(|record| Ok((Difference::decode(record)?, false)));
        let mut row: Vec<(Difference<'_>, bool)> = decoded.collect::<Result<_>>()?;
        if !row.is_empty() {
            reporter.judge_row(&mut row)?;
            let said = row.iter().zip(reporter.judged_row()).map(|((difference, _), judged)| Said {
                difference,
                judgement: judged.judgement,
                is_noise: judged.judgement == Judgement::Exception && judged.noise.is_some_and(explains),
                pattern: &judged.pattern,
                relative: judged.relative(),
                delta: judged.delta(),
            });
            visit(&said.collect::<Vec<_>>(), reporter)?;
        }
        drop(row);
        self.bytes.clear();
        self.ends.clear();
        Ok(())
    }
}
