//! What somebody is told when a comparison or a suite has ended: an event in the form of CloudEvents 1.0, as JSON. It has counts, names of thresholds and places
//! without what gives access to them; no value of the data.

use crate::error::{Error, Place};
use crate::redact::redacted;
use crate::report::Summary;
use crate::shorten::shortened;
use crate::suite_summary::{MemberState, SuiteSummary};
use crate::value::{TimeUnit, Value, ValueType, print_in};
use serde::Serialize;

/// Broken thresholds that are named, and how long each text is at the most.
const BROKEN: usize = 20;
const TEXT_BYTES: usize = 1 << 10;

#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    specversion: &'static str,
    #[serde(rename = "type")]
    event_type: &'static str,
    source: &'static str,
    /// With the source it names the event: told twice, it is the same.
    id: String,
    time: String,
    datacontenttype: &'static str,
    data: Ended,
}

/// How it ended.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Ended {
    /// `pass` or `fail`, as its verdict is; `failed` or `cancelled` where there is none.
    pub outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Where the result lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// The name of a suite, and how many of its tasks came to which end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Tasks>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Comparison,
    Suite,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Tasks {
    pub pass: u64,
    pub fail: u64,
    /// That could not be compared.
    pub error: u64,
    /// That one side alone has.
    pub one_sided: u64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Counts {
    pub exceptions: u64,
    pub expected: u64,
    pub accepted: u64,
    pub accounts_with_exceptions: u64,
}

impl Notice {
    /// `now_ms`: since 1970.
    pub fn new(subject: Subject, id: String, now_ms: i64, data: Ended) -> Notice {
        let (unit, mut time) = (TimeUnit::Millisecond, String::new());
        let now = Value::Timestamp {
            ticks: now_ms.into(),
            unit,
            zoned: true,
        };
        print_in(&now, &ValueType::Timestamp { unit, zoned: true }, &mut time);
        Notice {
            specversion: "1.0",
            event_type: match subject {
                Subject::Comparison => "dev.shadowdiff.comparison.ended",
                Subject::Suite => "dev.shadowdiff.suite.ended",
            },
            source: "shadowdiff",
            id,
            time,
            datacontenttype: "application/json",
            data,
        }
    }
}

impl Ended {
    pub fn judged(summary: &Summary) -> Ended {
        let broken = summary.broken.iter().take(BROKEN);
        Ended {
            outcome: summary.verdict.name(),
            counts: Some(Counts {
                exceptions: summary.differences.exceptions,
                expected: summary.differences.expected,
                accepted: summary.differences.accepted,
                accounts_with_exceptions: summary.accounts.with_exceptions,
            }),
            broken: broken.map(|text| shortened(text, TEXT_BYTES)).collect(),
            ..Ended::default()
        }
    }

    /// Of a suite; its counts are those of all tasks that were compared.
    pub fn suite(suite: &SuiteSummary, place: &str) -> Ended {
        let (mut counts, mut tasks) = (Counts::default(), Tasks::default());
        for of in &suite.tasks {
            *match of.state {
                MemberState::Pass => &mut tasks.pass,
                MemberState::Fail => &mut tasks.fail,
                MemberState::Error => &mut tasks.error,
                MemberState::OnlyInLive | MemberState::OnlyInShadow => &mut tasks.one_sided,
            } += 1;
            if let Some(of) = &of.counts {
                counts.exceptions += of.exceptions;
                counts.expected += of.expected;
                counts.accepted += of.accepted;
                counts.accounts_with_exceptions += of.accounts_with_exceptions;
            }
        }
        // Why a task could not be compared may quote the data.
        let without_quotes = |text: &String| {
            let mut failed = suite.tasks.iter().filter(|of| of.state == MemberState::Error);
            let quoting = failed.find(|of| of.why().as_ref() == Some(text));
            quoting.map_or_else(|| text.clone(), |of| format!("{} could not be compared", of.name))
        };
        let broken = suite.broken.iter().take(BROKEN).map(without_quotes);
        Ended {
            outcome: suite.verdict.name(),
            result: Some(redacted(place).into_owned()),
            suite: Some(shortened(&suite.suite, TEXT_BYTES)),
            tasks: Some(tasks),
            counts: Some(counts),
            broken: broken.map(|text| shortened(&redacted(&text), TEXT_BYTES)).collect(),
            ..Ended::default()
        }
    }

    /// `place`: where the result lies, as the user calls it.
    pub fn at(self, place: &str) -> Ended {
        Ended {
            result: Some(redacted(place).into_owned()),
            ..self
        }
    }

    /// What is wrong may quote the data, and so may the name of a column where a file has no header: its kind and place are told.
    pub fn failed(error: &Error) -> Ended {
        let place = Place {
            column: None,
            ..(*error.place).clone()
        };
        let text = format!("{place}{}", error.kind.name());
        Ended {
            outcome: "failed",
            error: Some(shortened(&text, TEXT_BYTES)),
            ..Ended::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_what_cloudevents_asks_for_and_no_secret() {
        let error = Error::input("no answer").file("https://ann:secret@host/x?sig=hidden");
        let notice = Notice::new(Subject::Comparison, "7".to_owned(), 1_791_590_400_123, Ended::failed(&error));
        let text = serde_json::to_string(&notice).expect("texts are JSON");
        assert_eq!(
            text,
            r#"{"specversion":"1.0","type":"dev.shadowdiff.comparison.ended","source":"shadowdiff","id":"7","time":"2026-10-10T00:00:00.123Z","datacontenttype":"application/json","data":{"outcome":"failed","error":"https://host/x?…: input"}}"#
        );
    }
}
