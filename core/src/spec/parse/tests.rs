//! Good specs, and what they are read as.

mod command_line;
mod every_field;
mod mistakes;

use super::*;
use crate::error::Kind;
use crate::spec::model::*;
use crate::spec::{Comparator, Duration, Normalization, NumberTolerance, TextRules, ValueRule};
use crate::value::{DateForm, Number, TextForm, Tolerance, ValueType};

/// Enough of a spec for the part under test to be all that matters. Its lines are 1 to 3.
const BASE: &str = "live: a/\nshadow: b/\naccount: id\n";

fn parsed(text: &str) -> Parsed {
    parse(text, "s.yaml", &Overrides::default()).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn with(part: &str) -> Spec {
    parsed(&format!("{BASE}{part}")).spec
}

fn mistakes(text: &str, overrides: &Overrides) -> Vec<String> {
    match parse(text, "s.yaml", overrides) {
        Ok(parsed) => panic!("no mistake in\n{text}\n{parsed:?}"),
        Err(error) => {
            assert_eq!(error.kind, Kind::Spec);
            error.to_string().lines().map(str::to_owned).collect()
        }
    }
}

fn tolerance(text: &str) -> Option<Tolerance> {
    Number::parse(text).and_then(Tolerance::new)
}

fn patterns(names: &[&str]) -> Vec<Pattern> {
    names.iter().map(|name| Pattern((*name).to_owned())).collect()
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn the_full_example() {
    let overrides = Overrides {
        set: pairs(&[("date", "2026-11-01")]),
        ..Overrides::default()
    };
    let parsed = parse(include_str!("full.yaml"), "full.yaml", &overrides).unwrap_or_else(|error| panic!("{error}"));
    let spec = &parsed.spec;
    assert_eq!(parsed.warnings, Vec::<String>::new());
    assert_eq!(spec.sides.live.paths, ["s3://prod/metrics/date=2026-11-01/"]);
    assert_eq!(spec.key, ["account_id", "metric"]);
    assert_eq!(spec.columns.rename, Sides::new(vec![], pairs(&[("shadow_name", "live_name")])));
    assert_eq!(spec.columns.derive.shadow, pairs(&[("amount_eur", "amount_cents / 100.0")]));
    assert_eq!(spec.comparators[1].comparator.to_string(), "absolute: 0.01");
    assert_eq!(spec.expected[0].until, Day::parse("2026-12-31"));
    assert_eq!(spec.verdict.max_exception_accounts, Some(Limit::Share(Number::new(1, 3))));
    assert_eq!(spec.as_of, Day::parse("2026-11-01"));
    assert_eq!(spec.output.max_differences, Some(100_000));
    let again = parse(&parsed.document.to_string(), "document", &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again.spec, *spec, "the document is the spec");
    assert_eq!(again.document, parsed.document);
}

#[test]
fn defaults() {
    let spec = with("");
    assert_eq!(spec.key, ["id"]);
    assert_eq!(
        spec.baseline,
        BaselineSpec {
            default: Side::Live,
            flipped: None
        }
    );
    assert_eq!(spec.verdict, VerdictSpec::default());
    assert_eq!(spec.output, OutputSpec::default());
    assert_eq!(
        (spec.filter, spec.as_of, spec.columns),
        (Sides::default(), None, Columns::default())
    );
    assert_eq!(
        spec.sides.shadow,
        DatasetSpec {
            paths: texts(&["b/"]),
            schema: vec![],
            csv: CsvOptions::default(),
            ready: None
        }
    );
}

#[test]
fn keys() {
    for (account, key, accounts, keys) in [
        ("id", "[id, metric]", "id", "id metric"),
        ("id", "[metric, id]", "id", "id metric"),
        ("id", "metric", "id", "id metric"),
        ("[b, a]", "[a, x, b]", "b a", "b a x"),
        ("007", "[\"true\", no]", "007", "007 true no"),
    ] {
        let spec = parsed(&format!("live: a\nshadow: b\naccount: {account}\nkey: {key}\n")).spec;
        assert_eq!(
            (spec.account.join(" "), spec.key.join(" ")),
            (accounts.to_owned(), keys.to_owned()),
            "{account} {key}"
        );
    }
}

#[test]
fn datasets() {
    let spec = with("schema: {live: {live: text}, shadow: {n: int}}\nready: {live: _SUCCESS, shadow: {marker: DONE, wait: 10m}}\n");
    assert_eq!(spec.sides.live.schema, [("live".to_owned(), ValueType::Text)]);
    assert_eq!(spec.sides.shadow.schema, [("n".to_owned(), ValueType::INT64)]);
    assert_eq!(
        spec.sides.live.ready,
        Some(Ready {
            marker: "_SUCCESS".into(),
            wait_ms: 0
        })
    );
    assert_eq!(
        spec.sides.shadow.ready,
        Some(Ready {
            marker: "DONE".into(),
            wait_ms: 600_000
        })
    );

    let spec = with("schema: {live: text, x: \"decimal(18,2)\"}\nready: _SUCCESS\n");
    assert_eq!(spec.sides.live.schema, spec.sides.shadow.schema);
    assert_eq!(spec.sides.live.schema.len(), 2);
    assert_eq!(spec.sides.live.ready, spec.sides.shadow.ready);

    let spec = parsed("live: [a, 'b*.csv']\nshadow: 007\naccount: id\n").spec;
    assert_eq!(
        (spec.sides.live.paths, spec.sides.shadow.paths),
        (texts(&["a", "b*.csv"]), texts(&["007"]))
    );

    let one = with("csv: {live: {delimiter: \"\\t\", header: false, compression: xz}}\n");
    assert_eq!(one.sides.shadow.csv, CsvOptions::default());
    assert_eq!(one.sides.live.csv.delimiter, Some(b'\t'));
    assert_eq!(
        (one.sides.live.csv.header, one.sides.live.csv.compression),
        (Header::Absent, Some(Compression::Xz))
    );

    let both = with(
        "csv:\n  delimiter: \";\"\n  quote: \"'\"\n  escape: \\\n  header: [a, b]\n  encoding: windows-1252\n  null_values: [NA, \"\\\\N\", \"\", 0]\n  types: text\n  empty: text\n  decimal: \",\"\n  dates: [\"%d.%m.%Y\", \"%d.%m.%Y %H:%M\"]\n",
    );
    let wanted = CsvOptions {
        delimiter: Some(b';'),
        quote: b'\'',
        escape: Some(b'\\'),
        header: Header::Names(texts(&["a", "b"])),
        encoding: "windows-1252".into(),
        compression: None,
        null_values: texts(&["NA", "\\N", "", "0"]),
        types: CsvTypes::Text,
        empty: EmptyField::Text,
        form: TextForm {
            decimal_comma: true,
            date: DateForm::parse("%d.%m.%Y").ok(),
            time: DateForm::parse("%d.%m.%Y %H:%M").ok(),
        },
    };
    assert_eq!(
        both.sides,
        both.sides.clone().map(|side| DatasetSpec {
            csv: wanted.clone(),
            ..side
        })
    );
}

#[test]
fn sides_and_columns() {
    assert_eq!(
        with("where: a > 1\n").filter,
        Sides::new(Some("a > 1".into()), Some("a > 1".into()))
    );
    assert_eq!(with("where: {shadow: b}\n").filter, Sides::new(None, Some("b".into())));

    let flip = |part: &str| with(part).baseline;
    assert_eq!(
        flip("baseline: shadow\n"),
        BaselineSpec {
            default: Side::Shadow,
            flipped: None
        }
    );
    let file = Some(ListSource::File("f.csv".into()));
    assert_eq!(
        flip("baseline: {default: live, shadow_for: {file: f.csv}}\n"),
        BaselineSpec {
            default: Side::Live,
            flipped: file
        }
    );
    let list = Some(ListSource::List(vec![texts(&["007"]), texts(&["x"]), texts(&["true"])]));
    assert_eq!(
        flip("baseline: {default: shadow, live_for: {list: [007, [x], true]}}\n"),
        BaselineSpec {
            default: Side::Shadow,
            flipped: list
        }
    );

    let columns = with("columns:\n  include: ['a*', x]\n  exclude: [a, '*_b']\n  rename: {live: {old: new}}\n  cast: {shadow: {x: text}}\n  derive: {live: {live: a}, y: b + 1}\n").columns;
    assert_eq!(columns.include, patterns(&["a*", "x"]));
    assert_eq!(columns.exclude, patterns(&["a", "*_b"]));
    assert_eq!(columns.rename, Sides::new(pairs(&[("old", "new")]), vec![]));
    assert_eq!(columns.cast, Sides::new(vec![], vec![("x".to_owned(), ValueType::Text)]));
    assert_eq!(
        columns.derive,
        Sides::new(pairs(&[("live", "a"), ("y", "b + 1")]), pairs(&[("y", "b + 1")]))
    );
    assert_eq!(
        with("columns: {rename: {live: l}}\n").columns.rename,
        Sides::new(vec![], pairs(&[("live", "l")]))
    );
    assert_eq!(with("columns: {cast: {x: text}}\n").columns.cast.live.len(), 1);
}

/// Whether the fields of an entry, besides its column, are read as this.
fn compares(part: &str, comparator: Comparator) {
    let spec = with(&format!("comparators: [{{columns: x, {part}}}]\n"));
    let columns = patterns(&["x"]);
    assert_eq!(spec.comparators, [ComparatorEntry { columns, comparator }], "{part}");
}

#[test]
fn comparators() {
    let values = |rule, unordered| Comparator::Values { rule, unordered };
    let number = |absolute: Option<&str>, relative: Option<&str>| {
        let found = NumberTolerance::new(absolute.and_then(tolerance), relative.and_then(tolerance));
        ValueRule::Number(found.expect("a tolerance"))
    };
    let time = |ns| ValueRule::Time(Duration::from_nanoseconds(ns));
    compares("absolute: 0.010", values(number(Some("0.01"), None), false));
    compares("absolute: 1e-3, relative: 5%", values(number(Some("0.001"), Some("0.05")), false));
    compares("relative: 5%", values(number(None, Some("0.05")), false));
    compares("time: 1.5s", values(time(1_500_000_000), false));
    compares("time: 1s, unordered: true", values(time(1_000_000_000), true));
    compares("unordered: true, json: false", values(ValueRule::Exact, true));
    compares("unordered: false, json: true", Comparator::Json);
    compares("unordered: true, absolute: '1'", values(number(Some("1"), None), true));
    compares("sql: live = shadow", Comparator::Sql("live = shadow".into()));
    let text = TextRules {
        normalize: Some(Normalization::Nfkc),
        trim: true,
        ignore_case: true,
        collapse_whitespace: true,
        empty_is_null: true,
    };
    compares(
        "text: {normalize: nfkc, trim: true, ignore_case: true, collapse_whitespace: true, empty_is_null: true}, unordered: true",
        values(ValueRule::Text(text), true),
    );
}

#[test]
fn rules_and_verdict() {
    let spec = with(
        "expected:\n  - name: a\n    kinds: [missing_in_live, duplicate_key]\n  - name: b\n    accounts: {where: \"x\"}\n    columns: [c, 'd*']\n    kinds: changed\n    within: {absolute: 1, time: 1d}\n    min: 1\n    max: 2\n  - name: c\n    accounts: {list: []}\n",
    );
    assert_eq!(
        spec.expected[0].kinds,
        [DifferenceKind::MissingInLive, DifferenceKind::DuplicateKey]
    );
    let rule = &spec.expected[1];
    assert_eq!(
        (&rule.accounts, &rule.columns),
        (&Some(AccountScope::Where("x".into())), &patterns(&["c", "d*"]))
    );
    assert_eq!(
        rule.within,
        Some(Within {
            absolute: tolerance("1"),
            relative: None,
            time: Some(Duration::from_nanoseconds(86_400_000_000_000))
        })
    );
    assert_eq!((rule.min, rule.max), (Some(1), Some(2)));
    assert_eq!(spec.expected[2].accounts, Some(AccountScope::Source(ListSource::List(vec![]))));

    let verdict = with("verdict:\n  max_exceptions: 5%\n  max_exception_accounts: 3\n  max_column_mismatch: {a: 2%, 'b*': 1}\n  schema_changes: [removed, added]\n  type_changes: fail\n  unused_rules: fail\n  allow_empty: true\n").verdict;
    let wanted = VerdictSpec {
        max_exceptions: Limit::Share(Number::new(5, 2)),
        max_exception_accounts: Some(Limit::Count(3)),
        max_column_mismatch: vec![
            (Pattern("a".into()), Limit::Share(Number::new(2, 2))),
            (Pattern("b*".into()), Limit::Count(1)),
        ],
        schema_changes: vec![SchemaChange::Removed, SchemaChange::Added],
        type_changes_fail: true,
        unused_rules_fail: true,
        subtracts_noise: false,
        allow_empty: true,
    };
    assert_eq!(verdict, wanted);
}

#[test]
fn warnings() {
    for (part, warning) in [
        (
            "comparators: [{columns: x, relative: 5}]",
            "s.yaml:4:38: comparators[0].relative: 5 allows any value up to 5 times the baseline; write 5% if you mean percent",
        ),
        (
            "expected:\n  - name: all",
            "s.yaml:5:5: expected[0]: covers every difference of every account; limit it by accounts, columns, kinds, within, where or max",
        ),
    ] {
        assert_eq!(parsed(&format!("{BASE}{part}\n")).warnings, [warning]);
    }
}
