//! Other rules for differences that are known: what SQL said of them under the rules of their comparison, for those of another spec.
//!
//! SQL is asked where rows are, by the rules of the comparison, of all differences that a rule is for. A rule of another spec has its answer
//! where one of those had the same SQL and was for the difference too; where none was, only what was kept of the rows can tell, or a new
//! comparison.

use crate::align::Aligned;
use crate::difference::{Answers, Difference, Question};
use crate::error::{Error, Result};
use crate::judge::{Coverage, coverages};
use crate::spec::{AccountScope, DifferenceKind, Expected, Spec};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The fields of a spec that are not asked until differences are judged.
const JUDGED: [&str; 6] = ["expected", "accepted", "noise", "verdict", "as_of", "output"];

/// The fields in which two specs differ that the comparison itself depends on. The specs are as summaries show them.
pub fn compared_differently(old: &Value, new: &Value) -> Vec<String> {
    let fields = |spec: &Value| {
        spec.as_object()
            .map(|fields| fields.keys().cloned().collect::<BTreeSet<_>>())
            .unwrap_or_default()
    };
    let all = fields(old).into_iter().chain(fields(new)).collect::<BTreeSet<_>>();
    all.into_iter()
        .filter(|name| !JUDGED.contains(&name.as_str()) && old.get(name) != new.get(name))
        .collect()
}

/// What a new rule asks, and what an old one asked in the same words.
type SameQuestion = (Question, Question);

/// What the new rules ask about differences of a kind in a column.
#[derive(Debug, Default)]
struct Questions {
    same: Vec<SameQuestion>,
    /// That no old rule asked.
    new: Vec<Question>,
}

/// Translates answers to the rules of one spec into answers to those of another.
#[derive(Debug)]
pub struct Rejudge<'a> {
    old: (&'a Spec, Vec<Coverage>),
    new: (&'a Spec, Vec<Coverage>),
    /// By kind and column.
    questions: BTreeMap<(DifferenceKind, Option<usize>), Questions>,
}

impl<'a> Rejudge<'a> {
    pub fn new(old: &'a Spec, new: &'a Spec, aligned: &Aligned) -> Result<Self> {
        Ok(Rejudge {
            old: (old, coverages(old, aligned)?.0),
            new: (new, coverages(new, aligned)?.0),
            questions: BTreeMap::new(),
        })
    }

    /// Appends the answers of a difference that are known, as the new rules ask them.
    pub fn answers(&mut self, difference: &Difference<'_>, out: &mut Vec<u8>) {
        for (new, old) in &self.questions(difference.kind, difference.column).same {
            Answers::write(*new, difference.answers.to(*old), out);
        }
    }

    /// What the new rules ask besides about differences of a kind in a column.
    pub fn new_questions(&mut self, kind: DifferenceKind, column: Option<usize>) -> &[Question] {
        &self.questions(kind, column).new
    }

    /// A new rule, and whether it is for cells of a column.
    pub fn rule(&self, number: usize) -> (&'a Expected, impl Fn(usize) -> bool) {
        let takes = move |column| self.new.1[number].takes(DifferenceKind::Changed, Some(column));
        (&self.new.0.expected[number], takes)
    }

    /// That a question of a new rule has no answer, and why.
    pub fn refused(&self, question: Question, why: &str) -> Error {
        let (number, text) = match question {
            Question::Accounts(number) => (number, "accounts.where"),
            Question::Filter(number) => (number, "where"),
        };
        let rule = &self.new.0.expected[number].name;
        Error::spec(format!(
            "`{text}` of rule `{rule}` was not asked when the data was compared, and {why}"
        ))
        .field(format!("expected[{number}].{text}"))
        .advice("compare again, with the columns that it reads in `output: {attributes: …}`")
    }

    fn questions(&mut self, kind: DifferenceKind, column: Option<usize>) -> &Questions {
        if !self.questions.contains_key(&(kind, column)) {
            let questions = self.asked(kind, column);
            self.questions.insert((kind, column), questions);
        }
        &self.questions[&(kind, column)]
    }

    fn asked(&self, kind: DifferenceKind, column: Option<usize>) -> Questions {
        let ((old_spec, old), (new_spec, new)) = (&self.old, &self.new);
        let mut found = Questions::default();
        for (number, rule) in taking(new_spec, new, kind, column) {
            for (question, text) in [
                (accounts_sql as fn(&Expected) -> Option<&str>, "accounts.where"),
                (filter_sql, "where"),
            ] {
                // No `where` sees a group of duplicates.
                let is_asked = text == "accounts.where" || kind != DifferenceKind::DuplicateKey;
                let Some(sql) = question(rule).filter(|_| is_asked) else { continue };
                let of = match text {
                    "where" => Question::Filter,
                    _ => Question::Accounts,
                };
                let same = taking(old_spec, old, kind, column).find(|(_, rule)| question(rule) == Some(sql));
                match same {
                    Some((same, _)) => found.same.push((of(number), of(same))),
                    None => found.new.push(of(number)),
                }
            }
        }
        found
    }
}

/// The rules that are for differences of a kind in a column, each with its number.
fn taking<'a>(
    spec: &'a Spec,
    coverages: &'a [Coverage],
    kind: DifferenceKind,
    column: Option<usize>,
) -> impl Iterator<Item = (usize, &'a Expected)> {
    let rules = spec.expected.iter().zip(coverages).enumerate();
    rules
        .filter(move |(_, (_, coverage))| coverage.takes(kind, column))
        .map(|(at, (rule, _))| (at, rule))
}

