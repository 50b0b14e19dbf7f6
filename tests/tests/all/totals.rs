//! `output: {totals: true}`: what each side holds over all rows, whatever its format and whatever became of a row.

use serde_json::{Value, json};
use shadowdiff_tests::binary;
use shadowdiff_tests::cell::{Cell, Table, Type};
use shadowdiff_tests::write::Layout;
use std::path::Path;

const HEADER: &str = "id,n,d,x,t,none\n";
/// Equal, within the tolerance, a NULL each, an extreme, rows on one side, a key that comes twice, a row that is filtered.
const LIVE: &str = "a,1,0.50,0.5,x,\nb,2,1.00,NaN,,\nc,9223372036854775807,,-inf,7,\nd,9223372036854775807,3.25,0.25,8,\nd,5,3.25,0.25,8,\ngone,7,9.00,1.0,x,\n";
const SHADOW: &str = "a,1,0.50,0.5,x,\nb,2,1.01,NaN,,\nc,-9223372036854775808,,-inf,,\ne,-1,0.25,2.0,9,\n";

fn fields(line: &str) -> Vec<Option<&str>> {
    line.split(',').map(|field| (!field.is_empty()).then_some(field)).collect()
}

fn json_lines(csv: &str) -> String {
    let row = |line: &str| {
        let names = HEADER.trim().split(',');
        let value = |name: &str, text: &str| match name {
            "n" | "d" => text.to_owned(),
            "x" if text != "NaN" && text != "-inf" => text.to_owned(),
            "x" => format!("\"{}\"", text.replace("-inf", "-Infinity")),
            _ => format!("\"{text}\""),
        };
        let members = names.zip(fields(line)).filter_map(|(name, text)| Some((name, text?)));
        let members: Vec<String> = members.map(|(name, text)| format!("\"{name}\": {}", value(name, text))).collect();
        format!("{{{}}}\n", members.join(", "))
    };
    csv.lines().map(row).collect()
}

fn table(csv: &str) -> Table {
    let decimal = Type::Decimal { precision: 9, scale: 2 };
    let types = [Type::Text, INT, decimal, Type::Float { bits: 64 }, Type::Text, INT];
    let cell = |of: &Type, text: Option<&str>| match (of, text) {
        (_, None) => Cell::Null,
        (Type::Int { .. }, Some(text)) => Cell::Int(text.parse().expect("a number")),
        (Type::Float { .. }, Some(text)) => Cell::Double(text.parse().expect("a number")),
        (Type::Decimal { .. }, Some(text)) => Cell::Decimal(text.replace('.', "").parse().expect("digits"), 2),
        (_, Some(text)) => Cell::Text(text.to_owned()),
    };
    let row = |line: &str| types.iter().zip(fields(line)).map(|(of, text)| cell(of, text)).collect();
    Table {
        columns: HEADER.trim().split(',').map(str::to_owned).zip(types.clone()).collect(),
        rows: csv.lines().map(row).collect(),
    }
}

const INT: Type = Type::Int { bits: 64, signed: true };

fn totals(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let run = binary::run(folder, &[&["compare", "spec.yaml", "--overwrite"], arguments].concat()).expect("the run ends");
    assert!(run.exit < 2, "{}", run.stderr);
    let text = std::fs::read_to_string(folder.join("out/summary.json")).expect("a summary");
    let summary: Value = serde_json::from_str(&text).expect("JSON");
    summary["totals"].as_array().expect("totals").clone()
}

