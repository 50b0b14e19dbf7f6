//! Runs the binary and the oracle over one generated pair and holds the one against the other.

use crate::binary;
use crate::csv::{Field, blank_diagnoses_of_cells, records};
use crate::generate::Generated;
use crate::ledger::Counts;
use crate::oracle::{Outcome, compare};
use crate::rungs;
use crate::totals;
use serde_json::Value;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{Overrides, parse};
use shadowdiff_core::value::Number;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the binary left behind.
#[derive(Debug)]
pub struct Result {
    pub exit: i32,
    pub diff: String,
    pub accounts: String,
    pub summary: Value,
}

/// The same pair with the sides swapped.
pub fn mirrored(generated: &Generated) -> Generated {
    let Sides { live, shadow } = generated.tables.clone();
    let layouts = generated.layouts.clone();
    Generated {
        tables: Sides::new(shadow, live),
        spec: generated.spec.mirrored(),
        layouts: Sides::new(layouts.shadow, layouts.live),
        settings: generated.settings.clone(),
    }
}

/// What the oracle says.
pub fn expected(generated: &Generated) -> std::result::Result<Outcome, String> {
    let parsed =
        parse(&generated.spec.yaml(), "spec.yaml", &Overrides::default()).map_err(|e| format!("the generated spec is refused: {e}"))?;
    let tables = Sides::from_fn(|side| generated.layouts[side].as_read(&generated.tables[side]));
    Ok(compare(&parsed.spec, &tables.live, &tables.shadow))
}

/// Writes the pair into `folder` and runs the binary over it.
pub fn run(generated: &Generated, folder: &Path) -> std::result::Result<Result, String> {
    run_within(None, generated, folder)
}

/// The same; with a seed, tasks have the small limits of that seed.
pub fn run_within(limits: Option<u64>, generated: &Generated, folder: &Path) -> std::result::Result<Result, String> {
    for side in Side::BOTH {
        generated.layouts[side].write(&generated.tables[side], &folder.join(side.name()));
    }
    std::fs::write(folder.join("spec.yaml"), generated.spec.yaml()).map_err(|e| e.to_string())?;
    let arguments = ["compare", "spec.yaml", "--output", "out"].map(str::to_owned);
    let run = binary::run_within(limits, folder, &[&arguments, generated.settings.as_slice()].concat())?;
    if run.exit > 1 || run.exit < 0 {
        return Err(format!("exit {}: {}", run.exit, run.stderr.trim()));
    }
    let result = read_result(run.exit, folder)?;
    rungs::check(&result.summary)?;
    Ok(result)
}

fn read_result(exit: i32, folder: &Path) -> std::result::Result<Result, String> {
    let read = |name: &str| std::fs::read_to_string(folder.join("out").join(name)).map_err(|e| format!("{name}: {e}"));
    let summary = serde_json::from_str(&read("summary.json")?).map_err(|e| format!("summary.json: {e}"))?;
    Ok(Result {
        exit,
        diff: read("diff.csv")?,
        accounts: read("accounts.csv")?,
        summary,
    })
}

/// Judges the result in `from` by the spec of another run, into a folder of its own.
pub fn judge(from: &Path, spec: &Path, folder: &Path) -> std::result::Result<Result, String> {
    std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    let [from, spec] = [from, spec].map(|path| path.to_string_lossy().into_owned());
    let run = binary::run(folder, &["judge", &from, "--spec", &spec, "--output", "out"].map(str::to_owned))?;
    if run.exit > 1 || run.exit < 0 {
        return Err(format!("exit {}: {}", run.exit, run.stderr.trim()));
    }
    read_result(run.exit, folder)
}

/// The engine's result is the oracle's, byte for byte; what is said of cells under `diagnosis` is left out.
pub fn hold_against(got: &Result, want: &Outcome) -> std::result::Result<(), String> {
    same_text("diff.csv", &blank_diagnoses_of_cells(&got.diff), &want.diff)?;
    same_text("accounts.csv", &got.accounts, &want.accounts)?;
    same_counts(&got.summary, &want.counts)?;
    same_row_patterns(got)?;
    same_totals(got)?;
    same_tolerances(got, want)?;
    totals::hold_against(&got.summary, &want.values, &want.totals)?;
    for (side, names) in want.only.each() {
        let field = format!("only_{side}");
        // The fields of JSON lines have no order of their own.
        let sorted = |mut list: Vec<Value>| {
            list.sort_by_key(Value::to_string);
            list
        };
        let listed = got.summary["schema"][&field].as_array().cloned().unwrap_or_default();
        if sorted(listed) != sorted(names.iter().cloned().map(Value::from).collect()) {
            return Err(format!(
                "summary.json schema.{field}: {}, want {names:?}",
                got.summary["schema"][&field]
            ));
        }
    }
    let exit = i32::from(!want.broken.is_empty());
    let verdict = if exit == 0 { "pass" } else { "fail" };
    if got.exit == exit && got.summary["verdict"] == verdict {
        return Ok(());
    }
    Err(format!(
        "exit {} and verdict {}, want {exit}: broken {}, want {:?}",
        got.exit, got.summary["verdict"], got.summary["broken"], want.broken
    ))
}

