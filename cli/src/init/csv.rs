//! Finds how CSV files are written where nobody says it: a look at the first bytes of the first file of a side.

use crate::again::again;
use shadowdiff_common::read::{CsvFindings, Format, Sources, csv_findings, list};
use shadowdiff_common::tasks::blocking;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{CsvOverride, Spec};
use std::path::Path;

/// Something that a file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The field of `csv:` that says it; `None` where only a person can tell which.
    pub(super) field: Option<CsvOverride>,
    file: String,
    seen: String,
}

impl Setting {
    /// The flag that says it.
    pub(super) fn flag(&self) -> Vec<String> {
        let Some(CsvOverride { side, name, value }) = &self.field else {
            return Vec::new();
        };
        let side = side.map(|side| format!("{side}.")).unwrap_or_default();
        vec!["--csv".to_owned(), format!("{side}{name}={value}")]
    }
}

/// What was seen, a line for the files that are alike.
pub(super) fn seen(found: &[Setting]) -> Vec<String> {
    let mut lines: Vec<(&str, Vec<&str>)> = Vec::new();
    for setting in found {
        match lines.iter_mut().find(|(file, _)| *file == setting.file) {
            Some((_, seen)) => seen.push(&setting.seen),
            None => lines.push((&setting.file, vec![&setting.seen])),
        }
    }
    lines
        .iter()
        .map(|(file, seen)| format!("{file}: seen were {}", seen.join(", ")))
        .collect()
}

/// What the files of each side ask for, said once where both ask for the same. What `spec` says already is not looked for.
pub(super) async fn find(spec: &Spec, here: &Path, sources: &Sources) -> Result<Vec<Setting>> {
    let live = of_side(spec, Side::Live, here, sources).await?;
    let shadow = of_side(spec, Side::Shadow, here, sources).await?;
    Ok(together(live, shadow))
}

/// Where files on the command line were not understood: with which flags they are.
pub(crate) async fn with_csv_flags(error: Error, spec: &Spec, here: &Path, sources: &Sources) -> Error {
    // What goes wrong here went wrong before.
    let found = find(spec, here, sources).await.unwrap_or_default();
    let flags: Vec<String> = found.iter().flat_map(Setting::flag).collect();
    if flags.is_empty() {
        return error;
    }
    let seen = seen(&found).into_iter().map(|line| format!("  {line}"));
    let advice = ["  if that is right, read them so with".to_owned(), format!("    {}", again(&flags))];
    let lines: Vec<String> = seen.chain(advice).collect();
    let more = Error::new(error.kind, lines.join("\n"));
    error.and(more)
}

async fn of_side(spec: &Spec, side: Side, here: &Path, sources: &Sources) -> Result<Vec<Setting>> {
    let dataset = list(side, &spec.sides[side], here, &sources.stores).await?;
    let (Format::Csv, Some(file)) = (dataset.format, dataset.files.first().cloned()) else {
        return Ok(Vec::new());
    };
    let (csv, sources, name) = (spec.sides[side].csv.clone(), sources.clone(), file.name.clone());
    let found = blocking("a reader", move || csv_findings(&file, &csv, &sources)).await?;
    Ok(settings(&found, side, &name))
}

fn settings(found: &CsvFindings, side: Side, file: &str) -> Vec<Setting> {
    let field = |name: &str, value: &str| {
        Some(CsvOverride {
            side: Some(side),
            name: name.to_owned(),
            value: value.to_owned(),
        })
    };
    let mut seen = Vec::new();
    if let Some(label) = found.encoding {
        seen.push((field("encoding", label), format!("bytes of {label}")));
    }
    if let Some(byte) = found.delimiter {
        let text = char::from(byte).to_string();
        let (value, shown) = if byte == b'\t' {
            ("\\t", "a tab")
        } else {
            (text.as_str(), text.as_str())
        };
        seen.push((field("delimiter", value), format!("{shown} between fields")));
    }
    if found.decimal_comma {
        seen.push((field("decimal", ","), "decimal commas".to_owned()));
    }
    match found.dates.as_slice() {
        [] => {}
        [pattern] => seen.push((field("dates", pattern), format!("dates as {pattern}"))),
        several => {
            let patterns = several.join(" or ");
            seen.push((None, format!("dates as {patterns} (which? say it as dates of csv)")));
        }
    }
    let settings = seen.into_iter().map(|(field, seen)| Setting {
        field,
        file: file.to_owned(),
        seen,
    });
    settings.collect()
}

/// What both sides ask for becomes a setting of both.
fn together(live: Vec<Setting>, mut shadow: Vec<Setting>) -> Vec<Setting> {
    let of_both = |field: &Option<CsvOverride>| field.clone().map(|field| CsvOverride { side: None, ..field });
    let mut all = Vec::new();
    for mut setting in live {
        let is_same = |other: &Setting| other.seen == setting.seen && of_both(&other.field) == of_both(&setting.field);
        if let Some(at) = shadow.iter().position(is_same) {
            let other = shadow.remove(at);
            setting.field = of_both(&setting.field);
            setting.file = format!("{} and {}", setting.file, other.file);
        }
        all.push(setting);
    }
    all.extend(shadow);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_sides_ask_for_is_said_once() {
        let german = CsvFindings {
            delimiter: Some(b';'),
            decimal_comma: true,
            dates: vec!["%d.%m.%Y"],
            ..CsvFindings::default()
        };
        let other = CsvFindings {
            encoding: Some("windows-1252"),
            delimiter: Some(b'\t'),
            dates: vec!["%d/%m/%Y", "%m/%d/%Y"],
            ..CsvFindings::default()
        };
        let flags = |live: &CsvFindings, shadow: &CsvFindings| {
            let found = together(settings(live, Side::Live, "l.csv"), settings(shadow, Side::Shadow, "s.csv"));
            let flags: Vec<String> = found.iter().flat_map(Setting::flag).filter(|word| word != "--csv").collect();
            (flags.join(" "), seen(&found).join("\n"))
        };
        assert_eq!(
            flags(&german, &german),
            (
                "delimiter=; decimal=, dates=%d.%m.%Y".to_owned(),
                "l.csv and s.csv: seen were ; between fields, decimal commas, dates as %d.%m.%Y".to_owned()
            )
        );
        let (apart, seen_apart) = flags(&german, &other);
        assert_eq!(
            apart,
            "live.delimiter=; live.decimal=, live.dates=%d.%m.%Y shadow.encoding=windows-1252 shadow.delimiter=\\t"
        );
        let shadow = "bytes of windows-1252, a tab between fields, dates as %d/%m/%Y or %m/%d/%Y (which? say it as dates of csv)";
        assert!(seen_apart.ends_with(&format!("\ns.csv: seen were {shadow}")), "{seen_apart}");
    }
}
