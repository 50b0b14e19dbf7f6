//! Suggests rules and comparators for the exceptions of a finished comparison. What is drafted (`core/src/suggest.rs`) is judged whole, as `judge`
//! would judge it, and held against accounts that it was not learned from. Nothing is applied.

use crate::judged::{Judged, judged};
use crate::judged_rows::{Said, each_row};
use crate::rejudge::{NewRules, Rejudged, open, parsed_again};
use crate::result::ResultWriter;
use crate::sensitivity::without;
use serde::Serialize;
use shadowdiff_common::read::Sources;
use shadowdiff_common::spool::Scratch;
use shadowdiff_core::align::{Aligned, Column};
use shadowdiff_core::compare::{CellComparator, cell_comparator, is_near};
use shadowdiff_core::difference::Difference;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::plan::Plan;
use shadowdiff_core::report::{Attribute, PatternSummary, Place, RowValues, Summary, attributes};
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{DifferenceKind, Parsed};
use shadowdiff_core::sql_text::literal;
use shadowdiff_core::suggest::{
    Compared, Draft, Entry, EntryKind, Observations, Observed, ObservedRow, Sizes, Terms, account_number, is_held_out, learn,
};
use shadowdiff_core::tally::{Judgement, Pattern};
use shadowdiff_core::value::{Value, array_of};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The version of what is printed as JSON.
const VERSION: u32 = 1;
/// Longer values are no attribute that a rule would name.
const LITERAL_BYTES: usize = 100;
/// Of the lines of a pattern that a draft must cover, or a looser one is tried.
const COVERED: f64 = 0.9;
/// Below this, what was held out does not bear out what was learned.
const BORNE_OUT: f64 = 0.95;
/// Of so few accounts nothing can be said.
const FEWEST_ACCOUNTS: usize = 5;

/// What may be added to the spec, and what it would do.
#[derive(Debug, Serialize)]
pub struct Suggestions {
    pub version: u32,
    pub as_it_is: Judged,
    /// By which attributes rows are told apart: columns of the key, and those that were kept.
    pub attributes: Vec<String>,
    /// Whether only a part of the accounts was learned from, as there are very many exceptions.
    pub of_a_part: bool,
    /// Exceptions that the noise explains: nothing is drafted for them.
    #[serde(skip_serializing_if = "is_zero")]
    pub like_noise: u64,
    pub suggestions: Vec<Suggestion>,
    /// With all of them.
    pub together: Option<Judged>,
    pub left_out: Vec<NotDrafted>,
}

#[derive(Debug, Serialize)]
pub struct Suggestion {
    pub patterns: Vec<PatternSummary>,
    /// Which changes of them, where not all are meant.
    #[serde(skip_serializing_if = "Sizes::are_all")]
    pub sizes: Sizes,
    /// Lines of these patterns that are exceptions.
    pub exceptions: u64,
    /// The list of the spec that the entry is for.
    pub list: &'static str,
    pub yaml: String,
    /// The condition by which its rows are told from all others that differ.
    pub accounts: Option<Terms>,
    pub covers: Covered,
    pub held_out: HeldOut,
    /// With this one alone.
    pub judged: Judged,
    pub warnings: Vec<String>,
}

/// What was an exception and is none with the entry.
#[derive(Debug, Default, Serialize)]
pub struct Covered {
    pub lines: u64,
    /// Of these, those of the patterns.
    pub of_patterns: u64,
    /// All lines of the patterns that are exceptions without the entry.
    #[serde(skip)]
    of_all: u64,
    pub accounts: u64,
    /// Rows that have other exceptions besides.
    pub rows_with_more: u64,
}

