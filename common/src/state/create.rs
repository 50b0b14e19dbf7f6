//! The create-only put that decides who was first, and what to do when its answer is lost.
//!
//! A store may answer an error although it stored the object, and object_store itself retries a put whose first answer was lost; then our
//! own object comes back as `AlreadyExists` (or `Precondition`). So every answer but a plain success is settled by reading the object
//! back: our bytes, another's bytes, or nothing yet. Contents must differ between contenders; each names its attempt or owner.

use super::seal::{is_sealed, read_once};
use super::state_error;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutOptions};
use shadowdiff_core::error::{Error, Result};
use std::time::Duration;

/// Puts and read backs before a store counts as unavailable.
const MAX_TRIES: u32 = 5;
/// Before the second try, twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// How a create ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The object is there and holds our bytes.
    Mine,
    /// The object was there before, with these bytes.
    Another(Bytes),
}

/// Creates an object unless it is there. An error means that nobody knows: the object may still appear.
pub async fn create(store: &dyn ObjectStore, path: &Path, content: Bytes) -> Result<Created> {
    create_unless(store, path, content, |_| true).await
}

/// The same for a sealed record: what comes back damaged is nobody's.
pub async fn create_record(store: &dyn ObjectStore, path: &Path, content: Bytes) -> Result<Created> {
    create_unless(store, path, content, is_sealed).await
}

/// `is_whole`: whether what is read back is as it was stored.
pub(super) async fn create_unless(store: &dyn ObjectStore, path: &Path, content: Bytes, is_whole: fn(&[u8]) -> bool) -> Result<Created> {
    let mut wait = FIRST_WAIT;
    let mut last = None;
    for number in 0..MAX_TRIES {
        if number > 0 {
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        let options = PutOptions::from(PutMode::Create);
        match store.put_opts(path, content.clone().into(), options).await {
            Ok(_) => return Ok(Created::Mine),
            Err(error) => last = Some(error),
        }
        match read_once(store, path, None).await {
            Ok(Some(found)) if found == content => return Ok(Created::Mine),
            Ok(Some(found)) if is_whole(&found) => return Ok(Created::Another(found)),
            Ok(Some(_)) => last = Some(damaged()),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(
        || Error::internal("create: no try was made"),
        |error| state_error(error, &format!("creating {path}")),
    ))
}

fn damaged() -> object_store::Error {
    object_store::Error::Generic {
        store: "state",
        source: "what is there is damaged, or another version wrote it".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::seal::seal;
    use crate::store::testing::{Fault, FaultyStore, ReadFault};

    async fn run(faults: &[Fault], before: Option<&'static [u8]>) -> Result<Created> {
        let store = FaultyStore::new(faults);
        if let Some(bytes) = before {
            store.insert("x", bytes).await;
        }
        create(&store, &Path::from("x"), Bytes::from_static(b"mine")).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_wins_and_the_second_learns_who_it_was() {
        assert_eq!(run(&[], None).await, Ok(Created::Mine));
        assert_eq!(run(&[], Some(b"theirs")).await, Ok(Created::Another(Bytes::from_static(b"theirs"))));
        assert_eq!(run(&[], Some(b"mine")).await, Ok(Created::Mine), "an earlier try of ours");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_settled_by_reading_back() {
        assert_eq!(run(&[Fault::DoneButError], None).await, Ok(Created::Mine));
        assert_eq!(run(&[Fault::NotDoneError], None).await, Ok(Created::Mine), "tried again");
        assert_eq!(
            run(&[Fault::DoneButError, Fault::NotDoneError, Fault::NotDoneError], None).await,
            Ok(Created::Mine)
        );
        assert_eq!(
            run(&[Fault::FalselyThere], None).await,
            Ok(Created::Mine),
            "a 409 without an object"
        );
        assert_eq!(
            run(&[Fault::NotDoneError], Some(b"theirs")).await,
            Ok(Created::Another(Bytes::from_static(b"theirs")))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_never_answers_is_unavailable() {
        let error = run(&[Fault::NotDoneError; 20], None).await.expect_err("nobody knows");
        assert_eq!(error.kind, shadowdiff_core::error::Kind::Unavailable);
    }

    /// Our own record, whose put was answered with an error, comes back damaged: that is not another's.
    #[tokio::test(start_paused = true)]
    async fn a_record_that_comes_back_damaged_is_nobodys() {
        let record = seal(&serde_json::json!({"version": 3, "attempt": "mine"})).expect("seals");
        for damage in [ReadFault::Flipped, ReadFault::Cut] {
            let store = FaultyStore::new(&[Fault::DoneButError]).with_reads(&[damage]);
            let created = create_record(&store, &Path::from("x"), record.clone()).await;
            assert_eq!(created, Ok(Created::Mine), "{damage:?}");
        }
        let store = FaultyStore::new(&[]).with_reads(&[ReadFault::Flipped; 9]);
        store.insert("x", b"no record").await;
        let error = create_record(&store, &Path::from("x"), record).await.expect_err("nobody knows");
        assert!(error.to_string().contains("creating x: "), "{error}");
    }
}
