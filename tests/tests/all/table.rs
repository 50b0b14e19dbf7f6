//! `differences.parquet` has what `diff.csv` has, with types.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use shadowdiff_tests::binary;
use shadowdiff_tests::csv::Lines;
use std::fmt::Write;
use std::path::Path;
use tempfile::TempDir;

/// Keys of several types, and values that need quotes, are NULL or empty.
fn folder(output: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let side = |name: &str, shift: i64| {
        let mut text = "id,day,name,on,amount,note\n".to_owned();
        for row in 0..3_000_i64 {
            let note = match row % 4 {
                0 => "",
                1 => "\"\"",
                2 => "\"say \"\"x\"\", y\nz\"",
                _ => "=1+1",
            };
            let note = if shift > 0 && row % 5 == 0 { "other" } else { note };
            let amount = row + if row % 7 == 0 { shift } else { 0 };
            writeln!(
                text,
                "{row},2026-11-{:02},\"n,{row}\",{},{amount}.50,{note}",
                1 + row % 28,
                row % 2 == 0
            )
            .expect("a string takes all");
        }
        if shift > 0 {
            text += "-5,2026-01-01,new,true,1.00,x\n";
        }
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    side("l.csv", 0);
    side("s.csv", 3);
    let spec = format!(
        "live: l.csv\nshadow: s.csv\naccount: id\nkey: [id, day, name, on]\nexpected: [{{name: up, columns: [amount], where: \"live_row.id < 700\"}}]\noutput: {{to: out, {output}}}\n"
    );
    std::fs::write(folder.path().join("spec.yaml"), spec).expect("a file");
    folder
}

fn compare(folder: &Path, more: &[&str]) {
    let got = binary::run(folder, &[&["compare", "spec.yaml", "--overwrite"], more].concat()).expect("ends");
    assert_eq!(got.exit, 1, "{}", got.stderr);
}

fn rows(path: &Path) -> Vec<RecordBatch> {
    let file = std::fs::File::open(path).expect("the table is there");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .expect("Parquet")
        .build()
        .expect("Parquet");
    reader.map(|batch| batch.expect("rows")).collect()
}

/// A cell as `diff.csv` has it; of deltas the number.
fn cell(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Date32 => column.as_primitive::<Date32Type>().value_as_date(row).expect("a day").to_string(),
        other => panic!("{other}"),
    })
}

#[test]
fn the_table_has_the_lines_of_the_csv() {
    for output in ["parquet: true", "parquet: true, max_differences: 100"] {
        let folder = folder(output);
        compare(folder.path(), &[]);
        let csv = Lines::parse(&std::fs::read_to_string(folder.path().join("out/diff.csv")).expect("diff.csv")).expect("CSV");
        let batches = rows(&folder.path().join("out/differences.parquet"));
        let schema = batches[0].schema();
        assert_eq!(schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>(), csv.header);
        let types = ["id", "day", "name", "on"].map(|name| schema.field_with_name(name).expect("a key").data_type().clone());
        assert_eq!(types, [DataType::Int64, DataType::Date32, DataType::Utf8, DataType::Boolean]);
        let mut lines = csv.lines.iter();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let line = lines.next().expect("as many lines");
                for (at, name) in csv.header.iter().enumerate() {
                    let (found, want) = (cell(batch.column(at), row), &line[at]);
                    let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<f64>().ok());
                    match name.as_str() {
                        "delta" | "relative_delta" => assert_eq!(number(&found), number(want), "{name} {line:?}"),
                        _ => assert_eq!(&found, want, "{name} {line:?}"),
                    }
                }
            }
        }
        assert_eq!(lines.next(), None);
    }
}

#[test]
fn the_table_is_the_same_however_the_job_is_cut() {
    let folder = folder("parquet: true");
    let table = || std::fs::read(folder.path().join("out/differences.parquet")).expect("the table");
    compare(folder.path(), &["--threads", "1", "--shards", "1"]);
    let first = table();
    for more in [
        &["--threads", "4", "--shards", "7"],
        &["--exchange", "fingerprints"][..],
        &["--disable", "window,same-position"],
    ] {
        compare(folder.path(), more);
        assert!(table() == first, "{more:?}");
    }
}

#[test]
fn a_result_without_a_table_takes_the_place_of_one_with_it() {
    let folder = folder("parquet: true");
    compare(folder.path(), &[]);
    let summary = std::fs::read_to_string(folder.path().join("out/summary.json")).expect("summary.json");
    assert!(summary.contains("differences.parquet"));
    let spec = std::fs::read_to_string(folder.path().join("spec.yaml")).expect("the spec");
    std::fs::write(folder.path().join("spec.yaml"), spec.replace("parquet: true", "parquet: false")).expect("a file");
    compare(folder.path(), &[]);
    assert!(!folder.path().join("out/differences.parquet").exists());
}