/// The same of accounts that nothing was learned from.
#[derive(Debug, Default, Serialize)]
pub struct HeldOut {
    pub accounts: u64,
    /// Lines of the patterns that are exceptions without the entry.
    pub exceptions: u64,
    pub lines: u64,
    pub of_patterns: u64,
    /// Of the exceptions that it covers, the share of those of the patterns.
    pub precision: Option<f64>,
    /// Of the exceptions of the patterns, the share of those that it covers.
    pub recall: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct NotDrafted {
    pub patterns: Vec<PatternSummary>,
    #[serde(skip_serializing_if = "Sizes::are_all")]
    pub sizes: Sizes,
    pub exceptions: u64,
    pub why: &'static str,
}

/// A finished comparison for whose exceptions something is suggested.
#[derive(Debug)]
pub struct Suggesting<'a> {
    pub result: &'a Path,
    /// The spec that judges; without one that of the comparison.
    pub spec: Option<&'a Parsed>,
    /// Where relative paths of the spec start; `None` where nobody knows.
    pub base: Option<&'a Path>,
    pub sources: &'a Sources,
    pub scratch: &'a Scratch,
}

impl Suggesting<'_> {
    pub async fn suggest(&self) -> Result<Suggestions> {
        let of_result;
        let parsed = match self.spec {
            Some(parsed) => parsed,
            None => {
                of_result = parsed_again(&open(self.result)?.0.document)?;
                &of_result
            }
        };
        self.check_base(parsed)?;
        let found = self.rules(parsed).read(self.result, self.scratch).await?;
        let as_it_is = judged(&found, &parsed.document, self.scratch)?;
        let Seen {
            observed,
            exceptions,
            like_noise,
        } = self.observe(&found, parsed)?;
        let compared = Compared {
            spec: &found.plan.spec,
            aligned: &found.plan.aligned,
        };
        let learned = learn(compared, &observed, &exceptions);
        let (mut suggestions, mut entries) = (Vec::new(), Vec::new());
        let mut left_out: Vec<NotDrafted> = Vec::new();
        left_out.extend(learned.left_out.into_iter().map(|one| NotDrafted {
            patterns: named(&one.patterns, &found.plan.aligned, &as_it_is),
            sizes: one.sizes,
            exceptions: one.exceptions,
            why: one.why,
        }));
        for draft in learned.drafts {
            match self
                .tried(&found, parsed, &as_it_is, &without_comparators(draft.clone(), &entries))
                .await?
            {
                Some((suggestion, entry)) => {
                    suggestions.push(suggestion);
                    entries.push(entry);
                }
                None => {
                    left_out.push(NotDrafted {
                        patterns: named(&draft.patterns, &found.plan.aligned, &as_it_is),
                        sizes: draft.sizes,
                        exceptions: draft.exceptions,
                        why: "nothing that was drafted covers most of it",
                    });
                }
            }
        }
        // Of sizes that were looked at apart the counts are known only now.
        suggestions.sort_by_key(|suggestion: &Suggestion| std::cmp::Reverse(suggestion.exceptions));
        let together = match entries.is_empty() {
            true => None,
            false => Some(Judged::of(&self.with(parsed, &entries, &found).await?)),
        };
        Ok(Suggestions {
            version: VERSION,
            as_it_is: Judged::of(&as_it_is),
            of_a_part: observed.is_part(),
            like_noise,
            attributes: observed.names,
            suggestions,
            together,
            left_out,
        })
    }

    /// A list of accounts from the wrong place would make other exceptions.
    fn check_base(&self, parsed: &Parsed) -> Result<()> {
        if self.base.is_some() || !parsed.spec.reads_beside() {
            return Ok(());
        }
        Err(
            Error::spec("the spec of this result names files beside it, and where it is the result does not say")
                .advice("give it with --spec"),
        )
    }

    fn rules<'a>(&'a self, parsed: &'a Parsed) -> NewRules<'a> {
        NewRules {
            parsed,
            base: self.base.unwrap_or(Path::new("/")),
            sources: self.sources,
        }
    }

    async fn read_draft(&self, draft: &Parsed, as_it_is: &Rejudged) -> Result<Rejudged> {
        self.rules(draft).read_draft(draft, self.result, as_it_is, self.scratch).await
    }

    /// Looks at every row that differs.
    fn observe(&self, found: &Rejudged, parsed: &Parsed) -> Result<Seen> {
        let attributes = told_apart_by(&found.plan);
        let names = attributes.iter().map(|attribute| attribute.name.clone()).collect();
        let mut all = Seen {
            observed: Observations::new(names),
            exceptions: BTreeMap::new(),
            like_noise: 0,
        };
        let writer = found.writer(&parsed.document, self.scratch);
        each_row(&writer, found, &mut |row, _| {
            let Some(Said { difference: first, .. }) = row.first() else {
                return Ok(());
            };
            let values = RowValues::of(first);
            let literals = || attributes.iter().map(|attribute| short(&values.value(attribute)?)).collect();
            let mut of_row = ObservedRow {
                account: account_number(first.account_key()),
                attributes: (first.kind != DifferenceKind::DuplicateKey).then(literals),
                exceptions: Vec::new(),
            };
            for said in row.iter().filter(|said| said.judgement == Judgement::Exception) {
                if said.is_noise {
                    all.like_noise += 1;
                    continue;
                }
                *all.exceptions.entry(said.pattern.clone()).or_default() += 1;
                let values = short(&said.difference.live).zip(short(&said.difference.shadow));
                of_row.exceptions.push(Observed {
                    pattern: said.pattern.clone(),
                    relative: said.relative,
                    delta: said.delta,
                    values,
                });
            }
            all.observed.add(of_row);
            Ok(())
        })?;
        Ok(all)
    }

    /// The tightest entry of a draft that holds for it, with what it would do.
    async fn tried(&self, found: &Rejudged, parsed: &Parsed, as_it_is: &Summary, draft: &Draft) -> Result<Option<(Suggestion, Entry)>> {
        for entry in &draft.entries {
            // A form that does not fit the column's type is refused; a looser one may fit.
            let (covers, held_out, read) = match self.weighed(found, parsed, draft, entry).await {
                Ok(weighed) => weighed,
                Err(error) if error.kind == Kind::Exhausted => return Err(error),
                Err(_) => continue,
            };
            if (covers.of_patterns as f64) < COVERED * covers.of_all as f64 {
                continue;
            }
            let mut entry = entry.clone();
            if entry.kind == EntryKind::Rule {
                entry.fields.insert("max".to_owned(), some_more(covers.lines).into());
            }
            let summary = match read {
                Some(mut read) => {
                    // Its bound asks nothing more of the differences.
                    let bounded = added(parsed, std::slice::from_ref(&entry))?;
                    read.plan.spec = bounded.spec;
                    judged(&read, &bounded.document, self.scratch)?
                }
                None => self.with(parsed, std::slice::from_ref(&entry), found).await?,
            };
            let mut warnings = entry.warnings.clone();
            warnings.extend(doubts(&covers, &held_out));
            let suggestion = Suggestion {
                patterns: named(&draft.patterns, &found.plan.aligned, as_it_is),
                sizes: draft.sizes.clone(),
                exceptions: covers.of_all,
                list: entry.kind.list(),
                yaml: entry.yaml(),
                accounts: draft.terms.clone().filter(|_| entry.fields.contains_key("accounts")),
                covers,
                held_out,
                judged: Judged::of(&summary),
                warnings,
            };
            return Ok(Some((suggestion, entry)));
        }
        Ok(None)
    }

    /// What an entry covers; with what was read for it, where it is a rule.
    async fn weighed(
        &self,
        found: &Rejudged,
        parsed: &Parsed,
        draft: &Draft,
        entry: &Entry,
    ) -> Result<(Covered, HeldOut, Option<Rejudged>)> {
        let changed = added(parsed, std::slice::from_ref(entry))?;
        match entry.kind {
            EntryKind::Rule => {
                let rule = changed.spec.expected.len() - 1;
                let with = self.read_draft(&changed, found).await?;
                let writer = with.writer(&changed.document, self.scratch);
                let is_covered = &mut |_: &Difference<'_>, judgement| Ok(judgement == Judgement::Expected(rule));
                let (covers, held_out) = weigh(&writer, &with, draft, is_covered)?;
                Ok((covers, held_out, Some(with)))
            }
            EntryKind::Comparator => {
                let near = Near::of(&changed, &found.plan.aligned, changed.spec.comparators.len() - 1)?;
                let writer = found.writer(&parsed.document, self.scratch);
                let is_covered =
                    &mut |difference: &Difference<'_>, judgement| Ok(judgement == Judgement::Exception && near.is_near(difference)?);
                let (covers, held_out) = weigh(&writer, found, draft, is_covered)?;
                Ok((covers, held_out, None))
            }
        }
    }

    /// What a comparison with these entries would say.
    async fn with(&self, parsed: &Parsed, entries: &[Entry], as_it_is: &Rejudged) -> Result<Summary> {
        let rules: Vec<Entry> = entries.iter().filter(|entry| entry.kind == EntryKind::Rule).cloned().collect();
        let ruled = added(parsed, &rules)?;
        let compared = added(parsed, entries)?;
        let mut found = self.read_draft(&ruled, as_it_is).await?;
        for at in parsed.spec.comparators.len()..compared.spec.comparators.len() {
            let near = Near::of(&compared, &found.plan.aligned, at)?;
            let (tally, run) = without(&found, near.at, &mut |difference| near.is_near(difference), self.scratch)?;
            (found.compared.tally, found.compared.runs) = (tally, vec![run]);
        }
        judged(&found, &compared.document, self.scratch)
    }
}

