//! What happens to rows, of generated releases whose truth is known.

use shadowdiff_tests::binary;
use std::fmt::Write;

/// What the new version does to a row, by its number.
fn shadow(row: u64, amount: f64, name: &str) -> Option<(f64, f64, f64, String)> {
    let follows = |amount: f64| (amount, amount * 2.0, amount + 1.0);
    let (mut amount, mut twice, more) = follows(amount);
    let mut name = name.to_owned();
    match row {
        // One row goes the other way in a column that follows in all others.
        777 => (amount, twice) = (amount * 1.1, twice - 500.0),
        // Rows that stand alone.
        500 => name = "someone else".to_owned(),
        501 => return None,
        // Ten per cent more, in a third of the rows, and what follows from it.
        _ if row.is_multiple_of(3) => {
            let (a, t, m) = follows(amount * 1.1);
            return Some((a, t, m, name));
        }
        // A name loses its end.
        _ if row.is_multiple_of(50) => drop(name.pop()),
        _ => {}
    }
    Some((amount, twice, more, name))
}

fn tables(order: impl Fn(&mut Vec<u64>)) -> [String; 2] {
    let mut rows: Vec<u64> = (1..=1000).collect();
    order(&mut rows);
    let mut tables = ["live", "shadow"].map(|_| "id,n,amount,twice,more,name\n".to_owned());
    for row in rows {
        let (amount, name) = (1000.0 + row as f64, format!("customer number {row}"));
        let account = row % 37;
        writeln!(tables[0], "{account},{row},{amount},{},{},{name}", amount * 2.0, amount + 1.0).expect("a string takes all");
        if let Some((amount, twice, more, name)) = shadow(row, amount, &name) {
            writeln!(tables[1], "{account},{row},{amount},{twice},{more},{name}").expect("a string takes all");
        }
    }
    tables
}

fn row_patterns(tables: &[String; 2], flags: &[&str]) -> serde_json::Value {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(folder.path().join("live.csv"), &tables[0]).expect("the file can be written");
    std::fs::write(folder.path().join("shadow.csv"), &tables[1]).expect("the file can be written");
    let spec =
        "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [n]\nschema: {amount: double, twice: double, more: double}\noutput: out\n";
    std::fs::write(folder.path().join("spec.yaml"), spec).expect("the file can be written");
    let got = binary::run(folder.path(), &[&["compare", "spec.yaml", "--json"], flags].concat()).expect("the run ends");
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let summary: serde_json::Value = serde_json::from_str(&got.stdout).expect("--json prints the summary");
    let found = &summary["row_patterns"];
    assert_eq!(found["exceptions"], summary["differences"]["exceptions"]);
    found.clone()
}

#[test]
fn what_follows_is_one_with_its_cause_and_what_stands_alone_is_told() {
    let found = row_patterns(&tables(|_| {}), &[]);
    let columns = |pattern: &serde_json::Value| -> Vec<String> {
        let changes = pattern["changes"].as_array().expect("changes").iter();
        changes
            .map(|change| change["column"].as_str().unwrap_or("a row").to_owned())
            .collect()
    };
    let listed = found["listed"].as_array().expect("patterns");
    // 333 rows of ten per cent more, two of which stand alone; of the multiples of 50 those that are none of 3, less one that stands alone.
    let rows: Vec<(u64, Vec<String>)> = listed.iter().map(|p| (p["rows"].as_u64().expect("a count"), columns(p))).collect();
    assert_eq!(rows, [(331, vec!["amount".to_owned()]), (13, vec!["name".to_owned()])]);
    assert_eq!(listed[0]["with"], serde_json::json!(["twice", "more"]));
    let near = |share: &serde_json::Value| (share.as_f64().expect("a share") - 0.1).abs() < 1e-9;
    let relative = &listed[0]["changes"][0]["relative"];
    assert!(near(&relative["min"]) && near(&relative["max"]), "{relative}");
    assert_eq!(listed[1]["changes"][0]["diagnosis"], "truncated");
    let alone: Vec<(String, Vec<String>)> = found["listed_alone"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|p| (p["example"].as_str().expect("a key").to_owned(), columns(p)))
        .collect();
    let row = |row: u64| format!("{},{row}", row % 37);
    assert_eq!(alone.len(), 3, "{alone:?}");
    assert!(
        alone.contains(&(row(777), vec!["amount".to_owned(), "twice".to_owned()])),
        "{alone:?}"
    );
    assert!(alone.contains(&(row(500), vec!["name".to_owned()])), "{alone:?}");
    assert!(alone.contains(&(row(501), vec!["a row".to_owned()])), "{alone:?}");
}

