//! The first minutes with two files: on the command line alone, with a key that is not known yet, with a first spec by `init`.

use shadowdiff_tests::binary::{self, Run};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// `live.csv` and `shadow.csv` of 400 rows with `texts` each: the same but for a cell, a time of loading, and two rows of live alone.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut texts = ["id,plan,amount,loaded_at\n", "id,plan,amount,loaded_at\n"].map(str::to_owned);
    for n in 0..400 {
        let _ = writeln!(texts[0], "{n},p{},{n}.50,2026-01-01T00:00:{:02}", n % 3, n % 60);
        if n < 398 {
            let cents = if n == 7 { 51 } else { 50 };
            let _ = writeln!(texts[1], "{n},p{},{n}.{cents},2026-01-02T07:{:02}:00", n % 3, n % 7);
        }
    }
    std::fs::write(folder.path().join("live.csv"), &texts[0]).expect("the file can be written");
    std::fs::write(folder.path().join("shadow.csv"), &texts[1]).expect("the file can be written");
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Run {
    binary::run(folder, arguments).expect("the run ends")
}

fn run_with_stdin(folder: &Path, arguments: &[&str], text: &str) -> Run {
    let mut command = binary::command(folder, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(text.as_bytes()).expect("the process reads");
    drop(stdin);
    binary::finish(child).expect("the run ends")
}

fn diff(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("out/diff.csv")).expect("diff.csv is there")
}

#[test]
fn two_positions_are_live_and_shadow() {
    let folder = folder();
    let flags = ["--key", "id", "--exclude", "loaded_*", "--where", "id < 300", "-o", "out"];
    let got = run(folder.path(), &[&["compare", "live.csv", "shadow.csv"], &flags[..]].concat());
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let first = diff(folder.path()).lines().nth(1).unwrap_or_default().to_owned();
    assert!(first.starts_with("7,changed,amount,7.50,7.51,0.01,"), "{first}");
    for limit in [["--absolute", "amount=0.01"], ["--relative", "am*=1%"]] {
        let again = [&["compare", "live.csv", "shadow.csv", "--overwrite"], &flags[..], &limit[..]].concat();
        assert_eq!(run(folder.path(), &again).exit, 0, "{limit:?}");
    }
    let check = run(
        folder.path(),
        &["check", "live.csv", "shadow.csv", "--key", "id", "--relative", "am*=1%"],
    );
    assert!(check.stdout.contains("relative: 0.01"), "{}", check.stdout);
}

#[test]
fn a_missing_key_is_proposed_and_never_taken() {
    let folder = folder();
    for command in ["compare", "check", "submit"] {
        let got = run(folder.path(), &[command, "live.csv", "shadow.csv"]);
        assert_eq!((got.exit, got.stdout.as_str()), (2, ""), "{command}");
        let wanted = format!("{command} live.csv shadow.csv --key id --exclude loaded_at\n");
        assert!(got.stderr.ends_with(&wanted), "{}", got.stderr);
        assert!(
            got.stderr.contains("2 of 400 in live (0.5 %), 0 of 398 in shadow (0 %)"),
            "{}",
            got.stderr
        );
    }
    assert!(!folder.path().join("shadowdiff-out").exists());
}

#[test]
fn a_spec_may_come_from_stdin() {
    let folder = folder();
    let spec = "live: live.csv\nshadow: shadow.csv\naccount: id\ncolumns: {exclude: loaded_at}\noutput: out\n";
    let got = run_with_stdin(folder.path(), &["compare", "-", "--exclude", "amount"], spec);
    assert_eq!(got.exit, 1, "{}", got.stderr);
    assert_eq!(diff(folder.path()).lines().count(), 3, "{}", diff(folder.path()));
    let wrong = run_with_stdin(folder.path(), &["check", "-"], "live: x\nsahdow: y\n");
    assert!(wrong.stderr.contains("stdin:2:1: sahdow: unknown field"), "{}", wrong.stderr);
}

#[test]
fn positions_that_cannot_be_meant() {
    let folder = folder();
    for (arguments, part) in [
        (&["compare", "live.csv"][..], "live.csv: is a dataset; give both"),
        (
            &["compare", "live.csv", "shadow.csv", "--live", "x"],
            "take --live and --shadow out",
        ),
        (&["compare", "a.yaml", "shadow.csv"], "a.yaml: a spec stands alone"),
        (&["compare", "-", "shadow.csv"], "-: a spec stands alone"),
        (&["compare", "a", "b", "c"], "unexpected argument|unexpected value"),
        (
            &["compare", "live.csv", "shadow.csv", "--key", "id", "--absolute", "amount"],
            "write COLUMN=N",
        ),
        (
            &["compare", "live.csv", "shadow.csv", "--key", "id", "--absolute", "amout=1"],
            "amout",
        ),
        (
            &["compare", "live.csv", "shadow.csv", "--key", "id", "--csv", "delimter=;"],
            "did you mean `delimiter`?",
        ),
    ] {
        let got = run(folder.path(), arguments);
        let is_said = part.split('|').any(|part| got.stderr.contains(part));
        assert!(got.exit == 2 && is_said, "{arguments:?}: {} {}", got.exit, got.stderr);
    }
}

