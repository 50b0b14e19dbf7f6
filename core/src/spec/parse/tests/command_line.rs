//! What the command line gives: variables and overrides.

use super::{BASE, mistakes, pairs, texts};
use crate::spec::model::OutputSpec;
use crate::spec::overrides::Overrides;
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
            "s.yaml:4:8: where: ${n.1} has no value; give --set n.1=VALUE (did you mean ${n.2}?)",
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
    assert_eq!(error.message.lines().count(), 3, "{error}");
    assert!(
        error.message.lines().all(|line| line.starts_with("command line: has no `")),
        "{error}"
    );
}
