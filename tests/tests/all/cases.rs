//! The cases: small files of real-world trouble with the right result, in every way that must not matter.

use serde_json::Value;
use shadowdiff_tests::case;
use std::path::{Path, PathBuf};

#[test]
fn cases() {
    let work = tempfile::tempdir().expect("a temporary folder can be made");
    report(each(|folder| case::run_case(folder, &[], work.path())));
}

/// Settings that must not change a byte.
const VARIANTS: &[&[&str]] = &[
    &["--threads", "1"],
    &["--threads", "3"],
    &["--shards", "1"],
    &["--shards", "7"],
    &["--memory", "64MiB"],
    &["--memory", "2GiB"],
    &["--disable", "same-object,same-chunk,same-position,window"],
    &["--disable", "same-position"],
    &["--disable", "window"],
    &["--exchange", "rows"],
    &["--exchange", "fingerprints"],
    &[
        "--exchange",
        "fingerprints",
        "--memory",
        "64MiB",
        "--shards",
        "5",
        "--disable",
        "same-position,window",
    ],
];

/// Seeds of small limits of tasks, within which each case runs too.
const LIMITS: u64 = 4;

#[test]
fn case_variants() {
    let work = tempfile::tempdir().expect("a temporary folder can be made");
    report(each(|folder| all_variants_agree(folder, work.path())));
}

/// The order of rows is no part of the data: every case again, the rows of its plain CSV and JSON-lines files turned round.
#[test]
fn cases_with_their_rows_turned_round() {
    let work = tempfile::tempdir().expect("a temporary folder can be made");
    let turned = std::sync::atomic::AtomicUsize::new(0);
    report(each(|folder| {
        let want = case::expectation(folder)?;
        let copy = work.path().join(format!("{}-turned", case::name(folder)));
        if want["exit"] == 2 || !turn_round(folder, &copy).map_err(|e| e.to_string())? {
            return Ok(());
        }
        turned.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let plain = result(folder, &want, &[], &work.path().join(case::name(folder)))?;
        let got = result(&copy, &want, &[], &work.path().join(format!("{}-out", case::name(folder))))?;
        if got == plain {
            Ok(())
        } else {
            Err("another result with the rows turned round".into())
        }
    }));
    assert!(turned.into_inner() >= 10, "few cases have such files");
}

/// Copies a folder; true if a file in it was turned round. Files with quotes are left, as a row may be longer than its line there.
fn turn_round(from: &Path, to: &Path) -> std::io::Result<bool> {
    std::fs::create_dir_all(to)?;
    let mut turned = false;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            turned |= turn_round(&path, &target)?;
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let is_jsonl = path.extension().is_some_and(|e| e == "jsonl");
        let is_csv = path.extension().is_some_and(|e| e == "csv") && !bytes.contains(&b'"') && !bytes.contains(&0);
        let head = usize::from(is_csv);
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        if (is_csv || is_jsonl) && bytes.ends_with(b"\n") && lines.len() > head + 1 {
            lines[head..].reverse();
            turned = true;
        }
        std::fs::write(target, lines.concat())?;
    }
    Ok(turned)
}

/// Runs the check on every case, two at a time, and gathers what failed.
fn each(check: impl Fn(&Path) -> Result<(), String> + Sync) -> Vec<String> {
    let folders = case::folders();
    assert!(folders.len() >= 85, "only {} cases found", folders.len());
    let run = |half: &[PathBuf]| -> Vec<String> {
        half.iter()
            .filter_map(|folder| check(folder).err().map(|why| format!("{}: {why}", case::name(folder))))
            .collect()
    };
    let (first, second) = folders.split_at(folders.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(second));
        let mut failed = run(first);
        failed.extend(other.join().expect("a check does not panic"));
        failed
    })
}

fn report(failed: Vec<String>) {
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}

fn all_variants_agree(folder: &Path, work: &Path) -> Result<(), String> {
    let want = case::expectation(folder)?;
    if want["exit"] == 2 {
        return Ok(());
    }
    let plain = result(folder, &want, &[], &work.join(case::name(folder)))?;
    for (number, variant) in VARIANTS.iter().enumerate() {
        let got = result(folder, &want, variant, &work.join(format!("{}-{number}", case::name(folder))))?;
        if got != plain {
            return Err(format!("another result with {}", variant.join(" ")));
        }
    }
    for seed in 0..LIMITS {
        let variant = &["--exchange", ["rows", "fingerprints"][seed as usize % 2]];
        let output = work.join(format!("{}-limits-{seed}", case::name(folder)));
        if result_within(Some(seed), folder, &want, variant, &output)? != plain {
            return Err(format!("another result within the limits of seed {seed}, {}", variant.join(" ")));
        }
    }
    Ok(())
}

/// Exit code, diff.csv, accounts.csv, how much of tolerances is used, and what the columns hold over all rows.
type Published = (i32, Vec<u8>, Vec<u8>, [Value; 2]);

fn result(folder: &Path, want: &Value, variant: &[&str], output: &Path) -> Result<Published, String> {
    result_within(None, folder, want, variant, output)
}

fn result_within(limits: Option<u64>, folder: &Path, want: &Value, variant: &[&str], output: &Path) -> Result<Published, String> {
    let run = case::start_within(limits, folder, want, variant, output)?;
    let read =
        |name: &str| std::fs::read(output.join(name)).map_err(|e| format!("{}: {name}: {e}: {}", variant.join(" "), run.stderr.trim()));
    let mut summary: Value = serde_json::from_slice(&read("summary.json")?).map_err(|e| e.to_string())?;
    let counted = ["tolerances", "totals"].map(|field| summary[field].take());
    Ok((run.exit, read("diff.csv")?, read("accounts.csv")?, counted))
}

/// Each case lies in the folder of its topic, and the index tells of it.
#[test]
fn the_index_names_every_case_and_no_other() {
    let index = std::fs::read_to_string(case::root().join("INDEX.md")).expect("the index");
    let named = |line: &str| Some(line.strip_prefix("| ")?.split_once(" |")?.0.to_owned());
    let mut named: Vec<String> = index.lines().filter_map(named).filter(|name| name.contains('/')).collect();
    named.sort();
    let place = |folder: &PathBuf| {
        folder
            .strip_prefix(case::root())
            .expect("it lies there")
            .to_string_lossy()
            .into_owned()
    };
    let mut there: Vec<String> = case::folders().iter().map(place).collect();
    there.sort();
    assert_eq!(named, there);
}
