//! Coordinators say that they are alive, and take up the jobs of those that are not.
//!
//! Each overwrites one object of its own with a rising number, and removes it when it stops. A job that is not run here and whose owner has
//! gone, or has not counted on for a while, is taken. Safety needs none of this: two owners of one job only do some work twice.

use super::Cluster;
use super::index::LOOKS_IN_FLIGHT;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use shadowdiff_common::state::Incarnation;
use shadowdiff_core::error::{Kind, Result};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a coordinator counts on, and looks after the others.
const BEAT: Duration = Duration::from_secs(5);
/// Without a new number for so long a coordinator counts as gone.
const SILENCE: Duration = Duration::from_secs(40);

/// A job that nobody has claimed for so long is nobody's: whoever stored it has died, or could not reach the store again.
const UNCLAIMED: Duration = Duration::from_secs(20);

/// What a coordinator remembers of the others.
#[derive(Debug, Default)]
struct Others {
    /// What was last heard of an owner, and when it was new.
    heard: BTreeMap<String, (Bytes, Instant)>,
    /// Jobs that nobody has claimed, and since when that is known.
    unclaimed: BTreeMap<Incarnation, Instant>,
}

impl Cluster {
    /// Says that this coordinator is alive and looks after the jobs of others, until it stops.
    pub async fn run_heartbeat(self: Arc<Self>) {
        // Apart from each other: however many jobs there are to look at, nobody must take this coordinator for gone.
        tokio::join!(self.beat(), self.adopt_orphans());
    }

    async fn beat(&self) {
        let mut number = 0u64;
        while !self.stopping.load(Ordering::SeqCst) {
            number += 1;
            let path = self.state.coordinator(&self.options.owner);
            if let Err(error) = self.state.store().put(&path, Bytes::from(number.to_string()).into()).await {
                tracing::debug!("not said to be alive: {error}");
            }
            sleep(BEAT).await;
        }
    }

    async fn adopt_orphans(self: &Arc<Self>) {
        let others = Mutex::new(Others::default());
        while !self.stopping.load(Ordering::SeqCst) {
            if let Err(error) = self.watch_others(&others).await {
                tracing::debug!("the jobs of others were not looked at: {error}");
            }
            self.store_index(false).await;
            sleep(BEAT).await;
        }
    }

    /// Takes no more jobs, and lets others take what is unfinished.
    pub async fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let path = self.state.coordinator(&self.options.owner);
        if let Err(error) = self.state.store().delete(&path).await {
            tracing::debug!("not said to be gone: {error}");
        }
        self.store_index(true).await;
    }

    async fn watch_others(self: &Arc<Self>, others: &Mutex<Others>) -> Result<()> {
        let ids = self.state.jobs().await?;
        self.ask_again(&ids).await;
        let is_here = |id: &str| self.known(id).is_some_and(|view| !view.phase.has_ended());
        let unsettled = ids.into_iter().filter(|id| self.word(id).is_none() && !is_here(id)).map(Ok);
        futures::stream::iter(unsettled)
            .try_for_each_concurrent(LOOKS_IN_FLIGHT, |id| async move {
                match self.look_after_job(&id, others).await {
                    // One job that cannot be read is no reason to leave the others.
                    Err(error) if error.kind != Kind::Unavailable => {
                        tracing::error!(job = id, "not looked after: {error}");
                        Ok(())
                    }
                    done => done,
                }
            })
            .await
    }

    async fn look_after_job(self: &Arc<Self>, id: &str, others: &Mutex<Others>) -> Result<()> {
        let Some(found) = self.find(id, "").await? else {
            return Ok(());
        };
        if found.journal.end().is_some() {
            return self.look(found).await.map(|_| ());
        }
        let (job, history) = (found.job, found.journal.history);
        let is_nobodys = match &history.owner {
            None => {
                let mut others = lock(others);
                let since = others.unclaimed.entry(job.incarnation().clone()).or_insert_with(Instant::now);
                since.elapsed() > UNCLAIMED
            }
            Some(owner) => *owner == self.options.owner || self.is_silent(owner, others).await?,
        };
        if is_nobodys {
            lock(others).unclaimed.remove(job.incarnation());
            self.adopt(id).await?;
        }
        Ok(())
    }

    async fn is_silent(&self, owner: &str, others: &Mutex<Others>) -> Result<bool> {
        let path = self.state.coordinator(owner);
        let Some(said) = self.state.read(&path).await? else {
            return Ok(true);
        };
        let mut others = lock(others);
        let (before, since) = others
            .heard
            .entry(owner.to_owned())
            .or_insert_with(|| (said.clone(), Instant::now()));
        if *before != said {
            (*before, *since) = (said, Instant::now());
        }
        Ok(since.elapsed() > SILENCE)
    }
}

fn lock(others: &Mutex<Others>) -> MutexGuard<'_, Others> {
    others.lock().unwrap_or_else(PoisonError::into_inner)
}
