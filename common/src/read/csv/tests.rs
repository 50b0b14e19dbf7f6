//! Files as text, and the rows or the error they give.

use super::*;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use std::io::Cursor;

fn options(change: impl FnOnce(&mut CsvOptions)) -> CsvOptions {
    let mut options = CsvOptions::default();
    change(&mut options);
    options
}

/// Rows as `line: field|field`, NULL as `~`.
fn rows(bytes: &[u8], options: &CsvOptions, batch_rows: usize) -> Result<Vec<String>> {
    let mut reader = open_csv("data.csv", Box::new(Cursor::new(bytes.to_vec())), options, b',', batch_rows)?;
    let mut rows = vec![reader.columns().join("|")];
    for batch in reader.by_ref() {
        let TextBatch { columns, lines } = batch?;
        assert!(columns.num_rows() <= batch_rows && columns.num_rows() == lines.len());
        for (row, line) in lines.iter().enumerate() {
            let texts = columns.columns().iter().map(|column| column.as_string::<i32>());
            let fields: Vec<&str> = texts.map(|texts| if texts.is_null(row) { "~" } else { texts.value(row) }).collect();
            rows.push(format!("{line}: {}", fields.join("|")));
        }
    }
    assert!(reader.next().is_none());
    Ok(rows)
}

