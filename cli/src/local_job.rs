//! A job of this process: its spec bound to the data, and its worker.

use crate::args::SettingArgs;
use crate::init::with_csv_flags;
use crate::progress::Planning;
use crate::settings::Settings;
use crate::spec::{self, SpecFile};
use shadowdiff_common::random_bytes;
use shadowdiff_common::read::Sources;
use shadowdiff_coordinator::{Bound, PartitionSettings, bind};
use shadowdiff_core::accounts::AccountSets;
use shadowdiff_core::error::Result;
use shadowdiff_core::row::Secret;
use shadowdiff_worker::{Job, Resources};

/// Binds the spec to its data, with progress. Where files on the command line were not understood, the error says the flags that may help.
pub(crate) async fn bound(found: &SpecFile, sources: &Sources, cut: PartitionSettings, quiet: bool) -> Result<Bound> {
    let planning = Planning::show(sources, quiet);
    let (spec, warnings) = (found.parsed.spec.clone(), found.parsed.warnings.clone());
    let bound = bind(spec, warnings, &found.base, sources, cut).await;
    let bound = bound.map_err(|e| found.parsed.places.locate(e));
    drop(planning);
    match bound {
        Err(error) if found.is_from_command_line => Err(with_csv_flags(error, &found.parsed.spec, &found.base, sources).await),
        Ok(_) | Err(_) => bound,
    }
}

/// How the work is cut under these settings. The secret is drawn anew for every job.
pub(crate) fn cut(settings: &Settings, shards: Option<u32>) -> Result<PartitionSettings> {
    Ok(PartitionSettings {
        threads: settings.threads,
        shards,
        part_bytes: settings.part_bytes(),
        form: settings.form,
        secret: Secret(random_bytes()?),
        today: spec::today(),
    })
}

/// The job of a plan in this process, and the lists of accounts that the plan names.
pub(crate) fn job(bound: Bound, settings: &Settings, args: &SettingArgs, sources: Sources) -> Result<(Job, AccountSets)> {
    let Bound {
        mut plan,
        datasets,
        accounts,
        compiled,
    } = bound;
    let estimate = plan.estimate;
    let (reading_bytes, lists_bytes) = (estimate.reading_bytes, accounts.memory_bytes());
    let memory = settings.task_memory(reading_bytes, lists_bytes);
    // Known only now: what readers and lists of accounts leave.
    plan.part_bytes = memory.part_bytes(0, &settings.limits);
    let resources = Resources {
        datasets,
        sources,
        scratch: settings.scratch(args, reading_bytes, lists_bytes)?,
        limits: settings.limits,
        memory,
        batch_rows: memory.batch_rows(estimate.row_bytes(), &settings.limits),
        disabled: settings.disabled,
    };
    Ok((Job::new(plan, compiled, resources), accounts))
}