/// What was seen of the rows that differ.
struct Seen {
    observed: Observations,
    /// How many there are of each pattern, but for those that the noise explains.
    exceptions: BTreeMap<Pattern, u64>,
    like_noise: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A draft without comparators of columns that have one by now: a column has one at most.
fn without_comparators(mut draft: Draft, entries: &[Entry]) -> Draft {
    let is_comparator = |entry: &&Entry| entry.kind == EntryKind::Comparator;
    let columns: Vec<_> = entries.iter().filter(is_comparator).map(|entry| &entry.fields["columns"]).collect();
    draft
        .entries
        .retain(|entry| !is_comparator(&entry) || !columns.contains(&&entry.fields["columns"]));
    draft
}

/// The spec with entries added to its lists.
fn added(parsed: &Parsed, entries: &[Entry]) -> Result<Parsed> {
    let mut document = parsed.document.clone();
    for entry in entries {
        let fields = document.as_object_mut().ok_or_else(|| Error::internal("a spec is a mapping"))?;
        let list = fields
            .entry(entry.kind.list())
            .or_insert_with(|| serde_json::Value::Array(Vec::new()));
        let list = list
            .as_array_mut()
            .ok_or_else(|| Error::internal("its rules and comparators are lists"))?;
        list.push(serde_json::Value::Object(entry.fields.clone()));
    }
    parsed_again(&document)
}

/// Counts what an entry covers, by what `is_covered` says of each difference.
fn weigh(
    writer: &ResultWriter<'_>,
    found: &Rejudged,
    draft: &Draft,
    is_covered: &mut dyn FnMut(&Difference<'_>, Judgement) -> Result<bool>,
) -> Result<(Covered, HeldOut)> {
    let (mut covers, mut held_out) = (Covered::default(), HeldOut::default());
    let (mut accounts, mut held_accounts) = (BTreeSet::new(), BTreeSet::new());
    each_row(writer, found, &mut |row, _| {
        let (mut lines, mut left) = (0, 0);
        for said in row {
            let account = account_number(said.difference.account_key());
            let is_held = is_held_out(account);
            let is_member = !said.is_noise && draft.is_for(said.pattern, said.relative, said.delta);
            let covered = is_covered(said.difference, said.judgement)?;
            let is_exception = said.judgement == Judgement::Exception;
            left += u64::from(is_exception && !covered);
            covers.of_all += u64::from(is_member && (covered || is_exception));
            if is_held && is_member && (covered || is_exception) {
                held_out.exceptions += 1;
                held_accounts.insert(account);
            }
            if covered {
                lines += 1;
                accounts.insert(account);
                covers.of_patterns += u64::from(is_member);
                held_out.lines += u64::from(is_held);
                held_out.of_patterns += u64::from(is_held && is_member);
            }
        }
        covers.lines += lines;
        covers.rows_with_more += u64::from(lines > 0 && left > 0);
        Ok(())
    })?;
    covers.accounts = accounts.len() as u64;
    held_out.accounts = held_accounts.len() as u64;
    let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
    held_out.precision = share(held_out.of_patterns, held_out.lines);
    held_out.recall = share(held_out.of_patterns, held_out.exceptions);
    Ok((covers, held_out))
}

/// What speaks against a draft by its counts.
fn doubts(covers: &Covered, held_out: &HeldOut) -> Vec<String> {
    let mut doubts = Vec::new();
    let others = covers.lines - covers.of_patterns;
    if others > 0 {
        doubts.push(format!("it covers {others} exceptions that are not of this pattern"));
    }
    if (covers.accounts as usize) < 2 * FEWEST_ACCOUNTS {
        doubts.push(format!("it was seen in few accounts: {}", covers.accounts));
    }
    match (held_out.precision, held_out.recall) {
        (Some(precision), Some(recall)) if precision < BORNE_OUT || recall < BORNE_OUT => {
            doubts.push("accounts that it was not learned from do not bear it out".to_owned());
        }
        (_, None) => doubts.push("no account that it was not learned from has this pattern".to_owned()),
        _ if (held_out.accounts as usize) < FEWEST_ACCOUNTS => {
            doubts.push(format!("few accounts were held out: {}", held_out.accounts));
        }
        _ => {}
    }
    doubts
}

/// A tenth above a count, with two digits: data grow, and what is large today is another matter tomorrow.
fn some_more(count: u64) -> u64 {
    let count = count.saturating_add(count.div_ceil(10));
    let unit = 10_u64.pow(count.checked_ilog10().unwrap_or(0).saturating_sub(1));
    count.div_ceil(unit).saturating_mul(unit)
}

/// A comparator that is asked about differences.
struct Near<'a> {
    /// The number of its column.
    at: usize,
    column: &'a Column,
    comparator: Box<dyn CellComparator>,
}

impl<'a> Near<'a> {
    /// The comparator of an entry that names one column.
    fn of(parsed: &Parsed, aligned: &'a Aligned, entry: usize) -> Result<Self> {
        let entry = &parsed.spec.comparators[entry];
        let is_named = |column: &Column| entry.columns.iter().any(|pattern| pattern.0 == column.name);
        let missing = || Error::internal("a comparator was drafted for no column");
        let at = aligned.columns.iter().position(is_named).ok_or_else(missing)?;
        Ok(Near {
            at,
            column: &aligned.columns[at],
            comparator: cell_comparator(&entry.comparator, |_| Err(missing()))?,
        })
    }

