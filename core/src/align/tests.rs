//! How schemas with structs meet: their members, inside lists and maps too, and keys among them.

use super::*;
use crate::spec::{Overrides, parse};

fn spec(part: &str) -> Spec {
    let text = format!("live: a/\nshadow: b/\naccount: id\n{part}");
    let parsed = parse(&text, "s.yaml", &Overrides::default());
    parsed.unwrap_or_else(|error| panic!("{text}\n{error}")).spec
}

fn structure(members: &[(&str, &str)]) -> ValueType {
    let t = |text: &str| ValueType::parse(text).expect("a type of the test");
    ValueType::Struct(members.iter().map(|(name, text)| ((*name).to_owned(), t(text))).collect())
}

fn list(members: &[(&str, &str)]) -> ValueType {
    ValueType::List(Box::new(structure(members)))
}

fn map(members: &[(&str, &str)]) -> ValueType {
    ValueType::Map(Box::new(ValueType::Text), Box::new(structure(members)))
}

/// The account and one more column a side.
fn sides(name: &str, live: ValueType, shadow: ValueType) -> Sides<Vec<SideColumn>> {
    Sides::new(live, shadow).map(|t| as_columns(&[("id".to_owned(), ValueType::Text), (name.to_owned(), t)]))
}

fn mistakes(part: &str, sides: &Sides<Vec<SideColumn>>) -> String {
    align(&spec(part), sides).expect_err("the spec does not fit").to_string()
}

#[test]
fn a_member_of_one_side_inside_a_list_is_a_schema_change() {
    let few = &[("a", "int64")];
    let more = &[("a", "int64"), ("b", "text")];
    for (live, shadow, only_live, only_shadow) in [
        (list(few), list(more), vec![], vec!["c[].b"]),
        (list(more), list(few), vec!["c[].b"], vec![]),
        (map(few), map(more), vec![], vec!["c[value].b"]),
        (
            list(&[("a", "int64"), ("x", "text")]),
            list(&[("y", "date"), ("a", "int64")]),
            vec!["c[].x"],
            vec!["c[].y"],
        ),
    ] {
        let met = align(&spec(""), &sides("c", live, shadow)).expect("the sides meet");
        assert_eq!((met.only.live, met.only.shadow), (texts(&only_live), texts(&only_shadow)));
        assert_eq!(met.types, [], "a member that is not there has no type");
    }
}

#[test]
fn inside_lists_only_types_make_a_type_difference() {
    let types = |live, shadow| align(&spec(""), &sides("c", live, shadow)).expect("the sides meet").types.len();
    assert_eq!(
        types(list(&[("a", "int64"), ("b", "text")]), list(&[("b", "text"), ("a", "int64")])),
        0
    );
    assert_eq!(
        types(list(&[("a", "int64"), ("b", "text")]), list(&[("b", "text"), ("a", "int32")])),
        1
    );
}

#[test]
fn an_excluded_member_inside_a_list_is_neither_compared_nor_listed() {
    let of = || {
        sides(
            "c",
            list(&[("a", "int64"), ("b", "text"), ("x", "text")]),
            list(&[("b", "int64"), ("a", "int64")]),
        )
    };
    let met = align(&spec("columns: {exclude: ['c[].b', '*.x']}\n"), &of()).expect("what does not meet is excluded");
    let column = met.columns.iter().find(|c| c.name == "c").expect("the list is compared");
    assert_eq!((&column.shown, column.is_mixed()), (&list(&[("a", "int64")]), false));
    assert_eq!((met.only, met.types), (Sides::default(), vec![]));
    assert!(mistakes("columns: {exclude: ['c[].bb']}\n", &of()).contains("no column `c[].bb`; did you mean `c[].b`"));
}

#[test]
fn a_key_inside_an_excluded_struct_is_told_so() {
    let person = || structure(&[("no", "int64"), ("name", "text")]);
    let of = sides("p", person(), person());
    for pattern in ["p", "p*"] {
        let message = mistakes(&format!("key: [p.no]\ncolumns: {{exclude: ['{pattern}']}}\n"), &of);
        let want = format!(
            "key: column `p.no`: is a member of `p`, which is excluded; remove `{pattern}` from `columns.exclude` or choose another key"
        );
        assert_eq!(message, want);
    }
    let met = align(&spec("key: [p.no]\ncolumns: {exclude: ['p.*']}\n"), &of).expect("patterns pass keys over");
    assert_eq!(met.key_columns().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["id", "p.no"]);
}

#[test]
fn a_key_in_two_forms_is_told_so() {
    let mut of = sides("p", structure(&[("no", "int64")]), ValueType::Bool);
    of.shadow[1] = SideColumn {
        name: "p.no".into(),
        value_type: ValueType::INT64,
    };
    let message = mistakes("key: [p.no]\n", &of);
    assert!(
        message.contains("`p.no`: is a member of a struct on one side and a column on the other"),
        "{message}"
    );
}

#[test]
fn a_missing_key_hides_no_other_mistake_and_makes_none_up() {
    let of = sides("v", ValueType::INT64, ValueType::Text);
    let message = mistakes("key: [no]\ncomparators: [{columns: [v], absolute: 1}]\n", &of);
    assert!(
        message.contains("key: column `no`: is not in live") && message.contains("column `v`: live is int64"),
        "{message}"
    );
}

