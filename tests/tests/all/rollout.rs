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
    put(at, "shadowdiff-rollout/ring-9.csv", "mine");
    let got = run(at, "rollout out --overwrite");
    assert!(got.exit == 2 && got.stderr.contains("ring-9.csv"), "{}", got.stderr);
    assert_eq!(read(at, "shadowdiff-rollout/ring-9.csv"), "mine", "it only has the name of a list");
    std::fs::remove_file(at.join("shadowdiff-rollout/ring-9.csv")).expect("it is there");
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
    std::fs::create_dir(at.join("data")).expect("a folder");
    put(at, "data/live.csv", &read(at, "live.csv"));
    put(
        at,
        "in.yaml",
        &read(at, "spec.yaml")
            .replace("live: live.csv", "live: data")
            .replace("to: out", "to: out2"),
    );
    assert_eq!(run(at, "compare in.yaml").exit, 0);
    let got = run(at, "rollout out2 --output data/lists");
    assert!(got.exit == 2 && got.stderr.contains("data/lists meets data"), "{}", got.stderr);
    assert!(!at.join("data/lists").exists());
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

/// A release on its way: what the two versions of a task write, and for which accounts the new one is live.
struct Release {
    folder: TempDir,
    flipped: BTreeSet<String>,
    /// Accounts for which the new version does something wrong.
    wrong: BTreeSet<String>,
}

impl Release {
    const ACCOUNTS: u64 = 60;

    fn new() -> Release {
        let release = Release {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            flipped: BTreeSet::new(),
            wrong: BTreeSet::from(["a03".to_owned(), "a40".to_owned()]),
        };
        release.baseline("{default: live, shadow_for: {file: flipped.csv}}");
        release
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    fn baseline(&self, baseline: &str) {
        let spec = format!(
            "live: live.csv\nshadow: shadow.csv\naccount: id\nkey: [n]\nbaseline: {baseline}\noutput: {{accounts: all}}\n\
             expected:\n  - {{name: cheaper, accounts: {{where: \"plan = 'trial'\"}}, columns: [v], within: {{relative: 20%}}, min: 1}}\n\
             \x20 - {{name: closed, accounts: {{where: \"plan = 'closed'\"}}, kinds: [missing_in_live, missing_in_shadow]}}\n"
        );
        put(self.at(), "spec.yaml", &spec);
    }

    /// What a version writes for an account. A fifth less is 20 % of the old value, and more of the new one.
    fn rows(&self, account: u64, is_new: bool) -> String {
        let name = format!("a{account:02}");
        let plan = ["paid", "trial", "closed", "paid", "paid"][(account % 5) as usize];
        let value = match (is_new, plan) {
            (true, "closed") => return String::new(),
            (true, _) if self.wrong.contains(&name) => 300,
            (true, "trial") => 80,
            (_, _) => 100,
        };
        (0..1 + account % 4).map(|n| format!("{name},{n},{plan},{value}\n")).collect()
    }

    /// A day: both versions run, each on the side where it belongs, and are compared. Gives each account's decision.
    fn day(&self, exit: i32) -> BTreeMap<String, String> {
        let mut sides = ["live", "shadow"].map(|_| "id,n,plan,v\n".to_owned());
        for account in 0..Release::ACCOUNTS {
            let is_flipped = self.flipped.contains(&format!("a{account:02}"));
            sides[0] += &self.rows(account, is_flipped);
            sides[1] += &self.rows(account, !is_flipped);
        }
        put(self.at(), "live.csv", &sides[0]);
        put(self.at(), "shadow.csv", &sides[1]);
        let listed: String = self.flipped.iter().map(|name| format!("{name}\n")).collect();
        put(self.at(), "flipped.csv", &format!("id\n{listed}"));
        let got = run(self.at(), "compare spec.yaml --output out --overwrite");
        assert_eq!(got.exit, exit, "{}{}", got.stdout, got.stderr);
        let accounts = read(self.at(), "out/accounts.csv");
        let fields = accounts.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        fields.map(|fields| (fields[0].to_owned(), fields[4].to_owned())).collect()
    }

    fn lists(&self, exit: i32, baseline: &str) {
        let got = run(self.at(), &format!("rollout out --rings 1%,10%,50% --overwrite {baseline}"));
        assert_eq!(got.exit, exit, "{}{}", got.stdout, got.stderr);
    }

    fn flip(&mut self, ring: &str) {
        let names = list(self.at(), ring);
        assert!(!names.is_empty(), "{ring}");
        for name in names {
            assert!(!self.wrong.contains(&name), "{name} must not flip");
            assert!(self.flipped.insert(name.clone()), "{name} flips twice");
        }
    }
}

const FLIPPED: &str = "--baseline flipped.csv";

#[test]
fn a_release_goes_from_shadow_through_rings_to_swapped_roles() {
    let mut release = Release::new();
    // In shadow for all: nothing is flipped, and two accounts are wrong.
    let decisions = release.day(1);
    release.lists(0, FLIPPED);
    assert_eq!(list(release.at(), "hold.csv"), ["a03", "a40"]);
    release.flip("ring-1.csv");
    // Who flips changes sides, and the comparison says the same of everybody: the old values are in shadow now.
    assert_eq!(release.day(1), decisions);
    release.lists(0, FLIPPED);
    assert!(list(release.at(), "flip-back.csv").is_empty());
    release.flip("ring-2.csv");
    assert_eq!(release.day(1), decisions);
    // Something that was fine goes wrong where it is live already: it flips back.
    let broken = release.flipped.first().cloned().expect("somebody has flipped");
    release.wrong.insert(broken.clone());
    release.day(1);
    release.lists(0, FLIPPED);
    assert_eq!(list(release.at(), "flip-back.csv"), std::slice::from_ref(&broken));
    release.flipped.remove(&broken);
    release.day(1);
    release.lists(0, FLIPPED);
    assert!(list(release.at(), "flip-back.csv").is_empty());
    assert!(list(release.at(), "hold.csv").contains(&broken));
    // Mended: all that is left flips, ring by ring.
    release.wrong.clear();
    release.day(0);
    for _ in 0..2 {
        release.lists(0, FLIPPED);
        release.flip("ring-3.csv");
        release.day(0);
    }
    release.lists(0, FLIPPED);
    for ring in ["ring-1.csv", "ring-2.csv", "ring-3.csv", "rest.csv"] {
        release.flip(ring);
    }
    assert_eq!(release.flipped.len() as u64, Release::ACCOUNTS);
    let mended = release.day(0);
    // Roles are swapped: the new version is live for everybody. One word in the spec says what the list said.
    release.baseline("shadow");
    assert_eq!(release.day(0), mended);
    release.lists(1, "");
    let told: serde_json::Value = serde_json::from_str(&read(release.at(), "shadowdiff-rollout/rollout.json")).expect("rollout.json");
    assert_eq!(
        (&told["accounts"]["flipped"], &told["accounts"]["safe"]),
        (&Release::ACCOUNTS.into(), &0.into())
    );
    // The other way round the limits would be of the new values.
    release.baseline("live");
    assert_ne!(release.day(1), mended);
}
