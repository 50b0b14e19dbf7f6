//! Jobs for programs: what `--json` of `list`, `status` and `watch` prints. Fields are added, never renamed.

use super::{has_ended, verdict};
use serde_json::{Value, json};
use shadowdiff_core::error::Error;
use shadowdiff_core::verdict::Verdict;
use shadowdiff_proto::v1::{Job, JobError, Progress};
use std::collections::BTreeMap;

/// One job: what is not known, or not yet, is null.
pub(super) fn job(job: &Job) -> Value {
    json!({
        "job": job.id,
        "state": word(job.state().as_str_name(), "JOB_STATE_"),
        "verdict": verdict(job).map(Verdict::name),
        "title": job.title,
        "labels": job.labels.iter().collect::<BTreeMap<_, _>>(),
        "priority": job.priority,
        "max_running": Some(job.max_running).filter(|n| *n > 0),
        "created_at": job.created_at.map(|at| at.to_string()),
        "ended_at": job.ended_at.map(|at| at.to_string()),
        "progress": job.progress.filter(|_| !has_ended(job)).map(progress),
        "error": job.error.as_ref().map(error),
        "failed_attempts": job.failed_attempts.iter().map(|failed| json!({
            "task": failed.task,
            "worker": failed.worker,
            "error": failed.error.as_ref().map(error),
        })).collect::<Vec<Value>>(),
        "warnings": job.warnings,
        "requests": job.requests.map(|r| json!({"reads": r.reads, "writes": r.writes})),
        "files": job.files.iter().map(|file| json!({
            "name": file.name,
            "size_bytes": file.size_bytes,
            "sha256": file.sha256,
        })).collect::<Vec<Value>>(),
    })
}

/// One job of a list, which does not tell of attempts and warnings.
pub(super) fn job_of_list(of: &Job) -> Value {
    let mut told = job(of);
    for unknown in ["failed_attempts", "warnings"] {
        told[unknown] = Value::Null;
    }
    told
}

fn progress(of: Progress) -> Value {
    json!({
        "tasks": of.tasks,
        "tasks_done": of.tasks_done,
        "tasks_running": of.tasks_running,
        "rows": of.rows,
        "rows_all": Some(of.rows_all).filter(|n| *n > 0),
        "bytes_all": of.bytes_all,
        "retries": of.retries,
        "workers": of.workers,
        "seconds_left": of.time_left.map(|left| left.seconds),
    })
}

fn error(of: &JobError) -> Value {
    let parts = |error: &Error| json!({"place": error.place, "what": error.what, "advice": error.advice});
    let mistakes = (!of.mistakes.is_empty()).then(|| Error::from(of).each().map(parts).collect::<Vec<_>>());
    json!({"kind": of.kind, "message": of.message, "mistakes": mistakes})
}

/// `succeeded` of `JOB_STATE_SUCCEEDED`.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_proto::v1::JobState;

    #[test]
    fn the_fields_of_a_job() {
        let mut given = Job {
            id: "daily".into(),
            title: "a, b".into(),
            priority: 1,
            progress: Some(Progress {
                tasks: 3,
                tasks_done: 1,
                rows: 7,
                ..Progress::default()
            }),
            ..Job::default()
        };
        given.set_state(JobState::Scanning);
        let shown = job(&given);
        assert_eq!(
            (&shown["job"], &shown["state"], &shown["verdict"]),
            (&json!("daily"), &json!("scanning"), &Value::Null)
        );
        assert_eq!(
            shown["progress"],
            json!({"tasks": 3, "tasks_done": 1, "tasks_running": 0, "rows": 7, "rows_all": null, "bytes_all": 0, "retries": 0,
                "workers": 0, "seconds_left": null})
        );
        given.set_state(JobState::Succeeded);
        given.set_verdict(shadowdiff_proto::v1::Verdict::Fail);
        let shown = job(&given);
        assert_eq!(
            (&shown["state"], &shown["verdict"], &shown["progress"]),
            (&json!("succeeded"), &json!("fail"), &Value::Null)
        );
        let fields: Vec<&String> = shown.as_object().expect("an object").keys().collect();
        assert_eq!(fields.len(), 15, "{fields:?}");
    }
}
