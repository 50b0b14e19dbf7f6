//! Finds the spec: a file, with what the command line puts over it, or the command line alone.

use crate::args::SpecArgs;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::spec::{Day, Overrides, Parsed, from_overrides, parse};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a result goes if nobody says.
const DEFAULT_OUTPUT: &str = "shadowdiff-out";

/// A parsed spec and the folder its relative paths start at.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) parsed: Parsed,
    pub(crate) base: PathBuf,
    pub(crate) output: String,
}

pub(crate) fn find(args: &SpecArgs) -> Result<Found> {
    let here = std::env::current_dir().map_err(|e| Error::input(format!("the working directory is gone: {e}")))?;
    // Paths on the command line start where the command was given, those of a spec at its folder.
    let from_here = |path: &String| {
        if path.contains("://") {
            path.clone()
        } else {
            here.join(path).to_string_lossy().into_owned()
        }
    };
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let paths = |list: &[String]| some(list).map(|list| list.iter().map(from_here).collect());
    let overrides = Overrides {
        live: paths(&args.live),
        shadow: paths(&args.shadow),
        account: some(&args.account),
        key: some(&args.key),
        output: args.output.as_ref().map(from_here),
        set: args.set.clone(),
    };
    let (parsed, base) = match &args.spec {
        Some(file) => (parse(&read(file)?, &file.to_string_lossy(), &overrides)?, folder(file, &here)),
        None => (from_overrides(&overrides)?, here.clone()),
    };
    let output = parsed
        .spec
        .output
        .to
        .clone()
        .unwrap_or_else(|| base.join(DEFAULT_OUTPUT).to_string_lossy().into_owned());
    Ok(Found { parsed, base, output })
}

fn read(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::spec(format!("{}: there is no such spec", file.display())),
        std::io::ErrorKind::IsADirectory => Error::spec(format!("{}: is a directory; name the spec in it", file.display())),
        _ => Error::spec(format!("{}: {e}", file.display())),
    })?;
    String::from_utf8(bytes).map_err(|_| Error::spec(format!("{}: is not UTF-8 text", file.display())))
}

fn folder(file: &Path, here: &Path) -> PathBuf {
    here.join(file.parent().unwrap_or(Path::new("")))
}

/// The day in UTC.
pub(crate) fn today() -> Day {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Day((seconds / 86_400) as i32)
}
