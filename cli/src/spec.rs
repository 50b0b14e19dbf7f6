//! Finds the spec: a file or stdin, with what the command line puts over it, or the command line alone.

use crate::args::SpecArgs;
use crate::init::propose_key;
use crate::process::working_directory;
use shadowdiff_common::store::Location;
use shadowdiff_coordinator::Reads;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::spec::{Day, Measure, Outside, Overrides, Parsed, ToleranceOverride, from_overrides, parse};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a result goes if nobody says.
const DEFAULT_OUTPUT: &str = "shadowdiff-out";
/// The spec that stands for stdin.
const STDIN: &str = "-";

/// A parsed spec and the folder its relative paths start at.
#[derive(Debug, Clone)]
pub(crate) struct SpecFile {
    pub(crate) parsed: Parsed,
    pub(crate) base: PathBuf,
    /// Where the spec was read from.
    pub(crate) file: Option<PathBuf>,
    pub(crate) output: String,
    /// No file says any of it.
    pub(crate) is_from_command_line: bool,
}

impl SpecFile {
    /// What a job of this spec reads.
    pub(crate) fn reads(&self) -> Reads<'_> {
        Reads {
            spec: &self.parsed.spec,
            base: &self.base,
            spec_file: self.file.as_deref(),
        }
    }

    /// Whether the spec or the command line names an output on this machine.
    pub(crate) fn has_local_output(&self) -> Result<bool> {
        let Some(output) = &self.parsed.spec.output.to else {
            return Ok(false);
        };
        let location = Location::parse(output, &self.base).map_err(|e| e.field("output"))?;
        Ok(matches!(location, Location::Local(_)))
    }
}

/// Reads the command line, and the spec that it names. Two datasets without a key end in a proposal, never in a comparison.
pub(crate) fn find(args: &SpecArgs) -> Result<SpecFile> {
    let here = working_directory()?;
    let (file, datasets) = positions(args)?;
    let base = match file {
        Some(STDIN) | None => here.clone(),
        Some(file) => folder(Path::new(file), &here),
    };
    let overrides = overrides(args, datasets, &here, &base);
    let has_both = overrides.live.is_some() && overrides.shadow.is_some();
    if file.is_none() && has_both && overrides.key.is_none() && overrides.account.is_none() {
        return Err(propose_key(overrides, &here));
    }
    let parsed = match file {
        Some(STDIN) => parse(&read_stdin()?, "stdin", &overrides)?,
        Some(file) => parse(&read(Path::new(file))?, file, &overrides)?,
        None => from_overrides(&overrides)?,
    };
    Ok(SpecFile {
        file: file.filter(|file| *file != STDIN).map(|file| here.join(file)),
        is_from_command_line: file.is_none(),
        output: output_of(&parsed, &base, &here),
        parsed,
        base,
    })
}

/// Where the result goes: as the spec says, else beside it.
fn output_of(parsed: &Parsed, base: &Path, here: &Path) -> String {
    let to = parsed.spec.output.to.clone();
    to.unwrap_or_else(|| from(DEFAULT_OUTPUT, base, here))
}

/// Reads a spec from its file, with values for its variables and a place for the result.
pub(crate) fn from_file(file: &str, set: &[(String, String)], output: Option<&str>) -> Result<SpecFile> {
    let here = working_directory()?;
    from_file_over(file, |base| Overrides {
        set: set.to_vec(),
        output: output.map(|place| from(place, &here, base)),
        ..Overrides::default()
    })
}

/// Reads a spec from its file, with what is put over it; that is made of the folder where its relative paths start.
pub(crate) fn from_file_over(file: &str, overrides: impl FnOnce(&Path) -> Overrides) -> Result<SpecFile> {
    let here = working_directory()?;
    let base = folder(Path::new(file), &here);
    let parsed = parse(&read(Path::new(file))?, file, &overrides(&base))?;
    Ok(SpecFile {
        file: Some(here.join(file)),
        is_from_command_line: false,
        output: output_of(&parsed, &base, &here),
        parsed,
        base,
    })
}