/// Of 76 digits, or of a double without an exponent.
const LONGEST_NUMBER: usize = 330;

/// How much of their tolerances cells use is what comparing by the halves of them finds.
fn same_tolerances(got: &Result, want: &Outcome) -> std::result::Result<(), String> {
    let told = got.summary["tolerances"].as_array().cloned().unwrap_or_default();
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    for told in &told {
        let name = told["column"].as_str().unwrap_or_default();
        // Members of structs are not compared again, and of what is near by no distance nothing is known but that it is.
        let Some(wanted) = want.tighter.get(name) else {
            if name.contains('.') {
                continue;
            }
            return Err(format!("summary.json tolerances: {told}, but no such cell is within it"));
        };
        let used: Vec<u64> = told["used"].as_array().into_iter().flatten().map(count).collect();
        let beyond = |halvings: usize| used.iter().take(halvings).sum::<u64>();
        let is_known = count(&told["unmeasured"]) == 0;
        if count(&told["cells"]) != wanted[0] || (is_known && (1..=16).any(|times| beyond(times) != wanted[times])) {
            return Err(format!("summary.json tolerances: {told}, want {wanted:?}"));
        }
    }
    let is_told = |name: &String| told.iter().any(|told| told["column"] == name.as_str());
    match want.tighter.keys().find(|name| !is_told(name)) {
        Some(name) => Err(format!("summary.json tolerances: nothing of {name}")),
        None => Ok(()),
    }
}

/// What the cells of a column are in sum is what `diff.csv` shows of them.
fn same_totals(got: &Result) -> std::result::Result<(), String> {
    let records = records(&got.diff);
    for column in got.summary["columns"].as_array().into_iter().flatten() {
        let text = |name: &str| column[name].as_str().unwrap_or_default();
        let cells = records.iter().skip(1).map(|record| &record[record.len() - FIELDS..]);
        let cells = cells.filter(|rest| rest[0].0 == "changed" && rest[1].value().as_deref() == Some(text("column")));
        let cells: Vec<[Option<String>; 2]> = cells.map(|rest| [rest[2].value(), rest[3].value()]).collect();
        let nulls = [0, 1].map(|side| cells.iter().filter(|cell| cell[side].is_none()).count());
        if column["nulls"] != serde_json::json!({ "live": nulls[0], "shadow": nulls[1] }) {
            return Err(format!("summary.json columns: {column}, but {nulls:?} are NULL"));
        }
        let Some(told) = column["moved"]["sum"].as_str() else { continue };
        let number = |cell: &Option<String>| cell.as_ref().map_or_else(|| Some(Number::from_int(0)), |text| Number::parse(text));
        let (mut sum, mut size) = (Number::from_int(0), Number::from_int(0));
        for [live, shadow] in &cells {
            let both = number(live).zip(number(shadow));
            let (live, shadow) = both.ok_or_else(|| format!("summary.json columns: {column}, but a cell is no number"))?;
            sum = sum.add(&shadow).sub(&live);
            size = size.add(&shadow.abs()).add(&live.abs());
        }
        // A text does not say whether it is that of a double or of a decimal.
        let is_double = text("type").contains("float") || text("type").contains("double");
        let off = Number::parse(told).map(|told| told.sub(&sum).abs());
        let is_near = off.is_some_and(|off| off.is_zero() || (is_double && off.to_f64() <= 1e-6 * size.to_f64()));
        // By value it may be right and still have a thousand zeros.
        if !is_near || told.len() > LONGEST_NUMBER {
            return Err(format!("summary.json columns: {column}, but the cells move it by {sum}"));
        }
    }
    Ok(())
}

/// Fields of a line behind the key.
const FIELDS: usize = 10;

/// What happens to rows is what `diff.csv` shows of them.
fn same_row_patterns(got: &Result) -> std::result::Result<(), String> {
    /// Fewer rows prove nothing to follow from another change.
    const PROOF: usize = 10;
    let mut rows: BTreeMap<Vec<&str>, Vec<[String; 4]>> = BTreeMap::new();
    let records = records(&got.diff);
    for record in records.iter().skip(1) {
        let (key, rest) = record.split_at(record.len() - FIELDS);
        let [kind, column, delta, verdict, diagnosis] = [0, 1, 4, 8, 9].map(|at| rest[at].value().unwrap_or_default());
        if verdict == "exception" {
            let is_zero = delta.bytes().all(|byte| matches!(byte, b'0' | b'.'));
            let direction = match delta.chars().next() {
                Some('-') => "down",
                Some(first) if first != 'N' && !is_zero => "up",
                Some(_) | None => "",
            };
            let row = rows.entry(key.iter().map(|field| field.0).collect()).or_default();
            row.push([kind, column, direction.to_owned(), diagnosis]);
        }
    }
    let exceptions: usize = rows.values().map(Vec::len).sum();
    let (mut shapes, mut changes): (BTreeMap<_, usize>, BTreeMap<_, usize>) = Default::default();
    for row in rows.values() {
        *shapes.entry(row).or_default() += 1;
        row.iter().for_each(|change| *changes.entry(change).or_default() += 1);
    }
    let alone = shapes.values().filter(|rows| **rows == 1).count();
    let mut wanted = vec![("rows", rows.len()), ("exceptions", exceptions)];
    if changes.values().all(|rows| *rows < PROOF) {
        wanted.extend([("alone", alone), ("patterns", shapes.len() - alone)]);
    }
    let found = &got.summary["row_patterns"];
    match wanted.into_iter().find(|(field, want)| found[field] != *want) {
        Some((field, want)) => Err(format!("summary.json row_patterns.{field}: {}, want {want}", found[field])),
        None => told_by_what_is_listed(&records, &rows, found),
    }
}

