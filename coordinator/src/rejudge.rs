//! Judges a finished comparison by another spec: the same merge over the differences that were kept, without a look at the data.

use crate::acceptances::read_acceptances;
use crate::accounts::Lists;
use crate::noise::read_noise;
use crate::pipeline::Compared;
use crate::prune::{check_scopes, scopes};
use crate::publish::Staging;
use crate::result::ResultWriter;
use crate::run::Outcome;
use crate::target::Target;
use shadowdiff_common::comparison_file::{ComparisonHead, read_accounts, read_differences};
use shadowdiff_common::read::Sources;
use shadowdiff_common::spool::Scratch;
use shadowdiff_core::acceptance::Acceptances;
use shadowdiff_core::accounts::AccountSets;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::judge;
use shadowdiff_core::noise::NoiseFacts;
use shadowdiff_core::plan::{Plan, Warning, WarningOrigin};
use shadowdiff_core::redact::redacted_document;
use shadowdiff_core::rejudge::{Rejudge, compared_differently};
use shadowdiff_core::report::{ResultFile, Timings};
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::{Acceptance, Day, Limit, ListedAccounts, Parsed, Spec, parse_again};
use shadowdiff_core::verdict;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// A spec that judges what another one compared.
#[derive(Debug, Clone, Copy)]
pub struct NewRules<'a> {
    pub parsed: &'a Parsed,
    /// Where its relative paths start.
    pub base: &'a Path,
    pub sources: &'a Sources,
}

/// What a comparison has kept, up to its differences.
pub(crate) fn open(result: &Path) -> Result<(ComparisonHead, BufReader<File>)> {
    let name = ResultFile::Comparison.name();
    let file = File::open(result.join(name)).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::input(format!("the result has no {name}"))
            .advice("compare once with `output: {judgeable: true}`, which keeps what another spec can judge"),
        _ => Error::input(e.to_string()).file(name),
    })?;
    let mut from = BufReader::new(file);
    Ok((ComparisonHead::read_head(&mut from)?, from))
}

/// A spec of a result, read again.
pub(crate) fn parsed_again(document: &serde_json::Value) -> Result<Parsed> {
    parse_again(document, ResultFile::Comparison.name())
}

/// What a comparison found, with the answers that other rules ask for.
pub(crate) struct Rejudged {
    pub(crate) plan: Plan,
    pub(crate) accounts: AccountSets,
    pub(crate) compared: Compared,
}

impl Rejudged {
    /// Writes a result of it.
    pub(crate) fn writer<'r>(&'r self, document: &'r serde_json::Value, scratch: &'r Scratch) -> ResultWriter<'r> {
        ResultWriter {
            plan: &self.plan,
            document,
            accounts: &self.accounts.rules,
            compared: &self.compared,
            scratch,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            tells_rows: true,
        }
    }
}

