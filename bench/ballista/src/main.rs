//! Ballista as it comes, with its support for S3: `scheduler …` and `executor …` take the options of its own programs,
//! `client URL LIVE SHADOW QUERY` lets it compare. For each line of its input, the folder of a result, the client
//! registers both sides anew, writes what the query in the file QUERY gives as CSV, and says `done` or what went wrong.

use std::error::Error;
use std::io::{BufRead, Write};
use std::sync::Arc;

use ballista::prelude::{SessionConfigExt, SessionContextExt};
use ballista_core::object_store::{runtime_env_with_s3_support, session_config_with_s3_support, session_state_with_s3_support};
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use clap::Parser;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use tracing_subscriber::EnvFilter;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// As in Ballista's own scheduler: planning takes deep stacks.
const STACK_BYTES: usize = 32 << 20;

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().collect();
    if arguments.len() < 2 {
        return Err("say scheduler, executor or client".into());
    }
    let role = arguments.remove(1);
    let log = EnvFilter::new("info,datafusion=info");
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter(log)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()?;
    runtime.block_on(async {
        match role.as_str() {
            "scheduler" => scheduler(arguments).await,
            "executor" => executor(arguments).await,
            "client" => client(&arguments).await,
            other => Err(format!("{other} is none of scheduler, executor and client").into()),
        }
    })
}

async fn scheduler(arguments: Vec<String>) -> Result<()> {
    let options = ballista_scheduler::config::Config::parse_from(arguments);
    let address = format!("{}:{}", options.bind_host, options.bind_port).parse()?;
    let config: SchedulerConfig = options.try_into()?;
    let config = config
        .with_override_config_producer(Arc::new(session_config_with_s3_support))
        .with_override_session_builder(Arc::new(session_state_with_s3_support));
    let cluster = BallistaCluster::new_from_config(&config).await?;
    Ok(start_server(cluster, address, Arc::new(config)).await?)
}

async fn executor(arguments: Vec<String>) -> Result<()> {
    let mut config: ExecutorProcessConfig = ballista_executor::config::Config::parse_from(arguments).try_into()?;
    config.override_config_producer = Some(Arc::new(session_config_with_s3_support));
    config.override_runtime_producer = Some(Arc::new(runtime_env_with_s3_support));
    Ok(start_executor_process(Arc::new(config)).await?)
}

async fn client(arguments: &[String]) -> Result<()> {
    let [_, url, live, shadow, query] = arguments else {
        return Err("client URL LIVE SHADOW QUERY".into());
    };
    let query = std::fs::read_to_string(query)?;
    let config = session_config_with_s3_support()
        .with_target_partitions(PARTITIONS)
        .with_ballista_job_name("comparison");
    let context = SessionContext::remote_with_state(url, session_state_with_s3_support(config)?).await?;
    say("ready")?;
    for output in std::io::stdin().lock().lines() {
        match compare(&context, live, shadow, &query, &output?).await {
            Ok(()) => say("done")?,
            Err(problem) => say(&format!("failed: {}", problem.to_string().replace('\n', " ")))?,
        }
    }
    Ok(())
}

/// Two tasks for each of the cluster's slots of a stage, and some more so that a slot that ends early finds work.
const PARTITIONS: usize = 8;

async fn compare(context: &SessionContext, live: &str, shadow: &str, query: &str, output: &str) -> Result<()> {
    for (table, place) in [("live_rows", live), ("shadow_rows", shadow)] {
        context.deregister_table(table)?;
        context.register_parquet(table, place, ParquetReadOptions::default()).await?;
    }
    let copy = format!("COPY ({query}) TO '{output}' STORED AS CSV OPTIONS ('format.has_header' 'true')");
    context.sql(&copy).await?.collect().await?;
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
