//! A spawned task whose panic nobody sees leaves a process that lives on without it.

use super::{report, sources};

/// Where a bare spawn stands, and why nobody has to see its end.
const PLACES: &[(&str, &str)] = &[
    ("coordinator/src/cluster/supervision.rs", "this is what supervises"),
    (
        "coordinator/src/cluster/jobs_service.rs",
        "the stream of one client, which sees its end",
    ),
    (
        "coordinator/src/cluster/workers_service.rs",
        "the stream of one worker, which sees its end",
    ),
];

#[test]
fn what_a_coordinator_spawns_is_supervised() {
    let code = sources("rs");
    let spawning = |source: &&super::Source| {
        source.path.starts_with("coordinator/")
            && !source.path.contains("/simulation")
            && source.product_lines().any(|(_, line)| line.contains("tokio::spawn("))
    };
    let found: Vec<&str> = code.iter().filter(spawning).map(|source| source.path.as_str()).collect();
    let is_listed = |path: &str| PLACES.iter().any(|(place, _)| *place == path);
    let mut broken: Vec<String> = found
        .iter()
        .filter(|path| !is_listed(path))
        .map(|path| format!("{path}: spawn by the supervisor, so that a panic is seen"))
        .collect();
    let gone = PLACES.iter().filter(|(place, _)| !found.contains(place));
    broken.extend(gone.map(|(place, _)| format!("{place}: spawns nothing now; take it off the list")));
    report(broken);
}
