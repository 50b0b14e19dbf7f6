//! The verdict as test cases, in the JUnit XML that CIs read: one for each threshold of the spec, each rule, each acceptance.
//!
//! It keeps to what the layouts of Ant and of Jenkins have in common. Times are 0, as the bytes depend on the result alone; the time stamp is
//! the beginning of the day that `until` was compared with.

use super::markup::escape_html;
use super::words::{acceptance_bounds, acceptance_state, bounds, headline};
use super::{MARK, counted_apart};
use crate::report::{Check, Summary, checks};
use std::fmt::Write;

/// Cases of one comparison.
pub(super) struct TestSuite<'a> {
    pub(super) name: &'a str,
    /// The day that `until` was compared with.
    pub(super) as_of: &'a str,
    pub(super) checks: &'a [Check],
    /// Why it could not be compared.
    pub(super) error: Option<&'a str>,
    pub(super) found: &'a str,
}

/// The summary as a document of JUnit XML.
pub fn junit(summary: &Summary) -> String {
    document(&[TestSuite {
        name: "shadowdiff",
        as_of: &summary.as_of,
        checks: &checks(summary),
        error: None,
        found: &what_was_found(summary),
    }])
}

pub(super) fn document(suites: &[TestSuite<'_>]) -> String {
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- {MARK} -->\n<testsuites>\n");
    suites.iter().enumerate().for_each(|(id, suite)| test_suite(id, suite, &mut out));
    out.push_str("</testsuites>\n");
    out
}

fn test_suite(id: usize, suite: &TestSuite<'_>, out: &mut String) {
    let failures = suite.checks.iter().filter(|check| !check.broken.is_empty()).count();
    let errors = usize::from(suite.error.is_some());
    let _ = write!(
        out,
        "  <testsuite name=\"{}\" package=\"shadowdiff\" id=\"{id}\" hostname=\"localhost\" timestamp=\"{}T00:00:00\" tests=\"{}\" \
         failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" time=\"0\">\n    <properties/>\n",
        escaped(suite.name),
        escaped(suite.as_of),
        suite.checks.len() + errors
    );
    suite.checks.iter().for_each(|check| test_case(check, out));
    if let Some(error) = suite.error {
        let error = escaped(error);
        let _ = write!(
            out,
            "    <testcase classname=\"shadowdiff.suite\" name=\"compared\" time=\"0\">\n      <error type=\"error\" message=\"{error}\">{error}</error>\n    \
             </testcase>\n"
        );
    }
    let _ = write!(
        out,
        "    <system-out>{}</system-out>\n    <system-err/>\n  </testsuite>\n",
        escaped(suite.found)
    );
}

fn test_case(check: &Check, out: &mut String) {
    let _ = write!(
        out,
        "    <testcase classname=\"shadowdiff.{}\" name=\"{}\" time=\"0\"",
        check.field,
        escaped(&check.name)
    );
    if check.broken.is_empty() {
        out.push_str("/>\n");
        return;
    }
    let _ = write!(
        out,
        ">\n      <failure type=\"broken\" message=\"{}\">{}</failure>\n    </testcase>\n",
        escaped(&check.broken.join("; ")),
        escaped(&check.broken.join("\n"))
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