#[test]
fn neither_order_nor_threads_nor_shards_matter() {
    let found = row_patterns(&tables(|_| {}), &["--threads", "1"]);
    assert_eq!(
        row_patterns(&tables(|rows| rows.reverse()), &["--threads", "3", "--shards", "7"]),
        found
    );
    let mixed = tables(|rows| rows.sort_by_key(|row| row * 7919 % 1009));
    assert_eq!(row_patterns(&mixed, &["--exchange", "fingerprints", "--shards", "2"]), found);
}

/// Trial accounts pay more; a fee is one of a few others. The same release with its attributes in one, and in another order.
#[test]
fn what_tells_a_pattern_from_other_rows_is_counted_exactly_however_it_runs() {
    let rows: Vec<u64> = (1..=1500).collect();
    let plan = |row: u64| {
        if row % 37 < 12 {
            "trial"
        } else {
            ["pro", "free", ""][(row % 3) as usize]
        }
    };
    let of = |order: &dyn Fn(&mut Vec<u64>)| {
        let mut rows = rows.clone();
        order(&mut rows);
        let mut tables = ["live", "shadow"].map(|_| "id,n,plan,region,amount,fee\n".to_owned());
        for row in rows {
            let (account, plan) = (row % 37, plan(row));
            // The plan is that of the old values.
            let (amount, later) = match plan {
                "trial" => (110, "pro"),
                _ if row == 700 => (111, plan),
                _ => (100, plan),
            };
            let fee = if row.is_multiple_of(10) { 2 } else { 1 };
            writeln!(tables[0], "{account},{row},{plan},eu,100,1").expect("a string takes all");
            writeln!(tables[1], "{account},{row},{later},eu,{amount},{fee}").expect("a string takes all");
        }
        tables
    };
    let spec = "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [n]\ncolumns: {exclude: [plan, region]}\n";
    let run = |tables: &[String; 2], output: &str, flags: &[&str]| {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for (name, text) in [("live.csv", tables[0].as_str()), ("shadow.csv", tables[1].as_str())] {
            std::fs::write(folder.path().join(name), text).expect("the file can be written");
        }
        let text = format!("{spec}output: {{to: out, attributes: [plan, region]{output}}}\n");
        std::fs::write(folder.path().join("spec.yaml"), text).expect("the file can be written");
        let got = binary::run(folder.path(), &[&["compare", "spec.yaml"], flags].concat()).expect("the run ends");
        assert_eq!(got.exit, 1, "{}", got.stderr);
        let summary = |place: &str| {
            let text = std::fs::read_to_string(folder.path().join(place).join("summary.json")).expect("a summary");
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["row_patterns"].clone()
        };
        let found = summary("out");
        if output.contains("judgeable") {
            assert_eq!(
                binary::run(folder.path(), &["judge", "out", "--spec", "spec.yaml", "--output", "again"])
                    .expect("the run ends")
                    .exit,
                1
            );
            assert_eq!(summary("again"), found);
        }
        (found, got.stdout)
    };
    let tables = of(&|_| {});
    let (found, shown) = run(&tables, "", &["--threads", "1"]);
    let listed = found["listed"].as_array().expect("patterns");
    let first = listed
        .iter()
        .find(|pattern| pattern["changes"][0]["column"] == "amount")
        .expect("amounts that changed");
    let trial = rows.iter().filter(|row| plan(**row) == "trial");
    let of_pattern = trial.clone().filter(|row| !row.is_multiple_of(10)).count();
    let others = rows.iter().filter(|row| row.is_multiple_of(10)).count();
    let with = trial.filter(|row| row.is_multiple_of(10)).count();
    assert_eq!(
        first["told_by"],
        serde_json::json!([{ "column": "plan", "values": ["trial"], "rows": of_pattern, "other_rows": others, "other_rows_with": with }])
    );
    let words: Vec<&str> = shown.split_whitespace().collect();
    assert!(
        words
            .join(" ")
            .contains("100 % of its rows have plan = trial (32.6 % of 150 other rows that differ)"),
        "{shown}"
    );
    for (output, flags) in [
        (", parquet: true", &["--threads", "3", "--shards", "7"] as &[&str]),
        (", judgeable: true", &["--exchange", "fingerprints", "--shards", "2"]),
    ] {
        assert_eq!(run(&of(&|rows| rows.reverse()), output, flags).0, found, "{output}");
    }
}
