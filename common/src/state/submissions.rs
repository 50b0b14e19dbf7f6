//! What was submitted under a job's id, one after the other: which submission counts now, and how one is removed for good.
//!
//! ```text
//! jobs/<job>/submissions/0000000000   {"digest":"…","version":2,"entry":"submitted","incarnation":"…",…}
//! jobs/<job>/submissions/0000000001   {"digest":"…","version":2,"entry":"removed","incarnation":"…","at_ms":…}
//! jobs/<job>/submissions/0000000002   {"digest":"…","version":2,"entry":"submitted",…}      the id has come again
//! ```
//! Each is created only if it does not exist, and the last one counts. So a removal begins with one small object that decides: from then
//! on there is no such job, however much of it is still there, and whoever looks next removes the rest. A tombstone stays for a day, so that a
//! late request of a coordinator or store that hung cannot meet a new submission of the same number.

use super::create::{Created, create_record};
use super::incarnation::Incarnation;
use super::names::Name;
use super::seal::seal;
use super::{JobState, State, state_error};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore};
use serde::{Deserialize, Serialize};
use shadowdiff_core::error::{Error, Result};
use std::collections::BTreeMap;

/// The version of the entries that this code writes, and the only one it reads.
pub const SUBMISSION_VERSION: u32 = 2;
/// How long a tombstone stays.
const TOMBSTONE_MS: i64 = 24 * 3600 * 1000;
/// When a tombstone of this time goes.
pub fn tombstone_until(at_ms: i64) -> i64 {
    at_ms.saturating_add(TOMBSTONE_MS)
}

/// How often a submission meets another one, or a removal, before it gives up.
const MAX_TRIES: usize = 8;

/// What a client asked for: enough to plan and run it, whoever does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    pub incarnation: Incarnation,
    /// Fingerprint of what was submitted: the same token with another content is a mistake.
    pub content: u64,
    /// The text of the spec, YAML or JSON.
    pub text: String,
    pub variables: Vec<(String, String)>,
    /// Where relative local paths start, as coordinator and workers see it; without it they are refused.
    pub base: Option<String>,
    pub priority: u32,
    /// The most tasks that run at a time; 0: no limit.
    pub max_running: u32,
    pub created_ms: i64,
    /// Live and shadow as the spec names them.
    pub title: String,
    /// Where the result goes besides the state; `None` if the client fetches it.
    pub output: Option<String>,
    /// Replace an older result there.
    pub overwrite: bool,
    /// Names by which it is found again; what an older version stored has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Submission {
    /// One of an empty spec, of the usual priority, whose result the client fetches.
    pub fn new(incarnation: Incarnation) -> Self {
        Submission {
            incarnation,
            content: 0,
            text: String::new(),
            variables: Vec::new(),
            base: None,
            priority: 1,
            max_running: 0,
            created_ms: 0,
            title: String::new(),
            output: None,
            overwrite: false,
            labels: BTreeMap::new(),
        }
    }
}

/// The last word on a job's id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Standing {
    Submitted(Submission),
    /// The submission of this incarnation was removed.
    Removed {
        incarnation: Incarnation,
        at_ms: i64,
    },
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    version: u32,
    #[serde(flatten)]
    standing: T,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// What is left of an id that was cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCleaning {
    Nothing,
    /// It goes at this time.
    Tombstone {
        until_ms: i64,
    },
    /// It was submitted again.
    Living,
}

impl State {
    /// The last word on an id, with its number; `None` where nobody has submitted it.
    pub async fn standing(&self, id: &str) -> Result<Option<(u64, Standing)>> {
        let numbers = self.list_below(&self.submissions(id)).await?;
        let highest = numbers.iter().filter_map(|meta| number_of(&meta.location)).max().unwrap_or(0);
        self.last_from(id, highest).await
    }

