//! Named points where tests make a process fail. In the product nothing is installed, and a point does nothing.
//!
//! The switch itself (which point, how to fail) is code of the tests: a program of theirs installs it before it runs the command line.

use shadowdiff_core::stage::Stage;
use std::sync::OnceLock;

static HOOK: OnceLock<fn(&str)> = OnceLock::new();

/// Lets `hook` be called at every point from now on; the first hook stays.
pub fn install(hook: fn(&str)) {
    let _ = HOOK.set(hook);
}

/// A point where a process may fail.
pub fn point(name: &str) {
    if let Some(hook) = HOOK.get() {
        hook(name);
    }
}

/// A point in a task of a stage: `<stage>:<name>`.
pub fn stage_point(stage: Stage, name: &str) {
    if HOOK.get().is_some() {
        point(&format!("{stage}:{name}"));
    }
}
