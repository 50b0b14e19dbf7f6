//! The coordinator as these commands see it; statuses become errors by what somebody does about them.

use crate::spec::SpecFile;
use shadowdiff_coordinator::refuse_secrets;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::spec::escaped;
use shadowdiff_proto::MAX_MESSAGE_BYTES;
use shadowdiff_proto::v1::job_service_client::JobServiceClient;
use shadowdiff_proto::v1::{
    CancelRequest, FetchResultRequest, FetchResultResponse, GetRequest, Job, JobState, ListRequest, Spec, SubmitRequest, WatchRequest,
    WatchResponse, spec,
};
use std::collections::HashMap;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

/// A person waits for the answer; what takes longer is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the coordinator is pinged, and how long it has for an answer: a stream may be silent for hours.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Jobs that a list asks for at a time: as many as a coordinator gives.
const PAGE: u32 = 1000;

/// A connection.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    url: String,
    client: JobServiceClient<Channel>,
}

impl Remote {
    pub(super) async fn connect(url: &str) -> Result<Remote> {
        if !url.starts_with("http://") {
            return Err(Error::spec(format!("--coordinator {url}: write http://HOST:PORT")).advice("encrypted connections are not offered"));
        }
        let endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|e| Error::spec(format!("--coordinator {url}: {e}")).advice("write http://HOST:PORT"))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE);
        let channel = endpoint.connect().await.map_err(|_| {
            Error::unavailable(format!("no coordinator answers at {url}")).advice("is it running, and is --coordinator right?")
        })?;
        let client = JobServiceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Ok(Remote {
            url: url.to_owned(),
            client,
        })
    }

    pub(super) async fn submit(&mut self, request: SubmitRequest) -> Result<Job> {
        let answer = self.client.submit(request).await.map_err(|status| self.error(&status))?;
        self.job(answer.into_inner().job)
    }

    pub(super) async fn get(&mut self, id: &str) -> Result<Job> {
        let request = GetRequest { job_id: id.to_owned() };
        let answer = self.client.get(request).await.map_err(|status| self.error(&status))?;
        self.job(answer.into_inner().job)
    }

    /// The jobs in one of these states, or all; with all of these labels.
    pub(super) async fn list(&mut self, states: &[JobState], labels: &[(String, String)]) -> Result<Vec<Job>> {
        let (mut jobs, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListRequest {
                page_size: PAGE,
                page_token,
                states: states.iter().map(|state| (*state).into()).collect(),
                labels: labels.iter().cloned().collect(),
                ..ListRequest::default()
            };
            let answer = self.client.list(request).await.map_err(|status| self.error(&status))?.into_inner();
            jobs.extend(answer.jobs);
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                return Ok(jobs);
            }
        }
    }

    pub(super) async fn cancel(&mut self, id: &str) -> Result<Job> {
        let request = CancelRequest { job_id: id.to_owned() };
        let answer = self.client.cancel(request).await.map_err(|status| self.error(&status))?;
        self.job(answer.into_inner().job)
    }

    pub(super) async fn watch(&mut self, id: &str) -> Result<Streaming<WatchResponse>> {
        let request = WatchRequest { job_id: id.to_owned() };
        let answer = self.client.watch(request).await.map_err(|status| self.error(&status))?;
        Ok(answer.into_inner())
    }

    pub(super) async fn fetch(&mut self, id: &str, name: &str, offset: u64) -> Result<Streaming<FetchResultResponse>> {
        let request = FetchResultRequest {
            job_id: id.to_owned(),
            name: name.to_owned(),
            offset,
        };
        let answer = self.client.fetch_result(request).await.map_err(|status| self.error(&status))?;
        Ok(answer.into_inner())
    }

    fn job(&self, job: Option<Job>) -> Result<Job> {
        job.ok_or_else(|| Error::internal(format!("coordinator {}: answered without a job", self.url)))
    }

    /// An error as the coordinator meant it: its kind comes along.
    pub(super) fn error(&self, status: &Status) -> Error {
        if let Some(info) = status.get_details_error_info()
            && info.domain == "shadowdiff"
        {
            let kind = match info.reason.as_str() {
                "not_found" | "already_exists" => Kind::Spec,
                kind => Kind::from_name(kind),
            };
            return Error::new(kind, status.message());
        }
        let kind = match status.code() {
            Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::Unimplemented => Kind::Spec,
            Code::FailedPrecondition => Kind::Input,
            Code::ResourceExhausted => Kind::Exhausted,
            Code::Cancelled => Kind::Interrupted,
            Code::Internal | Code::DataLoss => Kind::Internal,
            _ => Kind::Unavailable,
        };
        Error::new(kind, format!("coordinator {}: {}", self.url, status.message()))
    }
}

/// The spec as it is sent: what the command line says is in the document already. A local output is this machine's business, and
/// no secret leaves it.
pub(super) fn spec(found: &SpecFile) -> Result<Spec> {
    refuse_secrets(found.reads())?;
    let mut document = found.parsed.document.clone();
    if found.has_local_output()?
        && let Some(document) = document.as_object_mut()
    {
        let is_more_than_a_place = document
            .get_mut("output")
            .and_then(|output| output.as_object_mut())
            .is_some_and(|output| output.remove("to").is_some() && !output.is_empty());
        if !is_more_than_a_place {
            document.remove("output");
        }
    }
    Ok(Spec {
        content: Some(spec::Content::Text(escaped(&document))),
        variables: HashMap::new(),
        base: found.base.to_string_lossy().into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use shadowdiff_core::spec::{Overrides, parse, parse_again};

    #[test]
    fn a_document_that_is_sent_is_read_as_it_was() {
        let text = "live: a\nshadow: b\naccount: id\nwhere: \"x = '$${d}' or y = '${e}'\"\n";
        let set = Overrides {
            set: vec![("e".into(), "${f} $".into())],
            ..Overrides::default()
        };
        let here = parse(text, "here", &set).expect("a spec");
        let there = parse_again(&here.document, "there").expect("a spec");
        assert_eq!(here.spec, there.spec);
    }
}
