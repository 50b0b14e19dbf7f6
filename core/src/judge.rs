//! Judges differences: the first rule that covers one names it, otherwise it is an exception.

use crate::accounts::AccountSet;
use crate::align::Aligned;
use crate::difference::{Difference, Question};
use crate::error::{Error, Result};
use crate::spec::{AccountScope, Day, DifferenceKind, Expected, Spec, Within};
use crate::value::{ValueType, place_ns, within};

/// Which differences a rule is for, bound to the columns of the comparison; whatever its accounts, its bounds and the day.
#[derive(Debug, Clone)]
pub(crate) struct Coverage {
    /// `None`: every column, and the row as a whole.
    columns: Option<Vec<bool>>,
    kinds: Vec<DifferenceKind>,
}

/// What the rules of a spec are for, in order, and what is probably not meant.
pub(crate) fn coverages(spec: &Spec, aligned: &Aligned) -> Result<(Vec<Coverage>, Vec<String>)> {
    let mut found = Findings::default();
    let bind = |(at, rule)| Coverage {
        columns: bind_columns(at, rule, aligned, &mut found),
        kinds: kinds(rule),
    };
    let bound = spec.expected.iter().enumerate().map(bind).collect();
    Error::all(found.mistakes)?;
    Ok((bound, found.warnings))
}

/// Holds the rules against the columns; gives warnings.
pub fn check(spec: &Spec, aligned: &Aligned) -> Result<Vec<String>> {
    coverages(spec, aligned).map(|(_, warnings)| warnings)
}

#[derive(Debug, Clone)]
enum Scope {
    All,
    Set(AccountSet),
    Sql,
}

#[derive(Debug, Clone)]
struct Rule<S> {
    coverage: Coverage,
    scope: Scope,
    within: Option<Within>,
    filtered: bool,
    expired: bool,
    sql: S,
}

/// The rules of a spec, in order, bound to the columns; each with `S`, what answers its SQL.
#[derive(Debug, Clone)]
pub struct Judge<S> {
    rules: Vec<Rule<S>>,
}

impl Judge<()> {
    /// For differences whose SQL has been asked.
    pub fn without_sql(spec: &Spec, aligned: &Aligned, sets: &[Option<AccountSet>], as_of: Day) -> Result<Self> {
        Judge::new(spec, aligned, sets, as_of, |_, _| Ok(()))
    }
}

impl<S> Judge<S> {
    /// Binds the rules. `sets` holds the accounts of the rules that list them, at the rule's place; `as_of` is the spec's day; `sql` plans
    /// the SQL of a rule, given whether it can cover a cell of a column.
    pub fn new(
        spec: &Spec,
        aligned: &Aligned,
        sets: &[Option<AccountSet>],
        as_of: Day,
        mut sql: impl FnMut(&Expected, &dyn Fn(usize) -> bool) -> Result<S>,
    ) -> Result<Self> {
        let (coverages, _) = coverages(spec, aligned)?;
        let bind = |((at, rule), coverage): ((usize, &Expected), Coverage)| {
            Ok(Rule {
                scope: scope(at, rule, sets.get(at).and_then(Option::as_ref))?,
                within: rule.within.clone(),
                filtered: rule.filter.is_some(),
                expired: rule.until.is_some_and(|until| as_of > until),
                sql: sql(rule, &|column| coverage.takes(DifferenceKind::Changed, Some(column)))?,
                coverage,
            })
        };
        let rules = spec.expected.iter().enumerate().zip(coverages).map(bind);
        Ok(Judge {
            rules: rules.collect::<Result<_>>()?,
        })
    }

    /// The rule that covers the difference, if any. `account`: its account's canonical bytes. `sql` is asked as late as possible.
    pub fn judge(&self, difference: &Difference<'_>, account: &[u8], mut sql: impl FnMut(Question) -> bool) -> Option<usize> {
        let mut rules = self.rules.iter().enumerate();
        rules.position(|(at, rule)| rule.is_for(at, difference, account, &mut sql))
    }

