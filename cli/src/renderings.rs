//! `--html`, `--markdown` and `--junit`: a result in files of other forms, besides where it lies.
//!
//! Such a file replaces an empty one or an older one of ours, known by its mark, and nothing else. The older one is removed before the run
//! begins: who finds a file has the outcome of the last run, not of one before it that ended well.

use crate::render::excerpt;
use clap::Args;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::render::{Excerpt, ExcerptSizes, MARK, html, junit, markdown};
use shadowdiff_core::report::Summary;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The mark is in the first line or in the second.
const HEAD_BYTES: u64 = 200;

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RenderingArgs {
    /// Write the result as a page for people too: one file without a network, less than 2 MB
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the result as a comment for a pull request too, in Markdown of less than 60 KB
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the verdict as test cases in JUnit XML too: one for each threshold and each rule of the spec
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl RenderingArgs {
    /// Takes away the files of an earlier run; refuses those that are not ours.
    pub(crate) fn prepare(&self) -> Result<()> {
        self.files().try_for_each(|(flag, file)| remove_ours(flag, file))
    }

    /// Writes the files that are asked for. `directory`: where the result can be read.
    pub(crate) fn write(&self, summary: &Summary, directory: &Path) -> Result<()> {
        let excerpt = match (&self.html, &self.markdown) {
            (Some(_), _) => excerpt(directory, summary, OF_A_PAGE),
            (None, Some(_)) => excerpt(directory, summary, OF_A_COMMENT),
            (None, None) => Excerpt::default(),
        };
        self.write_each(|flag| flag.rendered(summary, &excerpt))
    }

    /// Writes the files that are asked for, each as `rendered` says.
    pub(crate) fn write_each(&self, rendered: impl Fn(Flag) -> String) -> Result<()> {
        self.files().try_for_each(|(flag, file)| write(flag, file, &rendered(flag)))
    }

    fn files(&self) -> impl Iterator<Item = (Flag, &Path)> {
        let all = [
            (Flag::Html, &self.html),
            (Flag::Markdown, &self.markdown),
            (Flag::Junit, &self.junit),
        ];
        all.into_iter().filter_map(|(flag, file)| Some((flag, file.as_deref()?)))
    }
}

/// What a page shows of the tables.
const OF_A_PAGE: ExcerptSizes = ExcerptSizes {
    accounts: 2_000,
    patterns: 1_000,
    lines_of_a_pattern: 3,
    changes_of_a_column: 5,
};
/// What a comment does: the first of these.
const OF_A_COMMENT: ExcerptSizes = ExcerptSizes {
    accounts: 10,
    patterns: 10,
    lines_of_a_pattern: 2,
    changes_of_a_column: 0,
};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Flag {
    Html,
    Markdown,
    Junit,
}

impl Flag {
    fn name(self) -> &'static str {
        match self {
            Flag::Html => "--html",
            Flag::Markdown => "--markdown",
            Flag::Junit => "--junit",
        }
    }

    fn rendered(self, summary: &Summary, excerpt: &Excerpt) -> String {
        match self {
            Flag::Html => html(summary, excerpt),
            Flag::Markdown => markdown(summary, excerpt),
            Flag::Junit => junit(summary),
        }
    }
}

/// Takes away the file of an earlier run; refuses one that is not ours.
pub(crate) fn remove_ours(flag: Flag, file: &Path) -> Result<()> {
    // What cannot be looked at is not there, or says so when it is written.
    let Ok(found) = std::fs::metadata(file) else { return Ok(()) };
    let of = |what: &str| Error::input(format!("{} {what}", file.display())).field(flag.name());
    if found.is_dir() {
        return Err(of("is a directory").advice("name a file"));
    }
    // Such as /dev/stdout.
    if !found.is_file() {
        return Ok(());
    }
    if found.len() > 0 && !is_ours(file).map_err(|e| of(&format!("cannot be read: {e}")))? {
        return Err(of("holds something else; it is left as it is").advice("name a new file, or one that an earlier run wrote"));
    }
    std::fs::remove_file(file).map_err(|e| of(&format!("cannot be replaced: {e}")))
}

fn is_ours(file: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    File::open(file)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(String::from_utf8_lossy(&head).contains(&format!("<!-- {MARK} -->")))
}

/// The folder may be that of the result, which appeared with it.
pub(crate) fn write(flag: Flag, file: &Path, text: &str) -> Result<()> {
    let failed = |e: std::io::Error| Error::exhausted(e.to_string()).file(file.display()).field(flag.name());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(file, text).map_err(failed)
}
