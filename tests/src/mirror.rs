//! A result as it must be when the sides are swapped.

use crate::csv::Lines;

/// The lines of a diff.csv that a mirror keeps, sorted: all but the order, the comparator's text and which column a value was swapped with.
pub fn lines(diff: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    let diff = Lines::parse(diff)?;
    let kept = |name: &str| name != "comparator";
    let fixed = fixed_columns(&diff);
    let keep = |line: &Vec<Option<String>>| {
        (0..line.len())
            .filter(|at| *at < fixed || kept(&diff.header[*at]))
            .map(|at| {
                line[at]
                    .as_deref()
                    .filter(|text| !text.starts_with("swapped_with("))
                    .map(sorted_members)
            })
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
        let [kind, _, live, shadow, delta, relative, .., diagnosis] = &mut line[width..] else {
            return Err("a line is too short".into());
        };
        std::mem::swap(live, shadow);
        *kind = kind.take().map(|k| other_kind(&k).to_owned());
        *delta = delta.take().map(|d| negated(&d));
        *relative = relative.take().map(|d| negated(&d));
        *diagnosis = diagnosis.take().map(|d| other_diagnosis(&d));
    }
    lines.sort();
    Ok(lines)
}

/// The accounts of a result with the sides swapped: where all are listed, the rows of each side stand behind the decision.
pub fn mirrored_accounts(accounts: &str) -> String {
    if !accounts
        .lines()
        .next()
        .is_some_and(|header| header.ends_with(",live_rows,shadow_rows"))
    {
        return accounts.to_owned();
    }
    let swapped = |line: &str| match line.rsplitn(3, ',').collect::<Vec<_>>().as_slice() {
        [shadow, live, rest] if live.bytes().all(|b| b.is_ascii_digit()) => format!("{rest},{shadow},{live}"),
        // The header, or a part of an account that has a line break.
        _ => line.to_owned(),
    };
    let lines: Vec<String> = accounts.split('\n').map(swapped).collect();
    lines.join("\n")
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

/// Most diagnoses speak of the old and the new value, or of both alike; these speak of live and shadow.
fn other_diagnosis(diagnosis: &str) -> String {
    let (name, detail) = match diagnosis.strip_suffix(')').and_then(|d| d.split_once('(')) {
        Some(parts) => parts,
        None => (diagnosis, ""),
    };
    match (name, detail.split_once('/'), detail.strip_prefix("0.")) {
        ("null_appeared", _, _) => "null_vanished".to_owned(),
        ("null_vanished", _, _) => "null_appeared".to_owned(),
        ("unit", Some((live, shadow)), _) => format!("unit({shadow}/{live})"),
        ("scale", _, Some(zeros)) => format!("scale(1{})", "0".repeat(zeros.len())),
        ("scale", _, None) => format!("scale(0.{}1)", "0".repeat(detail.len().saturating_sub(2))),
        ("time_zone", _, _) if detail.starts_with('+') => format!("time_zone(-{}", &diagnosis["time_zone(+".len()..]),
        ("time_zone", _, _) => format!("time_zone(+{}", &diagnosis["time_zone(-".len()..]),
        (_, _, _) => diagnosis.to_owned(),
    }
}

fn negated(number: &str) -> String {
    match number {
        "NaN" | "0.0" => number.to_owned(),
        _ => number.strip_prefix('-').map_or_else(|| format!("-{number}"), str::to_owned),
    }
}
