//! Why something does not go on here: what a driver and what a client are told.

use shadowdiff_core::error::Error;
use std::fmt;

/// Why a job does not go on at this coordinator.
#[derive(Debug, Clone)]
pub(crate) enum StopReason {
    /// Another coordinator has taken it.
    Superseded,
    /// This coordinator ends; the job is left as it is, for the next one.
    Stopped,
    /// It has failed, or was cancelled.
    Failed(Error),
}

impl From<Error> for StopReason {
    fn from(error: Error) -> Self {
        StopReason::Failed(error)
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::Superseded => f.write_str("another coordinator has taken the job"),
            StopReason::Stopped => f.write_str("the coordinator stops"),
            StopReason::Failed(error) => error.fmt(f),
        }
    }
}

impl StopReason {
    /// For somebody who asked for something: the job goes on elsewhere, so asking again helps.
    pub(crate) fn into_error(self) -> Error {
        match self {
            StopReason::Superseded | StopReason::Stopped => Error::unavailable(self.to_string()),
            StopReason::Failed(error) => error,
        }
    }
}

/// Why a client does not get what it asked for.
#[derive(Debug, Clone)]
pub enum RequestError {
    /// The token names a job with another content.
    Taken(String),
    /// There is no such job.
    Missing(String),
    Failed(Error),
}

impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        RequestError::Failed(error)
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Taken(token) => write!(
                f,
                "token: `{token}` names a job with another content; draw another token, or submit the same content"
            ),
            RequestError::Missing(id) => write!(
                f,
                "job_id: there is no job `{id}`; it may have been removed since, or its id is misspelled"
            ),
            RequestError::Failed(error) => error.fmt(f),
        }
    }
}

impl RequestError {
    /// Why, in a word for programs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            RequestError::Taken(_) => "already_exists",
            RequestError::Missing(_) => "not_found",
            RequestError::Failed(error) => error.kind.name(),
        }
    }
}
