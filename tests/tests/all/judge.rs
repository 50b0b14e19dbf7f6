//! `judge`: what it gives, what it refuses, and that it reads no data.

use shadowdiff_tests::binary::{self, Run};
use std::path::Path;
use tempfile::TempDir;

const RULES: &str = "expected:\n  - {name: up, columns: [v], where: 'shadow > live', min: 1}\n";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    put(folder.path(), "live.csv", "id,v,w\na,1,1\nb,2,1\nc,3,1\nd,4,1\n");
    put(folder.path(), "shadow.csv", "id,v,w\na,1,1\nb,5,1\nc,1,2\ne,4,1\n");
    put(folder.path(), "spec.yaml", &spec(RULES, "judgeable: true"));
    folder
}

fn spec(rules: &str, output: &str) -> String {
    format!("live: live.csv\nshadow: shadow.csv\naccount: id\noutput: {{to: out, {output}}}\n{rules}")
}

fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the file can be written");
}

fn run(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

#[test]
fn other_rules_are_judged_without_the_data() {
    let folder = folder();
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    let all = "expected:\n  - {name: rows, kinds: [missing_in_live, missing_in_shadow]}\n  - {name: any, columns: [v, w]}\n";
    put(folder.path(), "new.yaml", &spec(all, "judgeable: true"));
    let compared = run(folder.path(), "compare new.yaml --output again");
    std::fs::remove_file(folder.path().join("live.csv")).expect("it is there");
    std::fs::remove_file(folder.path().join("shadow.csv")).expect("it is there");
    let judged = run(folder.path(), "judge out --spec new.yaml --output judged --junit judged.xml");
    assert_eq!((judged.exit, compared.exit), (0, 0), "{}", judged.stderr);
    for name in ["diff.csv", "accounts.csv"] {
        let [one, other] = ["again", "judged"].map(|place| std::fs::read(folder.path().join(place).join(name)));
        assert_eq!(one.expect("a table"), other.expect("a table"), "{name}");
    }
    assert!(folder.path().join("judged.xml").exists());
    let [one, other] = ["again", "judged"].map(|place| {
        let text = std::fs::read_to_string(folder.path().join(place).join("summary.json")).expect("a summary");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["row_patterns"].clone()
    });
    assert_eq!(one, other);
    // What was judged can be judged again, in its own place too.
    let again = "judge judged --spec new.yaml --output judged";
    assert_eq!(run(folder.path(), again).exit, 2, "an older result stays");
    assert_eq!(run(folder.path(), &format!("{again} --overwrite")).exit, 0);
}

#[test]
fn accounts_that_were_listed_can_be_counted() {
    let folder = folder();
    put(folder.path(), "spec.yaml", &spec(RULES, "judgeable: true, accounts: all"));
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    let share = "verdict: {max_exceptions: 100, max_exception_accounts: 79%}\n";
    put(folder.path(), "new.yaml", &spec(share, "accounts: differing"));
    let summaries = [
        "compare new.yaml --output again --json",
        "judge out --spec new.yaml --output judged --json",
    ]
    .map(|command| {
        let got = run(folder.path(), command);
        assert_eq!(got.exit, 1, "{}", got.stderr);
        serde_json::from_str::<serde_json::Value>(&got.stdout).expect("--json prints the summary")
    });
    // Four of five accounts.
    for summary in &summaries {
        assert_eq!(summary["accounts"]["all"], 5);
        assert_eq!(summary["broken"], summaries[0]["broken"]);
    }
    let [one, other] = ["again", "judged"].map(|place| std::fs::read(folder.path().join(place).join("accounts.csv")));
    assert_eq!(one.expect("a table"), other.expect("a table"));
}

#[test]
fn what_needs_the_data_is_refused_by_name() {
    let folder = folder();
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    for (rules, output, said) in [
        ("comparators: [{columns: [v], absolute: 1}]\n", "judgeable: true", "comparators"),
        ("where: \"w = 1\"\n", "judgeable: true", "where"),
        (
            "expected: [{name: down, columns: [v], where: 'shadow_row.w < live'}]\n",
            "judgeable: true",
            "rule `down` was not asked when the data was compared, and not all columns that it reads were kept",
        ),
        (
            "expected: [{name: by_x, columns: [v], accounts: {where: 'x > 1'}}]\n",
            "judgeable: true",
            "rule `by_x` was not asked",
        ),
        (
            "",
            "judgeable: true, attributes: [w]",
            "output.attributes: the values that were kept are of other columns",
        ),
        ("", "accounts: all", "output.accounts"),
        (
            "verdict: {max_exception_accounts: 5%}\n",
            "judgeable: true",
            "verdict.max_exception_accounts",
        ),
        ("expected: [{name: up, columns: [gone]}]\n", "judgeable: true", "gone"),
    ] {
        put(folder.path(), "new.yaml", &spec(rules, output));
        let got = run(folder.path(), "judge out --spec new.yaml --output judged");
        assert!(got.exit == 2 && got.stderr.contains(said), "{rules}{output}: {}", got.stderr);
        assert!(!folder.path().join("judged").exists());
    }
    put(folder.path(), "plain.yaml", &spec(RULES, "judgeable: false"));
    assert_eq!(run(folder.path(), "compare plain.yaml --output plain").exit, 1);
    let got = run(folder.path(), "judge plain --spec spec.yaml --output judged");
    assert!(got.exit == 2 && got.stderr.contains("judgeable: true"), "{}", got.stderr);
}

/// SQL over the cell, the key and columns that were kept needs no data, nor does what was judged.
#[test]
fn new_sql_is_asked_of_what_was_kept() {
    let folder = folder();
    put(
        folder.path(),
        "spec.yaml",
        &spec("", "judgeable: true, attributes: [w], parquet: true"),
    );
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    let rules = "expected:\n  - {name: up, columns: [v], where: 'shadow > live and live_row.w = 1'}\n\
                 \x20 - {name: few, accounts: {where: \"w < 2 and id <> 'd'\"}}\n";
    put(
        folder.path(),
        "new.yaml",
        &spec(rules, "judgeable: true, attributes: [w], parquet: true"),
    );
    assert_eq!(run(folder.path(), "compare new.yaml --output again").exit, 1);
    std::fs::remove_file(folder.path().join("live.csv")).expect("it is there");
    assert_eq!(run(folder.path(), "judge out --spec new.yaml --output judged").exit, 1);
    assert_eq!(run(folder.path(), "judge judged --spec new.yaml --output twice").exit, 1);
    for name in ["diff.csv", "accounts.csv", "differences.parquet"] {
        let [one, other, twice] = ["again", "judged", "twice"].map(|place| std::fs::read(folder.path().join(place).join(name)));
        let one = one.expect("a table");
        assert_eq!((&one, &one), (&other.expect("a table"), &twice.expect("a table")), "{name}");
    }
    let diff = std::fs::read_to_string(folder.path().join("again/diff.csv")).expect("a table");
    assert!(
        diff.contains("b,changed,v,2,5,3,1.5,exact,up,expected") && diff.contains("d,missing_in_shadow,,,,,,,,exception"),
        "{diff}"
    );
}

#[test]
fn a_comparison_that_was_changed_is_refused() {
    let folder = folder();
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    let path = folder.path().join("out/comparison.bin");
    let mut bytes = std::fs::read(&path).expect("it is kept");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(&path, bytes).expect("it can be written");
    let got = run(folder.path(), "judge out --spec spec.yaml --output judged");
    assert!(got.exit == 2 && got.stderr.contains("comparison.bin"), "{}", got.stderr);
}

/// A rule whose accounts are named by a column of one side gives a warning: that of the new spec, as a comparison gives it.
#[test]
fn warnings_of_rules_are_those_of_the_new_spec() {
    let folder = folder();
    put(folder.path(), "live.csv", "id,v,region,plan\na,1,s,x\nb,2,n,x\n");
    put(folder.path(), "shadow.csv", "id,v,region\na,1,s\nb,5,n\n");
    let rules = |names: &[&str]| {
        let rule = |name: &&str| format!("  - {{name: {name}, accounts: {{where: \"plan = 'x'\"}}}}\n");
        let all = names.iter().map(rule).collect::<String>();
        // Of `region` only live's is read.
        let compared = "columns: {exclude: [region]}\nwhere: {live: \"region <> 'w'\"}\n";
        spec(
            &format!("{compared}expected:\n  - {{name: all, columns: [v]}}\n{all}"),
            "judgeable: true",
        )
    };
    put(folder.path(), "spec.yaml", &rules(&["first"]));
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    for names in [&["first"] as &[&str], &["second"], &["second", "third"], &[]] {
        let of_nothing = "  - {name: none, kinds: [missing_in_live], accounts: {where: \"region = 's'\"}}\n";
        put(folder.path(), "new.yaml", &(rules(names) + of_nothing));
        let warnings = [
            "compare new.yaml --output again --overwrite --json",
            "judge out --spec new.yaml --output judged --overwrite --json",
            "judge judged --spec new.yaml --output judged --overwrite --json",
        ]
        .map(|command| {
            let got = run(folder.path(), command);
            let summary: serde_json::Value = serde_json::from_str(&got.stdout).unwrap_or_else(|_| panic!("{}", got.stderr));
            let texts = summary["warnings"].as_array().expect("warnings").clone();
            let about_rules = |text: &serde_json::Value| text.to_string().contains("accounts.where");
            texts.into_iter().filter(about_rules).collect::<Vec<_>>()
        });
        assert_eq!(warnings[0].len(), names.len(), "{warnings:?}");
        assert_eq!((&warnings[1], &warnings[2]), (&warnings[0], &warnings[0]));
    }
}

/// Each step says what a comparison with that tolerance finds.
#[test]
fn sensitivity_is_what_a_comparison_with_that_tolerance_finds() {
    let folder = folder();
    let rows = |side: u64| -> String {
        let value = |row: u64| 100.0 + row as f64 + side as f64 * (row % 7) as f64 * 0.3;
        let line = |row: u64| {
            format!(
                "a{},{row},{},{},{}\n",
                row % 5,
                value(row),
                row * 10 + side * (row % 3) * 20,
                1 + side * u64::from(row == 9)
            )
        };
        "id,n,v,w,x\n".to_owned() + &(1..=60).map(line).collect::<String>()
    };
    put(folder.path(), "live.csv", &rows(0));
    put(folder.path(), "shadow.csv", &rows(1));
    let of = |comparator: &str| {
        format!(
            "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [n]\noutput: {{to: out, judgeable: true}}\n\
             expected: [{{name: w, columns: [w], where: 'live_row.n > 30', min: 5}}]\nverdict: {{max_exceptions: 40, max_exception_accounts: 5}}\n{comparator}"
        )
    };
    put(folder.path(), "spec.yaml", &of(""));
    assert_eq!(run(folder.path(), "compare spec.yaml --overwrite").exit, 1);
    let told = run(folder.path(), "judge out --spec spec.yaml --sensitivity --json");
    assert_eq!(told.exit, 1, "{}", told.stderr);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("JSON");
    let (mut steps, mut passed) = (0, 0);
    for column in told["columns"].as_array().expect("columns") {
        let name = column["column"].as_str().expect("a name");
        for measure in ["absolute", "relative"] {
            for step in column[measure].as_array().expect("steps") {
                let tolerance = step["tolerance"].as_str().expect("a tolerance");
                put(
                    folder.path(),
                    "step.yaml",
                    &of(&format!("comparators: [{{columns: [{name}], {measure}: {tolerance}}}]\n")),
                );
                let full = run(folder.path(), "compare step.yaml --output step --overwrite --json").stdout;
                let full: serde_json::Value = serde_json::from_str(&full).expect("JSON");
                for (mine, theirs) in [
                    (&step["verdict"], &full["verdict"]),
                    (&step["broken"], &full["broken"]),
                    (&step["exceptions"], &full["differences"]["exceptions"]),
                ] {
                    assert_eq!(mine, theirs, "{name} {measure}: {tolerance}");
                }
                steps += 1;
                passed += u64::from(step["verdict"] == "pass");
            }
        }
    }
    assert!(steps > 6 && passed > 0, "{steps} steps, {passed} pass: {told}");
}

/// As many cells differ by a tighter tolerance as are told, and exceptions are within their bounds; whatever form rows are exchanged in.
#[test]
fn tighter_tolerances_leave_what_a_comparison_with_them_finds() {
    let folder = folder();
    let rows = |side: u64| -> String {
        // Some rows come twice, some change in another column too, some cells are NULL on one side.
        let line = |row: u64| {
            let (v, d) = (row as f64 * 1.7 + (side * (row % 13)) as f64 * 0.004, row * 100 + side * (row % 9));
            let t = side * (row % 5);
            let d = if row % 31 == 4 && side == 1 {
                String::new()
            } else {
                format!("{}.{:02}", d / 100, d % 100)
            };
            format!(
                "a{},{},{v},{d},2026-01-01T00:00:0{t},{}\n",
                row % 5,
                row - row % 50 / 49,
                row % 29 / 28 * side
            )
        };
        "id,n,v,d,t,x\n".to_owned() + &(100..=400).map(line).collect::<String>()
    };
    put(folder.path(), "live.csv", &rows(0));
    put(folder.path(), "shadow.csv", &rows(1));
    let of = |comparators: [&str; 3], rules: &str| {
        let [v, d, t] = comparators;
        format!(
            "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [n]\noutput: {{to: out, judgeable: true}}\n{rules}comparators:\n\
             - {{columns: v, {v}}}\n- {{columns: d, {d}}}\n- {{columns: t, {t}}}\n"
        )
    };
    let whole = ["absolute: 0.05, relative: 0.01%", "absolute: 0.08", "time: 9s"];
    for rules in ["", "expected: [{name: some, columns: [v, d], where: 'live_row.n % 2 = 0'}]\n"] {
        put(folder.path(), "spec.yaml", &of(whole, rules));
        let mut told = Vec::new();
        for more in ["", "--exchange fingerprints", "--disable same-position,window"] {
            assert_eq!(run(folder.path(), &format!("compare spec.yaml --overwrite {more}")).exit, 1);
            let found = run(folder.path(), "judge out --spec spec.yaml --sensitivity --json");
            told.push(serde_json::from_str::<serde_json::Value>(&found.stdout).expect("JSON")["tighter"].take());
        }
        assert!(told[0] == told[1] && told[0] == told[2], "{told:?}");
        let (mut steps, mut tightest) = (0, 0);
        for column in told[0].as_array().expect("columns") {
            let at = ["v", "d", "t"].iter().position(|name| column["column"] == *name).expect("a column");
            let differing = |comparator: &str| {
                let mut comparators = whole;
                comparators[at] = comparator;
                put(folder.path(), "step.yaml", &of(comparators, rules));
                let full = run(folder.path(), "compare step.yaml --output step --overwrite --json").stdout;
                let full: serde_json::Value = serde_json::from_str(&full).expect("JSON");
                let found = full["columns"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|of| of["column"] == column["column"]);
                let count = |field: &str| found.and_then(|found| found[field].as_u64()).unwrap_or(0);
                (count("differing"), count("exceptions"))
            };
            let before = differing(whole[at]);
            assert_eq!(column["exceptions"], before.1);
            if let Some(same) = column["tightest"].as_str() {
                assert_eq!(differing(same), before, "{same}");
                tightest += 1;
            }
            for step in column["steps"].as_array().expect("steps") {
                let (cells, exceptions) = differing(step["comparator"].as_str().expect("a comparator"));
                assert_eq!(cells - before.0, step["cells"], "{step}");
                let bounds = ["exceptions_least", "exceptions_most"].map(|field| step[field].as_u64().expect("a count"));
                assert!((bounds[0]..=bounds[1]).contains(&exceptions), "{step}: {exceptions}");
                assert!(!rules.is_empty() || bounds[0] == bounds[1], "{step}");
                steps += 1;
            }
        }
        assert!(steps > 8 && tightest > 0, "{steps} steps: {told:?}");
    }
}

/// Without each rule the verdict is that of a comparison without it; the fewest rules are the fewest of all sets that say the same.
#[test]
fn the_rules_that_are_needed_are_those_without_which_a_comparison_says_otherwise() {
    let folder = folder();
    let rows = |side: u64| -> String {
        let line = |row: u64| {
            format!(
                "a{},{row},{},{},{}\n",
                row % 5,
                row * 10 + side * (row % 3),
                row + side * 2,
                row + side * (row % 2)
            )
        };
        "id,n,v,w,x\n".to_owned() + &(1..=60).map(line).collect::<String>()
    };
    put(folder.path(), "live.csv", &rows(0));
    put(folder.path(), "shadow.csv", &rows(1));
    let rules = [
        "{name: one, columns: [v], within: {absolute: 1}}",
        "{name: two, columns: [v], within: {absolute: 2}, max: 40}",
        "{name: idle, columns: [v], within: {absolute: 0.5}}",
        "{name: big, columns: [w], where: 'shadow > 30'}",
        "{name: small, columns: [w], where: 'shadow < 40'}",
        "{name: all, columns: [w, x], where: 'live_row.n > 3'}",
        "{name: first, columns: [w, x], accounts: {where: \"id <> 'a4'\"}}",
    ];
    let of = |set: u32| {
        let chosen = rules.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
        let chosen: Vec<&str> = chosen.map(|(_, rule)| *rule).collect();
        let output = "output: {to: out, judgeable: true, attributes: [n]}";
        let verdict = "verdict: {max_exceptions: 2}";
        format!(
            "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [n]\n{output}\n{verdict}\nexpected: [{}]\n",
            chosen.join(", ")
        )
    };
    let every = (1 << rules.len()) - 1;
    put(folder.path(), "spec.yaml", &of(every));
    assert_eq!(run(folder.path(), "compare spec.yaml --overwrite").exit, 0);
    let told = run(folder.path(), "judge out --spec spec.yaml --sensitivity --json");
    assert_eq!(told.exit, 0, "{}", told.stderr);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("JSON");
    let compared = |set: u32| {
        put(folder.path(), "fewer.yaml", &of(set));
        let full = run(folder.path(), "compare fewer.yaml --output fewer --overwrite --json").stdout;
        let full: serde_json::Value = serde_json::from_str(&full).expect("JSON");
        serde_json::json!({ "verdict": full["verdict"], "exceptions": full["differences"]["exceptions"], "broken": full["broken"] })
    };
    let all = compared(every);
    for (at, without) in told["rules"]["rules"].as_array().expect("rules").iter().enumerate() {
        let wanted = compared(every & !(1 << at));
        assert_eq!(without["judged"], wanted, "{without}");
        assert_eq!(without["is_needed"], wanted != all, "{without}");
    }
    let smallest = &told["rules"]["smallest"];
    assert_eq!(smallest["is_proven"], true, "{told}");
    assert_eq!(smallest["rules"], serde_json::json!(["two", "all", "first"]), "{told}");
    let set = |names: &[&str]| {
        let named = |rule: &&str| names.iter().any(|name| rule.contains(&format!("name: {name},")));
        rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| named(rule))
            .fold(0, |set, (at, _)| set | 1 << at)
    };
    assert_eq!(compared(set(&["two", "all", "first"])), all);
    // None of two covers as much.
    for pair in [["two", "all"], ["two", "first"], ["all", "first"]] {
        assert_ne!(compared(set(&pair)), all, "{pair:?}");
    }
    let shown = run(folder.path(), "judge out --spec spec.yaml --sensitivity").stdout;
    assert!(
        shown.contains("3 of 7 rules cover the same") && shown.contains("two, all, first"),
        "{shown}"
    );
}