impl NewRules<'_> {
    /// Judges the result in a directory, and publishes what comes out.
    pub async fn judge(&self, result: &Path, target: &Target, overwrite: bool, scratch: &Scratch) -> Result<Outcome> {
        let found = self.read(result, scratch).await?;
        let staging = Staging::new(target)?;
        let (summary, _) = found.writer(&self.parsed.document, scratch).write(&staging)?;
        let published = staging.publish(target, overwrite).await?;
        Ok(Outcome { summary, published })
    }

    /// Reads what a comparison has kept.
    pub(crate) async fn read(&self, result: &Path, scratch: &Scratch) -> Result<Rejudged> {
        let (head, mut from) = open(result)?;
        let changed = compared_differently(&head.document, &redacted_document(self.parsed.document.clone()));
        if !changed.is_empty() {
            return Err(
                Error::spec(format!("this spec compares the data in another way: {} differ", changed.join(", "))).advice(
                    "only `expected`, `accepted`, `noise`, `verdict`, `as_of` and `output` are judged without reading the data again: compare again",
                ),
            );
        }
        let old = parsed_again(&head.document)?;
        self.check_accounts(&head, &old.spec)?;
        self.check_attributes(&head)?;
        self.check_totals(&old.spec)?;
        let as_of = self.parsed.spec.as_of.unwrap_or(head.as_of);
        let lists = Lists {
            spec: &self.parsed.spec,
            aligned: &head.aligned,
            base: self.base,
            sources: self.sources,
        };
        let accounts_of_rules = lists.read().await?;
        let accepted = read_acceptances(&self.parsed.spec, self.base, &self.sources.stores).await?;
        let noise = read_noise(&self.parsed.spec, &head.pins, self.base, &self.sources.stores).await?;
        let mut tally = head.tally.clone();
        if !self.parsed.spec.output.totals {
            tally.totals.clear();
        }
        let listed_accounts = head.lists_accounts;
        let plan = self.plan(head, as_of, (accepted, noise))?;
        let mut rejudge = Rejudge::new(&old.spec, &self.parsed.spec, &plan.aligned)?;
        let differences = read_differences(&mut from, &plan, &mut rejudge, scratch)?;
        let (accounts, count) = read_accounts(&mut from, scratch)?;
        let lists_all = self.parsed.spec.output.accounts == ListedAccounts::All;
        if listed_accounts && !lists_all {
            tally.accounts = count;
        }
        let compared = Compared {
            tally,
            runs: vec![differences],
            found_keys: Vec::new(),
            seen_accounts: if lists_all { vec![accounts] } else { Vec::new() },
            timings: Timings::default(),
        };
        Ok(Rejudged {
            plan,
            accounts: accounts_of_rules,
            compared,
        })
    }

    /// The same by a draft in place of these rules. The noise is that of the rules as they are: live was not compared with itself by a draft.
    pub(crate) async fn read_draft(&self, draft: &Parsed, result: &Path, as_it_is: &Rejudged, scratch: &Scratch) -> Result<Rejudged> {
        let mut silent = draft.clone();
        silent.spec.noise = None;
        let rules = NewRules { parsed: &silent, ..*self };
        let mut found = rules.read(result, scratch).await?;
        found.plan.noise.clone_from(&as_it_is.plan.noise);
        found.plan.spec.noise.clone_from(&as_it_is.plan.spec.noise);
        Ok(found)
    }

    /// What is asked of accounts that were not kept needs the data.
    fn check_accounts(&self, head: &ComparisonHead, old: &Spec) -> Result<()> {
        let lists_all = self.parsed.spec.output.accounts == ListedAccounts::All;
        let needs = if lists_all && !head.lists_accounts {
            "output.accounts"
        } else if lists_all && old.output.spreadsheet_safe != self.parsed.spec.output.spreadsheet_safe {
            "output.spreadsheet_safe"
        } else if matches!(self.parsed.spec.verdict.max_exception_accounts, Some(Limit::Share(_)))
            && !head.count_accounts
            && !head.lists_accounts
        {
            "verdict.max_exception_accounts"
        } else {
            return Ok(());
        };
        Err(Error::spec("needs the accounts of all rows, which were not kept in this form")
            .field(needs)
            .advice("compare again"))
    }

    /// Values of columns that were not kept need the data.
    fn check_attributes(&self, head: &ComparisonHead) -> Result<()> {
        if head.kept.starts_with(&self.parsed.spec.output.attributes) {
            return Ok(());
        }
        let wrong = Error::spec(format!(
            "the values that were kept are of other columns: `{}`",
            head.kept.join("`, `")
        ));
        Err(wrong.field("output.attributes").advice("leave it out, or compare again"))
    }

    /// Totals of all rows that were not added up need the data.
    fn check_totals(&self, old: &Spec) -> Result<()> {
        if self.parsed.spec.output.totals && !old.output.totals {
            let wrong = Error::spec("needs all rows, and their totals were not kept").field("output.totals");
            return Err(wrong.advice("leave it out, or compare again"));
        }
        Ok(())
    }

    /// A plan that says what is merged, and of no work.
    fn plan(&self, head: ComparisonHead, as_of: Day, (accepted, noise): (Vec<Acceptance>, Option<NoiseFacts>)) -> Result<Plan> {
        let mut warnings: Vec<Warning> = WarningOrigin::Spec.of(self.parsed.warnings.iter().cloned()).collect();
        warnings.extend(WarningOrigin::Spec.of(verdict::check(&self.parsed.spec, &head.aligned)?));
        warnings.extend(WarningOrigin::Spec.of(judge::check(&self.parsed.spec, &head.aligned)?));
        warnings.extend(WarningOrigin::Spec.of(Acceptances::new(&accepted, &head.aligned, as_of)?.1));
        // What names a column that is not in the rows was not asked; whether the data have it is not known.
        let columns = Sides::from_fn(|side| head.sides[side].columns.clone());
        let of_scopes = scopes(&self.parsed.spec).filter_map(|scope| check_scopes(&self.parsed.spec, [scope], &columns).ok());
        warnings.extend(WarningOrigin::Spec.of(of_scopes.flatten()));
        warnings.extend(head.warnings.iter().cloned());
        Ok(head.plan(&self.parsed.spec, as_of, (accepted, noise), warnings))
    }
}
