//! What a suite compares: its file, the folders that are there, and the spec of each member.

use crate::args::SuiteArgs;
use crate::process::working_directory;
use crate::spec::{SpecFile, folder, from, from_file_over, read, today};
use shadowdiff_common::read::task_names;
use shadowdiff_common::store::{Location, Stores};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{Member, MemberKind, MemberSpec, Outside, Overrides, SuiteFile, parse_suite};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the results go if nobody says.
const DEFAULT_OUTPUT: &str = "shadowdiff-suite";

/// A suite whose members are known.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    /// Where relative paths of the suite start.
    pub(super) base: PathBuf,
    /// Where the results go, as seen from there, and as the user calls it.
    pub(super) output: String,
    pub(super) place: String,
    pub(super) today: String,
    /// In their order.
    pub(super) members: Vec<FoundMember>,
    pub(super) one_sided: Sides<Vec<String>>,
    pub(super) skipped: Vec<String>,
}

#[derive(Debug)]
pub(super) struct FoundMember {
    pub(super) name: String,
    pub(super) kind: MemberKind,
    pub(super) after: Vec<String>,
    pub(super) spec: SpecFile,
}

pub(super) async fn find(args: &SuiteArgs, stores: &Stores) -> Result<Found> {
    let here = working_directory()?;
    let path = Path::new(&args.suite);
    let base = folder(path, &here);
    let file = parse_suite(&read(path)?, &args.suite, &args.set)?;
    let name = file.name.clone().unwrap_or_else(|| stem(path));
    let given = args.output.as_deref().map(|output| from(output, &here, &base));
    let output = given.or_else(|| file.output.clone()).unwrap_or_else(|| DEFAULT_OUTPUT.to_owned());
    let tasks = task_folders(&file, &base, stores).await?;
    let suite = file.members(tasks.as_ref(), &output)?;
    let (mut members, mut mistakes) = (Vec::new(), Vec::new());
    for member in suite.members {
        match spec_of(&args.suite, member, &base, &here, &output) {
            Ok(member) => members.push(member),
            Err(error) => mistakes.push(error),
        }
    }
    Error::all(mistakes)?;
    Ok(Found {
        name,
        place: args.output.clone().unwrap_or_else(|| from(&output, &base, &here)),
        base,
        output,
        today: today().to_string(),
        members,
        one_sided: suite.one_sided,
        skipped: suite.skipped,
    })
}

/// The file's name up to its first dot, as far as it can be a label.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let plain: String = stem.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).take(100).collect();
    if plain.is_empty() { "suite".to_owned() } else { plain }
}

async fn task_folders(file: &SuiteFile, base: &Path, stores: &Stores) -> Result<Option<Sides<BTreeSet<String>>>> {
    let Some(folders) = &file.folders else { return Ok(None) };
    let mut found = Sides::default();
    for side in Side::BOTH {
        let names = task_names(&folders[side], base, stores).await;
        found[side] = names.map_err(|e| e.field(format!("folders.{side}")))?;
    }
    Ok(Some(found))
}

/// The spec of a member. One of a file has its own folder, from which the places of the suite are named anew.
fn spec_of(suite: &str, member: Member, base: &Path, here: &Path, output: &str) -> Result<FoundMember> {
    let spec = match member.spec {
        MemberSpec::Inline(parsed) => SpecFile {
            base: base.to_owned(),
            file: Some(here.join(suite)),
            output: parsed.spec.output.to.clone().unwrap_or_else(|| output.to_owned()),
            is_from_command_line: false,
            parsed: *parsed,
        },
        MemberSpec::File { file, set, data } => {
            let beside = Path::new(suite).parent().unwrap_or(Path::new("")).join(&file);
            let result = format!("{}/{}", output.trim_end_matches('/'), member.name);
            from_file_over(&beside.to_string_lossy(), |of_spec| {
                let there = |place: &str| from(place, base, of_spec);
                let [live, shadow] = Side::BOTH.map(|side| data.as_ref().map(|data| vec![there(&data[side])]));
                Overrides {
                    live,
                    shadow,
                    set,
                    outside: Outside::Task,
                    output: Some(there(&result)),
                    ..Overrides::default()
                }
            })?
        }
    };
    // A place that cannot be one is told before anything runs.
    Location::parse(&spec.output, &spec.base).map_err(|e| e.field("output"))?;
    Ok(FoundMember {
        name: member.name,
        kind: member.kind,
        after: member.after,
        spec,
    })
}