type Positions<'a> = (Option<&'a str>, Option<[&'a String; 2]>);

/// One position is a spec, two are live and shadow.
fn positions(args: &SpecArgs) -> Result<Positions<'_>> {
    match args.positions.as_slice() {
        [live, shadow] => {
            if let Some(spec) = [live, shadow].into_iter().find(|place| *place == STDIN || is_spec(place)) {
                return Err(Error::spec("a spec stands alone")
                    .file(spec)
                    .advice("put other datasets into its place with --live and --shadow"));
            }
            if !args.live.is_empty() || !args.shadow.is_empty() {
                return Err(Error::spec(format!("{live} {shadow}: are the two datasets already")).advice("take --live and --shadow out"));
            }
            Ok((None, Some([live, shadow])))
        }
        [one] if is_dataset(one) => {
            let what = if Path::new(one).is_dir() { "a directory" } else { "a dataset" };
            Err(Error::spec(format!("is {what}"))
                .file(one)
                .advice("give both datasets, first live, then shadow, or the file of a spec"))
        }
        [spec] => Ok((Some(spec), None)),
        _ => Ok((None, None)),
    }
}

/// `path` as seen from `folder`; as short as it can be, for it stands in messages.
pub(crate) fn from(path: &str, folder: &Path, start: &Path) -> String {
    if path.contains("://") || folder == start {
        path.to_owned()
    } else {
        folder.join(path).to_string_lossy().into_owned()
    }
}

fn overrides(args: &SpecArgs, datasets: Option<[&String; 2]>, here: &Path, base: &Path) -> Overrides {
    // Paths on the command line start where the command was given, those of a spec at its folder.
    let from_here = |path: &String| from(path, here, base);
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let paths = |list: &[String]| some(list).map(|list| list.iter().map(from_here).collect());
    let position = |at: usize| datasets.map(|datasets| vec![from_here(datasets[at])]);
    Overrides {
        live: position(0).or_else(|| paths(&args.live)),
        shadow: position(1).or_else(|| paths(&args.shadow)),
        account: some(&args.account),
        key: some(&args.key),
        filter: args.filter.clone(),
        exclude: args.exclude.clone(),
        tolerances: tolerances(args),
        csv: args.csv.csv.clone(),
        output: args.output.as_ref().map(from_here),
        set: args.set.clone(),
        outside: Outside::Flags,
    }
}

fn tolerances(args: &SpecArgs) -> Vec<ToleranceOverride> {
    let of = |given: &[(String, String)], measure: Measure| {
        let tolerances = given.iter().map(|(column, limit)| ToleranceOverride {
            column: column.clone(),
            measure,
            limit: limit.clone(),
        });
        tolerances.collect::<Vec<_>>()
    };
    [of(&args.absolute, Measure::Absolute), of(&args.relative, Measure::Relative)].concat()
}

fn is_spec(place: &str) -> bool {
    [".yaml", ".yml"].iter().any(|end| place.to_ascii_lowercase().ends_with(end))
}

/// Whether one position is data and not a spec, as far as its name and the disk tell. JSON may be either.
fn is_dataset(place: &str) -> bool {
    const ENDS: [&str; 12] = [
        ".csv", ".tsv", ".parquet", ".avro", ".arrow", ".feather", ".jsonl", ".ndjson", ".gz", ".zst", ".bz2", ".xz",
    ];
    let name = place.to_ascii_lowercase();
    place.contains("://") || place.contains('*') || Path::new(place).is_dir() || ENDS.iter().any(|end| name.ends_with(end))
}

pub(crate) fn read(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::spec("there is no such spec").file(file.display()),
        _ => Error::spec(e.to_string()).file(file.display()),
    })?;
    text(bytes, &file.to_string_lossy())
}

fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|e| Error::spec(format!("stdin: {e}")))?;
    text(bytes, "stdin")
}

fn text(bytes: Vec<u8>, name: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::spec("is not UTF-8 text").file(name))
}

pub(crate) fn folder(file: &Path, here: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => here.join(parent),
        Some(_) | None => here.to_owned(),
    }
}

/// The day in UTC.
pub(crate) fn today() -> Day {
    let seconds = now_ms() / 1000;
    Day::of_seconds(seconds)
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the time of one process, told to all else")]
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}
