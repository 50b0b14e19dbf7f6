//! Requests to object stores that a job makes, estimated from its plan. A test holds what is made to 1.2 times the estimate.
//!
//! The estimate takes it that every row goes through the exchange, that nothing fails, and that few rows differ: it leaves out the reads
//! of large results while they are merged (one a MiB), the first rows that a sample reads, each worker's read of the plan, and what coordinators ask every few seconds whether
//! or not there are jobs.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Add;

/// Requests by what stores ask for them: a write or a listing costs about ten times as much as a read (Amazon S3: 5 and 0.4 dollars a
/// million); deletes are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Requests {
    /// GET and HEAD.
    pub reads: u64,
    /// PUT, POST and LIST.
    pub writes: u64,
}

impl Requests {
    pub fn is_none(&self) -> bool {
        self.reads + self.writes == 0
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Requests { reads, writes } = self;
        write!(f, "about {reads} reads and {writes} writes or listings of object stores")
    }
}

impl Add for Requests {
    type Output = Requests;

    fn add(self, other: Requests) -> Requests {
        Requests {
            reads: self.reads + other.reads,
            writes: self.writes + other.writes,
        }
    }
}

/// What a job keeps in the state of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct StateObjects {
    pub scans: u64,
    pub compares: u64,
    /// Rows of both sides in the exchange, as stored.
    pub exchange_bytes: u64,
    /// The most that one request reads or writes.
    pub request_bytes: u64,
}

/// What a job makes besides where it exchanges fingerprints: it matches, and reads its inputs again.
#[derive(Debug, Clone, Copy)]
pub struct RereadCost {
    pub scans: u64,
    pub matches: u64,
    /// To read the inputs once.
    pub input_reads: u64,
}

/// Names that one listing gives.
pub const LISTED: u64 = 1000;
/// Claimed, two stages done, finished.
const JOURNAL_ENTRIES: u64 = 4;
/// A number, as the plan holds this estimate and the report the plan.
const RESULT_FILES: u64 = 3;

impl RereadCost {
    /// Requests of the sample, of all match tasks and of a reread task for every scan.
    pub fn requests(&self) -> Requests {
        let (scans, matches) = (self.scans, self.matches);
        let tasks = 1 + matches + scans;
        Requests {
            // As in `StateObjects`: commits are looked for and read; a task reads its document, and a range of every task before.
            reads: 2 * tasks + matches * (1 + scans) + scans * (1 + matches) + self.input_reads,
            // Two tables, three stages done, a listing a stage; the sample has no content.
            writes: 5 + 2 * tasks - 1 + listings(1) + listings(matches) + listings(scans),
        }
    }
}

fn listings(names: u64) -> u64 {
    names / LISTED + 1
}

impl StateObjects {
    /// Requests from submission to the end.
    pub fn requests(&self) -> Requests {
        let (scans, compares) = (self.scans, self.compares);
        let tasks = scans + compares;
        let pieces = |bytes: u64| bytes.div_ceil(self.request_bytes).max(1);
        // An object in parts has a request before and one after them.
        let upload = match pieces(self.exchange_bytes / scans.max(1)) {
            1 => 1,
            parts => parts + 2,
        };
        let range = pieces(self.exchange_bytes / (scans * compares).max(1));
        Requests {
            // Is the token taken, the end of the journal, is there a manifest; each task's commit is looked for by its worker and read by the
            // coordinator; a compare task reads its document and its range of every scan; its lines are read when they are merged.
            reads: 3 + 2 * tasks + compares * (1 + scans * range) + compares,
            // The plan, the list of compare tasks, the manifest; each task's content and commit.
            writes: 3 + JOURNAL_ENTRIES + RESULT_FILES + scans * (upload + 1) + compares * 2 + listings(scans) + listings(compares),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_all_results_have_is_a_request() {
        use crate::report::ResultFile;
        assert_eq!(RESULT_FILES, (ResultFile::ALL.len() - ResultFile::OPTIONAL.len()) as u64);
    }

    #[test]
    fn a_small_job_takes_a_handful_and_large_ones_go_by_their_bytes() {
        let kept = |scans, compares, exchange_bytes| {
            StateObjects {
                scans,
                compares,
                exchange_bytes,
                request_bytes: 16,
            }
            .requests()
        };
        assert_eq!(kept(1, 1, 0), Requests { reads: 10, writes: 16 });
        // Two scans of 40 bytes: three parts each, and 40 bytes a range.
        let large = kept(2, 1, 80);
        assert_eq!(large.writes - kept(2, 1, 0).writes, 2 * 4);
        assert_eq!(large.reads - kept(2, 1, 0).reads, 2 * 2);
        assert_eq!(kept(1500, 1, 0).writes - kept(1499, 1, 0).writes, 2);
        let again = RereadCost {
            scans: 2,
            matches: 1,
            input_reads: 40,
        };
        assert_eq!(
            again.requests(),
            Requests {
                reads: 8 + 3 + 4 + 40,
                writes: 5 + 7 + 3
            }
        );
        assert_eq!(kept(1000, 1, 0).writes - kept(999, 1, 0).writes, 3, "one listing more");
    }
}