#[test]
fn quiet_may_be_said_in_the_environment() {
    let folder = folder();
    for (value, is_quiet) in [("1", true), ("true", true), ("0", false), ("", false)] {
        let mut command = binary::command(
            folder.path(),
            &["compare", "live.csv", "shadow.csv", "--key", "id", "--overwrite", "-o", "out"],
        );
        command.env("SHADOWDIFF_QUIET", value).stdout(Stdio::piped()).stderr(Stdio::piped());
        let got = binary::finish(command.spawn().expect("the binary starts")).expect("the run ends");
        assert_eq!((got.exit, got.stdout.is_empty()), (1, is_quiet), "{value:?}: {}", got.stderr);
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = folder();
    let got = run(folder.path(), &["man", "--output", "man1"]);
    assert_eq!(got.exit, 0, "{}", got.stderr);
    let help = run(folder.path(), &["--help"]).stdout;
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 10, "{help}");
    for name in names {
        assert!(folder.path().join(format!("man1/shadowdiff-{name}.1")).is_file(), "{name}");
    }
}

/// Two files as a spreadsheet writes them: semicolons, decimal commas, days with dots, an encoding of their own; one amount differs.
fn folder_of_a_spreadsheet() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, changed) in [("live.csv", "7,50"), ("shadow.csv", "7,75")] {
        let mut bytes = b"kunde;stra\xdfe;betrag;am\n".to_vec();
        for n in 0..60 {
            let amount = if n == 7 { changed.to_owned() } else { format!("{n},50") };
            let row = format!("K{n};Weg {n};{amount};{:02}.11.2026\n", n % 30 + 1);
            bytes.extend(row.as_bytes());
        }
        std::fs::write(folder.path().join(name), bytes).expect("the file can be written");
    }
    folder
}

#[test]
fn a_spreadsheets_csv_leads_to_a_verdict() {
    let folder = folder_of_a_spreadsheet();
    let flags = "--csv encoding=windows-1252 --csv 'delimiter=;' --csv decimal=, --csv dates=%d.%m.%Y";
    // Neither without a key nor with one is anything compared before the user has seen how the files are read.
    for (arguments, command) in [
        (
            vec!["compare", "live.csv", "shadow.csv"],
            format!("compare live.csv shadow.csv --key kunde {flags}\n"),
        ),
        (
            vec!["check", "live.csv", "shadow.csv", "--key", "kunde"],
            format!("check live.csv shadow.csv --key kunde {flags}\n"),
        ),
    ] {
        let got = run(folder.path(), &arguments);
        assert_eq!(got.exit, 2, "{}", got.stdout);
        assert!(got.stderr.ends_with(&command), "{}", got.stderr);
        assert!(got.stderr.contains("live.csv and shadow.csv: seen were "), "{}", got.stderr);
    }
    let flags: Vec<String> = flags.split_whitespace().map(|word| word.replace('\'', "")).collect();
    let flags = flags.iter().map(String::as_str);
    let compare: Vec<&str> = ["compare", "live.csv", "shadow.csv", "--key", "kunde", "-o", "out"]
        .into_iter()
        .chain(flags)
        .collect();
    let changed = "K7,changed,betrag,7.50,7.75,0.25,";
    let got = run(folder.path(), &compare);
    assert_eq!(got.exit, 1, "{}", got.stderr);
    assert!(
        diff(folder.path()).lines().nth(1).is_some_and(|line| line.starts_with(changed)),
        "{}",
        diff(folder.path())
    );
    assert_eq!(run(folder.path(), &["init", "live.csv", "shadow.csv", "-o", "first.yaml"]).exit, 0);
    let got = run(folder.path(), &["compare", "first.yaml", "-o", "out", "--overwrite"]);
    assert_eq!((got.exit, got.stderr.as_str()), (1, ""));
    assert!(
        diff(folder.path()).lines().nth(1).is_some_and(|line| line.starts_with(changed)),
        "{}",
        diff(folder.path())
    );
    assert_eq!(diff(folder.path()).lines().count(), 2);
}

