//! Writes what was found as the text of a spec. Every proposal says why it is there.

use super::Inspection;
use super::change::{Change, ChangeKind};
use super::csv::seen;
use super::key::are_whole;
use super::propose::partners;
use super::schema::{Shared, TOLERANCES, Typed, is_printed_double, renames, tolerance};
use shadowdiff_common::read::Format;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::value::{ValueType, alike};
use shadowdiff_core::yaml::{list, one_or_list, scalar};
use std::fmt::Write;

/// Of more lines of one kind than this only the columns are named.
const SHOWN: usize = 20;
/// A longer list of columns goes over several lines.
const WIDTH: usize = 100;

/// The text of the spec; `paths` as the spec has them.
pub(super) fn render(found: &Inspection, paths: &Sides<String>) -> String {
    let sections = [
        head(found, paths),
        key(found),
        types(found),
        columns(found),
        comparators(found),
        expected(found),
        verdict(found),
    ];
    sections
        .iter()
        .filter(|section| !section.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("\n")
}

fn head(found: &Inspection, paths: &Sides<String>) -> String {
    let mut out = String::from(
        "# A first spec, from a look at both datasets. It is a proposal: read it, correct it, and write what the release\n\
         # is meant to change under `expected`.\n",
    );
    for side in Side::BOTH {
        let _ = writeln!(out, "# {side}: {}", looked_at(found, side));
    }
    out.push_str("# Relative paths start at the folder of this file.\n");
    for side in Side::BOTH {
        let _ = writeln!(out, "{side}: {}", scalar(&paths[side]));
    }
    out.push_str(&csv(found));
    out
}

/// How CSV files are written, for both sides at once where they are alike.
fn csv(found: &Inspection) -> String {
    let of = |side: Side| {
        let fields = found.csv.iter().filter(|field| field.side.is_none_or(|of| of == side));
        fields
            .map(|field| format!("{}: {}", field.name, csv_value(&field.name, &field.value)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let (live, shadow) = (of(Side::Live), of(Side::Shadow));
    let mut out = String::new();
    for line in seen(&found.csv_found) {
        let _ = writeln!(out, "# {line}");
    }
    let sides = [("live", &live), ("shadow", &shadow)];
    let sides: Vec<String> = sides
        .iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|(side, fields)| format!("{side}: {{{fields}}}"))
        .collect();
    match sides.as_slice() {
        [] => {}
        [_, _] if live == shadow => {
            let _ = writeln!(out, "csv: {{{live}}}");
        }
        sides => {
            let _ = writeln!(out, "csv: {{{}}}", sides.join(", "));
        }
    }
    out
}

/// As the command line means it: a header may be a flag; header, texts of NULL and forms of dates are lists.
fn csv_value(name: &str, value: &str) -> String {
    match (name, value) {
        ("header", "true" | "false") => value.to_owned(),
        ("header" | "null_values" | "dates", _) => list(&value.split(',').collect::<Vec<_>>()),
        _ => scalar(value),
    }
}

fn looked_at(found: &Inspection, side: Side) -> String {
    let (dataset, sample) = (&found.datasets[side], &found.samples[side]);
    let files = dataset.files.len();
    let rows = if sample.is_whole {
        format!("all {} rows", sample.rows)
    } else {
        format!("{} rows, not all,", sample.rows)
    };
    format!(
        "{files} {} {} ({rows} looked at)",
        dataset.format,
        if files == 1 { "file" } else { "files" }
    )
}

fn key(found: &Inspection) -> String {
    let mut out = String::new();
    let keys = &found.keys;
    let first = if keys.is_given {
        "The account and the key: as given."
    } else {
        "The account names a customer, the key names a row."
    };
    let _ = writeln!(out, "# {first}");
    for line in key_notes(found) {
        let _ = writeln!(out, "# {line}");
    }
    let _ = writeln!(out, "account: {}", one_or_list(&keys.account));
    let _ = writeln!(out, "key: {}", list(&keys.key));
    out
}

fn key_notes(found: &Inspection) -> Vec<String> {
    let rows = Sides::from_fn(|side| found.samples[side].rows);
    let Some(tested) = &found.keys.tested else {
        return vec!["Not tested: the sides have no type in common for one of them.".into()];
    };
    if rows.live == 0 || rows.shadow == 0 {
        let empty = if rows.live == 0 { Side::Live } else { Side::Shadow };
        return vec![format!("Not tested: {empty} has no rows.")];
    }
    let mut notes = Vec::new();
    let among = if are_whole(&found.samples) {
        ""
    } else {
        " among the rows looked at"
    };
    if tested.is_unique() {
        notes.push(format!("Tested: unique on both sides{among}; {} keys are on both.", tested.common));
        notes.push(format!("Rows {}{among}.", partners(found)));
    } else {
        let Sides { live, shadow } = tested.duplicates;
        notes.push(format!(
            "NOT UNIQUE{among}: {live} rows of live and {shadow} of shadow have the key of an earlier row, and become"
        ));
        notes.push("`duplicate_key` differences.".into());
        if !found.keys.is_given {
            notes.push(
                "No columns were found that name each row once; these come nearest. Is a column missing, or are these rows wrong?".into(),
            );
        }
    }
    if tested.common * 2 < rows.live.min(rows.shadow) {
        notes.push(format!(
            "Only {} keys are on both sides: is it the right key, and are these the same days?",
            tested.common
        ));
    }
    notes
}

/// Columns whose types differ but can be compared.
fn types(found: &Inspection) -> String {
    let leaves = found.schema.shared.iter();
    let differing = leaves.filter(|leaf| !alike(&leaf.types.live, &leaf.types.shadow));
    comments(
        "Types differ; these are compared by value (`verdict: {type_changes: fail}` forbids it):",
        differing.map(|leaf| {
            let Sides { live, shadow } = &leaf.types;
            (leaf.name.as_str(), format!(": {live} in live, {shadow} in shadow"))
        }),
    )
}

fn columns(found: &Inspection) -> String {
    let mut active = exclude(found);
    if let Some(casts) = casts_to_text(&found.schema.as_text) {
        active.push_str(
            "  # These have no common type, so they are compared as text; cast one side to the type of the other if that is meant.\n",
        );
        for typed in &found.schema.as_text {
            let _ = writeln!(
                active,
                "  #   {}: {} in live, {} in shadow",
                scalar(&typed.name),
                typed.types.live,
                typed.types.shadow
            );
        }
        let _ = writeln!(active, "  cast: {casts}");
    }
    let renames: Vec<String> = renames(&found.schema.only)
        .iter()
        .map(|(from, to)| format!("{}: {}", scalar(from), scalar(to)))
        .collect();
    let mut out = changed(found);
    if !active.is_empty() {
        let _ = write!(out, "columns:\n{active}");
    } else if !renames.is_empty() {
        out.push_str("# columns:\n");
    }
    if !renames.is_empty() {
        let indent = if active.is_empty() { "#   " } else { "  # " };
        let _ = writeln!(
            out,
            "{indent}rename: {{{}}}  # from shadow's name to live's, if they are one",
            renames.join(", ")
        );
    }
    out
}

fn exclude(found: &Inspection) -> String {
    let technical = |c| {
        (
            found.name(c),
            format!(
                "differs in {} of {} matched rows and looks technical",
                found.share(c),
                found.pairs.0.len()
            ),
        )
    };
    let clash = |c: &'_ Typed| {
        format!(
            "{} in live, {} in shadow: NOT COMPARED, for they have no common type",
            c.types.live, c.types.shadow
        )
    };
    let clashes = found.schema.clashes.iter().map(|c| (c.name.as_str(), clash(c)));
    let mut out = String::new();
    for (at, (name, why)) in found.technical().map(technical).chain(clashes).enumerate() {
        out.push_str(if at == 0 { "  exclude:\n" } else { "" });
        let _ = writeln!(out, "    - {}  # {why}", scalar(name));
    }
    out
}

fn casts_to_text(columns: &[Typed]) -> Option<String> {
    let of = |side: Side| {
        let others = columns.iter().filter(|typed| typed.types[side] != ValueType::Text);
        let casts: Vec<String> = others.map(|typed| format!("{}: text", scalar(&typed.name))).collect();
        (!casts.is_empty()).then(|| format!("{side}: {{{}}}", casts.join(", ")))
    };
    let sides: Vec<String> = Side::BOTH.into_iter().filter_map(of).collect();
    (!sides.is_empty()).then(|| format!("{{{}}}", sides.join(", ")))
}

/// Columns that differ and stay in. Few rows are what one looks for; many are a change, or noise.
fn changed(found: &Inspection) -> String {
    let pairs = found.pairs.0.len();
    let mut out = String::new();
    if !found.pairs.are_enough() {
        let _ = writeln!(
            out,
            "# {pairs} rows of one key were found on both sides: too few to see what every run writes differently."
        );
    }
    let stays = found.changes.iter().filter(|c| c.kind != ChangeKind::Technical);
    let (seldom, often): (Vec<&Change>, Vec<&Change>) = stays.partition(|c| c.differing * 100 < SELDOM * pairs);
    out.push_str(&differing(
        found,
        &format!("Columns that differ in {pairs} matched rows, before any tolerance:"),
        &often,
    ));
    out.push_str(&differing(
        found,
        &format!("Columns that differ in under {SELDOM} % of {pairs} matched rows; look at these first:"),
        &seldom,
    ));
    out
}

/// Columns that differ in a smaller share of the rows, in percent, are told apart.
const SELDOM: usize = 1;

fn differing(found: &Inspection, title: &str, changes: &[&Change]) -> String {
    let line = |c: &&Change| {
        let why = if c.kind == ChangeKind::Shifted {
            ", all by the same length of time: a time zone?"
        } else {
            ""
        };
        let rows = if c.differing == 1 { "row" } else { "rows" };
        (found.name(c), format!(": {} ({} {rows}){why}", found.share(c), c.differing))
    };
    comments(title, changes.iter().map(line))
}

fn comparators(found: &Inspection) -> String {
    let leaves = found.schema.shared.iter();
    let compared: Vec<&Shared> = leaves
        .filter(|leaf| found.is_compared(&leaf.name) && !leaf.name.contains('*'))
        .collect();
    let entries = float_entries(&compared) + &json_entry(found, &compared);
    let hints = entry_hints(found, &compared);
    let mut out = String::from("# Columns that no entry names are compared exactly; text by its bytes.\n");
    if !entries.is_empty() {
        let _ = write!(out, "comparators:\n{entries}");
    } else if !hints.is_empty() {
        out.push_str("# comparators:\n");
    }
    let indent = if entries.is_empty() { "#   " } else { "  # " };
    for line in hints {
        let _ = writeln!(out, "{indent}{line}");
    }
    out
}

fn is_list(leaf: &Shared) -> bool {
    matches!(leaf.types.live, ValueType::List(_)) || matches!(leaf.types.shadow, ValueType::List(_))
}

/// An entry for the columns of each width of floating point.
fn float_entries(compared: &[&Shared]) -> String {
    let mut entries = String::new();
    for (relative, digits) in TOLERANCES {
        for lists in [false, true] {
            let fitting = compared
                .iter()
                .filter(|leaf| tolerance(&leaf.types) == Some(relative) && is_list(leaf) == lists);
            let names: Vec<&str> = fitting.map(|leaf| leaf.name.as_str()).collect();
            if names.is_empty() {
                continue;
            }
            let _ = writeln!(entries, "  - columns: {}", wrapped(&names, "      "));
            let _ = writeln!(
                entries,
                "    relative: {relative}  # {digits}: the last ones change when sums are taken in another order"
            );
            if lists {
                entries.push_str("    # unordered: true  # if the order of elements means nothing\n");
            }
        }
    }
    entries
}

/// An entry for text that holds JSON, in which the order of fields and the form of numbers mean nothing.
fn json_entry(found: &Inspection, compared: &[&Shared]) -> String {
    let holds_json = |leaf: &&&Shared| {
        let at = found.schema.shared.iter().position(|shared| shared.name == leaf.name);
        let of_side = |side: &Side| at.is_some_and(|at| is_json(&found.samples[*side].columns[at].example));
        leaf.common.shown == ValueType::Text && Side::BOTH.iter().all(of_side)
    };
    let names: Vec<&str> = compared.iter().filter(holds_json).map(|leaf| leaf.name.as_str()).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "  - columns: {}\n    json: true  # holds JSON: the order of its fields means nothing\n",
        wrapped(&names, "      ")
    )
}

/// A whole object or list; a number alone is text as well.
fn is_json(text: &str) -> bool {
    text.starts_with(['{', '[']) && serde_json::from_str::<serde_json::Value>(text).is_ok()
}

/// Lines of entries that a person may want.
fn entry_hints(found: &Inspection, compared: &[&Shared]) -> Vec<String> {
    let mut lines = Vec::new();
    let is_text = Side::BOTH
        .iter()
        .all(|side| matches!(found.datasets[*side].format, Format::Csv | Format::Json));
    let printed = compared.iter().filter(|leaf| is_text && is_printed_double(&leaf.types));
    let printed: Vec<&str> = printed.map(|leaf| leaf.name.as_str()).collect();
    if !printed.is_empty() {
        lines.push(format!("- columns: {}", list(&printed)));
        lines.push(format!(
            "  relative: {}  # so many decimals are most likely printed doubles",
            TOLERANCES[0].0
        ));
    }
    let lists = compared.iter().filter(|leaf| is_list(leaf) && tolerance(&leaf.types).is_none());
    let lists: Vec<&str> = lists.map(|leaf| leaf.name.as_str()).collect();
    if !lists.is_empty() {
        lines.push(format!("- columns: {}", list(&lists)));
        lines.push("  unordered: true  # lists, if the order of elements means nothing".to_owned());
    }
    lines
}

/// A rule to begin with.
fn expected(found: &Inspection) -> String {
    let column = found
        .changes
        .iter()
        .find(|c| c.kind == ChangeKind::Other)
        .map_or("some_column", |c| found.name(c));
    format!(
        "# What the release is meant to change; every other difference is an exception.\n\
         # expected:\n\
         #   - name: what-this-release-changes\n\
         #     columns: {}\n\
         #     # a rule may also say: accounts, kinds, within, where, min, max, until\n",
        list(&[column])
    )
}

fn verdict(found: &Inspection) -> String {
    let only = &found.schema.only;
    let alone = |title, names: &Vec<String>| comments(title, names.iter().map(|name| (name.as_str(), String::new())));
    let mut out = alone("Only in live:", &only.live) + &alone("Only in shadow:", &only.shadow);
    out.push_str("verdict:\n  max_exceptions: 0\n");
    let words: Vec<&str> = [("added", &only.shadow), ("removed", &only.live)]
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, _)| *word)
        .collect();
    if !words.is_empty() {
        let _ = writeln!(
            out,
            "  # schema_changes: {}  # lets the columns of one side pass; without it they break the verdict",
            list(&words)
        );
    }
    out
}

