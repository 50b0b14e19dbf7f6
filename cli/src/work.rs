//! `worker`: takes tasks from a coordinator until it is asked to stop.

use crate::args::WorkerArgs;
use crate::connections::{BoundedListener, KEEP_ALIVE, Limits};
use crate::note;
use crate::process::{leave, memory_bytes, runtime, threads};
use crate::serve::{bind, host_name};
use crate::signals::watch_signals;
use shadowdiff_common::read::Sources;
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::store::Stores;
use shadowdiff_common::telemetry::start_log;
use shadowdiff_core::error::Result;
use shadowdiff_worker::{Attachment, Drain, Host, Memory, TaskLimits, attach};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic_health::ServingStatus;

pub(crate) fn run(args: &WorkerArgs, limits: TaskLimits) -> Result<ExitCode> {
    start_log(&args.log)?;
    let runtime = runtime()?;
    let worked = runtime.block_on(work(args, limits));
    leave(runtime);
    worked.map(|()| ExitCode::SUCCESS)
}

async fn work(args: &WorkerArgs, limits: TaskLimits) -> Result<()> {
    let mut asked = watch_signals();
    let (memory, slots) = (memory_bytes(args.memory), threads(args.slots));
    let scratch = Scratch::new(Memory::intermediate_bytes(memory, &limits), args.scratch.as_deref())?;
    let sources = Sources::new(Arc::new(Stores::new()), tokio::runtime::Handle::current());
    let name = args.name.clone().unwrap_or_else(host_name);
    let host = Arc::new(Host::new(sources, scratch, memory, slots, limits, name));
    let (connected, seen) = watch::channel(false);
    if let Some(address) = args.health {
        serve_health(address, seen).await?;
    }
    let (drain, draining) = watch::channel(Drain::No);
    tokio::spawn(async move {
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
    attach(host, attachment, draining, connected).await
}

/// Liveness depends on nothing but the process; a worker is ready while its coordinator knows it.
async fn serve_health(address: SocketAddr, mut connected: watch::Receiver<bool>) -> Result<()> {
    let listener = bind(address).await?;
    let (reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(
        Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .add_service(health)
            .serve_with_incoming(BoundedListener::new(listener, Limits::of_health()).incoming()),
    );
    tokio::spawn(async move {
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
                return;
            }
        }
    });
    Ok(())
}
