//! The seal of a stored record: a digest in front tells a record that came whole from one with a flipped bit or without its end.
//!
//! ```text
//! {"digest":"<32 hexadecimal digits>",…the record's own members…}
//! ```
//! The digest (SipHash-2-4, 128 bits) is that of the record without this member, so a sealed record is JSON still. What an object store
//! checks itself ends where its answer begins; a proxy, a cache or a bad memory after that is met by this.

use super::{MAX_RECORD_BYTES, state_error};
use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Serialize;
use shadowdiff_core::error::{Error, Result};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;
use std::ops::Range;
use std::time::Duration;
use tokio::time::sleep;

const HEAD: &[u8] = b"{\"digest\":\"";
const TAIL: &[u8] = b"\",";
const DIGITS: usize = 32;
/// Reads of one object that come damaged before the reader is told.
const MAX_READS: u32 = 4;
/// Before the second read, four times as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// A record as it is stored.
pub fn seal<T: Serialize>(record: &T) -> Result<Bytes> {
    let plain = serde_json::to_vec(record).map_err(|e| Error::internal(format!("a record cannot be stored: {e}")))?;
    let Some((b"{", members)) = plain.split_at_checked(1) else {
        return Err(Error::internal("a record is a JSON object"));
    };
    let digest = digest(&[b"{", members]);
    Ok([HEAD, digest.as_bytes(), TAIL, members].concat().into())
}

/// The digest of a sealed record; `None` where that is not the one that it was stored with.
pub(super) fn seal_of(stored: &[u8]) -> Option<String> {
    let rest = stored.strip_prefix(HEAD)?;
    let (said, rest) = rest.split_at_checked(DIGITS)?;
    let members = rest.strip_prefix(TAIL)?;
    let digest = digest(&[b"{", members]);
    (digest.as_bytes() == said).then_some(digest)
}

/// Whether an object begins as our records do; `None` where there is none. One that does not is another program's.
pub async fn begins_sealed(store: &dyn ObjectStore, path: &Path) -> object_store::Result<Option<bool>> {
    match store.get_range(path, 0..HEAD.len() as u64).await {
        Ok(bytes) => Ok(Some(bytes.starts_with(HEAD))),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether these bytes are a record as it was stored.
pub fn is_sealed(stored: &[u8]) -> bool {
    seal_of(stored).is_some()
}

pub(super) fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = SipHasher24::new();
    parts.iter().for_each(|part| hasher.write(part));
    format!("{:032x}", u128::from(hasher.finish128()))
}

/// Reads an object, or a range of it, until `open` takes what came; `None` where there is none. An answer that is damaged on its way is
/// asked for again, here and by whoever is patient with the store; what comes damaged in the same way every time lies so in the store.
pub(super) async fn read_whole<T>(
    store: &dyn ObjectStore,
    path: &Path,
    range: Option<Range<u64>>,
    name: &str,
    open: impl Fn(&Bytes) -> Option<T>,
) -> Result<Option<T>> {
    let (mut wait, mut first) = (FIRST_WAIT, None);
    let mut is_constant = true;
    for number in 0..MAX_READS {
        if number > 0 {
            sleep(wait).await;
            wait *= 4;
        }
        let read = read_once(store, path, range.clone()).await.map_err(|e| state_error(e, name))?;
        let Some(bytes) = read else { return Ok(None) };
        if let Some(opened) = open(&bytes) {
            return Ok(Some(opened));
        }
        tracing::warn!("{name} came damaged");
        is_constant &= *first.get_or_insert_with(|| bytes.clone()) == bytes;
    }
    Err(damaged(name, is_constant))
}

fn damaged(name: &str, is_constant: bool) -> Error {
    if is_constant {
        return Error::internal(format!("{name} is damaged in the store, or another version wrote it"));
    }
    Error::unavailable(format!("{name} comes damaged from the store"))
}

/// A whole small object, or a range of any; `None` where there is none.
pub(super) async fn read_once(store: &dyn ObjectStore, path: &Path, range: Option<Range<u64>>) -> object_store::Result<Option<Bytes>> {
    let read = match range {
        Some(range) => store.get_range(path, range).await,
        None => read_small(store, path).await,
    };
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read_small(store: &dyn ObjectStore, path: &Path) -> object_store::Result<Bytes> {
    let found = store.get(path).await?;
    let size = found.meta.size;
    if size > MAX_RECORD_BYTES {
        return Err(object_store::Error::Generic {
            store: "state",
            source: format!("{size} bytes are too many for a record").into(),
        });
    }
    found.bytes().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{FaultyStore, ReadFault};
    use serde_json::json;
    use shadowdiff_core::error::Kind;

    fn open(bytes: &Bytes) -> Option<Bytes> {
        is_sealed(bytes).then(|| bytes.clone())
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let sealed = seal(&json!({"version": 2, "text": "é\"\\", "none": {}})).expect("seals");
        assert!(
            serde_json::from_slice::<serde_json::Value>(&sealed).is_ok(),
            "a sealed record is JSON"
        );
        assert_eq!(seal_of(&sealed).expect("whole").len(), DIGITS);
        for bit in 0..8 * sealed.len() {
            let mut bytes = sealed.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sealed(&bytes), "bit {bit}");
        }
        assert!((0..sealed.len()).all(|end| !is_sealed(&sealed[..end])));
        assert!(!is_sealed(br#"{"version":2}"#), "a record without a digest");
        assert!(seal(&[1, 2]).is_err(), "an array is not a record");
    }

    /// What four reads of one object give, each damaged as told.
    async fn read(damage: &[ReadFault]) -> Result<Option<Bytes>> {
        let store = FaultyStore::new(&[]).with_reads(damage);
        let path = Path::from("x");
        store
            .put(&path, seal(&json!({"version": 2})).expect("seals").into())
            .await
            .expect("puts");
        read_whole(&store, &path, None, "state s: x", open).await
    }

    #[tokio::test(start_paused = true)]
    async fn damage_on_the_way_is_read_again() {
        for damage in [
            &[ReadFault::Flipped][..],
            &[ReadFault::Cut],
            &[ReadFault::Flipped, ReadFault::Cut, ReadFault::Flipped],
        ] {
            assert!(read(damage).await.expect("reads").is_some(), "{damage:?}");
        }
        let error = read(&[ReadFault::Flipped, ReadFault::Cut, ReadFault::Flipped, ReadFault::Cut])
            .await
            .expect_err("never whole");
        assert_eq!(error.kind, Kind::Unavailable);
        assert!(error.to_string().contains("state s: x"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn damage_in_the_store_is_told_from_a_store_that_is_away() {
        let error = read(&[ReadFault::Cut; 4]).await.expect_err("never whole");
        assert_eq!(error.kind, Kind::Internal, "nobody should wait for it");
        assert!(error.to_string().contains("state s: x"), "{error}");
    }
}
