//! `history`: all runs below one place, and how their exceptions burn down.

use crate::args::HistoryArgs;
use crate::process::{exit_code, leave, runtime, working_directory};
use crate::render::history_text;
use crate::renderings::{Flag, remove_ours, write};
use crate::{say, say_json};
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::history;
use shadowdiff_core::error::Result;
use shadowdiff_core::render::history_html;
use shadowdiff_core::verdict::Verdict;
use std::process::ExitCode;

pub(crate) fn run(args: &HistoryArgs) -> Result<ExitCode> {
    if let Some(file) = &args.html {
        remove_ours(Flag::Html, file)?;
    }
    let here = working_directory()?;
    let runtime = runtime()?;
    let found = runtime.block_on(history(&args.place.to_string_lossy(), &here, &Stores::new()));
    leave(runtime);
    let found = found?;
    if let Some(file) = &args.html {
        write(Flag::Html, file, &history_html(&found))?;
    }
    if args.json {
        say_json(&found)?;
    } else {
        say(&history_text(&found, args.color.paint()))?;
    }
    Ok(exit_code(found.runs.last().map_or(Verdict::Fail, |run| run.verdict)))
}
