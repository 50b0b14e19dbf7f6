//! What is said of a suite: a line for each task, then why it does not pass.

use crate::render::{Paint, and_more, heading, padded, shortened, visible, width, wrapped};
use crate::renderings::Flag;
use crate::shown::ShownArgs;
use crate::{process, say, say_json};
use shadowdiff_core::error::Result;
use shadowdiff_core::render::{grouped, suite_html, suite_junit, suite_markdown};
use shadowdiff_core::spec::MemberKind;
use shadowdiff_core::suite_summary::{MemberState, MemberSummary, SuiteSummary};
use shadowdiff_core::verdict::Verdict;
use std::fmt::Write;
use std::process::ExitCode;

/// Names are shortened to this.
const NAME_COLUMNS: usize = 30;
/// Of what is broken, so much is told of each member; all of it is in `suite.json`.
const SENTENCE_COLUMNS: usize = 300;
/// Lines of tasks, and of sentences; of more tasks those that do not pass are shown first.
const SHOWN: usize = 100;

/// Writes the renderings, says what came out, and gives the exit code.
pub(super) fn show(shown: &ShownArgs, suite: &SuiteSummary, place: &str, quiet: bool) -> Result<ExitCode> {
    render(shown, suite)?;
    if shown.json {
        say_json(suite)?;
    } else if !quiet {
        say(&text(suite, place, shown.color.paint()))?;
    }
    Ok(exit_code(suite))
}

/// The same of a suite that ended before. `stored`: its summary, as it lies at `place`.
pub(crate) fn show_again(shown: &ShownArgs, suite: &SuiteSummary, stored: &str, place: &str) -> Result<ExitCode> {
    if !shown.json {
        return show(shown, suite, place, false);
    }
    render(shown, suite)?;
    say(stored)?;
    Ok(exit_code(suite))
}

fn render(shown: &ShownArgs, suite: &SuiteSummary) -> Result<()> {
    shown.renderings.write_each(|flag| match flag {
        Flag::Html => suite_html(suite),
        Flag::Markdown => suite_markdown(suite),
        Flag::Junit => suite_junit(suite),
    })
}

fn exit_code(suite: &SuiteSummary) -> ExitCode {
    if suite.has_error() {
        return ExitCode::from(2);
    }
    process::exit_code(suite.verdict)
}

fn text(suite: &SuiteSummary, place: &str, paint: Paint) -> String {
    let headline = suite.headline();
    let (word, rest) = headline.split_once(':').unwrap_or((&headline, ""));
    let word = paint.either(suite.verdict == Verdict::Pass, word);
    let mut out = format!("{word}:{rest}\n");
    for why in suite.broken.iter().take(SHOWN) {
        out += &paint.complaint("broken", &shortened(why, SENTENCE_COLUMNS));
    }
    and_more(&mut out, suite.broken.len(), SHOWN);
    let names = suite
        .tasks
        .iter()
        .map(|of| width(&of.name))
        .max()
        .unwrap_or(0)
        .clamp(4, NAME_COLUMNS);
    let title = format!(
        "{}{:>15}{:>12}{:>12}",
        padded("Task", 2 + names),
        "verdict",
        "exceptions",
        "expected"
    );
    heading(&mut out, &title, paint);
    let (passing, not): (Vec<&MemberSummary>, Vec<&MemberSummary>) = suite.tasks.iter().partition(|of| of.state == MemberState::Pass);
    let is_shown: Vec<&str> = not.iter().chain(&passing).take(SHOWN).map(|of| of.name.as_str()).collect();
    for of in suite.tasks.iter().filter(|of| is_shown.contains(&of.name.as_str())) {
        line(&mut out, of, names, paint);
    }
    and_more(&mut out, suite.tasks.len(), SHOWN);
    if !suite.skipped.is_empty() {
        out += &wrapped("\nLeft out: ", &shortened(&suite.skipped.join(", "), SENTENCE_COLUMNS));
    }
    let _ = writeln!(out, "\nResults: {}", visible(place));
    out
}

fn line(out: &mut String, of: &MemberSummary, names: usize, paint: Paint) {
    let word = format!("{:>15}", of.state.name());
    let word = paint.either(of.state == MemberState::Pass, &word);
    let counts = of
        .counts
        .as_ref()
        .map(|counts| format!("{:>12}{:>12}", grouped(counts.exceptions), grouped(counts.expected)));
    let kind = match of.kind {
        MemberKind::Task => "",
        MemberKind::SameInputs => "  same inputs",
    };
    let line = format!(
        "  {}{word}{}{kind}",
        padded(&shortened(&of.name, names), names),
        counts.unwrap_or_default()
    );
    let _ = writeln!(out, "{}", line.trim_end());
    if !of.behind.is_empty() {
        let behind = shortened(&of.behind.join(", "), SENTENCE_COLUMNS);
        let does = if of.behind.len() == 1 { "does" } else { "do" };
        *out += &wrapped("      follows ", &format!("{behind}, which {does} not pass"));
    }
}