#[test]
fn an_entry_for_a_column_that_is_there_is_never_told_that_there_is_none() {
    let mut of = sides("v", ValueType::INT64, ValueType::Text);
    let message = mistakes("comparators: [{columns: [v], absolute: 1}]\n", &of);
    assert_eq!(message.lines().count(), 1, "{message}");
    of.shadow[1].value_type = ValueType::INT64;
    of.live.push(of.live[1].clone());
    of.live[2].name = "w".into();
    let entry = "comparators: [{columns: [w], absolute: 1}]\n";
    let warnings = |part: &str| align(&spec(part), &of).expect("the sides meet").warnings.join("; ");
    assert!(warnings(entry).contains("`w` is a column of live only"));
    assert!(warnings(&format!("{entry}columns: {{exclude: [w]}}\n")).contains("`w` is left out by `columns`"));
    assert!(mistakes("comparators: [{columns: [u], absolute: 1}]\n", &of).contains("no column `u`"));
}

#[test]
fn a_column_of_the_literal_name_wins_over_a_member_and_that_is_said() {
    let mut of = sides(
        "p",
        structure(&[("a", "int64"), ("b", "int64")]),
        structure(&[("a", "text"), ("b", "int64")]),
    );
    of.live.push(of.live[0].clone());
    of.live[2].name = "p.a".into();
    // With the name on one side alone there is nothing that could win.
    assert!(mistakes("", &of).contains("column `p.a`: live is int64, shadow is text"));
    of.shadow.push(of.live[2].clone());
    let met = align(&spec("key: [p.a]\n"), &of).expect("the sides meet");
    let names = |met: &Aligned| met.columns.iter().map(|c| c.path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&met), [texts(&["id"]), texts(&["p"]), texts(&["p", "b"]), texts(&["p.a"])]);
    assert!(
        met.warnings[0].starts_with("column `p.a` has the name of member `a` of `p`"),
        "{:?}",
        met.warnings
    );
    let met = align(&spec("columns: {exclude: [p.a]}\n"), &of).expect("the sides meet");
    assert_eq!((names(&met).len(), met.warnings.len()), (3, 0));
}

#[test]
fn include_chooses_and_exclude_takes_away() {
    let person = || structure(&[("no", "int64"), ("name", "text")]);
    let mut of = sides("p", person(), person());
    for side in Side::BOTH {
        of[side].extend(as_columns(&[
            ("a_x".to_owned(), ValueType::INT64),
            ("a_y".to_owned(), ValueType::INT64),
            ("l".to_owned(), list(&[("u", "int64"), ("v", "int64")])),
        ]));
    }
    of.shadow.push(of.live[2].clone());
    of.shadow[5].name = "new".into();
    let compared = |part: &str| {
        let met = align(&spec(part), &of).expect("the sides meet");
        assert_eq!(met.only.shadow.len(), usize::from(!part.contains("include")), "{part}");
        met.columns.into_iter().map(|c| c.name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(compared(""), "id p p.no p.name a_x a_y l");
    assert_eq!(compared("columns: {include: ['a_*']}\n"), "id a_x a_y");
    assert_eq!(compared("columns: {include: ['a_*'], exclude: [a_y]}\n"), "id a_x");
    assert_eq!(compared("columns: {include: p}\n"), "id p p.no p.name");
    assert_eq!(compared("columns: {include: [p.name]}\n"), "id p p.name");
    assert_eq!(compared("key: [p.no]\ncolumns: {include: [a_x]}\n"), "id p p.no a_x");
    let met = align(&spec("columns: {include: ['l[].u']}\n"), &of).expect("the sides meet");
    assert_eq!(met.columns[1].shown, list(&[("u", "int64")]));
    assert!(mistakes("columns: {include: [a_z]}\n", &of).contains("columns.include: no column `a_z`; did you mean"));
}

#[test]
fn no_cast_to_a_struct_is_advised() {
    let message = mistakes("", &sides("c", list(&[("a", "int64")]), list(&[("a", "text")])));
    assert!(
        message.ends_with("no common type; derive it alike on both sides, or exclude it"),
        "{message}"
    );
    let message = mistakes("", &sides("c", ValueType::INT64, ValueType::Text));
    assert!(
        message.ends_with("such as `columns: {cast: {shadow: {c: \"int64\"}}}`"),
        "{message}"
    );
}

#[test]
fn members_that_differ_in_case_get_no_rename() {
    let warnings = |live, shadow| align(&spec(""), &sides("c", live, shadow)).expect("the sides meet").warnings;
    let said = warnings(structure(&[("a", "text")]), structure(&[("A", "text")]));
    assert_eq!(said, ["column `c.a` of live and `c.A` of shadow differ only in case"]);
}

#[test]
fn the_name_of_a_struct_takes_all_below_it() {
    let nested = ValueType::Struct(vec![
        ("x".to_owned(), ValueType::INT64),
        ("in".to_owned(), structure(&[("y", "int64")])),
    ]);
    let mut of = sides("p", nested.clone(), nested);
    for side in Side::BOTH {
        of[side].extend(as_columns(&[
            ("p.z".to_owned(), ValueType::Text),
            ("pq".to_owned(), ValueType::Text),
        ]));
    }
    let met = align(&spec(""), &of).expect("the sides meet");
    let taken = |pattern: &str| {
        let pattern = Pattern(pattern.to_owned());
        let all = met.columns.iter().enumerate();
        all.filter(|(at, _)| met.takes(&pattern, *at))
            .map(|(_, c)| c.name.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(taken("p"), ["p", "p.x", "p.in", "p.in.y"]);
    assert_eq!(taken("p.in"), ["p.in", "p.in.y"]);
    assert_eq!(taken("p.i*"), ["p.in", "p.in.y"]);
    assert_eq!(taken("*p"), ["p"]);
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
