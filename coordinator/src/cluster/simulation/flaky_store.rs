//! One memory seen through lines that may be cut or pause, by a store that errs as real ones do.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Chance(seed)
    }

    pub(super) fn seed(&self) -> u64 {
        self.0
    }

    fn next(&mut self) -> u64 {
        shadowdiff_core::mix::next(&mut self.0)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(super) fn fork(&mut self) -> Chance {
        Chance(self.next())
    }
}

/// How a process reaches the store.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<watch::Sender<bool>>);

impl Default for Line {
    fn default() -> Self {
        Line(Arc::new(watch::channel(true).0))
    }
}

impl Line {
    /// For good: as if the process were dead.
    pub(super) fn cut(&self) {
        self.0.send_replace(false);
    }

    /// For a while: as if the process were stopped.
    pub(super) fn pause(&self, time: Duration) {
        self.cut();
        let line = self.clone();
        tokio::spawn(async move {
            sleep(time).await;
            line.0.send_replace(true);
        });
    }

    async fn open(&self) {
        let mut open = self.0.subscribe();
        let _ = open.wait_for(|open| *open).await;
    }
}

/// The store of a run.
#[derive(Debug, Clone)]
pub(super) struct FlakyStore {
    memory: Arc<InMemory>,
    chance: Arc<Mutex<Chance>>,
    /// It answers nothing from then on, until then.
    away: Arc<Mutex<Option<(Instant, Instant)>>>,
}

impl FlakyStore {
    pub(super) fn new(seed: u64) -> Self {
        FlakyStore {
            memory: Arc::new(InMemory::new()),
            chance: Arc::new(Mutex::new(Chance::new(!seed))),
            away: Arc::default(),
        }
    }

    /// From some time on it is away for a while.
    pub(super) fn goes_away(&self, after: Duration, length: Duration) {
        let from = Instant::now() + after;
        *self.away.lock().expect("nobody panics with it") = Some((from, from + length));
    }

    /// Waits until it is back for good.
    pub(super) async fn back(&self) {
        let away = *self.away.lock().expect("nobody panics with it");
        if let Some((_, until)) = away {
            sleep_until(until).await;
        }
    }

    fn is_away(&self) -> bool {
        let away = *self.away.lock().expect("nobody panics with it");
        away.is_some_and(|(from, until)| (from..until).contains(&Instant::now()))
    }

    /// Without any fault.
    pub(super) fn calm(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.memory) as Arc<dyn ObjectStore>
    }

    pub(super) fn through(&self, line: Line) -> Arc<dyn ObjectStore> {
        self.seen(line, 1)
    }

    /// The same store at a distance, so that much happens between two requests.
    pub(super) fn distant(&self, line: Line) -> Arc<dyn ObjectStore> {
        self.seen(line, 40)
    }

    fn seen(&self, line: Line, distance: u64) -> Arc<dyn ObjectStore> {
        let chance = Mutex::new(self.chance.lock().expect("nobody panics with it").fork());
        Arc::new(Seen {
            flaky_store: self.clone(),
            line,
            distance,
            chance,
        })
    }
}

#[derive(Debug)]
struct Seen {
    flaky_store: FlakyStore,
    line: Line,
    /// How many times as long each way usually takes.
    distance: u64,
    /// Its own, so that nobody's faults depend on who else asked in the same moment.
    chance: Mutex<Chance>,
}

impl Seen {
    fn draw(&self, limit: u64) -> u64 {
        self.chance.lock().expect("nobody panics with it").below(limit)
    }

    /// The way back of a write: sometimes so slow that others have long seen what was written.
    async fn come_back(&self) {
        self.travel().await;
        if self.draw(60) == 0 {
            sleep(Duration::from_millis(self.draw(30_000))).await;
        }
    }

    /// The way there: slow, sometimes very.
    async fn travel(&self) {
        self.line.open().await;
        let most = if self.draw(40) == 0 { 5000 } else { 30 * self.distance };
        sleep(Duration::from_millis(self.draw(most))).await;
        self.line.open().await;
    }

    fn fails(&self) -> bool {
        self.draw(25) == 0 || self.flaky_store.is_away()
    }

    /// One bit is another one, or the end is missing, and nothing tells so.
    async fn damage(&self, answer: GetResult) -> Result<GetResult> {
        let (meta, attributes, mut range) = (answer.meta.clone(), answer.attributes.clone(), answer.range.clone());
        let mut bytes = answer.bytes().await?.to_vec();
        let bit = self.draw(8 * bytes.len().max(1) as u64) as usize;
        if self.draw(3) == 0 {
            bytes.truncate(bit / 8);
        } else if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        range.end = range.start + bytes.len() as u64;
        let stream = futures::stream::iter([Ok(Bytes::from(bytes))]).boxed();
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream),
            meta,
            range,
            attributes,
        })
    }
}

fn broken() -> Error {
    Error::Generic {
        store: "flaky_store",
        source: "503 slow down".into(),
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flaky_store store")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Seen {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.travel().await;
        let create = options.mode == PutMode::Create;
        let fate = self.draw(20);
        if fate == 0 || self.flaky_store.is_away() {
            return Err(broken());
        }
        if fate == 1 && create {
            // A conflict that is none.
            return Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "409".into(),
            });
        }
        let done = self.flaky_store.memory.put_opts(location, payload, options).await;
        self.come_back().await;
        match fate {
            // It is stored, but nobody hears of it; or it is tried again inside, and meets itself.
            2 => Err(broken()),
            3 if create && done.is_ok() => Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "409".into(),
            }),
            _ => done,
        }
    }

    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.flaky_store.memory.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.travel().await;
        if self.fails() {
            return Err(broken());
        }
        let answer = self.flaky_store.memory.get_opts(location, options).await?;
        // What lies far away has no digest that is known before it is read: a damaged summary is taken for one that is not ours.
        match self.draw(30) {
            0 if self.distance == 1 => self.damage(answer).await,
            _ => Ok(answer),
        }
    }

    /// Some objects are removed, then it breaks off.
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (line, kept) = (self.line.clone(), self.draw(40) as usize);
        let breaks_after = match self.flaky_store.is_away() {
            true => Some(0),
            false => (self.draw(2) == 0).then_some(kept),
        };
        let memory = Arc::clone(&self.flaky_store.memory);
        let locations = async move {
            line.open().await;
            locations
        };
        locations
            .into_stream()
            .flatten()
            .take(breaks_after.map_or(usize::MAX, |kept| kept + 1))
            .enumerate()
            .then(move |(number, location)| {
                let memory = Arc::clone(&memory);
                async move {
                    let location = location?;
                    if breaks_after == Some(number) {
                        return Err(broken());
                    }
                    memory.delete(&location).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        // Some listings fail, some lack an object that is there.
        let (fails, lacks) = (self.fails(), self.draw(10) == 0);
        let (memory, line, prefix) = (Arc::clone(&self.flaky_store.memory), self.line.clone(), prefix.cloned());
        let listed = async move {
            line.open().await;
            let mut all: Vec<ObjectMeta> = memory.list(prefix.as_ref()).try_collect().await?;
            if fails {
                return Err(broken());
            }
            if lacks {
                all.pop();
            }
            Ok::<_, Error>(futures::stream::iter(all.into_iter().map(Ok)))
        };
        listed.boxed().into_stream().try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.travel().await;
        if self.flaky_store.is_away() {
            return Err(broken());
        }
        self.flaky_store.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.flaky_store.memory.copy_opts(from, to, options).await
    }
}

/// Content that differs between attempts.
pub(super) fn content(attempt: &str) -> Bytes {
    Bytes::from(attempt.to_owned())
}