#[test]
fn totals_are_those_of_all_rows_in_every_format() {
    let folder = tempfile::tempdir().expect("a folder");
    for (side, rows) in [("live", LIVE), ("shadow", SHADOW)] {
        let at = |format: &str| folder.path().join(format!("{side}-{format}"));
        for (format, text) in [("csv", format!("{HEADER}{rows}")), ("jsonl", json_lines(rows))] {
            std::fs::create_dir(at(format)).expect("a folder");
            std::fs::write(at(format).join(format!("part.{format}")), text).expect("a file");
        }
        let table = table(rows);
        Layout::small_groups(&table, 2).write(&table, &at("parquet"));
    }
    let mut want = vec![
        json!({"column": "n", "type": "int64", "live": {"rows": 5, "nulls": 0, "sum": "18446744073709551622"},
            "shadow": {"rows": 4, "nulls": 0, "sum": "-9223372036854775806"}, "moved": "-27670116110564327428"}),
        json!({"column": "d", "type": "decimal(9,2)", "live": {"rows": 5, "nulls": 1, "sum": "8.00"},
            "shadow": {"rows": 4, "nulls": 1, "sum": "1.76"}, "moved": "-6.24"}),
        json!({"column": "x", "type": "double", "live": {"rows": 5, "nulls": 0, "nan": 1, "infinite": 1, "sum": "1.0"},
            "shadow": {"rows": 4, "nulls": 0, "nan": 1, "infinite": 1, "sum": "2.5"}, "moved": "1.5"}),
        json!({"column": "t", "type": "text", "live": {"rows": 5, "nulls": 1}, "shadow": {"rows": 4, "nulls": 2}}),
        json!({"column": "none", "type": "int64", "live": {"rows": 5, "nulls": 5, "sum": "0"},
            "shadow": {"rows": 4, "nulls": 4, "sum": "0"}, "moved": "0"}),
    ];
    let by_name = |totals: &mut Vec<Value>| totals.sort_by_key(|total| total["column"].to_string());
    by_name(&mut want);
    let schema = "schema: {id: text, n: int64, d: \"decimal(9,2)\", x: double, t: text, none: int64}\n";
    for live in ["csv", "jsonl", "parquet"] {
        for shadow in ["csv", "jsonl", "parquet"] {
            let spec = format!(
                "live: live-{live}\nshadow: shadow-{shadow}\naccount: id\nwhere: \"id <> 'gone'\"\n{schema}\
                 csv: {{null_values: []}}\ncomparators: [{{columns: d, absolute: 0.01}}]\noutput: {{to: out, totals: true}}\n"
            );
            std::fs::write(folder.path().join("spec.yaml"), spec).expect("a spec");
            for more in [&["--threads", "1"][..], &["--exchange", "fingerprints", "--shards", "3"]] {
                let mut found = totals(folder.path(), more);
                by_name(&mut found);
                assert_eq!(found, want, "{live} against {shadow}");
            }
        }
    }
}

#[test]
fn each_side_is_told_as_what_it_is_and_derived_columns_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    put("live.csv", "id,v,w\na,9007199254740993,1\nb,1,2\n");
    put("shadow.csv", "id,v,w\na,9007199254740992.0,1\nb,1.5,\n");
    put(
        "spec.yaml",
        "live: live.csv\nshadow: shadow.csv\naccount: id\nschema: {live: {v: int64}, shadow: {v: double}}\n\
         columns: {exclude: w, derive: {twice: w * 2}}\noutput: {to: out, totals: true}\n",
    );
    let found = totals(folder.path(), &[]);
    let want = [
        json!({"column": "v", "type": found[0]["type"], "live": {"rows": 2, "nulls": 0, "sum": "9007199254740994"},
            "shadow": {"rows": 2, "nulls": 0, "sum": "9007199254740994.0"}, "moved": "-0.5"}),
        json!({"column": "twice", "type": "int64", "live": {"rows": 2, "nulls": 0, "sum": "6"},
            "shadow": {"rows": 2, "nulls": 1, "sum": "2"}, "moved": "-4"}),
    ];
    assert_eq!(found, want);
}

/// A spec that asks for them where the comparison did not needs the data; the others keep them, or leave them out.
#[test]
fn a_judged_result_has_the_totals_that_its_spec_asks_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    put("live.csv", "id,v\na,1\nb,2\n");
    put("shadow.csv", "id,v\na,1\nb,5\n");
    let spec = |output: &str| format!("live: live.csv\nshadow: shadow.csv\naccount: id\noutput: {{to: out, judgeable: true, {output}}}\n");
    put("spec.yaml", &spec("totals: true"));
    put("without.yaml", &spec("totals: false"));
    let compared = totals(folder.path(), &[]);
    let judge = |from: &str, spec: &str, to: &str| {
        let arguments = ["judge", from, "--spec", spec, "--output", to];
        let run = binary::run(folder.path(), &arguments).expect("the run ends");
        let text = std::fs::read_to_string(folder.path().join(to).join("summary.json")).unwrap_or_default();
        (run, serde_json::from_str::<Value>(&text).unwrap_or_default()["totals"].take())
    };
    assert_eq!(judge("out", "spec.yaml", "with").1, Value::Array(compared));
    assert_eq!(judge("out", "without.yaml", "without").1, Value::Null);
    let (refused, _) = judge("without", "spec.yaml", "again");
    assert!(refused.exit == 2 && refused.stderr.contains("output.totals"), "{}", refused.stderr);
}
