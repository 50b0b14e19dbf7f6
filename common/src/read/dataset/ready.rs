//! Refuses, or waits for, a dataset whose marker is missing.

use super::selection::DatasetEntry;
use crate::store::{Location, Stores, io_error, store_error};
use object_store::ObjectStoreExt;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::spec::Ready;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks.
const POLL: Duration = Duration::from_secs(2);

/// Returns when the marker is there: in the directory, in the root of a glob, or beside a file.
pub(super) async fn wait(wanted: &DatasetEntry, ready: &Ready, stores: &Stores) -> Result<()> {
    let deadline = Instant::now() + Duration::from_millis(ready.wait_ms);
    while !is_ready(wanted, &ready.marker, stores).await? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let waited = if ready.wait_ms == 0 { "" } else { " after waiting for it" };
            return Err(
                Error::input(format!("`{}` is not ready{waited}: it has no `{}`", wanted.shown, ready.marker))
                    .advice("wait until its writer has finished"),
            );
        }
        tokio::time::sleep(left.min(POLL)).await;
    }
    Ok(())
}

async fn is_ready(wanted: &DatasetEntry, marker: &str, stores: &Stores) -> Result<bool> {
    match &wanted.location {
        Location::Local(path) => {
            let directory = if path.is_file() { path.parent().unwrap_or(path) } else { path };
            match tokio::fs::metadata(directory.join(marker)).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(io_error(&error, marker)),
            }
        }
        Location::Object { root, key, access } => {
            let is_file = wanted.glob.is_none() && !key.ends_with('/') && super::format::is_known(key);
            let directory = if is_file {
                key.rsplit_once('/').map_or("", |(directory, _)| directory)
            } else {
                key.trim_end_matches('/')
            };
            let key = if directory.is_empty() {
                marker.to_string()
            } else {
                format!("{directory}/{marker}")
            };
            let location = Location::Object {
                root: root.clone(),
                key,
                access: access.clone(),
            };
            match stores.open(&location)?.head(&location.key()?).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::NotFound { .. }) => Ok(false),
                Err(error) => Err(store_error(error, &wanted.name_below(marker))),
            }
        }
    }
}
