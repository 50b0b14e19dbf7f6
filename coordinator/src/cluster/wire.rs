//! Between messages and our own types: views go out, orders come in, errors become statuses with details.

use super::{FailedAttempt, JobPhase, JobRequest, JobView, RequestError};
use prost_types::{Duration, Struct, Timestamp, Value, value};
use shadowdiff_core::error::{Error, Kind, Place, Result};
use shadowdiff_core::shorten::shortened;
use shadowdiff_core::verdict::Verdict;
use shadowdiff_proto::v1;
use std::collections::{BTreeMap, HashMap};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// A status travels in headers, which clients take up to 8 KiB of: the text twice, encoded, and the violations.
const MAX_STATUS_BYTES: usize = 900;
const MAX_VIOLATIONS: usize = 20;
const MAX_VIOLATION_BYTES: usize = 120;

/// What a client should wait before it tries again.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(5);

/// How much of a job is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Neither warnings nor attempts that failed.
    Basic,
    Full,
}

/// The job as it is sent; `workers` are attached now.
pub(crate) fn job(view: &JobView, workers: usize, detail: Detail) -> v1::Job {
    let (failures, warnings) = match detail {
        Detail::Basic => (Vec::new(), Vec::new()),
        Detail::Full => (view.failures.iter().map(failed_attempt).collect(), view.warnings.clone()),
    };
    v1::Job {
        id: view.id.clone(),
        token: view.id.clone(),
        state: state(view.phase).into(),
        verdict: match view.verdict {
            Some(Verdict::Pass) => v1::Verdict::Pass,
            Some(Verdict::Fail) => v1::Verdict::Fail,
            None => v1::Verdict::Unspecified,
        }
        .into(),
        created_at: Some(timestamp(view.submitted.created_ms)),
        ended_at: view.ended_ms.map(timestamp),
        progress: Some(v1::Progress {
            tasks: view.progress.tasks as u32,
            tasks_done: view.progress.done as u32,
            tasks_running: view.progress.running as u32,
            rows: view.progress.rows,
            rows_all: view.rows_all.unwrap_or(0),
            bytes_all: view.stored_bytes,
            retries: view.progress.retries,
            workers: workers as u32,
            time_left: view.progress.left_ms.map(|ms| Duration {
                seconds: (ms / 1000) as i64,
                nanos: (ms % 1000 * 1_000_000) as i32,
            }),
        }),
        requests: Some(v1::Requests {
            reads: view.requests.reads,
            writes: view.requests.writes,
        }),
        error: view.error.as_ref().map(v1::JobError::from),
        failed_attempts: failures,
        warnings,
        files: view
            .files
            .iter()
            .map(|(name, mark)| v1::ResultFile {
                name: name.to_string(),
                size_bytes: mark.size_bytes,
                sha256: mark.sha256.clone(),
            })
            .collect(),
        title: view.submitted.title.clone(),
        priority: view.submitted.priority,
        max_running: view.submitted.max_running,
        labels: view.submitted.labels.clone().into_iter().collect(),
    }
}

pub(crate) fn state(phase: JobPhase) -> v1::JobState {
    match phase {
        JobPhase::Planning => v1::JobState::Planning,
        JobPhase::Queued => v1::JobState::Queued,
        JobPhase::Scanning => v1::JobState::Scanning,
        JobPhase::Comparing => v1::JobState::Comparing,
        JobPhase::Merging => v1::JobState::Merging,
        JobPhase::Succeeded => v1::JobState::Succeeded,
        JobPhase::Failed => v1::JobState::Failed,
        JobPhase::Cancelled => v1::JobState::Cancelled,
    }
}

/// Why there is no result, in words.
pub(crate) fn phase_words(view: &JobView) -> String {
    match (view.phase, &view.error) {
        (JobPhase::Failed, Some(error)) => format!("it failed: {error}"),
        (JobPhase::Failed, None) => "it failed".into(),
        (JobPhase::Cancelled, _) => "it was cancelled".into(),
        (_, _) => "it has not ended yet".into(),
    }
}

fn failed_attempt(failed: &FailedAttempt) -> v1::FailedAttempt {
    v1::FailedAttempt {
        task: failed.task.clone(),
        worker: failed.worker.clone(),
        error: Some((&failed.error).into()),
    }
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: (ms.rem_euclid(1000) * 1_000_000) as i32,
    }
}