    /// All rules that cover the difference, each whatever those before it do.
    pub fn covering(
        &self,
        difference: &Difference<'_>,
        account: &[u8],
        mut sql: impl FnMut(Question) -> bool,
    ) -> impl Iterator<Item = usize> {
        let rules = self.rules.iter().enumerate();
        rules.filter_map(move |(at, rule)| rule.is_for(at, difference, account, &mut sql).then_some(at))
    }

    /// What answers the SQL of the rules, in order.
    pub fn all_sql(&self) -> impl Iterator<Item = &S> {
        self.rules.iter().map(|rule| &rule.sql)
    }

    /// The same of the rules that are for differences of a kind in a column, each with its number. What has expired counts: another day may
    /// be asked about.
    pub fn sql_for(&self, kind: DifferenceKind, column: Option<usize>) -> impl Iterator<Item = (usize, &S)> {
        let rules = self.rules.iter().enumerate();
        rules
            .filter(move |(_, rule)| rule.coverage.takes(kind, column))
            .map(|(at, rule)| (at, &rule.sql))
    }
}

/// The accounts of a rule. Without those that it lists it would cover nothing, and nobody would see it.
fn scope(at: usize, rule: &Expected, set: Option<&AccountSet>) -> Result<Scope> {
    match (&rule.accounts, set) {
        (None, _) => Ok(Scope::All),
        (Some(AccountScope::Where(_)), _) => Ok(Scope::Sql),
        (Some(AccountScope::Source(_)), Some(set)) => Ok(Scope::Set(set.clone())),
        (Some(AccountScope::Source(_)), None) => Err(Error::internal("its accounts are missing").field(format!("expected[{at}].accounts"))),
    }
}

impl Coverage {
    /// Whether the rule is for differences of this kind, in this column.
    pub(crate) fn takes(&self, kind: DifferenceKind, column: Option<usize>) -> bool {
        self.kinds.contains(&kind)
            && match (&self.columns, column) {
                (Some(columns), Some(column)) => columns[column],
                (Some(_), None) => false,
                (None, _) => true,
            }
    }
}

impl<S> Rule<S> {
    /// Whether it covers the difference. `at`: its number.
    fn is_for(&self, at: usize, difference: &Difference<'_>, account: &[u8], sql: &mut impl FnMut(Question) -> bool) -> bool {
        self.covers(difference)
            && match &self.scope {
                Scope::All => true,
                Scope::Set(accounts) => accounts.contains(account),
                Scope::Sql => sql(Question::Accounts(at)),
            }
            && (!self.filtered || sql(Question::Filter(at)))
    }

    fn covers(&self, difference: &Difference<'_>) -> bool {
        let keeps = |bounds: &Within| difference.column.is_some() && keeps(bounds, difference);
        !self.expired && self.coverage.takes(difference.kind, difference.column) && self.within.as_ref().is_none_or(keeps)
    }
}

/// Whether a change keeps one of the bounds.
fn keeps(bounds: &Within, change: &Difference<'_>) -> bool {
    let (live, shadow) = (&change.live, &change.shadow);
    if live.is_null() || shadow.is_null() {
        return false;
    }
    let in_time = match (bounds.time, place_ns(live), place_ns(shadow)) {
        (Some(limit), Some(a), Some(b)) => (b - a).unsigned_abs() <= u128::from(limit.nanoseconds()),
        (Some(_) | None, _, _) => false,
    };
    let (absolute, relative) = (bounds.absolute.as_ref(), bounds.relative.as_ref());
    in_time || ((absolute.is_some() || relative.is_some()) && within(live, shadow, change.baseline, absolute, relative))
}

fn kinds(rule: &Expected) -> Vec<DifferenceKind> {
    match (rule.kinds.is_empty(), rule.columns.is_empty()) {
        (false, _) => rule.kinds.clone(),
        (true, true) => DifferenceKind::ALL.to_vec(),
        (true, false) => vec![DifferenceKind::Changed],
    }
}

