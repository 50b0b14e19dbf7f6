//! Says by which key two datasets could be compared, and with which command, where the command line has none.

use super::csv::seen;
use super::key::are_whole;
use super::{Inspection, look, share};
use crate::again::again;
use crate::process::block_on;
use shadowdiff_core::error::Error;
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::Overrides;
use std::path::Path;

/// Compares nothing: a key that nobody has looked at makes differences that are none.
pub(crate) fn propose_key(asked: Overrides, here: &Path) -> Error {
    match block_on(look(asked, here)) {
        Ok(found) => Error::spec(words(&found).join("\n")),
        Err(error) => error,
    }
}

fn words(found: &Inspection) -> Vec<String> {
    let mut lines = vec!["--key must say which columns name a row; nothing was compared".to_owned()];
    lines.extend(seen(&found.csv_found).iter().map(|line| format!("  {line}")));
    let key = found.keys.key.join(",");
    if !found.keys.tested.as_ref().is_some_and(|tested| tested.is_unique()) {
        lines.push(format!("  no columns were found that name each row once; {key} comes nearest"));
        lines.push("  `shadowdiff init LIVE SHADOW` writes a spec that says more".to_owned());
        return lines;
    }
    lines.push(format!("  {key} names each row once{}", among(found)));
    lines.push(format!("  rows {}", partners(found)));
    let technical: Vec<&str> = found.technical().map(|change| found.name(change)).collect();
    let mut flags = vec!["--key".to_owned(), key];
    if !technical.is_empty() {
        let names = technical.join(",");
        lines.push(format!(
            "  {names}: different in nearly every row, which looks like a time or an id of the run"
        ));
        flags.extend(["--exclude".to_owned(), names]);
    }
    flags.extend(found.csv_found.iter().flat_map(|setting| setting.flag()));
    lines.push("  compare with".to_owned());
    lines.push(format!("    {}", again(&flags)));
    lines
}

fn among(found: &Inspection) -> &'static str {
    if are_whole(&found.samples) {
        " on both sides"
    } else {
        " among the first rows of both sides"
    }
}

/// How many rows of each side have no partner on the other.
pub(super) fn partners(found: &Inspection) -> String {
    let common = found.keys.tested.as_ref().map_or(0, |tested| tested.common);
    let alone = Side::BOTH.map(|side| {
        let rows = found.samples[side].rows;
        let keys = rows - found.keys.tested.as_ref().map_or(0, |tested| tested.duplicates[side]);
        let alone = keys.saturating_sub(common);
        format!("{alone} of {keys} in {side} ({})", share(alone, keys))
    });
    format!("without a partner on the other side: {}", alone.join(", "))
}
