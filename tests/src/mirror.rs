//! A result as it must be when the sides are swapped.

use crate::csv::Lines;

/// The lines of a diff.csv that a mirror keeps, sorted: all but the order, the comparator's text and the diagnosis.
pub fn lines(diff: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    let diff = Lines::parse(diff)?;
    let kept = |name: &str| name != "comparator" && name != "diagnosis";
    let fixed = fixed_columns(&diff);
    let keep = |line: &Vec<Option<String>>| {
        (0..line.len())
            .filter(|at| *at < fixed || kept(&diff.header[*at]))
            .map(|at| line[at].as_deref().map(sorted_members))
            .collect()
    };
    let mut lines: Vec<Vec<Option<String>>> = diff.lines.iter().map(keep).collect();
    lines.sort();
    Ok(lines)
}

/// The same lines with the sides swapped.
pub fn mirrored_lines(diff: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    let width = fixed_columns(&Lines::parse(diff)?);
    let mut lines = lines(diff)?;
    for line in &mut lines {
        let [kind, _, live, shadow, delta, relative, ..] = &mut line[width..] else {
            return Err("a line is too short".into());
        };
        std::mem::swap(live, shadow);
        *kind = kind.take().map(|k| other_kind(&k).to_owned());
        *delta = delta.take().map(|d| negated(&d));
        *relative = relative.take().map(|d| negated(&d));
    }
    lines.sort();
    Ok(lines)
}

/// Structs print in the order of the live schema, which a mirror turns round.
fn sorted_members(text: &str) -> String {
    if !text.starts_with('{') {
        return text.to_owned();
    }
    serde_json::from_str(text).map_or(text.to_owned(), |mut json: serde_json::Value| {
        json.sort_all_objects();
        json.to_string()
    })
}

/// How many key columns stand in front: the output's own columns are always the last ten.
fn fixed_columns(diff: &Lines) -> usize {
    diff.header.len().saturating_sub(10)
}

fn other_kind(kind: &str) -> &str {
    match kind {
        "missing_in_live" => "missing_in_shadow",
        "missing_in_shadow" => "missing_in_live",
        other => other,
    }
}

fn negated(number: &str) -> String {
    match number {
        "NaN" | "0.0" => number.to_owned(),
        _ => number.strip_prefix('-').map_or_else(|| format!("-{number}"), str::to_owned),
    }
}
