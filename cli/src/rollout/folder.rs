//! The folder of a roll-out: a new one appears by one rename; in one that is there the lists of an older roll-out make room first. Nothing
//! else is ever replaced. While `rollout.json` is there, the lists are whole; it has their digests.

use super::{ROLLOUT_VERSION, Rollout};
use crate::json_text;
use serde::Deserialize;
use serde::de::IgnoredAny;
use shadowdiff_common::read::{Overlap, meets};
use shadowdiff_common::store::Location;
use shadowdiff_coordinator::{StagedFile, Staging};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::spec::Spec;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Put last.
const INDEX: &str = "rollout.json";
/// What begins like this is ours, and no list.
const OURS: &str = ".shadowdiff-";

/// What a `rollout.json` of ours has.
#[derive(Deserialize)]
struct Outline {
    version: u32,
    /// Its lists, by their names.
    files: BTreeMap<String, IgnoredAny>,
    #[serde(rename = "blocked")]
    _blocked: Vec<String>,
    #[serde(rename = "rings")]
    _rings: Vec<IgnoredAny>,
}

/// The lists in the making.
pub(super) struct Folder {
    pub(super) directory: PathBuf,
    staging: Staging,
    overwrite: bool,
}

/// A list in the making.
pub(super) struct List {
    name: String,
    file: StagedFile,
}

impl List {
    pub(super) fn line(&mut self, record: &str) -> Result<()> {
        writeln!(self.file, "{record}").map_err(full)
    }

    /// Closes the list, which the index names then.
    pub(super) fn finish(self, rollout: &mut Rollout) -> Result<()> {
        rollout.files.insert(self.name, self.file.finish()?);
        Ok(())
    }
}

impl Folder {
    /// Refuses a place that holds anything; with `overwrite` anything but an older roll-out.
    pub(super) fn at(output: &str, here: &Path, overwrite: bool) -> Result<Folder> {
        let Location::Local(directory) = Location::parse(output, here)? else {
            return Err(Error::spec(format!("{output} is not a local folder")).field("--output"));
        };
        let is_there = check(&directory, overwrite)?;
        let parent = directory.parent().unwrap_or(Path::new("/"));
        let staging = Staging::aside(if is_there { &directory } else { parent })?;
        Ok(Folder {
            directory,
            staging,
            overwrite,
        })
    }

    pub(super) fn create(&self, name: &str, header: &str) -> Result<List> {
        let mut list = List {
            name: name.to_owned(),
            file: self.staging.create(name)?,
        };
        list.line(header)?;
        Ok(list)
    }

    /// Makes the lists visible.
    pub(super) fn publish(self, rollout: &Rollout) -> Result<()> {
        let text = json_text(rollout)?;
        let mut index = self.staging.create(INDEX)?;
        index.write_all(text.as_bytes()).map_err(full)?;
        index.finish()?;
        // Somebody else may have written here meanwhile.
        if check(&self.directory, self.overwrite)? {
            self.replace(rollout)
                .map_err(|e| Error::exhausted(e.to_string()).file(self.directory.display()))
        } else {
            self.staging.rename(&self.directory)
        }
    }

    fn replace(&self, rollout: &Rollout) -> io::Result<()> {
        let directory = &self.directory;
        let folder = File::open(directory)?;
        let older = names_in(directory)?;
        // What was done before is on the disk first: a machine that stops cannot show an index over other lists.
        for name in older
            .iter()
            .filter(|name| *name == INDEX)
            .chain(older.iter().filter(|name| *name != INDEX))
        {
            std::fs::remove_file(directory.join(name))?;
            folder.sync_all()?;
        }
        for name in rollout.files.keys().map(String::as_str).chain([INDEX]) {
            let made = self.staging.path(name);
            File::open(&made)?.sync_all()?;
            folder.sync_all()?;
            std::fs::rename(made, directory.join(name))?;
        }
        folder.sync_all()
    }
}

/// Refuses a folder from which the next comparison would read a file of ours as data; relative paths of the spec start at `base`, as far as one
/// can tell.
pub(crate) fn refuse_inputs(folder: &Path, file: &str, spec: &Spec, base: &Path) -> Result<()> {
    let place = Location::Local(folder.to_owned());
    for path in spec.sides.each().into_iter().flat_map(|(_, side)| &side.paths) {
        if meets(path, base, &place, &[file])? != Overlap::Apart {
            return Err(Error::input(format!("{} meets {path}, which a comparison reads", folder.display()))
                .field("--output")
                .advice("name a folder of its own"));
        }
    }
    Ok(())
}

fn full(error: io::Error) -> Error {
    Error::exhausted(error.to_string()).field("--output")
}

/// Whether a folder is there. Fails where lists must not be written.
fn check(directory: &Path, overwrite: bool) -> Result<bool> {
    let refused = |what: String| Err(Error::input(format!("{} {what}", directory.display())).field("--output"));
    let names = match names_in(directory) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound && !directory.is_symlink() => return Ok(false),
        Err(e) => return refused(format!("cannot be written to: {e}")),
    };
    if let Some(other) = names.iter().find(|name| !is_ours(name)) {
        return refused(format!(
            "holds `{other}`; nothing but an older roll-out is ever replaced: name an empty or a new folder"
        ));
    }
    if names.is_empty() {
        return Ok(true);
    }
    let index = std::fs::read(directory.join(INDEX)).unwrap_or_default();
    let older = serde_json::from_slice::<Outline>(&index).ok();
    let Some(older) = older.filter(|older| older.version == ROLLOUT_VERSION) else {
        return refused(format!("holds `{}` and no roll-out: name an empty or a new folder", names[0]));
    };
    // Another file may only have the name of a list.
    if let Some(other) = names.iter().find(|name| *name != INDEX && !older.files.contains_key(*name)) {
        return refused(format!(
            "holds `{other}`, which is not of the roll-out there: move it away, or name an empty or a new folder"
        ));
    }
    match overwrite {
        true => Ok(true),
        false => refused("holds a roll-out; name another folder with --output, or replace it with --overwrite".to_owned()),
    }
}

/// In their order; without what is ours and no list.
fn names_in(directory: &Path) -> io::Result<Vec<String>> {
    let entries = std::fs::read_dir(directory)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: io::Result<Vec<String>> = names.collect();
    let mut names: Vec<String> = names?.into_iter().filter(|name| !name.starts_with(OURS)).collect();
    names.sort();
    Ok(names)
}

fn is_ours(name: &str) -> bool {
    let ring = name.strip_prefix("ring-").and_then(|rest| rest.strip_suffix(".csv"));
    let is_ring = ring.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    is_ring || ["rest.csv", "hold.csv", "flip-back.csv", "not-compared.csv", INDEX].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_of_a_roll_out_are_ours() {
        for (name, ours) in [
            ("ring-1.csv", true),
            ("ring-12.csv", true),
            ("ring-.csv", false),
            ("ring-a.csv", false),
            ("rest.csv", true),
            ("diff.csv", false),
            ("summary.json", false),
        ] {
            assert_eq!(is_ours(name), ours, "{name}");
        }
    }
}
