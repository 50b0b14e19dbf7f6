//! What a result was held to: each threshold, rule and acceptance, and how it was broken.

use super::Summary;
use serde::{Deserialize, Serialize};

/// A threshold, a rule or an acceptance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The field of the spec that it stands in: `verdict`, `expected` or `accepted`.
    pub field: String,
    pub name: String,
    /// In words; empty if it was kept.
    pub broken: Vec<String>,
}

/// The checks of a result, in the order of the spec.
pub fn checks(summary: &Summary) -> Vec<Check> {
    let check = |field: &str, name: &str, broken: &[String]| Check {
        field: field.to_owned(),
        name: name.to_owned(),
        broken: broken.to_vec(),
    };
    let thresholds = summary.thresholds.iter().map(|of| check("verdict", &of.name, &of.broken));
    let rules = summary.rules.iter().map(|of| check("expected", &of.name, &of.broken));
    let accepted = summary
        .accepted
        .iter()
        .map(|of| check("accepted", &of.acceptance.pattern, &of.broken));
    let mut checks: Vec<Check> = thresholds.chain(rules).chain(accepted).collect();
    // A summary of an older version has no thresholds. What it says is broken fails all the same.
    let is_told = |broken: &String| checks.iter().any(|check| check.broken.contains(broken));
    let untold: Vec<&String> = summary.broken.iter().filter(|broken| !is_told(broken)).collect();
    checks.extend(untold.into_iter().map(|broken| {
        let name = broken.split(':').next().unwrap_or(broken);
        check("verdict", name, std::slice::from_ref(broken))
    }));
    checks
}