/// The labels of a message.
///
/// # Errors
/// Labels that are too many, or that a list or a metric could not show as they are.
pub(crate) fn labels(given: HashMap<String, String>) -> Result<BTreeMap<String, String>> {
    const MAX_LABELS: usize = 16;
    const MAX_CHARACTERS: usize = 100;
    let is_plain = |text: &str| {
        (1..=MAX_CHARACTERS).contains(&text.chars().count()) && text.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c))
    };
    let wrong = given
        .iter()
        .flat_map(|(name, value)| [name, value])
        .filter(|text| !is_plain(text))
        .min();
    if let Some(text) = wrong {
        return Err(
            Error::spec(format!("`{}` cannot be a label or its value", shortened(text, MAX_CHARACTERS)))
                .field("labels")
                .advice(format!("write 1 to {MAX_CHARACTERS} letters, digits, `-`, `_`, `.` or `/`")),
        );
    }
    if given.len() > MAX_LABELS {
        return Err(Error::spec(format!("are {}", given.len()))
            .field("labels")
            .advice(format!("give at most {MAX_LABELS}")));
    }
    Ok(given.into_iter().collect())
}

/// What a message orders.
pub(crate) fn order(spec: Option<v1::Spec>) -> Result<JobRequest> {
    let spec = spec.ok_or_else(|| Error::spec("is missing").field(SPEC))?;
    let (text, is_document) = match spec.content {
        Some(v1::spec::Content::Text(text)) => (text, false),
        Some(v1::spec::Content::Document(document)) => (document_value(document)?.to_string(), true),
        None => return Err(Error::spec("has no content").field(SPEC).advice("give `text` or `document`")),
    };
    let mut variables: Vec<(String, String)> = spec.variables.into_iter().collect();
    variables.sort();
    Ok(JobRequest {
        text,
        is_document,
        variables,
        base: (!spec.base.is_empty()).then_some(spec.base),
        ..JobRequest::default()
    })
}

fn document_value(document: Struct) -> Result<serde_json::Value> {
    let members: Result<serde_json::Map<String, serde_json::Value>> = document
        .fields
        .into_iter()
        .map(|(name, value)| Ok((name.clone(), json(value, &name)?)))
        .collect();
    members.map(serde_json::Value::Object)
}

fn json(value: Value, name: &str) -> Result<serde_json::Value> {
    use serde_json::Value as Json;
    Ok(match value.kind {
        None | Some(value::Kind::NullValue(_)) => Json::Null,
        Some(value::Kind::BoolValue(b)) => Json::Bool(b),
        Some(value::Kind::StringValue(text)) => Json::String(text),
        Some(value::Kind::NumberValue(number)) => number_value(number, name)?,
        Some(value::Kind::ListValue(list)) => Json::Array(list.values.into_iter().map(|v| json(v, name)).collect::<Result<_>>()?),
        Some(value::Kind::StructValue(document)) => document_value(document)?,
    })
}

/// Whole numbers come as whole numbers: a message has no others than doubles.
fn number_value(number: f64, name: &str) -> Result<serde_json::Value> {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return Ok((number as i64).into());
    }
    serde_json::Number::from_f64(number)
        .map(serde_json::Value::Number)
        .ok_or_else(|| Error::spec(format!("{number} is not a number of a spec")).field(format!("{SPEC}.{name}")))
}

/// The status of a refusal, with its kind, a violation for each mistake, and when to try again.
pub(crate) fn status(refusal: impl Into<RequestError>) -> Status {
    let refusal = refusal.into();
    let code = match &refusal {
        RequestError::Taken(_) => Code::AlreadyExists,
        RequestError::Missing(_) => Code::NotFound,
        RequestError::Failed(error) => match error.kind {
            Kind::Spec => Code::InvalidArgument,
            Kind::Input => Code::FailedPrecondition,
            Kind::Exhausted => Code::ResourceExhausted,
            Kind::Internal => Code::Internal,
            // What is interrupted goes on elsewhere: whoever asks again reaches it.
            Kind::Unavailable | Kind::Interrupted => Code::Unavailable,
        },
    };
    let message = refusal.to_string();
    let mut details = ErrorDetails::with_error_info(refusal.reason(), "shadowdiff", HashMap::<String, String>::new());
    if let (Code::InvalidArgument, RequestError::Failed(error)) = (code, &refusal) {
        details.set_bad_request(error.each().take(MAX_VIOLATIONS).map(violation).collect::<Vec<_>>());
    }
    if matches!(code, Code::Unavailable | Code::ResourceExhausted) {
        details.set_retry_info(Some(RETRY_AFTER));
    }
    Status::with_error_details(code, shortened(&message, MAX_STATUS_BYTES), details)
}

/// The names under which the two forms of a spec are parsed: the files of their mistakes.
pub(crate) const TEXT: &str = "spec";
pub(crate) const DOCUMENT: &str = "document";
/// The field of requests that has the spec; paths in a spec are below it.
const SPEC: &str = "spec";
/// Fields of requests besides the spec.
const FIELDS: [&str; 7] = ["token", "job_id", "name", "offset", "states", "page_token", "view"];

