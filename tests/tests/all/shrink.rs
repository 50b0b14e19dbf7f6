//! `shrink`: the smallest masked pair that shows a pattern.

use arrow_array::Array;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use shadowdiff_core::value::{print, value_at};
use shadowdiff_tests::binary::{self, Run};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tempfile::TempDir;

fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the file can be written");
}

/// Masks are always the same ones.
fn run(folder: &Path, arguments: &str) -> Run {
    let seed = if arguments.starts_with("shrink") { " --seed 1" } else { "" };
    run_as_it_is(folder, &format!("{arguments}{seed}"))
}

fn run_as_it_is(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

fn summary(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("summary.json")).expect("a result");
    serde_json::from_str(&text).expect("JSON")
}

/// The fingerprints of a result, by what happens.
fn patterns(folder: &Path) -> BTreeMap<String, String> {
    let rows = summary(folder)["row_patterns"].clone();
    let listed = ["listed", "listed_alone"]
        .into_iter()
        .flat_map(|list| rows[list].as_array().expect("a list").clone());
    let named = listed.map(|pattern| {
        let changes = pattern["changes"].as_array().expect("a list").iter().map(|change| {
            let parts = ["kind", "column", "diagnosis", "direction"].map(|part| change[part].as_str().unwrap_or_default());
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        });
        (
            changes.collect::<Vec<_>>().join("; "),
            pattern["fingerprint"].as_str().expect("a text").to_owned(),
        )
    });
    named.collect()
}

/// All that a file holds, by column.
fn values(file: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let file = std::fs::File::open(file).expect("the file is there");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .expect("Parquet")
        .build()
        .expect("Parquet");
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for batch in reader {
        let batch = batch.expect("rows");
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let values = all.entry(field.name().clone()).or_default();
            for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
                let mut text = String::new();
                print(&value_at(array.as_ref(), row), &mut text);
                values.insert(text);
            }
        }
    }
    all
}

/// The columns that the text says to hold real values.
fn real(readme: &str) -> BTreeSet<String> {
    let line = readme.lines().find(|line| line.contains(": REAL values")).unwrap_or_default();
    let names = line.split(": REAL").next().unwrap_or_default().split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

/// Of each row what live and shadow have: text, number, moment, day, flag, two texts, seconds.
const CHANGES: [(&str, &str, &str); 25] = [
    ("case", "t", "Zanzibar Ferry|ZANZIBAR FERRY"),
    ("whitespace", "t", "Quarterly note|Quarterly  note"),
    ("invisible", "t", "Kilimanjaro|Kili\u{200b}manjaro"),
    ("mojibake", "t", "Tübinger Straße|TÃ¼binger StraÃŸe"),
    ("truncated", "t", "Winterthur Lumber AG|Winterthur Lum"),
    ("extended", "t", "Omega Trade|Omega Trade Ltd"),
    ("zeros", "t", "004711|4711"),
    ("format", "t", "1,234.50|1234.5"),
    ("dates", "t", "2026-11-13|13.11.2026"),
    ("unicode", "t", "Am\u{e9}lie|Ame\u{301}lie"),
    ("other", "t", "Gustav Mahler|Clara Schumann"),
    ("cyrillic", "t", "Москва |Москва"),
    ("empty", "t", "\"\"|"),
    ("gone", "t", "Appears|"),
    ("came", "t", "|Vanishes"),
    ("up", "v", "731.25|812.5"),
    ("down", "v", "-7231.25|-9731.5"),
    ("scale", "v", "87.25|8725.0"),
    ("sign", "v", "613.5|-613.5"),
    ("rounding", "v", "1774.7186|1774.72"),
    ("zone", "at", "2026-03-04T10:11:12Z|2026-03-04T13:11:12Z"),
    ("moment", "at", "2026-03-04T10:11:12Z|2026-03-09T19:01:00Z"),
    ("day", "d", "2026-03-04|2026-03-05"),
    ("flag", "b", "true|false"),
    ("unit", "s", "1772619072|1772619072000"),
];

/// Rows in which one thing happens each, rows of one side, keys with several rows, texts that changed places.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let columns = ["t", "v", "at", "d", "b", "s"];
    let same = ["Common text", "5123.75", "2025-01-02T03:04:05Z", "2025-06-07", "true", "1700000001"];
    let (mut live, mut shadow) = (String::new(), String::new());
    for (number, (id, column, values)) in CHANGES.into_iter().enumerate() {
        let (old, new) = values.split_once('|').expect("two values");
        for (text, value) in [(&mut live, old), (&mut shadow, new)] {
            let cells = columns
                .iter()
                .zip(same)
                .map(|(name, same)| if *name == column { value } else { same });
            let cells: Vec<String> = cells
                .map(|cell| {
                    if cell.contains(',') {
                        format!("\"{cell}\"")
                    } else {
                        cell.to_owned()
                    }
                })
                .collect();
            *text += &format!("acc-{id},{},{},left {number},right {number}\n", 70_001 + number, cells.join(","));
        }
    }
    let whole = same.join(",");
    live += &format!("acc-swap,80001,{whole},Leftover,Rightmost\nacc-old,80002,{whole},l,r\n");
    shadow += &format!("acc-swap,80001,{whole},Rightmost,Leftover\nacc-new,80003,{whole},l,r\n");
    for (text, more) in [(&mut live, "one|two|same"), (&mut shadow, "three|four|same|same")] {
        for value in more.split('|') {
            let id = if value == "same" { "acc-copy,80005" } else { "acc-twice,80004" };
            *text += &format!("{id},{whole},{value},r\n");
        }
    }
    let header = "id,n,t,v,at,d,b,s,x,y\n";
    put(folder.path(), "live.csv", &format!("{header}{live}"));
    put(folder.path(), "shadow.csv", &format!("{header}{shadow}"));
    put(
        folder.path(),
        "spec.yaml",
        "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [id, n]\nschema: {t: text, x: text, y: text, v: double}\noutput: out\n\
         expected: [{name: none, columns: [v], where: \"live_row.id = 'nobody'\"}]\n",
    );
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    folder
}

