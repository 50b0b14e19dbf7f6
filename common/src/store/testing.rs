//! A store in memory that lies about its puts, for tests.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;

/// What happens to a put.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It is stored, and an error is answered.
    DoneButError,
    /// It is not stored.
    NotDoneError,
    /// Nothing is there, and `AlreadyExists` is answered.
    FalselyThere,
}

/// What happens to a read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ReadFault {
    Error,
    /// One bit of the answer is another one.
    Flipped,
    /// Half of the answer is missing, and nothing tells so.
    Cut,
}

/// Puts and reads meet the faults in order; later ones go well.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: InMemory,
    faults: Mutex<VecDeque<Fault>>,
    reads: Mutex<VecDeque<ReadFault>>,
}

impl FaultyStore {
    pub(crate) fn new(faults: &[Fault]) -> Self {
        FaultyStore {
            inner: InMemory::new(),
            faults: Mutex::new(faults.iter().copied().collect()),
            reads: Mutex::default(),
        }
    }

    pub(crate) fn with_reads(self, faults: &[ReadFault]) -> Self {
        self.next_reads(faults);
        self
    }

    /// What the next reads meet.
    pub(crate) fn next_reads(&self, faults: &[ReadFault]) {
        self.reads.lock().expect("no test panics with it").extend(faults);
    }

    pub(crate) async fn insert(&self, path: &str, bytes: &'static [u8]) {
        self.inner
            .put(&ObjectPath::from(path), Bytes::from_static(bytes).into())
            .await
            .expect("put");
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a faulty store")
    }
}

fn broken() -> object_store::Error {
    object_store::Error::Generic {
        store: "faulty",
        source: "503".into(),
    }
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &ObjectPath, payload: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        let fault = self.faults.lock().expect("no test panics with it").pop_front();
        match fault {
            None => self.inner.put_opts(location, payload, options).await,
            Some(Fault::DoneButError) => self.inner.put_opts(location, payload, options).await.and_then(|_| Err(broken())),
            Some(Fault::NotDoneError) => Err(broken()),
            Some(Fault::FalselyThere) => Err(object_store::Error::AlreadyExists {
                path: location.to_string(),
                source: "409".into(),
            }),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> object_store::Result<GetResult> {
        let fault = self.reads.lock().expect("no test panics with it").pop_front();
        let found = self.inner.get_opts(location, options).await?;
        match fault {
            None => Ok(found),
            Some(ReadFault::Error) => Err(broken()),
            Some(fault @ (ReadFault::Flipped | ReadFault::Cut)) => {
                let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
                let mut bytes = found.bytes().await?.to_vec();
                match fault {
                    ReadFault::Cut => bytes.truncate(bytes.len() / 2),
                    ReadFault::Flipped | ReadFault::Error => *bytes.last_mut().expect("not empty") ^= 1,
                }
                let stream = futures::stream::once(async { Ok(Bytes::from(bytes)) });
                Ok(GetResult {
                    payload: GetResultPayload::Stream(stream.boxed()),
                    meta,
                    range,
                    attributes,
                })
            }
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> BoxStream<'static, object_store::Result<ObjectPath>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
