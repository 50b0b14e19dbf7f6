//! The file of a suite: many tasks whose outputs are compared together.
//!
//! ```text
//! name: nightly                                what reports and labels call it
//! output: s3://results/nightly/                each task's result lies in a folder of its own below it
//! defaults: {account: account_id}              fields of a spec, for all tasks that have no spec file
//! folders: {live: prod/{task}/, shadow: new/{task}/, skip: [tmp_*]}      every folder that `{task}` stands for is a task
//! tasks:                                       tasks by name, or more about those that were found
//!   - {name: scores, spec: scores.yaml, set: {day: 2026-11-01}}
//!   - {name: invoices, spec: {key: [invoice]}, after: [scores]}
//! same_inputs:                                 what both sides read must be the same
//!   - {name: raw, live: prod/raw/, shadow: new/raw/, account: account_id}
//! ```
//! A task that only one side has is kept by name, so that whoever judges the suite cannot miss it.

mod members;

use super::document::{self, Content, Entry, Node, Position};
use super::fields::{COLUMNS, CSV, GROUPS, READINESS, SPEC, SQL, TYPES, per_side};
use super::group::{Group, NAMES, Shape, group};
use super::item::{Fields, Item, refuse_duplicates};
use super::mistakes::{Mistakes, member};
use super::model::Pattern;
use super::overrides::put;
use super::parse::Parsed;
use super::suite_order::Named;
use super::variables;
use crate::error::{Error, Result};
use crate::side::{Side, Sides};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What stands for the name of a task.
const TASK: &str = "{task}";
/// More tasks than this are a pattern that takes what is not meant.
const MAX_TASKS: usize = 2_000;
/// Names are folders and labels.
const MAX_NAME_BYTES: usize = 100;
/// The file that lies beside the folders of the tasks.
pub const SUITE_FILE: &str = "suite.json";

/// What a member of a suite compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    /// What both sides made.
    Task,
    /// What both sides read.
    SameInputs,
}

/// A suite as it is written, before anybody has looked which folders there are.
#[derive(Debug)]
pub struct SuiteFile {
    pub name: Option<String>,
    pub output: Option<String>,
    /// Where the tasks' folders are, each with `{task}` in one name of its path.
    pub folders: Option<Sides<String>>,
    file: String,
    folders_at: Position,
    skip: Vec<Pattern>,
    defaults: Vec<Entry>,
    members: Vec<Written>,
}

/// A member as it is written.
#[derive(Debug)]
struct Written {
    name: String,
    kind: MemberKind,
    at: Position,
    path: String,
    after: Vec<Named>,
    spec: WrittenSpec,
}

#[derive(Debug)]
enum WrittenSpec {
    File { file: String, set: Vec<(String, String)> },
    Fields(Vec<Entry>),
}

/// What is compared, in its order.
#[derive(Debug)]
pub struct Suite {
    pub members: Vec<Member>,
    /// Tasks whose folder the other side lacks, by name.
    pub one_sided: Sides<Vec<String>>,
    /// Folders that `skip` leaves out.
    pub skipped: Vec<String>,
}

/// A comparison of a suite.
#[derive(Debug)]
pub struct Member {
    pub name: String,
    pub kind: MemberKind,
    /// The members that it follows.
    pub after: Vec<String>,
    pub spec: MemberSpec,
}

#[derive(Debug)]
pub enum MemberSpec {
    /// Its paths start at the folder of the suite.
    Inline(Box<Parsed>),
    File {
        file: String,
        /// The values of its variables.
        set: Vec<(String, String)>,
        /// The folders that were found, in place of its own data.
        data: Option<Sides<String>>,
    },
}

/// Those of a suite, the suite itself first.
pub(super) static SUITE_GROUPS: [&Group; 4] = [&SUITE, &FOLDERS, &TASK_FIELDS, &INPUTS];

group! {
    /// Tasks whose outputs are compared together.
    static SUITE = "suite" {
        /// What reports and labels call it. Default: the file's name.
        "name": Shape::Text,
        /// Where the results go, each in a folder of its own.
        "output": Shape::Text,
        /// Fields of a spec, for all tasks without a spec file.
        "defaults": Shape::Group(&SPEC),
        /// Where the tasks' folders are.
        "folders": Shape::Group(&FOLDERS),
        /// Tasks by name, or more about those that were found.
        "tasks": Shape::List(&Shape::AnyOf(&[Shape::Text, Shape::Group(&TASK_FIELDS)])),
        /// What both sides read, which must be the same.
        "same_inputs": Shape::List(&Shape::Group(&INPUTS)),
    }
}

