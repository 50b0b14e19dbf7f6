//! What the merge makes of small runs, and what its tests share.

mod report_size;

use super::*;
use shadowdiff_common::run::RunWriter;
use shadowdiff_core::align::{SideColumn, align};
use shadowdiff_core::difference::{Answers, StoredValues};
use shadowdiff_core::patterns::RowPatterns;
use shadowdiff_core::plan::{Estimate, PLAN_VERSION, PlanSecret, SidePlan};
use shadowdiff_core::row::Secret;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{Day, DifferenceKind, Overrides, parse};
use shadowdiff_core::value::{Value, ValueType, sort_key, write_value};
use std::fmt::Write as _;

const ACCOUNTS: i128 = 12;
const ROWS: i128 = 5;
const RUNS: i128 = 3;

/// The plan of a spec over sides of these columns.
fn plan_of(spec: &str, columns: Sides<Vec<SideColumn>>) -> Plan {
    let spec = parse(spec, "s.yaml", &Overrides::default()).expect("a spec of the test").spec;
    Plan {
        version: PLAN_VERSION,
        aligned: align(&spec, &columns).expect("sides that meet"),
        spec,
        accepted: Vec::new(),
        noise: None,
        as_of: Day(20_000),
        sides: columns.map(|columns| SidePlan {
            read: Vec::new(),
            columns,
            carried: Vec::new(),
        }),
        kept: Vec::new(),
        pins: Sides::default(),
        scans: Vec::new(),
        shards: 1,
        part_bytes: 1,
        form: None,
        estimate: Estimate::default(),
        count_accounts: false,
        secret: PlanSecret(Secret([0; 16])),
        warnings: Vec::new(),
    }
}

fn plan(output: &str) -> Plan {
    let text = format!(
        "live: a/\nshadow: b/\naccount: id\nkey: [n]\n{output}\
         expected: [{{name: near, within: {{absolute: 1}}}}, {{name: far, within: {{absolute: 10}}, max: 3}}]\n"
    );
    let columns = ["id", "n", "v"].map(|name| SideColumn {
        name: name.to_owned(),
        value_type: ValueType::INT64,
    });
    plan_of(&text, Sides::new(columns.to_vec(), columns.to_vec()))
}

/// A cell that differs, of the row of this key; its account is the first part of it.
fn write_cell(writer: &mut RunWriter, key: &[Value<'_>], column: usize, [live, shadow]: [Value<'_>; 2], diagnosis: Option<&'static str>) {
    let (mut row_key, mut stored, mut account_key_bytes) = (Vec::new(), Vec::new(), 0);
    for (at, part) in key.iter().enumerate() {
        sort_key(part, &mut row_key);
        write_value(part, &mut stored);
        if at == 0 {
            account_key_bytes = row_key.len();
        }
    }
    let difference = Difference {
        row_key: &row_key,
        account_key_bytes,
        kind: DifferenceKind::Changed,
        column: Some(column),
        baseline: Side::Live,
        key: StoredValues::of(&stored),
        live,
        shadow,
        diagnosis,
        answers: Answers::default(),
        key_fingerprint: None,
        kept: StoredValues::default(),
    };
    writer.append(&difference).expect("in order");
}

/// What a merge counts, and the two files that it writes.
fn merged(plan: &Plan, tally: &Tally, runs: &[Spool], threads: usize, batch_bytes: usize) -> Result<(Merged, Vec<u8>, Vec<u8>)> {
    let lists = vec![None; plan.spec.expected.len()];
    let merge = Merge {
        plan,
        document: &serde_json::Value::Null,
        judge: &Judge::without_sql(&plan.spec, &plan.aligned, &lists, plan.as_of).expect("rules"),
        acceptances: &Acceptances::default(),
        tally,
        found_keys: &[],
        seen_accounts: &[],
        runs,
        scratch: &Scratch::new(0, None).expect("scratch"),
        threads,
        batch_bytes,
        tells_rows: true,
    };
    let (mut diff, mut accounts) = (Vec::new(), Vec::new());
    let merged = merge.write(Outputs {
        diff: &mut diff,
        accounts: &mut accounts,
        table: None,
        comparison: None,
    })?;
    Ok((merged, diff, accounts))
}

