//! What is told of a finished job's result: its summary with types, what becomes of an account, the differences that match a filter. Read from
//! the state store each time; no more is held than the summary and a record.

use super::finish::damaged;
use super::records::Records;
use super::sending::Sending;
use super::{Cluster, RequestError};
use crate::publish::Staging;
use crate::run_diff::ResultAtHand;
use futures::{Stream, TryStreamExt};
use prost::Message;
use shadowdiff_common::store::Marking;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::notice::Ended;
use shadowdiff_core::patterns::RowPatternSummary;
use shadowdiff_core::render::{Line, described_acceptance, described_rows};
use shadowdiff_core::report::{AcceptanceSummary, AccountRecord, Decision, Field, ResultFile, Rows, Summary, own_summary};
use shadowdiff_core::rollout::{Blockers, check_lists_all, is_safe, release_blockers, spec_of};
use shadowdiff_core::shorten::{shortened, shortened_all};
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{DifferenceKind, OUTPUT_COLUMNS, Spec};
use shadowdiff_core::verdict::Verdict;
use shadowdiff_proto::v1;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// Of columns and of patterns.
pub(super) const MAX_ENTRIES: usize = 1000;
/// Of all other lists in a summary.
const MAX_TEXTS: usize = 200;
/// Of a text in a summary.
pub(super) const MAX_TEXT_BYTES: usize = 1000;
/// Of a name and of what is broken of a rule. All of a summary is below the limit of messages so.
pub(super) const MAX_NAME_BYTES: usize = 400;
/// What is broken of a rule.
pub(super) const MAX_BOUNDS: usize = 10;
/// What holds an account.
const MAX_BLOCKERS: usize = 100;
/// Of a value of a difference.
const MAX_VALUE_BYTES: usize = 16 << 10;
/// Of an answer with differences.
const MAX_DIFFERENCES: usize = 1000;
/// An answer with so much is sent: a quarter of a message.
const FULL_BYTES: usize = 1 << 20;

/// A result in the state store.
pub(super) struct FinishedResult<'a> {
    cluster: &'a Cluster,
    job: String,
    summary: Summary,
    spec: Spec,
}

