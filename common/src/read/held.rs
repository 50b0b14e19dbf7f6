//! Bytes of objects that are about to be read again: what was fetched to be compared as it is stored is decoded from memory.
//!
//! A task holds the ends of the files that it has opened last, where their footers are, and the chunks of a row group of each side while those are
//! looked at. What is not held is fetched, so that nobody needs to know.

use crate::store::Location;
use bytes::Bytes;
use shadowdiff_core::plan::Pin;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files of which something is held: two of each side, as one side may be a file ahead.
const MAX_FILES: usize = 4;

/// Shared by the readers of a task.
#[derive(Debug, Clone, Default)]
pub struct Held {
    files: Arc<Mutex<Vec<HeldFile>>>,
}

#[derive(Debug)]
struct HeldFile {
    /// Names that are shown are not enough: they leave out the query of an address.
    location: Location,
    pin: Pin,
    tail: Option<(u64, Bytes)>,
    /// Each with where it begins.
    chunks: Vec<(u64, Bytes)>,
}

impl HeldFile {
    fn get(&self, range: &Range<u64>) -> Option<Bytes> {
        let inside = |(start, bytes): &(u64, Bytes)| {
            let offset = range.start.checked_sub(*start)?;
            let end = range.end.checked_sub(*start)?;
            (end <= bytes.len() as u64).then(|| bytes.slice(offset as usize..end as usize))
        };
        self.tail.iter().chain(&self.chunks).find_map(inside)
    }
}

impl Held {
    /// The bytes of a range, if all of them are held.
    pub(super) fn get(&self, location: &Location, pin: &Pin, range: &Range<u64>) -> Option<Bytes> {
        let files = self.files();
        files.iter().find(|file| file.location == *location && file.pin == *pin)?.get(range)
    }

    /// Holds the end of a file.
    pub(super) fn put_tail(&self, location: &Location, pin: &Pin, start: u64, bytes: Bytes) {
        of_file(&mut self.files(), location, pin).tail = Some((start, bytes));
    }

    /// Holds these chunks of a file beside those that it has.
    pub(super) fn put_chunks(&self, location: &Location, pin: &Pin, chunks: impl Iterator<Item = (u64, Bytes)>) {
        of_file(&mut self.files(), location, pin).chunks.extend(chunks);
    }

    /// Lets go of what is held of a file.
    pub(super) fn forget(&self, location: &Location) {
        self.files().retain(|file| file.location != *location);
    }

    /// Lets go of all chunks.
    pub fn let_chunks_go(&self) {
        self.files().iter_mut().for_each(|file| file.chunks.clear());
    }

    fn files(&self) -> MutexGuard<'_, Vec<HeldFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a file; the one that was opened first makes room for it.
fn of_file<'a>(files: &'a mut Vec<HeldFile>, location: &Location, pin: &Pin) -> &'a mut HeldFile {
    let at = files.iter().position(|file| file.location == *location && file.pin == *pin);
    let at = at.unwrap_or_else(|| {
        if files.len() >= MAX_FILES {
            files.remove(0);
        }
        files.push(HeldFile {
            location: location.clone(),
            pin: pin.clone(),
            tail: None,
            chunks: Vec::new(),
        });
        files.len() - 1
    });
    &mut files[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Location {
        Location::parse(url, std::path::Path::new("/")).expect("an address")
    }

    #[test]
    fn only_what_is_held_whole_and_of_the_same_pin_is_given() {
        let held = Held::default();
        let pin = Pin {
            size_bytes: 100,
            etag: None,
            modified_ms: 0,
        };
        let other = Pin {
            size_bytes: 101,
            ..pin.clone()
        };
        let a = at("http://h/a?run=live");
        held.put_tail(&a, &pin, 90, Bytes::from_static(b"0123456789"));
        held.put_chunks(&a, &pin, [(10, Bytes::from_static(b"abcd"))].into_iter());
        let get = |range| held.get(&a, &pin, &range).map(|bytes| bytes.to_vec());
        assert_eq!(get(91..93), Some(b"12".to_vec()));
        assert_eq!(get(10..14), Some(b"abcd".to_vec()));
        assert_eq!((get(9..11), get(13..15), get(89..92), get(14..15)), (None, None, None, None));
        assert_eq!(held.get(&a, &other, &(91..93)), None);
        // One name and pin, and another object.
        let shadow = at("http://h/a?run=shadow");
        assert_ne!(a, shadow);
        assert_eq!(held.get(&shadow, &pin, &(91..93)), None);
        held.let_chunks_go();
        assert_eq!((get(10..14), get(90..91)), (None, Some(b"0".to_vec())));
        (0..3).for_each(|file: u8| held.put_tail(&at(&format!("http://h/{file}")), &pin, 0, Bytes::new()));
        assert_eq!(get(90..91), Some(b"0".to_vec()));
        held.put_tail(&at("http://h/one-too-many"), &pin, 0, Bytes::new());
        assert_eq!(get(90..91), None);
        held.put_tail(&a, &pin, 0, Bytes::from_static(b"x"));
        held.forget(&a);
        assert_eq!(get(0..1), None);
    }
}