#[test]
fn every_kind_and_diagnosis_is_shown_by_a_row_without_its_values() {
    let folder = folder();
    let found = patterns(&folder.path().join("out"));
    assert!(found.len() >= 27, "{found:#?}");
    let input: String = ["live.csv", "shadow.csv"]
        .map(|name| std::fs::read_to_string(folder.path().join(name)).expect("a file"))
        .concat();
    let cells: BTreeSet<&str> = input.split([',', '\n', '"']).collect();
    let mut kept = BTreeMap::new();
    for (what, fingerprint) in &found {
        let got = run(folder.path(), &format!("shrink out --pattern {fingerprint} --output {fingerprint}"));
        assert_eq!(got.exit, 0, "{what}: {}", got.stderr);
        let made = folder.path().join(fingerprint);
        let readme = std::fs::read_to_string(made.join("README.md")).expect("a text");
        let (real, mut rows) = (real(&readme), 0);
        for side in ["live.parquet", "shadow.parquet"] {
            for (column, values) in values(&made.join(side)) {
                rows = rows.max(values.len());
                let shown = values.iter().filter(|value| !value.is_empty() && cells.contains(value.as_str()));
                assert!(real.contains(&column) || shown.count() == 0, "{what}: {column} has {values:?}");
            }
        }
        assert!(rows <= if what.starts_with("duplicate") { 2 } else { 1 }, "{what}: {rows} rows");
        assert_eq!(run(&made, "compare spec.yaml").exit, 1, "{what}");
        let again = patterns(&made.join("result"));
        assert_eq!(again.into_values().collect::<Vec<_>>(), [fingerprint.as_str()], "{what}");
        if !real.is_empty() {
            kept.insert(what.as_str(), real.into_iter().collect::<Vec<_>>().join(", "));
        }
    }
    let expected = [("changed b", "b"), ("changed t date_format", "t")];
    assert_eq!(kept, expected.map(|(what, real)| (what, real.to_owned())).into());
}

#[test]
fn the_same_result_gives_the_same_bytes() {
    let folder = folder();
    let found = patterns(&folder.path().join("out"));
    for what in [
        "changed t truncated",
        "changed v up",
        "duplicate_key",
        "changed x swapped_with(y); changed y swapped_with(x)",
    ] {
        let fingerprint = found.get(what).unwrap_or_else(|| panic!("{what} is not in {found:#?}"));
        let made: Vec<Vec<Vec<u8>>> = ["--threads 1", "--threads 3 --exchange fingerprints", "--shards 7 --disable window"]
            .into_iter()
            .enumerate()
            .map(|(at, settings)| {
                let output = format!("{fingerprint}-{at}");
                let got = run(
                    folder.path(),
                    &format!("shrink out --pattern {fingerprint} --output {output} {settings}"),
                );
                assert_eq!(got.exit, 0, "{}", got.stderr);
                ["live.parquet", "shadow.parquet", "spec.yaml", "README.md"]
                    .map(|file| std::fs::read(folder.path().join(&output).join(file)).expect("a file"))
                    .to_vec()
            })
            .collect();
        assert!(made.iter().all(|one| *one == made[0]), "{what}");
    }
}