impl<'a> FinishedResult<'a> {
    pub(super) async fn open(cluster: &'a Cluster, job: &str) -> Result<FinishedResult<'a>, RequestError> {
        let (state, path, mark) = cluster.result_file(job, ResultFile::Summary).await?;
        let name = state.describe(&path);
        let missing = || Error::unavailable("does not exist").file(&name);
        let bytes = state.read(&path).await?.ok_or_else(missing)?;
        if Marking::of(&bytes) != mark {
            return Err(damaged(&name).into());
        }
        let summary = own_summary(&bytes).map_err(|e| Error::input(e).file(&name))?;
        Ok(FinishedResult {
            cluster,
            job: job.to_owned(),
            spec: spec_of(&summary)?,
            summary,
        })
    }

    /// The summary, and `accounts.csv` as it was written, in a folder of `scratch` that goes with what is given.
    pub(super) async fn at_hand(self, scratch: &Path) -> Result<ResultAtHand, RequestError> {
        let file = ResultFile::Accounts;
        let (state, path, mark) = self.cluster.result_file(&self.job, file).await?;
        let staging = Staging::aside(scratch)?;
        let mut copy = staging.create(file)?;
        let mut pieces = std::pin::pin!(Sending::open(&state, &path, mark, 0).await?.pieces());
        while let Some(piece) = pieces.try_next().await? {
            let full = |e: std::io::Error| Error::exhausted(format!("scratch: {e}")).file(file);
            copy.write_all(&piece.content).map_err(full)?;
        }
        copy.finish()?;
        Ok((self.summary, staging.keep()))
    }

    /// What somebody outside is told of it.
    pub(super) fn ended(&self) -> Ended {
        Ended::judged(&self.summary)
    }

    async fn table(&self, file: ResultFile) -> Result<Records, RequestError> {
        let (state, path, mark) = self.cluster.result_file(&self.job, file).await?;
        Ok(Records::open(&state, &path, mark).await?)
    }

    pub(super) fn summary(&self) -> v1::GetSummaryResponse {
        let Summary {
            rows,
            differences,
            accounts,
            ..
        } = &self.summary;
        let texts = |texts: &[String]| shortened_all(texts, MAX_TEXTS, MAX_TEXT_BYTES);
        v1::GetSummaryResponse {
            passed: self.summary.verdict == Verdict::Pass,
            broken: texts(&self.summary.broken),
            live: Some(side_rows(rows, Side::Live)),
            shadow: Some(side_rows(rows, Side::Shadow)),
            cancelled: rows.cancelled,
            within_tolerance: rows.within_tolerance,
            changed: rows.changed,
            missing_in_shadow: rows.missing_in_shadow,
            missing_in_live: rows.missing_in_live,
            duplicate_key: rows.duplicate_key,
            expected: differences.expected,
            exceptions: differences.exceptions,
            listed: differences.listed,
            cut: differences.cut,
            accounts_differing: accounts.differing,
            accounts_with_exceptions: accounts.with_exceptions,
            accounts_all: accounts.all,
            columns_compared: self.summary.schema.compared as u64,
            columns: self.columns(),
            patterns: self.patterns(),
            rules: self.rules(),
            warnings: texts(&self.summary.warnings),
            as_of: self.summary.as_of.clone(),
            release_blockers: texts(&release_blockers(&self.summary)),
            row_patterns: row_patterns(&self.summary.row_patterns.listed),
            rows_alone: row_patterns(&self.summary.row_patterns.listed_alone),
            accepted: differences.accepted,
            noise: differences.noise,
            acceptances: self.acceptances(),
        }
    }

    fn columns(&self) -> Vec<v1::ColumnSummary> {
        let one = |column: &shadowdiff_core::report::ColumnSummary| v1::ColumnSummary {
            column: shortened(&column.column, MAX_NAME_BYTES),
            r#type: shortened(&column.column_type, MAX_NAME_BYTES),
            comparator: shortened(&column.comparator, MAX_NAME_BYTES),
            differing: column.differing,
            exceptions: column.exceptions,
        };
        self.summary.columns.iter().take(MAX_ENTRIES).map(one).collect()
    }

    fn patterns(&self) -> Vec<v1::PatternSummary> {
        let one = |pattern: &shadowdiff_core::report::PatternSummary| v1::PatternSummary {
            kind: sent_kind(pattern.kind).into(),
            column: shortened(pattern.column.as_deref().unwrap_or_default(), MAX_NAME_BYTES),
            diagnosis: shortened(pattern.diagnosis.as_deref().unwrap_or_default(), MAX_NAME_BYTES),
            differing: pattern.differing,
            exceptions: pattern.exceptions,
            direction: pattern.direction.map(|direction| direction.name().to_owned()).unwrap_or_default(),
        };
        self.summary.patterns.iter().take(MAX_ENTRIES).map(one).collect()
    }

    fn acceptances(&self) -> Vec<v1::AcceptanceSummary> {
        let one = |of: &AcceptanceSummary| v1::AcceptanceSummary {
            fingerprint: of.acceptance.pattern.clone(),
            description: shortened(&described_acceptance(&of.acceptance), MAX_TEXT_BYTES),
            by: shortened(&of.acceptance.by, MAX_NAME_BYTES),
            reason: shortened(&of.acceptance.reason, MAX_TEXT_BYTES),
            until: of.acceptance.until.to_string(),
            max: of.acceptance.max,
            rows: of.rows,
            lines: of.lines,
            broken: shortened_all(&of.broken, MAX_BOUNDS, MAX_NAME_BYTES),
        };
        self.summary.accepted.iter().take(MAX_TEXTS).map(one).collect()
    }

    fn rules(&self) -> Vec<v1::RuleSummary> {
        let one = |rule: &shadowdiff_core::report::RuleSummary| v1::RuleSummary {
            name: shortened(&rule.name, MAX_NAME_BYTES),
            lines: rule.lines,
            broken: shortened_all(&rule.broken, MAX_BOUNDS, MAX_NAME_BYTES),
        };
        self.summary.rules.iter().take(MAX_TEXTS).map(one).collect()
    }

    /// What becomes of an account. All of the table is read: what comes damaged from the store decides nothing.
    pub(super) async fn account(&self, account: Vec<String>) -> Result<v1::GetAccountResponse, RequestError> {
        let account = self.named(account)?;
        let mut table = self.table(ResultFile::Accounts).await?;
        let mut found = None;
        while let Some(record) = table.next().await? {
            if record.starts_with(&account) {
                found = AccountRecord::read(record, account.len()).or(found);
            }
        }
        let Some(found) = found else {
            check_lists_all(&self.spec)?;
            return Ok(v1::GetAccountResponse {
                decision: v1::AccountDecision::NotInData.into(),
                ..v1::GetAccountResponse::default()
            });
        };
        let mut blockers = release_blockers(&self.summary);
        let decision = match found.decision {
            _ if !is_safe(&found) || !blockers.is_empty() => v1::AccountDecision::Hold,
            Decision::Flip => v1::AccountDecision::Flip,
            Decision::NoDifference => v1::AccountDecision::NoDifference,
            Decision::Hold => v1::AccountDecision::Hold,
        };
        if !is_safe(&found) {
            blockers.extend(self.blockers(&found).await?.each());
        }
        Ok(v1::GetAccountResponse {
            decision: decision.into(),
            blockers: shortened_all(&blockers, MAX_BLOCKERS, MAX_TEXT_BYTES),
            rows: found.rows,
            expected: found.expected,
            exceptions: found.exceptions,
            live_rows: found.seen.map(|seen| seen.live),
            shadow_rows: found.seen.map(|seen| seen.shadow),
            blockers_may_be_missing: self.summary.differences.cut > 0,
            accepted: found.accepted.unwrap_or(0),
        })
    }

    /// What holds an account. The lines behind its own are not read: how many it has is known.
    async fn blockers(&self, of: &AccountRecord) -> Result<Blockers, RequestError> {
        let broken_rules = Blockers::broken_rules(&self.summary);
        let (mut blockers, mut left) = (Blockers::default(), of.lines());
        let mut table = self.table(ResultFile::Diff).await?;
        table.next().await?;
        while left > 0
            && let Some(record) = table.next().await?
        {
            let line = Line::from_record(record).filter(|(line, _)| line.key.starts_with(&of.account));
            if let Some((line, is_exception)) = line {
                blockers.add(&line, is_exception, &broken_rules);
                left -= 1;
            }
        }
        Ok(blockers)
    }

    /// An account as a request names it.
    fn named(&self, account: Vec<String>) -> Result<Vec<Field>> {
        let columns = &self.spec.account;
        if account.len() == columns.len() {
            return Ok(account.into_iter().map(Some).collect());
        }
        let (given, wanted) = (account.len(), columns.len());
        Err(Error::spec(format!("has {given} values, but an account has {wanted}: {}", columns.join(", "))).field("account"))
    }

    pub(super) async fn differences(
        &self,
        request: v1::StreamDifferencesRequest,
    ) -> Result<impl Stream<Item = Result<v1::StreamDifferencesResponse>> + use<>, RequestError> {
        let filter = self.filter(request)?;
        let mut table = self.table(ResultFile::Diff).await?;
        let header = table.next().await?.unwrap_or_default();
        let key = header.len().saturating_sub(OUTPUT_COLUMNS.len());
        let first = v1::StreamDifferencesResponse {
            key_columns: header.into_iter().take(key).flatten().collect(),
            differences: Vec::new(),
        };
        let matches = Matches {
            table,
            filter,
            first: Some(first),
        };
        Ok(futures::stream::try_unfold(matches, |mut matches| async {
            Ok(matches.next().await?.map(|answer| (answer, matches)))
        })
        .into_stream())
    }

    fn filter(&self, request: v1::StreamDifferencesRequest) -> Result<Filter> {
        let account = match request.account.is_empty() {
            true => Vec::new(),
            false => self.named(request.account)?,
        };
        let kinds: Option<BTreeSet<&str>> = request.kinds.iter().map(|kind| kind_name(*kind)).collect();
        let kinds = kinds.ok_or_else(|| Error::spec("is not a kind of difference").field("kinds"))?;
        if let Some(unknown) = request
            .rules
            .iter()
            .find(|name| !self.summary.rules.iter().any(|rule| rule.name == **name))
        {
            return Err(Error::spec(format!("`{}` is not a rule of the spec", shortened(unknown, MAX_TEXT_BYTES))).field("rules"));
        }
        Ok(Filter {
            account,
            columns: request.columns.into_iter().collect(),
            kinds,
            rules: request.rules.into_iter().collect(),
            only_exceptions: request.only_exceptions,
            left: if request.limit == 0 { u64::MAX } else { request.limit },
        })
    }
}

fn row_patterns(patterns: &[RowPatternSummary]) -> Vec<v1::RowPattern> {
    let one = |pattern: &RowPatternSummary| v1::RowPattern {
        fingerprint: pattern.fingerprint.clone(),
        description: shortened(&described_rows(pattern), MAX_NAME_BYTES),
        rows: pattern.rows,
        exceptions: pattern.exceptions,
        example: shortened(&pattern.example, MAX_NAME_BYTES),
    };
    patterns.iter().take(MAX_TEXTS).map(one).collect()
}

fn side_rows(rows: &Rows, side: Side) -> v1::SideRows {
    let books = match side {
        Side::Live => &rows.live,
        Side::Shadow => &rows.shadow,
    };
    v1::SideRows {
        read: books.read,
        filtered: books.filtered,
    }
}

fn sent_kind(kind: DifferenceKind) -> v1::DifferenceKind {
    match kind {
        DifferenceKind::Changed => v1::DifferenceKind::Changed,
        DifferenceKind::MissingInShadow => v1::DifferenceKind::MissingInShadow,
        DifferenceKind::MissingInLive => v1::DifferenceKind::MissingInLive,
        DifferenceKind::DuplicateKey => v1::DifferenceKind::DuplicateKey,
    }
}

/// As `diff.csv` has it; `None` for a number that is no kind.
fn kind_name(sent: i32) -> Option<&'static str> {
    let kind = DifferenceKind::ALL.into_iter().find(|kind| i32::from(sent_kind(*kind)) == sent);
    kind.map(DifferenceKind::name)
}

