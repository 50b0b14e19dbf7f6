//! `rollout`: who may flip and in which ring, what holds the others, and what it refuses.

use shadowdiff_tests::binary::{self, Run};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use tempfile::TempDir;

fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the file can be written");
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn run(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

/// The accounts of a list, in its order.
fn list(folder: &Path, name: &str) -> Vec<String> {
    read(folder, &format!("shadowdiff-rollout/{name}"))
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap_or_default().to_owned())
        .collect()
}

/// A comparison of two texts, `id` being the account and `n` the row.
fn compared(live: &str, shadow: &str, spec: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    put(folder.path(), "live.csv", live);
    put(folder.path(), "shadow.csv", shadow);
    let head = "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [n]\n";
    let output = if spec.contains("output:") {
        ""
    } else {
        "output: {to: out, accounts: all}\n"
    };
    put(folder.path(), "spec.yaml", &format!("{head}{output}{spec}"));
    let got = run(folder.path(), "compare spec.yaml");
    assert!(got.exit < 2, "{}", got.stderr);
    folder
}

/// What becomes of an account of a generated release: rows of live, rows of shadow, whether the rows differ, and whether a rule covers that.
fn outcome(account: u64) -> (u64, u64, bool, bool) {
    let rows = 1 + account * 7 % 5;
    match account % 11 {
        0 => (rows, rows, true, false),
        1 => (rows, 0, true, false),
        2 => (rows, rows + 1, true, false),
        3..6 => (rows, rows, true, true),
        _ => (rows, rows, false, false),
    }
}

#[test]
fn every_account_is_where_its_truth_says() {
    const ACCOUNTS: u64 = 150;
    let (mut live, mut shadow) = ("id,n,v\n".to_owned(), "id,n,v\n".to_owned());
    let (mut safe, mut held) = (Vec::new(), BTreeSet::new());
    for account in 0..ACCOUNTS {
        let (of_live, of_shadow, differs, is_expected) = outcome(account);
        let name = format!("{account:04}");
        (0..of_live).for_each(|n| writeln!(live, "{name},{n},10").expect("a string takes all"));
        let value = match (differs, is_expected) {
            (true, true) => 11,
            (true, false) => 30,
            (false, _) => 10,
        };
        (0..of_shadow).for_each(|n| writeln!(shadow, "{name},{n},{value}").expect("a string takes all"));
        if differs && !is_expected {
            held.insert(name);
        } else {
            safe.push((of_live.max(of_shadow), name));
        }
    }
    let folder = compared(&live, &shadow, "expected: [{name: near, columns: [v], within: {absolute: 1}}]\n");
    let got = run(folder.path(), "rollout out --rings 1%,10%,50%");
    assert_eq!(got.exit, 0, "{}", got.stderr);
    safe.sort();
    let rest = ["ring-1.csv", "ring-2.csv", "ring-3.csv", "rest.csv"];
    let ends = [1, 10, 50, 100].map(|percent| (safe.len() * percent).div_ceil(100));
    let mut begin = 0;
    for (file, end) in rest.into_iter().zip(ends) {
        let mut expected: Vec<&String> = safe[begin..end].iter().map(|(_, name)| name).collect();
        expected.sort();
        assert_eq!(list(folder.path(), file).iter().collect::<Vec<_>>(), expected, "{file}");
        begin = end;
    }
    assert_eq!(list(folder.path(), "hold.csv"), held.into_iter().collect::<Vec<_>>());
    assert!(list(folder.path(), "flip-back.csv").is_empty() && list(folder.path(), "not-compared.csv").is_empty());
}

