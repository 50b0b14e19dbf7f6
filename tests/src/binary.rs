//! The product as its users run it: a process with arguments, an exit code and two streams.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a run may take before it counts as hung.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What a run left on its streams.
#[derive(Debug, Clone)]
pub struct Run {
    /// 128 + the signal's number where a signal ended it.
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The binary under test: `SHADOWDIFF_BIN`, else the one that was built beside this test.
///
/// # Panics
/// Where there is none.
pub fn path() -> PathBuf {
    if let Some(path) = std::env::var_os("SHADOWDIFF_BIN") {
        let path = PathBuf::from(path);
        assert!(path.is_file(), "SHADOWDIFF_BIN names {}, which is not a file", path.display());
        return path.canonicalize().expect("an existing file has a full path");
    }
    beside("shadowdiff")
}

/// A binary that was built beside this test.
///
/// # Panics
/// Where there is none.
pub fn beside(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.parent().and_then(Path::parent).expect("tests lie in target/<profile>/deps");
    let path = profile.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{} does not exist; build it first: cargo build --release --workspace",
        path.display()
    );
    path
}

/// A command of the binary, with no setting taken over from the environment.
pub fn command<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Command {
    command_of(&path(), folder, arguments)
}

/// The same for another binary.
pub fn command_of<S: AsRef<OsStr>>(program: &Path, folder: &Path, arguments: &[S]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SHADOWDIFF_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

/// Where a process that a test may kill keeps its scratch files: in the test's own folder, so that they go with it. A process that is killed removes nothing.
///
/// # Panics
/// Where no folder can be made there.
pub fn scratch_in(folder: &Path) -> (&'static str, PathBuf) {
    // Its name begins with a dot, so that no dataset reads it.
    let scratch = folder.join(".scratch");
    std::fs::create_dir_all(&scratch).expect("a folder for scratch files can be made");
    ("TMPDIR", scratch)
}

/// Runs the binary in `folder`; `Err` where it does not end in time.
pub fn run<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Result<Run, String> {
    run_within(None, folder, arguments)
}

/// The same; with a seed, its tasks have the small limits of that seed.
pub fn run_within<S: AsRef<OsStr>>(limits: Option<u64>, folder: &Path, arguments: &[S]) -> Result<Run, String> {
    let mut command = match limits {
        None => command(folder, arguments),
        Some(seed) => {
            let mut command = command_of(&beside("examples/shadowdiff_of_tests"), folder, arguments);
            command.env("SHADOWDIFF_LIMITS", seed.to_string());
            command
        }
    };
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    finish(child.map_err(|e| format!("the binary does not start: {e}"))?)
}

/// Waits for a started run and gathers its streams.
pub fn finish(mut child: Child) -> Result<Run, String> {
    let stdout = gather(child.stdout.take());
    let stderr = gather(child.stderr.take());
    let started = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) => break status,
            None if started.elapsed() > PATIENCE => {
                child.kill().map_err(|e| e.to_string())?;
                child.wait().map_err(|e| e.to_string())?;
                return Err(format!("no end in {} s", PATIENCE.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(3)),
        }
    };
    let text = |gathered: std::thread::JoinHandle<String>| gathered.join().expect("a reader does not panic");
    Ok(Run {
        exit: exit_code(status),
        stdout: text(stdout),
        stderr: text(stderr),
    })
}

#[expect(clippy::disallowed_methods, reason = "whoever joins it sees its panic")]
fn gather(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // A stream that breaks off has told all it can.
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
