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

#[test]
fn case_variants() {
    let work = tempfile::tempdir().expect("a temporary folder can be made");
    report(each(|folder| all_variants_agree(folder, work.path())));
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
    Ok(())
}

/// Exit code, diff.csv, accounts.csv.
fn result(folder: &Path, want: &Value, variant: &[&str], output: &Path) -> Result<(i32, Vec<u8>, Vec<u8>), String> {
    let run = case::start(folder, want, variant, output)?;
    let read =
        |name: &str| std::fs::read(output.join(name)).map_err(|e| format!("{}: {name}: {e}: {}", variant.join(" "), run.stderr.trim()));
    Ok((run.exit, read("diff.csv")?, read("accounts.csv")?))
}
