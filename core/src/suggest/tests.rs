//! What is drafted for exceptions of which it is known how they came.

use super::*;
use crate::align::{SideColumn, align};
use crate::side::Sides;
use crate::spec::{Direction, Overrides, parse};
use crate::value::ValueType;

/// A spec, and its columns: the account `id`, and a column of each of these types.
fn bound(more: &str, types: &[(&str, ValueType)]) -> (Spec, Aligned) {
    let text = format!("live: a/\nshadow: b/\naccount: id\n{more}");
    let spec = parse(&text, "s.yaml", &Overrides::default()).expect("a spec of the test").spec;
    let mut columns = vec![SideColumn {
        name: "id".to_owned(),
        value_type: ValueType::Text,
    }];
    columns.extend(types.iter().map(|(name, value_type)| SideColumn {
        name: (*name).to_owned(),
        value_type: value_type.clone(),
    }));
    let aligned = align(&spec, &Sides::new(columns.clone(), columns)).expect("equal sides meet");
    (spec, aligned)
}

fn pattern(column: Option<usize>, diagnosis: Option<&str>, direction: Option<Direction>) -> Pattern {
    Pattern {
        kind: if column.is_some() {
            DifferenceKind::Changed
        } else {
            DifferenceKind::MissingInShadow
        },
        column,
        diagnosis: diagnosis.map(str::to_owned),
        direction,
    }
}

/// Rows of accounts from 0 on, each with a value of the attribute `plan` and at most one exception.
fn observed(rows: &[(&str, Option<Observed>)]) -> (Observations, BTreeMap<Pattern, u64>) {
    let (mut all, mut exceptions) = (Observations::new(vec!["plan".to_owned()]), BTreeMap::new());
    for (account, (plan, exception)) in rows.iter().enumerate() {
        exception
            .iter()
            .for_each(|one| *exceptions.entry(one.pattern.clone()).or_default() += 1);
        all.add(ObservedRow {
            account: account_number(&account.to_be_bytes()),
            attributes: Some(vec![Some(format!("'{plan}'"))]),
            exceptions: exception.iter().cloned().collect(),
        });
    }
    (all, exceptions)
}

fn drafts(spec: &(Spec, Aligned), rows: &[(&str, Option<Observed>)]) -> Learned {
    let (observed, exceptions) = observed(rows);
    let compared = Compared {
        spec: &spec.0,
        aligned: &spec.1,
    };
    learn(compared, &observed, &exceptions)
}

fn moved(direction: Direction, delta: f64, relative: f64) -> Option<Observed> {
    Some(Observed {
        pattern: pattern(Some(1), None, Some(direction)),
        relative: Some(relative),
        delta: Some(delta),
        values: None,
    })
}

fn yaml(learned: &Learned) -> Vec<String> {
    learned.drafts.iter().map(|draft| draft.entries[0].yaml()).collect()
}

const NUMBER: [(&str, ValueType); 1] = [("v", ValueType::Float { bits: 64 })];

#[test]
fn a_factor_of_some_accounts_is_drafted_for_these() {
    let rows: Vec<(&str, Option<Observed>)> = (0..60)
        .map(|n| match n % 3 {
            0 => ("trial", moved(Direction::Up, f64::from(n) + 1.0, 0.1 + f64::from(n % 2) * 1e-4)),
            _ => ("pro", None),
        })
        .collect();
    let found = drafts(&bound("", &NUMBER), &rows);
    assert_eq!(
        yaml(&found),
        [
            "  - name: suggested-v-up\n    accounts: {where: \"plan = 'trial'\"}\n    columns: [v]\n    \
          where: \"shadow - live between abs(live * 0.09999) and abs(live * 0.10011)\"\n"
        ]
    );
    let terms = found.drafts[0].terms.clone().expect("the plan tells");
    assert_eq!((terms.of_rows, terms.of_others), (1.0, Some(0.0)));
    let looser = &found.drafts[0].entries[1];
    assert!(
        looser.yaml().contains("within: {relative: 11%}\n    where: \"shadow > live\""),
        "{}",
        looser.yaml()
    );
    // Where the old value is in live for some accounts and in shadow for others, no factor is of one side.
    let both = drafts(&bound("baseline: {default: live, shadow_for: {list: [x]}}\n", &NUMBER), &rows);
    assert!(yaml(&both)[0].contains("within"), "{}", yaml(&both)[0]);
}