group! {
    /// Folders or files in which `{task}` stands for the name of a task.
    static FOLDERS = "folders" {
        /// Where live's are, such as prod/{task}/.
        required "live": Shape::Text,
        /// Where shadow's are.
        required "shadow": Shape::Text,
        /// Tasks that are left out; `*` stands for any characters.
        "skip": NAMES,
    }
}

group! {
    /// A task of a suite.
    static TASK_FIELDS = "task" {
        /// The name, unique; that of its folder.
        required "name": Shape::Text,
        /// The file of its spec, or fields that take the place of the defaults.
        "spec": Shape::AnyOf(&[Shape::Text, Shape::Group(&SPEC)]),
        /// The values of the variables of its spec file.
        "set": Shape::Map(&Shape::Value),
        /// What it follows: other tasks, or same inputs.
        "after": NAMES,
    }
}

group! {
    /// Data that both sides read.
    static INPUTS = "same_inputs" {
        /// The name, unique among the tasks too.
        required "name": Shape::Text,
        /// What live read.
        required "live": NAMES,
        /// What shadow read.
        required "shadow": NAMES,
        /// Any column or columns that both have.
        required "account": NAMES,
        /// The columns that name a row. Default: the account columns.
        "key": NAMES,
        /// Only rows for which it is true.
        "where": per_side(&SQL),
        /// Types of columns.
        "schema": per_side(&TYPES),
        /// How CSV files are written.
        "csv": per_side(&Shape::Group(&CSV)),
        /// A marker file.
        "ready": per_side(&READINESS),
        /// Which columns take part.
        "columns": Shape::Group(&COLUMNS),
    }
}

/// Reads the file of a suite; `file` is only named in messages.
///
/// # Errors
/// Every mistake at once, each with its place. Those of the tasks' specs show when it is known which tasks there are.
pub fn parse_suite(text: &str, file: &str, set: &[(String, String)]) -> Result<SuiteFile> {
    let mut mistakes = Mistakes::new(file, GROUPS);
    let mut root = document::read(text).map_err(|misread| misread.file(file))?;
    variables::replace(&mut root, set, &BTreeSet::new(), &mut mistakes);
    refuse_duplicates(&root, "", &mut mistakes);
    let root = Item::root(&root);
    let read = root
        .fields(&SUITE, &mut mistakes)
        .map(|fields| suite_file(&fields, file, &mut mistakes));
    let (_, found) = mistakes.split();
    Error::all(found)?;
    read.ok_or_else(|| Error::internal("a suite without a mistake is whole"))
}

fn suite_file(fields: &Fields<'_>, file: &str, mistakes: &mut Mistakes) -> SuiteFile {
    let name = fields.with("name", read_name, mistakes);
    let folders = fields
        .get("folders")
        .and_then(|item| Some((item.node.at, item.fields(&FOLDERS, mistakes)?)));
    let patterns = folders.as_ref().map(|(_, of)| Sides::from_fn(|side| pattern(of, side, mistakes)));
    let skip = folders.as_ref().and_then(|(_, of)| names(of, "skip", mistakes)).unwrap_or_default();
    let mut members = Vec::new();
    for (list, kind) in [("same_inputs", MemberKind::SameInputs), ("tasks", MemberKind::Task)] {
        let items = fields
            .get(list)
            .and_then(|item| item.list("a list of mappings", mistakes))
            .unwrap_or_default();
        members.extend(items.iter().filter_map(|item| written(item, kind, mistakes)));
    }
    let defaults = fields.with("defaults", entries, mistakes);
    if patterns.is_some() {
        for entry in defaults.iter().filter(|entry| Side::named(&entry.key).is_some()) {
            let what = Error::spec("`folders` says where the data are").advice("take one of the two out");
            mistakes.add(entry.key_at, &member("defaults", &entry.key), what);
        }
    }
    if patterns.is_none() && !members.iter().any(|member| member.kind == MemberKind::Task) {
        fields.wrong(
            mistakes,
            Error::spec("has no task").advice("name them in `tasks`, or the folders where they are in `folders`"),
        );
    }
    SuiteFile {
        name,
        output: fields.text("output", mistakes),
        // Not whole only where a mistake was noted.
        folders: patterns.and_then(|of| Some(Sides::new(of.live?, of.shadow?))),
        file: file.to_owned(),
        folders_at: folders.map_or(Position::START, |(at, _)| at),
        skip: skip.into_iter().map(|name| Pattern(name.text)).collect(),
        defaults,
        members,
    }
}