type ChangesOfRows<'a> = BTreeMap<Vec<&'a str>, Vec<[String; 4]>>;

/// What is said to tell a pattern from others is what a count of the lines gives. `exceptions`: of each row, by its key.
fn told_by_what_is_listed(records: &[Vec<Field<'_>>], exceptions: &ChangesOfRows<'_>, found: &Value) -> std::result::Result<(), String> {
    let Some(header) = records.first() else { return Ok(()) };
    let mut keys: BTreeSet<Vec<&str>> = BTreeSet::new();
    for record in records.iter().skip(1) {
        keys.insert(record[..record.len() - FIELDS].iter().map(|field| field.0).collect());
    }
    for pattern in found["listed"].as_array().into_iter().flatten() {
        let text = |change: &Value, name: &str| change[name].as_str().unwrap_or_default().to_owned();
        let changes = pattern["changes"].as_array().into_iter().flatten();
        let shape: Vec<[String; 4]> = changes
            .map(|change| ["kind", "column", "direction", "diagnosis"].map(|name| text(change, name)))
            .collect();
        for told in pattern["told_by"].as_array().into_iter().flatten() {
            let place = header.iter().position(|name| name.value().as_deref() == told["column"].as_str());
            // What follows is left out of the changes.
            let (Some(place), true) = (place, pattern["with"] == Value::Array(Vec::new())) else {
                continue;
            };
            let is_of = |key: &Vec<&str>| exceptions.get(key) == Some(&shape);
            let values = told["values"].as_array().cloned().unwrap_or_default();
            let has_it = |key: &Vec<&str>| values.contains(&Value::from(Field(key[place]).value()));
            let count = |of: bool| keys.iter().filter(|key| is_of(key) == of && has_it(key)).count();
            let others = keys.iter().filter(|key| !is_of(key)).count();
            let with = &told["other_rows_with"];
            if told["rows"] != count(true) || told["other_rows"] != others || !(with.is_null() || *with == count(false)) {
                return Err(format!(
                    "summary.json row_patterns: {told}, but {} of {shape:?} have it",
                    count(true)
                ));
            }
        }
    }
    Ok(())
}

fn same_counts(summary: &Value, want: &Counts) -> std::result::Result<(), String> {
    let rows = [
        ("/rows/live/read", want.read.live),
        ("/rows/live/filtered", want.filtered.live),
        ("/rows/shadow/read", want.read.shadow),
        ("/rows/shadow/filtered", want.filtered.shadow),
        ("/rows/cancelled", want.cancelled),
        ("/rows/within_tolerance", want.within_tolerance),
        ("/rows/changed", want.changed),
        ("/rows/missing_in_shadow", want.missing_in_shadow),
        ("/rows/missing_in_live", want.missing_in_live),
        ("/rows/duplicate_key", want.duplicate_key),
        ("/differences/listed", want.expected + want.exceptions),
        ("/differences/expected", want.expected),
        ("/differences/exceptions", want.exceptions),
    ];
    match rows
        .into_iter()
        .find(|(at, count)| summary.pointer(at).and_then(Value::as_u64) != Some(*count))
    {
        Some((at, count)) => Err(format!("summary.json {at}: {:?}, want {count}", summary.pointer(at))),
        None => Ok(()),
    }
}

/// `Err` shows the first line that differs.
pub fn same_text(name: &str, got: &str, want: &str) -> std::result::Result<(), String> {
    if got == want {
        return Ok(());
    }
    let (mut got_lines, mut want_lines) = (got.split('\n'), want.split('\n'));
    let mut number = 1;
    loop {
        match (got_lines.next(), want_lines.next()) {
            (Some(a), Some(b)) if a == b => number += 1,
            (a, b) => return Err(format!("{name} line {number}:\n    got  {}\n    want {}", shown(a), shown(b))),
        }
    }
}

fn shown(line: Option<&str>) -> String {
    line.map_or("the end".to_owned(), |l| l.escape_debug().to_string().replace("\\\"", "\""))
}
