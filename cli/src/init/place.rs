//! Writes the path of a dataset so that it means the same from the spec's folder as it does from the working directory.

use shadowdiff_common::store::Location;
use std::path::{Component, Path, PathBuf};

/// `path` as written in a spec in `folder`; both may be relative to `here`. Absolute paths stay as they are, URLs but for secrets.
pub(super) fn seen_from(path: &str, folder: &Path, here: &Path) -> String {
    if path.contains("://") {
        return Location::shown(path);
    }
    if Path::new(path).is_absolute() {
        return path.to_owned();
    }
    let folder = here.join(folder);
    let (plain, whole) = (normalized(&folder), normalized(&here.join(path)));
    if plain == normalized(here) {
        return path.to_owned();
    }
    // Behind a symbolic link `..` leads elsewhere.
    let is_direct = folder.canonicalize().is_ok_and(|real| real == plain);
    let seen = if is_direct || whole.starts_with(&plain) {
        relative(&whole, &plain)
    } else {
        whole
    };
    let slash = if path.ends_with('/') { "/" } else { "" };
    format!("{}{slash}", seen.to_string_lossy())
}

fn normalized(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => plain.push(component),
        }
    }
    plain
}

fn relative(path: &Path, folder: &Path) -> PathBuf {
    let shared = path.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    let down = path.components().skip(shared);
    let seen: PathBuf = up.chain(down).collect();
    if seen.as_os_str().is_empty() { PathBuf::from(".") } else { seen }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_folder_of_the_spec() {
        for (path, folder, expected) in [
            ("live.csv", "", "live.csv"),
            ("./live/", ".", "./live/"),
            ("/data/live", "specs", "/data/live"),
            ("s3://b/live/", "specs", "s3://b/live/"),
            ("https://u:p@h/live.csv?sig=1", "specs", "https://h/live.csv"),
            ("no-such-folder/day=*/", "no-such-folder", "day=*/"),
            ("live.csv", "no-such-folder", "/no-such-place/live.csv"),
        ] {
            assert_eq!(
                seen_from(path, Path::new(folder), Path::new("/no-such-place")),
                expected,
                "{path} from {folder}"
            );
        }
    }

    #[test]
    fn one_path_is_relative_to_another() {
        for (path, folder, expected) in [
            ("/a/b/c", "/a/x/y", "../../b/c"),
            ("/a/b", "/a", "b"),
            ("/a", "/a", "."),
            ("/a", "/a/b", ".."),
        ] {
            assert_eq!(
                relative(Path::new(path), Path::new(folder)),
                Path::new(expected),
                "{path} from {folder}"
            );
        }
    }
}
