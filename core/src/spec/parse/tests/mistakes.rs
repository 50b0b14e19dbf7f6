//! Every mistake of a spec, with the line that tells it.

use super::{BASE, mistakes};
use crate::spec::mistakes::Outside;
use crate::spec::overrides::Overrides;

/// Each part has one mistake. It stands below `BASE`, so that its first line is line 4.
const MISTAKES: &[(&str, &str)] = &[
    (
        "verdict:\n  max_exeptions: 0",
        "5:3: verdict.max_exeptions: unknown field; did you mean `max_exceptions`?",
    ),
    ("Expected: []", "4:1: Expected: unknown field; did you mean `expected`?"),
    (
        "relative: 1",
        "4:1: relative: unknown field; it belongs to `comparator` or `within`; known here are live, shadow, baseline, account, key, where, schema, csv, ready, columns, comparators, expected, accepted, noise, verdict, as_of, output",
    ),
    (
        "verdict: {zzz: 1}",
        "4:11: verdict.zzz: unknown field; known are max_exceptions, max_exception_accounts, max_column_mismatch, schema_changes, type_changes, unused_rules, allow_empty, noise",
    ),
    (
        "verdict: {noise: subtract}",
        "4:10: verdict.noise: there is no `noise` to subtract; name a second run of the live version: noise: {live_again: …}",
    ),
    (
        "noise: {}",
        "4:8: noise: names no second run of the live version; write `live_again`",
    ),
    ("output: x\noutput: y", "5:1: output: is given twice, first in line 4; keep one"),
    (
        "columns: {cast: {a: int, a: text}}",
        "4:26: columns.cast.a: is given twice, first in line 4; keep one",
    ),
    (
        "where:",
        "4:1: where: has no value; write a text (in quotes if you mean the text itself), or take it out",
    ),
    ("where: ''", "4:8: where: is an empty text; write one, or take the field out"),
    ("where: [a]", "4:8: where: is a list; write a mapping with live, shadow or both"),
    (
        "where: {live: a, both: b}",
        "4:18: where: `both` stands beside a side; name only live and shadow here, and put the rest below them",
    ),
    (
        "key: []",
        "4:6: key: is an empty list; write the name of a column, or a list of them, or take the field out",
    ),
    ("key: [x, x]", "4:10: key[1]: names `x` a second time; name each column once"),
    (
        "key: [x, ~]",
        "4:10: key[1]: has no value; write a text (in quotes if you mean the text itself), or take it out",
    ),
    (
        "key: [kind]",
        "4:7: key[0]: the result has a column `kind` of its own; rename this one with `columns: {rename: {live: {kind: kind_key}, shadow: {kind: kind_key}}}` and name kind_key here",
    ),
    (
        "baseline: both",
        "4:11: baseline: `both` is not known here; write one of live, shadow",
    ),
    (
        "baseline: Live",
        "4:11: baseline: `Live` is not known here; did you mean `live`? known are live, shadow",
    ),
    (
        "baseline: {default: live, live_for: {list: [1]}}",
        "4:37: baseline.live_for: the baseline of all accounts is live already; use `shadow_for` for those of the other side",
    ),
    (
        "baseline: {shadow_for: {list: [1]}}",
        "4:11: baseline: has no `default`; add it: the baseline of all accounts that are not listed",
    ),
    (
        "baseline: {default: live, shadow_for: {}}",
        "4:39: baseline.shadow_for: lists no accounts; give one of list, file",
    ),
    (
        "baseline: {default: live, shadow_for: {list: [[a, b]]}}",
        "4:47: baseline.shadow_for.list[0]: has 2 values, but an account has 1; write 1 value",
    ),
    (
        "as_of: 2026-02-30",
        "4:8: as_of: `2026-02-30` is not a day of the calendar; write one such as 2026-12-31",
    ),
    (
        "schema: {a: itn}",
        "4:13: schema.a: `itn` is not a column type; did you mean `int`?",
    ),
    (
        "schema: {live: {a: text}, b: text}",
        "4:27: schema: `b` stands beside a side; name only live and shadow here, and put the rest below them",
    ),
    (
        "csv: {delimiter: ';;'}",
        "4:18: csv.delimiter: `;;` is not one ASCII character; write one such as \";\" or \"\\t\"",
    ),
    (
        "csv: {delimiter: '\"'}",
        "4:6: csv: has one character as delimiter and as quote; change one of them",
    ),
    (
        "csv: {header: yes}",
        "4:15: csv.header: `yes` is neither true nor false; write one of them, without quotes",
    ),
    (
        "csv: {header: 'true'}",
        "4:15: csv.header: `true` is neither true nor false; write one of them, without quotes",
    ),
    (
        "csv: {compression: gz}",
        "4:20: csv.compression: `gz` is not known here; did you mean `xz`? known are none, gzip, zstd, bzip2, xz",
    ),
    (
        "csv: {live: {types: txt}}",
        "4:21: csv.live.types: `txt` is not known here; did you mean `text`? known are infer, text",
    ),
    (
        "ready: {wait: 1s}",
        "4:8: ready: has no `marker`; add it: the name of the marker file inside the dataset's directory",
    ),
    (
        "ready: {marker: a, wait: 10}",
        "4:26: ready.wait: `10` is not a duration; write a number and one of ms, s, m, h, d, such as 1.5s",
    ),
    (
        "ready: a/b",
        "4:8: ready: `a/b` is a path; write the name of a file inside the dataset's directory",
    ),
    (
        "columns: {exclude: [id]}",
        "4:21: columns.exclude[0]: `id` is a key column, and rows cannot be matched without it; take it out here or out of the key",
    ),
    (
        "columns: {rename: {a: x, b: x}}",
        "4:29: columns.rename.b: `x` is the new name of `a` already; give each column its own name",
    ),
    (
        "columns: {derive: {a: {}}}",
        "4:23: columns.derive.a: has no SQL; write one for both sides, or {live: …, shadow: …}",
    ),
    (
        "comparators: {columns: x}",
        "4:14: comparators: is a mapping; write a list of entries with `columns` and a comparator",
    ),
    (
        "comparators:\n  - relative: 5%",
        "5:5: comparators[0]: has no `columns`; add it: the columns; `*` stands for any characters",
    ),
    (
        "comparators: [{columns: x}]",
        "4:15: comparators[0]: has no comparator; add one of absolute, relative, text, time, unordered, json, sql",
    ),
    (
        "comparators: [{columns: x, json: false}]",
        "4:15: comparators[0]: has no comparator; add one of absolute, relative, text, time, unordered, json, sql",
    ),
    (
        "comparators: [{columns: x, json: no}]",
        "4:34: comparators[0].json: `no` is neither true nor false; write one of them, without quotes",
    ),
    (
        "comparators: [{columns: [], json: true}]",
        "4:25: comparators[0].columns: is an empty list; write the name of a column, or a list of them, or take the field out",
    ),
    (
        "comparators: [{columns: x, absolute: -1}]",
        "4:38: comparators[0].absolute: `-1` is negative; write a number that is 0 or more",
    ),
    (
        "comparators: [{columns: x, relative: five}]",
        "4:38: comparators[0].relative: `five` is not a number; write a decimal such as 0.01, or a percentage such as 5%",
    ),
    (
        "comparators: [{columns: x, relative: 5%, sql: a}]",
        "4:15: comparators[0]: mixes relative and sql; keep one (only absolute and relative go together, and unordered with them, with text or with time)",
    ),
    (
        "comparators: [{columns: x, unordered: true, json: true}]",
        "4:15: comparators[0]: mixes json and unordered; keep one (only absolute and relative go together, and unordered with them, with text or with time)",
    ),
    (
        "comparators: [{columns: x, text: {trim: true}, time: 1s}]",
        "4:15: comparators[0]: mixes text and time; keep one (only absolute and relative go together, and unordered with them, with text or with time)",
    ),
    (
        "comparators: [{columns: x, text: {}}]",
        "4:34: comparators[0].text: changes nothing; set at least one of normalize, collapse_whitespace, trim, ignore_case, empty_is_null",
    ),
    (
        "comparators: [{columns: x, text: {normalize: nfx}}]",
        "4:46: comparators[0].text.normalize: `nfx` is not known here; did you mean `nfc`? known are nfc, nfd, nfkc, nfkd",
    ),
    (
        "comparators: [{columns: id, absolute: 1}]",
        "4:25: comparators[0].columns: `id` is a key column, and keys match exactly; make a new key with `columns: {derive: …}` instead",
    ),
    (
        "comparators: [{columns: x, json: true}, {columns: [y, x], json: true}]",
        "4:55: comparators[1].columns[1]: comparators[0] names `x` already; keep one of the two",
    ),
    (
        "expected: [{columns: x}]",
        "4:12: expected[0]: has no `name`; add it: named in the result; unique",
    ),
    (
        "expected: [{name: a, max: 1}, {name: a, max: 1}]",
        "4:38: expected[1].name: another rule is called `a` already; give each its own name",
    ),
    (
        "expected: [{name: a, columns: x, kinds: [changed, missing_in_live]}]",
        "4:51: expected[0].kinds[1]: `missing_in_live` is about whole rows, but the rule names `columns`; take it out, or write a rule without `columns` for it",
    ),
    (
        "expected: [{name: a, kinds: [change]}]",
        "4:30: expected[0].kinds[0]: `change` is not known here; did you mean `changed`? known are changed, missing_in_shadow, missing_in_live, duplicate_key",
    ),
    (
        "expected: [{name: a, kinds: []}]",
        "4:29: expected[0].kinds: is an empty list; write the kinds of differences, or take the field out",
    ),
    (
        "expected: [{name: a, columns: []}]",
        "4:31: expected[0].columns: is an empty list; write the name of a column, or a list of them, or take the field out",
    ),
    (
        "expected: [{name: a, columns: [id]}]",
        "4:32: expected[0].columns[0]: `id` is a key column, whose cells never change; take it out, or make a new key with `columns: {derive: …}`",
    ),
    (
        "expected: [{name: a, accounts: }]",
        "4:22: expected[0].accounts: is without a value; write a mapping with some of list, file, where",
    ),
    (
        "expected: [{name: a, accounts: {list: [1], where: x}}]",
        "4:32: expected[0].accounts: gives the accounts in more than one way; give only one of list, file, where",
    ),
    (
        "expected: [{name: a, accounts: {list: [[1, 2]]}}]",
        "4:40: expected[0].accounts.list[0]: has 2 values, but an account has 1; write 1 value",
    ),
    (
        "expected: [{name: a, within: {}}]",
        "4:30: expected[0].within: has no bound; give absolute, relative or time, or take `within` out",
    ),
    (
        "expected: [{name: a, within: {relative: -5%}}]",
        "4:41: expected[0].within.relative: `-5%` is negative; write a number that is 0 or more",
    ),
    (
        "expected: [{name: a, kinds: [duplicate_key], within: {time: 1s}}]",
        "4:54: expected[0].within: bounds changed values, but `kinds` leaves `changed` out; take one of the two out",
    ),
    (
        "expected: [{name: a, min: 3, max: 2}]",
        "4:12: expected[0]: min 3 is more than max 2; no count can be both",
    ),
    (
        "expected: [{name: a, min: 1.5}]",
        "4:27: expected[0].min: `1.5` is not a count; write a whole number such as 10",
    ),
    (
        "expected: [{name: a, until: tomorrow}]",
        "4:29: expected[0].until: `tomorrow` is not a day of the calendar; write one such as 2026-12-31",
    ),
    (
        "verdict: {max_exceptions: 0.5}",
        "4:27: verdict.max_exceptions: `0.5` is not a limit; write a count such as 10, or a percentage such as 5%",
    ),
    (
        "verdict: {max_exception_accounts: 101%}",
        "4:35: verdict.max_exception_accounts: is more than 100%, which limits nothing; write a smaller percentage",
    ),
    (
        "verdict: {schema_changes: added}",
        "4:27: verdict.schema_changes: is a single value; write a list of added, removed, or an empty one",
    ),
    (
        "verdict: {schema_changes: [add]}",
        "4:28: verdict.schema_changes[0]: `add` is not known here; write one of added, removed",
    ),
    (
        "verdict: {type_changes: true}",
        "4:25: verdict.type_changes: `true` is not known here; write one of allow, fail",
    ),
    ("output: {too: x}", "4:10: output.too: unknown field; did you mean `to`?"),
    (
        "output: {max_differences: -1}",
        "4:27: output.max_differences: `-1` is not a count; write a whole number such as 10",
    ),
    ("where: ${date} > 1", "4:8: where: ${date} has no value; give --set date=VALUE"),
    ("as_of: ${date}", "4:8: as_of: ${date} has no value; give --set date=VALUE"),
    (
        "schema: {'${date}': int}",
        "4:10: schema: ${date} has no value; give --set date=VALUE",
    ),
    (
        "where: x = '${a b}'",
        "4:8: where: `${` does not begin a variable; write `${name}`, or `$${` for the characters themselves",
    ),
    (
        "where: x: y",
        "4:9: not YAML (mapping values are not allowed in this context); check the indentation, and put a text with special characters into quotes",
    ),
];

