//! `history`: all runs below one place, and how their exceptions burn down.

use crate::args::HistoryArgs;
use crate::process::{block_on, exit_code, working_directory};
use crate::render::history_text;
use crate::renderings::{Flag, remove_ours, write};
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
    let found = block_on(history(&args.place.to_string_lossy(), &here, &Stores::new()))?;
    if let Some(file) = &args.html {
        write(Flag::Html, file, &history_html(&found))?;
    }
    args.answer.tell(&found, history_text)?;
    Ok(exit_code(found.runs.last().map_or(Verdict::Fail, |run| run.verdict)))
}
