//! Every test that runs the product as its users do, in one binary that links once.

#[path = "all/accept.rs"]
mod accept;
#[path = "all/cases.rs"]
mod cases;
#[path = "all/cli.rs"]
mod cli;
#[path = "all/cluster.rs"]
mod cluster;
#[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
#[path = "all/conformance.rs"]
mod conformance;
#[path = "all/in_part.rs"]
mod in_part;
#[path = "all/judge.rs"]
mod judge;
#[path = "all/newcomer.rs"]
mod newcomer;
#[path = "all/noise.rs"]
mod noise;
#[path = "all/notify.rs"]
mod notify;
#[path = "all/pairs.rs"]
mod pairs;
#[path = "all/parsers.rs"]
mod parsers;
#[path = "all/patterns.rs"]
mod patterns;
#[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
#[path = "all/places.rs"]
mod places;
#[path = "all/power.rs"]
mod power;
#[path = "all/renderings.rs"]
mod renderings;
#[path = "all/requests.rs"]
mod requests;
#[path = "all/rollout.rs"]
mod rollout;
#[path = "all/row_groups.rs"]
mod row_groups;
#[path = "all/run_diff.rs"]
mod run_diff;
#[path = "all/shrink.rs"]
mod shrink;
#[path = "all/story.rs"]
mod story;
#[path = "all/suggest.rs"]
mod suggest;
#[path = "all/suite.rs"]
mod suite;
#[path = "all/table.rs"]
mod table;
#[path = "all/tidy.rs"]
mod tidy;
#[path = "all/totals.rs"]
mod totals;
