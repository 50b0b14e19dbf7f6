//! From what a client submitted to a plan: the spec is understood at once, its data are looked at in a thread of its own.

use super::pool::{Pool, Share, Sizes};
use super::{JobRequest, clock};
use crate::bind::{Bound, bind};
use crate::partition::PartitionSettings;
use crate::target::{Reads, Target, check_target, refuse_secrets};
use shadowdiff_common::random_bytes;
use shadowdiff_common::read::Sources;
use shadowdiff_common::state::{Incarnation, MAX_REQUEST_BYTES, StoredPlan, StoredSets, Submission, groups};
use shadowdiff_common::store::Location;
use shadowdiff_common::tasks::blocking;
use shadowdiff_core::accounts::AccountSets;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::plan::{Estimate, Form, Plan};
use shadowdiff_core::redact::{redacted, redacted_document};
use shadowdiff_core::requests::{Requests, RereadCost, StateObjects};
use shadowdiff_core::row::Secret;
use shadowdiff_core::shorten::shortened;
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{Day, FieldPlaces, Overrides, Spec, parse};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;

/// A job has at least so many scan tasks where its files allow: workers come and go, and a lost task should not be much.
const LANES: usize = 8;
/// Plans of jobs that are made at a time. A job that finds no slot waits: `--max-jobs` bounds them.
const JOB_SLOTS: Sizes = Sizes {
    slots: 64,
    of_host: 16,
    of_peer: usize::MAX,
    waiting_of_share: usize::MAX / 4,
};
/// Specs that are checked at a time, besides jobs.
const CHECK_SLOTS: Sizes = Sizes {
    slots: 32,
    of_host: 8,
    of_peer: 16,
    waiting_of_share: 64,
};
/// Of one side's part of a title.
const MAX_TITLE_BYTES: usize = 200;

/// A spec that has no mistakes of its own; its data may.
#[derive(Debug)]
pub(super) struct ParsedSpec {
    spec: Spec,
    pub(super) warnings: Vec<String>,
    document: serde_json::Value,
    base: PathBuf,
    output: Option<String>,
    places: FieldPlaces,
}

/// Parses a spec for a cluster, where nothing starts at a folder of the coordinator.
pub(super) fn understand(text: &str, file: &str, variables: &[(String, String)], base: Option<&str>) -> Result<ParsedSpec> {
    let overrides = Overrides {
        set: variables.to_vec(),
        ..Overrides::default()
    };
    let parsed = parse(text, file, &overrides)?;
    let base = match base {
        Some(base) if !base.starts_with('/') => {
            return Err(Error::spec(format!("`{base}` is not an absolute path")).field("spec.base"));
        }
        Some(base) => PathBuf::from(base),
        None => {
            refuse_relative(&parsed.spec)?;
            PathBuf::from("/")
        }
    };
    // Before anything is stored: a submission holds the text of its spec.
    refuse_secrets(Reads {
        spec: &parsed.spec,
        base: &base,
        spec_file: None,
    })?;
    let output = parsed.spec.output.to.clone();
    if let Some(to) = &output {
        refuse_local(to, &base)?;
    }
    Ok(ParsedSpec {
        spec: parsed.spec,
        warnings: parsed.warnings,
        document: parsed.document,
        base,
        output,
        places: parsed.places,
    })
}

/// A path that starts nowhere is a mistake: coordinator and workers have no common folder.
fn refuse_relative(spec: &Spec) -> Result<()> {
    let is_relative = |path: &&String| !path.contains("://") && !path.starts_with('/');
    for side in Side::BOTH {
        if let Some(path) = spec.sides[side].paths.iter().find(is_relative) {
            return Err(Error::spec(format!("`{path}` is a relative path"))
                .field(side.name())
                .advice("give a URL or an absolute path that coordinator and workers see"));
        }
    }
    Ok(())
}

/// A local place is one of some machine, and nobody knows which.
fn refuse_local(output: &str, base: &Path) -> Result<()> {
    match Location::parse(output, base)? {
        Location::Object { .. } => Ok(()),
        Location::Local(_) => Err(
            Error::spec(format!("`{output}` is a local place, which a coordinator does not write"))
                .field("output")
                .advice("name an object store, or leave it out and fetch the result"),
        ),
    }
}

impl ParsedSpec {
    /// The submission of an order whose spec this is.
    pub(super) fn submission(&self, order: &JobRequest) -> Result<Submission> {
        Ok(Submission {
            incarnation: Incarnation::draw()?,
            content: content_of(order),
            text: order.text.clone(),
            variables: order.variables.clone(),
            base: order.base.clone(),
            priority: order.priority.clamp(1, 100),
            max_running: order.max_running,
            created_ms: clock::now_ms(),
            title: title(&self.spec),
            output: self.output.clone(),
            overwrite: order.overwrite,
            labels: order.labels.clone(),
        })
    }

    /// The hosts that are asked for data.
    fn hosts(&self) -> BTreeSet<Share> {
        let paths = Side::BOTH.into_iter().flat_map(|side| &self.spec.sides[side].paths);
        let host = |path: &String| match Location::parse(path, &self.base) {
            Ok(Location::Object { root, .. }) => Some(Share::Host(root)),
            Ok(Location::Local(_)) => Some(Share::Host("this machine".into())),
            // It fails at once.
            Err(_) => None,
        };
        paths.filter_map(host).collect()
    }
}

/// The plans that are made now: jobs and checks apart, so that checks never keep a job from being planned.
#[derive(Debug, Clone)]
pub(crate) struct Pools {
    jobs: Pool,
    checks: Pool,
}

impl Default for Pools {
    fn default() -> Self {
        Pools {
            jobs: Pool::new(JOB_SLOTS),
            checks: Pool::new(CHECK_SLOTS),
        }
    }
}

