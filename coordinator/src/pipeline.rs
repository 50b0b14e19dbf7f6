//! The stages of a job in their order, once: which tasks each has, what their outcomes add up to, what the next one reads.
//!
//! ```text
//! [sample ->] scan [-> rescan] -> [match -> reread ->] compare [-> reread-whole -> compare-whole] -> [lookup ->] [totals ->] (merge)
//! ```
//! Small jobs need no sample; match and reread are for jobs that exchange fingerprints, and what is read and compared whole after that is left of
//! rows that were read in part; lookup for those where
//! one side alone has rows left, and a key may come twice there, totals for those whose spec asks for them. Where tasks run, and where what they leave behind
//! lies meanwhile, is the executor's business: in this process (`run`), or on workers and in the state store (`cluster/drive`).

use crate::merged_runs::count_distinct;
use shadowdiff_common::spool::{Scratch, Spool};
use shadowdiff_common::tasks::blocking;
use shadowdiff_core::drawn::DrawnRows;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{Form, LeftShards, Plan, Sample};
use shadowdiff_core::profile::Profile;
use shadowdiff_core::report::Timings;
use shadowdiff_core::row::JudgedInPlace;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::ListedAccounts;
use shadowdiff_core::stage::{ShardRange, Stage, Task};
use shadowdiff_core::tally::Tally;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// Tasks of a stage, each with how much there is to do.
pub(crate) type Tasks = Vec<(u64, Task)>;

/// What a scan has left: the shards of what has not cancelled, and sorted runs of all accounts where they are listed.
struct Scanned {
    /// In what form rows were exchanged.
    form: Form,
    /// Of fingerprints, rows that were drawn.
    drawn: DrawnRows,
    shards: Vec<(u64, ShardRange)>,
    accounts: Vec<Spool>,
    /// The sides of which it is known that no key comes twice.
    distinct: Sides<bool>,
    /// Sorted runs of the differences of pairs that ended in place.
    runs: Vec<Spool>,
}

/// Runs the stages of one job.
pub(crate) trait Executor: Send {
    /// Why a stage has not come to its end: an error of the job, or what else ends its run here.
    type Stop: From<Error>;

    /// Runs all tasks of a stage to their end. `reader`: how the tasks are cut that read what these exchange.
    fn run_stage(
        &mut self,
        stage: Stage,
        tasks: Tasks,
        reader: Option<Reader>,
    ) -> impl Future<Output = Result<StageOutcome, Self::Stop>> + Send;

    /// Where what does not fit the memory goes.
    fn scratch(&self) -> Result<Scratch>;
}

/// The stages that read what another exchanges, and how their tasks are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) stages: &'static [Stage],
    pub(crate) shards: u32,
    /// Small shards are put together into one task up to this many bytes.
    pub(crate) part_bytes: u64,
}

/// What the tasks of a stage have left behind, added up in their order.
#[derive(Debug, Default)]
pub(crate) struct StageOutcome {
    pub(crate) tally: Tally,
    pub(crate) profile: Profile,
    /// Rows of each side that were exchanged.
    pub(crate) exchanged: Sides<u64>,
    /// Sorted runs of accounts or of keys: see `TaskOutput`.
    pub(crate) sorted: Vec<Spool>,
    /// Sorted runs of lines.
    pub(crate) runs: Vec<Spool>,
    pub(crate) sample: Option<Sample>,
    /// Of a scan of columns with tolerances. Where it does not hold, nothing reads what was exchanged.
    pub(crate) judged: JudgedInPlace,
    /// Of a scan that exchanges fingerprints.
    pub(crate) drawn: DrawnRows,
    /// Of the reader's tasks: what each reads, and how many bytes that is.
    pub(crate) next: Vec<(u64, ShardRange)>,
}

impl StageOutcome {
    pub(crate) fn add_exchanged(&mut self, rows: Sides<u64>) {
        for side in Side::BOTH {
            self.exchanged[side] += rows[side];
        }
    }
}

/// A job that is about to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pipeline<'a> {
    pub(crate) plan: &'a Plan,
}

