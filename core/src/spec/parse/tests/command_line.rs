//! What the command line gives: variables and overrides.

use super::{BASE, mistakes, pairs, texts};
use crate::side::Side;
use crate::spec::model::{ListedAccounts, OutputSpec};
use crate::spec::overrides::{CsvOverride, Measure, Overrides, ToleranceOverride};
use crate::spec::parse::{from_overrides, parse};

#[test]
fn variables() {
    let set = |values: &[(&str, &str)]| Overrides {
        set: pairs(values),
        ..Overrides::default()
    };
    let text = format!("{BASE}where: \"d = '${{d}}' and x = '$${{d}}' and ${{d}}${{n.1}}\"\nschema: {{'${{d}}': int}}\n");
    let spec = parse(&text, "s.yaml", &set(&[("d", "1"), ("n.1", "${d}")])).expect("a spec").spec;
    assert_eq!(spec.filter.live.as_deref(), Some("d = '1' and x = '${d}' and 1${d}"));
    assert_eq!(spec.sides.live.schema[0].0, "1");
    for (values, wanted) in [
        (
            vec![("d", "1"), ("d", "2"), ("n.1", "")],
            "command line: --set d is given twice; give it once",
        ),
        (
            vec![("d", "1"), ("n.1", ""), ("e", "")],
            "command line: --set e is not used: the spec has no ${e}; take it out or correct the name",
        ),
        (
            vec![("d", "1"), ("n.2", "")],
            "s.yaml:4:8: where: ${n.1} has no value; give --set n.1=VALUE; did you mean `n.2`?",
        ),
    ] {
        let found = mistakes(&text, &set(&values));
        assert!(found.contains(&wanted.to_owned()), "{found:?}");
    }
}

#[test]
fn the_command_line_beats_the_spec() {
    let given = |names: &[&str]| Some(texts(names));
    let text = "live: x/${date}\nshadow: b\naccount: id\nkey: [id, m]\noutput: {to: o, max_differences: 5}\n";
    let overrides = Overrides {
        live: given(&["l"]),
        shadow: given(&["s", "null"]),
        account: given(&["m"]),
        output: Some("out".into()),
        ..Overrides::default()
    };
    let parsed = parse(text, "s.yaml", &overrides).expect("a spec");
    assert_eq!(
        (parsed.spec.sides.live.paths, parsed.spec.sides.shadow.paths),
        (texts(&["l"]), texts(&["s", "null"]))
    );
    assert_eq!(parsed.spec.key, ["m", "id"]);
    assert_eq!(
        parsed.spec.output,
        OutputSpec {
            to: Some("out".into()),
            max_differences: Some(5),
            accounts: ListedAccounts::Differing,
            parquet: false,
            judgeable: false,
            totals: false,
            attributes: Vec::new(),
            spreadsheet_safe: false
        }
    );
    assert_eq!(
        parsed.document.to_string(),
        r#"{"live":"l","shadow":["s","null"],"account":"m","key":["id","m"],"output":{"to":"out","max_differences":5}}"#
    );
    let set = Overrides {
        live: given(&["l"]),
        set: pairs(&[("date", "d")]),
        ..Overrides::default()
    };
    assert!(parse(text, "s.yaml", &set).is_ok(), "a variable of an overridden field is used");
    let found = mistakes(
        "live: a\nshadow: b\n",
        &Overrides {
            key: given(&["x", "kind"]),
            ..Overrides::default()
        },
    );
    assert!(found.iter().all(|line| line.starts_with("command line: ")), "{found:?}");
}

#[test]
fn a_spec_from_the_command_line_alone() {
    let given = |names: &[&str]| Some(texts(names));
    let overrides = Overrides {
        live: given(&["a"]),
        shadow: given(&["b"]),
        key: given(&["id"]),
        ..Overrides::default()
    };
    let parsed = from_overrides(&overrides).expect("a spec");
    assert_eq!((parsed.spec.account, parsed.spec.key), (texts(&["id"]), texts(&["id"])));
    assert_eq!(
        parsed.document.to_string(),
        r#"{"live":"a","shadow":"b","key":"id","account":"id"}"#
    );
    let several = from_overrides(&Overrides {
        key: given(&["x", "y"]),
        ..overrides.clone()
    })
    .expect("a spec")
    .spec;
    assert_eq!((several.account, several.key), (texts(&["x", "y"]), texts(&["x", "y"])));
    let both = from_overrides(&Overrides {
        key: given(&["x", "y"]),
        account: given(&["y"]),
        ..overrides
    })
    .expect("a spec")
    .spec;
    assert_eq!((both.account, both.key), (texts(&["y"]), texts(&["y", "x"])));
    let error = from_overrides(&Overrides::default()).expect_err("nothing is given");
    assert_eq!(error.to_string().lines().count(), 3, "{error}");
    assert!(
        error.to_string().lines().all(|line| line.starts_with("command line: has no `")),
        "{error}"
    );
}

