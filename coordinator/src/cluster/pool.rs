//! How many plans are made at a time: a bounded pool of slots, of which no host of data and no client takes more than its share.
//!
//! Whoever finds no slot waits in order; those whose share is used up are passed over, so that a server that never answers stops only the
//! plans that need it. Beyond a limit of those that wait, nobody is let in.

use shadowdiff_core::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// What a plan counts against besides the pool itself: a host of its data, or the client that asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Share {
    Host(String),
    Peer(String),
}

/// The sizes of a pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) slots: usize,
    /// Of these, for one host of data.
    pub(crate) of_host: usize,
    /// Of these, for one client.
    pub(crate) of_peer: usize,
    /// How many of one share wait, and four times as many of all.
    pub(crate) waiting_of_share: usize,
}

impl Sizes {
    fn of(&self, share: &Share) -> usize {
        match share {
            Share::Host(_) => self.of_host,
            Share::Peer(_) => self.of_peer,
        }
    }
}

/// A pool of slots.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    sizes: Sizes,
    occupancy: Arc<Mutex<Occupancy>>,
}

#[derive(Debug, Default)]
struct Occupancy {
    taken: usize,
    taken_of: BTreeMap<Share, usize>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    shares: BTreeSet<Share>,
    slot: oneshot::Sender<Slot>,
}

/// A slot, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    pool: Pool,
    shares: BTreeSet<Share>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.leave(&self.shares);
    }
}

impl Pool {
    pub(crate) fn new(sizes: Sizes) -> Pool {
        Pool {
            sizes,
            occupancy: Arc::default(),
        }
    }

    /// Waits for a slot; an error where too many wait already.
    pub(crate) async fn enter(&self, shares: BTreeSet<Share>) -> Result<Slot> {
        let waits = {
            let mut occupancy = self.occupancy();
            if self.fits(&occupancy, &shares) {
                return Ok(self.take(&mut occupancy, shares));
            }
            // Those whose client has gone wait no more.
            occupancy.waiting.retain(|waiting| !waiting.slot.is_closed());
            self.check_room(&occupancy, &shares)?;
            let (slot, waits) = oneshot::channel();
            occupancy.waiting.push_back(Waiting { shares, slot });
            waits
        };
        waits.await.map_err(|_| Error::internal("the queue of plans has gone"))
    }

    fn check_room(&self, occupancy: &Occupancy, shares: &BTreeSet<Share>) -> Result<()> {
        let most = self.sizes.waiting_of_share;
        let of = |share: &&Share| occupancy.waiting.iter().filter(|waiting| waiting.shares.contains(share)).count();
        let whose = match shares.iter().find(|share| of(share) >= most) {
            Some(Share::Host(host)) => format!("for data at {host}"),
            Some(Share::Peer(_)) => "of this client".to_owned(),
            None if occupancy.waiting.len() >= 4 * most => "of all clients".to_owned(),
            None => return Ok(()),
        };
        let (waiting, slots) = (occupancy.waiting.len(), self.sizes.slots);
        Err(Error::exhausted(format!(
            "too many specs {whose} wait to be looked at ({waiting} wait, at most {slots} at a time)"
        ))
        .advice("try again later"))
    }

    fn fits(&self, occupancy: &Occupancy, shares: &BTreeSet<Share>) -> bool {
        let has_room = |share: &Share| occupancy.taken_of.get(share).copied().unwrap_or(0) < self.sizes.of(share);
        occupancy.taken < self.sizes.slots && shares.iter().all(has_room)
    }

    fn take(&self, occupancy: &mut Occupancy, shares: BTreeSet<Share>) -> Slot {
        occupancy.taken += 1;
        for share in &shares {
            *occupancy.taken_of.entry(share.clone()).or_default() += 1;
        }
        Slot {
            pool: self.clone(),
            shares,
        }
    }

    fn leave(&self, shares: &BTreeSet<Share>) {
        let mut next = Vec::new();
        {
            let mut occupancy = self.occupancy();
            occupancy.taken -= 1;
            for share in shares {
                let of_share = occupancy.taken_of.get_mut(share).expect("was taken");
                *of_share -= 1;
                if *of_share == 0 {
                    occupancy.taken_of.remove(share);
                }
            }
            while let Some(at) = occupancy.waiting.iter().position(|waiting| self.fits(&occupancy, &waiting.shares)) {
                let waiting = occupancy.waiting.remove(at).expect("was found there");
                let slot = self.take(&mut occupancy, waiting.shares);
                next.push((waiting.slot, slot));
            }
        }
        for (waits, slot) in next {
            // One that has gone gives its slot back at once, with the occupancy unlocked.
            drop(waits.send(slot));
        }
    }

    fn occupancy(&self) -> MutexGuard<'_, Occupancy> {
        self.occupancy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use shadowdiff_core::error::Kind;

    fn pool() -> Pool {
        Pool::new(Sizes {
            slots: 4,
            of_host: 2,
            of_peer: 3,
            waiting_of_share: 2,
        })
    }

    fn host(name: &str) -> BTreeSet<Share> {
        BTreeSet::from([Share::Host(name.into())])
    }

    #[tokio::test]
    async fn a_host_that_never_answers_holds_its_share_only() {
        let pool = pool();
        let held = [
            pool.enter(host("hangs")).await.expect("a slot"),
            pool.enter(host("hangs")).await.expect("a slot"),
        ];
        let mut waits: Vec<_> = (0..2).map(|_| Box::pin(pool.enter(host("hangs")))).collect();
        assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()));
        let refused = pool.enter(host("hangs")).await.expect_err("too many wait");
        assert_eq!(refused.kind, Kind::Exhausted);
        assert!(refused.to_string().contains("for data at hangs"), "{refused}");
        // Others are passed through.
        let other = pool.enter(host("answers")).now_or_never().expect("at once").expect("a slot");
        drop(other);
        // Those that have gone wait no more, and take no slot.
        waits.clear();
        let mut late = Box::pin(pool.enter(host("hangs")));
        assert!((&mut late).now_or_never().is_none());
        drop(held);
        late.await.expect("a slot");
        assert_eq!(pool.occupancy().taken, 0);
        assert!(pool.occupancy().taken_of.is_empty() && pool.occupancy().waiting.is_empty());
    }

    #[tokio::test]
    async fn a_client_with_many_hosts_holds_its_share_only() {
        let pool = pool();
        let of = |host: &str, peer: &str| BTreeSet::from([Share::Host(host.into()), Share::Peer(peer.into())]);
        let mut held = Vec::new();
        for name in ["a", "b", "c"] {
            held.push(pool.enter(of(name, "greedy")).await.expect("a slot"));
        }
        let mut waits = Box::pin(pool.enter(of("d", "greedy")));
        assert!((&mut waits).now_or_never().is_none());
        held.push(pool.enter(of("a", "modest")).now_or_never().expect("at once").expect("a slot"));
        // Now all slots are taken, and go to whoever waits first.
        let mut third = Box::pin(pool.enter(host("e")));
        assert!((&mut third).now_or_never().is_none());
        held.remove(0);
        assert!((&mut waits).now_or_never().is_some());
        assert!((&mut third).now_or_never().is_some());
    }
}
