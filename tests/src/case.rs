//! Runs one case folder (spec, inputs, expect.json) and holds the result against what it must be.

use crate::binary::{self, Run};
use crate::csv::Lines;
use crate::rungs;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the cases are.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// All case folders, sorted by name, each in the folder of its topic.
///
/// # Panics
/// Where the folder of cases cannot be read.
pub fn folders() -> Vec<PathBuf> {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("tests/cases can be listed");
        let paths = entries.map(|entry| entry.expect("tests/cases can be listed").path());
        paths.filter(|path| path.is_dir()).collect()
    };
    let mut folders: Vec<PathBuf> = inside(&root()).iter().flat_map(|topic| inside(topic)).collect();
    folders.sort_by_key(|folder| name(folder));
    folders
}

/// The last part of a case's path.
pub fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a case must give.
pub fn expectation(folder: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(folder.join("expect.json")).map_err(|e| format!("expect.json: {e}"))?;
    serde_json::from_str(&text).map_err(|e| format!("expect.json: {e}"))
}

/// Runs the case with its own arguments and some more, its output in `output`.
pub fn start(folder: &Path, want: &Value, more: &[&str], output: &Path) -> Result<Run, String> {
    start_within(None, folder, want, more, output)
}

/// The same; with a seed, tasks have the small limits of that seed.
pub fn start_within(limits: Option<u64>, folder: &Path, want: &Value, more: &[&str], output: &Path) -> Result<Run, String> {
    let mut arguments = vec![
        "compare",
        "spec.yaml",
        "--output",
        output.to_str().ok_or("the output path is not UTF-8")?,
    ];
    arguments.extend(want["args"].as_array().into_iter().flatten().filter_map(Value::as_str));
    arguments.extend(more);
    binary::run_within(limits, folder, &arguments)
}

/// Runs the case and checks everything that its expect.json fixes. `work` is a folder to write to.
pub fn run_case(folder: &Path, more: &[&str], work: &Path) -> Result<(), String> {
    let want = expectation(folder)?;
    let output = work.join(name(folder));
    let run = start(folder, &want, more, &output)?;
    let exit = want["exit"].as_i64().ok_or("expect.json: no exit")?;
    if i64::from(run.exit) != exit {
        return Err(format!("exit {}, want {exit}: {}", run.exit, tail(&run.stderr)));
    }
    if exit == 2 {
        return check_error(&want, &run, &output);
    }
    if run.stderr.contains("panicked") {
        return Err(format!("it panicked: {}", tail(&run.stderr)));
    }
    let diff = lines(&output.join("diff.csv"))?;
    check_counts(&want, &diff)?;
    check_cells(&want, &diff)?;
    check_summary(&want, exit, &output)?;
    check_accounts(&want, &output)
}

fn tail(text: &str) -> String {
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(400);
    text.chars().skip(skipped).collect()
}

