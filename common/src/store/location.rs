//! Where a file, directory or glob is: a local path, or a key below the root of an object store.

use super::access::Access;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::redact::redacted;
use std::path::{Component, Path, PathBuf};

/// A place. The text of a glob is a place too: its wildcards stay in path or key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Location {
    /// Absolute.
    Local(PathBuf),
    /// `root` is scheme and authority (`s3://bucket`), `key` the rest without a leading slash, as the store knows it.
    /// `access` is never stored.
    Object {
        root: String,
        key: String,
        #[serde(skip)]
        access: Access,
    },
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
                // Of Azure's `container@account` the first part is no user.
                let is_container = scheme.starts_with('a') && !authority.contains(':');
                if authority.contains('@') && !is_container || redacted(text) != text {
                    return Err(Error::spec("a user, password or query in the URL is not used").file(text).advice(
                        "credentials come from the environment \
                         (docs/operating.md). A wildcard before `name=` is written `*`",
                    ));
                }
                Ok(Location::Object {
                    root: format!("{scheme}://{authority}"),
                    key: key.to_string(),
                    access: Access::default(),
                })
            }
            scheme @ ("http" | "https") => {
                let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
                if address.contains('#') {
                    return Err(Error::spec("'#' begins a fragment, which no server sees")
                        .file(text)
                        .advice("write %23 if the name holds it"));
                }
                let (authority, key) = split_authority(address, text)?;
                let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
                Ok(Location::Object {
                    root: format!("{scheme}://{host}"),
                    key: decode(key, text)?,
                    access: Access::new(user, query.split('#').next().unwrap_or_default()),
                })
            }
            scheme => Err(Error::spec(format!("unknown scheme '{scheme}://'"))
                .file(text)
                .advice("use a local path, file://, s3://, gs://, az://, abfss://, http:// or https://")),
        }
    }

    /// A path or URL as it may be shown: an http address without user and query.
    pub fn shown(text: &str) -> String {
        let is_http = text
            .split_once("://")
            .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"));
        let shown = if is_http {
            text.split(['?', '#']).next().unwrap_or_default()
        } else {
            text
        };
        redacted(shown).into_owned()
    }

    pub fn is_http(&self) -> bool {
        matches!(self, Location::Object { root, .. } if root.starts_with("http://") || root.starts_with("https://"))
    }

    /// What the address holds besides the place.
    pub fn access(&self) -> Option<&Access> {
        match self {
            Location::Local(_) => None,
            Location::Object { access, .. } => Some(access).filter(|access| !access.is_empty()),
        }
    }

    /// The key as the object store takes it; the empty path for the root.
    pub fn key(&self) -> Result<object_store::path::Path> {
        match self {
            Location::Local(path) => Err(Error::internal(format!("{} is not an object", path.display()))),
            Location::Object { root, key, .. } => {
                object_store::path::Path::parse(key).map_err(|e| Error::input(format!("{root}/{key}: the name cannot be used: {e}")))
            }
        }
    }
}

fn split_authority<'a>(rest: &'a str, text: &str) -> Result<(&'a str, &'a str)> {
    let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.is_empty() {
        return Err(Error::spec("the URL has no bucket or host").file(text));
    }
    Ok((authority, key))
}

fn file_url(rest: &str, text: &str) -> Result<Location> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(Error::spec("a file URL needs an absolute path: file:///folder/name").file(text));
    }
    local(PathBuf::from(decode(path, text)?), text)
}

fn decode(part: &str, text: &str) -> Result<String> {
    let decoded = percent_decode_str(part).decode_utf8();
    Ok(decoded
        .map_err(|_| Error::spec("the percent-encoded bytes are not UTF-8").file(text))?
        .into_owned())
}

fn local(path: PathBuf, text: &str) -> Result<Location> {
    let path = std::path::absolute(&path).map_err(|e| Error::spec(format!("`{text}` is not a path: {e}")))?;
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
            access: Access::default(),
        }
    }

    #[test]
    fn what_is_secret_of_an_address_is_kept_apart() {
        let location = parsed("https://us%40er:p%3Aw@h:81/a%20b.csv?sig=x/y@z#f");
        let Location::Object { root, key, access } = &location else {
            panic!("{location:?} is not an object")
        };
        assert_eq!((root.as_str(), key.as_str()), ("https://h:81", "a b.csv"));
        assert_eq!(access.login().as_deref(), Some(&b"us@er:p:w"[..]));
        assert_eq!(access.query(), Some("sig=x/y@z"));
        let shown = format!("{location:?} {}", serde_json::to_string(&location).expect("a plan holds it"));
        assert!(!shown.contains("sig") && !shown.contains("p%3Aw"), "{shown}");
        assert_ne!(
            location,
            parsed("https://h:81/a%20b.csv?sig=other"),
            "another query may be another file"
        );
        assert_eq!(Location::shown("https://u:p@h/a%20b.csv?sig=x"), "https://h/a%20b.csv");
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
            ("https://h/x#y", "fragment"),
            ("s3://key:secret@b/x", "environment"),
            ("gs://user@b/x", "environment"),
            ("s3://b/x.csv?X-Amz-Signature=1", "environment"),
            ("abfss://c:secret@acc.dfs.core.windows.net/x", "environment"),
        ] {
            let error = Location::parse(text, Path::new("/spec")).expect_err(text);
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