/// `None` only where a mistake was noted.
fn written(item: &Item<'_>, kind: MemberKind, mistakes: &mut Mistakes) -> Option<Written> {
    let (name, after, spec) = if item.is_scalar() && kind == MemberKind::Task {
        (read_name(item, mistakes)?, Vec::new(), WrittenSpec::Fields(Vec::new()))
    } else {
        let group = match kind {
            MemberKind::Task => &TASK_FIELDS,
            MemberKind::SameInputs => &INPUTS,
        };
        let fields = item.fields(group, mistakes)?;
        let name = fields.with("name", read_name, mistakes);
        let (after, spec) = match kind {
            MemberKind::Task => (names(&fields, "after", mistakes).unwrap_or_default(), task_spec(&fields, mistakes)?),
            MemberKind::SameInputs => (Vec::new(), WrittenSpec::Fields(strict(item, mistakes))),
        };
        (name?, after, spec)
    };
    Some(Written {
        name,
        kind,
        at: item.node.at,
        path: item.path.clone(),
        after,
        spec,
    })
}

fn task_spec(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<WrittenSpec> {
    let set = fields.get("set");
    let file = fields.get("spec").filter(Item::is_scalar);
    let Some(file) = file else {
        if let Some(set) = set {
            set.wrong(
                mistakes,
                Error::spec("no spec file has variables here").advice("write `${name}` in the suite, or name a file in `spec`"),
            );
        }
        return Some(WrittenSpec::Fields(fields.with("spec", entries, mistakes)));
    };
    let mut values = Vec::new();
    for (entry, item) in set
        .and_then(|set| set.pairs("a mapping from names to values", mistakes))
        .unwrap_or_default()
    {
        values.push((entry.key.clone(), item.scalar("a value", mistakes)?.to_owned()));
    }
    Some(WrittenSpec::File {
        file: file.text(mistakes)?.to_owned(),
        set: values,
    })
}

/// Same inputs have the same types too.
fn strict(item: &Item<'_>, mistakes: &mut Mistakes) -> Vec<Entry> {
    let mut own = entries(item, mistakes);
    own.retain(|entry| entry.key != "name");
    let fail = Entry {
        key: "type_changes".to_owned(),
        key_at: item.node.at,
        value: Node {
            at: item.node.at,
            ..Node::given("fail")
        },
    };
    let verdict = Node {
        at: item.node.at,
        content: Content::Mapping(vec![fail]),
    };
    put(&mut own, "verdict", verdict);
    own
}

fn entries(item: &Item<'_>, mistakes: &mut Mistakes) -> Vec<Entry> {
    let pairs = item.pairs("a mapping with fields of a spec", mistakes).unwrap_or_default();
    pairs.into_iter().map(|(entry, _)| entry.clone()).collect()
}

fn names(fields: &Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Vec<Named>> {
    let items = fields.get(name)?.one_or_more("a name, or a list of them", mistakes)?;
    let named = |item: &Item<'_>| {
        Some(Named {
            text: item.text(mistakes)?.to_owned(),
            at: item.node.at,
            path: item.path.clone(),
        })
    };
    Some(items.iter().filter_map(named).collect())
}

fn read_name(item: &Item<'_>, mistakes: &mut Mistakes) -> Option<String> {
    item.text(mistakes)?;
    item.read("a name", |text| check_name(text).map(|()| text.to_owned()), mistakes)
}

/// Whether a name may be a folder beside `suite.json`, and a label.
fn check_name(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.starts_with(char::is_alphanumeric)
        && name.chars().all(is_plain)
        && name.len() <= MAX_NAME_BYTES
        && !name.eq_ignore_ascii_case(SUITE_FILE)
    {
        return Ok(());
    }
    Err(
        Error::spec(format!("`{name}` cannot be the name of a folder of results")).advice(format!(
            "begin with a letter or a digit, go on with these, `-`, `_` or `.`, to at most {MAX_NAME_BYTES} bytes"
        )),
    )
}

/// `None` only where a mistake was noted.
fn pattern(fields: &Fields<'_>, side: Side, mistakes: &mut Mistakes) -> Option<String> {
    let item = fields.get(side.name())?;
    item.text(mistakes)?;
    item.read("a folder or a file", read_pattern, mistakes)
}

fn read_pattern(text: &str) -> Result<String> {
    let Some((before, after)) = text.split_once(TASK) else {
        return Err(Error::spec(format!("`{text}` has no {TASK}")).advice("write it where the name of the task stands"));
    };
    if after.contains(TASK) {
        return Err(Error::spec(format!("`{text}` has {TASK} more than once")).advice("write it once"));
    }
    let name_end = after.split('/').next().unwrap_or_default();
    let is_wild = |part: &str| part.contains(['*', '?', '[', '{']);
    if is_wild(before) || is_wild(name_end) {
        let what = Error::spec(format!("`{text}` has a wildcard before {TASK} or in the same name"));
        return Err(what.advice("wildcards may stand in the names after it"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