/// For whom a spec is bound.
#[derive(Debug, Clone)]
pub(super) enum For<'a> {
    Job,
    /// A client that only asks, by its address.
    Peer(&'a str),
}

/// The same for the same order, in every process.
pub(super) fn content_of(order: &JobRequest) -> u64 {
    use siphasher::sip::SipHasher24;
    use std::hash::{Hash, Hasher};
    let mut hasher = SipHasher24::new();
    order.text.hash(&mut hasher);
    let mut variables = order.variables.clone();
    variables.sort();
    variables.hash(&mut hasher);
    order.base.hash(&mut hasher);
    hasher.finish()
}

fn title(spec: &Spec) -> String {
    let names = |side: Side| match spec.sides[side].paths.as_slice() {
        [first, rest @ ..] if !rest.is_empty() => shortened(&format!("{first} and {} more", rest.len()), MAX_TITLE_BYTES),
        paths => shortened(&paths.join(", "), MAX_TITLE_BYTES),
    };
    redacted(&format!("{} against {}", names(Side::Live), names(Side::Shadow))).into_owned()
}

/// Makes plans.
#[derive(Debug, Clone)]
pub(crate) struct Planner {
    pub(super) sources: Sources,
    pub(super) shards: Option<u32>,
    pub(super) form: Option<Form>,
    pub(super) part_bytes: u64,
    /// The state lies in a directory, which asks nothing for a request.
    pub(super) is_directory: bool,
    pub(super) pools: Pools,
}

impl Planner {
    /// The plan of a submission, and the lists of accounts that it names.
    pub(crate) async fn plan(&self, submission: &Submission) -> Result<(StoredPlan, AccountSets)> {
        let base = submission.base.as_deref();
        let understood = understand(&submission.text, "spec", &submission.variables, base)?;
        if let Some(output) = &submission.output {
            let reads = Reads {
                spec: &understood.spec,
                base: &understood.base,
                spec_file: None,
            };
            let target = check_target(output, reads.base, Some(reads), &self.sources.stores, submission.overwrite).await?;
            debug_assert!(matches!(target, Target::Objects(_)), "only objects are handed on");
        }
        let document = understood.document.clone();
        let bound = self.bind(understood, For::Job).await?;
        let sets = bound.accounts.clone();
        // A digest of millions of accounts takes a moment.
        let (accounts, sets) = blocking("planning", move || Ok((StoredSets::of(&sets), sets))).await?;
        Ok((self.stored_plan(submission, bound, document, accounts), sets))
    }

    /// Binds a spec to its data. If nobody waits for it any more, binding ends at its next read.
    pub(super) async fn bind(&self, understood: ParsedSpec, whom: For<'_>) -> Result<Bound> {
        let mut shares = understood.hosts();
        let pool = match whom {
            For::Job => &self.pools.jobs,
            For::Peer(peer) => {
                shares.insert(Share::Peer(peer.to_owned()));
                &self.pools.checks
            }
        };
        let slot = pool.enter(shares).await?;
        let cut = PartitionSettings {
            threads: LANES,
            shards: self.shards,
            part_bytes: self.part_bytes,
            form: self.form,
            secret: Secret(random_bytes()?),
            today: Day::of_seconds(clock::now_ms() / 1_000),
        };
        // Held until this future ends or is dropped.
        let (_waiting, nobody_waits) = oneshot::channel::<()>();
        let planner = self.clone();
        // Binding reads local files as it goes, so it has a thread of its own.
        let binding = move || {
            // Held by the thread: that is what there are only so many of.
            let _slot = slot;
            let ParsedSpec {
                spec,
                warnings,
                base,
                places,
                ..
            } = understood;
            let sources = &planner.sources;
            let bound = sources.runtime.block_on(async {
                tokio::select! {
                    bound = bind(spec, warnings, &base, sources, cut) => bound,
                    _ = nobody_waits => Err(Error::new(Kind::Interrupted, "nobody waits for the plan any more")),
                }
            });
            bound.map_err(|e| places.locate(e))
        };
        blocking("planning", binding).await
    }

    fn stored_plan(&self, submission: &Submission, bound: Bound, document: serde_json::Value, accounts: StoredSets) -> StoredPlan {
        let mut plan = bound.plan;
        plan.estimate.requests = plan.estimate.requests + self.state_requests(&plan);
        StoredPlan {
            incarnation: submission.incarnation.clone(),
            document: redacted_document(document),
            datasets: bound.datasets,
            accounts,
            plan,
        }
    }

    fn state_requests(&self, plan: &Plan) -> Requests {
        if self.is_directory {
            return Requests::default();
        }
        let Estimate {
            decoded_bytes, requests, ..
        } = plan.estimate;
        let shards = u64::from(plan.shards);
        let shard_bytes = decoded_bytes / shards.max(1);
        let compares = groups(&vec![shard_bytes.max(1); shards as usize], plan.part_bytes).len();
        let kept = StateObjects {
            scans: plan.scans.len() as u64,
            compares: compares as u64,
            exchange_bytes: decoded_bytes,
            request_bytes: MAX_REQUEST_BYTES,
        };
        // Where a look at the data will decide, the form that takes more is counted.
        if plan.known_form() == Some(Form::Rows) {
            return kept.requests();
        }
        // A fingerprint and a number take 24 bytes of a row.
        let numbered = decoded_bytes * 24 / plan.estimate.row_bytes().max(24) / shards.max(1);
        let again = RereadCost {
            scans: kept.scans,
            matches: groups(&vec![numbered.max(1); shards as usize], plan.part_bytes).len() as u64,
            input_reads: requests.reads,
        };
        kept.requests() + again.requests()
    }
}
