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

use super::document::{self, Content, Entry, Node, Position};
use super::fields::GROUPS;
use super::group::{Group, NAMES, Shape, field, required};
use super::item::{Fields, Item, refuse_duplicates};
use super::mistakes::{Mistakes, member};
use super::model::Pattern;
use super::overrides::{Overrides, put};
use super::parse::{Parsed, read_tree};
use super::suite_order::{Named, ordered};
use super::variables;
use crate::error::{Error, Result};
use crate::nearest::did_you_mean;
use crate::side::{Side, Sides};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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

static SUITE: Group = Group {
    name: "suite",
    about: "Tasks whose outputs are compared together.",
    fields: &[
        field("name", Shape::Text, "What reports and labels call it. Default: the file's name."),
        field("output", Shape::Text, "Where the results go, each in a folder of its own."),
        field(
            "defaults",
            Shape::Map(&Shape::Value),
            "Fields of a spec, for all tasks without a spec file.",
        ),
        field("folders", Shape::Group(&FOLDERS), "Where the tasks' folders are."),
        field(
            "tasks",
            Shape::List(&Shape::Group(&TASK_FIELDS)),
            "Tasks by name, or more about those that were found.",
        ),
        field(
            "same_inputs",
            Shape::List(&Shape::Group(&INPUTS)),
            "What both sides read, which must be the same.",
        ),
    ],
};

static FOLDERS: Group = Group {
    name: "folders",
    about: "Folders or files in which `{task}` stands for the name of a task.",
    fields: &[
        required("live", Shape::Text, "Where live's are, such as prod/{task}/."),
        required("shadow", Shape::Text, "Where shadow's are."),
        field("skip", NAMES, "Tasks that are left out; `*` stands for any characters."),
    ],
};

static TASK_FIELDS: Group = Group {
    name: "task",
    about: "A task of a suite.",
    fields: &[
        required("name", Shape::Text, "The name, unique; that of its folder."),
        field(
            "spec",
            Shape::AnyOf(&[Shape::Text, Shape::Map(&Shape::Value)]),
            "The file of its spec, or fields that take the place of the defaults.",
        ),
        field("set", Shape::Map(&Shape::Value), "The values of the variables of its spec file."),
        field("after", NAMES, "What it follows: other tasks, or same inputs."),
    ],
};

static INPUTS: Group = Group {
    name: "same_inputs",
    about: "Data that both sides read.",
    fields: &[
        required("name", Shape::Text, "The name, unique among the tasks too."),
        required("live", NAMES, "What live read."),
        required("shadow", NAMES, "What shadow read."),
        required("account", NAMES, "Any column or columns that both have."),
        field("key", NAMES, "The columns that name a row. Default: the account columns."),
        field("where", Shape::Sides(&Shape::Sql), "Only rows for which it is true."),
        field("schema", Shape::Sides(&Shape::Map(&Shape::Type)), "Types of columns."),
        field("csv", Shape::Map(&Shape::Value), "How CSV files are written."),
        field("ready", Shape::Map(&Shape::Value), "A marker file."),
        field("columns", Shape::Map(&Shape::Value), "Which columns take part."),
    ],
};

/// Reads the file of a suite; `file` is only named in messages.
///
/// # Errors
/// Every mistake at once, each with its place. Those of the tasks' specs show when it is known which tasks there are.
pub fn parse_suite(text: &str, file: &str, set: &[(String, String)]) -> Result<SuiteFile> {
    let mut mistakes = Mistakes::new(file, GROUPS);
    let mut root = document::read(text).map_err(|misread| misread.file(file))?;
    variables::replace(&mut root, set, &BTreeSet::new(), &mut mistakes);
    refuse_duplicates(&root, "", &mut mistakes);
    let root = Item {
        node: &root,
        path: String::new(),
    };
    let read = root
        .fields(&SUITE, &mut mistakes)
        .map(|fields| suite_file(&fields, file, &mut mistakes));
    let (_, found) = mistakes.split();
    Error::all(found)?;
    read.ok_or_else(|| Error::internal("a suite without a mistake is whole"))
}