fn tolerance(column: &str, measure: Measure, limit: &str) -> ToleranceOverride {
    ToleranceOverride {
        column: column.into(),
        measure,
        limit: limit.into(),
    }
}

fn csv(side: Option<Side>, name: &str, value: &str) -> CsvOverride {
    CsvOverride {
        side,
        name: name.into(),
        value: value.into(),
    }
}

/// The command line over a spec, and the document that both make together.
#[test]
fn the_command_line_and_the_spec_make_one_document() {
    let none = Overrides::default;
    for (spec, overrides, wanted) in [
        (
            "where: \"x = '${no}'\"",
            Overrides {
                filter: Some("y > 0".into()),
                ..none()
            },
            r#""where":"y > 0""#,
        ),
        (
            "columns: {exclude: a, cast: {b: int}}",
            Overrides {
                exclude: texts(&["c", "etl_*"]),
                ..none()
            },
            r#""columns":{"exclude":["a","c","etl_*"],"cast":{"b":"int"}}"#,
        ),
        (
            "columns:",
            Overrides {
                exclude: texts(&["c"]),
                ..none()
            },
            r#""columns":{"exclude":["c"]}"#,
        ),
        (
            "comparators: [{columns: [a, b], absolute: 1}, {columns: c, json: true}]",
            Overrides {
                tolerances: vec![
                    tolerance("a", Measure::Relative, "5%"),
                    tolerance("c", Measure::Absolute, "0.01"),
                    tolerance("a", Measure::Absolute, "2"),
                ],
                ..none()
            },
            r#""comparators":[{"columns":["b"],"absolute":1},{"columns":"a","relative":"5%","absolute":"2"},{"columns":"c","absolute":"0.01"}]"#,
        ),
        (
            "csv: {delimiter: '|', quote: \"'\"}",
            Overrides {
                csv: vec![csv(None, "delimiter", ";"), csv(None, "header", "false")],
                ..none()
            },
            r#""csv":{"delimiter":";","quote":"'","header":false}"#,
        ),
        (
            "csv: {delimiter: '|'}",
            Overrides {
                csv: vec![csv(Some(Side::Shadow), "delimiter", "\\t"), csv(None, "null_values", "NA,-")],
                ..none()
            },
            r#""csv":{"live":{"delimiter":"|","null_values":["NA","-"]},"shadow":{"delimiter":"\\t","null_values":["NA","-"]}}"#,
        ),
        (
            "csv: {live: {delimiter: '|'}}",
            Overrides {
                csv: vec![csv(None, "encoding", "latin1")],
                ..none()
            },
            r#""csv":{"live":{"delimiter":"|","encoding":"latin1"},"shadow":{"encoding":"latin1"}}"#,
        ),
    ] {
        let parsed = parse(&format!("{BASE}{spec}\n"), "s.yaml", &overrides).expect(spec);
        let document = parsed.document.to_string();
        assert!(document.ends_with(&format!(",{wanted}}}")), "{spec}: {document}");
        let again = parse(&document, "again", &Overrides::default()).expect("the document is a spec");
        assert_eq!(again.spec, parsed.spec, "{spec}");
    }
}

#[test]
fn what_the_command_line_gets_wrong() {
    let none = Overrides::default;
    for (overrides, wanted) in [
        (
            Overrides {
                tolerances: vec![tolerance("a", Measure::Absolute, "1"), tolerance("a", Measure::Absolute, "2")],
                ..none()
            },
            "command line: --absolute a is given twice; give it once",
        ),
        (
            Overrides {
                csv: vec![csv(Some(Side::Live), "quote", "'"), csv(Some(Side::Live), "quote", "|")],
                ..none()
            },
            "command line: --csv live.quote is given twice; give it once",
        ),
        (
            Overrides {
                csv: vec![csv(None, "delimter", ";")],
                ..none()
            },
            "command line: csv.delimter: unknown field; did you mean `delimiter`?",
        ),
        (
            Overrides {
                exclude: texts(&["id"]),
                ..none()
            },
            "command line: columns.exclude[0]: `id` is a key column, and rows cannot be matched without it; take it out here or out of the key",
        ),
    ] {
        let found = mistakes(BASE, &overrides);
        assert!(found.contains(&wanted.to_owned()), "{found:?}");
    }
}