    /// The same, where this number is known to have been among the entries.
    pub async fn standing_from(&self, id: &str, number: u64) -> Result<Option<(u64, Standing)>> {
        let (at, next) = (self.submission(id, number), self.submission(id, number + 1));
        match tokio::try_join!(self.read_record(&at), self.read_record(&next))? {
            (Some(bytes), None) => Ok(Some((number, parse(&bytes, &format!("state {}: {at}", self.url()))?))),
            // Removed, and perhaps come again.
            (Some(_) | None, Some(_)) | (None, None) => self.standing(id).await,
        }
    }

    async fn last_from(&self, id: &str, first: u64) -> Result<Option<(u64, Standing)>> {
        let mut last = None;
        // A listing that lacks the newest entry would let a removed job rise; one that lacks all would deny a job that was just submitted.
        for number in first.. {
            let path = self.submission(id, number);
            match self.read_record(&path).await? {
                Some(bytes) => last = Some((number, parse(&bytes, &format!("state {}: {path}", self.url()))?)),
                None => break,
            }
        }
        Ok(last)
    }

    /// The job of this id that was submitted and not removed.
    pub async fn living(&self, id: &str) -> Result<Option<(JobState, Submission)>> {
        match self.standing(id).await? {
            Some((_, Standing::Submitted(submission))) => Ok(Some((self.job(id, &submission.incarnation), submission))),
            Some((_, Standing::Removed { .. })) | None => Ok(None),
        }
    }

    /// Stores a submission. If one was there before, gives that instead.
    pub async fn submit(&self, id: &str, submission: &Submission) -> Result<Option<Submission>> {
        for _ in 0..MAX_TRIES {
            let number = match self.standing(id).await? {
                Some((_, Standing::Submitted(first))) => return Ok((first.incarnation != submission.incarnation).then_some(first)),
                Some((number, Standing::Removed { .. })) => number + 1,
                None => 0,
            };
            if self.append(id, number, &Standing::Submitted(submission.clone())).await? {
                return Ok(None);
            }
        }
        Err(Error::unavailable(format!("job {id} is submitted and removed again and again")).advice("try later"))
    }

