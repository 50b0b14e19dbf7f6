//! Lines as text, and the shape, the rows or the error they give.

use super::*;
use arrow_array::Array;
use shadowdiff_core::value::{print, value_at};
use std::io::Cursor;

fn lines_of(text: &str) -> JsonLines {
    JsonLines::open("data.jsonl", Box::new(Cursor::new(text.as_bytes().to_vec()))).expect("opens")
}

fn shape(text: &str) -> Result<JsonShape> {
    scan_json(lines_of(text), |_| false)
}

fn check_shape(text: &str, want: Result<&str, &str>) {
    match (shape(text).map(|shape| shape.value_type().to_string()), want) {
        (Ok(got), Ok(want)) => assert_eq!(got, format!("struct({want})"), "{text}"),
        (Err(error), Err(want)) => assert!(
            error.to_string().starts_with("data.jsonl") && error.to_string().contains(want),
            "{text}: {error}"
        ),
        (got, want) => panic!("{text}: got {got:?}, want {want:?}"),
    }
}

#[test]
fn the_type_follows_from_every_value() {
    check_shape("", Ok(""));
    check_shape("\u{feff}{\"a\": 1}\n\n  \r\n{\"a\": 2.50}", Ok("a: decimal(3,2)"));
    check_shape("{\"b\": true, \"a\": null}\n{}\n", Ok("a: null, b: bool"));
    check_shape("{\"a\": \"2026-01-01\"}", Ok("a: date"));
    check_shape("{\"a\": \"2026-01-01T00:00:00Z\"}", Ok("a: timestamp(s, UTC)"));
    check_shape("{\"a\": \"12\"}\n{\"a\": \"true\"}", Ok("a: text"));
    check_shape("{\"a\": \"12\"}", Ok("a: text"));
    check_shape("{\"a\": 9007199254740993}\n{\"a\": 1e3}", Ok("a: int64"));
    check_shape("{\"a\": 123456789012345678901234567890.5}", Ok("a: decimal(31,1)"));
    check_shape("{\"a\": 1e400}", Ok("a: text"));
    check_shape("{\"a\": 1}\n{\"a\": \"NaN\"}", Ok("a: double"));
    check_shape("{\"a\": \"-Infinity\"}\n{\"a\": \"NaN\"}\n{\"a\": 0.5}", Ok("a: double"));
    check_shape("{\"a\": \"NaN\"}", Ok("a: text"));
    check_shape("{\"a\": \"NaN\"}\n{\"a\": \"x\"}", Ok("a: text"));
    check_shape("{\"a\": [1]}\n{\"a\": [\"NaN\"]}", Ok("a: list(double)"));
    check_shape("{\"a\": []}\n{\"a\": [null]}", Ok("a: list(null)"));
    check_shape("{\"a\": []}\n{\"a\": [1, 2]}", Ok("a: list(int64)"));
    check_shape("{\"a\": {\"x\": 1}}\n{\"a\": {\"y\": \"t\"}}", Ok("a: struct(x: int64, y: text)"));
}

#[test]
fn what_has_no_shape_names_file_line_and_field() {
    check_shape(
        "{\"score\": 1}\n\n{\"score\": \"1\"}",
        Err(":3: column `score`: is text here, but a number before"),
    );
    check_shape(
        "{\"a\": [{\"b\": 1}]}\n{\"a\": [{\"b\": true}]}",
        Err(":2: column `a[].b`: is a bool here, but a number before"),
    );
    for (text, line) in [
        ("{\"a\": 1}\n{\"a\": \"inf\"}", 2),
        ("{\"a\": \"nan\"}\n{\"a\": 1}", 2),
        ("{\"a\": \"NaN\"}\n{\"a\": 1}\n{\"a\": \"x\"}", 3),
        ("{\"a\": \"NaN\"}\n{\"a\": \"x\"}\n{\"a\": 1}", 3),
    ] {
        check_shape(text, Err(&format!(":{line}: column `a`: is ")));
    }
    check_shape(
        "{\"a\": {}}\n{\"a\": []}",
        Err("2: column `a`: is a list here, but an object before"),
    );
    check_shape(
        "{\"a\": 1, \"b\": 2, \"a\": 3}",
        Err(":1:24: not valid JSON: the field `a` is there twice"),
    );
    check_shape("[{\"a\": 1}]", Err(":1: is a list, but JSON lines are expected"));
    check_shape("[\n{\"a\": 1}\n]", Err(":1: begins one JSON array, but JSON lines are expected"));
    check_shape("{\"a\": 1}\n{\n\"a\": 2}", Err(":2:1: not valid JSON: EOF while parsing an object"));
    check_shape("{\"a\": 1} {\"a\": 2}", Err(":1:10: not valid JSON: trailing characters"));
    check_shape("{\"a\": 01}", Err(":1:"));
    check_shape("{\"a\": NaN}", Err(":1:"));
    check_shape("{\"a\": \"\\ud800\"}", Err(":1:"));
    check_shape("{\"a\": 1}\n{\"a\": ", Err(":2:"));
    let bad =
        JsonLines::open("data.jsonl", Box::new(Cursor::new(b"{\"a\": \"\xe9\"}".to_vec()))).and_then(|lines| scan_json(lines, |_| false));
    assert!(bad.is_err_and(|error| error.to_string().contains(":1: is not UTF-8")));
}