    fn is_near(&self, difference: &Difference<'_>) -> Result<bool> {
        if difference.kind != DifferenceKind::Changed || difference.column != Some(self.at) {
            return Ok(false);
        }
        let array = |side: Side, value: &Value<'_>| array_of(std::slice::from_ref(value), &self.column.stored[side]);
        let values = array(Side::Live, &difference.live).zip(array(Side::Shadow, &difference.shadow));
        let Some((live, shadow)) = values else {
            return Ok(false);
        };
        is_near(self.comparator.as_ref(), &live, &shadow, difference.baseline)
    }
}

/// The columns of the key behind the account's, and those that were kept.
fn told_apart_by(plan: &Plan) -> Vec<Attribute> {
    let aligned = &plan.aligned;
    let is_one_type = |column: &Column| column.stored.live == column.stored.shadow;
    let all = attributes(aligned, &plan.kept).into_iter();
    all.filter(|attribute| match attribute.place {
        Place::Key(at) => at >= aligned.account_count && is_one_type(&aligned.columns[aligned.key[at]]),
        Place::Kept(_) => true,
    })
    .collect()
}

fn short(value: &Value<'_>) -> Option<String> {
    literal(value).filter(|text| text.len() <= LITERAL_BYTES)
}

/// Patterns as the summary shows them.
fn named<'p>(patterns: impl IntoIterator<Item = &'p Pattern>, aligned: &Aligned, summary: &Summary) -> Vec<PatternSummary> {
    let is_it = |pattern: &Pattern, shown: &PatternSummary| {
        let column = pattern.column.map(|at| aligned.columns[at].name.as_str());
        shown.kind == pattern.kind
            && shown.column.as_deref() == column
            && shown.diagnosis == pattern.diagnosis
            && shown.direction == pattern.direction
    };
    let shown = |pattern: &Pattern| summary.patterns.iter().find(|shown| is_it(pattern, shown)).cloned();
    patterns.into_iter().filter_map(shown).collect()
}
