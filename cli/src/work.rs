//! `worker`: takes tasks from a coordinator until it is asked to stop.

use crate::args::WorkerArgs;
use crate::connections::{BoundedListener, KEEP_ALIVE, Limits};
use crate::note;
use crate::process::{block_on, memory_bytes, sources, threads};
use crate::serve::{bind, host_name};
use crate::signals::watch_signals;
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::tasks::spawn;
use shadowdiff_common::telemetry::start_log;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_worker::{Attachment, Drain, Host, Memory, TaskLimits, attach};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic_health::ServingStatus;

pub(crate) fn run(args: &WorkerArgs, limits: TaskLimits) -> Result<ExitCode> {
    start_log(&args.log)?;
    block_on(work(args, limits)).map(|()| ExitCode::SUCCESS)
}

async fn work(args: &WorkerArgs, limits: TaskLimits) -> Result<()> {
    let mut asked = watch_signals();
    let (memory, slots) = (memory_bytes(args.memory), threads(args.slots));
    let scratch = Scratch::new(Memory::intermediate_bytes(memory, &limits), args.scratch.as_deref())?;
    let sources = sources();
    let name = args.name.clone().unwrap_or_else(host_name);
    let host = Arc::new(Host::new(sources, scratch, memory, slots, limits, name));
    let (connected, seen) = watch::channel(false);
    let health = match args.health {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let (drain, draining) = watch::channel(Drain::No);
    spawn("the drain", async move {
        let _ = asked.wait_for(|stop| *stop).await;
        note("shadowdiff worker: draining");
        drain.send_replace(Drain::Soon);
        drain.closed().await;
    });
    note(&format!("shadowdiff worker: {slots} slots, coordinator {}", args.coordinator));
    let attachment = Attachment {
        coordinator: args.coordinator.clone(),
        drain: args.drain,
    };
    let Some(listener) = health else {
        return attach(host, attachment, draining, connected).await;
    };
    // A worker that nobody can ask any more ends, and is started again.
    tokio::select! {
        worked = attach(host, attachment, draining, connected) => worked,
        ended = serve_health(listener, seen) => Err(Error::internal(format!("the health server has ended: {ended}"))),
    }
}

/// Liveness depends on nothing but the process; a worker is ready while its coordinator knows it.
/// Gives why it has ended, which it should not.
async fn serve_health(listener: TcpListener, mut connected: watch::Receiver<bool>) -> String {
    let (reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .add_service(health)
        .serve_with_incoming(BoundedListener::new(listener, Limits::of_health()).incoming());
    let report = async {
        loop {
            let status = if *connected.borrow_and_update() {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            reporter.set_service_status("liveness", ServingStatus::Serving).await;
            reporter.set_service_status("readiness", status).await;
            reporter.set_service_status("", status).await;
            if connected.changed().await.is_err() {
                // The worker is about to end; until then all stays as it is.
                return std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        served = server => served.map_or_else(|e| e.to_string(), |()| "no connection comes any more".to_owned()),
        () = report => "nobody reports".to_owned(),
    }
}