#[test]
fn lists_of_accounts_say_who_may_flip_who_has_and_who_was_not_compared() {
    let live = "id,n,v\n007,1,1\n7,1,1\n\"a,\"\"b\",1,1\n=x,1,1\nbad,1,1\nback,1,1\nfine,1,1\nother,1,1\n,1,1\n";
    let shadow = live.replace("bad,1,1", "bad,1,2").replace("back,1,1", "back,1,2");
    let baseline = "baseline: {default: live, shadow_for: {file: flipped.csv}}\n";
    let folder = compared(live, &shadow, "");
    put(folder.path(), "flipped.csv", "id\nback\nfine\ngone-1\n");
    put(
        folder.path(),
        "accounts.csv",
        "name,id\n1,007\n2,07\n3,\"a,\"\"b\"\n4,=x\n5,bad\n6,gone-2\n7,gone-2\n8,gone-1\n",
    );
    let spec = read(folder.path(), "spec.yaml");
    put(folder.path(), "spec.yaml", &format!("{spec}{baseline}"));
    assert_eq!(run(folder.path(), "compare spec.yaml --overwrite").exit, 1);
    let got = run(folder.path(), "rollout out");
    assert!(got.exit == 2 && got.stderr.contains("--baseline flipped.csv"), "{}", got.stderr);
    let got = run(
        folder.path(),
        "rollout out --baseline flipped.csv --accounts accounts.csv --rings 100%",
    );
    assert_eq!(got.exit, 0, "{}", got.stderr);
    let ring = read(folder.path(), "shadowdiff-rollout/ring-1.csv");
    assert_eq!(ring, "id\n007\n=x\n\"a,\"\"b\"\n");
    let hold = read(folder.path(), "shadowdiff-rollout/hold.csv");
    assert_eq!(hold, "id,rows,expected,exceptions,blocked_by\nbad,1,0,1,v (1)\n");
    assert_eq!(list(folder.path(), "flip-back.csv"), ["back"]);
    let missing = read(folder.path(), "shadowdiff-rollout/not-compared.csv");
    assert_eq!(missing, "id,flipped\n07,no\ngone-1,yes\ngone-2,no\n");
    assert!(got.stderr.contains("such as `7`, where a list has `07`"), "{}", got.stderr);
    // The lists are what a spec takes; whoever has no name is held where all may flip.
    let got = run(folder.path(), "rollout out --baseline flipped.csv --overwrite --json");
    let told: serde_json::Value = serde_json::from_str(&got.stdout).expect("rollout.json");
    assert_eq!(told["accounts"]["safe"], 5);
    assert!(read(folder.path(), "shadowdiff-rollout/hold.csv").contains("\n,0,0,0,its rows name no account\n"));
    assert_eq!(told["files"].as_object().map(serde_json::Map::len), Some(7));
}

#[test]
fn what_is_broken_of_the_release_lets_nobody_flip_and_what_does_not_list_all_is_refused() {
    let (live, shadow) = ("id,n,v\na,1,1\nb,1,1\n", "id,n,v\na,1,1\nb,1,2\n");
    let verdict = "verdict: {max_exceptions: 9, max_exception_accounts: 10%}\n";
    let folder = compared(live, shadow, verdict);
    let got = run(folder.path(), "rollout out");
    assert!(got.exit == 1 && got.stdout.contains("nobody flips"), "{}", got.stdout);
    assert!(!folder.path().join("shadowdiff-rollout/ring-1.csv").exists());
    assert_eq!(list(folder.path(), "hold.csv"), ["b"]);
    let folder = compared(live, shadow, "expected: [{name: up, columns: [v], min: 5}]\n");
    assert_eq!(run(folder.path(), "rollout out").exit, 1, "the change did not arrive");
    assert!(read(folder.path(), "shadowdiff-rollout/hold.csv").contains("expected `up` broke its bounds (1)"));
    let nothing = compared(
        live,
        "id,n,v\nc,1,1\n",
        "verdict: {allow_empty: true, max_exceptions: 9}\nexpected: [{name: all}]\n",
    );
    let got = run(nothing.path(), "rollout out");
    assert!(got.exit == 1 && got.stdout.contains("nothing was compared"), "{}", got.stdout);
    for (output, said) in [
        ("output: {to: out}\n", "accounts: all"),
        ("output: {to: out, accounts: differing}\n", "accounts: all"),
    ] {
        let got = run(compared(live, shadow, output).path(), "rollout out");
        assert!(got.exit == 2 && got.stderr.contains(said), "{}", got.stderr);
    }
    let safe = "output: {to: out, accounts: all, spreadsheet_safe: true}\n";
    let got = run(
        compared(&live.replace('a', "=a"), &shadow.replace('a', "=a"), safe).path(),
        "rollout out",
    );
    assert!(got.exit == 2 && got.stderr.contains("spreadsheet_safe"), "{}", got.stderr);
    for rings in ["1", "5%,5%", "0%", ""] {
        let got = binary::run(folder.path(), &["rollout", "out", "--rings", rings]).expect("the run ends");
        assert!(got.exit == 2 && got.stderr.contains("--rings"), "{}", got.stderr);
    }
}

