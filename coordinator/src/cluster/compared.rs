//! What has changed from one finished job to another, as it is sent: the same as `diff` tells of two results, within the limit of a message.

use super::finished::{FinishedResult, MAX_BOUNDS, MAX_ENTRIES, MAX_NAME_BYTES, MAX_TEXT_BYTES};
use super::{Cluster, RequestError};
use crate::run_diff::diff_results;
use prost::Message;
use shadowdiff_common::spool::Scratch;
use shadowdiff_core::error::Error;
use shadowdiff_core::run_diff::{
    AccountChange, ChangedAccount, ChangedAccounts, ChangedPattern, CountChange, PatternChange, RunDiff, RunFacts, ThresholdChange,
    ThresholdState,
};
use shadowdiff_core::shorten::{shortened, shortened_all};
use shadowdiff_core::verdict::Verdict;
use shadowdiff_proto::{MAX_MESSAGE_BYTES, v1};

/// Accounts of a change that are named.
const MAX_ACCOUNTS: u32 = 100;
/// Of patterns, thresholds and rules.
const MAX_OTHERS: usize = 400;
/// What an answer may take; with more of it fewer accounts are named.
const MAX_ANSWER_BYTES: usize = MAX_MESSAGE_BYTES * 7 / 8;
/// What may stay in memory of the accounts that are sorted; the rest goes to scratch.
const HELD_BYTES: usize = 32 << 20;

/// Holds the results of two jobs against each other.
pub(super) async fn compare_jobs(cluster: &Cluster, request: v1::CompareJobsRequest) -> Result<v1::CompareJobsResponse, RequestError> {
    if request.accounts > MAX_ACCOUNTS {
        let many = Error::spec(format!("is {}, more than {MAX_ACCOUNTS}", request.accounts)).field("accounts");
        return Err(many.advice("for all accounts fetch `accounts.csv` of both").into());
    }
    let names = [request.before_job_id, request.after_job_id];
    let scratch = cluster.scratch();
    let before = FinishedResult::open(cluster, &names[0]).await?;
    let after = FinishedResult::open(cluster, &names[1]).await?;
    let at_hand = [before.at_hand(scratch).await?, after.at_hand(scratch).await?];
    let scratch = Scratch::new(HELD_BYTES, Some(scratch))?;
    let found = diff_results(names, at_hand, &scratch, request.accounts as usize).await?;
    Ok(within_a_message(answer(found)))
}

/// An answer that is too long names fewer accounts.
fn within_a_message(mut answer: v1::CompareJobsResponse) -> v1::CompareJobsResponse {
    while answer.encoded_len() > MAX_ANSWER_BYTES && answer.accounts.iter().any(|of| !of.worst.is_empty()) {
        answer.accounts.iter_mut().for_each(|of| of.worst.truncate(of.worst.len() / 2));
    }
    answer
}

fn answer(found: RunDiff) -> v1::CompareJobsResponse {
    let counts = |all: &[CountChange], most: usize| all.iter().take(most).map(count).collect();
    let patterns = found
        .patterns
        .iter()
        .flat_map(|(change, of)| of.iter().map(|pattern| changed_pattern(*change, pattern)));
    v1::CompareJobsResponse {
        is_worse: found.is_worse(),
        before: Some(job(&found.before)),
        after: Some(job(&found.after)),
        compared_differently: found.compared_differently.clone(),
        accounts: found.accounts.iter().map(|(change, of)| changed_accounts(*change, of)).collect(),
        patterns: patterns.take(MAX_OTHERS).collect(),
        thresholds: found.thresholds.iter().take(MAX_OTHERS).map(threshold).collect(),
        kinds: counts(&found.kinds, MAX_OTHERS),
        columns: counts(&found.columns, MAX_ENTRIES),
        rules: counts(&found.rules, MAX_OTHERS),
    }
}

