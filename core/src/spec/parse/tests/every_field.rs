//! The table of fields against the parser and the reference: what the table names, both know.

use super::{BASE, pairs};
use crate::spec::fields::{GROUPS, SPEC};
use crate::spec::group::{Group, Shape};
use crate::spec::overrides::Overrides;
use crate::spec::parse::parse;

/// A value that no field takes: the parser must complain about every field of the table, or it does not read it.
#[test]
fn every_field_of_the_table_is_read() {
    for (path, template) in field_templates() {
        let text = format!("{{\"live\": \"a\", \"shadow\": \"b\", \"account\": \"id\", {template}}}");
        let found = match parse(&text, "s", &Overrides::default()) {
            Ok(_) => panic!("{path} is not read: {text}"),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(&format!(": {path}")), "{path} is not read: {text}\n{found}");
    }
}

/// Path and JSON of every field with the value `[[[]]]`.
fn field_templates() -> Vec<(String, String)> {
    let mut templates = Vec::new();
    group_templates(&SPEC, "", &|inner| inner, &mut templates);
    templates
        .into_iter()
        .filter(|(path, _)| !["live", "shadow", "account"].contains(&path.as_str()))
        .collect()
}

fn group_templates(group: &Group, path: &str, wrap: &dyn Fn(String) -> String, templates: &mut Vec<(String, String)>) {
    for field in group.fields {
        let path = if path.is_empty() {
            field.name.to_owned()
        } else {
            format!("{path}.{}", field.name)
        };
        let default = if path.ends_with("live_for") {
            "\"default\": \"shadow\", "
        } else if path.ends_with("shadow_for") {
            "\"default\": \"live\", "
        } else {
            ""
        };
        let named = |inner: String| format!("{default}\"{}\": {inner}", field.name);
        templates.push((path.clone(), wrap(named("[[[]]]".to_owned()))));
        shape_templates(&field.shape, &path, &|inner| wrap(named(inner)), templates);
    }
}

fn shape_templates(shape: &Shape, path: &str, wrap: &dyn Fn(String) -> String, templates: &mut Vec<(String, String)>) {
    match shape {
        Shape::Group(group) => group_templates(group, path, &|inner| wrap(format!("{{{inner}}}")), templates),
        Shape::List(item) | Shape::Filled(item) => {
            shape_templates(item, &format!("{path}[0]"), &|inner| wrap(format!("[{inner}]")), templates)
        }
        Shape::Sides(one) => {
            for side in ["live", "shadow"] {
                shape_templates(
                    one,
                    &format!("{path}.{side}"),
                    &|inner| wrap(format!("{{\"{side}\": {inner}}}")),
                    templates,
                );
            }
        }
        Shape::AnyOf(shapes) => shapes.iter().for_each(|shape| shape_templates(shape, path, wrap, templates)),
        Shape::Text
        | Shape::Value
        | Shape::Sql
        | Shape::Flag
        | Shape::Count
        | Shape::Limit
        | Shape::Tolerance
        | Shape::Duration
        | Shape::Day
        | Shape::Character
        | Shape::Type
        | Shape::Word(_)
        | Shape::Map(_) => {}
    }
}

/// The page for users: every field is named in it, and every example in it is a spec or a part of one.
#[test]
fn the_reference_is_true() {
    let page = include_str!("../../../../../docs/spec.md");
    for group in GROUPS {
        for name in group.names() {
            assert!(
                page.contains(&format!("`{name}`")),
                "docs/spec.md does not name {name} of {}",
                group.name
            );
        }
    }
    let examples: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|part| part.split("```").next())
        .collect();
    for example in &examples {
        let text = if example.contains("live: ") && example.contains("account: ") {
            (*example).to_owned()
        } else {
            format!("{BASE}{example}")
        };
        let set = if text.contains("${date}") {
            pairs(&[("date", "2026-11-01")])
        } else {
            Vec::new()
        };
        let parsed = parse(
            &text,
            "docs/spec.md",
            &Overrides {
                set,
                ..Overrides::default()
            },
        );
        assert!(parsed.as_ref().is_ok_and(|parsed| parsed.warnings.is_empty()), "{text}\n{parsed:?}");
    }
    assert_eq!(
        examples.last(),
        Some(&include_str!("../full.yaml")),
        "the full example is the tested one"
    );
}
