//! What shadowdiff needs of an object store, asked of real servers.
//!
//! Each server's test starts it and runs the suite in a process of its own, because credentials come from the environment. The suite can
//! be asked of any other bucket too:
//!
//! ```text
//! SHADOWDIFF_STORE_URL=s3://bucket/folder cargo test --release --workspace -- --ignored conformance::a_store_keeps_its_promises
//! ```

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use shadowdiff_common::read::pinned::PinnedFile;
use shadowdiff_common::read::{self, DataFile, Sources};
use shadowdiff_common::state::{AfterCleaning, Created, Incarnation, JobState, Stage, State, Submission, create};
use shadowdiff_common::store::Stores;
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{Overrides, parse};
use shadowdiff_tests::cluster::StoreServer;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

const URL: &str = "SHADOWDIFF_STORE_URL";
/// Those who create one object at the same time. SeaweedFS lets losers wait for seconds when there are many.
const CONTENDERS: usize = 4;
const RACES: usize = 3;
/// More than any store lists at once.
const LISTED: u32 = 1005;

/// Set where a server knows no uploads in parts.
const WHOLE: &str = "SHADOWDIFF_STORE_WITHOUT_PARTS";

fn suite_on(kind: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = StoreServer::start(kind, folder.path());
    let run = Command::new(std::env::current_exe().expect("this program"))
        .args(["conformance::a_store_keeps_its_promises", "--exact", "--ignored", "--nocapture"])
        .envs(server.place.environment.clone())
        .env(URL, &server.place.url)
        .envs((kind == "gcs").then_some((WHOLE, "1")))
        .output()
        .expect("this program starts");
    let said = String::from_utf8_lossy(&run.stdout);
    let ran = run.status.success() && said.contains("1 passed");
    assert!(ran, "{kind}: {said}\n{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn seaweedfs_keeps_its_promises() {
    suite_on("seaweedfs");
}

#[test]
fn moto_keeps_its_promises() {
    suite_on("moto");
}

#[test]
fn azurite_keeps_its_promises() {
    suite_on("azurite");
}

/// As far as this server goes: it is reached through a proxy of ours, and knows no uploads in parts.
#[test]
fn fake_gcs_keeps_its_promises() {
    suite_on("gcs");
}

#[test]
fn a_directory_keeps_its_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    runtime().block_on(suite(&folder.path().join("state").to_string_lossy()));
}

