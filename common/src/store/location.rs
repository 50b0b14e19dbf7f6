//! Where a file, directory or glob is: a local path, or a key below the root of an object store.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use shadowdiff_core::error::{Error, Result};
use std::path::{Component, Path, PathBuf};

/// A place. The text of a glob is a place too: its wildcards stay in path or key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Location {
    /// Absolute.
    Local(PathBuf),
    /// `root` is scheme and authority (`s3://bucket`), `key` the rest without a leading slash, as the store knows it.
    Object { root: String, key: String },
}

impl Location {
    /// Reads a path or URL of a spec; relative paths start at `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Location> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return local(base.join(text), text);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => file_url(rest, text),
            scheme @ ("s3" | "s3a" | "gs" | "az" | "azure" | "adl" | "abfs" | "abfss") => {
                let (authority, key) = split_authority(rest, text)?;
                Ok(Location::Object {
                    root: format!("{scheme}://{authority}"),
                    key: key.to_string(),
                })
            }
            scheme @ ("http" | "https") => {
                let (authority, key) = split_authority(rest, text)?;
                if key.contains(['?', '#']) {
                    return Err(Error::spec(format!(
                        "{text}: an http address with '?' or '#' cannot be read; copy the file, or use the store's own URL"
                    )));
                }
                Ok(Location::Object {
                    root: format!("{scheme}://{authority}"),
                    key: decode(key, text)?,
                })
            }
            scheme => Err(Error::spec(format!(
                "{text}: unknown scheme '{scheme}://'; use a local path, file://, s3://, gs://, az://, abfss://, http:// or https://"
            ))),
        }
    }

    /// The key as the object store takes it; the empty path for the root.
    pub fn key(&self) -> Result<object_store::path::Path> {
        match self {
            Location::Local(path) => Err(Error::internal(format!("{} is no object", path.display()))),
            Location::Object { root, key } => {
                object_store::path::Path::parse(key).map_err(|e| Error::input(format!("{root}/{key}: the name cannot be used: {e}")))
            }
        }
    }
}

fn split_authority<'a>(rest: &'a str, text: &str) -> Result<(&'a str, &'a str)> {
    let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.is_empty() {
        return Err(Error::spec(format!("{text}: the URL names no bucket or host")));
    }
    Ok((authority, key))
}

fn file_url(rest: &str, text: &str) -> Result<Location> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(Error::spec(format!(
            "{text}: a file URL needs an absolute path: file:///folder/name"
        )));
    }
    local(PathBuf::from(decode(path, text)?), text)
}

fn decode(part: &str, text: &str) -> Result<String> {
    let decoded = percent_decode_str(part).decode_utf8();
    Ok(decoded
        .map_err(|_| Error::spec(format!("{text}: the percent-encoded bytes are not UTF-8")))?
        .into_owned())
}

fn local(path: PathBuf, text: &str) -> Result<Location> {
    let path = std::path::absolute(&path).map_err(|e| Error::spec(format!("'{text}' is no path: {e}")))?;
    Ok(Location::Local(normalize(&path)))
}

/// Takes `..` out, so that one file has one path. A symbolic link before `..` is followed, as the system would.
fn normalize(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        if component != Component::ParentDir {
            plain.push(component);
            continue;
        }
        if plain.is_symlink() {
            plain = std::fs::canonicalize(&plain).unwrap_or(plain);
        }
        plain.pop();
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Location {
        Location::parse(text, Path::new("/spec")).expect(text)
    }

    fn object(root: &str, key: &str) -> Location {
        Location::Object {
            root: root.into(),
            key: key.into(),
        }
    }

    #[test]
    fn places() {
        assert_eq!(parsed("live/100% + #1?.csv"), Location::Local("/spec/live/100% + #1?.csv".into()));
        assert_eq!(parsed("./a/../L%3ABC.parquet"), Location::Local("/spec/L%3ABC.parquet".into()));
        assert_eq!(parsed("file:///data/a%20b.csv"), Location::Local("/data/a b.csv".into()));
        assert_eq!(
            parsed("s3://b/slot=12%3A30/a b#1?.csv"),
            object("s3://b", "slot=12%3A30/a b#1?.csv")
        );
        assert_eq!(parsed("S3://b"), object("s3://b", ""));
        assert_eq!(
            parsed("abfss://c@acc.dfs.core.windows.net/x"),
            object("abfss://c@acc.dfs.core.windows.net", "x")
        );
        assert_eq!(parsed("https://h:81/a%20b.csv"), object("https://h:81", "a b.csv"));
    }

    #[test]
    fn what_is_no_place_says_so() {
        for (text, word) in [
            ("ftp://x/y", "unknown scheme"),
            ("s3:///x", "no bucket"),
            ("file://x/y", "absolute"),
            ("https://h/x?sig=1", "'?'"),
        ] {
            let error = Location::parse(text, Path::new("/spec")).expect_err(text);
            assert!(error.message.contains(word), "{error}");
        }
    }
}
