//! Sets of accounts, packed: sorted, each written as what it does not share with the one before it.
//!
//! ```text
//! packed  = "SDACCTS1", how many u64, blocks                 numbers little-endian; this is also how a set is stored
//! block   = up to 16 accounts in the order of their bytes    all but the last block have 16
//! account = shared, length, bytes                            shared: how many bytes are those of the account before, 0 for a block's first;
//!                                                            both numbers in the form of `compact`
//! ```
//! An account is the canonical bytes of its values. A set has one form: equal sets are equal bytes. Clones share it. Lists have millions of
//! accounts, so a set is made in bounded pieces, and nothing is held besides the bytes and where each block begins.

mod read;

pub use read::{AccountReader, BadAccount};

use crate::compact::{read_number, write_number};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;

/// Names the form and its version.
const MAGIC: &[u8; 8] = b"SDACCTS1";
const HEADER_BYTES: usize = 16;
/// A look-up reads through one block.
const BLOCK_ACCOUNTS: u64 = 16;
/// What waits to be sorted while a set is made.
const PENDING_BYTES: usize = 8 << 20;

/// Accounts as the canonical bytes of their values.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountSet(Arc<Packed>);

#[derive(PartialEq, Eq)]
struct Packed {
    bytes: Vec<u8>,
    /// Where each block begins.
    blocks: Vec<u64>,
    accounts: u64,
}

impl fmt::Debug for AccountSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountSet({} accounts)", self.len())
    }
}

impl Default for AccountSet {
    fn default() -> Self {
        Sorted::with_capacity(0).finish()
    }
}

impl AccountSet {
    /// A set as it was stored; `None` where the bytes are none.
    pub fn from_packed(bytes: Vec<u8>) -> Option<AccountSet> {
        let accounts = u64::from_le_bytes(bytes.get(8..HEADER_BYTES)?.try_into().ok()?);
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let (mut at, mut blocks) = (HEADER_BYTES, Vec::new());
        let (mut last, mut account): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
        for number in 0..accounts {
            let is_first = number % BLOCK_ACCOUNTS == 0;
            if is_first {
                blocks.push(at as u64);
            }
            let entry = Entry::read(&bytes, &mut at)?;
            if entry.shared > last.len() || (is_first && entry.shared > 0) {
                return None;
            }
            account.clear();
            account.extend_from_slice(&last[..entry.shared]);
            account.extend_from_slice(entry.rest);
            if number > 0 && account <= last {
                return None;
            }
            std::mem::swap(&mut last, &mut account);
        }
        (at == bytes.len()).then(|| AccountSet(Arc::new(Packed { bytes, blocks, accounts })))
    }

    /// The set as it is stored.
    pub fn packed(&self) -> &[u8] {
        &self.0.bytes
    }

    /// What the set takes in memory.
    pub fn memory_bytes(&self) -> u64 {
        (self.0.bytes.capacity() + 8 * self.0.blocks.capacity()) as u64
    }

    pub fn len(&self) -> u64 {
        self.0.accounts
    }

    pub fn is_empty(&self) -> bool {
        self.0.accounts == 0
    }

    /// `account`: the canonical bytes of the account's values, in order.
    pub fn contains(&self, account: &[u8]) -> bool {
        self.position(account).is_some()
    }

    /// The place of an account among those of the set.
    pub fn position(&self, account: &[u8]) -> Option<u64> {
        let Packed { bytes, blocks, accounts } = &*self.0;
        let first = |block: &u64| Entry::at(bytes, &mut (*block as usize)).rest;
        let block = blocks.partition_point(|block| first(block) <= account).checked_sub(1)?;
        let before = block as u64 * BLOCK_ACCOUNTS;
        let left = accounts - before;
        let mut at = blocks[block] as usize;
        // How many bytes `account` shares with the one that was read last, which comes before it.
        let mut common = 0;
        for place in before..before + left.min(BLOCK_ACCOUNTS) {
            let entry = Entry::at(bytes, &mut at);
            match entry.shared.cmp(&common) {
                // It differs from the last one where `account` does not: it comes after `account`.
                Ordering::Less => return None,
                // It differs from `account` where the last one did.
                Ordering::Greater => continue,
                Ordering::Equal => {}
            }
            let rest = &account[common..];
            match entry.rest.cmp(rest) {
                Ordering::Equal => return Some(place),
                Ordering::Greater => return None,
                Ordering::Less => common += shared(entry.rest, rest),
            }
        }
        None
    }

    /// Gives the accounts one after the other, with their places.
    pub fn each(&self, mut take: impl FnMut(u64, &[u8])) {
        let mut walk = self.walk();
        for place in 0..self.len() {
            walk.advance();
            take(place, &walk.account);
        }
    }

    fn walk(&self) -> Walk<'_> {
        Walk {
            packed: &self.0,
            at: HEADER_BYTES,
            left: self.0.accounts,
            account: Vec::new(),
        }
    }
}