#[test]
fn a_result_that_was_cut_still_lists_every_account() {
    let mut texts = ["live", "shadow"].map(|_| "id,n,v\n".to_owned());
    for n in 0..40 {
        writeln!(texts[0], "a{n},1,1").expect("a string takes all");
        writeln!(texts[1], "a{n},1,{}", n % 2 + 1).expect("a string takes all");
    }
    let folder = compared(&texts[0], &texts[1], "output: {to: out, accounts: all, max_differences: 3}\n");
    let got = run(folder.path(), "rollout out");
    assert!(got.exit == 0 && got.stdout.contains("was cut"), "{}{}", got.stdout, got.stderr);
    assert_eq!(list(folder.path(), "hold.csv").len(), 20);
    assert!(read(folder.path(), "shadowdiff-rollout/hold.csv").matches("was cut").count() == 20);
    let told: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&read(folder.path(), "shadowdiff-rollout/rollout.json")).expect("rollout.json");
    assert!(told["blockers"].is_null());
}

#[test]
fn only_an_older_roll_out_is_replaced() {
    let folder = compared("id,n,v\na,1,1\n", "id,n,v\na,1,1\n", "");
    let at = folder.path();
    assert_eq!(run(at, "rollout out --rings 5%,50%").exit, 0);
    let got = run(at, "rollout out");
    assert!(got.exit == 2 && got.stderr.contains("--overwrite"), "{}", got.stderr);
    assert_eq!(run(at, "rollout out --overwrite --rings 50%").exit, 0);
    assert!(
        !at.join("shadowdiff-rollout/ring-2.csv").exists(),
        "no list of the older one is left"
    );
    put(at, "shadowdiff-rollout/notes.txt", "mine");
    let got = run(at, "rollout out --overwrite");
    assert!(got.exit == 2 && got.stderr.contains("notes.txt"), "{}", got.stderr);
    let got = run(at, "rollout out --overwrite --output out");
    assert!(got.exit == 2 && got.stderr.contains("accounts.csv"), "{}", got.stderr);
    std::fs::create_dir(at.join("hold")).expect("a folder");
    put(at, "hold/hold.csv", "mine");
    assert_eq!(run(at, "rollout out --overwrite --output hold").exit, 2);
    assert_eq!(read(at, "hold/hold.csv"), "mine");
    assert_eq!(run(at, "rollout out --output s3://bucket/lists").exit, 2);
    let left: Vec<_> = std::fs::read_dir(at)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().starts_with(".shadowdiff-")),
        "{left:?}"
    );
}

#[test]
fn the_readme_shows_what_its_commands_print() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the repository");
    let example = repository.join("examples/rollout");
    let got = run(
        folder.path(),
        &format!("compare {}/compare.yaml --output out/rollout", example.display()),
    );
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let lists = format!(
        "rollout out/rollout --baseline {}/flipped.csv --output out/rollout-lists",
        example.display()
    );
    let got = run(folder.path(), &lists);
    assert_eq!(got.exit, 0, "{}", got.stderr);
    let readme = read(repository, "README.md");
    let shown = readme
        .split("<!-- rollout -->\n```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    assert_eq!(shown, Some(got.stdout.as_str()));
}