    /// From now on there is no such job. What is left of it is removed by [`State::clean`].
    pub async fn bury(&self, job: &JobState, at_ms: i64) -> Result<()> {
        match self.standing(job.id()).await? {
            Some((number, Standing::Submitted(submission))) if submission.incarnation == *job.incarnation() => {
                let incarnation = submission.incarnation;
                // Whoever was first has said the same: nothing else follows a submission.
                self.append(job.id(), number + 1, &Standing::Removed { incarnation, at_ms })
                    .await
                    .map(|_| ())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Removes whatever belongs to no living submission of an id.
    pub async fn clean(&self, id: &str, now_ms: i64) -> Result<AfterCleaning> {
        // Listed first: what a submission makes that comes meanwhile is not among it.
        let listed = self.list_below(&self.folder(id)).await?;
        let Some((last, standing)) = self.standing(id).await? else {
            return Ok(AfterCleaning::Nothing);
        };
        let living = match &standing {
            Standing::Submitted(submission) => Some(&submission.incarnation),
            Standing::Removed { .. } => None,
        };
        let dead: Vec<ObjectPath> = listed
            .into_iter()
            .map(|meta| meta.location)
            .filter(|path| self.is_dead(id, path, last, living))
            .collect();
        let is_clean = dead.is_empty();
        self.delete(dead, id).await?;
        let Standing::Removed { at_ms, .. } = standing else {
            return Ok(AfterCleaning::Living);
        };
        let until_ms = tombstone_until(at_ms);
        // It goes only once nothing else was there to go.
        if !is_clean || now_ms < until_ms || (last > 0 && self.read(&self.submission(id, last - 1)).await?.is_some()) {
            return Ok(AfterCleaning::Tombstone { until_ms });
        }
        self.delete(vec![self.submission(id, last)], id).await?;
        Ok(AfterCleaning::Nothing)
    }

    /// Objects of another form, such as those of an older version, are left alone.
    fn is_dead(&self, id: &str, path: &ObjectPath, last: u64, living: Option<&Incarnation>) -> bool {
        let folder = self.folder(id);
        let first = path.prefix_match(&folder).and_then(|mut parts| parts.next());
        let first = first.as_ref().map(AsRef::as_ref).unwrap_or_default();
        match Name::of(&folder, path) {
            Name::Incarnation => living.is_none_or(|living| living.as_str() != first),
            _ => first == FOLDER && number_of(path).is_some_and(|number| number < last),
        }
    }

    async fn append(&self, id: &str, number: u64, standing: &Standing) -> Result<bool> {
        let stored = Stored {
            version: SUBMISSION_VERSION,
            standing,
        };
        let created = create_record(self.store().as_ref(), &self.submission(id, number), seal(&stored)?).await?;
        Ok(created == Created::Mine)
    }

    fn submissions(&self, id: &str) -> ObjectPath {
        self.folder(id).join(FOLDER)
    }

    fn submission(&self, id: &str, number: u64) -> ObjectPath {
        self.submissions(id).join(format!("{number:010}"))
    }

    pub(super) async fn list_below(&self, prefix: &ObjectPath) -> Result<Vec<ObjectMeta>> {
        let listed = self.store().list(Some(prefix)).try_collect().await;
        listed.map_err(|e| state_error(e, &format!("state {}: {prefix}", self.url())))
    }

    pub(super) async fn delete(&self, paths: Vec<ObjectPath>, id: &str) -> Result<()> {
        let paths = futures::stream::iter(paths.into_iter().map(Ok)).boxed();
        let mut removed = self.store().delete_stream(paths);
        while let Some(end) = removed.next().await {
            match end {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(state_error(error, &format!("state {}: job {id} is not removed", self.url()))),
            }
        }
        Ok(())
    }
}

const FOLDER: &str = "submissions";

fn number_of(path: &ObjectPath) -> Option<u64> {
    path.filename().and_then(|name| name.parse().ok())
}

fn parse(bytes: &[u8], name: &str) -> Result<Standing> {
    let malformed = |e: serde_json::Error| Error::internal(format!("{name} is not a submission: {e}"));
    let Versioned { version } = serde_json::from_slice(bytes).map_err(malformed)?;
    if version != SUBMISSION_VERSION {
        return Err(
            Error::internal(format!("{name} has version {version}")).advice(format!("this program reads version {SUBMISSION_VERSION}"))
        );
    }
    // By way of a value: tagged numbers of any precision cannot be read from text directly.
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(malformed)?;
    let stored: Stored<Standing> = serde_json::from_value(value).map_err(malformed)?;
    Ok(stored.standing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use std::sync::Arc;

    fn state() -> State {
        State::new(Arc::new(InMemory::new()), ObjectPath::from("s"), "memory")
    }

    fn submission(content: u64) -> Submission {
        Submission {
            content,
            text: "live: a\nshadow: b\n".into(),
            variables: vec![("day".into(), "2026-11-27".into())],
            created_ms: 7,
            title: "a against b".into(),
            ..Submission::new(Incarnation::draw().expect("chance"))
        }
    }

    async fn put(state: &State, path: &ObjectPath) {
        state.store().put(path, Bytes::from_static(b"x").into()).await.expect("put");
    }

    #[tokio::test]
    async fn an_id_names_its_first_submission_until_that_is_removed() {
        let state = state();
        let (first, second) = (submission(1), submission(2));
        assert_eq!(state.submit("j", &first).await, Ok(None));
        assert_eq!(state.submit("j", &first).await, Ok(None), "said twice");
        assert_eq!(state.submit("j", &second).await, Ok(Some(first.clone())));
        let (job, living) = state.living("j").await.expect("reads").expect("is there");
        assert_eq!(living, first);
        state.bury(&job, 10).await.expect("buries");
        assert_eq!(state.living("j").await.expect("reads").map(|(_, s)| s), None);
        assert_eq!(state.submit("j", &second).await, Ok(None));
        // A second removal of the first one, by whoever comes late, is not one of the second.
        state.bury(&job, 11).await.expect("nothing to bury");
        assert_eq!(state.living("j").await.expect("reads").map(|(_, s)| s), Some(second));
    }

    #[tokio::test]
    async fn cleaning_leaves_the_living_and_what_is_not_ours() {
        let state = state();
        let (first, second) = (submission(1), submission(2));
        state.submit("j", &first).await.expect("submits");
        let (old, _) = state.living("j").await.expect("reads").expect("is there");
        put(&state, &old.plan()).await;
        put(&state, &old.journal(3)).await;
        state.bury(&old, 10).await.expect("buries");
        state.submit("j", &second).await.expect("submits");
        let (new, _) = state.living("j").await.expect("reads").expect("is there");
        put(&state, &new.plan()).await;
        // An attempt of the first one wakes; an older version has left its plan.
        put(&state, &old.path("data/scan/00000000/zombie")).await;
        let foreign = state.folder("j").join("plan");
        put(&state, &foreign).await;
        // A folder of somebody else may be called by a digest too.
        let photo = state.folder("j").join("0123456789abcdef".repeat(2)).join("photo.png");
        put(&state, &photo).await;
        assert_eq!(state.clean("j", 20).await, Ok(AfterCleaning::Living));
        assert_eq!(state.read(&old.plan()).await, Ok(None));
        assert_eq!(state.read(&old.path("data/scan/00000000/zombie")).await, Ok(None));
        for kept in [new.plan(), foreign, photo] {
            assert!(state.read(&kept).await.expect("reads").is_some(), "{kept}");
        }
        assert_eq!(state.living("j").await.expect("reads").map(|(_, s)| s), Some(second));
    }

    #[tokio::test]
    async fn a_tombstone_stays_for_a_day_and_goes_last() {
        let state = state();
        state.submit("j", &submission(1)).await.expect("submits");
        let (job, _) = state.living("j").await.expect("reads").expect("is there");
        put(&state, &job.journal(0)).await;
        state.bury(&job, 10).await.expect("buries");
        let until_ms = 10 + TOMBSTONE_MS;
        assert_eq!(
            state.clean("j", until_ms + 1).await,
            Ok(AfterCleaning::Tombstone { until_ms }),
            "there was something to remove"
        );
        assert_eq!(state.clean("j", until_ms - 1).await, Ok(AfterCleaning::Tombstone { until_ms }));
        assert_eq!(state.jobs().await.expect("lists"), ["j"]);
        assert_eq!(state.clean("j", until_ms).await, Ok(AfterCleaning::Nothing));
        assert!(state.jobs().await.expect("lists").is_empty());
    }

    #[tokio::test]
    async fn entries_are_as_in_the_golden_file() {
        let incarnation = Incarnation::parse(&"0123456789abcdef".repeat(2)).expect("one");
        let mut submitted = submission(1);
        submitted.incarnation = incarnation.clone();
        submitted.output = Some("s3://bucket/out".into());
        let entries = [Standing::Submitted(submitted), Standing::Removed { incarnation, at_ms: 9 }];
        let line = |standing: &Standing| {
            let stored = Stored {
                version: SUBMISSION_VERSION,
                standing,
            };
            serde_json::to_string(&stored).expect("JSON") + "\n"
        };
        let now: String = entries.iter().map(line).collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/submissions.jsonl");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &now).expect("the golden file can be written");
        }
        let golden = std::fs::read_to_string(path).expect("the golden file");
        let read: Vec<Standing> = golden
            .lines()
            .map(|line| parse(line.as_bytes(), "golden").expect("reads"))
            .collect();
        assert_eq!(read, entries);
        assert_eq!(golden, now, "run with UPDATE_GOLDEN=1 if the change is meant");
        let newer = golden.replace("\"version\":2", "\"version\":3");
        let error = parse(newer.lines().next().expect("a line").as_bytes(), "x").expect_err("refused");
        assert!(error.to_string().contains("version 3"), "{error}");
    }
}
