//! Tasks and threads beside the one that starts them: whoever panics in one is told with its name. Nothing is spawned elsewhere.

use futures::FutureExt;
use shadowdiff_core::error::{Error, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Does `work`; a panic in it is an error that names it.
pub async fn caught<T>(what: &str, work: impl Future<Output = T>) -> Result<T> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.map_err(|panic| panicked(what, panic.as_ref()))
}

/// Runs a task beside this one; its panic is logged, and whoever waits for what it would have sent sees that it is gone.
#[expect(clippy::disallowed_methods, reason = "this is where tasks are spawned")]
pub fn spawn(what: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = caught(what, task).await {
            tracing::error!("{error}");
        }
    })
}

/// Does what blocks on a thread for it, and waits.
#[expect(clippy::disallowed_methods, reason = "this is where threads for blocking work are taken")]
pub async fn blocking<T: Send + 'static>(what: &'static str, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(move || stopped(what, work)).await;
    done.unwrap_or_else(|e| Err(panicked(what, &e.to_string())))
}

/// Does what blocks on a thread for it, and hands on there what comes out.
#[expect(clippy::disallowed_methods, reason = "this is where threads for blocking work are taken")]
pub fn blocking_beside<T>(
    runtime: &Handle,
    what: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
    then: impl FnOnce(Result<T>) + Send + 'static,
) {
    runtime.spawn_blocking(move || then(stopped(what, work)));
}

type Work = Box<dyn FnOnce() + Send>;

/// Threads that do what blocks, one thing after the other. Few of them that stay hold less memory than many in turns: each keeps some for what
/// comes next.
#[derive(Debug)]
pub struct Threads {
    queue: SyncSender<Work>,
}

impl Threads {
    /// Starts `count` of them; they end when this is dropped and what they have begun is done.
    pub fn start(name: &str, count: usize) -> Result<Threads> {
        let (queue, work) = sync_channel::<Work>(count.max(1));
        let work = Arc::new(Mutex::new(work));
        for number in 0..count.max(1) {
            let work = Arc::clone(&work);
            let next = move || work.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let started = std::thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || std::iter::from_fn(|| next().ok()).for_each(|work| work()));
            started.map_err(|e| Error::exhausted(format!("no threads can be started: {e}")))?;
        }
        Ok(Threads { queue })
    }

    /// Does what blocks on the next free thread, and hands on there what comes out; waits where more waits than there are threads.
    pub fn run<T>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
        then: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        let sent = self.queue.send(Box::new(move || then(stopped(what, work))));
        sent.expect("the threads live as long as their queue");
    }
}

/// A panic in `work` stops there.
fn stopped<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(what, panic.as_ref())))
}

/// The error of what has panicked.
pub fn panicked(what: &str, panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(format!("{what} panicked: {}", text.unwrap_or("no message"))).advice("please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_with_its_name_wherever_it_happens() {
        let expected = "a task panicked: no 7; please report it";
        let told = |done: Result<()>| done.expect_err("it panicked").to_string();
        assert_eq!(told(caught("a task", async { panic!("no {}", 7) }).await), expected);
        assert_eq!(told(blocking("a task", || panic!("no {}", 7)).await), expected);
        let (sender, receiver) = sync_channel(1);
        let then = move |done: Result<()>| sender.send(told(done)).expect("somebody waits");
        blocking_beside(&Handle::current(), "a task", || panic!("no {}", 7), then.clone());
        assert_eq!(receiver.recv().expect("it is handed on"), expected);
        let threads = Threads::start("task", 1).expect("a thread");
        threads.run("a task", || panic!("no {}", 7), then);
        assert_eq!(receiver.recv().expect("it is handed on"), expected);
        spawn("a task", async { panic!("no {}", 7) })
            .await
            .expect("the panic stopped before");
        assert_eq!(blocking("a task", || Ok(8)).await.expect("it is done"), 8);
    }
}