#[test]
#[ignore = "needs SHADOWDIFF_STORE_URL, a place to try"]
fn a_store_keeps_its_promises() {
    let url = std::env::var(URL).expect("SHADOWDIFF_STORE_URL names a place to try");
    runtime().block_on(suite(&url));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

async fn suite(url: &str) {
    let stores = Arc::new(Stores::new());
    let state = State::open(url, Path::new("/"), &stores).expect("opens");
    // Named as schedulers name their runs.
    for id in ["conformance", "manual__2026-11-27T00:00:00+00:00~1"] {
        if let Some((earlier, _)) = state.living(id).await.expect("reads") {
            remove(&state, &earlier).await;
        }
        assert_eq!(state.submit(id, &submission()).await, Ok(None));
        assert!(state.jobs().await.expect("lists").contains(&id.to_owned()), "{id}");
    }
    let (named, _) = state
        .living("manual__2026-11-27T00:00:00+00:00~1")
        .await
        .expect("reads")
        .expect("is there");
    remove(&state, &named).await;
    let (job, _) = state.living("conformance").await.expect("reads").expect("is there");
    one_create_wins(&job).await;
    a_create_that_was_done_already_is_ours(&job).await;
    listings_are_whole_and_sorted(&job).await;
    ranges_of_a_large_object_come_back(&job).await;
    an_input_that_changes_is_noticed(url, &job, &stores).await;
    remove(&state, &job).await;
    assert_eq!(job.committed(Stage::Scan).await.expect("lists"), [] as [u32; 0], "nothing is left");
    assert_eq!(job.read(&job.plan()).await.expect("reads"), None);
}

fn submission() -> Submission {
    Submission::new(Incarnation::draw().expect("chance"))
}

/// Removes a job with its tombstone, whose day is over in this test.
async fn remove(state: &State, job: &JobState) {
    state.bury(job, 0).await.expect("buries");
    while state.clean(job.id(), i64::MAX).await.expect("cleans") != AfterCleaning::Nothing {}
    assert!(state.living(job.id()).await.expect("reads").is_none());
}

/// Of several that create an object one wins, and all others learn who it was.
async fn one_create_wins(job: &JobState) {
    for race in 0..RACES {
        let path = job.journal(race as u64);
        let tries = (0..CONTENDERS).map(|number| {
            let (store, path) = (Arc::clone(job.store()), path.clone());
            tokio::spawn(async move { create(store.as_ref(), &path, content(number)).await })
        });
        let mut ends = Vec::new();
        for tried in tries.collect::<Vec<_>>() {
            ends.push(tried.await.expect("no panic").expect("an answer"));
        }
        let winners: Vec<usize> = (0..CONTENDERS).filter(|number| ends[*number] == Created::Mine).collect();
        assert_eq!(winners.len(), 1, "race {race}: {ends:?}");
        let kept = job.read(&path).await.expect("reads").expect("is there");
        assert_eq!(kept, content(winners[0]));
        for (number, end) in ends.into_iter().enumerate().filter(|(number, _)| *number != winners[0]) {
            assert_eq!(end, Created::Another(kept.clone()), "contender {number}");
        }
    }
}

fn content(number: usize) -> Bytes {
    Bytes::from(format!("contender {number}"))
}

/// What an earlier try has stored, whose answer was lost, reads back as ours.
async fn a_create_that_was_done_already_is_ours(job: &JobState) {
    let path = job.plan();
    job.store().put(&path, Bytes::from_static(b"mine").into()).await.expect("puts");
    let again = create(job.store().as_ref(), &path, Bytes::from_static(b"mine")).await;
    assert_eq!(again, Ok(Created::Mine));
    let other = create(job.store().as_ref(), &path, Bytes::from_static(b"other")).await;
    assert_eq!(other, Ok(Created::Another(Bytes::from_static(b"mine"))));
}

async fn listings_are_whole_and_sorted(job: &JobState) {
    let puts = (0..LISTED).map(|task| {
        let (store, path) = (Arc::clone(job.store()), job.commit(Stage::Scan, task));
        async move { store.put(&path, Bytes::from_static(b"x").into()).await }
    });
    let done: Vec<_> = futures::stream::iter(puts).buffer_unordered(16).try_collect().await.expect("puts");
    assert_eq!(done.len() as u32, LISTED);
    let listed = job.committed(Stage::Scan).await.expect("lists");
    assert_eq!(listed, (0..LISTED).collect::<Vec<_>>());
}

/// An upload in parts, read in pieces that cross them.
async fn ranges_of_a_large_object_come_back(job: &JobState) {
    let path = job.path("data/large");
    let bytes = numbers(3 << 20);
    upload(job.store(), &path, &bytes).await;
    let size = bytes.len() as u64;
    for range in [0..1, 0..size, (5 << 20) - 3..(5 << 20) + 3, size - 1..size] {
        let read = job.store().get_range(&path, range.clone()).await.expect("reads");
        assert_eq!(read, bytes[range.start as usize..range.end as usize], "{range:?}");
    }
    let beyond = job.store().get_range(&path, size + 1..size + 2).await;
    assert!(beyond.is_err(), "a range behind the end");
}

/// Numbers, four bytes each.
fn numbers(count: u32) -> Bytes {
    (0..count).flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into()
}

async fn upload(store: &Arc<dyn ObjectStore>, path: &ObjectPath, bytes: &Bytes) {
    let part_bytes = if std::env::var_os(WHOLE).is_some() { 1 << 30 } else { 5 << 20 };
    let mut writer = BufWriter::with_capacity(Arc::clone(store), path.clone(), part_bytes);
    writer.put(bytes.clone()).await.expect("puts");
    writer.shutdown().await.expect("completes");
}

/// Inputs are read as they were when they were listed, or not at all; names keep every character.
async fn an_input_that_changes_is_noticed(url: &str, job: &JobState, stores: &Arc<Stores>) {
    let folder = "data/inputs";
    let names = ["a b=ü%20.csv", "a.csv", "a-1.csv", "a/1.csv"];
    for name in names {
        upload(job.store(), &job.path(folder).join(name.to_owned()), &numbers(2 << 20)).await;
    }
    let place = format!("{}/jobs/conformance/{}/{folder}/", url.trim_end_matches('/'), job.incarnation());
    let spec = format!("live: {place}\nshadow: {place}\naccount: a\n");
    let spec = parse(&spec, "spec", &Overrides::default()).expect("a spec").spec;
    let sources = Sources::new(Arc::clone(stores), tokio::runtime::Handle::current());
    let dataset = read::list(Side::Live, &spec.sides.live, Path::new("/"), stores)
        .await
        .expect("lists");
    assert!(dataset.files.is_sorted_by(|a, b| a.name.as_bytes() < b.name.as_bytes()));
    assert_eq!(dataset.files.len(), names.len(), "{:?}", dataset.files);
    let file = dataset.files[0].clone();
    let range = (1 << 20)..(7 << 20);
    let same = read_at(&file, &sources, range.clone()).await.expect("reads");
    assert_eq!(same, numbers(2 << 20)[1 << 20..7 << 20]);
    let path = match &file.location {
        shadowdiff_common::store::Location::Object { .. } => file.location.key().expect("a key"),
        shadowdiff_common::store::Location::Local(path) => ObjectPath::from_absolute_path(path).expect("a path"),
    };
    let mut other = numbers(2 << 20).to_vec();
    other[0] = 1;
    upload(job.store(), &path, &other.into()).await;
    let error = read_at(&file, &sources, range).await.expect_err("the content is another");
    assert!(error.contains("changed"), "{error}");
}

async fn read_at(file: &DataFile, sources: &Sources, range: std::ops::Range<u64>) -> Result<Bytes, String> {
    let (file, sources) = (file.clone(), sources.clone());
    let read = move || PinnedFile::open(&file, &sources)?.read(range);
    let read = tokio::task::spawn_blocking(read).await.expect("no panic");
    read.map_err(|error| error.to_string())
}
