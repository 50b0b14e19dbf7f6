//! Which members a suite has, once it is known which folders there are: each with its spec, in their order.

use super::{MAX_TASKS, Member, MemberKind, MemberSpec, Suite, SuiteFile, TASK, Written, WrittenSpec, check_name};
use crate::error::{Error, Result};
use crate::nearest::did_you_mean;
use crate::side::{Side, Sides};
use crate::spec::document::{Content, Node};
use crate::spec::fields::GROUPS;
use crate::spec::mistakes::{Mistakes, member};
use crate::spec::overrides::{Overrides, put};
use crate::spec::parse::read_tree;
use crate::spec::suite_order::{Named, ordered};
use std::collections::{BTreeMap, BTreeSet};

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
        let specs: Vec<Result<MemberSpec>> = self.members.iter().map(|of| self.spec(of, found, output)).collect();
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

    fn spec(&self, of: &Written, found: Option<&Sides<BTreeSet<String>>>, output: &str) -> Result<MemberSpec> {
        let is_found = |found: &Sides<BTreeSet<String>>| Side::BOTH.iter().any(|side| found[*side].contains(&of.name));
        let is_found = of.kind == MemberKind::Task && found.is_some_and(is_found);
        let folders = self.folders.as_ref().filter(|_| is_found);
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
