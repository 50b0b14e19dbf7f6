//! Blame: what is remembered of workers by their names, also after their streams have ended.
//!
//! Each failed attempt is a strike, a done one takes all strikes away. After `ASIDE_AFTER` strikes in a row a worker is set aside, each time for
//! twice as long. Of several workers with one name each has its own record: the first, the second, and so on.

use super::{ASIDE_AFTER, ASIDE_MS, MAX_ASIDE_DOUBLINGS, MAX_NAMES};
use std::collections::BTreeMap;

/// A worker's name, whatever stream it has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NameId(u64);

#[derive(Debug, Default)]
pub(super) struct Names {
    ids: BTreeMap<(String, u32), NameId>,
    records: BTreeMap<NameId, Record>,
    next: u64,
}

#[derive(Debug)]
struct Record {
    key: (String, u32),
    attached: bool,
    /// Failures since an attempt was done.
    strikes: u32,
    /// How often it was set aside since it was last known to work.
    times_aside: u32,
    aside_until_ms: Option<u64>,
}

impl Names {
    /// A worker of this name has come.
    pub(super) fn take(&mut self, name: &str) -> NameId {
        let is_free = |ids: &BTreeMap<(String, u32), NameId>, key: &(String, u32)| match ids.get(key) {
            Some(id) => self.records.get(id).is_none_or(|record| !record.attached),
            None => true,
        };
        let keys = (0..=u32::MAX).map(|number| (name.to_owned(), number));
        let key = keys
            .into_iter()
            .find(|key| is_free(&self.ids, key))
            .expect("fewer workers than numbers");
        let next = NameId(self.next);
        let id = *self.ids.entry(key.clone()).or_insert(next);
        self.next += u64::from(id == next);
        let record = self.records.entry(id).or_insert(Record {
            key,
            attached: true,
            strikes: 0,
            times_aside: 0,
            aside_until_ms: None,
        });
        record.attached = true;
        self.forget_old();
        id
    }

    /// Its stream has ended; its record stays for when it comes back.
    pub(super) fn leave(&mut self, name: NameId) {
        if let Some(record) = self.records.get_mut(&name) {
            record.attached = false;
        }
    }

    /// One more failure; until when the worker is to be set aside, if it is.
    pub(super) fn strike(&mut self, name: NameId, now_ms: u64) -> Option<u64> {
        let record = self.records.get_mut(&name)?;
        record.strikes = record.strikes.saturating_add(1);
        (record.strikes >= ASIDE_AFTER).then(|| record.aside(now_ms))
    }

    /// It said what is not so; until when it is to be set aside.
    pub(super) fn condemn(&mut self, name: NameId, now_ms: u64) -> Option<u64> {
        let record = self.records.get_mut(&name)?;
        record.strikes = record.strikes.max(ASIDE_AFTER);
        Some(record.aside(now_ms))
    }

    /// One of its attempts is done.
    pub(super) fn praise(&mut self, name: NameId) {
        if let Some(record) = self.records.get_mut(&name) {
            record.strikes = 0;
            // Not at once: it may be a lie.
            record.times_aside = record.times_aside.saturating_sub(1);
        }
    }

    /// Another worker says the same: the failure was not the worker's.
    pub(super) fn acquit(&mut self, name: NameId) {
        if let Some(record) = self.records.get_mut(&name) {
            (record.strikes, record.times_aside, record.aside_until_ms) = (0, 0, None);
        }
    }

    pub(super) fn aside_until(&self, name: NameId) -> Option<u64> {
        self.records.get(&name)?.aside_until_ms
    }

    /// The oldest records of workers that are not here go first.
    fn forget_old(&mut self) {
        if self.records.len() <= MAX_NAMES {
            return;
        }
        let oldest = self.records.iter().find(|(_, record)| !record.attached).map(|(id, _)| *id);
        if let Some(record) = oldest.and_then(|id| self.records.remove(&id)) {
            self.ids.remove(&record.key);
        }
    }
}

impl Record {
    fn aside(&mut self, now_ms: u64) -> u64 {
        let until_ms = now_ms + (ASIDE_MS << self.times_aside.min(MAX_ASIDE_DOUBLINGS));
        self.times_aside = self.times_aside.saturating_add(1);
        self.aside_until_ms = Some(until_ms);
        until_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_back_has_its_strikes_and_two_of_one_name_are_two() {
        let mut names = Names::default();
        let (first, second) = (names.take("one"), names.take("one"));
        assert_ne!(first, second);
        assert_eq!((names.strike(first, 0), names.strike(first, 0)), (None, None));
        names.leave(first);
        assert_eq!(names.take("one"), first);
        assert_eq!(names.strike(second, 5), None);
        assert_eq!(names.strike(first, 5), Some(5 + ASIDE_MS));
        assert_eq!(names.strike(first, 9), Some(9 + 2 * ASIDE_MS));
        names.praise(first);
        assert_eq!((names.strike(first, 9), names.strike(first, 9)), (None, None));
        assert_eq!(names.strike(first, 9), Some(9 + 2 * ASIDE_MS));
        assert_eq!(names.condemn(second, 9), Some(9 + ASIDE_MS));
        names.acquit(second);
        assert_eq!(names.aside_until(second), None);
    }

    #[test]
    fn names_of_workers_that_have_gone_are_forgotten_in_the_end() {
        let mut names = Names::default();
        let stays = names.take("stays");
        for number in 0..2 * MAX_NAMES {
            let name = names.take(&format!("worker {number}"));
            names.leave(name);
        }
        assert_eq!((names.records.len(), names.ids.len()), (MAX_NAMES, MAX_NAMES));
        assert_eq!(names.strike(stays, 0), None);
        assert!(names.records.contains_key(&stays));
    }
}
