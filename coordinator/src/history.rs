//! Finds all finished results below a place, and reads their summaries.

use crate::target::{OURS, Objects, summary_in};
use futures::{StreamExt, TryStreamExt};
use shadowdiff_common::store::{Location, Stores};
use shadowdiff_common::tasks::blocking;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::ResultFile;
use shadowdiff_core::run_history::{RunHistory, by_name};
use std::path::Path;

/// The latest runs that are read.
const MAX_RUNS: usize = 1_000;
/// More results than this below one place are refused: their names would not fit the memory for long.
const MAX_FOUND: usize = 1_000_000;
/// Summaries that are read from a store at a time; one may have many megabytes.
const READS_IN_FLIGHT: usize = 8;

/// Tells all runs below `place`; relative local places start at `base`.
pub async fn history(place: &str, base: &Path, stores: &Stores) -> Result<RunHistory> {
    let shown = Location::shown(place);
    let found = match Location::parse(place, base)? {
        Location::Local(directory) => {
            let name = shown.clone();
            blocking("looking for results", move || local(&directory, name)).await?
        }
        Location::Object { .. } => stored(&Objects::open(place, stores)?, shown.clone()).await?,
    };
    if found.runs.is_empty() && found.unread_count == 0 {
        let error = Error::input(format!("{shown} has no finished result"));
        return Err(error.advice("name a directory or URL below which `shadowdiff compare` wrote some"));
    }
    Ok(found)
}

fn local(directory: &Path, shown: String) -> Result<RunHistory> {
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), directory.to_owned())];
    while let Some((name, folder)) = folders.pop() {
        let failed = |e: std::io::Error| Error::input(e.to_string()).file(folder.display());
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let file = entry.file_name().to_string_lossy().into_owned();
            // A link is not followed: it may lead above itself.
            if entry.file_type().map_err(failed)?.is_dir() && !file.starts_with(OURS) {
                let below = if name.is_empty() { file } else { format!("{name}/{file}") };
                folders.push((below, entry.path()));
            } else if file == ResultFile::Summary.name() {
                add(&mut found, name.clone(), folder.clone())?;
            }
        }
    }
    let (latest, left_out) = latest(found);
    let mut history = RunHistory::new(shown, left_out);
    for (name, folder) in latest {
        // One that goes meanwhile is none.
        if let Some(summary) = summary_in(&folder)? {
            history.add(name, &summary);
        }
    }
    Ok(history)
}

async fn stored(place: &Objects, shown: String) -> Result<RunHistory> {
    let mut found = Vec::new();
    let prefix = (!place.prefix.as_ref().is_empty()).then_some(&place.prefix);
    let mut listed = place.store.list(prefix);
    while let Some(meta) = listed.try_next().await.map_err(|e| place.error(e))? {
        let below = meta.location.prefix_match(&place.prefix).map(|parts| parts.collect::<Vec<_>>());
        let mut parts = below.unwrap_or_default();
        if parts.pop().is_some_and(|file| file.as_ref() == ResultFile::Summary.name()) {
            let name = parts.iter().map(|part| part.as_ref()).collect::<Vec<_>>().join("/");
            let folder = Objects {
                prefix: place.prefix.parts().chain(parts).map(|part| part.as_ref().to_owned()).collect(),
                ..place.clone()
            };
            add(&mut found, name, folder)?;
        }
    }
    let (latest, left_out) = latest(found);
    let read = |(name, folder): (String, Objects)| async move { Ok::<_, Error>((name, folder.read(ResultFile::Summary).await?)) };
    let mut read = futures::stream::iter(latest).map(read).buffered(READS_IN_FLIGHT);
    let mut history = RunHistory::new(shown, left_out);
    while let Some((name, summary)) = read.try_next().await? {
        if let Some(summary) = summary {
            history.add(name, &summary);
        }
    }
    Ok(history)
}

fn add<T>(found: &mut Vec<(String, T)>, name: String, folder: T) -> Result<()> {
    if found.len() == MAX_FOUND {
        return Err(Error::input(format!("there are more than {MAX_FOUND} results")).advice("name a place below this one"));
    }
    let name = if name.is_empty() { ".".to_owned() } else { name };
    found.push((name, folder));
    Ok(())
}

/// The last runs by name, and how many there are before them.
fn latest<T>(mut found: Vec<(String, T)>) -> (Vec<(String, T)>, usize) {
    found.sort_by(|(a, _), (b, _)| by_name(a, b));
    let left_out = found.len().saturating_sub(MAX_RUNS);
    (found.split_off(left_out), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use std::sync::Arc;

    const OURS: &[u8] = include_bytes!("../../core/tests/golden/summary.json");

    #[tokio::test]
    async fn a_bucket_and_a_folder_have_the_same_history() {
        let (folder, store) = (tempfile::tempdir().expect("a folder"), Arc::new(InMemory::new()));
        let files: [(&str, &[u8]); 6] = [
            ("runs/day=10/a b/summary.json", OURS),
            ("runs/day=9/summary.json", OURS),
            ("runs/summary.json", OURS),
            ("runs/other/summary.json", b"{}"),
            ("runs/day=9/accounts.csv", b"id\n"),
            ("runs2/summary.json", OURS),
        ];
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, bytes).expect("written");
            store.put(&name.into(), bytes.to_vec().into()).await.expect("put");
        }
        let stores = Stores::new();
        stores.insert("s3://bucket", store);
        for place in ["runs", "s3://bucket/runs", "s3://bucket/runs/"] {
            let found = history(place, folder.path(), &stores).await.expect("a history");
            let names: Vec<&str> = found.runs.iter().map(|run| run.name.as_str()).collect();
            assert_eq!(names, [".", "day=9", "day=10/a b"], "{place}");
            assert_eq!(found.unread.len(), 1, "{place}");
        }
        for place in ["none", "s3://bucket/none"] {
            assert!(history(place, folder.path(), &stores).await.is_err(), "{place}");
        }
    }

    #[test]
    fn of_many_runs_the_latest_are_read() {
        let (latest, left_out) = latest((0..MAX_RUNS + 2).rev().map(|at| (format!("run-{at}"), at)).collect());
        assert_eq!((left_out, latest.len(), latest[0].1), (2, MAX_RUNS, 2));
    }
}
