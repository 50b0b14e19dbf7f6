//! Tells whether a place that is to be written touches what is read: whether it holds an input, or lies where the next listing of an
//! input would find what is written there.
//!
//! Paths are compared as the file system resolves them, links and `..` followed, whether they exist yet or not.

use super::selection::DatasetEntry;
use super::{Dataset, wanted};
use crate::store::Location;
use shadowdiff_core::error::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a place meets an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    Apart,
    /// The place is the input, or a folder above it.
    Holds,
    /// The place lies below the input, and what is written there would be listed as a part of it.
    Inside,
}

/// How `place`, where files called `names` are written, meets the entry `text` of a spec.
pub fn meets(text: &str, base: &Path, place: &Location, names: &[&str]) -> Result<Overlap> {
    let wanted = wanted(text, base)?;
    Ok(match (&wanted.location, place) {
        (Location::Local(read), Location::Local(written)) => local(&wanted, read, written, names),
        (
            Location::Object { root, key, .. },
            Location::Object {
                root: other, key: written, ..
            },
        ) if bucket(root) == bucket(other) => below(&wanted, &segments(key), &segments(written), names),
        (Location::Local(_) | Location::Object { .. }, _) => Overlap::Apart,
    })
}

/// The name of a listed file that a local place holds, reached by whatever link.
pub fn held_file<'a>(place: &Path, datasets: impl IntoIterator<Item = &'a Dataset>) -> Option<&'a str> {
    let place = real(place);
    let mut folders: BTreeMap<&Path, bool> = BTreeMap::new();
    for file in datasets.into_iter().flat_map(|dataset| &dataset.files) {
        let Location::Local(path) = &file.location else { continue };
        let folder = path.parent().unwrap_or(path);
        let in_folder = *folders.entry(folder).or_insert_with(|| holds(&place, folder));
        if in_folder || (path.is_symlink() && real(path).starts_with(&place)) {
            return Some(&file.name);
        }
    }
    None
}

fn local(wanted: &DatasetEntry, read: &Path, written: &Path, names: &[&str]) -> Overlap {
    let place = real(written);
    if holds(&place, read) {
        return Overlap::Holds;
    }
    let root = real(read);
    let (Some(root), Some(place)) = (root.to_str(), place.to_str()) else {
        return Overlap::Apart;
    };
    below(wanted, &segments(root), &segments(place), names)
}

/// Whether a real folder is `path` or above it, by its real path or by the path as written: a link on the way may lie in the folder.
fn holds(place: &Path, path: &Path) -> bool {
    real(path).starts_with(place) || path.ancestors().any(|above| real(above) == place)
}

