//! The lists of accounts of a job, stored once: the plan names them by their digest, and a worker loads them once a job.
//!
//! `accounts/<digest>` of a job holds one set in its packed form (`shadowdiff_core::accounts`); the digest is the SHA-256 of its bytes. Lists
//! of the same accounts are one object. Whoever plans the job stores them before the plan, which decides whether they count.

use super::{JobState, state_error};
use crate::store::{Marking, PART_BYTES, uploader};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use shadowdiff_core::accounts::{AccountSet, AccountSets};
use shadowdiff_core::error::{Error, Result};
use std::collections::BTreeMap;
use tokio::io::AsyncWriteExt;

/// One stored set, as a plan names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct StoredSet {
    digest: String,
    size_bytes: u64,
}

/// The sets of a job, as its plan names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSets {
    /// `None`: no account.
    flipped: Option<StoredSet>,
    /// A set a rule, where its accounts are listed.
    rules: Vec<Option<StoredSet>>,
}

impl StoredSet {
    fn of(set: &AccountSet) -> StoredSet {
        let mark = Marking::of(set.packed());
        StoredSet {
            digest: mark.sha256,
            size_bytes: mark.size_bytes,
        }
    }

    async fn store(&self, set: &AccountSet, job: &JobState) -> Result<()> {
        let path = job.accounts(&self.digest);
        let failed = |e: std::io::Error| Error::unavailable(e.to_string()).file(job.describe(&path));
        let mut writer = uploader(job.store(), &path);
        for part in set.packed().chunks(PART_BYTES) {
            let put = writer.put(Bytes::copy_from_slice(part)).await;
            put.map_err(|e| state_error(e, &job.describe(&path)))?;
        }
        writer.shutdown().await.map_err(failed)
    }

    async fn read(&self, job: &JobState) -> Result<AccountSet> {
        let path = job.accounts(&self.digest);
        let name = job.describe(&path);
        let failed = |e: object_store::Error| state_error(e, &name);
        let found = job.store().get(&path).await.map_err(failed)?;
        let broken = || Error::unavailable(format!("{name} does not read back as it was written"));
        if found.meta.size != self.size_bytes {
            return Err(broken());
        }
        let mut bytes = Vec::with_capacity(self.size_bytes as usize);
        let mut chunks = found.into_stream();
        while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
            if bytes.len() + chunk.len() > self.size_bytes as usize {
                return Err(broken());
            }
            bytes.extend_from_slice(&chunk);
        }
        let set = AccountSet::from_packed(bytes).ok_or_else(broken)?;
        if StoredSet::of(&set) == *self { Ok(set) } else { Err(broken()) }
    }
}

impl StoredSets {
    /// How a plan names these sets. Reads through all of them.
    pub fn of(sets: &AccountSets) -> StoredSets {
        StoredSets {
            flipped: (!sets.flipped.is_empty()).then(|| StoredSet::of(&sets.flipped)),
            rules: sets.rules.iter().map(|set| set.as_ref().map(StoredSet::of)).collect(),
        }
    }

    /// Stores the sets that these names are of.
    pub async fn store(&self, sets: &AccountSets, job: &JobState) -> Result<()> {
        let rules = self.rules.iter().zip(&sets.rules);
        let named = rules.filter_map(|(stored, set)| stored.as_ref().zip(set.as_ref()));
        let named: BTreeMap<&StoredSet, &AccountSet> = self.flipped.iter().map(|stored| (stored, &sets.flipped)).chain(named).collect();
        for (stored, set) in named {
            stored.store(set, job).await?;
        }
        Ok(())
    }

    /// Reads the sets that rules list, at the rules' places.
    pub async fn read_of_rules(&self, job: &JobState) -> Result<Vec<Option<AccountSet>>> {
        let of_rules = StoredSets {
            flipped: None,
            rules: self.rules.clone(),
        };
        Ok(of_rules.read(job).await?.rules)
    }

    /// Reads the sets; those of the same accounts are one.
    pub async fn read(&self, job: &JobState) -> Result<AccountSets> {
        let mut known: BTreeMap<&StoredSet, AccountSet> = BTreeMap::new();
        for stored in self.flipped.iter().chain(self.rules.iter().flatten()) {
            if !known.contains_key(stored) {
                known.insert(stored, stored.read(job).await?);
            }
        }
        let set = |stored: &StoredSet| known[stored].clone();
        Ok(AccountSets {
            flipped: self.flipped.as_ref().map(set).unwrap_or_default(),
            rules: self.rules.iter().map(|stored| stored.as_ref().map(set)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Incarnation, State};
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use shadowdiff_core::accounts::Packer;
    use std::sync::Arc;

    fn set(accounts: &[&str]) -> AccountSet {
        let mut packer = Packer::default();
        accounts.iter().for_each(|account| packer.push(account.as_bytes()));
        packer.finish()
    }

    #[tokio::test]
    async fn lists_come_back_and_the_same_list_is_stored_and_held_once() {
        let store = Arc::new(InMemory::new());
        let incarnation = Incarnation::parse(&"a".repeat(32)).expect("one");
        let job = State::new(Arc::clone(&store) as _, Path::from("s"), "memory").job("j", &incarnation);
        let (one, other) = (set(&["a", "b"]), set(&[]));
        let sets = AccountSets {
            flipped: one.clone(),
            rules: vec![None, Some(set(&["b", "a"])), Some(other)],
        };
        let stored = StoredSets::of(&sets);
        stored.store(&sets, &job).await.expect("stores");
        assert_eq!(job.store().list(None).try_collect::<Vec<_>>().await.expect("lists").len(), 2);
        let read = stored.read(&job).await.expect("reads");
        assert_eq!(read, sets);
        assert!(read.memory_bytes() < sets.memory_bytes(), "one of both that are the same");

        for content in [&b"SDACCTS1"[..], b"", &[0; 22], set(&["a", "c"]).packed()] {
            let path = job.accounts(&StoredSet::of(&one).digest);
            job.store().put(&path, Bytes::copy_from_slice(content).into()).await.expect("puts");
            let error = stored.read(&job).await.expect_err("is damaged");
            assert!(error.to_string().contains("does not read back"), "{error}");
        }
    }
}
