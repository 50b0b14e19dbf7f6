//! `--notify`: somebody is told of the end of a comparison or a suite. Whether that is heard changes nothing about it.

use crate::note;
use crate::spec::now_ms;
use shadowdiff_common::notify::Listener;
use shadowdiff_common::random_bytes;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::notice::{Ended, Notice, Subject};

/// Who is told, if somebody is.
pub(crate) fn listener(url: Option<&str>) -> Result<Option<Listener>> {
    url.map(Listener::new).transpose().map_err(|e| e.field("--notify"))
}

/// Tells how it ended. `judged`: what is said of one with a verdict. Who interrupts knows.
pub(crate) async fn tell<T>(listener: &Listener, subject: Subject, outcome: &Result<T>, judged: impl FnOnce(&T) -> Ended) {
    let ended = match outcome {
        Ok(outcome) => judged(outcome),
        Err(Error {
            kind: Kind::Interrupted, ..
        }) => return,
        Err(error) => Ended::failed(error),
    };
    let told = match random_bytes() {
        Ok(drawn) => {
            let id = format!("{:032x}", u128::from_le_bytes(drawn));
            listener.tell(&Notice::new(subject, id, now_ms(), ended)).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = told {
        note(&format!("shadowdiff: {error}"));
    }
}
