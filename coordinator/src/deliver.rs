//! Puts a result to a place on an object store, so that it appears whole or not at all and two writers do not mix.
//!
//! ```text
//! look -> create .shadowdiff-writing (create-only) -> delete summary.json -> the tables
//!     -> create summary.json (create-only) -> delete .shadowdiff-writing
//! ```
//! A writer that finds another's mark stands back; with `overwrite` it takes the mark over, and the other one stands back when it next
//! looks, which each does before every object. A writer that slept through that may still put one table late: the summary names
//! length and digest of its tables, and who reads a result checks them. Every step may be done again, so a delivery that broke off
//! goes on where it was.

use crate::target::{Objects, WRITING, Writing, look_at_objects, names_table};
use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::ObjectStoreExt;
use shadowdiff_common::fault;
use shadowdiff_common::state::{Created, create};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::ResultFile;

/// A result on its way.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) objects: &'a Objects,
    /// No two results have the same writer; one result has the same in every try.
    pub(crate) writer: &'a str,
    pub(crate) summary: Bytes,
    /// The tables that this result has.
    pub(crate) tables: Vec<ResultFile>,
    pub(crate) overwrite: bool,
}

/// Puts one of the tables at its place.
pub(crate) type PutTable<'a> = dyn Fn(ResultFile) -> BoxFuture<'a, Result<()>> + Send + Sync + 'a;

/// Why a delivery broke off.
enum Broken {
    /// The place is not this writer's any more.
    Lost,
    Failed(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Broken {
        Broken::Failed(error)
    }
}

impl Delivery<'_> {
    pub(crate) async fn run(&self, table: &PutTable<'_>) -> Result<()> {
        match self.deliver(table).await {
            Err(Broken::Lost) => self.settled_by_another().await,
            Err(Broken::Failed(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    /// The place is not being written by this writer any more: the same writer, in another process, may have come to the end.
    async fn settled_by_another(&self) -> Result<()> {
        let (summary, mark) = (self.objects.read(ResultFile::Summary).await?, self.objects.read(WRITING).await?);
        match (summary, mark) {
            (Some(summary), _) if summary == self.summary => Ok(()),
            (None, None) => Err(Error::unavailable(format!("{} is being written once more", self.objects.name)).field("output")),
            _ => Err(
                Error::input(format!("{} was written by somebody else meanwhile", self.objects.name))
                    .field("output")
                    .advice("two runs must not write one place"),
            ),
        }
    }

    async fn deliver(&self, table: &PutTable<'_>) -> Result<(), Broken> {
        let older = self.objects.read(ResultFile::Summary).await?;
        if older.as_ref() == Some(&self.summary) {
            // An earlier try of this result got this far.
            return Ok(self.release().await?);
        }
        if !self.is_mine().await? {
            look_at_objects(self.objects)
                .await?
                .allow(&self.objects.name, self.overwrite, &self.tables)?;
            self.claim().await?;
        }
        if self.overwrite {
            self.objects.remove(ResultFile::Summary).await?;
        }
        for file in ResultFile::TABLES {
            self.check_mine().await?;
            if self.tables.contains(&file) {
                fault::point("publish:file");
                table(file).await?;
            } else if self.overwrite && names_table(older.as_deref(), file) {
                self.objects.remove(file).await?;
            }
        }
        self.check_mine().await?;
        fault::point("publish:file");
        match create(
            self.objects.store.as_ref(),
            &self.objects.at(ResultFile::Summary),
            self.summary.clone(),
        )
        .await?
        {
            Created::Mine => Ok(self.release().await?),
            Created::Another(there) if there == self.summary => Ok(self.release().await?),
            Created::Another(_) => Err(Broken::Lost),
        }
    }

    /// Takes away what was put, after a failure: what is left otherwise is in the way of the next run.
    pub(crate) async fn withdraw(&self) {
        if self.is_mine().await.unwrap_or(false) {
            for file in self.tables.iter().copied().chain([ResultFile::Summary]) {
                let _ = self.objects.remove(file).await;
            }
            let _ = self.release().await;
        }
    }

    /// Puts the mark.
    async fn claim(&self) -> Result<()> {
        let (path, mark) = (self.objects.at(WRITING), Bytes::from(Writing::new(self.writer).bytes()?));
        match create(self.objects.store.as_ref(), &path, mark.clone()).await? {
            Created::Mine => Ok(()),
            Created::Another(there) => match Writing::parse(&there) {
                Some(_) if self.overwrite => {
                    let put = self.objects.store.put(&path, mark.into()).await;
                    put.map(|_| ()).map_err(|e| self.objects.error(e))
                }
                Some(_) | None => Err(Error::input(format!(
                    "{} is being written by another run, or by one that died",
                    self.objects.name
                ))
                .field("output")
                .advice("once that is gone replace it with --overwrite")),
            },
        }
    }

    async fn is_mine(&self) -> Result<bool> {
        let mark = self.objects.read(WRITING).await?;
        Ok(mark
            .and_then(|mark| Writing::parse(&mark))
            .is_some_and(|mark| mark.writer == self.writer))
    }

    async fn check_mine(&self) -> Result<(), Broken> {
        if self.is_mine().await? { Ok(()) } else { Err(Broken::Lost) }
    }

    async fn release(&self) -> Result<()> {
        if self.is_mine().await? {
            self.objects.remove(WRITING).await
        } else {
            Ok(())
        }
    }
}
