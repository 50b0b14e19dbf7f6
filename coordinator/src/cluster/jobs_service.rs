//! The service for clients: `shadowdiff.v1.JobService`.

use super::compared::compare_jobs;
use super::finished::FinishedResult;
use super::page::{Page, PageRequest};
use super::sending::Sending;
use super::view::shown_warnings;
use super::wire::{Detail, job, labels, order, status};
use super::{Cluster, JobRequest, JobView};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use shadowdiff_common::tasks::spawn;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::ResultFile;
use shadowdiff_core::shorten::shortened;
use shadowdiff_proto::MAX_MESSAGE_BYTES;
use shadowdiff_proto::v1::job_service_server::{JobService, JobServiceServer};
use shadowdiff_proto::v1::{
    CancelRequest, CancelResponse, CheckSpecRequest, CheckSpecResponse, CompareJobsRequest, CompareJobsResponse, FetchResultRequest,
    FetchResultResponse, GetAccountRequest, GetAccountResponse, GetRequest, GetResponse, GetSummaryRequest, GetSummaryResponse,
    ListRequest, ListResponse, StreamDifferencesRequest, StreamDifferencesResponse, SubmitRequest, SubmitResponse, WatchRequest,
    WatchResponse,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Of a plan in words, which names every column.
const MAX_PLAN_TEXT_BYTES: usize = 1 << 20;
/// Jobs of a page that are read at a time.
const FULL_VIEWS_IN_FLIGHT: usize = 16;
/// Watchers hear of changes at most this often.
const WATCH_PAUSE: Duration = Duration::from_millis(250);
/// A watcher that takes nothing for so long is not told any more.
const SLOW: Duration = Duration::from_secs(60);
/// A job that another coordinator runs is looked at this often.
const LOOK_PAUSE: Duration = Duration::from_secs(2);

/// Summaries and tables of accounts that are read at a time; whoever comes then waits.
const READERS: usize = 4;

/// The service on this cluster.
pub fn jobs_service(cluster: Arc<Cluster>) -> JobServiceServer<impl JobService> {
    let readers = Semaphore::new(READERS);
    JobServiceServer::new(Jobs { cluster, readers })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

struct Jobs {
    cluster: Arc<Cluster>,
    /// Of results, for an answer in one message.
    readers: Semaphore,
}

impl Jobs {
    async fn reader(&self) -> Result<SemaphorePermit<'_>> {
        self.readers.acquire().await.map_err(|e| Error::internal(e.to_string()))
    }

    /// Reads what the page shows, and no more.
    async fn page(&self, wanted: &PageRequest) -> Result<ListResponse> {
        let sorted = self.cluster.list(wanted.is_first()).await?;
        let workers = self.cluster.counts().await.workers;
        let (chosen, mut more_follow) = wanted.choose(&sorted);
        let mut full = futures::stream::iter(chosen)
            .map(|view| async move {
                match wanted.detail {
                    Detail::Basic => Some(view),
                    Detail::Full => self.cluster.in_full(view).await,
                }
            })
            .buffered(FULL_VIEWS_IN_FLIGHT);
        let mut page = Page::default();
        while let Some(view) = full.next().await {
            // One that was removed meanwhile is on no page.
            let Some(view) = view else { continue };
            if !page.add(view.submitted.created_ms, job(&view, workers, wanted.detail)) {
                more_follow = true;
                break;
            }
        }
        Ok(page.answer(more_follow))
    }
}

#[tonic::async_trait]
impl JobService for Jobs {
    async fn check_spec(&self, request: Request<CheckSpecRequest>) -> Result<Response<CheckSpecResponse>, Status> {
        let peer = request.remote_addr().map_or_else(String::new, |address| address.ip().to_string());
        let order = order(request.into_inner().spec).map_err(status)?;
        let (plan, warnings) = self.cluster.check(&order, &peer).await.map_err(status)?;
        Ok(Response::new(CheckSpecResponse {
            plan: shortened(&plan, MAX_PLAN_TEXT_BYTES),
            warnings: shown_warnings(&warnings),
        }))
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        let request = request.into_inner();
        let order = JobRequest {
            token: request.token,
            priority: request.priority,
            max_running: request.max_running,
            overwrite: request.overwrite,
            labels: labels(request.labels).map_err(status)?,
            ..order(request.spec).map_err(status)?
        };
        let (view, created) = self.cluster.submit(&order).await.map_err(status)?;
        Ok(Response::new(SubmitResponse {
            job: Some(job(&view, self.cluster.counts().await.workers, Detail::Full)),
            created,
        }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let view = self.cluster.get(&request.into_inner().job_id).await.map_err(status)?;
        Ok(Response::new(GetResponse {
            job: Some(job(&view, self.cluster.counts().await.workers, Detail::Full)),
        }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let wanted = PageRequest::of(request.get_ref()).map_err(status)?;
        self.page(&wanted).await.map(Response::new).map_err(status)
    }

    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let id = request.into_inner().job_id;
        let first = self.cluster.get(&id).await.map_err(status)?;
        let (sender, receiver) = mpsc::channel(1);
        spawn("the stream of a client", follow(Arc::clone(&self.cluster), id, first, sender));
        Ok(Response::new(ReceiverStream::new(receiver).boxed()))
    }

    async fn cancel(&self, request: Request<CancelRequest>) -> Result<Response<CancelResponse>, Status> {
        let view = self.cluster.cancel(&request.into_inner().job_id).await.map_err(status)?;
        Ok(Response::new(CancelResponse {
            job: Some(job(&view, self.cluster.counts().await.workers, Detail::Full)),
        }))
    }

    type FetchResultStream = BoxStream<'static, Result<FetchResultResponse, Status>>;

    async fn fetch_result(&self, request: Request<FetchResultRequest>) -> Result<Response<Self::FetchResultStream>, Status> {
        let request = request.into_inner();
        let file = ResultFile::try_from(request.name).map_err(|e| status(e.field("name")))?;
        let found = self.cluster.result_file(&request.job_id, file).await;
        let (state, path, mark) = found.map_err(status)?;
        if request.offset > mark.size_bytes {
            return Err(status(Error::spec(format!(
                "offset: {} is beyond the file's {} bytes",
                request.offset, mark.size_bytes
            ))));
        }
        let pieces = Sending::open(&state, &path, mark, request.offset).await.map_err(status)?.pieces();
        Ok(Response::new(pieces.map_err(status).boxed()))
    }

    async fn get_summary(&self, request: Request<GetSummaryRequest>) -> Result<Response<GetSummaryResponse>, Status> {
        let _reading = self.reader().await.map_err(status)?;
        let result = FinishedResult::open(&self.cluster, &request.get_ref().job_id)
            .await
            .map_err(status)?;
        Ok(Response::new(result.summary()))
    }

    async fn get_account(&self, request: Request<GetAccountRequest>) -> Result<Response<GetAccountResponse>, Status> {
        let _reading = self.reader().await.map_err(status)?;
        let GetAccountRequest { job_id, account } = request.into_inner();
        let result = FinishedResult::open(&self.cluster, &job_id).await.map_err(status)?;
        result.account(account).await.map(Response::new).map_err(status)
    }

    async fn compare_jobs(&self, request: Request<CompareJobsRequest>) -> Result<Response<CompareJobsResponse>, Status> {
        let _reading = self.reader().await.map_err(status)?;
        let found = compare_jobs(&self.cluster, request.into_inner()).await;
        found.map(Response::new).map_err(status)
    }

    type StreamDifferencesStream = BoxStream<'static, Result<StreamDifferencesResponse, Status>>;

    async fn stream_differences(
        &self,
        request: Request<StreamDifferencesRequest>,
    ) -> Result<Response<Self::StreamDifferencesStream>, Status> {
        let request = request.into_inner();
        let result = FinishedResult::open(&self.cluster, &request.job_id).await.map_err(status)?;
        let found = result.differences(request).await.map_err(status)?;
        Ok(Response::new(found.map_err(status).boxed()))
    }
}

/// Sends a job whenever it changes, until it has ended or nobody listens.
async fn follow(cluster: Arc<Cluster>, id: String, first: JobView, sender: mpsc::Sender<Result<WatchResponse, Status>>) {
    let mut view = first;
    loop {
        let ended = view.phase.has_ended();
        let workers = cluster.counts().await.workers;
        let said = WatchResponse {
            job: Some(job(&view, workers, Detail::Full)),
        };
        // Whoever takes nothing for so long is let go.
        let taken = timeout(SLOW, sender.send(Ok(said))).await;
        if !matches!(taken, Ok(Ok(()))) || ended {
            return;
        }
        let next = async {
            match cluster.follow(&id) {
                Some(changes) => changed(changes).await,
                None => {
                    sleep(LOOK_PAUSE).await;
                    None
                }
            }
        };
        let next = tokio::select! {
            next = next => next,
            () = sender.closed() => return,
        };
        view = match next {
            Some(view) => view,
            None => match cluster.get(&id).await {
                Ok(view) => view,
                Err(error) => {
                    let _ = sender.send(Err(status(error))).await;
                    return;
                }
            },
        };
    }
}

/// The view after its next change, not at once, as changes may come fast; but at once when the job has ended.
async fn changed(mut changes: watch::Receiver<JobView>) -> Option<JobView> {
    changes.mark_unchanged();
    let mut end = changes.clone();
    let _ = timeout(WATCH_PAUSE, end.wait_for(|view| view.phase.has_ended())).await;
    if !changes.borrow().phase.has_ended() && !changes.has_changed().unwrap_or(false) {
        changes.changed().await.ok()?;
    }
    let view = changes.borrow().clone();
    Some(view)
}

#[cfg(test)]
mod tests {
    use super::super::JobPhase;
    use super::*;
    use shadowdiff_common::state::{Incarnation, Submission};
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn an_end_is_told_at_once_and_other_changes_after_a_pause() {
        let submission = Submission::new(Incarnation::parse(&"0".repeat(32)).expect("32 digits"));
        for (phase, is_end) in [(JobPhase::Comparing, false), (JobPhase::Failed, true)] {
            let (sender, receiver) = watch::channel(JobView::new("job", &submission));
            let started = Instant::now();
            let change = async {
                sleep(WATCH_PAUSE / 10).await;
                sender.send_modify(|view| view.phase = phase);
            };
            let (seen, ()) = tokio::join!(changed(receiver), change);
            assert_eq!(seen.map(|view| view.phase), Some(phase));
            assert_eq!(started.elapsed() < WATCH_PAUSE, is_end, "{phase:?}");
        }
    }
}