/// Which differences are wanted. What is empty lets all pass.
struct Filter {
    account: Vec<Field>,
    columns: BTreeSet<String>,
    kinds: BTreeSet<&'static str>,
    rules: BTreeSet<String>,
    only_exceptions: bool,
    /// How many more are sent.
    left: u64,
}

impl Filter {
    /// A record of `diff.csv`, where it is wanted.
    fn wanted(&self, record: &[Field]) -> Result<Option<v1::Difference>> {
        let key = record.len().checked_sub(OUTPUT_COLUMNS.len());
        let (key, rest) = record.split_at(key.ok_or_else(|| Error::internal("holds what is no difference").file(ResultFile::Diff))?);
        let text = |at: usize| rest[at].as_deref().unwrap_or_default();
        let (kind, is_exception) = (text(0), text(8) == "exception");
        let is_wanted = key.starts_with(&self.account)
            && (self.columns.is_empty() || self.columns.contains(text(1)))
            && (self.kinds.is_empty() || self.kinds.contains(kind))
            && (self.rules.is_empty() || self.rules.contains(text(7)))
            && (is_exception || !self.only_exceptions);
        if !is_wanted {
            return Ok(None);
        }
        let kind = DifferenceKind::ALL.into_iter().find(|one| one.name() == kind);
        let mut cut = false;
        let mut sent = |field: &Field| field.as_deref().map(|text| within(text, &mut cut));
        Ok(Some(v1::Difference {
            key: key.iter().map(|field| v1::DifferenceValue { text: sent(field) }).collect(),
            kind: kind.map_or(v1::DifferenceKind::Unspecified, sent_kind).into(),
            column: text(1).to_owned(),
            live: sent(&rest[2]),
            shadow: sent(&rest[3]),
            delta: text(4).to_owned(),
            relative_delta: text(5).to_owned(),
            comparator: text(6).to_owned(),
            rule: text(7).to_owned(),
            is_exception,
            diagnosis: text(9).to_owned(),
            cut,
        }))
    }
}

/// The beginning of a value that is too long; notes that it was cut.
fn within(text: &str, cut: &mut bool) -> String {
    let end = text.floor_char_boundary(MAX_VALUE_BYTES);
    *cut |= end < text.len();
    text[..end].to_owned()
}

/// The differences that match, on their way.
struct Matches {
    table: Records,
    filter: Filter,
    first: Option<v1::StreamDifferencesResponse>,
}

impl Matches {
    /// The next answer; `None` once all were sent, and came as they were written or were as many as were asked for.
    async fn next(&mut self) -> Result<Option<v1::StreamDifferencesResponse>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let (mut differences, mut bytes) = (Vec::new(), 0);
        while self.filter.left > 0 && differences.len() < MAX_DIFFERENCES && bytes < FULL_BYTES {
            let Some(record) = self.table.next().await? else { break };
            if let Some(difference) = self.filter.wanted(&record)? {
                bytes += difference.encoded_len();
                differences.push(difference);
                self.filter.left -= 1;
            }
        }
        let answer = v1::StreamDifferencesResponse {
            key_columns: Vec::new(),
            differences,
        };
        Ok((!answer.differences.is_empty()).then_some(answer))
    }
}