fn check(text: &[u8], options: CsvOptions, want: Result<&[&str], &str>) {
    let shown = String::from_utf8_lossy(text).into_owned();
    for batch_rows in [1, 2, 1000] {
        match (rows(text, &options, batch_rows), &want) {
            (Ok(got), Ok(want)) => assert_eq!(got, *want, "{shown:?}"),
            (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{shown:?}: {error}"),
            (got, want) => panic!("{shown:?}: got {got:?}, want {want:?}"),
        }
    }
}

fn plain(text: &str, want: Result<&[&str], &str>) {
    check(text.as_bytes(), CsvOptions::default(), want);
}

#[test]
fn values_as_written() {
    plain("a,b\n1,\n,\"\"\n", Ok(&["a|b", "2: 1|~", "3: ~|"]));
    plain("\u{feff}a,b\r\n1,2", Ok(&["a|b", "2: 1|2"]));
    plain("\u{feff}\"a\",b\n1,2\n", Ok(&["a|b", "2: 1|2"]));
    plain(
        "a,b\n\"x\r\n\ry\",\"p \"\"q\"\"\"\n3,4\n",
        Ok(&["a|b", "2: x\r\n\ry|p \"q\"", "4: 3|4"]),
    );
    plain("a,b\n NA ,\0\n", Ok(&["a|b", "2:  NA |\0"]));
    plain("a,b\n", Ok(&["a|b"]));
    plain("a,b", Ok(&["a|b"]));
    plain(",b\n1,2\n", Ok(&["|b", "2: 1|2"]));
}

#[test]
fn empty_lines() {
    plain("a,b\n1,2\n\n\r\n", Ok(&["a|b", "2: 1|2"]));
    plain("a\n1\n\n\n2\n\n\n", Ok(&["a", "2: 1", "3: ~", "4: ~", "5: 2", "6: ~", "7: ~"]));
    plain("a\n\r\n", Ok(&["a", "2: ~"]));
    plain("a\n1", Ok(&["a", "2: 1"]));
    plain("a,b\n\n\n", Ok(&["a|b"]));
    let headerless = || options(|o| o.header = Header::Absent);
    check(b"\n1\n\n", headerless(), Ok(&["column_1", "1: ~", "2: 1", "3: ~"]));
    check(b"\n1,2\n", headerless(), Err(":2: row 2: has 2 fields, but the file has 1 column"));
    let named = options(|o| o.header = Header::Names(vec!["x".into()]));
    check(b"\n\n", named, Ok(&["x", "1: ~", "2: ~"]));
    plain("a,b\n1,2\n\n3,4\n", Err("data.csv:3: is empty where 2 fields are expected"));
    plain("\na\n1\n", Err(":1: is empty where the header"));
    plain("", Err("data.csv: is empty"));
}

#[test]
fn what_is_malformed_names_file_and_line() {
    plain("a,b\n1,2\n3\n", Err("data.csv:3: row 2: has 1 field, but the file has 2 columns"));
    plain(
        "a,b\n\"x\ny\",2\n3,4,5\n",
        Err("data.csv:4: row 2: has 3 fields, but the file has 2 columns"),
    );
    plain("a,b\n1,2\n\"3,4\n5,6\n", Err("data.csv:3: a quote is not closed"));
    plain("a,b\n1,2\n\"3\"x,4\n", Err("data.csv:3: text after a closing quote"));
    plain("a,b\n1,2\r3,4\n", Err("data.csv:2: a carriage return outside quotes"));
    plain("id,amount,amount\n", Err("data.csv:1: the header has the column `amount` twice"));
    check(
        b"a,b\n1,2\n3,caf\xe9\n",
        CsvOptions::default(),
        Err("data.csv:3: column `b`: `caf\u{fffd}` is not UTF-8"),
    );
    // A character is never put together from two fields of one column.
    check(b"a\n\xc3\n\xa9\n", CsvOptions::default(), Err(":2: column `a`"));
    check(b"a,\xe9\n1,2\n", CsvOptions::default(), Err("data.csv:1: `\u{fffd}` is not UTF-8"));
}

#[test]
fn options_are_kept() {
    let marked =
        |nulls: &[&str]| options(|o| (o.empty, o.null_values) = (EmptyField::Text, nulls.iter().map(|n| (*n).to_owned()).collect()));
    check(b"a,b\n\\N,\n\"\",x\n", marked(&["\\N"]), Ok(&["a|b", "2: ~|", "3: |x"]));
    check(b"a\n\n\\N\n", marked(&["\\N"]), Ok(&["a", "2: ", "3: ~"]));
    check(b"a,b\n,\n", marked(&[""]), Ok(&["a|b", "2: ~|~"]));
    let nulls = options(|o| o.null_values = vec!["NA".into(), "\\N".into()]);
    check(b"a,b\nNA,\"NA\"\n\\N,na\n", nulls, Ok(&["a|b", "2: ~|NA", "3: ~|na"]));
    plain(
        "id;v\n1;2\n",
        Err("data.csv:1: the fields are separated by \";\", not by \",\"; write csv: {delimiter: \";\"}, or"),
    );
    check(b"id;v\n1;2\n", options(|o| o.delimiter = Some(b',')), Ok(&["id;v", "2: 1;2"]));
    check(b"a;b\n1;2,5\n", options(|o| o.delimiter = Some(b';')), Ok(&["a|b", "2: 1|2,5"]));
    let single = options(|o| (o.quote, o.escape) = (b'\'', Some(b'\\')));
    check(b"a,b\n'it\\'s, \\\\ \\n',\"x\"\n", single, Ok(&["a|b", "2: it's, \\ \\n|\"x\""]));
    check(
        b"1,2\n3,4\n",
        options(|o| o.header = Header::Absent),
        Ok(&["column_1|column_2", "1: 1|2", "2: 3|4"]),
    );
    check(b"", options(|o| o.header = Header::Absent), Ok(&[""]));
    check(
        b"1,2\n",
        options(|o| o.header = Header::Names(vec!["x".into(), "y".into()])),
        Ok(&["x|y", "1: 1|2"]),
    );
    check(
        b"1,2\n",
        options(|o| o.header = Header::Names(vec!["x".into()])),
        Err(":1: row 1: has 2 fields, but the file has 1 column"),
    );
    check(
        b"a\ncaf\xe9\n",
        options(|o| o.encoding = "windows-1252".into()),
        Ok(&["a", "2: caf\u{e9}"]),
    );
    check(
        b"\xff\xfea\0\n\0\xe9\0",
        options(|o| o.encoding = "utf-16".into()),
        Ok(&["a", "2: \u{e9}"]),
    );
    check(b"a\n", options(|o| o.encoding = "klingon".into()), Err("not a known encoding"));
    check(b"a\n", options(|o| o.delimiter = Some(b'"')), Err("must differ"));
    check(b"a\n", options(|o| o.delimiter = Some(b'\n')), Err("ASCII"));
}

#[test]
fn records_larger_than_the_window() {
    let long = "x\n".repeat(1_000_000);
    let text = format!("a,b\n1,\"{long}\"\n2,\u{e9}\n");
    let got = rows(text.as_bytes(), &CsvOptions::default(), 10).expect("rows");
    assert_eq!(got.len(), 3);
    assert_eq!(got[1], format!("2: 1|{long}"));
    assert_eq!(got[2], "1000003: 2|\u{e9}");
}

#[test]
fn batches_end_after_a_few_megabytes() {
    let text = format!("a\n{}", ("y".repeat(999) + "\n").repeat(20_000));
    let reader = open_csv(
        "data.csv",
        Box::new(Cursor::new(text.into_bytes())),
        &CsvOptions::default(),
        b',',
        usize::MAX,
    )
    .expect("opened");
    let sizes: Vec<usize> = reader.map(|batch| batch.expect("a batch").lines.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 20_000);
    assert!(sizes.len() >= 4, "{sizes:?}");
}

#[test]
fn compression_is_told_by_the_name_or_the_options() {
    let packed = zstd::encode_all(b"a\n1\n".as_slice(), 1).expect("encoded");
    let open = |name: &str, options: &CsvOptions| open_csv(name, Box::new(Cursor::new(packed.clone())), options, b',', 10);
    assert_eq!(open("data.csv.zst", &CsvOptions::default()).expect("opened").count(), 1);
    let named = options(|o| o.compression = Some(shadowdiff_core::spec::Compression::Zstd));
    assert_eq!(open("data.csv", &named).expect("opened").count(), 1);
    assert!(
        open("data.csv.gz", &CsvOptions::default())
            .is_err_and(|error| error.to_string().contains("data.csv.gz: the gzip data are damaged"))
    );
}
