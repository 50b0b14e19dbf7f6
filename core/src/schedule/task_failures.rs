//! The failures of one task: which count, and who has said so.
//!
//! A worker's word never fails a job by itself. A failure that would end the job is in *doubt* until a second worker says the same.

use super::blame::NameId;
use super::{MAX_ATTEMPTS, MAX_FAILURES, MAX_UNAVAILABLE};
use crate::error::{Error, Kind};
use std::collections::BTreeSet;

/// What is the same kind of thing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum FailureKind {
    /// The spec or the data are wrong: no attempt will mend that.
    Bad,
    /// The task may be at fault.
    Blamed,
    /// Something did not answer.
    Unavailable,
    /// The worker was lost.
    Lost,
}

impl FailureKind {
    /// What an error is about. A worker has nothing to interrupt by itself.
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Spec | Kind::Input => FailureKind::Bad,
            Kind::Exhausted | Kind::Internal | Kind::Interrupted => FailureKind::Blamed,
            Kind::Unavailable => FailureKind::Unavailable,
        }
    }

    /// So many failures end the job.
    fn limit(self) -> u32 {
        match self {
            FailureKind::Bad => 1,
            FailureKind::Blamed | FailureKind::Lost => MAX_ATTEMPTS,
            FailureKind::Unavailable => MAX_UNAVAILABLE,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct TaskFailures {
    pub(super) bad: u32,
    pub(super) blamed: u32,
    pub(super) unavailable: u32,
    pub(super) lost: u32,
    /// Attempts that were given up because nothing moved.
    pub(super) given_up: u32,
    /// Who said what.
    reporters: BTreeSet<(FailureKind, NameId)>,
    /// A failure that ends the job if a second worker says the same.
    doubt: Option<(FailureKind, Error)>,
}

impl TaskFailures {
    /// What is known from before: who said it is not.
    pub(super) fn known(blamed: u32, lost: u32) -> Self {
        TaskFailures {
            blamed,
            lost,
            ..TaskFailures::default()
        }
    }

    /// A worker says it; one of the same process has no name, and is believed. Whether it ends the job.
    pub(super) fn record(&mut self, failure: FailureKind, name: Option<NameId>, error: &Error) -> bool {
        let count = match failure {
            FailureKind::Bad => &mut self.bad,
            FailureKind::Blamed => &mut self.blamed,
            FailureKind::Unavailable => &mut self.unavailable,
            FailureKind::Lost => &mut self.lost,
        };
        *count = count.saturating_add(1);
        let is_enough = *count >= failure.limit();
        self.reporters.extend(name.map(|name| (failure, name)));
        let is_sure = name.is_none() || self.reported_by(failure).nth(1).is_some() || self.count() >= MAX_FAILURES;
        if is_enough && !is_sure {
            self.doubt = Some((failure, error.clone()));
        }
        is_enough && is_sure
    }

    pub(super) fn count(&self) -> u32 {
        self.bad + self.blamed + self.unavailable + self.lost
    }

    /// Who has said this.
    pub(super) fn reported_by(&self, failure: FailureKind) -> impl Iterator<Item = NameId> {
        let of_failure = self.reporters.iter().filter(move |(said, _)| *said == failure);
        of_failure.map(|(_, name)| *name)
    }

    /// The error that ends the job unless somebody else does the task.
    pub(super) fn doubt(&self) -> Option<&Error> {
        self.doubt.as_ref().map(|(_, error)| error)
    }

    /// Who should not have the task next, if there is anybody else: who failed it, or has said already what is in doubt.
    pub(super) fn avoided(&self) -> BTreeSet<NameId> {
        match &self.doubt {
            Some((failure, _)) => self.reported_by(*failure).collect(),
            None => self.reporters.iter().map(|(_, name)| *name).collect(),
        }
    }
}
