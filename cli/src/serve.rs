//! `coordinator`: serves clients and workers until it is asked to stop.

use crate::args::CoordinatorArgs;
use crate::connections::{BoundedListener, KEEP_ALIVE, Limits};
use crate::note;
use crate::process::{block_on, sources, working_directory};
use crate::signals::watch_signals;
use crate::told::listener;
use shadowdiff_common::random_bytes;
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::state::State;
use shadowdiff_common::store::Location;
use shadowdiff_common::telemetry::start_log;
use shadowdiff_coordinator::cluster::{Cluster, Options, jobs_service, metrics_page, workers_service};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_proto::FILE_DESCRIPTORS;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// A compare task holds about this many bytes of rows.
const PART_BYTES: u64 = 64 << 20;
/// What is still going on this long after the last word is cut off.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// Calls and streams of one connection at a time.
const MAX_STREAMS: u32 = 256;

pub(crate) fn run(args: &CoordinatorArgs) -> Result<ExitCode> {
    start_log(&args.log)?;
    block_on(serve(args)).map(|()| ExitCode::SUCCESS)
}

async fn serve(args: &CoordinatorArgs) -> Result<()> {
    let mut stop = watch_signals();
    let sources = sources();
    let here = working_directory()?;
    let state_url = absolute(&args.state, &here)?;
    let state = State::open(&state_url, &here, &sources.stores)?;
    let scratch = Scratch::new(0, args.scratch.as_deref())?;
    let listener = bind(args.listen).await?;
    let cluster = Cluster::start(state, sources.clone(), options(args, &scratch)?);
    let (reporter, health) = tonic_health::server::health_reporter();
    tell(&reporter, ServingStatus::NotServing).await;
    if let Some(address) = args.metrics {
        let listener_of_page = BoundedListener::new(bind(address).await?, Limits::of_page());
        let page = axum::serve(listener_of_page, metrics_page(Arc::clone(&cluster)));
        cluster.supervise("the page of metrics", async move {
            if let Err(error) = page.await {
                tracing::error!("metrics are served no more: {error}");
            }
        });
    }
    cluster.supervise("the look at stored jobs", adopt(Arc::clone(&cluster), reporter.clone()));
    // Many clients still ask by the older of the two versions.
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let broken = |e: tonic_reflection::server::Error| Error::internal(format!("reflection: {e}"));
    let (reflection, older) = (
        reflection().build_v1().map_err(broken)?,
        reflection().build_v1alpha().map_err(broken)?,
    );
    let address = listener.local_addr().map_err(|e| Error::unavailable(e.to_string()))?;
    note(&format!("shadowdiff coordinator: listening on {address}, state at {state_url}"));
    let (last_words, mut stopping) = watch::channel(false);
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .max_concurrent_streams(MAX_STREAMS)
        .add_service(health)
        .add_service(reflection)
        .add_service(older)
        .add_service(jobs_service(Arc::clone(&cluster)))
        .add_service(workers_service(Arc::clone(&cluster)))
        .serve_with_incoming_shutdown(BoundedListener::new(listener, Limits::of_service()).incoming(), async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        });
    let (watched, stopped) = (Arc::clone(&cluster), cluster);
    let ending = async {
        let _ = stop.wait_for(|stop| *stop).await;
        tell(&reporter, ServingStatus::NotServing).await;
        let _ = tokio::time::timeout(SHUTDOWN_GRACE, stopped.stop()).await;
        tokio::time::sleep(args.grace).await;
        last_words.send_replace(true);
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    };
    tokio::select! {
        served = server => served.map_err(|e| Error::unavailable(format!("{address}: {e}"))),
        () = ending => Ok(()),
        fault = watched.faulted() => Err(fault.advice("the coordinator ends, its jobs go on at the next one")),
    }
}

/// Takes up what the state store holds, says ready, and removes what is over from time to time.
async fn adopt(cluster: Arc<Cluster>, reporter: HealthReporter) {
    loop {
        match cluster.recover().await {
            Ok(taken) => {
                tracing::info!(jobs = taken, "unfinished jobs taken up");
                break;
            }
            Err(error) => {
                tracing::error!("the state store does not answer: {error}");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
    }
    tell(&reporter, ServingStatus::Serving).await;
    cluster.supervise("the look at other coordinators", Arc::clone(&cluster).run_heartbeat());
    cluster.sweep().await;
}

/// Liveness depends on nothing but the process; readiness follows `status`.
async fn tell(reporter: &HealthReporter, status: ServingStatus) {
    reporter.set_service_status("liveness", ServingStatus::Serving).await;
    for name in ["", "readiness", "shadowdiff.v1.JobService", "shadowdiff.v1.WorkerService"] {
        reporter.set_service_status(name, status).await;
    }
}

fn options(args: &CoordinatorArgs, scratch: &Scratch) -> Result<Options> {
    let drawn = u128::from_le_bytes(random_bytes()?);
    Ok(Options {
        owner: format!("{}-{drawn:032x}", host_name()),
        keep: args.keep,
        max_jobs: args.max_jobs,
        scratch: scratch.path().to_owned(),
        shards: args.shards,
        form: args.exchange.form(),
        part_bytes: PART_BYTES,
        listener: listener(args.notify.as_deref())?,
    })
}

pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|e| Error::input(format!("{address}: {e}")).advice("give another address"))
}

/// Workers open the state by what they are told: a local path must not start at the coordinator's folder.
fn absolute(state: &str, here: &Path) -> Result<String> {
    match Location::parse(state, here)? {
        Location::Local(path) => Ok(path.to_string_lossy().into_owned()),
        Location::Object { .. } => Ok(state.to_owned()),
    }
}

/// The host's or the pod's name.
pub(crate) fn host_name() -> String {
    let known = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = known.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "unnamed".into())
}
