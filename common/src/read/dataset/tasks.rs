//! Finds the tasks of a suite: the names that stand for `{task}` in a path.
//!
//! ```text
//! s3://b/prod/day-{task}.v2/part-*     names of folders in s3://b/prod/ that begin with `day-` and end with `.v2`
//! live/{task}.csv                      names of files, and of folders, in live/ that end with `.csv`
//! ```
//! As in datasets a name that begins with `_` or `.` is none.

use crate::store::{Location, Stores, io_error, store_error};
use crate::tasks::blocking;
use object_store::ObjectStore;
use shadowdiff_core::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What stands for the name.
const TASK: &str = "{task}";

/// The names that a pattern with one `{task}` finds; relative paths start at `base`.
pub async fn task_names(pattern: &str, base: &Path, stores: &Stores) -> Result<BTreeSet<String>> {
    let shown = Location::shown(pattern);
    let Some((before, after)) = pattern.split_once(TASK) else {
        return Err(Error::internal(format!("{shown} has no {TASK}")));
    };
    let (folder, start) = before.rfind('/').map_or(("", before), |slash| before.split_at(slash + 1));
    let (end, is_folder) = after.split_once('/').map_or((after, false), |(end, _)| (end, true));
    let wanted = Wanted {
        start: start.to_owned(),
        end: end.to_owned(),
        is_folder,
    };
    let location = Location::parse(folder, base)?;
    match &location {
        Location::Local(path) => {
            let path = path.clone();
            blocking("looking for tasks", move || local(&path, &wanted, &shown)).await
        }
        Location::Object { .. } if location.is_http() => Err(Error::spec("folders cannot be listed over http")
            .file(shown)
            .advice("name the tasks one by one")),
        Location::Object { .. } => stored(&location, stores.open(&location)?.as_ref(), &wanted, &shown).await,
    }
}

/// What is asked of an entry's name.
#[derive(Debug)]
struct Wanted {
    start: String,
    end: String,
    is_folder: bool,
}

impl Wanted {
    /// The task that an entry is of.
    fn task(&self, name: &str, is_folder: bool) -> Option<String> {
        let is_hidden = name.starts_with(['_', '.']);
        let task = name.strip_prefix(&self.start)?.strip_suffix(&self.end)?;
        (!is_hidden && !task.is_empty() && (is_folder || !self.is_folder)).then(|| task.to_owned())
    }
}

fn local(folder: &PathBuf, wanted: &Wanted, shown: &str) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(|e| io_error(&e, shown))? {
        let path = entry.map_err(|e| io_error(&e, shown))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::input("the name is not UTF-8").file(path.display()).advice("rename it"));
        };
        // A link is followed; one that leads nowhere is data that is lost.
        if wanted.task(name, true).is_some() {
            let metadata = std::fs::metadata(&path).map_err(|e| io_error(&e, &path.display().to_string()))?;
            found.extend(wanted.task(name, metadata.is_dir()));
        }
    }
    Ok(found)
}

async fn stored(location: &Location, store: &dyn ObjectStore, wanted: &Wanted, shown: &str) -> Result<BTreeSet<String>> {
    let key = location.key()?;
    let prefix = (!key.as_ref().is_empty()).then_some(&key);
    let listed = store.list_with_delimiter(prefix).await.map_err(|e| store_error(e, shown))?;
    let folders = listed.common_prefixes.iter().map(|path| (path, true));
    let files = listed.objects.iter().map(|meta| (&meta.location, false));
    let names = folders
        .chain(files)
        .filter_map(|(path, is_folder)| wanted.task(path.filename()?, is_folder));
    Ok(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_folder_and_a_bucket_have_the_same_tasks() {
        let (home, store) = (tempfile::tempdir().expect("a folder"), Arc::new(InMemory::new()));
        for name in [
            "in/v-a.1/x.csv",
            "in/v-b.1/y/z.csv",
            "in/_v-c.1/x.csv",
            "in/v-.1/x.csv",
            "in/v-d.1",
            "in/other/x.csv",
            "in/e.csv",
            "f.csv",
        ] {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, "id\n").expect("written");
            store.put(&name.into(), "id\n".into()).await.expect("put");
        }
        let stores = Stores::new();
        stores.insert("s3://bucket", store);
        for (pattern, expected) in [
            ("in/v-{task}.1/", &["a", "b"][..]),
            ("in/v-{task}.1/part-*.csv", &["a", "b"]),
            ("in/v-{task}.1", &["a", "b", "d"]),
            ("in/{task}.csv", &["e"]),
            ("{task}/", &["in"]),
            ("in/{task}/", &["other", "v-.1", "v-a.1", "v-b.1"]),
            ("in/none-{task}/", &[]),
        ] {
            for pattern in [pattern.to_owned(), format!("s3://bucket/{pattern}")] {
                let found = task_names(&pattern, home.path(), &stores).await.expect("listed");
                assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{pattern}");
            }
        }
        assert!(task_names("none/{task}/", home.path(), &stores).await.is_err());
        assert!(task_names("http://h/{task}/", home.path(), &stores).await.is_err());
    }
}