fn suite_file(fields: &Fields<'_>, file: &str, mistakes: &mut Mistakes) -> SuiteFile {
    let name = fields.get("name").and_then(|item| read_name(&item, mistakes));
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
    let defaults = fields.get("defaults").map(|item| entries(&item, mistakes)).unwrap_or_default();
    if patterns.is_some() {
        for entry in defaults.iter().filter(|entry| is_side(&entry.key)) {
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

fn is_side(name: &str) -> bool {
    Side::BOTH.iter().any(|side| side.name() == name)
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
        let name = fields.get("name").and_then(|item| read_name(&item, mistakes));
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
        let own = fields.get("spec").map(|item| entries(&item, mistakes));
        return Some(WrittenSpec::Fields(own.unwrap_or_default()));
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
    let text = item.text(mistakes)?;
    let wrong = |what: Error, mistakes: &mut Mistakes| item.wrong(mistakes, what);
    match text.matches(TASK).count() {
        1 => {}
        0 => {
            return wrong_none(
                wrong,
                Error::spec(format!("`{text}` has no {TASK}")).advice("write it where the name of the task stands"),
                mistakes,
            );
        }
        _ => {
            return wrong_none(
                wrong,
                Error::spec(format!("`{text}` has {TASK} more than once")).advice("write it once"),
                mistakes,
            );
        }
    }
    let (before, after) = text.split_once(TASK)?;
    let name_end = after.split('/').next().unwrap_or_default();
    let is_wild = |part: &str| part.contains(['*', '?', '[', '{']);
    if is_wild(before) || is_wild(name_end) {
        let what = Error::spec(format!("`{text}` has a wildcard before {TASK} or in the same name"));
        return wrong_none(wrong, what.advice("wildcards may stand in the names after it"), mistakes);
    }
    Some(text.to_owned())
}

fn wrong_none<T>(wrong: impl Fn(Error, &mut Mistakes), what: Error, mistakes: &mut Mistakes) -> Option<T> {
    wrong(what, mistakes);
    None
}

impl SuiteFile {
    /// The members in their order, each with its spec and its place below `output`. `found`: the names that stand for `{task}` on each side,
    /// where there are folders.
    ///
    /// # Errors
    /// Every mistake at once, of names, of `after`, and of the specs that stand in this file.
    pub fn members(mut self, found: Option<&Sides<BTreeSet<String>>>, output: &str) -> Result<Suite> {
        let mut mistakes = Mistakes::new(&self.file, GROUPS);
        let mut skipped = Vec::new();
        let mut one_sided = Sides::default();
        if let Some(found) = found {
            skipped = self.add_found(found, &mut mistakes);
            one_sided = self.take_one_sided(found, &mut mistakes);
        }
        self.refuse_twice(&mut mistakes);
        if self.members.len() > MAX_TASKS {
            let what = Error::spec(format!("the suite has {} tasks", self.members.len()));
            mistakes.add(
                self.folders_at,
                "",
                what.advice(format!("at most {MAX_TASKS} are compared together: divide it")),
            );
        }
        let known: Vec<(&str, &[Named])> = self.members.iter().map(|of| (of.name.as_str(), of.after.as_slice())).collect();
        let others: Vec<&str> = Side::BOTH
            .into_iter()
            .flat_map(|side| &one_sided[side])
            .map(String::as_str)
            .collect();
        let order = ordered(&known, &others, &mut mistakes);
        let specs: Vec<Result<MemberSpec>> = self.members.iter().map(|of| self.spec(of, found.is_some(), output)).collect();
        let mut specs: BTreeMap<usize, MemberSpec> = gathered(specs, mistakes)?.into_iter().enumerate().collect();
        let member = |at: usize| {
            let of = &self.members[at];
            Some(Member {
                name: of.name.clone(),
                kind: of.kind,
                after: of.after.iter().map(|name| name.text.clone()).collect(),
                spec: specs.remove(&at)?,
            })
        };
        Ok(Suite {
            members: order.into_iter().filter_map(member).collect(),
            one_sided,
            skipped,
        })
    }

    /// Adds the tasks that have a folder and are not written; gives those that are left out.
    fn add_found(&mut self, found: &Sides<BTreeSet<String>>, mistakes: &mut Mistakes) -> Vec<String> {
        for side in Side::BOTH {
            if found[side].is_empty() {
                let pattern = self.folders.as_ref().map(|folders| folders[side].clone()).unwrap_or_default();
                let what = Error::spec(format!("no task is found: nothing is called like `{pattern}`"));
                mistakes.add(self.folders_at, &member("folders", side.name()), what.advice("check the path"));
            }
        }
        let all: BTreeSet<&String> = found.live.union(&found.shadow).collect();
        let (skipped, taken): (Vec<&String>, Vec<&String>) = all.into_iter().partition(|name| self.skip.iter().any(|of| of.matches(name)));
        for name in taken {
            if self.members.iter().any(|of| of.kind == MemberKind::Task && of.name == *name) {
                continue;
            }
            if let Err(what) = check_name(name) {
                mistakes.add(
                    self.folders_at,
                    "folders",
                    what.advice("give the folder another name, or leave it out by `skip`"),
                );
            }
            self.members.push(Written {
                name: name.clone(),
                kind: MemberKind::Task,
                at: self.folders_at,
                path: "folders".to_owned(),
                after: Vec::new(),
                spec: WrittenSpec::Fields(Vec::new()),
            });
        }
        for of in self.members.iter().filter(|of| skipped.contains(&&of.name)) {
            let what = Error::spec(format!("`{}` is a task here, and `folders.skip` leaves it out", of.name));
            mistakes.add(of.at, &of.path, what.advice("take one of the two out"));
        }
        skipped.into_iter().cloned().collect()
    }

    /// Takes out the tasks that lack the data of one side; those that lack both are mistakes.
    fn take_one_sided(&mut self, found: &Sides<BTreeSet<String>>, mistakes: &mut Mistakes) -> Sides<Vec<String>> {
        let mut one_sided: Sides<Vec<String>> = Sides::default();
        let members = std::mem::take(&mut self.members);
        for of in members {
            let has = Sides::from_fn(|side| found[side].contains(&of.name) || of.says(side));
            match (of.kind, has.live, has.shadow) {
                (MemberKind::Task, true, false) => one_sided.live.push(of.name),
                (MemberKind::Task, false, true) => one_sided.shadow.push(of.name),
                (MemberKind::Task, false, false) if !of.has_file() => {
                    let known = found.live.union(&found.shadow).map(String::as_str);
                    let what = Error::spec(format!("neither side has a folder of `{}`", of.name));
                    let what = match did_you_mean(&of.name, known) {
                        Some(near) => what.advice(near),
                        None => what.advice("correct the name, or say in its `spec` where its data are"),
                    };
                    mistakes.add(of.at, &of.path, what);
                }
                (MemberKind::Task | MemberKind::SameInputs, _, _) => self.members.push(of),
            }
        }
        one_sided.map(|mut names| {
            names.sort();
            names
        })
    }

    /// Results of two members never lie in one folder, nor where upper and lower case are one.
    fn refuse_twice(&self, mistakes: &mut Mistakes) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for of in &self.members {
            if let Some(other) = seen.insert(of.name.to_lowercase(), &of.name) {
                let what = Error::spec(format!("`{}` and `{other}` would write into one folder", of.name));
                mistakes.add(of.at, &of.path, what.advice("give each its own name"));
            }
        }
    }

    fn spec(&self, of: &Written, has_folders: bool, output: &str) -> Result<MemberSpec> {
        let folders = self.folders.as_ref().filter(|_| has_folders && of.kind == MemberKind::Task);
        let named = |text: &str| text.replace(TASK, &of.name);
        let fields = match &of.spec {
            WrittenSpec::File { file, set } => {
                return Ok(MemberSpec::File {
                    file: named(file),
                    set: set.iter().map(|(name, value)| (name.clone(), named(value))).collect(),
                    data: folders.map(|folders| Sides::from_fn(|side| named(&folders[side]))),
                });
            }
            WrittenSpec::Fields(fields) => fields,
        };
        let mut merged = if of.kind == MemberKind::Task {
            self.defaults.clone()
        } else {
            Vec::new()
        };
        for side in Side::BOTH {
            if let Some(folders) = folders {
                let data = Node {
                    at: self.folders_at,
                    ..Node::given(&folders[side])
                };
                put(&mut merged, side.name(), data);
            }
        }
        for entry in fields {
            merged.retain(|other| other.key != entry.key);
            merged.push(entry.clone());
        }
        let mut root = Node {
            at: of.at,
            content: Content::Mapping(merged),
        };
        name_task(&mut root, &of.name);
        let mut mistakes = Mistakes::new(&self.file, GROUPS);
        refuse_place(&root, &mut mistakes);
        let overrides = Overrides {
            output: Some(format!("{}/{}", output.trim_end_matches('/'), of.name)),
            ..Overrides::default()
        };
        read_tree(root, &self.file, &overrides, mistakes).map(|parsed| MemberSpec::Inline(Box::new(parsed)))
    }
}

impl Written {
    /// Whether it says itself where the data of a side are.
    fn says(&self, side: Side) -> bool {
        match &self.spec {
            WrittenSpec::File { .. } => false,
            WrittenSpec::Fields(fields) => fields.iter().any(|entry| entry.key == side.name()),
        }
    }

    fn has_file(&self) -> bool {
        matches!(self.spec, WrittenSpec::File { .. })
    }
}

/// The specs, or all that is wrong, each thing once: what stands in the defaults is wrong for every task.
fn gathered(specs: Vec<Result<MemberSpec>>, mistakes: Mistakes) -> Result<Vec<MemberSpec>> {
    let (_, mut found) = mistakes.split();
    let mut seen = BTreeSet::new();
    let mut whole = Vec::new();
    for spec in specs {
        match spec {
            Ok(spec) => whole.push(spec),
            Err(mut error) => {
                let others = std::mem::take(&mut error.others);
                found.extend(std::iter::once(error).chain(others).filter(|one| seen.insert(one.to_string())));
            }
        }
    }
    Error::all(found)?;
    Ok(whole)
}

/// The suite says where results go.
fn refuse_place(root: &Node, mistakes: &mut Mistakes) {
    let Content::Mapping(entries) = &root.content else { return };
    let Some(output) = entries.iter().find(|entry| entry.key == "output") else {
        return;
    };
    let names_place = match &output.value.content {
        Content::Scalar { .. } => true,
        Content::Mapping(options) => options.iter().any(|option| option.key == "to"),
        Content::List(_) => false,
    };
    if names_place {
        let what = Error::spec("the suite says where the results go, each in a folder of its own");
        mistakes.add(output.key_at, "output", what.advice("name the place in the suite's `output`"));
    }
}

/// Puts the name of the task in the place of `{task}`, in every text below.
fn name_task(node: &mut Node, name: &str) {
    match &mut node.content {
        Content::Scalar { text, .. } => {
            if text.contains(TASK) {
                *text = text.replace(TASK, name);
            }
        }
        Content::List(items) => items.iter_mut().for_each(|item| name_task(item, name)),
        Content::Mapping(entries) => entries.iter_mut().for_each(|entry| name_task(&mut entry.value, name)),
    }
}

#[cfg(test)]
mod tests;