fn bind_columns(at: usize, rule: &Expected, aligned: &Aligned, found: &mut Findings) -> Option<Vec<bool>> {
    if rule.columns.is_empty() {
        return None;
    }
    let wrong = |what: String, column: &str| Error::spec(what).field(format!("expected[{at}].columns")).column(column);
    let mut taken = vec![false; aligned.columns.len()];
    for pattern in &rule.columns {
        if pattern.is_exact() && aligned.is_struct(&pattern.0) && rule.within.is_some() {
            let advice = format!("name its members, such as `{}.*`", pattern.0);
            found.mistakes.push(wrong("is a struct".to_owned(), &pattern.0).advice(advice));
            continue;
        }
        let mut matched = false;
        for (at, column) in aligned.columns.iter().enumerate().filter(|(at, _)| aligned.takes(pattern, *at)) {
            matched = true;
            let is_named = pattern.0 == column.name;
            if aligned.key.contains(&at) {
                if is_named {
                    let what = "is a key column; its values never change, rows go missing instead".to_owned();
                    found.mistakes.push(wrong(what, &column.name));
                }
                continue;
            }
            match unfit(rule, &column.shown) {
                None => taken[at] = true,
                Some(why) if is_named => found.mistakes.push(wrong(format!("is {}, but {why}", column.shown), &column.name)),
                Some(_) => {}
            }
        }
        if !matched && pattern.is_exact() {
            let known = aligned.columns.iter().map(|c| c.name.as_str());
            let mistake = wrong("is not a compared column".to_owned(), &pattern.0);
            found.mistakes.push(mistake.did_you_mean(&pattern.0, known));
        } else if !matched {
            found
                .warnings
                .push(format!("expected `{}`: `{}` matches no column", rule.name, pattern.0));
        }
    }
    Some(taken)
}

/// What is wrong with the rules, and what is probably not meant.
#[derive(Default)]
struct Findings {
    mistakes: Vec<Error>,
    warnings: Vec<String>,
}

fn unfit(rule: &Expected, shown: &ValueType) -> Option<&'static str> {
    let within = rule.within.as_ref()?;
    let (numeric, timely) = (within.absolute.is_some() || within.relative.is_some(), within.time.is_some());
    if (numeric && shown.is_number()) || (timely && shown.is_time()) || *shown == ValueType::Null {
        return None;
    }
    Some(if timely {
        "`within: {time: …}` bounds dates and times only"
    } else {
        "`within` bounds numbers only"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::{SideColumn, align};
    use crate::side::Sides;
    use crate::spec::{Overrides, parse};

    #[test]
    fn a_rule_for_a_struct_takes_its_members_but_no_key() {
        let members = ["no", "x"].map(|name| (name.to_owned(), ValueType::INT64)).to_vec();
        let column = |name: &str, value_type: ValueType| SideColumn {
            name: name.to_owned(),
            value_type,
        };
        let side = vec![
            column("id", ValueType::Text),
            column("p", ValueType::Struct(members)),
            column("v", ValueType::INT64),
        ];
        let judge = |rule: &str| {
            let text = format!("live: a/\nshadow: b/\naccount: id\nkey: [p.no]\nexpected: [{{name: r, {rule}}}]\n");
            let spec = parse(&text, "s.yaml", &Overrides::default()).expect("a spec of the test").spec;
            let aligned = align(&spec, &Sides::new(side.clone(), side.clone())).expect("equal sides meet");
            let taken = |_: &Expected, takes: &dyn Fn(usize) -> bool| {
                let all = aligned.columns.iter().enumerate();
                Ok(all.filter(|(at, _)| takes(*at)).map(|(_, c)| c.name.clone()).collect::<Vec<_>>())
            };
            let day = Day::parse("2026-11-01").expect("a day of the test");
            Judge::new(&spec, &aligned, &[], day, taken).map(|judge| judge.all_sql().next().cloned())
        };
        let taken = judge("columns: [p]").expect("a struct may be named");
        assert_eq!(taken.expect("there is a rule"), ["p", "p.x"]);
        let bounded = judge("columns: [p], within: {absolute: 1}").expect_err("a bound needs members");
        assert_eq!(
            bounded.to_string(),
            "expected[0].columns: column `p`: is a struct; name its members, such as `p.*`"
        );
        let listed = judge("accounts: {list: [a]}").expect_err("its accounts were not given");
        assert_eq!(listed.to_string(), "expected[0].accounts: its accounts are missing");
    }
}