/// The lists of a spec as sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountSets {
    /// Accounts whose baseline is not the default.
    pub flipped: AccountSet,
    /// A set a rule, where its accounts are listed.
    pub rules: Vec<Option<AccountSet>>,
}

impl AccountSets {
    /// What they take in memory: a set that several share counts once.
    pub fn memory_bytes(&self) -> u64 {
        let mut seen: Vec<&AccountSet> = Vec::new();
        for set in [&self.flipped].into_iter().chain(self.rules.iter().flatten()) {
            if !seen.iter().any(|other| Arc::ptr_eq(&other.0, &set.0)) {
                seen.push(set);
            }
        }
        seen.into_iter().map(AccountSet::memory_bytes).sum()
    }
}

/// How many bytes both begin with.
fn shared(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// An account as it is written.
struct Entry<'a> {
    shared: usize,
    rest: &'a [u8],
}

impl<'a> Entry<'a> {
    fn read(bytes: &'a [u8], at: &mut usize) -> Option<Entry<'a>> {
        let shared = usize::try_from(read_number(bytes, at)?).ok()?;
        let length = usize::try_from(read_number(bytes, at)?).ok()?;
        let rest = bytes.get(*at..at.checked_add(length)?)?;
        *at += length;
        Some(Entry { shared, rest })
    }

    /// Of a set that is known to be one.
    fn at(bytes: &'a [u8], at: &mut usize) -> Entry<'a> {
        Entry::read(bytes, at).expect("a set holds as many accounts as it says")
    }
}

/// The accounts of a set one after the other.
struct Walk<'a> {
    packed: &'a Packed,
    at: usize,
    left: u64,
    account: Vec<u8>,
}

impl Walk<'_> {
    /// The next account; false at the end.
    fn advance(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let entry = Entry::at(&self.packed.bytes, &mut self.at);
        self.account.truncate(entry.shared);
        self.account.extend_from_slice(entry.rest);
        true
    }
}

/// Makes a set of accounts that come in their order.
struct Sorted {
    bytes: Vec<u8>,
    blocks: Vec<u64>,
    accounts: u64,
    last: Vec<u8>,
}

impl Sorted {
    fn with_capacity(bytes: usize) -> Self {
        let mut made = Vec::with_capacity(HEADER_BYTES + bytes);
        made.extend_from_slice(MAGIC);
        made.extend_from_slice(&[0; 8]);
        Sorted {
            bytes: made,
            blocks: Vec::new(),
            accounts: 0,
            last: Vec::new(),
        }
    }

    /// `account` is not before the last one; if it is the same, it is in the set already.
    fn push(&mut self, account: &[u8]) {
        if self.accounts > 0 && account == self.last {
            return;
        }
        debug_assert!(self.accounts == 0 || account > self.last.as_slice());
        let is_first = self.accounts.is_multiple_of(BLOCK_ACCOUNTS);
        if is_first {
            self.blocks.push(self.bytes.len() as u64);
        }
        let common = if is_first { 0 } else { shared(&self.last, account) };
        write_number(common as u64, &mut self.bytes);
        write_number((account.len() - common) as u64, &mut self.bytes);
        self.bytes.extend_from_slice(&account[common..]);
        self.last.truncate(common);
        self.last.extend_from_slice(&account[common..]);
        self.accounts += 1;
    }

    fn finish(mut self) -> AccountSet {
        self.bytes[8..HEADER_BYTES].copy_from_slice(&self.accounts.to_le_bytes());
        self.bytes.shrink_to_fit();
        self.blocks.shrink_to_fit();
        AccountSet(Arc::new(Packed {
            bytes: self.bytes,
            blocks: self.blocks,
            accounts: self.accounts,
        }))
    }
}

/// Makes a set of accounts that come in any order: they are sorted piece by piece, and the pieces merged at the end.
#[derive(Debug)]
pub struct Packer {
    pending: Vec<u8>,
    /// Where each pending account ends.
    ends: Vec<u32>,
    pending_bytes: usize,
    pieces: Vec<AccountSet>,
}

impl Default for Packer {
    fn default() -> Self {
        Packer::with_pending(PENDING_BYTES)
    }
}

impl Packer {
    fn with_pending(pending_bytes: usize) -> Self {
        Packer {
            pending: Vec::new(),
            ends: Vec::new(),
            pending_bytes,
            pieces: Vec::new(),
        }
    }

    pub fn push(&mut self, account: &[u8]) {
        if !self.ends.is_empty() && self.pending.len() + account.len() > self.pending_bytes {
            self.sort();
        }
        self.pending.extend_from_slice(account);
        self.ends.push(u32::try_from(self.pending.len()).expect("a value is below 4 GiB"));
    }

