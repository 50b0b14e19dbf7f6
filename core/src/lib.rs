//! What shadowdiff decides, and nothing else: no I/O, no clock, no chance, no threads.
//!
//! No modules use each other in a circle: `tidy` looks.

pub mod acceptance;
pub mod accounts;
pub mod align;
pub mod compact;
pub mod compare;
pub mod difference;
pub mod drawn;
pub mod error;
pub mod journal;
pub mod judge;
pub mod mask;
pub mod mix;
pub mod nearest;
pub mod noise;
pub mod notice;
pub mod patterns;
pub mod plan;
pub mod planted;
pub mod profile;
pub mod redact;
pub mod rejudge;
pub mod render;
pub mod report;
pub mod requests;
pub mod rollout;
pub mod row;
pub mod run_diff;
pub mod run_history;
pub mod schedule;
pub mod shorten;
pub mod side;
pub mod sketch;
pub mod spec;
pub mod sql_text;
pub mod stage;
pub mod suggest;
pub mod suite_summary;
pub mod tally;
pub mod tolerance_use;
pub mod totals;
pub mod value;
pub mod verdict;
mod words;
pub mod yaml;
