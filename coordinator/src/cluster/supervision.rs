//! Tasks that a coordinator cannot do without: when one of them panics, the process says so and ends, and the next one goes on.
//!
//! A coordinator whose scheduler is gone would answer clients, call itself healthy, and run nothing.

use shadowdiff_common::tasks::{caught, spawn};
use shadowdiff_core::error::Error;
use tokio::sync::watch;

/// Notices what ends that must not.
#[derive(Debug, Clone)]
pub(crate) struct Supervisor {
    fault: watch::Sender<Option<Error>>,
}

impl Default for Supervisor {
    fn default() -> Self {
        Supervisor {
            fault: watch::channel(None).0,
        }
    }
}

impl Supervisor {
    /// Runs a task whose panic is the end of the process.
    pub(crate) fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let fault = self.fault.clone();
        spawn(name, async move {
            let Err(error) = caught(name, task).await else { return };
            tracing::error!("{error}");
            // The first one tells why; others may follow from it.
            fault.send_if_modified(|first| first.is_none() && first.replace(error).is_none());
        });
    }

    /// Waits until such a task has panicked, and says why.
    pub(crate) async fn faulted(&self) -> Error {
        let mut fault = self.fault.subscribe();
        let found = fault.wait_for(Option::is_some).await;
        let error = found.ok().and_then(|found| found.clone());
        error.unwrap_or_else(|| Error::internal("the supervisor is gone"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_with_its_name_and_the_first_one_counts() {
        let supervisor = Supervisor::default();
        supervisor.spawn("one that ends", async {});
        supervisor.spawn("the scheduler", async { panic!("no {}", "slot") });
        assert_eq!(
            supervisor.faulted().await,
            Error::internal("the scheduler panicked: no slot").advice("please report it")
        );
        supervisor.spawn("another", async { panic!("later") });
        tokio::task::yield_now().await;
        assert!(supervisor.faulted().await.to_string().starts_with("the scheduler"));
    }
}