fn lines(path: &Path) -> Result<Lines, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Lines::parse(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The error must name what is at fault, and nothing may be published.
fn check_error(want: &Value, run: &Run, output: &Path) -> Result<(), String> {
    let error = run.stderr.to_lowercase();
    for mention in want["error_mentions"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !mention.split('|').any(|word| error.contains(&word.to_lowercase())) {
            return Err(format!("the error does not mention {mention:?}: {}", tail(&run.stderr)));
        }
    }
    if output.join("diff.csv").exists() {
        Err("a result was published although the job failed".into())
    } else {
        Ok(())
    }
}

/// Rows a kind: a changed row counts once, however many of its cells differ.
fn check_counts(want: &Value, diff: &Lines) -> Result<(), String> {
    let kind = kind_index(diff)?;
    for (name, count) in want["counts"].as_object().into_iter().flatten() {
        let rows: BTreeSet<_> = diff
            .lines
            .iter()
            .filter(|l| l[kind].as_deref() == Some(name))
            .map(|l| &l[..kind])
            .collect();
        if Some(rows.len() as u64) != count.as_u64() {
            return Err(format!("{name}: {} rows, want {count}", rows.len()));
        }
    }
    Ok(())
}

/// The key columns stand in front of `kind`; the first column is always a key, whatever its name.
fn kind_index(diff: &Lines) -> Result<usize, String> {
    diff.header
        .iter()
        .skip(1)
        .position(|h| h == "kind")
        .map(|at| at + 1)
        .ok_or_else(|| "diff.csv has no column kind".into())
}

/// Every expected line is there once, and no other.
fn check_cells(want: &Value, diff: &Lines) -> Result<(), String> {
    let Some(cells) = want["cells"].as_array() else { return Ok(()) };
    let mut left: Vec<usize> = (0..diff.lines.len()).collect();
    for (number, cell) in cells.iter().enumerate() {
        let Some(at) = left.iter().position(|line| is_line(cell, diff, &diff.lines[*line])) else {
            return Err(format!(
                "no line for {cell}; left: {:?}",
                left.iter().take(3).map(|l| &diff.lines[*l]).collect::<Vec<_>>()
            ));
        };
        let line = left.remove(at);
        if want["ordered"] == Value::Bool(true) && line != number {
            return Err(format!("line {line} should be line {number}: {cell}"));
        }
    }
    match left.first() {
        Some(line) => Err(format!("{} lines too many: {:?}", left.len(), diff.lines[*line])),
        None => Ok(()),
    }
}

fn is_line(cell: &Value, diff: &Lines, line: &[Option<String>]) -> bool {
    let has = |at: Option<usize>, value: &Value| at.is_some_and(|at| line[at].as_deref() == value.as_str());
    let keys = cell["key"]
        .as_object()
        .into_iter()
        .flatten()
        .all(|(name, value)| has(diff.index(name), value));
    let Ok(kind) = kind_index(diff) else { return false };
    let field = |name: &str| diff.header[kind..].iter().position(|h| h == name).map(|at| at + kind);
    let fixed = ["live", "shadow", "verdict", "rule", "delta", "diagnosis"]
        .into_iter()
        .filter_map(|name| Some((name, cell.get(name)?)));
    keys && has(Some(kind), &cell["kind"])
        && has(field("column"), &cell["column"])
        && fixed.into_iter().all(|(name, value)| has(field(name), value))
}

fn check_summary(want: &Value, exit: i64, output: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(output.join("summary.json")).map_err(|e| format!("summary.json: {e}"))?;
    let summary: Value = serde_json::from_str(&text).map_err(|e| format!("summary.json: {e}"))?;
    for field in ["within_tolerance", "cancelled"] {
        if want
            .get(field)
            .is_some_and(|count| count.as_u64() != summary["rows"][field].as_u64())
        {
            return Err(format!("summary rows.{field}: {}, want {}", summary["rows"][field], want[field]));
        }
    }
    rungs::check(&summary)?;
    check_schema(want, &summary)?;
    check_broken(want, &summary)?;
    check_warnings(want, &summary)?;
    if want.get("totals").is_some_and(|totals| *totals != summary["totals"]) {
        return Err(format!("summary totals: {}, want {}", summary["totals"], want["totals"]));
    }
    let verdict = if exit == 0 { "pass" } else { "fail" };
    if summary["verdict"] == verdict {
        Ok(())
    } else {
        Err(format!("summary verdict {}, want {verdict}", summary["verdict"]))
    }
}

fn check_schema(want: &Value, summary: &Value) -> Result<(), String> {
    for (field, names) in want["schema"].as_object().into_iter().flatten() {
        if summary["schema"][field] != *names {
            return Err(format!("summary schema.{field}: {}, want {names}", summary["schema"][field]));
        }
    }
    Ok(())
}

/// Each of the words that the case wants stands in some broken threshold.
fn check_broken(want: &Value, summary: &Value) -> Result<(), String> {
    let broken = summary["broken"].to_string();
    for word in want["broken"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !broken.contains(word) {
            return Err(format!("summary broken {broken} does not say {word:?}"));
        }
    }
    Ok(())
}

/// As many warnings as the case wants, each with the words that it wants there.
fn check_warnings(want: &Value, summary: &Value) -> Result<(), String> {
    let Some(words) = want["warnings"].as_array() else { return Ok(()) };
    let found: Vec<&str> = summary["warnings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let fits = |(word, warning): (&Value, &&str)| word.as_str().is_some_and(|word| warning.contains(word));
    if found.len() == words.len() && words.iter().zip(&found).all(fits) {
        Ok(())
    } else {
        Err(format!("warnings {found:?}, want {words:?}"))
    }
}

fn check_accounts(want: &Value, output: &Path) -> Result<(), String> {
    let Some(accounts) = want["accounts"].as_object() else {
        return Ok(());
    };
    let table = lines(&output.join("accounts.csv"))?;
    let decision = table.index("decision").ok_or("accounts.csv has no column decision")?;
    let mut got: Vec<(String, String)> = table
        .lines
        .iter()
        .map(|l| (l[0].clone().unwrap_or_default(), l[decision].clone().unwrap_or_default()))
        .collect();
    got.sort();
    let word = |verdict: &Value| {
        let word = match verdict.as_str() {
            Some("expected") => "flip",
            Some("none") => "no_difference",
            Some(_) | None => "hold",
        };
        word.to_owned()
    };
    let mut wanted: Vec<(String, String)> = accounts.iter().map(|(account, verdict)| (account.clone(), word(verdict))).collect();
    wanted.sort();
    if got == wanted {
        Ok(())
    } else {
        Err(format!("accounts {got:?}, want {wanted:?}"))
    }
}
