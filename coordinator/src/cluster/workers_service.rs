//! The service for workers: `shadowdiff.v1.WorkerService`. One stream a worker; its end is the worker's end.

use super::Cluster;
use super::scheduler::WORKER_OUTBOX;
use super::worker_text::{MAX_NAME_BYTES, readable};
use futures::StreamExt;
use futures::stream::BoxStream;
use shadowdiff_common::tasks::{caught, spawn};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::schedule::HEARTBEAT_MS;
use shadowdiff_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use shadowdiff_proto::v1::{AttachRequest, AttachResponse, Hello, Welcome, attach_request, attach_response};
use shadowdiff_proto::{MAX_MESSAGE_BYTES, PROTOCOL};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// The service on this cluster.
pub fn workers_service(cluster: Arc<Cluster>) -> WorkerServiceServer<impl WorkerService> {
    WorkerServiceServer::new(Workers { cluster })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

struct Workers {
    cluster: Arc<Cluster>,
}

#[tonic::async_trait]
impl WorkerService for Workers {
    type AttachStream = BoxStream<'static, Result<AttachResponse, Status>>;

    async fn attach(&self, request: Request<Streaming<AttachRequest>>) -> Result<Response<Self::AttachStream>, Status> {
        let mut said = request.into_inner();
        let mut hello = match said.message().await?.and_then(|first| first.message) {
            Some(attach_request::Message::Hello(hello)) => hello,
            Some(_) | None => return Err(Status::invalid_argument("a worker says hello first")),
        };
        hello.name = readable(&hello.name, MAX_NAME_BYTES).replace('\n', " ");
        fits(&hello).map_err(|error| Status::failed_precondition(error.to_string()))?;
        let (outbox, messages) = mpsc::channel(WORKER_OUTBOX);
        let welcome = Welcome {
            version: env!("CARGO_PKG_VERSION").into(),
            state_url: self.cluster.state_url().into(),
            heartbeat_ms: HEARTBEAT_MS as u32,
        };
        // The channel is new and empty.
        let _ = outbox.try_send(AttachResponse {
            message: Some(attach_response::Message::Welcome(welcome)),
        });
        let scheduler = self.cluster.scheduler.clone();
        spawn("the stream of a worker", async move {
            // A worker that does not reach the state store would only fail tasks.
            match said.message().await {
                Ok(Some(AttachRequest {
                    message: Some(attach_request::Message::Ready(_)),
                })) => {}
                Ok(_) | Err(_) => return,
            }
            let joined = scheduler.joined(hello.name, hello.slots as usize, hello.memory_bytes, outbox).await;
            let Ok(worker) = joined else { return };
            let listening = async {
                // An error is the end of the stream, as is a clean end.
                while let Ok(Some(message)) = said.message().await {
                    if let Some(message) = message.message {
                        scheduler.said(worker, message).await;
                    }
                }
            };
            if let Err(panic) = caught("the stream of a worker", listening).await {
                tracing::error!("{panic}");
            }
            scheduler.gone(worker).await;
        });
        Ok(Response::new(ReceiverStream::new(messages).map(Ok).boxed()))
    }
}

/// Coordinator and worker store and read the same forms only where both have the same version.
fn fits(hello: &Hello) -> Result<()> {
    let mine = env!("CARGO_PKG_VERSION");
    if hello.protocol != PROTOCOL || hello.version != mine {
        return Err(Error::spec(format!(
            "worker {} has version {} (protocol {}), this coordinator version {mine} (protocol {PROTOCOL})",
            hello.name, hello.version, hello.protocol
        ))
        .advice("run the same version on both"));
    }
    if hello.slots == 0 {
        return Err(Error::spec(format!("worker {} has no slots", hello.name)));
    }
    Ok(())
}