#[test]
fn every_mistake_has_a_place_and_an_advice() {
    let mut failures = Vec::new();
    for (part, wanted) in MISTAKES {
        let found = mistakes(&format!("{BASE}{part}\n"), &Overrides::default());
        if found != [format!("s.yaml:{wanted}")] {
            failures.push(format!("{part}\n  wanted {wanted}\n  found  {}", found.join("\n         ")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn mistakes_are_gathered_in_the_order_of_the_file() {
    let text = "live: []\nkey: [id, kind]\ncomparators:\n  - columns: x\n    absolute: -1\nverdict:\n  max_exception: 0\nwhere:\n";
    let flags = Overrides {
        outside: Outside::Flags,
        ..Overrides::default()
    };
    let found = mistakes(text, &flags);
    let without = mistakes(text, &Overrides::default());
    assert_eq!(
        without[0],
        "s.yaml:1:1: has no `account`; add the column or columns that name a customer"
    );
    let places: Vec<String> = found
        .iter()
        .map(|line| line.splitn(5, ':').take(4).collect::<Vec<_>>().join(":"))
        .collect();
    assert_eq!(
        places,
        [
            "s.yaml:1:1: has no `account`; add the column or columns that name a customer, or give --account",
            "s.yaml:1:1: has no `shadow`; add the shadow dataset's directory, glob or files, or give --shadow",
            "s.yaml:1:7: live",
            "s.yaml:2:11: key[1]",
            "s.yaml:5:15: comparators[0].absolute",
            "s.yaml:7:3: verdict.max_exception",
            "s.yaml:8:1: where",
        ]
    );
}

#[test]
fn what_is_no_mapping_is_no_spec() {
    for (text, part) in [
        ("- a\n", "s.yaml:1:1: is a list"),
        ("hello\n", "s.yaml:1:1: is a single value"),
        (
            "",
            "s.yaml:1:1: the spec is empty; it needs at least `live`, `shadow` and `account`",
        ),
        ("~", "s.yaml:1:1: is without a value"),
    ] {
        let found = mistakes(text, &Overrides::default());
        assert!(found.len() == 1 && found[0].starts_with(part), "{text}: {found:?}");
    }
}