#[test]
fn changes_of_two_sizes_are_two_patterns() {
    let rows: Vec<(&str, Option<Observed>)> = (0..90)
        .map(|n| match n % 3 {
            0 => ("trial", moved(Direction::Up, f64::from(n) * 10.0 + 1.0, 0.1)),
            1 => ("pro", moved(Direction::Up, 1.0, 1.0 / f64::from(n + 7))),
            _ => ("free", moved(Direction::Down, f64::from(n) + 2.0, 0.3)),
        })
        .collect();
    let found = drafts(&bound("", &NUMBER), &rows);
    let up: Vec<String> = yaml(&found).into_iter().filter(|text| text.contains("shadow - live")).collect();
    assert_eq!(up.len(), 2, "{found:?}");
    let of = |plan: &str| {
        up.iter()
            .find(|text| text.contains(plan))
            .unwrap_or_else(|| panic!("{plan}: {up:?}"))
    };
    assert!(of("plan = 'trial'").contains("between abs(live * 0.0999"), "{up:?}");
    assert!(of("plan = 'pro'").contains("between 0.9999999 and 1.0000001"), "{up:?}");
    let of_one = found
        .drafts
        .iter()
        .filter(|draft| draft.is_for(&pattern(Some(1), None, Some(Direction::Up)), Some(0.1), Some(50.0)));
    assert_eq!(of_one.count(), 1, "a change is of one draft");
}

#[test]
fn noise_is_for_a_comparator_and_what_spreads_wide_is_for_nobody() {
    let noise = |n: u32| {
        moved(
            if n.is_multiple_of(2) { Direction::Up } else { Direction::Down },
            0.01 + f64::from(n) * 1e-4,
            0.1 + f64::from(n),
        )
    };
    let rows: Vec<_> = (0..40).map(|n| ("x", noise(n))).collect();
    let found = drafts(&bound("", &NUMBER), &rows);
    assert_eq!(yaml(&found), ["  - columns: [v]\n    absolute: 0.014\n"]);
    // A comparator that is there is not doubled.
    let has_one = bound("comparators: [{columns: [v], absolute: 0.001}]\n", &NUMBER);
    assert!(yaml(&drafts(&has_one, &rows))[0].contains("within: {absolute: 0.014}"));
    let wide: Vec<_> = (0..40_i32)
        .map(|n| ("x", moved(Direction::Up, 10_f64.powi(n), 10_f64.powi(n))))
        .collect();
    let found = drafts(&bound("", &NUMBER), &wide);
    assert!(found.drafts.is_empty());
    assert_eq!(found.left_out[0].why, "neither its values nor its accounts have anything in common");
}

#[test]
fn few_lines_few_accounts_and_copies_are_left_out() {
    let gone = |diagnosis| {
        Some(Observed {
            pattern: pattern(None, diagnosis, None),
            relative: None,
            delta: None,
            values: None,
        })
    };
    let (spec, few) = (bound("", &NUMBER), vec![("x", gone(None)); 4]);
    assert_eq!(drafts(&spec, &few).left_out[0].why, "too few lines to learn from");
    let copies = vec![("x", gone(Some("extra_copy"))); 40];
    assert!(drafts(&spec, &copies).left_out[0].why.starts_with("rows that are there twice"));
    // Rows that are gone from everywhere are for no rule; those of one plan may be.
    let mut rows: Vec<_> = (0..40).map(|n| (if n % 2 == 0 { "a" } else { "b" }, gone(None))).collect();
    rows.extend((0..40).map(|n| (if n % 2 == 0 { "a" } else { "b" }, moved(Direction::Up, f64::from(n + 1), 1.0))));
    let found = drafts(&spec, &rows);
    assert!(
        found.left_out.iter().any(|one| one.why == "nothing tells its accounts from others"),
        "{found:?}"
    );
    rows.iter_mut()
        .filter(|(_, one)| *one == gone(None))
        .for_each(|(plan, _)| *plan = "closed");
    let found = drafts(&spec, &rows);
    assert!(
        yaml(&found)
            .iter()
            .any(|text| text.contains("kinds: [missing_in_shadow]") && text.contains("plan = 'closed'")),
        "{found:?}"
    );
}

#[test]
fn of_too_much_a_part_of_the_accounts_is_kept_in_whatever_order_it_comes() {
    let rows: Vec<ObservedRow> = (0_u64..500)
        .flat_map(|account| {
            (0..4).map(move |_| ObservedRow {
                account: account_number(&account.to_be_bytes()),
                attributes: None,
                exceptions: Vec::new(),
            })
        })
        .collect();
    let kept = |rows: &mut dyn Iterator<Item = &ObservedRow>| {
        let mut all = Observations {
            limit: 300,
            ..Observations::new(Vec::new())
        };
        rows.for_each(|row| all.add(row.clone()));
        assert!(all.is_part() && all.size <= 300 && !all.rows.is_empty());
        let mut accounts: Vec<u64> = all.rows.iter().map(|row| row.account).collect();
        accounts.sort_unstable();
        accounts
    };
    let one = kept(&mut rows.iter());
    assert_eq!(one, kept(&mut rows.iter().rev()));
    assert!(
        one.chunks(4).all(|account| account.iter().all(|other| *other == account[0])),
        "accounts are whole"
    );
}