/// The path with all links followed, as far as it exists.
fn real(path: &Path) -> PathBuf {
    path.ancestors()
        .find_map(|above| {
            let found = std::fs::canonicalize(above).ok()?;
            let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
            // Joining an empty rest would add a slash.
            Some(if rest.as_os_str().is_empty() { found } else { found.join(rest) })
        })
        .unwrap_or_else(|| path.to_owned())
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

fn below(wanted: &DatasetEntry, read: &[&str], written: &[&str], names: &[&str]) -> Overlap {
    if read.starts_with(written) {
        return Overlap::Holds;
    }
    match written.strip_prefix(read) {
        Some(folders) if names.iter().any(|name| would_list(wanted, folders, name)) => Overlap::Inside,
        Some(_) | None => Overlap::Apart,
    }
}

/// Whether a listing would take the file `name` in these folders below its root.
fn would_list(wanted: &DatasetEntry, folders: &[&str], name: &str) -> bool {
    let entered = (0..folders.len()).all(|d| !wanted.skips(&folders[..d], folders[d], true) && wanted.enters(&folders[..=d]));
    let path: Vec<&str> = folders.iter().copied().chain([name]).collect();
    entered && !wanted.skips(folders, name, false) && wanted.takes(&path)
}

/// The bucket or container behind a root, whichever of its schemes names it. Two accounts may have a container of one name; a place that
/// might be the same is taken to be.
fn bucket(root: &str) -> (&str, &str) {
    let (scheme, authority) = root.split_once("://").unwrap_or(("", root));
    match scheme {
        "s3" | "s3a" => ("s3", authority),
        "az" | "azure" | "adl" | "abfs" | "abfss" => ("az", authority.split_once('@').map_or(authority, |(container, _)| container)),
        scheme => (scheme, authority),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn meet(text: &str, base: &Path, place: &str) -> Overlap {
        let place = Location::parse(place, base).expect(place);
        meets(text, base, &place, &["diff.csv", "summary.json"]).expect(text)
    }

    #[test]
    fn a_local_place_meets_inputs_by_whatever_way_they_are_written() {
        let home = tempfile::tempdir().expect("tempdir");
        let base = home.path();
        for folder in ["in/day=1", "out", "far"] {
            std::fs::create_dir_all(base.join(folder)).expect("mkdir");
        }
        for file in ["in/day=1/l.csv", "far/real.csv", "one.csv"] {
            std::fs::write(base.join(file), "id\n").expect("write");
        }
        symlink("in", base.join("link")).expect("link");
        symlink("../far/real.csv", base.join("out/linked.csv")).expect("link");
        symlink(".", base.join("out/here")).expect("link");
        let absolute = base.join("in").to_string_lossy().into_owned();
        use Overlap::{Apart, Holds, Inside};
        for (input, place, expected) in [
            ("one.csv", ".", Holds),
            ("one.csv", "out/..", Holds),
            ("one.csv", "new/../", Holds),
            ("one.csv", "..", Holds),
            ("one.csv", "out", Apart),
            ("one.csv", "new/deep", Apart),
            ("in", "in", Holds),
            ("in", "link", Holds),
            ("link", "in", Holds),
            (&absolute, "in/day=1/..", Holds),
            ("in", "in/day=1", Inside),
            ("in", "link/new", Inside),
            ("link/day=1", "in", Holds),
            ("in/day=1/l.csv", "in", Holds),
            ("in/day=1/l.csv", "in/new", Apart),
            // Listings pass over these names.
            ("in", "in/_out", Apart),
            ("in", "in/.out", Apart),
            ("in", "in/_out=1", Inside),
            ("*.csv", ".", Holds),
            ("*.csv", "out", Apart),
            ("*", "out", Inside),
            ("**/*.csv", "new", Inside),
            ("in/*/*.csv", "in/new", Inside),
            ("in/*/l*.csv", "in/new", Apart),
            (".", "new", Inside),
            // Links into the place and out of it.
            ("out/linked.csv", "far", Holds),
            ("out/linked.csv", "out", Holds),
            ("out/here/linked.csv", "out", Holds),
            ("s3://b/x.csv", ".", Apart),
        ] {
            assert_eq!(meet(input, base, place), expected, "{input} -> {place}");
        }
    }

    #[test]
    fn a_place_on_a_store_meets_inputs_in_its_bucket() {
        use Overlap::{Apart, Holds, Inside};
        let base = Path::new("/");
        for (input, place, expected) in [
            ("s3://b/live/x.csv", "s3://b/live", Holds),
            ("s3://b/live/x.csv", "s3a://b/live/", Holds),
            ("s3://b/live/x.csv", "s3://b", Holds),
            ("s3://b/live/x.csv", "s3://c", Apart),
            ("s3://b/live/x.csv", "s3://b/liv", Apart),
            ("s3://b/live/", "s3://b/live/out", Inside),
            ("s3://b/live", "s3://b/live/_out", Apart),
            ("s3://b/live/d=*/*.parquet", "s3://b/live/out", Apart),
            ("s3://b/live/*", "s3://b/live/out", Inside),
            ("az://c/live", "abfss://c@acc.dfs.core.windows.net/live", Holds),
            ("gs://b/live", "s3://b/live", Apart),
            ("/live", "s3://b/live", Apart),
        ] {
            assert_eq!(meet(input, base, place), expected, "{input} -> {place}");
        }
    }
}