#[test]
fn shapes_of_files_merge_in_any_order() {
    let files = [
        "{\"a\": null}",
        "{\"a\": [1.5], \"b\": {\"x\": 1}}",
        "{\"a\": [], \"b\": {\"y\": true}}",
        "{\"c\": \"NaN\"}\n{\"b\": {\"x\": \"NaN\"}}",
        "{\"c\": 2}",
    ];
    let merged = |order: [usize; 5]| {
        let mut sum = JsonShape::default();
        order
            .iter()
            .for_each(|i| sum.merge(&shape(files[*i]).expect("a shape"), "x", "").expect("merges"));
        sum
    };
    assert_eq!(merged([0, 1, 2, 3, 4]), shape(&files.join("\n")).expect("a shape"));
    assert_eq!(merged([0, 1, 2, 3, 4]), merged([4, 3, 1, 0, 2]));
    let clash = shape("{\"a\": 1}")
        .expect("a shape")
        .merge(&shape("{\"a\": \"1\"}").expect("a shape"), "other.jsonl", "b");
    assert_eq!(
        clash.expect_err("a clash").to_string(),
        "other.jsonl: column `b.a`: is text here, but a number before; write it as one of them everywhere"
    );
}

/// Values of the one column `a`, NULL as `~`.
fn check_rows(text: &str, target: &ValueType, want: Result<&[&str], &str>) {
    for batch_rows in [1, 100] {
        let target_columns = [("a".to_string(), target.clone())];
        let batches = open_json(lines_of(text), &target_columns, batch_rows).collect::<Result<Vec<_>>>();
        let rows = batches.map(|batches| {
            let print_one = |column: &dyn Array, row: usize| {
                let mut text = String::new();
                print(&value_at(column, row), &mut text);
                if column.is_null(row) { "~".to_string() } else { text }
            };
            let rows = batches.iter().flat_map(|batch| {
                assert_eq!(batch.column(0).data_type(), &target.storage());
                (0..batch.num_rows()).map(move |row| print_one(batch.column(0), row))
            });
            rows.collect::<Vec<_>>()
        });
        match (rows, want) {
            (Ok(got), Ok(want)) => assert_eq!(got, want, "{text}"),
            (Err(error), Err(want)) => assert!(
                error.to_string().starts_with("data.jsonl") && error.to_string().contains(want),
                "{text}: {error}"
            ),
            (got, want) => panic!("{text}: got {got:?}, want {want:?}"),
        }
    }
}

fn check(text: &str, target: &str, want: Result<&[&str], &str>) {
    check_rows(text, &ValueType::parse(target).expect(target), want);
}