#[test]
fn nested_rows_get_the_key_and_the_excludes_of_a_person() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let payloads = [r#"{\"a\": 1, \"b\": 2}"#, r#"{\"b\":2,\"a\":1}"#];
    for (name, run, changed, payload) in [("live.jsonl", "r1", 5, payloads[0]), ("shadow.jsonl", "r2", 6, payloads[1])] {
        let mut text = String::new();
        for n in 0..40 {
            let score = if n == 3 { changed } else { n };
            let _ = writeln!(
                text,
                "{{\"event\":{{\"id\":\"e{n}\",\"customer\":{{\"id\":{}}}}},\"meta\":{{\"run_id\":\"{run}-{n}\"}},\
                 \"payload\":\"{payload}\",\"score\":{score}}}",
                n % 7
            );
        }
        std::fs::write(folder.path().join(name), text).expect("the file can be written");
    }
    let first = run(folder.path(), &["init", "live.jsonl", "shadow.jsonl"]);
    assert_eq!(first.exit, 0, "{}", first.stderr);
    for wanted in [
        "account: event.customer.id\n",
        "key: [event.customer.id, event.id]\n",
        "    - meta.run_id  # differs in 100 % of 40 matched rows",
        "#   score: 2.5 % (1 row)\n",
        "  - columns: [payload]\n    json: true",
        "# Rows without a partner on the other side: 0 of 40 in live (0 %), 0 of 40 in shadow (0 %).\n",
    ] {
        assert!(first.stdout.contains(wanted), "{wanted:?} is not in\n{}", first.stdout);
    }
    let got = run_with_stdin(folder.path(), &["compare", "-", "-o", "out"], &first.stdout);
    assert_eq!(got.exit, 1, "{}", got.stderr);
    assert!(
        diff(folder.path()).contains("\n3,e3,changed,score,5,6,1,"),
        "{}",
        diff(folder.path())
    );
}

/// Runs its arguments on a terminal of 80 columns and prints what the terminal got.
const ON_A_TERMINAL: &str = "
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    try:
        got = os.read(terminal, 65536)
    except OSError:
        break
    if not got:
        break
    os.write(1, got)
";

/// The types of text are found by reading all of it, which takes long and must not happen without a word.
#[test]
fn progress_moves_on_a_terminal_from_the_first_second() {
    let folder = folder();
    for (name, step) in [("live.csv", 1), ("shadow.csv", 3)] {
        let mut text = "id,a,b\n".to_owned();
        for row in 0..2_400_000_u64 {
            let _ = writeln!(text, "{row},{},text {}", row * step, row % 97);
        }
        std::fs::write(folder.path().join(name), text).expect("the file can be written");
    }
    let compare = [
        "compare",
        "live.csv",
        "shadow.csv",
        "--key",
        "id",
        "--where",
        "id % 1000 = 0",
        "--overwrite",
        "-o",
        "out",
    ];
    let on_terminal = |more: &[&str]| {
        let mut python = std::process::Command::new("python3");
        python.current_dir(folder.path()).arg("-c").arg(ON_A_TERMINAL).arg(binary::path());
        python.args(compare).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        binary::finish(python.spawn().expect("python3 is there"))
            .expect("the run ends")
            .stdout
    };
    let shown = on_terminal(&[]);
    let seen: std::collections::BTreeSet<&str> = shown.split(['\r', '\n']).filter(|line| line.contains(" MiB")).collect();
    assert!(
        seen.iter().any(|line| line.contains("types [")),
        "nothing is said while types are found: {seen:#?}"
    );
    assert!(seen.len() > 2, "it does not move: {seen:#?}");
    assert!(!on_terminal(&["--quiet"]).contains('['));
    let elsewhere = run(folder.path(), &compare);
    assert!(!elsewhere.stderr.contains('['), "{}", elsewhere.stderr);
}

/// A first spec is of use only if it can be checked as it is: tried with the data of every case.
#[test]
fn what_init_writes_passes_check() {
    let mut tried = 0;
    for case in shadowdiff_tests::case::folders() {
        let spec = std::fs::read_to_string(case.join("spec.yaml")).unwrap_or_default();
        let place = |side: &str| {
            let line = spec.lines().find_map(|line| line.strip_prefix(side)?.strip_prefix(": "))?;
            (!line.starts_with(['[', '{'])).then(|| line.trim_matches(['"', '\'']).to_owned())
        };
        let (Some(live), Some(shadow)) = (place("live"), place("shadow")) else {
            continue;
        };
        let first = run(&case, &["init", &live, &shadow]);
        assert!(!first.stderr.contains("panicked"), "{}: {}", case.display(), first.stderr);
        if first.exit == 0 {
            let checked = run_with_stdin(&case, &["check", "-"], &first.stdout);
            assert_eq!(checked.exit, 0, "{}: {}\n{}", case.display(), checked.stderr, first.stdout);
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried} were tried");
}
