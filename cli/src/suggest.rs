//! `suggest`: drafts of rules and comparators for what is left of a finished comparison.

use crate::args::SuggestArgs;
use crate::judge::HELD_BYTES;
use crate::process::{block_on, sources, working_directory};
use crate::render;
use crate::spec::{SpecFile, from_file};
use shadowdiff_common::spool::Scratch;
use shadowdiff_coordinator::{Suggesting, Suggestions, fetch_result};
use shadowdiff_core::error::Result;
use shadowdiff_core::report::ResultFile;
use std::process::ExitCode;

pub(crate) fn run(args: &SuggestArgs) -> Result<ExitCode> {
    let found = args.spec.as_deref().map(|spec| from_file(spec, &args.set, None)).transpose()?;
    let told = block_on(suggest(args, found.as_ref())).map_err(|e| match &found {
        Some(found) => found.parsed.places.locate(e),
        None => e,
    })?;
    args.answer.tell(&told, render::suggestions)
}

async fn suggest(args: &SuggestArgs, found: Option<&SpecFile>) -> Result<Suggestions> {
    let sources = sources();
    let place = args.result.to_string_lossy();
    let fetched = fetch_result(&place, &working_directory()?, &sources.stores, &ResultFile::TABLES).await?;
    let suggesting = Suggesting {
        result: fetched.files.directory(),
        spec: found.map(|found| &found.parsed),
        base: found.map(|found| found.base.as_path()),
        sources: &sources,
        scratch: &Scratch::new(HELD_BYTES, args.scratch.as_deref())?,
    };
    suggesting.suggest().await
}