/// A ticket that says +10 % comes with a pair that shows it.
#[test]
fn a_pattern_of_one_size_keeps_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let rows = |factor: u32| {
        (1..=30).fold("id,n,v\n".to_owned(), |text, n| {
            text + &format!("acme-{n},{n},{}\n", n * factor + n % 2)
        })
    };
    put(folder.path(), "live.csv", &rows(1370));
    put(folder.path(), "shadow.csv", &rows(1507));
    put(
        folder.path(),
        "spec.yaml",
        "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [id, n]\noutput: out\n",
    );
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    let fingerprint = &patterns(&folder.path().join("out"))["changed v up"];
    let got = run(folder.path(), &format!("shrink out --pattern {fingerprint} --output small"));
    assert!(
        got.exit == 0 && got.stdout.contains("v: numbers multiplied by one number"),
        "{}{}",
        got.stdout,
        got.stderr
    );
    let small = folder.path().join("small");
    assert!(run(&small, "compare spec.yaml").stdout.contains("alone"));
    let shown = run(&small, "report result").stdout;
    assert!(shown.contains("v: up, +10 %") || shown.contains("v: up, +9.9"), "{shown}");
}

/// A mask that everybody can draw again hides nothing.
#[test]
fn masks_are_drawn_by_chance() {
    let folder = folder();
    let fingerprint = &patterns(&folder.path().join("out"))["changed v up"];
    let made = ["one", "other"].map(|output| {
        let got = run_as_it_is(folder.path(), &format!("shrink out --pattern {fingerprint} --output {output}"));
        assert_eq!(got.exit, 0, "{}", got.stderr);
        values(&folder.path().join(output).join("live.parquet"))
    });
    assert_ne!(made[0], made[1]);
}

#[test]
fn a_spec_keeps_what_the_pattern_needs() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let side = |score: u32, cents: u32| {
        format!(
            "{{\"id\":\"acme-17\",\"n\":81,\"state\":\"on\",\"cents\":{cents},\"rate\":4.5,\"p\":{{\"score\":{score},\"rank\":{score},\"on\":true}},\"tags\":[\"Alpha\",\"{}\"]}}\n\
             {{\"id\":\"acme-17\",\"n\":81,\"state\":\"off\",\"cents\":1,\"rate\":4.5,\"p\":{{\"score\":1,\"rank\":1}},\"tags\":[]}}\n",
            if score > 50 { "Gamma" } else { "Delta" }
        )
    };
    put(folder.path(), "live.jsonl", &side(41, 1723));
    put(folder.path(), "shadow.jsonl", &side(58, 1799).replace("\"cents\"", "\"ct\""));
    put(
        folder.path(),
        "spec.yaml",
        "live: live.jsonl\nshadow: shadow.jsonl\naccount: id\nkey: [id, n]\nwhere: \"state = 'on'\"\noutput: out\n\
         baseline: {default: live, shadow_for: {list: [acme-17]}}\n\
         columns:\n  rename: {shadow: {ct: cents}}\n  derive: {amount: \"cents * rate\"}\n  exclude: [cents, rate, state]\n\
         comparators: [{columns: [amount], absolute: 0.01}]\n\
         expected: [{name: rank, columns: [p.rank]}]\n",
    );
    let got = run(folder.path(), "compare spec.yaml");
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let found = patterns(&folder.path().join("out"));
    let (what, fingerprint) = found.iter().next().expect("a pattern");
    assert_eq!(
        (what.as_str(), found.len()),
        ("changed p.score up; changed tags; changed amount up", 1)
    );
    let got = run(
        folder.path(),
        &format!("shrink out --pattern {fingerprint} --output small --keep n,nothing"),
    );
    assert_eq!(got.exit, 0, "{}", got.stderr);
    assert!(
        got.stderr.contains("the pattern does not need a column `nothing`"),
        "{}",
        got.stderr
    );
    let spec = std::fs::read_to_string(folder.path().join("small/spec.yaml")).expect("a spec");
    for (part, is_there) in [
        ("derive", true),
        ("p.score", true),
        ("where", false),
        ("comparators", false),
        ("expected", false),
        ("rename", false),
    ] {
        assert_eq!(spec.contains(part), is_there, "{part} in\n{spec}");
    }
    let readme = std::fs::read_to_string(folder.path().join("small/README.md")).expect("a text");
    assert_eq!(
        real(&readme),
        BTreeSet::from(["n".to_owned()]),
        "flags inside of a struct do not keep it from a mask"
    );
    let live = values(&folder.path().join("small/live.parquet"));
    assert_eq!(live["n"], BTreeSet::from(["81".to_owned()]), "kept");
    let text = format!("{live:?}");
    assert!(!["acme", "Alpha", "Delta", "1723"].iter().any(|real| text.contains(real)), "{text}");
    assert_eq!(run(&folder.path().join("small"), "compare spec.yaml").exit, 1);
    assert_eq!(patterns(&folder.path().join("small/result")), found);
}