/// The mistake as one of a field, named by its path in the request. A client that sent text is told line and column of it.
fn violation(error: &Error) -> FieldViolation {
    let place = &error.place;
    let field = match place.field.as_deref() {
        None => SPEC.to_owned(),
        Some(field) if FIELDS.contains(&field) || is_in_request(field) => field.to_owned(),
        Some(field) => format!("{SPEC}.{field}"),
    };
    let what = match (place.file.as_deref(), place.line, place.character) {
        (Some(TEXT), Some(line), Some(character)) => format!("line {line}, column {character}: {}", error.said()),
        (Some(TEXT | DOCUMENT) | None, _, _) => error.said(),
        // Another file than the spec, such as a list of accounts.
        (Some(_), _, _) => {
            let outside = Place {
                field: None,
                ..place.as_ref().clone()
            };
            format!("{outside}{}", error.said())
        }
    };
    FieldViolation::new(shortened(&field, MAX_VIOLATION_BYTES), shortened(&what, MAX_VIOLATION_BYTES))
}

/// Whether a path begins at the request, not in the spec: no field of a spec is called so.
fn is_in_request(field: &str) -> bool {
    field
        .strip_prefix(SPEC)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_the_spec_it_says() {
        let text = |text: &str| Value {
            kind: Some(value::Kind::StringValue(text.into())),
        };
        let number = |n: f64| Value {
            kind: Some(value::Kind::NumberValue(n)),
        };
        let document = Struct {
            fields: [
                ("live".to_owned(), text("s3://b/l")),
                ("n".to_owned(), number(3.0)),
                ("x".to_owned(), number(0.5)),
            ]
            .into(),
        };
        let spec = v1::Spec {
            content: Some(v1::spec::Content::Document(document)),
            ..v1::Spec::default()
        };
        let text: serde_json::Value = serde_json::from_str(&order(Some(spec)).expect("an order").text).expect("JSON");
        assert_eq!(text, serde_json::json!({"live": "s3://b/l", "n": 3, "x": 0.5}));
        assert!(order(None).is_err());
        assert!(order(Some(v1::Spec::default())).is_err());
    }

    #[test]
    fn a_status_fits_the_headers_that_clients_take() {
        let mistake = |n| {
            Error::spec("unknown field, é")
                .file(TEXT)
                .line(n)
                .character(1)
                .field(format!("field-{n}"))
        };
        let status = status(Error::all((0..2000).map(mistake).collect()).expect_err("many"));
        let headers = status.message().len() * 3 + status.details().len() * 4 / 3;
        assert!(headers < 8 << 10, "{headers} bytes");
        assert!(status.message().contains("more bytes"));
    }

    #[test]
    fn every_mistake_of_a_spec_is_a_violation_of_its_field() {
        let at = |what: &str, file: &str, line, character| Error::spec(what).file(file).line(line).character(character);
        let cases = [
            (
                at("unknown field", TEXT, 3, 1).field("liv").advice("did you mean `live`?"),
                "spec.liv",
                "line 3, column 1: unknown field; did you mean `live`?",
            ),
            (
                at("is a list", TEXT, 1, 2).field("columns.\"a b: c\""),
                "spec.columns.\"a b: c\"",
                "line 1, column 2: is a list",
            ),
            (at("is empty", DOCUMENT, 1, 40).field("key"), "spec.key", "is empty"),
            (
                at("is not an integer", "s3://b/list.csv", 3, 7).field("expected[1].accounts.file"),
                "spec.expected[1].accounts.file",
                "s3://b/list.csv:3:7: is not an integer",
            ),
            (
                Error::spec("column x: is missing").field("expected[1].where"),
                "spec.expected[1].where",
                "column x: is missing",
            ),
            (
                at("has no rows: is it a spec?", TEXT, 1, 1),
                "spec",
                "line 1, column 1: has no rows: is it a spec?",
            ),
            (Error::spec("has no content").field(SPEC), "spec", "has no content"),
            (Error::spec("is not absolute").field("spec.base"), "spec.base", "is not absolute"),
            (
                Error::spec("`a/b` cannot name a job").field("token"),
                "token",
                "`a/b` cannot name a job",
            ),
        ];
        let mistakes = cases.iter().map(|case| case.0.clone()).collect();
        let status = status(Error::all(mistakes).expect_err("mistakes"));
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        let violations = &details.bad_request().expect("a bad request").field_violations;
        assert_eq!(violations.len(), cases.len());
        for ((_, field, what), violation) in cases.iter().zip(violations) {
            assert_eq!((violation.field.as_str(), violation.description.as_str()), (*field, *what));
        }
        assert_eq!(details.error_info().expect("info").reason, "spec");
    }

    #[test]
    fn a_missing_job_has_a_reason_of_its_own() {
        for (refusal, code, reason) in [
            (RequestError::Missing("j".into()), Code::NotFound, "not_found"),
            (RequestError::Taken("j".into()), Code::AlreadyExists, "already_exists"),
        ] {
            let status = status(refusal);
            assert_eq!(status.code(), code);
            assert_eq!(status.get_error_details().error_info().expect("info").reason, reason);
        }
    }
}
