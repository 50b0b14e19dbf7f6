//! The trouble with one task: which failures count, and who has said so.
//!
//! A worker's word never fails a job by itself. A failure that would end the job is in *doubt* until a second worker says the same.

use super::blame::NameId;
use super::{MAX_ATTEMPTS, MAX_FAILURES, MAX_UNAVAILABLE};
use crate::error::{Error, Kind};
use std::collections::BTreeSet;

/// What is the same kind of thing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Charge {
    /// The spec or the data are wrong: no attempt will mend that.
    Bad,
    /// The task may be at fault.
    Blamed,
    /// Something did not answer.
    Unavailable,
    /// The worker was lost.
    Lost,
}

impl Charge {
    /// What an error is about. A worker has nothing to interrupt by itself.
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Spec | Kind::Input => Charge::Bad,
            Kind::Exhausted | Kind::Internal | Kind::Interrupted => Charge::Blamed,
            Kind::Unavailable => Charge::Unavailable,
        }
    }

    /// So many failures end the job.
    fn limit(self) -> u32 {
        match self {
            Charge::Bad => 1,
            Charge::Blamed | Charge::Lost => MAX_ATTEMPTS,
            Charge::Unavailable => MAX_UNAVAILABLE,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Trouble {
    pub(super) bad: u32,
    pub(super) blamed: u32,
    pub(super) unavailable: u32,
    pub(super) lost: u32,
    /// Attempts that were given up because nothing moved.
    pub(super) given_up: u32,
    /// Who said what.
    voices: BTreeSet<(Charge, NameId)>,
    /// A failure that ends the job if a second worker says the same.
    doubt: Option<(Charge, Error)>,
}

impl Trouble {
    /// What is known from before: who said it is not.
    pub(super) fn known(blamed: u32, lost: u32) -> Self {
        Trouble {
            blamed,
            lost,
            ..Trouble::default()
        }
    }

    /// A worker says it; one of the same process has no name, and is believed. Whether it ends the job.
    pub(super) fn hear(&mut self, charge: Charge, name: Option<NameId>, error: &Error) -> bool {
        let count = match charge {
            Charge::Bad => &mut self.bad,
            Charge::Blamed => &mut self.blamed,
            Charge::Unavailable => &mut self.unavailable,
            Charge::Lost => &mut self.lost,
        };
        *count = count.saturating_add(1);
        let is_enough = *count >= charge.limit();
        self.voices.extend(name.map(|name| (charge, name)));
        let is_sure = name.is_none() || self.who(charge).nth(1).is_some() || self.failures() >= MAX_FAILURES;
        if is_enough && !is_sure {
            self.doubt = Some((charge, error.clone()));
        }
        is_enough && is_sure
    }

    pub(super) fn failures(&self) -> u32 {
        self.bad + self.blamed + self.unavailable + self.lost
    }

    /// Who has said this.
    pub(super) fn who(&self, charge: Charge) -> impl Iterator<Item = NameId> {
        let of_charge = self.voices.iter().filter(move |(said, _)| *said == charge);
        of_charge.map(|(_, name)| *name)
    }

    /// The error that ends the job unless somebody else does the task.
    pub(super) fn doubt(&self) -> Option<&Error> {
        self.doubt.as_ref().map(|(_, error)| error)
    }

    /// Who should not have the task next, if there is anybody else: who failed it, or has said already what is in doubt.
    pub(super) fn avoided(&self) -> BTreeSet<NameId> {
        match &self.doubt {
            Some((charge, _)) => self.who(*charge).collect(),
            None => self.voices.iter().map(|(_, name)| *name).collect(),
        }
    }
}
