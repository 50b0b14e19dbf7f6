//! The product with two switches that only tests have: `SHADOWDIFF_FAULT=point=action[@n]` kills or stops the process when it comes to a named
//! point for the n-th time, and `SHADOWDIFF_LIMITS=seed` gives its tasks the small limits of that seed.

use shadowdiff::TaskLimits;
use shadowdiff_common::fault;
use shadowdiff_tests::limits;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// What happens where.
struct Plan {
    point: String,
    action: String,
    at: u32,
}

static PLAN: OnceLock<Plan> = OnceLock::new();
static SEEN: AtomicU32 = AtomicU32::new(0);

fn main() -> ExitCode {
    if let Ok(text) = std::env::var("SHADOWDIFF_FAULT") {
        let (point, rest) = text.split_once('=').expect("point=action[@n]");
        let (action, at) = rest.split_once('@').unwrap_or((rest, "1"));
        let plan = Plan {
            point: point.to_owned(),
            action: action.to_owned(),
            at: at.parse().expect("a number after @"),
        };
        let _ = PLAN.set(plan);
        fault::install(meet);
    }
    let seed = std::env::var("SHADOWDIFF_LIMITS").ok();
    let limits = seed.map(|text| limits::drawn(text.parse().expect("a seed is a number")));
    shadowdiff::main_within(limits.unwrap_or(TaskLimits::PRODUCT))
}

fn meet(point: &str) {
    let Some(plan) = PLAN.get().filter(|plan| plan.point == point) else {
        return;
    };
    if SEEN.fetch_add(1, Ordering::SeqCst) + 1 != plan.at {
        return;
    }
    match plan.action.as_str() {
        // As a kill from outside: nothing is cleaned up.
        "kill" => std::process::abort(),
        "panic" => panic!("a fault at {point}"),
        "sleep" => std::thread::sleep(std::time::Duration::from_secs(30)),
        other => panic!("no action is called {other}"),
    }
}
