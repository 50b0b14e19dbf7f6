//! `report`: a finished result again, in the terminal.

use crate::args::ReportArgs;
use crate::{render, say};
use shadowdiff_core::error::{Error, Result};
use std::process::ExitCode;

pub(crate) fn run(args: &ReportArgs) -> Result<ExitCode> {
    let file = args.result.join("summary.json");
    let text = std::fs::read_to_string(&file).map_err(|e| {
        Error::input(format!(
            "{}: {e}; name the directory that `shadowdiff compare` wrote",
            file.display()
        ))
    })?;
    let summary: serde_json::Value = serde_json::from_str(&text).map_err(|e| Error::input(format!("{}: {e}", file.display())))?;
    let known = u64::from(shadowdiff_core::report::SUMMARY_VERSION);
    if summary["version"].as_u64() != Some(known) {
        return Err(Error::input(format!(
            "{}: is of version {}, this program reads version {known}",
            file.display(),
            summary["version"]
        )));
    }
    let shown = if args.json {
        text
    } else {
        render::text(&summary, Some(&args.result), &args.result.to_string_lossy(), args.color.paint())
    };
    say(&shown)?;
    Ok(ExitCode::from(u8::from(summary["verdict"] != "pass")))
}
