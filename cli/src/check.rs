//! `check`: binds the spec to its data and shows the plan; compares nothing.

use crate::args::CheckArgs;
use crate::local_job::{bound, cut};
use crate::process::{block_on_tasks, sources};
use crate::settings::Settings;
use crate::{say, spec};
use shadowdiff_coordinator::describe;
use shadowdiff_core::error::Result;
use shadowdiff_worker::TaskLimits;
use std::process::ExitCode;

pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let mut found = spec::find(&args.spec)?;
    // It has no part in the plan.
    found.parsed.spec.noise = None;
    let settings = Settings::new(&args.settings, TaskLimits::PRODUCT)?;
    let text = block_on_tasks(settings.threads, async {
        let sources = sources();
        let cut = cut(&settings, args.settings.shards)?;
        let bound = bound(&found, &sources, cut, settings.quiet).await?;
        Ok(describe(&bound))
    })?;
    say(&text)
}
