//! `check`: binds the spec to its data and shows the plan; compares nothing.

use crate::args::CheckArgs;
use crate::local_job::{bound, cut};
use crate::process::runtime_of_tasks;
use crate::settings::Settings;
use crate::{say, spec};
use shadowdiff_common::read::Sources;
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::describe;
use shadowdiff_core::error::Result;
use shadowdiff_worker::TaskLimits;
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let mut found = spec::find(&args.spec)?;
    // It has no part in the plan.
    found.parsed.spec.noise = None;
    let settings = Settings::new(&args.settings, TaskLimits::PRODUCT)?;
    let runtime = runtime_of_tasks(settings.threads)?;
    let text: Result<String> = runtime.block_on(async {
        let sources = Sources::new(Arc::new(Stores::new()), tokio::runtime::Handle::current());
        let cut = cut(&settings, args.settings.shards)?;
        let bound = bound(&found, &sources, cut, settings.quiet).await?;
        Ok(describe(&bound))
    });
    say(&text?)
}
