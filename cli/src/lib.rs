//! The command line: reads the command line, composes coordinator and workers, says what came out.
//!
//! Exit codes follow diff: 0 the verdict is pass, 1 it is fail, 2 trouble, 130 interrupted. The result goes to stdout, all else to stderr.

mod accept;
mod again;
mod args;
mod check;
mod client;
mod compare;
mod connections;
mod diff;
mod history;
mod init;
mod judge;
mod laboratory;
mod local_job;
mod noise;
mod power;
mod process;
mod profile;
mod progress;
mod render;
mod renderings;
mod report;
mod rollout;
mod serve;
mod settings;
mod shown;
mod shrink;
mod signals;
mod spec;
mod suggest;
mod suite;
mod told;
mod work;

use args::{Cli, Command, ManArgs};
use clap::{CommandFactory, Parser};
use serde::Serialize;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::redact::redacted;
use shadowdiff_core::spec::{json_schema, suite_json_schema};
pub use shadowdiff_worker::TaskLimits;
use std::io::Write;
use std::process::ExitCode;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    main_within(TaskLimits::PRODUCT)
}

/// The same, where tasks have other limits: for tests.
pub fn main_within(limits: TaskLimits) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match run(cli, limits) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::from(if error.kind == Kind::Interrupted { 130 } else { 2 })
        }
    }
}

/// What the command line's parser says: help, or a mistake, whose text may repeat a URL.
fn refuse(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let shown = redacted(&text);
    if shown == text {
        error.exit();
    }
    note(shown.trim_end());
    ExitCode::from(2)
}

fn run(cli: Cli, limits: TaskLimits) -> Result<ExitCode> {
    match cli.command {
        Command::Compare(args) => compare::run(&args, limits),
        Command::Suite(args) => suite::run(&args, limits),
        Command::Check(args) => check::run(&args),
        Command::Power(args) => power::run(&args, limits),
        Command::Init(args) => init::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Judge(args) => judge::run(&args),
        Command::Suggest(args) => suggest::run(&args),
        Command::Accept(args) => accept::run(&args),
        Command::Shrink(args) => shrink::run(&args, limits),
        Command::Diff(args) => diff::run(&args),
        Command::History(args) => history::run(&args),
        Command::Rollout(args) => rollout::run(&args),
        Command::Submit(args) => client::submit(&args),
        Command::List(args) => client::list(&args),
        Command::Status(args) => client::status(&args),
        Command::Watch(args) => client::watch(&args),
        Command::Cancel(args) => client::cancel(&args),
        Command::Results(args) => client::results(&args),
        Command::Coordinator(args) => serve::run(&args),
        Command::Worker(args) => work::run(&args, limits),
        Command::Schema { suite: false } => say_json(&json_schema()),
        Command::Schema { suite: true } => say_json(&suite_json_schema()),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "shadowdiff", &mut text);
            say(&String::from_utf8_lossy(&text))
        }
        Command::Man(args) => man(&args),
    }
}

/// The page of the program, or one a command as files.
fn man(args: &ManArgs) -> Result<ExitCode> {
    let Some(directory) = &args.output else {
        let mut text = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut text)
            .map_err(|e| Error::internal(e.to_string()))?;
        return say(&String::from_utf8_lossy(&text));
    };
    let failed = |e: std::io::Error| Error::new(Kind::Exhausted, e.to_string()).file(directory.display());
    std::fs::create_dir_all(directory).map_err(failed)?;
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, directory).map_err(failed)?;
    note(&format!("shadowdiff: wrote the manual pages to {}", directory.display()));
    Ok(ExitCode::SUCCESS)
}

/// Writes to stdout. A reader that has gone, such as `head`, is not trouble.
pub(crate) fn say(text: &str) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(e) => Err(Error::new(Kind::Exhausted, format!("stdout: {e}"))),
    }
}

/// The same, as JSON.
pub(crate) fn say_json(value: &impl Serialize) -> Result<ExitCode> {
    say(&json_text(value)?)
}

pub(crate) fn json_text(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::internal(e.to_string()))?;
    Ok(text + "\n")
}

pub(crate) fn warn<'a>(warnings: impl IntoIterator<Item = &'a String>) {
    warnings
        .into_iter()
        .for_each(|warning| note(&format!("shadowdiff: warning: {warning}")));
}

/// Writes to stderr; where that fails there is nobody to tell.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn complain(error: &Error) {
    let what = match error.kind {
        Kind::Spec => "spec",
        Kind::Input => "input",
        Kind::Unavailable => "unavailable",
        Kind::Exhausted => "exhausted",
        Kind::Internal => "internal error, please report it",
        Kind::Interrupted => "stopped",
    };
    for line in error.to_string().lines() {
        // What is set in goes with the line above, and can be copied as it stands.
        if line.starts_with("  ") {
            note(line);
        } else {
            note(&format!("shadowdiff: {what}: {line}"));
        }
    }
}
