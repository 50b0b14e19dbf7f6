//! Jobs of a few rows: a spec and two CSV texts, for the tests of this crate.

use crate::job::Job;
use crate::limits::TaskLimits;
use crate::resources::{Disabled, Memory, Resources};
use crate::side::{Purpose, SideReader};
use shadowdiff_common::compiled::Compiled;
use shadowdiff_common::exchange::SelectedRows;
use shadowdiff_common::read::{DataFile, Dataset, Sources, list};
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::store::Stores;
use shadowdiff_core::accounts::AccountSets;
use shadowdiff_core::align::{SideColumn, align};
use shadowdiff_core::plan::{Estimate, FilePart, PLAN_VERSION, Plan, PlanSecret, ReadColumn, ScanTask, SidePlan, Split};
use shadowdiff_core::row::Secret;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{Day, Overrides, Spec, parse};
use shadowdiff_core::value::ValueType;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A job over two small files.
pub(crate) struct SmallJob {
    pub(crate) job: Job,
    folder: TempDir,
    /// Drives the readers.
    _runtime: Runtime,
}

/// What a small job is made of.
pub(crate) struct Setup<'a> {
    /// The spec without its datasets. The types of columns stand in `schema`; the account is `id` unless it says another.
    pub(crate) spec: &'a str,
    pub(crate) live: &'a str,
    pub(crate) shadow: &'a str,
    /// Columns that only SQL reads.
    pub(crate) carried: &'a [&'a str],
    pub(crate) shards: u32,
    /// Scan tasks, each of which reads all.
    pub(crate) scans: usize,
    pub(crate) limits: TaskLimits,
    pub(crate) task_bytes: usize,
    pub(crate) disabled: Disabled,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Setup {
            spec: "",
            live: "",
            shadow: "",
            carried: &[],
            shards: 1,
            scans: 1,
            limits: TaskLimits::PRODUCT,
            task_bytes: 64 << 20,
            disabled: Disabled::default(),
        }
    }
}

impl Setup<'_> {
    pub(crate) fn job(&self) -> SmallJob {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("l.csv"), self.live).expect("a file");
        std::fs::write(folder.path().join("s.csv"), self.shadow).expect("a file");
        let account = if self.spec.contains("account:") { "" } else { "account: id\n" };
        let text = format!("live: l.csv\nshadow: s.csv\n{account}{}", self.spec);
        let spec = parse(&text, "spec.yaml", &Overrides::default()).expect("a good spec").spec;
        let runtime = Runtime::new().expect("a runtime");
        let sources = Sources::new(Arc::new(Stores::new()), runtime.handle().clone());
        let datasets = Sides::from_fn(|side| dataset(side, &spec, folder.path(), &sources));
        let accounts = AccountSets {
            rules: vec![None; spec.expected.len()],
            ..AccountSets::default()
        };
        let plan = self.plan(spec, &datasets);
        let compiled = Compiled::new(&plan, &accounts).expect("a good plan");
        let resources = Resources {
            datasets,
            sources,
            scratch: Scratch::new(self.limits.max_intermediate_bytes.min(1 << 30), None).expect("a scratch folder"),
            limits: self.limits,
            memory: Memory {
                task_bytes: self.task_bytes,
            },
            batch_rows: self.limits.max_batch_rows,
            disabled: self.disabled,
        };
        SmallJob {
            job: Job::new(plan, compiled, resources),
            folder,
            _runtime: runtime,
        }
    }

    fn plan(&self, spec: Spec, datasets: &Sides<Dataset>) -> Plan {
        let files = Sides::new(self.live, self.shadow);
        let columns = Sides::from_fn(|side| columns(files[side], &spec, side));
        let compared = Sides::from_fn(|side| {
            columns[side]
                .iter()
                .filter(|c| !self.carried.contains(&c.name.as_str()))
                .cloned()
                .collect()
        });
        let split = |side: Side| Split {
            file: 0,
            part: FilePart::Whole,
            weight: datasets[side].files[0].pin.size_bytes,
        };
        let task = ScanTask {
            splits: Sides::from_fn(|side| vec![split(side)]),
        };
        Plan {
            version: PLAN_VERSION,
            accepted: Vec::new(),
            noise: None,
            as_of: Day(20_000),
            aligned: align(&spec, &compared).expect("schemas that meet"),
            sides: Sides::from_fn(|side| self.side_plan(&columns[side])),
            kept: Vec::new(),
            pins: Sides::from_fn(|side| datasets[side].files.iter().map(DataFile::pinned).collect()),
            scans: vec![task; self.scans],
            shards: self.shards,
            part_bytes: 1,
            form: None,
            estimate: Estimate::default(),
            count_accounts: true,
            secret: PlanSecret(Secret([7; 16])),
            warnings: Vec::new(),
            spec,
        }
    }

    fn side_plan(&self, columns: &[SideColumn]) -> SidePlan {
        let read = columns.iter().map(|column| ReadColumn {
            source: column.name.clone(),
            name: column.name.clone(),
            value_type: column.value_type.clone(),
        });
        SidePlan {
            read: read.collect(),
            columns: columns.to_vec(),
            carried: self.carried.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

impl SmallJob {
    /// The rows of a side as they are exchanged, a batch each as they are read.
    pub(crate) fn rows(&self, side: Side) -> Vec<SelectedRows> {
        let mut reader = SideReader::new(&self.job, side, &self.job.plan.scans[0].splits[side], Purpose::Scan);
        std::iter::from_fn(|| reader.next_hashed().expect("good rows"))
            .map(|read| SelectedRows::all(read.whole(&self.job, side).expect("whole rows").batch))
            .collect()
    }

    /// Puts other content of the same length into a file, which keeps its time.
    pub(crate) fn overwrite(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        let before = std::fs::metadata(&path).and_then(|meta| meta.modified()).expect("a file");
        std::fs::write(&path, text).expect("a file");
        let file = std::fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(before).expect("a time");
    }
}

fn dataset(side: Side, spec: &Spec, folder: &Path, sources: &Sources) -> Dataset {
    let listed = sources.runtime.block_on(list(side, &spec.sides[side], folder, &sources.stores));
    listed.expect("a dataset")
}

/// The columns of a header, each of the type that the spec says, or text.
fn columns(csv: &str, spec: &Spec, side: Side) -> Vec<SideColumn> {
    let schema = &spec.sides[side].schema;
    let column = |name: &str| SideColumn {
        name: name.to_owned(),
        value_type: schema.iter().find(|(of, _)| of == name).map_or(ValueType::Text, |(_, t)| t.clone()),
    };
    csv.lines().next().expect("a header").split(',').map(column).collect()
}
