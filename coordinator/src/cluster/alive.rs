//! Coordinators say that they are alive, and take up the jobs of those that are not.
//!
//! Each overwrites one object of its own with a rising number, and removes it when it stops. A job that is not run here and whose owner has
//! gone, or has not counted on for a while, is taken. Safety needs none of this: two owners of one job only do some work twice.

use super::Cluster;
use super::journal::Journal;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use shadowdiff_core::error::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a coordinator counts on, and looks after the others.
const BEAT: Duration = Duration::from_secs(5);
/// Without a new number for so long a coordinator counts as gone.
const SILENCE: Duration = Duration::from_secs(40);

/// What was last heard of an owner, and when it was new.
type Heard = BTreeMap<String, (Bytes, Instant)>;

impl Cluster {
    /// Says that this coordinator is alive and looks after the jobs of others, until it stops.
    pub async fn stay_alive(self: Arc<Self>) {
        let (mut heard, mut ended) = (Heard::new(), BTreeSet::new());
        let mut number = 0u64;
        while !self.stopping.load(Ordering::SeqCst) {
            number += 1;
            let path = self.state.coordinator(&self.options.owner);
            if let Err(error) = self.state.store().put(&path, Bytes::from(number.to_string()).into()).await {
                tracing::debug!("not said to be alive: {error}");
            }
            if let Err(error) = self.look_after(&mut heard, &mut ended).await {
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

    async fn look_after(self: &Arc<Self>, heard: &mut Heard, ended: &mut BTreeSet<String>) -> Result<()> {
        for id in self.state.jobs().await? {
            if ended.contains(&id) || self.follow(&id).is_some() {
                continue;
            }
            let history = Journal::read(&self.state.job(&id), "").await?.history;
            if history.ended.is_some() {
                ended.insert(id);
                continue;
            }
            // A job without an owner is being submitted right now.
            let Some(owner) = history.owner else { continue };
            if owner == self.options.owner || self.is_silent(&owner, heard).await? {
                self.take_up(&id).await?;
            }
        }
        Ok(())
    }

    async fn is_silent(&self, owner: &str, heard: &mut Heard) -> Result<bool> {
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
