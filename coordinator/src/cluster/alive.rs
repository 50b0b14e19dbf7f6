//! Coordinators say that they are alive, and take up the jobs of those that are not.
//!
//! Each overwrites one object of its own with a rising number, and removes it when it stops. A job that is not run here and whose owner has
//! gone, or has not counted on for a while, is taken. Safety needs none of this: two owners of one job only do some work twice.

use super::Cluster;
use super::journal::Journal;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use shadowdiff_common::state::Incarnation;
use shadowdiff_core::error::{Kind, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a coordinator counts on, and looks after the others.
const BEAT: Duration = Duration::from_secs(5);
/// Without a new number for so long a coordinator counts as gone.
const SILENCE: Duration = Duration::from_secs(40);

/// A job that nobody has claimed for so long is nobody's: whoever stored it has died, or could not reach the store again.
const UNCLAIMED: Duration = Duration::from_secs(20);
/// A job that has ended is looked at again after this long: it may be gone, and its id have come again.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// What a coordinator remembers of the others.
#[derive(Debug, Default)]
struct Others {
    /// What was last heard of an owner, and when it was new.
    heard: BTreeMap<String, (Bytes, Instant)>,
    /// Jobs that had ended, and when they were looked at.
    ended: BTreeMap<String, Instant>,
    /// Jobs that nobody has claimed, and since when that is known.
    unclaimed: BTreeMap<Incarnation, Instant>,
}

impl Cluster {
    /// Says that this coordinator is alive and looks after the jobs of others, until it stops.
    pub async fn stay_alive(self: Arc<Self>) {
        let mut others = Others::default();
        let mut number = 0u64;
        while !self.stopping.load(Ordering::SeqCst) {
            number += 1;
            let path = self.state.coordinator(&self.options.owner);
            if let Err(error) = self.state.store().put(&path, Bytes::from(number.to_string()).into()).await {
                tracing::debug!("not said to be alive: {error}");
            }
            if let Err(error) = self.look_after(&mut others).await {
                tracing::debug!("the jobs of others were not looked at: {error}");
            }
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
    }

    async fn look_after(self: &Arc<Self>, others: &mut Others) -> Result<()> {
        for id in self.state.jobs().await? {
            let was_seen = others.ended.get(&id).is_some_and(|since| since.elapsed() < LOOK_AGAIN);
            let is_here = self.known(&id).is_some_and(|view| !view.phase.has_ended());
            if was_seen || is_here {
                continue;
            }
            match self.look_after_job(&id, others).await {
                Ok(()) => {}
                Err(error) if error.kind == Kind::Unavailable => return Err(error),
                // One job that cannot be read is no reason to leave the others.
                Err(error) => tracing::error!(job = id, "not looked after: {error}"),
            }
        }
        Ok(())
    }

    async fn look_after_job(self: &Arc<Self>, id: &str, others: &mut Others) -> Result<()> {
        let Some((job, _)) = self.state.living(id).await? else {
            others.ended.insert(id.to_owned(), Instant::now());
            return Ok(());
        };
        let history = Journal::read(&job, "").await?.history;
        if history.ended.is_some() {
            others.ended.insert(id.to_owned(), Instant::now());
            return Ok(());
        }
        let is_nobodys = match &history.owner {
            None => {
                let since = others.unclaimed.entry(job.incarnation().clone()).or_insert_with(Instant::now);
                since.elapsed() > UNCLAIMED
            }
            Some(owner) => *owner == self.options.owner || self.is_silent(owner, &mut others.heard).await?,
        };
        if is_nobodys {
            others.unclaimed.remove(job.incarnation());
            self.take_up(id).await?;
        }
        Ok(())
    }

    async fn is_silent(&self, owner: &str, heard: &mut BTreeMap<String, (Bytes, Instant)>) -> Result<bool> {
        let path = self.state.coordinator(owner);
        let Some(said) = self.state.read(&path).await? else {
            return Ok(true);
        };
        let (before, since) = heard.entry(owner.to_owned()).or_insert_with(|| (said.clone(), Instant::now()));
        if *before != said {
            (*before, *since) = (said, Instant::now());
        }
        Ok(since.elapsed() > SILENCE)
    }
}
