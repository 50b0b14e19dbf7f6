//! The service for clients: `shadowdiff.v1.JobService`.

use super::sending::Sending;
use super::wire::{job, order, status};
use super::{Cluster, JobView, Order};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_proto::MAX_MESSAGE_BYTES;
use shadowdiff_proto::v1::job_service_server::{JobService, JobServiceServer};
use shadowdiff_proto::v1::{
    CancelRequest, CancelResponse, CheckSpecRequest, CheckSpecResponse, FetchResultRequest, FetchResultResponse, GetRequest, GetResponse,
    JobState, ListRequest, ListResponse, SubmitRequest, SubmitResponse, WatchRequest, WatchResponse,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 1000;
/// Watchers hear of changes at most this often.
const WATCH_PAUSE: Duration = Duration::from_millis(250);
/// A job that another coordinator runs is looked at this often.
const LOOK_PAUSE: Duration = Duration::from_secs(2);

/// The service on this cluster.
pub fn jobs_service(cluster: Arc<Cluster>) -> JobServiceServer<impl JobService> {
    JobServiceServer::new(Jobs { cluster })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

struct Jobs {
    cluster: Arc<Cluster>,
}

#[tonic::async_trait]
impl JobService for Jobs {
    async fn check_spec(&self, request: Request<CheckSpecRequest>) -> Result<Response<CheckSpecResponse>, Status> {
        let order = order(request.into_inner().spec).map_err(status)?;
        let (plan, warnings) = self.cluster.check(&order).await.map_err(status)?;
        Ok(Response::new(CheckSpecResponse { plan, warnings }))
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        let request = request.into_inner();
        let order = Order {
            token: request.token,
            priority: request.priority,
            max_running: request.max_running,
            overwrite: request.overwrite,
            ..order(request.spec).map_err(status)?
        };
        let (view, created) = self.cluster.submit(&order).await.map_err(status)?;
        Ok(Response::new(SubmitResponse {
            job: Some(job(&view, self.cluster.counts().await.workers)),
            created,
        }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let view = self.cluster.get(&request.into_inner().job_id).await.map_err(status)?;
        Ok(Response::new(GetResponse {
            job: Some(job(&view, self.cluster.counts().await.workers)),
        }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let request = request.into_inner();
        let views = self.cluster.list().await.map_err(status)?;
        let workers = self.cluster.counts().await.workers;
        page(&views, workers, &request).map(Response::new).map_err(status)
    }

    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let id = request.into_inner().job_id;
        let first = self.cluster.get(&id).await.map_err(status)?;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(follow(Arc::clone(&self.cluster), id, first, sender));
        Ok(Response::new(ReceiverStream::new(receiver).boxed()))
    }

    async fn cancel(&self, request: Request<CancelRequest>) -> Result<Response<CancelResponse>, Status> {
        let view = self.cluster.cancel(&request.into_inner().job_id).await.map_err(status)?;
        Ok(Response::new(CancelResponse {
            job: Some(job(&view, self.cluster.counts().await.workers)),
        }))
    }

    type FetchResultStream = BoxStream<'static, Result<FetchResultResponse, Status>>;

    async fn fetch_result(&self, request: Request<FetchResultRequest>) -> Result<Response<Self::FetchResultStream>, Status> {
        let request = request.into_inner();
        let found = self.cluster.result_file(&request.job_id, &request.name).await;
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
}

/// One page; its token is the id of the last job on it.
fn page(views: &[JobView], workers: usize, request: &ListRequest) -> Result<ListResponse> {
    let size = match request.page_size as usize {
        0 => DEFAULT_PAGE,
        size => size.min(MAX_PAGE),
    };
    let jobs: Vec<_> = views
        .iter()
        .map(|view| job(view, workers))
        .filter(|job| request.states.is_empty() || request.states.contains(&job.state))
        .collect();
    if let Some(unknown) = request.states.iter().find(|state| JobState::try_from(**state).is_err()) {
        return Err(Error::spec(format!("states: {unknown} is no state")));
    }
    let from = match request.page_token.as_str() {
        "" => 0,
        last => {
            1 + jobs
                .iter()
                .position(|job| job.id == last)
                .ok_or_else(|| Error::spec("page_token: is not of this list; begin again without one"))?
        }
    };
    let to = (from + size).min(jobs.len());
    Ok(ListResponse {
        next_page_token: if to < jobs.len() { jobs[to - 1].id.clone() } else { String::new() },
        jobs: jobs[from..to].to_vec(),
    })
}

/// Sends a job whenever it changes, until it has ended or nobody listens.
async fn follow(cluster: Arc<Cluster>, id: String, first: JobView, sender: mpsc::Sender<Result<WatchResponse, Status>>) {
    let mut view = first;
    loop {
        let ended = view.phase.has_ended();
        let workers = cluster.counts().await.workers;
        let said = WatchResponse {
            job: Some(job(&view, workers)),
        };
        if sender.send(Ok(said)).await.is_err() || ended {
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

/// The view after its next change, not at once: changes may come fast.
async fn changed(mut changes: watch::Receiver<JobView>) -> Option<JobView> {
    changes.mark_unchanged();
    sleep(WATCH_PAUSE).await;
    if !changes.borrow().phase.has_ended() && !changes.has_changed().unwrap_or(false) {
        changes.changed().await.ok()?;
    }
    let view = changes.borrow().clone();
    Some(view)
}