#[test]
fn it_says_what_it_cannot_do_and_leaves_nothing_behind() {
    let folder = folder();
    let fingerprint = patterns(&folder.path().join("out"))["changed v up"].clone();
    let near = format!("{}{}", &fingerprint[..15], if fingerprint.ends_with('0') { '1' } else { '0' });
    put(folder.path(), "other.yaml", "live: live.csv\nshadow: shadow.csv\naccount: id\n");
    std::fs::create_dir(folder.path().join("elsewhere")).expect("a folder");
    let before = std::fs::read_dir(folder.path()).expect("a folder").count();
    for (arguments, part) in [
        (format!("out --pattern {near}"), format!("did you mean `{fingerprint}`?")),
        ("out --pattern zz".to_owned(), "`shadowdiff report` shows them".to_owned()),
        ("nowhere --pattern zz".to_owned(), "name the directory or URL".to_owned()),
        (
            format!("out --pattern {fingerprint} --output out"),
            "is there already; name a new folder".to_owned(),
        ),
        (
            format!("out --pattern {fingerprint} --output s3://b/x"),
            "is not a local folder".to_owned(),
        ),
        (
            format!("out --pattern {fingerprint} --spec other.yaml"),
            "compares the data in another way".to_owned(),
        ),
    ] {
        let got = run(folder.path(), &format!("shrink {arguments}"));
        assert!(got.exit == 2 && got.stderr.contains(&part), "{arguments}: {}", got.stderr);
    }
    let got = run(&folder.path().join("elsewhere"), &format!("shrink ../out --pattern {fingerprint}"));
    assert!(got.exit == 2 && got.stderr.contains("--spec FILE names the spec"), "{}", got.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), before);
    let got = run(
        &folder.path().join("elsewhere"),
        &format!("shrink ../out --pattern {fingerprint} --spec ../spec.yaml"),
    );
    assert_eq!((got.exit, got.stderr.as_str()), (0, ""));
    // The data change: it is said, and the row is looked for in those that are there now.
    let live = std::fs::read_to_string(folder.path().join("live.csv")).expect("a file");
    put(folder.path(), "live.csv", &live.replace("acc-case", "acc-cases"));
    let got = run(folder.path(), &format!("shrink out --pattern {fingerprint}"));
    assert!(got.exit == 0 && got.stderr.contains("live.csv is not as it was"), "{}", got.stderr);
    put(folder.path(), "live.csv", &live.replace("731.25", "812.5"));
    let got = run(folder.path(), &format!("shrink out --pattern {fingerprint} --output again"));
    assert!(got.exit == 2 && got.stderr.contains("compare again"), "{}", got.stderr);
    assert!(!folder.path().join("again").exists());
}

#[test]
fn a_result_that_was_cut_names_a_row_all_the_same() {
    let folder = folder();
    let spec = std::fs::read_to_string(folder.path().join("spec.yaml")).expect("a spec");
    let cut = spec.replace("output: out", "output: {to: cut, max_differences: 1, spreadsheet_safe: true}");
    put(folder.path(), "spec.yaml", &cut);
    assert_eq!(run(folder.path(), "compare spec.yaml").exit, 1);
    let found = patterns(&folder.path().join("cut"));
    for what in ["changed v down", "missing_in_live"] {
        let got = run(folder.path(), &format!("shrink cut --pattern {}", found[what]));
        assert_eq!(got.exit, 0, "{what}: {}", got.stderr);
    }
}

#[test]
fn the_example_of_the_docs_is_what_it_prints() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let spec = root.join("examples/cities/compare.yaml");
    let got = run(folder.path(), &format!("compare {} --output out --quiet", spec.display()));
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let arguments = format!("shrink out --pattern 984201d552934eb0 --spec {}", spec.display());
    let got = run(folder.path(), &arguments);
    assert_eq!((got.exit, got.stderr.as_str()), (0, ""));
    let docs = std::fs::read_to_string(root.join("docs/output.md")).expect("the docs");
    assert!(docs.contains(&format!("```text\n{}```", got.stdout)), "{}", got.stdout);
}
