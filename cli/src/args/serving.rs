//! The flags of the commands that serve: coordinator and worker.

use super::ExchangeArgs;
use super::values::{duration, size};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct CoordinatorArgs {
    /// Address for clients and workers, such as 0.0.0.0:7400
    #[arg(long, env = "SHADOWDIFF_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:7400")]
    pub(crate) listen: SocketAddr,
    /// Where jobs are kept: s3://bucket/prefix, gs://…, az://…, or a directory that all workers share
    #[arg(long, env = "SHADOWDIFF_STATE", value_name = "URL")]
    pub(crate) state: String,
    /// How long jobs are kept after their end, such as 12h or 7d
    #[arg(long, env = "SHADOWDIFF_KEEP", value_name = "TIME", default_value = "7d", value_parser = duration)]
    pub(crate) keep: Duration,
    /// Unfinished jobs beyond which no more are taken
    #[arg(long, env = "SHADOWDIFF_MAX_JOBS", value_name = "N", default_value_t = 100)]
    pub(crate) max_jobs: usize,
    /// Address for metrics over HTTP [default: none]
    #[arg(long, env = "SHADOWDIFF_METRICS", value_name = "ADDRESS")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Into how many shards the rows left after cancelling are divided [default: by the size of the data]
    #[arg(long, env = "SHADOWDIFF_SHARDS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) shards: Option<u32>,
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
    /// Directory where results are merged [default: the system's temporary directory]
    #[arg(long, env = "SHADOWDIFF_SCRATCH", value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    /// Tell this address when a job has ended: an HTTP POST of a CloudEvent [default: nobody]
    #[arg(long, env = "SHADOWDIFF_NOTIFY", hide_env_values = true, value_name = "URL")]
    pub(crate) notify: Option<String>,
    /// How long to go on serving after SIGTERM, while clients move to another coordinator
    #[arg(long, env = "SHADOWDIFF_GRACE", value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) grace: Duration,
    /// What to log to stderr, such as `info` or `shadowdiff_coordinator=debug`
    #[arg(long, env = "SHADOWDIFF_LOG", value_name = "FILTER", default_value = "info,object_store=warn")]
    pub(crate) log: String,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// The coordinator, such as http://localhost:7400
    #[arg(long, env = "SHADOWDIFF_COORDINATOR", value_name = "URL", default_value = "http://127.0.0.1:7400")]
    pub(crate) coordinator: String,
    /// Tasks that run at a time [default: the number of cores]
    #[arg(long, env = "SHADOWDIFF_SLOTS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) slots: Option<u16>,
    /// Memory to use, such as 512MiB or 8GB [default: half of what the machine or container has]
    #[arg(long, env = "SHADOWDIFF_MEMORY", value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<u64>,
    /// Directory for what does not fit the memory [default: the system's temporary directory]
    #[arg(long, env = "SHADOWDIFF_SCRATCH", value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    /// Name in messages [default: the host's name]
    #[arg(long, env = "SHADOWDIFF_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Address for health checks over gRPC [default: none]
    #[arg(long, env = "SHADOWDIFF_HEALTH", value_name = "ADDRESS")]
    pub(crate) health: Option<SocketAddr>,
    /// How long running tasks may take to end after SIGTERM; then they are handed back
    #[arg(long, env = "SHADOWDIFF_DRAIN", value_name = "TIME", default_value = "4m", value_parser = duration)]
    pub(crate) drain: Duration,
    /// What to log to stderr, such as `info` or `shadowdiff_worker=debug`
    #[arg(long, env = "SHADOWDIFF_LOG", value_name = "FILTER", default_value = "info,object_store=warn")]
    pub(crate) log: String,
}
