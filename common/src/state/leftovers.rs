//! Removes what belongs to no submission: what woke late after its job had gone, what an older version stored, folders that are empty, and
//! the signs of life of coordinators that were killed.
//!
//! All of it is old by the store's own word before it is touched: a submission that comes meanwhile has names of its own, and is younger.
//! And all of it has a name that nobody else gives: the state may lie beside other programs' `jobs` and `coordinators`, whose `data` is theirs.

use super::names::Name;
use super::{State, state_error};
use crate::tasks::blocking;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, local::LocalFileSystem};
use shadowdiff_core::error::{Error, Result};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A coordinator that has not said for so long that it is alive was killed.
const GONE: Duration = Duration::from_secs(24 * 3600);
/// A file that a writer has left half-written for so long is nobody's.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// The digits of the number that a coordinator counts, at most.
const MAX_COUNT_BYTES: u64 = 20;

impl State {
    /// Removes what is left of an id that nobody has submitted, where it is older than `before_ms`. True if nothing is left of it.
    pub async fn clean_unsubmitted(&self, id: &str, before_ms: i64) -> Result<bool> {
        let folder = self.folder(id);
        let listed = self.list_below(&folder).await?;
        if self.standing(id).await?.is_some() {
            return Ok(false);
        }
        let all = listed.len();
        let is_older = listed.iter().any(|meta| Name::of(&folder, &meta.location) == Name::Telling);
        let is_ours = |meta: &ObjectMeta| match Name::of(&folder, &meta.location) {
            Name::Incarnation | Name::Telling => true,
            // A `plan` may be anybody's; beside a journal it is that of a version before incarnations.
            Name::Common => is_older,
            Name::Foreign => false,
        };
        let is_over = |meta: &ObjectMeta| meta.last_modified.timestamp_millis() < before_ms && is_ours(meta);
        let over: Vec<ObjectPath> = listed.into_iter().filter(is_over).map(|meta| meta.location).collect();
        let is_empty = over.len() == all;
        self.delete(over, id).await?;
        if is_empty && self.is_directory() {
            self.remove_empty_folder(&folder).await?;
        }
        Ok(is_empty)
    }

    /// Removes the signs of life of coordinators other than `own` that are a day older than its own.
    pub async fn forget_coordinators(&self, own: &str) -> Result<usize> {
        let own = self.coordinator(own);
        let prefix = self.coordinators();
        let listed = self.store().list(Some(&prefix)).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|e| state_error(e, &format!("state {}: {prefix}", self.url())))?;
        // Both times are the store's: no clock of ours is asked.
        let Some(now) = listed.iter().find(|meta| meta.location == own).map(|meta| meta.last_modified) else {
            return Ok(0);
        };
        let is_old = |meta: &&ObjectMeta| (now - meta.last_modified).to_std().is_ok_and(|age| age > GONE);
        let is_gone = |meta: &&ObjectMeta| is_old(meta) && is_sign_of_life(&prefix, meta);
        let gone: Vec<ObjectPath> = listed.iter().filter(is_gone).map(|meta| meta.location.clone()).collect();
        let count = gone.len();
        self.delete(gone, "coordinators").await?;
        Ok(count)
    }

    /// Stores in the cloud have no folders; a directory keeps them, and a listing shows them.
    async fn remove_empty_folder(&self, folder: &ObjectPath) -> Result<()> {
        let path = LocalFileSystem::new()
            .path_to_filesystem(folder)
            .map_err(|e| Error::internal(e.to_string()).file(folder))?;
        let remove = move || {
            remove_empty(&path, &mut Vec::new());
            Ok(())
        };
        blocking("removing an empty folder", remove).await
    }
}

/// `coordinators/<host>-<32 hexadecimal digits>`, holding a number.
fn is_sign_of_life(prefix: &ObjectPath, meta: &ObjectMeta) -> bool {
    let parts: Vec<_> = meta.location.prefix_match(prefix).into_iter().flatten().collect();
    let [owner] = &parts[..] else { return false };
    let drawn = owner.as_ref().rsplit_once('-').map(|(_, drawn)| drawn);
    meta.size <= MAX_COUNT_BYTES && drawn.is_some_and(|drawn| drawn.len() == 32 && drawn.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Removes a folder, its folders, and files of ours that are half-written, from the inside out. What is not empty stays. `parts`: the names
/// from the job's folder down.
fn remove_empty(folder: &Path, parts: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                parts.push(name);
                remove_empty(&entry.path(), parts);
                parts.pop();
            }
            Ok(_) if is_abandoned(&entry, &name, parts) => drop(fs::remove_file(entry.path())),
            Ok(_) | Err(_) => {}
        }
    }
    // Somebody may have put something there just now: then it is not empty, and this fails.
    drop(fs::remove_dir(folder));
}

