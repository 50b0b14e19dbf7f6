//! What the user or the system asks of this process by signals.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// True once somebody asks to stop.
pub(crate) fn watch_signals() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        sender.send_replace(true);
        // Nobody listening any more is fine.
        sender.closed().await;
    });
    receiver
}