    pub fn finish(mut self) -> AccountSet {
        self.sort();
        match <[AccountSet; 1]>::try_from(std::mem::take(&mut self.pieces)) {
            Ok([one]) => one,
            Err(pieces) => merge(&pieces),
        }
    }

    fn sort(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        let start = |at: u32| if at == 0 { 0 } else { self.ends[at as usize - 1] as usize };
        let account = |at: u32| &self.pending[start(at)..self.ends[at as usize] as usize];
        let mut order: Vec<u32> = (0..self.ends.len() as u32).collect();
        order.sort_unstable_by(|a, b| account(*a).cmp(account(*b)));
        let mut sorted = Sorted::with_capacity(0);
        order.into_iter().for_each(|at| sorted.push(account(at)));
        self.pieces.push(sorted.finish());
        self.pending.clear();
        self.ends.clear();
    }
}

fn merge(pieces: &[AccountSet]) -> AccountSet {
    // A little more than the pieces: the first accounts of blocks are others then.
    let bytes: usize = pieces.iter().map(|piece| piece.packed().len()).sum();
    let mut merged = Sorted::with_capacity(bytes + bytes / 8);
    let mut walks: Vec<Walk<'_>> = pieces.iter().map(AccountSet::walk).collect();
    let mut heads = BinaryHeap::new();
    for (at, walk) in walks.iter_mut().enumerate() {
        if walk.advance() {
            heads.push(Reverse((walk.account.clone(), at)));
        }
    }
    while let Some(Reverse((mut account, at))) = heads.pop() {
        merged.push(&account);
        if walks[at].advance() {
            account.clone_from(&walks[at].account);
            heads.push(Reverse((account, at)));
        }
    }
    merged.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn pack(accounts: &[&[u8]], pending_bytes: usize) -> AccountSet {
        let mut packer = Packer::with_pending(pending_bytes);
        accounts.iter().for_each(|account| packer.push(account));
        packer.finish()
    }

    /// Accounts of which many share their first bytes, some are prefixes of others, and some come twice.
    fn some(count: u64) -> Vec<Vec<u8>> {
        let mixed = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23) % (count * 3 / 2 + 1);
        (0..count)
            .map(|i| format!("{:b}", mixed(i)).into_bytes())
            .chain([Vec::new(), vec![0xff; 300]])
            .collect()
    }

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else_however_it_was_cut() {
        for count in [0, 1, 15, 16, 17, 400] {
            let accounts = some(count);
            let refs: Vec<&[u8]> = accounts.iter().map(Vec::as_slice).collect();
            let is: BTreeSet<&[u8]> = refs.iter().copied().collect();
            let whole = pack(&refs, usize::MAX);
            assert_eq!(whole.len(), is.len() as u64);
            for pending_bytes in [1, 50] {
                assert_eq!(pack(&refs, pending_bytes), whole, "one form");
            }
            assert_eq!(AccountSet::from_packed(whole.packed().to_vec()), Some(whole.clone()));
            let mut walk = whole.walk();
            for account in &is {
                assert!(walk.advance() && walk.account == *account);
                assert!(whole.contains(account));
            }
            whole.each(|place, account| assert_eq!(whole.position(account), Some(place)));
            assert!(!walk.advance());
            let near = is.iter().flat_map(|account| {
                let longer = |byte: u8| [*account, &[byte][..]].concat();
                [
                    longer(0),
                    longer(b'0'),
                    longer(b'1'),
                    longer(0xff),
                    account[..account.len().saturating_sub(1)].to_vec(),
                ]
            });
            for account in near {
                assert_eq!(whole.contains(&account), is.contains(account.as_slice()), "{account:?}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_set_are_refused() {
        let accounts = some(40);
        let set = pack(&accounts.iter().map(Vec::as_slice).collect::<Vec<_>>(), usize::MAX);
        let bytes = set.packed();
        for end in 0..bytes.len() {
            assert_eq!(AccountSet::from_packed(bytes[..end].to_vec()), None, "cut at {end}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut broken = bytes.to_vec();
                broken[at] ^= 1 << bit;
                // Whatever it is then, nothing panics.
                if let Some(other) = AccountSet::from_packed(broken) {
                    accounts.iter().for_each(|account| assert!(other.contains(account) || other != set));
                }
            }
        }
        assert_eq!(AccountSet::from_packed(Vec::new()), None);
    }

    /// Coordinators store sets and workers read them: the form must not change unseen.
    #[test]
    fn a_set_is_as_in_the_golden_file() {
        let accounts: Vec<Vec<u8>> = (0..40u32).map(|i| format!("account {}", i * i).into_bytes()).collect();
        let now = pack(&accounts.iter().map(Vec::as_slice).collect::<Vec<_>>(), usize::MAX);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/accounts.bin");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, now.packed()).expect("the golden file can be written");
        }
        assert_eq!(now.packed(), std::fs::read(path).expect("the golden file"));
    }
}
