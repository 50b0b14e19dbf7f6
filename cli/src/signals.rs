//! What the user or the system asks of this process by signals.

use shadowdiff_common::tasks::spawn;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// True once somebody asks to stop: by Ctrl-C, SIGTERM, or by closing the terminal.
pub(crate) fn watch_signals() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    spawn("the watch of signals", async move {
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return;
        };
        let hang_up = async {
            if is_hang_up_ignored() {
                return std::future::pending().await;
            }
            match signal(SignalKind::hangup()) {
                Ok(mut hang_up) => hang_up.recv().await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
            _ = hang_up => {}
        }
        sender.send_replace(true);
        // Nobody listening any more is fine.
        sender.closed().await;
    });
    receiver
}

/// `nohup` starts a process that is to outlive its terminal; a handler would undo that.
fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_ignored(&status, SignalKind::hangup().as_raw_value())
}

/// `status` as in proc(5): a mask in hexadecimal, of which the lowest bit is signal 1.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_known() {
        for (status, signal, expected) in [
            ("Name:\tx\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000000000\n", 1, true),
            ("SigIgn:\t0000000000001000\n", 1, false),
            ("SigIgn:\t0000000000001000\n", 13, true),
            ("", 1, false),
        ] {
            assert_eq!(is_ignored(status, signal), expected, "{status}");
        }
    }
}