fn job(run: &RunFacts) -> v1::ComparedJob {
    v1::ComparedJob {
        job_id: run.place.clone(),
        passed: run.verdict == Verdict::Pass,
        as_of: run.as_of.clone(),
        exceptions: run.exceptions,
        expected: run.expected,
        accounts_with_exceptions: run.accounts_with_exceptions,
        lists_all_accounts: run.lists_all_accounts,
    }
}

fn changed_accounts(change: AccountChange, of: &ChangedAccounts) -> v1::ChangedAccounts {
    let change = match change {
        AccountChange::New => v1::AccountChange::New,
        AccountChange::Regressed => v1::AccountChange::Regressed,
        AccountChange::Grown => v1::AccountChange::Grown,
        AccountChange::Persisting => v1::AccountChange::Persisting,
        AccountChange::Accepted => v1::AccountChange::Accepted,
        AccountChange::Fixed => v1::AccountChange::Fixed,
        AccountChange::Gone => v1::AccountChange::Gone,
        AccountChange::Unknown => v1::AccountChange::Unknown,
    };
    v1::ChangedAccounts {
        change: change.into(),
        accounts: of.accounts,
        exceptions_before: of.exceptions_before,
        exceptions_after: of.exceptions_after,
        worst: of.worst.iter().map(changed_account).collect(),
    }
}

fn changed_account(of: &ChangedAccount) -> v1::ChangedAccount {
    let value = |field: &Option<String>| v1::DifferenceValue {
        text: field.as_ref().map(|text| shortened(text, MAX_NAME_BYTES)),
    };
    v1::ChangedAccount {
        account: of.account.iter().map(value).collect(),
        before: of.before,
        after: of.after,
    }
}

fn changed_pattern(change: PatternChange, of: &ChangedPattern) -> v1::ChangedPattern {
    let change = match change {
        PatternChange::New => v1::PatternChange::New,
        PatternChange::Regressed => v1::PatternChange::Regressed,
        PatternChange::Grown => v1::PatternChange::Grown,
        PatternChange::Persisting => v1::PatternChange::Persisting,
        PatternChange::Accepted => v1::PatternChange::Accepted,
        PatternChange::Fixed => v1::PatternChange::Fixed,
        PatternChange::Unknown => v1::PatternChange::Unknown,
    };
    v1::ChangedPattern {
        change: change.into(),
        fingerprint: of.fingerprint.clone(),
        description: shortened(&of.description, MAX_TEXT_BYTES),
        before: of.before,
        after: of.after,
    }
}

fn threshold(of: &ThresholdChange) -> v1::ChangedThreshold {
    let state = |state: &ThresholdState| v1::ThresholdState {
        limit: shortened(&state.limit, MAX_NAME_BYTES),
        broken: shortened_all(&state.broken, MAX_BOUNDS, MAX_NAME_BYTES),
    };
    v1::ChangedThreshold {
        name: shortened(&of.name, MAX_NAME_BYTES),
        before: of.before.as_ref().map(state),
        after: of.after.as_ref().map(state),
    }
}

fn count(of: &CountChange) -> v1::ChangedCount {
    v1::ChangedCount {
        name: shortened(&of.name, MAX_NAME_BYTES),
        before: of.before,
        after: of.after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_too_long_names_fewer_accounts() {
        let long = || v1::ChangedAccount {
            account: vec![
                v1::DifferenceValue {
                    text: Some("x".repeat(MAX_NAME_BYTES))
                };
                40
            ],
            before: None,
            after: Some(1),
        };
        let of = |count: usize| v1::ChangedAccounts {
            accounts: 1_000_000,
            worst: vec![long(); count],
            ..v1::ChangedAccounts::default()
        };
        let answer = within_a_message(v1::CompareJobsResponse {
            accounts: vec![of(100), of(100), of(100), of(1)],
            ..v1::CompareJobsResponse::default()
        });
        assert!(answer.encoded_len() <= MAX_ANSWER_BYTES);
        assert_eq!(answer.accounts.iter().map(|of| of.worst.len()).collect::<Vec<_>>(), [50, 50, 50, 0]);
        assert!(answer.accounts.iter().all(|of| of.accounts == 1_000_000));
    }
}
