//! Suites that are right, and every mistake that one can make in one.

use super::*;
use crate::spec::{Overrides, parse};

fn sides(live: &[&str], shadow: &[&str]) -> Sides<BTreeSet<String>> {
    Sides::new(live, shadow).map(|names| names.iter().map(|name| (*name).to_owned()).collect())
}

fn suite(text: &str, found: Option<&Sides<BTreeSet<String>>>) -> Result<Suite> {
    parse_suite(text, "s.yaml", &[("day".to_owned(), "2026-11-01".to_owned())])?.members(found, "out")
}

const HEAD: &str = "# ${day}\nname: n-${day}\ndefaults: {account: id, where: \"task = '{task}'\"}\n";
const FOLDERS_OF: &str = "folders: {live: \"l/{task}/\", shadow: \"s/{task}/x-*.csv\", skip: [tmp_*]}\n";

#[test]
fn a_task_of_the_suite_is_the_spec_that_one_would_write() {
    let text = format!("{HEAD}{FOLDERS_OF}tasks:\n  - {{name: b, spec: {{key: [id, k], output: {{max_differences: 5}}}}, after: c}}\n");
    let found = suite(&text, Some(&sides(&["a", "b", "c", "tmp_1"], &["a", "b", "c", "d"]))).expect("a suite");
    let names: Vec<&str> = found.members.iter().map(|of| of.name.as_str()).collect();
    assert_eq!(names, ["a", "c", "b"], "as written, each after what it follows");
    assert_eq!(found.skipped, ["tmp_1"]);
    assert_eq!(found.one_sided, Sides::new(Vec::new(), vec!["d".to_owned()]));
    let MemberSpec::Inline(parsed) = &found.members[2].spec else {
        panic!("it has no file")
    };
    let alone =
        "account: id\nwhere: \"task = 'b'\"\nlive: l/b/\nshadow: s/b/x-*.csv\nkey: [id, k]\noutput: {max_differences: 5, to: out/b}\n";
    let alone = parse(alone, "s.yaml", &Overrides::default()).expect("a spec");
    assert_eq!((&parsed.spec, &parsed.document), (&alone.spec, &alone.document));
}

#[test]
fn a_spec_file_keeps_its_own_and_takes_the_folders_that_were_found() {
    let text = format!("{HEAD}{FOLDERS_OF}tasks: [{{name: a, spec: \"specs/{{task}}.yaml\", set: {{d: \"${{day}}\"}}}}]\n");
    let found = suite(&text, Some(&sides(&["a"], &["a"]))).expect("a suite");
    let MemberSpec::File { file, set, data } = &found.members[0].spec else {
        panic!("it is a file")
    };
    assert_eq!(
        (file.as_str(), set.as_slice()),
        ("specs/a.yaml", &[("d".to_owned(), "2026-11-01".to_owned())][..])
    );
    assert_eq!(data.as_ref().map(|data| data.shadow.as_str()), Some("s/a/x-*.csv"));
}

#[test]
fn same_inputs_come_first_and_allow_nothing() {
    let text = "tasks: [{name: t, spec: {live: a, shadow: b, account: id}, after: raw}]\nsame_inputs: [{name: raw, live: c, shadow: d, account: id}]\n";
    let file = parse_suite(text, "s.yaml", &[]).expect("a suite");
    let found = file.members(None, "out").expect("members");
    assert_eq!(found.members.iter().map(|of| of.name.as_str()).collect::<Vec<_>>(), ["raw", "t"]);
    let MemberSpec::Inline(parsed) = &found.members[0].spec else {
        panic!("it has no file")
    };
    assert!(parsed.spec.verdict.type_changes_fail && parsed.spec.expected.is_empty() && parsed.spec.comparators.is_empty());
    let text = "tasks: [t]\nsame_inputs: [{name: raw, live: c, shadow: d, account: id, verdict: {max_exceptions: 5}}]\n";
    assert!(
        parse_suite(text, "s.yaml", &[])
            .expect_err("no threshold")
            .to_string()
            .contains("verdict")
    );
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let both = sides(&["a", "b"], &["a", "b"]);
    let words = sides(&["scores", "a"], &["scores", "a"]);
    let with = |rest: &str| format!("{HEAD}{FOLDERS_OF}{rest}");
    for (text, found, expected) in [
        (
            with("tasks: [{name: scorse}]\n"),
            Some(words.clone()),
            "s.yaml:5:9: tasks[0]: neither side has a folder of `scorse`; did you mean `scores`?",
        ),
        (
            with("tasks: [{name: a, aftr: b}]\n"),
            Some(both.clone()),
            "s.yaml:5:19: tasks[0].aftr: unknown field; did you mean `after`?",
        ),
        (
            with("tasks: [{name: a, after: scorse}]\n"),
            Some(words.clone()),
            "s.yaml:5:26: tasks[0].after: `scorse` is not a task of this suite; did you mean `scores`?",
        ),
        (
            with("tasks: [{name: a, after: b}, {name: b, after: [a]}]\n"),
            Some(both.clone()),
            "s.yaml:5:26: tasks[0].after: each of these follows the next, in a circle: a, b, a; take one",
        ),
        (with("tasks: [{name: a, after: a}]\n"), Some(both.clone()), "in a circle: a, a"),
        (
            with("tasks: [{name: a}, {name: A, spec: {live: x, shadow: y}}]\n"),
            Some(both.clone()),
            "would write into one folder",
        ),
        (
            with("tasks: [{name: a, spec: {keys: [k]}}]\n"),
            Some(both.clone()),
            "s.yaml:5:26: keys: unknown field; did you mean `key`?",
        ),
        (
            with("tasks: [{name: a, spec: {output: x}}]\n"),
            Some(both.clone()),
            "s.yaml:5:26: output: the suite says where the results go",
        ),
        (
            with("tasks: [tmp_1]\n"),
            Some(sides(&["a", "tmp_1"], &["a", "tmp_1"])),
            "`folders.skip` leaves it out",
        ),
        (
            with(""),
            Some(sides(&[], &["a"])),
            "s.yaml:4:10: folders.live: no task is found: nothing is called like `l/{task}/`",
        ),
        (with(""), Some(sides(&["a b"], &["a b"])), "`a b` cannot be the name of a folder"),
        (HEAD.to_owned(), None, "has no task; name them in `tasks`"),
        (
            HEAD.replace("account: id", "acount: id") + "tasks: [a, b]\n",
            None,
            "s.yaml:3:12: acount: unknown field; did you mean `account`?",
        ),
        (
            format!("{HEAD}folders: {{live: l, shadow: \"s/*/{{task}}/\"}}\n"),
            None,
            "`l` has no {task}",
        ),
        (
            format!("{HEAD}folders: {{live: l, shadow: \"s/*/{{task}}/\"}}\n"),
            None,
            "has a wildcard before {task}",
        ),
        (format!("{HEAD}tasks: [suite.json]\n"), None, "`suite.json` cannot be the name"),
        (
            format!("{HEAD}tasks: [{{name: a, set: {{x: 1}}}}]\n"),
            None,
            "no spec file has variables here",
        ),
    ] {
        let error = suite(&text, found.as_ref()).expect_err(&text).to_string();
        assert!(error.contains(expected), "{expected}:\n{error}");
    }
    let error = suite(&(HEAD.replace("account", "acount") + "tasks: [a, b, c]\n"), None)
        .expect_err("a typo")
        .to_string();
    assert_eq!(
        error.matches("unknown field").count(),
        1,
        "what is wrong in the defaults is told once:\n{error}"
    );
}