fn accounts_sql(rule: &Expected) -> Option<&str> {
    match &rule.accounts {
        Some(AccountScope::Where(sql)) => Some(sql),
        Some(AccountScope::Source(_)) | None => None,
    }
}

fn filter_sql(rule: &Expected) -> Option<&str> {
    rule.filter.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::{SideColumn, align};
    use crate::difference::{Answer, StoredValues};
    use crate::side::{Side, Sides};
    use crate::spec::{Overrides, parse};
    use crate::value::{Value as Cell, ValueType};

    fn spec(rules: &str) -> Spec {
        let text = format!("live: a/\nshadow: b/\naccount: id\nexpected: [{rules}]\n");
        parse(&text, "s.yaml", &Overrides::default()).expect("a spec of the test").spec
    }

    fn aligned(spec: &Spec) -> Aligned {
        let columns = ["id", "v", "w"].map(|name| SideColumn {
            name: name.to_owned(),
            value_type: ValueType::INT64,
        });
        align(spec, &Sides::new(columns.to_vec(), columns.to_vec())).expect("equal sides meet")
    }

    /// What the new rules are told of a cell of a column, of which the first old rule's `where` holds.
    fn told(old: &str, new: &str, column: usize) -> Result<Vec<(Question, Answer)>> {
        let (old, new) = (spec(old), spec(new));
        let aligned = aligned(&old);
        let mut rejudge = Rejudge::new(&old, &new, &aligned)?;
        let (mut stored, mut answers) = (Vec::new(), Vec::new());
        Answers::write(Question::Filter(0), Answer::Yes, &mut stored);
        Answers::write(Question::Accounts(1), Answer::Unknown, &mut stored);
        let difference = Difference {
            row_key: b"k",
            account_key_bytes: 1,
            kind: DifferenceKind::Changed,
            column: Some(column),
            baseline: Side::Live,
            key: StoredValues::of(&[]),
            live: Cell::Int(1),
            shadow: Cell::Int(2),
            diagnosis: None,
            answers: Answers::of(&stored),
            key_fingerprint: None,
            kept: StoredValues::default(),
        };
        if let Some(question) = rejudge.new_questions(difference.kind, difference.column).first().copied() {
            return Err(rejudge.refused(question, "nobody knows"));
        }
        rejudge.answers(&difference, &mut answers);
        let of = Answers::of(&answers);
        let all = (0..new.expected.len()).flat_map(|at| [Question::Accounts(at), Question::Filter(at)]);
        Ok(all
            .map(|question| (question, of.to(question)))
            .filter(|(_, answer)| *answer != Answer::No)
            .collect())
    }

    const OLD: &str = "{name: a, columns: [v], where: 'live > 1'}, {name: b, accounts: {where: 'w > 2'}}";

    #[test]
    fn answers_follow_their_sql_to_other_rules() {
        for (new, expected) in [
            (
                OLD,
                vec![(Question::Filter(0), Answer::Yes), (Question::Accounts(1), Answer::Unknown)],
            ),
            (
                "{name: x}, {name: a, columns: [v], where: 'live > 1', max: 3}",
                vec![(Question::Filter(1), Answer::Yes)],
            ),
            (
                "{name: b, accounts: {where: 'w > 2'}, columns: [v]}",
                vec![(Question::Accounts(0), Answer::Unknown)],
            ),
            ("{name: y, accounts: {list: [1]}}", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(told(OLD, new, 1).expect("the same SQL"), expected, "{new}");
        }
    }

    #[test]
    fn sql_that_nobody_asked_needs_a_new_comparison() {
        for (new, column) in [
            ("{name: a, columns: [v], where: 'live > 2'}", 1),
            // Of other columns than those that the old rule was for.
            ("{name: a, columns: [w], where: 'live > 1'}", 2),
            ("{name: b, accounts: {where: 'live > 1'}}", 1),
        ] {
            let refused = told(OLD, new, column).expect_err("nobody asked");
            assert!(refused.to_string().contains("was not asked"), "{refused}");
        }
        // Where no difference needs the answer there is nothing to refuse.
        assert_eq!(
            told(OLD, "{name: a, columns: [w], where: 'live > 1'}", 1).expect("not for this column"),
            []
        );
    }

    #[test]
    fn what_the_comparison_depends_on_is_named() {
        let old = serde_json::json!({"live": "a", "key": ["id"], "expected": [], "where": "x > 1"});
        let new = serde_json::json!({"live": "a", "key": ["id", "n"], "expected": [1], "verdict": {}, "output": "o", "comparators": []});
        assert_eq!(compared_differently(&old, &new), ["comparators", "key", "where"]);
        assert_eq!(compared_differently(&old, &old), Vec::<String>::new());
    }
}