/// A title and its lines as comments, each a column and what there is to say of it; nothing without lines.
fn comments<'a>(title: &str, mut lines: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut out = String::new();
    for (name, text) in lines.by_ref().take(SHOWN) {
        let _ = writeln!(out, "#   {}{text}", scalar(name));
    }
    if out.is_empty() {
        return out;
    }
    let left_out: Vec<String> = lines.map(|(name, _)| scalar(name)).collect();
    if !left_out.is_empty() {
        let _ = writeln!(out, "#   … and {} more: {}", left_out.len(), left_out.join(", "));
    }
    format!("# {title}\n{out}")
}

/// A list in one line if it fits, else one name a line.
fn wrapped(names: &[&str], indent: &str) -> String {
    let flat = list(names);
    if flat.len() <= WIDTH {
        return flat;
    }
    names.iter().map(|name| format!("\n{indent}- {}", scalar(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_go_over_several_lines() {
        assert_eq!(wrapped(&["a", "*b"], "  "), "[a, \"*b\"]");
        let long = "x".repeat(WIDTH);
        assert_eq!(wrapped(&["a", &long], "  "), format!("\n  - a\n  - {long}"));
    }

    #[test]
    fn json_is_an_object_or_a_list() {
        for (text, expected) in [("{\"a\": 1}", true), ("[1]", true), ("1", false), ("{a}", false), ("", false)] {
            assert_eq!(is_json(text), expected, "{text}");
        }
    }

    #[test]
    fn fields_of_csv_are_written_as_a_spec_reads_them() {
        for (name, value, expected) in [
            ("delimiter", ";", "\";\""),
            ("decimal", ",", "\",\""),
            ("header", "false", "false"),
            ("header", "id,v", "[id, v]"),
            ("null_values", "NA,-", "[NA, \"-\"]"),
            ("encoding", "windows-1252", "windows-1252"),
        ] {
            assert_eq!(csv_value(name, value), expected, "{name}={value}");
        }
    }

    #[test]
    fn what_is_no_text_is_cast_to_it() {
        let typed = |name: &str, live: &str, shadow: &str| Typed {
            name: name.to_owned(),
            types: Sides::new(ValueType::parse(live).unwrap(), ValueType::parse(shadow).unwrap()),
        };
        for (columns, expected) in [
            (vec![typed("a", "text", "int")], Some("{shadow: {a: text}}")),
            (
                vec![typed("a", "int", "text"), typed("b c", "bool", "int8")],
                Some("{live: {a: text, \"b c\": text}, shadow: {\"b c\": text}}"),
            ),
            (vec![], None),
        ] {
            assert_eq!(casts_to_text(&columns).as_deref(), expected);
        }
    }

    #[test]
    fn of_many_lines_the_last_are_only_named() {
        let names: Vec<String> = (0..SHOWN + 1).map(|n| format!("c{n}")).chain(["a: b".to_owned()]).collect();
        let lines = names.iter().map(|name| (name.as_str(), ": int".to_owned()));
        assert!(comments("Title:", lines).ends_with("#   c19: int\n#   … and 2 more: c20, \"a: b\"\n"));
        assert_eq!(comments("Title:", std::iter::empty()), "");
    }
}
