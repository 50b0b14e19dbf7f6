//! Lists local files through the file system, so that every name it allows works.

use super::selection::{DatasetEntry, refuse_table, table_format};
use super::{Listed, ListedFile, pin_of_file};
use crate::store::{Location, io_error};
use shadowdiff_core::error::{Error, Result};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// Directories deeper than this are a loop of links.
const MAX_DEPTH: usize = 64;

pub(super) fn list(wanted: &DatasetEntry) -> Result<Listed> {
    let Location::Local(path) = &wanted.location else {
        return Err(Error::internal(format!("{} is not local", wanted.shown)));
    };
    let shown = if wanted.shown.is_empty() { "." } else { &wanted.shown };
    let metadata = std::fs::metadata(path).map_err(|e| io_error(&e, shown))?;
    let mut listed = Listed {
        found: Vec::new(),
        skipped: 0,
    };
    if metadata.is_dir() {
        refuse_tables_above(path)?;
        Walk {
            wanted,
            listed: &mut listed,
        }
        .directory(path, &mut Vec::new())?;
    } else if wanted.glob.is_none() {
        let relative = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        listed.found.push(found(wanted.shown.clone(), relative, path.clone(), &metadata)?);
    }
    Ok(listed)
}

fn found(name: String, relative: String, path: PathBuf, metadata: &Metadata) -> Result<ListedFile> {
    if !metadata.is_file() {
        return Err(Error::input(format!("{name} is neither a file nor a directory"))
            .advice("both sides are read more than once, so copy it to a file"));
    }
    Ok(ListedFile {
        name,
        relative,
        location: Location::Local(path),
        pin: pin_of_file(metadata),
    })
}

/// One partition of a table is part of the table.
fn refuse_tables_above(path: &Path) -> Result<()> {
    let is_partition = |path: &&Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains('='));
    let mut directory = path;
    while let Some(parent) = Some(directory).filter(is_partition).and_then(Path::parent) {
        directory = parent;
        for marker in ["_delta_log", ".hoodie"] {
            if let Some(format) = table_format(&[marker]).filter(|_| parent.join(marker).is_dir()) {
                return refuse_table(&parent.display().to_string(), format);
            }
        }
    }
    Ok(())
}

struct Walk<'a> {
    wanted: &'a DatasetEntry,
    listed: &'a mut Listed,
}

impl Walk<'_> {
    /// `below`: the names from the root down to this directory.
    fn directory(&mut self, path: &Path, below: &mut Vec<String>) -> Result<()> {
        let shown = self.wanted.name_below(&below.join("/"));
        if below.len() > MAX_DEPTH {
            return Err(Error::input(format!("more than {MAX_DEPTH} directories deep"))
                .file(shown)
                .advice("is there a loop of links?"));
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|e| io_error(&e, &shown))? {
            names.push(entry.map_err(|e| io_error(&e, &shown))?.file_name());
        }
        names.sort();
        for name in names {
            let child = path.join(&name);
            let Some(name) = name.to_str() else {
                return Err(Error::input("the name is not UTF-8").file(child.display()).advice("rename it"));
            };
            self.child(&child, name, &shown, below)?;
        }
        Ok(())
    }

    fn child(&mut self, path: &Path, name: &str, shown: &str, below: &mut Vec<String>) -> Result<()> {
        let relative = if below.is_empty() {
            name.to_string()
        } else {
            format!("{}/{name}", below.join("/"))
        };
        let shown_child = self.wanted.name_below(&relative);
        let parents: Vec<&str> = below.iter().map(String::as_str).collect();
        let names: Vec<&str> = parents.iter().copied().chain([name]).collect();
        // Links are followed; one that leads nowhere is data that is lost, unless its name is passed over anyway.
        let metadata = std::fs::metadata(path);
        let is_directory = metadata.as_ref().is_ok_and(Metadata::is_dir);
        if is_directory && let Some(format) = table_format(&[name]).or_else(|| iceberg(path, name)) {
            return refuse_table(shown, format);
        }
        if self.wanted.skips(&parents, name, is_directory) {
            self.listed.skipped += 1;
            return Ok(());
        }
        if is_directory {
            if self.wanted.enters(&names) {
                below.push(name.to_string());
                self.directory(path, below)?;
                below.pop();
            }
            return Ok(());
        }
        if self.wanted.takes(&names) {
            let metadata = metadata.map_err(|e| io_error(&e, &shown_child))?;
            self.listed.found.push(found(shown_child, relative, path.to_path_buf(), &metadata)?);
        }
        Ok(())
    }
}

fn iceberg(path: &Path, name: &str) -> Option<&'static str> {
    if name != "metadata" {
        return None;
    }
    let files = std::fs::read_dir(path)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    files.into_iter().find_map(|file| table_format(&[name, &file]))
}
