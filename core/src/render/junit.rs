//! The verdict as test cases, in the JUnit XML that CIs read: one for each threshold of the spec, each rule, each acceptance.
//!
//! It keeps to what the layouts of Ant and of Jenkins have in common. Times are 0, as the bytes depend on the result alone; the time stamp is
//! the beginning of the day that `until` was compared with.

use super::markup::escape_html;
use super::words::{acceptance_bounds, acceptance_state, bounds, headline};
use super::{MARK, counted_apart};
use crate::report::Summary;
use std::fmt::Write;

/// A threshold, a rule or an acceptance.
struct TestCase<'a> {
    class: &'static str,
    name: &'a str,
    broken: &'a [String],
}

/// The summary as a document of JUnit XML.
pub fn junit(summary: &Summary) -> String {
    let cases = cases(summary);
    let failures = cases.iter().filter(|case| !case.broken.is_empty()).count();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- {MARK} -->\n<testsuites>\n  <testsuite name=\"shadowdiff\" package=\"shadowdiff\" id=\"0\" \
         hostname=\"localhost\" timestamp=\"{}T00:00:00\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"0\">\n    \
         <properties/>\n",
        escaped(&summary.as_of),
        cases.len()
    );
    cases.iter().for_each(|case| test_case(case, &mut out));
    let _ = write!(
        out,
        "    <system-out>{}</system-out>\n    <system-err/>\n  </testsuite>\n</testsuites>\n",
        escaped(&what_was_found(summary))
    );
    out
}

fn cases(summary: &Summary) -> Vec<TestCase<'_>> {
    let thresholds = summary.thresholds.iter().map(|threshold| TestCase {
        class: "shadowdiff.verdict",
        name: &threshold.name,
        broken: &threshold.broken,
    });
    let rules = summary.rules.iter().map(|rule| TestCase {
        class: "shadowdiff.expected",
        name: &rule.name,
        broken: &rule.broken,
    });
    let accepted = summary.accepted.iter().map(|of| TestCase {
        class: "shadowdiff.accepted",
        name: &of.acceptance.pattern,
        broken: &of.broken,
    });
    let mut cases: Vec<TestCase<'_>> = thresholds.chain(rules).chain(accepted).collect();
    // A summary of an older version has no thresholds. What it says is broken fails all the same.
    let is_told = |broken: &String| cases.iter().any(|case| case.broken.contains(broken));
    let untold: Vec<&String> = summary.broken.iter().filter(|broken| !is_told(broken)).collect();
    cases.extend(untold.into_iter().map(|broken| TestCase {
        class: "shadowdiff.verdict",
        name: broken.split(':').next().unwrap_or(broken),
        broken: std::slice::from_ref(broken),
    }));
    cases
}

fn test_case(case: &TestCase<'_>, out: &mut String) {
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"0\"",
        case.class,
        escaped(case.name)
    );
    if case.broken.is_empty() {
        out.push_str("/>\n");
        return;
    }
    let _ = write!(
        out,
        ">\n      <failure type=\"broken\" message=\"{}\">{}</failure>\n    </testcase>\n",
        escaped(&case.broken.join("; ")),
        escaped(&case.broken.join("\n"))
    );
}

fn what_was_found(summary: &Summary) -> String {
    let mut out = headline(summary) + "\n";
    for rule in &summary.rules {
        let _ = writeln!(out, "{}: {}{}", rule.name, counted_apart(rule.lines, "line"), bounds(rule));
    }
    for of in &summary.accepted {
        let (lines, bounds) = (counted_apart(of.lines, "line"), acceptance_bounds(of));
        let _ = writeln!(
            out,
            "{} by {}: {lines}, {bounds}, {}",
            of.acceptance.pattern,
            of.acceptance.by,
            acceptance_state(of)
        );
    }
    out
}

/// XML has no way to write most control characters.
fn escaped(text: &str) -> String {
    let is_written = |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}') || c == '\n';
    let text: String = text
        .chars()
        .map(|c| if is_written(c) { c } else { char::REPLACEMENT_CHARACTER })
        .collect();
    let mut out = String::new();
    escape_html(&text, &mut out);
    out
}