#[test]
fn rows_in_the_wanted_type() {
    check("{\"a\": 1, \"b\": [}\n", "int", Err(":1:"));
    check(
        "{\"a\": 1, \"b\": []}\n\n{\"b\": 2}\n{\"a\": null}\n{\"a\": 1e3}",
        "int",
        Ok(&["1", "~", "~", "1000"]),
    );
    check("{\"a\": 1.50}\n{\"a\": 2}", "decimal(5,2)", Ok(&["1.50", "2.00"]));
    check("{\"a\": 0.1}", "double", Ok(&["0.1"]));
    let not_finite = "{\"a\": \"NaN\"}\n{\"a\": 0.5}\n{\"a\": \"-Infinity\"}\n{\"a\": \"Infinity\"}";
    check(not_finite, "double", Ok(&["NaN", "0.5", "-inf", "inf"]));
    check("{\"a\": \"0.5\"}\n{\"a\": \"NaN\"}", "double", Ok(&["0.5", "NaN"]));
    check("{\"a\": \"NaN\"}\n{\"a\": 1.50}", "text", Ok(&["NaN", "1.50"]));
    check(not_finite, "decimal(5,1)", Err("data.jsonl:"));
    check("{\"a\": \"2026-01-01\"}", "timestamp(s)", Ok(&["2026-01-01T00:00:00"]));
    check("{\"a\": \"\"}\n{\"a\": \"x\\u00e9\"}", "text", Ok(&["", "x\u{e9}"]));
    check("{\"a\": 1E400}", "text", Ok(&["1e+400"]));
    check("{\"a\": \"12\"}", "int", Ok(&["12"]));
    check("{\"a\": true}", "bool", Ok(&["true"]));
    check("{\"a\": [1, null]}\n{\"a\": []}\n{}", "list(int)", Ok(&["[1,null]", "[]", "~"]));
    check("{\"a\": {\"k\": 1}}\n{\"a\": null}", "map(text, int)", Ok(&["{\"k\":1}", "~"]));
    let member = |name: &str| (name.to_string(), ValueType::INT64);
    let pair = ValueType::Struct(vec![member("y"), member("x")]);
    check_rows(
        "{\"a\": {\"x\": 1, \"y\": 2, \"z\": 3}}\n{\"a\": {}}\n{}",
        &pair,
        Ok(&["{\"y\":2,\"x\":1}", "{\"y\":null,\"x\":null}", "~"]),
    );
    check_rows("{\"a\": {}}", &ValueType::Struct(Vec::new()), Ok(&["{}"]));
}

#[test]
fn values_that_do_not_fit_name_file_line_and_field() {
    check("{\"a\": 1}\n\n{\"a\": 1.5}", "int", Err(":3: column `a`: `1.5` is not an integer"));
    check(
        "{\"a\": 1.505}",
        "decimal(18,2)",
        Err(":1: column `a`: `1.505` has more digits after the point"),
    );
    check(
        "{\"a\": 1}\n{\"a\": \"1\"}",
        "int",
        Err(":2: column `a`: is text here, but a number before"),
    );
    check("{\"a\": {}}", "int", Err(":1: column `a`: is an object where int64 is expected"));
    check(
        "{\"a\": [1]}\n{\"a\": 1}",
        "list(int)",
        Err(":2: column `a`: is a number where list(int64) is expected"),
    );
    check(
        "{\"a\": []}\n{\"a\": [1, \"x\"]}",
        "list(int)",
        Err(":2: column `a[]`: is text here"),
    );
    check(
        "{\"a\": [1]}\n{\"a\": [2, 3.5]}",
        "list(int)",
        Err(":2: column `a[]`: `3.5` is not an integer"),
    );
    check(
        "{\"a\": {\"k\": 1}}\n{\"a\": {\"k\": 0.5}}",
        "map(text, int)",
        Err(":2: column `a.*`: `0.5` is not an integer"),
    );
}

#[test]
fn what_is_in_a_field_that_is_passed_over_does_not_matter() {
    let lines = "{\"u\": 1, \"p\": {\"u\": 1, \"x\": 1}}\n{\"u\": \"x\", \"p\": {\"u\": \"x\", \"x\": 2}}\n";
    let passed_over = |name: &str| name == "u" || name == "p.u";
    let shape = scan_json(lines_of(lines), passed_over).expect("scans");
    let ValueType::Struct(columns) = shape.value_type() else {
        panic!("{shape:?}")
    };
    let found: Vec<String> = columns.iter().map(|(name, t)| format!("{name}: {t}")).collect();
    assert_eq!(found, ["p: struct(u: null, x: int64)", "u: null"]);
    let batches: Vec<_> = open_json(lines_of(lines), &columns[..1], 10).collect();
    assert!(batches[0].is_ok(), "{:?}", batches[0]);
    assert!(scan_json(lines_of(lines), |name| name == "u").is_err());
}