/// By how much a row differs: within the bounds of `near`, but for every third account of `far`, and for every third of no rule.
fn delta(account: i128, row: i128) -> i128 {
    match (account % 3, row) {
        (1, 0) => 10,
        (2, 1) => 99,
        (_, _) => 1,
    }
}

fn run(scratch: &Scratch, number: i128) -> Spool {
    let mut writer = RunWriter::new(scratch, 64);
    let rows = (0..ACCOUNTS).flat_map(|account| (0..ROWS).map(move |row| (account, row)));
    for (account, row) in rows.filter(|(account, row)| (account + row) % RUNS == number) {
        let (key, values) = ([account, row].map(Value::Int), [0, delta(account, row)].map(Value::Int));
        write_cell(&mut writer, &key, 2, values, None);
    }
    writer.finish().expect("a run")
}

/// The two files, how many lines are listed, and what happens to rows.
fn merged_runs(plan: &Plan, threads: usize, batch_bytes: usize) -> (String, String, u64, RowPatterns) {
    let scratch = Scratch::new(0, None).expect("scratch");
    let runs: Vec<Spool> = (0..RUNS).map(|number| run(&scratch, number)).collect();
    let mut tally = Tally::default();
    tally.cells.insert(2, (ACCOUNTS * ROWS) as u64);
    let (merged, diff, accounts) = merged(plan, &tally, &runs, threads, batch_bytes).expect("they are merged");
    assert_eq!(merged.differences.deltas[&2].count(), tally.differences());
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(diff), text(accounts), merged.listed, merged.rows)
}

#[test]
fn the_files_are_the_same_however_many_threads_and_batches_make_them() {
    let whole = plan("");
    let (diff, accounts, listed, rows) = merged_runs(&whole, 1, BATCH_BYTES);
    let (mut lines, mut decisions) = (String::new(), "id,rows,expected,exceptions,decision\n".to_owned());
    for account in 0..ACCOUNTS {
        for row in 0..ROWS {
            let delta = delta(account, row);
            let judged = match delta {
                1 => "near,expected",
                10 => "far,expected",
                _ => ",exception",
            };
            writeln!(lines, "{account},{row},changed,v,0,{delta},{delta},,exact,{judged},").expect("a string takes all");
        }
        // `far` covers four lines, one more than it may: whoever needs it is held.
        let (exceptions, decision) = [(0, "flip"), (0, "hold"), (1, "hold")][(account % 3) as usize];
        writeln!(decisions, "{account},{ROWS},{},{exceptions},{decision}", ROWS - exceptions).expect("a string takes all");
    }
    assert_eq!(diff.split_once('\n').map(|(_, rest)| rest), Some(lines.as_str()));
    assert_eq!((&accounts, listed), (&decisions, (ACCOUNTS * ROWS) as u64));
    let cut = plan("output: {to: o, max_differences: 7}\n");
    let some = merged_runs(&cut, 1, BATCH_BYTES);
    assert_eq!((some.0.lines().count(), &some.1, some.2), (8, &accounts, 7));
    for (threads, batch_bytes) in [(1, 1), (2, 1), (3, 1), (8, 100), (2, 300)] {
        assert!(
            merged_runs(&whole, threads, batch_bytes) == (diff.clone(), accounts.clone(), listed, rows.clone()),
            "{threads} {batch_bytes}"
        );
        assert!(merged_runs(&cut, threads, batch_bytes) == some, "{threads} {batch_bytes}, cut");
    }
}

#[test]
fn a_difference_that_was_not_counted_fails_the_merge() {
    let scratch = Scratch::new(0, None).expect("scratch");
    let merged = merged(&plan(""), &Tally::default(), &[run(&scratch, 0)], 2, 1);
    let error = merged.expect_err("the books do not balance");
    assert!(error.to_string().contains("20 differences merged, 0 counted"), "{error}");
}
