//! The README's release, from first run to last flip: its commands print what it shows, and its picture is of their page.

use shadowdiff_tests::binary::{self, Run};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const COMMAND: &str = "    cargo run --release -- ";
/// Names under which Chromium is installed.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// What the picture in the docs shows.
const SIZE: &str = "1000,1180";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the repository")
}

/// The example where the README's commands find it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let copy = folder.path().join("examples/release");
    std::fs::create_dir_all(&copy).expect("a folder");
    for file in std::fs::read_dir(repository().join("examples/release")).expect("the example") {
        let file = file.expect("a file").path();
        std::fs::copy(&file, copy.join(file.file_name().expect("a name"))).expect("it can be copied");
    }
    folder
}

fn run(folder: &Path, arguments: &[String]) -> Run {
    binary::run(folder, arguments).expect("the run ends")
}

/// The words of a command; those in double quotes are one.
fn words(command: &str) -> Vec<String> {
    let quoted = command.split('"').enumerate();
    quoted
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

/// Whether the text is what is shown, in which a line `…` stands for any lines.
fn shows(shown: &str, text: &str) -> bool {
    let mut rest = text;
    let parts: Vec<&str> = shown.split("…\n").collect();
    let last = parts.len() - 1;
    parts.iter().enumerate().all(|(at, part)| {
        let found = match at {
            0 => rest.starts_with(part).then_some(0),
            at if at == last && !part.is_empty() => rest.len().checked_sub(part.len()).filter(|from| rest[*from..] == **part),
            _ => rest.find(part),
        };
        found.is_some_and(|from| {
            rest = &rest[from + part.len()..];
            at < last || last > 0 || rest.is_empty()
        })
    })
}

#[test]
fn the_release_of_the_readme_goes_as_it_says() {
    let folder = folder();
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("there is one");
    let story = readme
        .split("<!-- story -->\n")
        .nth(1)
        .and_then(|rest| rest.split("<!-- /story -->").next());
    let mut commands = 0;
    for part in story.expect("the README tells it").split(COMMAND).skip(1) {
        let (command, rest) = part.split_once('\n').expect("what it prints stands below");
        let shown = rest.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
        let got = run(folder.path(), &words(command));
        assert!(got.exit < 2, "{command}: {}", got.stderr);
        assert!(shows(shown.expect("what it prints"), &got.stdout), "{command}\n{}", got.stdout);
        commands += 1;
    }
    assert_eq!(commands, 8);
    assert!(shows("a\n…\nc\n", "a\nb\nc\n") && !shows("a\n", "a\nb\n") && !shows("a\n…\n", "b\n"));
}

/// Where there is Chromium. `UPDATE_GOLDEN=1` puts the picture into the docs.
#[test]
fn the_page_shows_in_a_browser() {
    let Some(browser) = browser() else {
        println!("there is no Chromium here: nothing is looked at");
        return;
    };
    let folder = folder();
    let compare = "compare examples/release/first.yaml --output out --html report.html";
    let got = run(folder.path(), &words(compare));
    assert_eq!(got.exit, 1, "{}", got.stderr);
    let picture = folder.path().join("report.png");
    let status = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--hide-scrollbars",
            "--disable-sync",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--force-device-scale-factor=1",
        ])
        .arg(format!("--user-data-dir={}", folder.path().join("browser").display()))
        .arg(format!("--window-size={SIZE}"))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", folder.path().join("report.html").display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.is_ok_and(|status| status.success()));
    let drawn = std::fs::read(&picture).expect("a picture");
    assert!(drawn.starts_with(b"\x89PNG") && drawn.len() > 20_000, "{} bytes", drawn.len());
    let kept = repository().join("docs/report.png");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&kept, &drawn).expect("it can be written");
    }
    let size = |bytes: &[u8]| bytes.get(16..24).map(<[u8]>::to_vec);
    assert_eq!(
        std::fs::read(&kept).ok().and_then(|kept| size(&kept)),
        size(&drawn),
        "fonts differ, the size does not"
    );
}

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).flat_map(|place| BROWSERS.map(|name| place.join(name)));
    places.into_iter().find(|place| place.is_file())
}
