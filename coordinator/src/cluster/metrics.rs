//! Metrics for Prometheus, in its text format (version 0.0.4).

use super::Cluster;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use std::fmt::Write;
use std::sync::Arc;

/// `/metrics` of this cluster.
pub fn metrics_page(cluster: Arc<Cluster>) -> Router {
    let page = move || {
        let cluster = Arc::clone(&cluster);
        async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text(&cluster).await) }
    };
    Router::new().route("/metrics", get(page))
}

async fn text(cluster: &Cluster) -> String {
    let counts = cluster.counts().await;
    let gauges = [
        (
            "shadowdiff_tasks_runnable",
            "Tasks that run or could run now, had they a slot.",
            counts.runnable,
        ),
        ("shadowdiff_tasks_running", "Tasks that run now.", counts.running),
        ("shadowdiff_workers", "Workers that are attached.", counts.workers),
        (
            "shadowdiff_workers_aside",
            "Workers that take no tasks for a time: theirs fail where others' do not.",
            counts.aside,
        ),
        ("shadowdiff_slots", "Slots of the attached workers.", counts.slots),
        ("shadowdiff_jobs_unfinished", "Jobs that have not ended.", cluster.unfinished()),
    ];
    let mut out = String::new();
    for (name, help, value) in gauges {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
    out
}
