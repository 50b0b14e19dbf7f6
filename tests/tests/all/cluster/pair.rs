//! The pair of datasets that clusters compare, and what one process says of it.

use shadowdiff_tests::binary;
use shadowdiff_tests::cluster::{Cluster, Place};
use shadowdiff_tests::rungs;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a job of these tests may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// Files a side: as many scan tasks.
pub(crate) const FILES: usize = 4;
const ROWS_A_FILE: usize = 1500;

/// A pair of datasets with differences of every kind in several files, its spec, and the result of one process.
pub(super) struct Pair {
    pub(super) folder: tempfile::TempDir,
    pub(super) spec: String,
    pub(super) diff: String,
    pub(super) accounts: String,
}

impl Pair {
    pub(super) fn new() -> Pair {
        Pair::listing("output: {accounts: all, parquet: true, judgeable: true, totals: true}\n", rows)
    }

    /// Every row differs, so that all of them go through the exchange; more of them than a small worker holds.
    pub(super) fn large() -> Pair {
        Pair::of(|side, file| {
            let mut text = String::from("a,k,v,t\n");
            for row in 0..40_000 {
                let key = row * FILES + file;
                let value = row + if side == "shadow" { 10 } else { 0 };
                writeln!(text, "acc{},{key},{value},{key:0>70}", row % 101).expect("a string takes all");
            }
            text
        })
    }

    /// A pair whose files have the given content, by side and number. Its accounts are counted.
    pub(super) fn of(rows: impl Fn(&str, usize) -> String) -> Pair {
        Pair::listing("", rows)
    }

    fn listing(output: &str, rows: impl Fn(&str, usize) -> String) -> Pair {
        let folder = tempfile::tempdir().expect("a folder");
        for side in ["live", "shadow"] {
            std::fs::create_dir(folder.path().join(side)).expect("a folder");
            for file in 0..FILES {
                std::fs::write(folder.path().join(format!("{side}/part-{file}.csv")), rows(side, file)).expect("a file");
            }
        }
        let spec = format!(
            "live: live\nshadow: shadow\naccount: a\nkey: [a, k]\ncomparators: [{{columns: [v], absolute: 1}}]\n\
             expected: [{{name: even, columns: [v], where: \"live_row.k % 2 = 0\"}}, {{name: one, accounts: {{list: [acc7]}}, max: 1}}]\n\
             verdict: {{max_exceptions: 5, max_exception_accounts: 50%}}\n{output}"
        );
        let path = folder.path().join("spec.yaml");
        std::fs::write(&path, spec).expect("a spec");
        let spec = path.to_string_lossy().into_owned();
        let here = folder.path().to_owned();
        let run = binary::run(&here, &["compare", &spec, "--output", "one", "--quiet"]).expect("ends");
        assert_eq!(run.exit, 1, "{}", run.stderr);
        let read = |name: &str| std::fs::read_to_string(here.join("one").join(name)).expect("a result");
        Pair {
            diff: read("diff.csv"),
            accounts: read("accounts.csv"),
            spec,
            folder,
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A directory for the state, and its place.
    pub(super) fn directory(&self) -> Place {
        Place::directory(&self.path().join("state"))
    }

    pub(super) fn assert_same(&self, output: &Path, cluster: &Cluster) {
        let read = |name: &str| std::fs::read_to_string(output.join(name)).unwrap_or_else(|e| panic!("{name}: {e}\n{}", cluster.logs()));
        assert!(
            read("diff.csv") == self.diff,
            "diff.csv differs from that of one process\n{}",
            cluster.logs()
        );
        assert!(read("accounts.csv") == self.accounts, "accounts.csv differs");
        let table = |folder: &Path| std::fs::read(folder.join("differences.parquet")).ok();
        let is_judgeable = |folder: &Path| folder.join("comparison.bin").exists();
        assert_eq!(is_judgeable(output), is_judgeable(&self.path().join("one")));
        assert!(table(output) == table(&self.path().join("one")), "differences.parquet differs");
        let summary = |folder: &Path| {
            let text = std::fs::read_to_string(folder.join("summary.json")).expect("a summary");
            serde_json::from_str::<serde_json::Value>(&text).expect("a summary")
        };
        let (mine, one) = (summary(output), summary(&self.path().join("one")));
        for field in ["rows", "columns", "tolerances", "totals", "row_patterns"] {
            assert_eq!(mine[field], one[field], "{field} of the summary differs");
        }
        rungs::check(&mine).expect("every row ends on one rung");
    }

    /// Submits, waits, compares with the one process.
    pub(super) fn run_on(&self, cluster: &Cluster) -> PathBuf {
        let output = self.path().join("many");
        let to = output.to_string_lossy().into_owned();
        let run = cluster.client(&["submit", &self.spec, "--wait", "--quiet", "--output", &to, "--overwrite"]);
        assert_eq!(run.exit, 1, "{}\n{}", run.stderr, cluster.logs());
        self.assert_same(&output, cluster);
        output
    }

    /// Submits without waiting; gives the job's id.
    pub(super) fn submit_to(&self, cluster: &Cluster) -> String {
        let run = cluster.client(&["submit", &self.spec]);
        assert_eq!(run.exit, 0, "{}\n{}", run.stderr, cluster.logs());
        run.stdout.trim().to_owned()
    }

    /// Follows a job to its end and compares its result.
    pub(super) fn await_result(&self, cluster: &Cluster, job: &str) {
        let run = cluster.client(&["watch", job]);
        assert_eq!(run.exit, 1, "{}{}\n{}", run.stdout, run.stderr, cluster.logs());
        let run = cluster.client(&["results", job, "--output", "fetched", "--overwrite"]);
        assert_eq!(run.exit, 1, "{}\n{}", run.stderr, cluster.logs());
        self.assert_same(&cluster.folder.join("fetched"), cluster);
    }
}

/// Rows of one file; shadow has some changed, some dropped, some doubled, in another order.
pub(super) fn rows(side: &str, file: usize) -> String {
    let mut lines = Vec::new();
    for row in 0..ROWS_A_FILE {
        let (account, key) = ((row * 7 + file) % 101, row * FILES + file);
        let mut value = row as f64 / 4.0;
        if side == "shadow" {
            match key % 97 {
                3 => continue,
                5 => value += 10.0,
                7 => value += 0.5,
                11 => lines.push(format!("acc{account},{key},{value},x{key}")),
                13 => lines.push(format!("acc{account},{},1,new", key + 1_000_000)),
                _ => {}
            }
        }
        lines.push(format!("acc{account},{key},{value},x{key}"));
    }
    if side == "shadow" {
        lines.reverse();
    }
    let mut text = String::from("a,k,v,t\n");
    lines.iter().for_each(|line| writeln!(text, "{line}").expect("a string takes all"));
    text
}

pub(crate) fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !there() {
        assert!(Instant::now() < until, "not seen in {} s: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}
