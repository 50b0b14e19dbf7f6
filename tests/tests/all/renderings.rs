//! A result in other forms: as a page, as a comment, as test cases. What may be replaced, and what no value can break.

use shadowdiff_tests::binary::{self, Run};
use std::path::Path;
use tempfile::TempDir;

/// Names and values that mean harm, of which two columns and an account differ.
const HARM: &str = "<script>alert(1)</script>";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let side = |value: &str| format!("id,{HARM},a|b\n{HARM},{value},1\nb,\"{value}|`,\n@x\",2\nc,same,3\n");
    put(folder.path(), "live.csv", &side(HARM));
    put(folder.path(), "shadow.csv", &side(&format!("{HARM}\u{200b}")));
    let spec = format!(
        "live: live.csv\nshadow: shadow.csv\naccount: id\noutput: out\nexpected:\n  - {{name: '{HARM}', columns: ['a|b'], min: 1}}\n  - {{name: fits, columns: ['<*'], accounts: {{list: [b]}}}}\n"
    );
    put(folder.path(), "spec.yaml", &spec);
    folder
}

fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the file can be written");
}

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn run(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

#[test]
fn report_renders_a_result_as_the_run_that_made_it_did() {
    let folder = folder();
    let got = run(folder.path(), "compare spec.yaml --html a.html --markdown a.md --junit out/a.xml");
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let got = run(folder.path(), "report out --html b.html --markdown b.md --junit deep/b.xml");
    assert_eq!(got.exit, 1, "{}", got.stderr);
    for (one, other) in [("a.md", "b.md"), ("out/a.xml", "deep/b.xml"), ("a.html", "b.html")] {
        assert_eq!(text(folder.path(), one), text(folder.path(), other));
    }
}

#[test]
fn no_value_is_read_as_markup() {
    let folder = folder();
    assert_eq!(
        run(folder.path(), "compare spec.yaml --html a.html --markdown a.md --junit a.xml").exit,
        1
    );
    let page = text(folder.path(), "a.html");
    assert_eq!(page.matches("<script").count(), 1, "ours alone");
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;<mark><b class=\"hidden\">U+200B</b></mark>"),
        "{page}"
    );
    assert!(
        !page.contains("src=") && !page.contains("http:") && !page.contains("https:"),
        "no network"
    );
    let (comment, cases) = (text(folder.path(), "a.md"), text(folder.path(), "a.xml"));
    assert!(!comment.contains("<script") && !cases.contains("<script"));
    assert!(comment.contains("alert&#40;1&#41;"), "{comment}");
    assert!(comment.contains("⟨U+200B⟩"), "what is not seen is shown: {comment}");
    // Of the thresholds the exceptions are too many; of the rules one covers nothing.
    assert!(cases.contains("tests=\"5\" failures=\"2\""), "{cases}");
    assert!(
        cases.contains("<testcase classname=\"shadowdiff.expected\" name=\"fits\" time=\"0\"/>"),
        "{cases}"
    );
}

#[test]
fn nothing_but_an_older_file_of_ours_is_replaced() {
    let folder = folder();
    put(folder.path(), "notes.md", "# Notes\n");
    for (flag, file) in [("--markdown", "notes.md"), ("--junit", "live.csv"), ("--markdown", ".")] {
        let got = run(folder.path(), &format!("compare spec.yaml {flag} {file}"));
        assert_eq!(got.exit, 2, "{file}");
        assert!(got.stderr.contains(flag), "{}", got.stderr);
        assert!(!folder.path().join("out").exists(), "refused before anything ran");
    }
    assert_eq!(text(folder.path(), "notes.md"), "# Notes\n");
    // A file that a CI has made empty, then one of ours.
    put(folder.path(), "a.xml", "");
    assert_eq!(run(folder.path(), "compare spec.yaml --junit a.xml").exit, 1);
    let first = text(folder.path(), "a.xml");
    assert_eq!(run(folder.path(), "report out --junit a.xml").exit, 1);
    assert_eq!(text(folder.path(), "a.xml"), first);
}

#[test]
fn a_comment_is_the_same_whatever_else_is_asked_for() {
    let folder = folder();
    assert_eq!(run(folder.path(), "compare spec.yaml --markdown a.md").exit, 1);
    assert_eq!(run(folder.path(), "report out --markdown b.md --html b.html").exit, 1);
    assert_eq!(text(folder.path(), "a.md"), text(folder.path(), "b.md"));
}

#[test]
fn a_run_that_fails_leaves_no_file_of_an_earlier_one() {
    let folder = folder();
    assert_eq!(run(folder.path(), "compare spec.yaml --junit a.xml").exit, 1);
    let got = run(folder.path(), "compare spec.yaml --live gone.csv --output other --junit a.xml");
    assert_eq!(got.exit, 2);
    assert!(!folder.path().join("a.xml").exists());
}