/// What the stages have found: all that the merge needs.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) tally: Tally,
    pub(crate) runs: Vec<Spool>,
    /// Sorted runs of the fingerprints of keys that one side alone has left, and the other has too.
    pub(crate) found_keys: Vec<Spool>,
    /// Sorted runs of all accounts, where they are listed.
    pub(crate) seen_accounts: Vec<Spool>,
    pub(crate) timings: Timings,
}

/// An executor, and what its tasks have taken.
struct Profiled<'e, E> {
    executor: &'e mut E,
    profile: Profile,
}

impl<E: Executor> Executor for Profiled<'_, E> {
    type Stop = E::Stop;

    async fn run_stage(&mut self, stage: Stage, tasks: Tasks, reader: Option<Reader>) -> Result<StageOutcome, E::Stop> {
        let outcome = self.executor.run_stage(stage, tasks, reader).await?;
        let profile = outcome.profile.clone();
        self.profile.merge(&match outcome.judged.holds() {
            true => profile,
            // The rows are scanned again.
            false => profile.without_rows(),
        });
        Ok(outcome)
    }

    fn scratch(&self) -> Result<Scratch> {
        self.executor.scratch()
    }
}

impl Pipeline<'_> {
    /// Runs all stages before the merge; their books balance.
    pub(crate) async fn run<E: Executor>(self, executor: &mut E) -> Result<Compared, E::Stop> {
        let executor = &mut Profiled {
            executor,
            profile: Profile::default(),
        };
        let started = Instant::now();
        let mut timings = Timings::default();
        let mut tally = Tally::default();
        let form = self.form(executor).await?;
        let Scanned {
            form,
            drawn,
            mut shards,
            accounts,
            distinct,
            mut runs,
        } = self.scan(executor, form, &mut tally).await?;
        let mut columns = Vec::new();
        if form == Form::Fingerprints {
            columns = self.columns_in_part(&drawn);
            shards = self.unmatched(executor, shards, &columns, &mut tally).await?;
        }
        timings.scan_ms = started.elapsed().as_millis() as u64;
        let keys = self.compare(executor, shards, columns, &mut tally, &mut runs).await?;
        tally.balance().map_err(Error::internal)?;
        let found_keys = self.lookup(executor, &keys, distinct, &tally).await?;
        self.totals(executor, &mut tally).await?;
        timings.compare_ms = started.elapsed().as_millis() as u64 - timings.scan_ms;
        timings.rungs = std::mem::take(&mut executor.profile);
        Ok(Compared {
            tally,
            runs,
            found_keys,
            seen_accounts: accounts,
            timings,
        })
    }

    /// Compares rows, of which these columns were read, or all where none is named; what must be read whole is read again, and compared too. Gives
    /// the shard of the keys of rows that live alone has left, and of those that shadow alone has.
    async fn compare<E: Executor>(
        self,
        executor: &mut E,
        shards: Vec<(u64, ShardRange)>,
        columns: Vec<u32>,
        tally: &mut Tally,
        runs: &mut Vec<Spool>,
    ) -> Result<Sides<Option<ShardRange>>, E::Stop> {
        let is_in_part = !columns.is_empty();
        let shards_left = LeftShards::new(self.plan, is_in_part);
        let reader = Reader {
            stages: if is_in_part {
                &[Stage::RereadWhole, Stage::Lookup]
            } else {
                &[Stage::Lookup]
            },
            shards: shards_left.count(),
            part_bytes: 0,
        };
        let tasks = in_part(tasks_of(Stage::Compare, Form::Rows, shards), &columns);
        let compared = executor.run_stage(Stage::Compare, tasks, Some(reader)).await?;
        tally.merge(&compared.tally);
        runs.extend(compared.runs);
        let (left, keys): (Vec<_>, Vec<_>) = compared.next.into_iter().partition(|(_, shard)| shards_left.has_rows(shard.first));
        let is_of = |side: Side| move |shard: &ShardRange| shard.first == shards_left.keys(side);
        let keys = Sides::from_fn(|side| keys.iter().map(|(_, shard)| *shard).find(is_of(side)));
        if left.is_empty() {
            return Ok(keys);
        }
        let tasks = tasks_of(Stage::RereadWhole, Form::Rows, left);
        let reread = executor
            .run_stage(Stage::RereadWhole, tasks, Some(self.by_shard(&[Stage::CompareWhole])))
            .await?;
        check_exchange(tally, reread.exchanged)?;
        let tasks = tasks_of(Stage::CompareWhole, Form::Rows, reread.next);
        let compared = executor.run_stage(Stage::CompareWhole, tasks, None).await?;
        tally.merge(&compared.tally);
        runs.extend(compared.runs);
        Ok(keys)
    }

    /// Of the rows that have no partner, the columns that are read: the key and those in which drawn rows differ. None: all, where those are
    /// not much fewer, or it is not known.
    fn columns_in_part(self, drawn: &DrawnRows) -> Vec<u32> {
        let aligned = &self.plan.aligned;
        let values = aligned.values();
        let Some(differing) = drawn.differing(values.len()) else {
            return Vec::new();
        };
        let differing = differing.into_iter().map(|at| values[at]);
        let columns: BTreeSet<u32> = aligned.key.iter().copied().chain(differing).map(|at| at as u32).collect();
        let is_in_part = columns.len() * 4 <= aligned.columns.len() * 3;
        tracing::debug!(?columns, is_in_part, "drawn rows differ");
        match is_in_part {
            true => columns.into_iter().collect(),
            false => Vec::new(),
        }
    }

    /// Asks each side for the keys of rows that only the other one has left; gives the fingerprints of those it has. Of a side whose keys are
    /// `distinct` no row is an extra copy.
    async fn lookup<E: Executor>(
        self,
        executor: &mut E,
        keys: &Sides<Option<ShardRange>>,
        distinct: Sides<bool>,
        tally: &Tally,
    ) -> Result<Vec<Spool>, E::Stop> {
        let may_be_copies = |(side, keys): (Side, &Option<ShardRange>)| keys.filter(|_| !distinct[side]);
        let keys: Vec<ShardRange> = keys.each().into_iter().filter_map(may_be_copies).collect();
        if !tally.looks_up_keys() || keys.is_empty() {
            return Ok(Vec::new());
        }
        // All keys of a side are one shard, which every task reads.
        let inputs = keys
            .into_iter()
            .flat_map(|keys| self.plan.scans.iter().map(move |scan| (scan.weight(), keys)));
        let tasks = tasks_of(Stage::Lookup, Form::Fingerprints, inputs);
        Ok(executor.run_stage(Stage::Lookup, tasks, None).await?.sorted)
    }

    /// Adds up what the columns of each side hold, where the spec asks: over the same rows as were compared.
    async fn totals<E: Executor>(self, executor: &mut E, tally: &mut Tally) -> Result<(), E::Stop> {
        let columns = self.plan.aligned.values();
        if !self.plan.spec.output.totals || columns.is_empty() {
            return Ok(());
        }
        let pieces = self.plan.scans.iter().map(|scan| (scan.weight(), ShardRange::default()));
        let tasks = tasks_of(Stage::Totals, Form::Rows, pieces);
        tally.merge(&executor.run_stage(Stage::Totals, tasks, None).await?.tally);
        tally.balance_totals(&columns).map_err(Error::internal)?;
        Ok(())
    }

    /// In what form rows are exchanged.
    async fn form<E: Executor>(self, executor: &mut E) -> Result<Form, E::Stop> {
        if let Some(form) = self.plan.known_form() {
            return Ok(form);
        }
        let tasks = tasks_of(Stage::Sample, Form::Rows, [(1, ShardRange::default())]);
        let outcome = executor.run_stage(Stage::Sample, tasks, None).await?;
        let sample = outcome.sample.ok_or_else(|| Error::internal("a sample without what was seen"))?;
        tracing::debug!(?sample, form = ?sample.form(), "looked at the first rows");
        Ok(sample.form())
    }

    /// Reads both sides; gives the shards of rows, or of fingerprints, that have not cancelled, and the accounts where they are listed.
    async fn scan<E: Executor>(self, executor: &mut E, form: Form, tally: &mut Tally) -> Result<Scanned, E::Stop> {
        let (mut form, mut outcome) = (form, self.scan_as(executor, Stage::Scan, form).await?);
        if !outcome.judged.holds() {
            tracing::debug!("a key may come more than once: scanning again");
            // What ended in place would all be exchanged now.
            if outcome.judged.near > outcome.judged.differing && self.plan.known_form().is_none() {
                form = Form::Fingerprints;
            }
            // Nothing of it counts, and the memory is needed.
            drop(outcome);
            outcome = self.scan_as(executor, Stage::Rescan, form).await?;
        }
        tally.merge(&outcome.tally);
        check_exchange(tally, outcome.exchanged)?;
        let distinct = outcome.judged.distinct();
        let accounts = match self.plan.spec.output.accounts {
            ListedAccounts::All => outcome.sorted,
            ListedAccounts::Differing if outcome.sorted.is_empty() => Vec::new(),
            ListedAccounts::Differing => {
                let (accounts, scratch) = (outcome.sorted, executor.scratch()?);
                tally.accounts = blocking("counting accounts", move || count_distinct(&accounts, &scratch)).await?;
                Vec::new()
            }
        };
        Ok(Scanned {
            form,
            drawn: outcome.drawn,
            shards: outcome.next,
            accounts,
            distinct,
            runs: outcome.runs,
        })
    }

    async fn scan_as<E: Executor>(self, executor: &mut E, stage: Stage, form: Form) -> Result<StageOutcome, E::Stop> {
        let pieces = self.plan.scans.iter().map(|scan| (scan.weight(), ShardRange::default()));
        let reader: &[Stage] = match form {
            Form::Rows => &[Stage::Compare],
            Form::Fingerprints => &[Stage::Match],
        };
        executor
            .run_stage(stage, tasks_of(stage, form, pieces), Some(self.by_shard(reader)))
            .await
    }

    /// Cancels fingerprints, and reads again the rows that have no partner, these columns of them, or all where none is named; gives their shards.
    async fn unmatched<E: Executor>(
        self,
        executor: &mut E,
        shards: Vec<(u64, ShardRange)>,
        columns: &[u32],
        tally: &mut Tally,
    ) -> Result<Vec<(u64, ShardRange)>, E::Stop> {
        // One task for each scan that has such rows.
        let by_scan = Reader {
            stages: &[Stage::Reread],
            shards: self.plan.scans.len() as u32,
            part_bytes: 0,
        };
        let tasks = tasks_of(Stage::Match, Form::Fingerprints, shards);
        let matched = executor.run_stage(Stage::Match, tasks, Some(by_scan)).await?;
        tally.merge(&matched.tally);
        let tasks = in_part(tasks_of(Stage::Reread, Form::Rows, matched.next), columns);
        let reread = executor
            .run_stage(Stage::Reread, tasks, Some(self.by_shard(&[Stage::Compare])))
            .await?;
        check_exchange(tally, reread.exchanged)?;
        Ok(reread.next)
    }

    /// A reader whose tasks take the shards of the job.
    fn by_shard(self, stages: &'static [Stage]) -> Reader {
        Reader {
            stages,
            shards: self.plan.shards,
            part_bytes: self.plan.part_bytes,
        }
    }
}

fn tasks_of(stage: Stage, form: Form, inputs: impl IntoIterator<Item = (u64, ShardRange)>) -> Tasks {
    let task = |(number, (weight, input))| {
        let task = Task {
            stage,
            number,
            form,
            input,
            columns: Vec::new(),
        };
        (weight, task)
    };
    (0..).zip(inputs).map(task).collect()
}

/// The same tasks of rows of which these columns are read; none: all.
fn in_part(mut tasks: Tasks, columns: &[u32]) -> Tasks {
    tasks.iter_mut().for_each(|(_, task)| task.columns = columns.to_vec());
    tasks
}

/// Rows that have not come to an end must all be in the exchange. `exchanged`: rows of live and of shadow.
fn check_exchange(tally: &Tally, exchanged: Sides<u64>) -> Result<()> {
    for side in Side::BOTH {
        let expected = tally.open_rows(side);
        if exchanged[side] != expected {
            return Err(Error::internal(format!(
                "the books of the exchange do not balance: {} rows of {side}, {expected} expected",
                exchanged[side]
            )));
        }
    }
    Ok(())
}