/// A store in a directory writes `name#1` and renames that: listings do not show it.
#[expect(clippy::disallowed_methods, reason = "the age of a file by the clock that dated it")]
fn is_abandoned(entry: &fs::DirEntry, name: &str, parts: &[String]) -> bool {
    let Some((name, digits)) = name.rsplit_once('#') else {
        return false;
    };
    let parts: Vec<&str> = parts.iter().map(String::as_str).chain([name]).collect();
    let is_staged = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && Name::of_parts(&parts) != Name::Foreign;
    let modified = entry.metadata().and_then(|meta| meta.modified());
    let age = modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    is_staged && age.is_some_and(|age| age > ABANDONED)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of these tests are dated by hand")]
mod tests {
    use super::super::{Incarnation, Stage, Submission};
    use super::*;
    use crate::store::Stores;
    use object_store::ObjectStoreExt;
    use std::time::UNIX_EPOCH;

    /// After all that a test has written.
    const LATER: i64 = i64::MAX;

    fn state(folder: &Path) -> State {
        State::open(&folder.join("state").to_string_lossy(), folder, &Stores::new()).expect("opens")
    }

    async fn put(state: &State, path: &ObjectPath) {
        state.store().put(path, "x".into()).await.expect("puts");
    }

    #[tokio::test]
    async fn what_belongs_to_no_submission_goes_with_its_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = state(folder.path());
        let incarnation = Incarnation::draw().expect("chance");
        let id = "dag~run";
        let zombie = state.job(id, &incarnation).commit(Stage::Scan, 3);
        put(&state, &zombie).await;
        let older = state.folder(id).join("journal").join("0000000000");
        put(&state, &older).await;
        let staged = LocalFileSystem::new()
            .path_to_filesystem(&state.folder(id))
            .expect("a path")
            .join("plan#1");
        fs::write(&staged, "half").expect("writes");
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
        assert_eq!(state.clean_unsubmitted(id, now_ms - 60_000).await, Ok(false), "it is young");
        assert!(state.read(&zombie).await.expect("reads").is_some());
        // What is half-written may still be finished.
        assert_eq!(state.clean_unsubmitted(id, LATER).await, Ok(true));
        assert!(staged.exists());
        let old = SystemTime::now() - 2 * ABANDONED;
        fs::File::open(&staged).expect("opens").set_modified(old).expect("a time");
        assert_eq!(state.clean_unsubmitted(id, LATER).await, Ok(true));
        assert_eq!(state.jobs().await, Ok(Vec::new()), "nothing is listed any more");
        assert!(folder.path().join("state").exists());
    }

    #[tokio::test]
    async fn what_is_submitted_or_not_ours_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = state(folder.path());
        let below = |id: &str, name: &str| ObjectPath::from(format!("{}/{name}", state.folder(id)));
        // Another program keeps its own jobs beside ours, and calls things as people do.
        let md5 = "0123456789abcdef".repeat(2);
        let mut foreign: Vec<ObjectPath> = [
            "readme",
            "plan",
            "manifest",
            "data/part-0.parquet",
            "data/scan/part-0",
            "tasks/today",
            "result/1/x.csv",
        ]
        .map(|name| below("etl", name))
        .into();
        foreign.push(below("images", &format!("{md5}/photo.png")));
        for path in &foreign {
            put(&state, path).await;
        }
        for id in ["etl", "images"] {
            assert_eq!(state.clean_unsubmitted(id, LATER).await, Ok(false), "{id}");
        }
        let submission = Submission {
            content: 1,
            ..Submission::new(Incarnation::draw().expect("chance"))
        };
        state.submit("j", &submission).await.expect("submits");
        let plan = state.job("j", &submission.incarnation).plan();
        put(&state, &plan).await;
        assert_eq!(state.clean_unsubmitted("j", LATER).await, Ok(false));
        for path in foreign.into_iter().chain([plan]) {
            assert!(state.read(&path).await.expect("reads").is_some(), "{path}");
        }
    }

    #[tokio::test]
    async fn signs_of_life_go_a_day_after_the_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = state(folder.path());
        let [own, killed, sleeps] = ["1", "2", "3"].map(|digit| format!("a-host-{}", digit.repeat(32)));
        // What others keep there is no sign of life, however old.
        let foreign = ["readme.txt", "a-host-1", "team/a-host"].map(str::to_owned);
        for owner in [&own, &killed, &sleeps].into_iter().chain(&foreign) {
            put(&state, &ObjectPath::from(format!("{}/{owner}", state.coordinators()))).await;
        }
        let file = |owner: &str| folder.path().join("state/coordinators").join(owner);
        let old = SystemTime::now() - GONE - Duration::from_secs(60);
        for owner in foreign.iter().chain([&killed]) {
            fs::File::open(file(owner)).expect("opens").set_modified(old).expect("a time");
        }
        assert_eq!(state.forget_coordinators("not-started").await, Ok(0));
        assert_eq!(state.forget_coordinators(&own).await, Ok(1));
        assert!(!file(&killed).exists() && file(&sleeps).exists());
        assert!(foreign.iter().all(|owner| file(owner).exists()));
    }
}
